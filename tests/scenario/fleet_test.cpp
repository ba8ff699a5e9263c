// Many devices that wake once a day, one server, and a server that is killed in mid-campaign: how many are proven,
// after how many wake-ups, and with how many handshakes more than the update itself needs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <memory>
#include <vector>

#include "server/lwm2m_server.hpp"
#include "tests/scenario/light_device.hpp"
#include "tests/support/memory_store.hpp"
#include "tests/support/test_images.hpp"
#include "tests/support/virtual_clock.hpp"
#include "tests/support/virtual_network.hpp"
#include "update/preflight.hpp"
#include "update/update.hpp"
#include "virtdev/device.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;

namespace {

constexpr auto day = 24h;

/// The device's end of the line, which counts its handshakes: in the field each costs it more than a wake-up does.
class CountingEnd final : public ports::CoapEndpoint {
  public:
    CountingEnd(VirtualNetwork& network, const std::string& address) : end_(network, address) {}

    boost::asio::awaitable<Result<ports::Peer>> connect(std::string address, ports::Credentials credentials) override {
        auto connecting = end_.connect(std::move(address), std::move(credentials));
        auto peer = co_await std::move(connecting);
        handshakes += peer.has_value();
        co_return peer;
    }
    boost::asio::awaitable<Result<coap::Reply>> exchange(ports::Peer peer, coap::Message message,
                                                         coap::Retry retry) override {
        return end_.exchange(std::move(peer), std::move(message), retry);
    }
    void on_request(RequestHandler handler) override { end_.on_request(std::move(handler)); }
    void on_notify(NotifyHandler handler) override { end_.on_notify(std::move(handler)); }
    void on_gone(GoneHandler handler) override { end_.on_gone(std::move(handler)); }
    void abandon(ports::SessionId session) override { end_.abandon(session); }
    void drop(const ports::Peer& peer) override { end_.drop(peer); }
    const ports::EndpointStatistics& statistics() const override { return end_.statistics(); }
    std::string local_address() const override { return end_.local_address(); }

    std::uint64_t handshakes = 0;

  private:
    VirtualEndpoint end_;
};

/// One device that registers at its own time of the day, sleeps, and updates its registration a day later.
struct Sleeper {
    Sleeper(VirtualNetwork& network, std::size_t number)
        : endpoint(fmt::format("urn:imei:{:015d}", number)),
          identity(fmt::format("identity-{}", number)),
          address(fmt::format("10.{}.{}.{}:4000", number >> 16, (number >> 8) & 255, number & 255)),
          end(network, address) {}
    virtual ~Sleeper() = default;
    virtual void stop() = 0;

    std::string endpoint;
    std::string identity;
    std::string address;
    CountingEnd end;
    bool gone = false;
    std::optional<Instant> proven;
    /// Of the campaign, until it was proven.
    std::uint64_t wake_ups = 0;
    std::uint64_t handshakes_before = 0;
    std::uint64_t handshakes = 0;
    std::optional<Instant> last_sent;

  protected:
    void ended(std::exception_ptr failure) {
        gone = true;
        if (failure) std::rethrow_exception(failure);
    }
    static Instant some_time_today(VirtualNetwork& network, VirtualClock& clock) {
        return clock.now() + Milliseconds(network.random() % Milliseconds(day).count());
    }
};

/// With a board, its flash and its bootloader.
struct FullSleeper final : Sleeper {
    FullSleeper(boost::asio::io_context& io, VirtualNetwork& network, VirtualClock& clock, std::size_t number,
                BytesView old_image)
        : Sleeper(network, number), board(virtdev::BootConfig{}, virtdev::hash_only()) {
        EXPECT_TRUE(board.flash_image(old_image));
        virtdev::DeviceConfig config;
        config.endpoint = endpoint;
        config.server = "server";
        config.credentials = {identity, Secret<Bytes>(Bytes(16, 7))};
        config.lifetime = day;
        config.quirks = {virtdev::Quirk::queue_mode};
        // A device whose server does not answer sleeps on it, as a tracker does that must spare its battery.
        config.retry_pause = 1h;
        device = std::make_unique<virtdev::Device>(board, end, clock, std::move(config), virtdev::DeviceEvents{});
        boost::asio::co_spawn(io, live(clock, some_time_today(network, clock)),
                              [this](std::exception_ptr failure) { ended(failure); });
    }
    boost::asio::awaitable<void> live(VirtualClock& clock, Instant first) {
        co_await clock.sleep_until(first);
        const auto end_of_life = co_await device->run();
        if (!end_of_life) ADD_FAILURE() << endpoint << ": " << end_of_life.error().text();
    }
    void stop() override { device->stop(); }

    virtdev::Board board;
    std::unique_ptr<virtdev::Device> device;
};

struct LightSleeper final : Sleeper {
    LightSleeper(boost::asio::io_context& io, VirtualNetwork& network, VirtualClock& clock, std::size_t number)
        : Sleeper(network, number),
          device(end, clock, {.endpoint = endpoint, .identity = identity, .key = Bytes(16, 7), .lifetime = day}) {
        boost::asio::co_spawn(io, device.run(some_time_today(network, clock)),
                              [this](std::exception_ptr failure) { ended(failure); });
    }
    void stop() override { device.stop(); }

    LightDevice device;
};

enum class Kind { full, light };

class Campaign {
  public:
    Campaign(Kind kind, std::size_t devices, std::uint64_t seed) : network_(io_, clock_, seed) {
        network_.model = {.loss = 0.02, .delay = 150ms, .jitter = 50ms};
        network_.tap = [this](const std::string& from, const std::string&, BytesView) { sent(from); };
        const auto old_image = signed_image("1.0.0", 2'000, 1);
        new_image_ = signed_image("2.0.0", 2'000, 2);
        const std::vector keys{test_signer().public_key()};
        checked_.emplace(update::check_image(new_image_, keys, std::nullopt).value());
        start_server();
        for (std::size_t i = 0; i < devices; ++i)
            if (kind == Kind::full)
                sleepers_.push_back(std::make_unique<FullSleeper>(io_, network_, clock_, i, old_image));
            else
                sleepers_.push_back(std::make_unique<LightSleeper>(io_, network_, clock_, i));
        for (const auto& each : sleepers_) by_address_[each->address] = each.get();
        pass(day + 10min);  // the last of them needs a moment, too
    }
    ~Campaign() {
        stop();
        for (const auto& each : sleepers_) each->stop();
        clock_.run_until([&] { return std::ranges::all_of(sleepers_, &Sleeper::gone); });
    }

    /// One update engine per device, as one process would run them.
    void start() {
        running_ = sleepers_.size();
        if (!begun_)
            for (const auto& each : sleepers_) each->handshakes_before = each->end.handshakes;
        begun_ = true;
        for (std::size_t i = 0; i < sleepers_.size(); ++i) {
            auto& sleeper = *sleepers_[i];
            stops_.push_back(std::make_unique<boost::asio::cancellation_signal>());
            boost::asio::co_spawn(
                io_,
                update::run(server_->device(sleeper.endpoint), checked_->target, policy_, store_, clock_, observer_),
                boost::asio::bind_cancellation_slot(
                    stops_.back()->slot(), [this, &sleeper](std::exception_ptr failure, update::Report report) {
                        if (failure) std::rethrow_exception(failure);
                        --running_;
                        if (report.outcome != update::Outcome::updated || sleeper.proven) return;
                        sleeper.proven = clock_.now();
                        sleeper.handshakes = sleeper.end.handshakes - sleeper.handshakes_before;
                    }));
        }
    }
    /// Killed without a word: what was not made durable is gone, and so are all DTLS sessions.
    void kill() {
        store_.failing = true;
        network_.filter = [](const std::string& from, const std::string&, BytesView) { return from != "server"; };
        stop();
        network_.filter = {};
        store_.failing = false;
        store_.crash();
        start_server();
    }
    void pass(Milliseconds span) {
        clock_.run_until([] { return false; }, span);
    }

    Instant now() const { return clock_.now(); }
    const std::vector<std::unique_ptr<Sleeper>>& sleepers() const { return sleepers_; }

  private:
    /// A device that speaks after it was silent for long has woken up; the reboot into its new image is none.
    void sent(const std::string& from) {
        const auto it = by_address_.find(from);
        if (it == by_address_.end()) return;
        auto& sleeper = *it->second;
        const bool slept = !sleeper.last_sent || clock_.now() - *sleeper.last_sent > 10min;
        sleeper.last_sent = clock_.now();
        if (begun_ && slept && !sleeper.proven) ++sleeper.wake_ups;
    }
    void start_server() {
        std::map<std::string, Bytes> keys;
        server::ServerConfig config;
        config.seed = network_.random();
        for (std::size_t i = 0; i < 100'000 && (sleepers_.empty() || i < sleepers_.size()); ++i) {
            keys[fmt::format("identity-{}", i)] = Bytes(16, 7);
            config.identities[fmt::format("identity-{}", i)] = fmt::format("urn:imei:{:015d}", i);
        }
        server_end_ = std::make_unique<VirtualEndpoint>(network_, "server", std::move(keys));
        server_ = std::make_unique<server::LwM2mServer>(io_, *server_end_, clock_, std::move(config));
    }
    void stop() {
        for (auto& each : stops_) each->emit(boost::asio::cancellation_type::terminal);
        EXPECT_TRUE(clock_.run_until([&] { return running_ == 0; }, 1s));
        stops_.clear();
        server_.reset();
        server_end_.reset();
    }

    boost::asio::io_context io_;
    VirtualClock clock_{io_};
    VirtualNetwork network_;
    MemoryStore store_;
    update::Policy policy_;
    update::Observer observer_;
    Bytes new_image_;
    std::optional<update::Checked> checked_;
    std::vector<std::unique_ptr<Sleeper>> sleepers_;
    std::unique_ptr<VirtualEndpoint> server_end_;
    std::unique_ptr<server::LwM2mServer> server_;
    std::vector<std::unique_ptr<boost::asio::cancellation_signal>> stops_;
    std::size_t running_ = 0;
    bool begun_ = false;
    std::map<std::string, Sleeper*> by_address_;
};

void campaign(Kind kind, std::size_t devices, std::uint64_t seed) {
    Campaign campaign(kind, devices, seed);
    const auto begun = campaign.now();
    campaign.start();
    campaign.pass(12h);
    campaign.kill();
    campaign.start();
    campaign.pass(3 * day);
    std::size_t woke = 0, in_time = 0, extra = 0;
    std::uint64_t most_extra = 0, most_wake_ups = 0;
    Milliseconds last{0};
    for (const auto& each : campaign.sleepers()) {
        woke += each->wake_ups > 0;
        if (!each->proven) continue;
        in_time += each->wake_ups > 0 && each->wake_ups <= 3;
        most_wake_ups = std::max(most_wake_ups, each->wake_ups);
        last = std::max(last, to_ms(*each->proven - begun));
        // The update itself costs one: the new image begins with a new session.
        ASSERT_GE(each->handshakes, 1u) << each->endpoint << " runs a new image in its old session";
        extra += each->handshakes > 1;
        most_extra = std::max(most_extra, each->handshakes - 1);
    }
    fmt::print(
        "{} devices (seed {}): {} woke, {} of them proven within three wake-ups (at most {} of the proven ones), the "
        "last after {:.1f} h; {} with a handshake more than the update's, at most {}\n",
        devices, seed, woke, in_time, most_wake_ups, static_cast<double>(last.count()) / 3'600'000, extra, most_extra);
    EXPECT_GE(woke * 100, devices * 99);
    EXPECT_GE(in_time * 100, woke * 99);
    EXPECT_LE(most_extra, 1u);
}

}  // namespace

TEST(Fleet, SleepersAreProvenWithinThreeWakeUpsThoughTheServerIsKilled) {
    campaign(Kind::full, 100, 1);
}

TEST(LongFleet, TwentyThousandSleepersAreProvenWithinThreeWakeUps) {
    const auto* fewer = std::getenv("FOTACTL_TEST_SLEEPERS");  // for a look at how it grows
    campaign(Kind::light, fewer == nullptr ? 20'000 : std::strtoul(fewer, nullptr, 10), 2);
}
