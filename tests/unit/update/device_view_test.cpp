#include "update/device_view.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <map>

#include "support/virtual_clock.hpp"

namespace fota::update {
namespace {

using boost::asio::awaitable;

/// A view reads, and asks for nothing else.
class ReadLink : public ports::DeviceLink {
  public:
    const std::string& endpoint() const override { return name_; }
    const ports::Registration* registration() const override { return &registration_; }
    awaitable<Result<ports::Answer>> write(lwm2m::Path, Bytes, lwm2m::Format) override {
        co_return fail(Errc::internal, "a view only reads");
    }
    awaitable<Result<ports::Answer>> execute(lwm2m::Path, std::string) override {
        co_return fail(Errc::internal, "a view only reads");
    }
    awaitable<Result<ports::Delivery>> deliver(ports::DeliveryRequest) override {
        co_return fail(Errc::internal, "a view only reads");
    }
    Result<std::unique_ptr<ports::Offer>> offer(ports::OfferRequest) override {
        return fail(Errc::internal, "a view only reads");
    }

    ports::Registration registration_;

  private:
    std::string name_ = "device-1";
};

/// Answers Reads from a table, 4.04 to the rest, and does nothing else.
class TableLink final : public ReadLink {
  public:
    TableLink() {
        registration_.parameters.objects = {{5, 0, "1.2"}, {26245, 0, ""}};
        values["/5/0/3"] = values["/5/0/5"] = "0";
        values["/3/0/3"] = "1.0.0";
    }
    std::uint64_t awake_serial() const override { return 1; }
    bool asleep() const override { return false; }
    awaitable<Result<>> await_awake(std::uint64_t, std::optional<Instant>) override { co_return Result<>{}; }
    awaitable<Result<ports::Answer>> read(lwm2m::Path path, lwm2m::Format) override {
        const auto found = values.find(path.text());
        if (found == values.end()) co_return ports::Answer{coap::Code::not_found, std::nullopt, {}};
        co_return ports::Answer{coap::Code::content, std::nullopt, to_bytes(as_bytes(found->second))};
    }

    std::map<std::string, std::string> values;
};

/// Wakes without having a session, again and again.
class SleeperWithoutSession final : public ReadLink {
  public:
    explicit SleeperWithoutSession(ports::Clock& clock) : clock_(clock) {}
    std::uint64_t awake_serial() const override { return serial_; }
    bool asleep() const override { return true; }
    awaitable<Result<>> await_awake(std::uint64_t, std::optional<Instant> deadline) override {
        co_await clock_.sleep_until(deadline.value());
        ++serial_;
        co_return Result<>{};
    }
    awaitable<Result<ports::Answer>> read(lwm2m::Path, lwm2m::Format) override {
        constexpr int far_too_often = 1'000;
        if (++asked > far_too_often) co_return fail(Errc::cancelled, "asked for ever");
        co_return fail(Errc::peer_gone, "its session is gone");
    }

    int asked = 0;

  private:
    ports::Clock& clock_;
    std::uint64_t serial_ = 1;
};

struct DeviceViewTest : testing::Test {
    boost::asio::io_context io;
    test::VirtualClock clock{io};
    TableLink link;
    DeviceView view{link, clock, Milliseconds(60'000), std::nullopt, {}};

    template <class T>
    T run(awaitable<Result<T>> task) {
        std::optional<Result<T>> out;
        boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr, Result<T> end) { out = std::move(end); });
        clock.run_until([&] { return out.has_value(); });
        return out->value();
    }
};

TEST_F(DeviceViewTest, AnEmptyHashIsNone) {
    link.values["/26245/0/7"] = "";
    EXPECT_FALSE(run(view.facts()).running_hash.has_value());
    link.values["/26245/0/7"] = std::string(32, 'h');
    EXPECT_TRUE(run(view.facts()).running_hash.has_value());
}

TEST_F(DeviceViewTest, ASleeperThatNeverAnswersIsAskedNowAndThenUntilPatienceEnds) {
    SleeperWithoutSession sleeper(clock);
    DeviceView of_sleeper{sleeper, clock, Milliseconds(60'000), std::nullopt, {}};
    std::optional<Result<DeviceFacts>> facts;
    boost::asio::co_spawn(io, of_sleeper.facts(),
                          [&](std::exception_ptr, Result<DeviceFacts> end) { facts = std::move(end); });
    clock.run_until([&] { return facts.has_value(); });
    ASSERT_FALSE(facts->has_value());
    EXPECT_EQ(facts->error().code(), Errc::device_absent);
    EXPECT_LT(sleeper.asked, 12);
}

TEST_F(DeviceViewTest, AutomaticUpgradeIsAskedOfAnObjectThatHasIt) {
    EXPECT_FALSE(run(view.automatic())) << "not there";
    for (const auto* yes : {"1", "true"}) {
        link.values["/5/0/14"] = yes;
        EXPECT_TRUE(run(view.automatic())) << yes;
    }
    for (const auto* no : {"0", "false", "", "application"}) {
        link.values["/5/0/14"] = no;
        EXPECT_FALSE(run(view.automatic())) << no;
    }
    link.values["/5/0/14"] = "1";
    link.registration_.parameters.objects[0].version = "1.1";
    EXPECT_FALSE(run(view.automatic())) << "14 is younger";
    link.registration_.parameters.objects = {{33629, 0, "1.2"}};
    link.values["/33629/0/14"] = "1";
    view.use({33629, 0});
    EXPECT_FALSE(run(view.automatic())) << "there it is a name";
}

}  // namespace
}  // namespace fota::update
