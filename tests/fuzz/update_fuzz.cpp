// Registration, transfer and verdict against a peer that answers anything, in virtual time, through the server and the
// message layer: bytes decide each answer, and whether our process is killed on the way. Whatever the peer does:
// Execute is sent only after it said State 2, an update counts as done only after it said that the target runs, and
// every run ends. engine_fuzz is the engine alone, many times as fast.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstdint>
#include <optional>

#include "fuzz/asio_options.hpp"
#include "fuzz/lying_device.hpp"
#include "server/lwm2m_server.hpp"
#include "support/memory_store.hpp"
#include "support/virtual_clock.hpp"
#include "support/virtual_network.hpp"
#include "update/update.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using coap::Code;

namespace {

constexpr const char* endpoint = "peer";
constexpr int most_events = 100'000;

/// The registration interface of the device, from its side.
class Peer {
  public:
    Peer(VirtualNetwork& network, VirtualClock& clock, Bytestream& bytes, const SmallImage& image)
        : device(bytes, image),
          clock_(clock),
          bytes_(bytes),
          end_(network, "peer:1"),
          timer_(network.io, boost::asio::steady_timer::time_point::max()) {
        end_.on_request([this](const ports::Peer&, const coap::Message& request) { return device.answer(request); });
        device.on_reboot = [this] {
            again_ = true;
            timer_.cancel();
        };
    }

    boost::asio::awaitable<void> live() {
        while (!stopped_) {
            auto connecting = end_.connect("server", ports::Credentials{});
            auto connected = co_await std::move(connecting);
            if (connected) {
                auto peer = *connected;
                co_await session(peer);
                end_.drop(peer);
            }
            again_ = false;
            const auto until = clock_.now() + 30s;
            co_await pause_until(until);
        }
        gone = true;
    }
    void stop() {
        stopped_ = true;
        timer_.cancel();
    }

    LyingDevice device;
    bool gone = false;

  private:
    /// Ended by a reboot, or by the end of the run.
    boost::asio::awaitable<void> pause_until(Instant when) {
        if (stopped_ || again_) co_return;
        bool due = false;
        const auto event = clock_.at(when, [&] {
            due = true;
            timer_.cancel();
        });
        co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        if (!due) clock_.cancel(event);
    }

    boost::asio::awaitable<void> session(ports::Peer peer) {
        auto request = coap::make_request(Code::post, "/rd");
        request.add(coap::OptionNumber::uri_query, std::string("ep=") + endpoint);
        request.add(coap::OptionNumber::uri_query, "lt=120");
        const auto form = bytes_.next();
        request.add(coap::OptionNumber::uri_query, form % 3 == 0   ? "lwm2m=1.1"
                                                   : form % 3 == 1 ? "lwm2m=1.0"
                                                                   : "lwm2m=1.2");
        if (form % 5 == 1) request.add(coap::OptionNumber::uri_query, form % 3 == 1 ? "b=UQ" : "Q");
        request.set_format(coap::Format::link);
        request.payload = to_bytes(as_bytes(LyingDevice::links(form)));
        const auto registered = co_await end_.exchange(peer, std::move(request), coap::Retry{});
        if (!registered || registered->message.code != Code::created) co_return;
        std::string location;
        for (const auto& part : registered->message.texts(coap::OptionNumber::location_path)) location += "/" + part;
        again_ = false;
        while (!stopped_ && !again_) {
            const auto pause = clock_.now() + std::chrono::seconds(10 + bytes_.next() % 100);
            co_await pause_until(pause);
            if (stopped_ || again_) co_return;
            const auto choice = bytes_.next();
            auto update = coap::make_request(choice == 255 ? Code::del : Code::post, location);
            if (choice > 240 && choice < 255) {
                update.set_block(coap::OptionNumber::block1, {choice % 3u, choice % 2 == 0, 0});
                update.payload = Bytes(16, choice);
            }
            const auto updated = co_await end_.exchange(peer, std::move(update), coap::Retry{});
            if (!updated || updated->message.code != Code::changed) co_return;
        }
    }

    VirtualClock& clock_;
    Bytestream& bytes_;
    VirtualEndpoint end_;
    boost::asio::steady_timer timer_;
    bool again_ = false;
    bool stopped_ = false;
};

class Run {
  public:
    explicit Run(Bytestream& bytes) : network_(io_, clock_, 1), peer_(network_, clock_, bytes, image_) {
        policy_ = shaped_policy(bytes.next());
        kill_after_ = bytes.next() * 2;
    }

    void go() {
        boost::asio::co_spawn(io_, peer_.live(), [](std::exception_ptr failure) {
            if (failure) std::rethrow_exception(failure);
        });
        start();
        if (kill_after_ > 0) {
            int events = 0;
            until([&] { return report_.has_value() || ++events > kill_after_; });
            if (!report_) {
                stop_.emit(boost::asio::cancellation_type::terminal);
                until([&] { return report_.has_value(); });
            }
            report_.reset();
            end();
            store_.crash();
            start();
        }
        until([&] { return report_.has_value(); });
        peer_.device.judge(*report_, target_, policy_);
        end();
        peer_.stop();
        until([&] { return peer_.gone; });
    }

  private:
    void start() {
        server_end_ = std::make_unique<VirtualEndpoint>(network_, "server");
        server_ = std::make_unique<server::LwM2mServer>(io_, *server_end_, clock_, server::ServerConfig{});
        boost::asio::co_spawn(io_, update::run(server_->device(endpoint), target_, policy_, store_, clock_, observer_),
                              boost::asio::bind_cancellation_slot(
                                  stop_.slot(), [this](std::exception_ptr failure, update::Report report) {
                                      if (failure) std::rethrow_exception(failure);
                                      report_ = std::move(report);
                                  }));
    }
    void end() {
        server_.reset();
        server_end_.reset();
    }
    void until(const std::function<bool()>& done) {
        int events = 0;
        const bool ended = clock_.run_until([&] {
            if (++events > most_events) broken("a run does not end");
            return done();
        });
        if (!ended) broken("a run hangs");
    }

    SmallImage image_;
    boost::asio::io_context io_;
    VirtualClock clock_{io_};
    VirtualNetwork network_;
    Peer peer_;
    MemoryStore store_;
    update::Policy policy_;
    update::Observer observer_;
    update::Target target_ = image_.target();
    std::unique_ptr<VirtualEndpoint> server_end_;
    std::unique_ptr<server::LwM2mServer> server_;
    boost::asio::cancellation_signal stop_;
    std::optional<update::Report> report_;
    int kill_after_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytestream bytes(data, size);
    Run(bytes).go();
    // The harness is strict: an endpoint that goes with exchanges in flight is a leak.
    if (testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed()) broken("the harness found a leak");
    return 0;
}
