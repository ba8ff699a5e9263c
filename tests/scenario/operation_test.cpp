// Operations on a device for their own sake: what is written arrives whole, and who ends an observation is heard.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "coap/block1_receiver.hpp"
#include "server/lwm2m_server.hpp"
#include "support/virtual_network.hpp"

namespace fota::test {
namespace {

using namespace std::chrono_literals;
using coap::Code;
using coap::OptionNumber;

constexpr const char* server_address = "198.51.100.1:5684";
constexpr const char* device_address = "10.0.0.7:4000";

/// A server, and a device that is registered and answers as `answer` says.
class Operation : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        const Bytes key(16, 7);
        std::map<std::string, Bytes> keys;
        std::map<std::string, std::string> identities;
        coap::MessageLayer::Limits limits;
        if (GetParam()) {
            keys["id"] = key;
            identities["id"] = "dev";
        } else {
            limits.amplification = coap::amplification_in_clear;
        }
        endpoint = std::make_unique<VirtualEndpoint>(network, server_address, std::move(keys), limits);
        server::ServerConfig config;
        config.profile = *server::link_profile("lan");
        config.identities = std::move(identities);
        server = std::make_unique<server::LwM2mServer>(io, *endpoint, clock, std::move(config));
        device.on_request([this](const ports::Peer&, const coap::Message& request) { return answer(request); });
        registration = coap::make_request(Code::post, "/rd");
        registration.add(OptionNumber::uri_query, "ep=dev");
        registration.add(OptionNumber::uri_query, "lt=600");
        registration.add(OptionNumber::uri_query, "lwm2m=1.1");
        registration.set_format(coap::Format::link);
        registration.payload = to_bytes(as_bytes("</1/0>,</3/0>,</5/0>"));
    }
    void TearDown() override {
        server.reset();
        endpoint.reset();
    }
    void register_device() {
        const bool secure = GetParam();
        const auto code = run([this, secure]() -> boost::asio::awaitable<Code> {
            ports::Credentials credentials{secure ? "id" : "", Secret<Bytes>(secure ? Bytes(16, 7) : Bytes())};
            auto connecting = device.connect(server_address, std::move(credentials));
            auto connected = co_await std::move(connecting);
            to_server = connected.value();
            auto asking = device.exchange(to_server, registration, coap::Retry{});
            auto reply = co_await std::move(asking);
            co_return reply ? reply->message.code : Code::empty;
        }());
        ASSERT_EQ(code, Code::created);
    }
    template <class T>
    T run(boost::asio::awaitable<T> task) {
        std::optional<T> out;
        boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr failure, T end) {
            if (failure) std::rethrow_exception(failure);
            out.emplace(std::move(end));
        });
        clock.run_until([&] { return out.has_value(); }, 400s);
        return std::move(out).value();
    }
    static coap::Answer reply(Code code) {
        coap::Answer out;
        out.message.code = code;
        return out;
    }

    boost::asio::io_context io{1};
    VirtualClock clock{io};
    VirtualNetwork network{io, clock, 7};
    std::unique_ptr<VirtualEndpoint> endpoint;
    std::unique_ptr<server::LwM2mServer> server;
    VirtualEndpoint device{network, device_address};
    ports::Peer to_server;
    coap::Message registration;
    std::function<coap::Answer(const coap::Message&)> answer;
};

TEST_P(Operation, WritesWhatOneMessageDoesNotHoldBlockByBlock) {
    Bytes value(3'000);
    for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<std::uint8_t>(i * 7);
    Bytes taken;
    bool whole = false;
    bool lose_place = true;
    answer = [&](const coap::Message& request) {
        if (request.code != Code::put) return reply(Code::method_not_allowed);
        const auto block = request.block1();
        EXPECT_EQ(request.path(), "/1/0/10");
        EXPECT_LE(request.payload.size(), 1'024u);
        if (!block || block->offset() != taken.size()) return reply(Code::bad_request);
        append(taken, request.payload);
        if (std::exchange(lose_place, lose_place && taken.size() < 1'000) && !lose_place) {
            taken.clear();
            return reply(Code::request_entity_incomplete);
        }
        whole = !block->more;
        auto out = reply(block->more ? Code::continue_ : Code::changed);
        out.message.set_block(OptionNumber::block1, *block);
        return out;
    };
    register_device();
    const auto written = run(server->device("dev").write({1, 0, 10}, value, coap::Format::text));
    ASSERT_TRUE(written.has_value()) << written.error().text();
    EXPECT_EQ(written->code, Code::changed);
    EXPECT_TRUE(whole);
    EXPECT_EQ(taken, value);
}

TEST_P(Operation, ARefusedBlockIsTheAnswer) {
    answer = [&](const coap::Message& request) {
        return reply(request.code == Code::put ? Code::method_not_allowed : Code::not_found);
    };
    register_device();
    const auto written = run(server->device("dev").write({1, 0, 10}, Bytes(3'000, 1), coap::Format::text));
    ASSERT_TRUE(written.has_value()) << written.error().text();
    EXPECT_EQ(written->code, Code::method_not_allowed);
}

TEST_P(Operation, ABusyDeviceSaysForHowLongAndIsNotAskedForEver) {
    int asked = 0;
    answer = [&](const coap::Message& request) {
        asked += request.code == Code::put;
        auto out = reply(Code::service_unavailable);
        out.message.add_uint(OptionNumber::max_age, 7);
        return out;
    };
    register_device();
    for (const std::size_t size : {8u, 3'000u}) {
        asked = 0;
        const auto written = run(server->device("dev").write({1, 0, 10}, Bytes(size, 1), coap::Format::text));
        ASSERT_TRUE(written.has_value()) << written.error().text();
        EXPECT_EQ(written->code, Code::service_unavailable);
        EXPECT_EQ(written->max_age, 7s);
        EXPECT_EQ(asked, 1);
    }
}

TEST_P(Operation, ALongValueReachesADeviceThatHasOnlyRegistered) {
    int taken = 0;
    answer = [&](const coap::Message& request) {
        taken += request.code == Code::put && request.payload.size() == 400;
        return reply(request.code == Code::put ? Code::changed : Code::not_found);
    };
    register_device();
    const auto written = run(server->device("dev").write({1, 0, 10}, Bytes(400, 'x'), coap::Format::text));
    ASSERT_TRUE(written.has_value()) << written.error().text();
    EXPECT_EQ(taken, 1);
}

TEST_P(Operation, AReadGoesOnWhereTheDeviceChangesToSmallerBlocks) {
    Bytes value(1'000);
    for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<std::uint8_t>('a' + i % 23);
    std::vector<coap::Block> asked;
    answer = [&](const coap::Message& request) {
        auto out = reply(Code::content);
        // Blocks of 256 bytes, then of 64 and, in the middle of an answer, of 16.
        const auto wish = request.block2().value_or(coap::Block{0, false, 4});
        if (request.block2()) asked.push_back(wish);
        const auto offset = static_cast<std::size_t>(wish.offset());
        const std::uint8_t szx = std::min<std::uint8_t>(wish.szx, offset >= 512 ? 0 : offset >= 256 ? 2 : 4);
        const auto size = std::size_t{16} << szx;
        const auto rest = BytesView(value).subspan(offset);
        out.message.set_format(coap::Format::text);
        out.message.payload = to_bytes(rest.first(std::min(size, rest.size())));
        out.message.set_block(OptionNumber::block2,
                              {static_cast<std::uint32_t>(offset / size), rest.size() > size, szx});
        return out;
    };
    register_device();
    const auto read = run(server->device("dev").read({3, 0, 0}, coap::Format::text));
    ASSERT_TRUE(read.has_value()) << read.error().text();
    EXPECT_EQ(read->payload, value);
    ASSERT_GE(asked.size(), 6u);
    EXPECT_EQ(asked[0], (coap::Block{1, false, 4}));
    EXPECT_EQ(asked[1], (coap::Block{5, false, 2}));
    EXPECT_EQ(asked.back().szx, 0);
}

TEST_P(Operation, TheEndOfAnObservationIsHeard) {
    // RFC 7641 section 3.2: an error, with Observe or, as it should be, without.
    for (const bool with_option : {false, true}) {
        coap::Token token;
        answer = [&](const coap::Message& request) {
            token = request.token;
            auto out = reply(Code::content);
            out.message.add_uint(OptionNumber::observe, 4);
            out.message.set_format(coap::Format::text);
            out.message.payload = to_bytes(as_bytes("1"));
            return out;
        };
        register_device();
        std::vector<std::optional<ports::Answer>> told;
        const auto begun =
            run(server->device("dev").observe({5, 0, 3}, coap::Format::text, [&](auto each) { told.push_back(each); }));
        ASSERT_TRUE(begun.has_value()) << begun.error().text();
        coap::Message end;
        end.code = Code::not_found;
        end.token = token;
        if (with_option) end.add_uint(OptionNumber::observe, 5);
        const auto acknowledged = run(device.exchange(to_server, end, coap::Retry{}));
        EXPECT_TRUE(acknowledged.has_value()) << "no reset: it was waited for";
        ASSERT_EQ(told.size(), 1u);
        ASSERT_TRUE(told[0].has_value());
        EXPECT_EQ(told[0]->code, Code::not_found);
        device.drop(to_server);
    }
}

INSTANTIATE_TEST_SUITE_P(Link, Operation, testing::Bool(),
                         [](const auto& param) { return param.param ? "Dtls" : "Clear"; });

}  // namespace
}  // namespace fota::test
