// Registration, transfer and verdict against a peer that answers anything, in virtual time: bytes decide each answer,
// and whether our process is killed on the way. Whatever the peer does: Execute is sent only after it said State 2, an
// update counts as done only after it said that the target runs, and every run ends.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "lwm2m/firmware.hpp"
#include "server/lwm2m_server.hpp"
#include "support/memory_store.hpp"
#include "support/virtual_clock.hpp"
#include "support/virtual_network.hpp"
#include "update/decide.hpp"
#include "update/update.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using coap::Code;

namespace {

constexpr const char* endpoint = "peer";
constexpr int most_events = 100'000;

[[noreturn]] void broken(const char* what) {
    std::fprintf(stderr, "update_fuzz: %s\n", what);
    std::abort();
}

class Bytestream {
  public:
    Bytestream(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    /// 0, which is an honest answer, once there are no more.
    std::uint8_t next() { return position_ < size_ ? data_[position_++] : 0; }
    bool empty() const { return position_ >= size_; }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t position_ = 0;
};

struct Image {
    Bytes bytes = Bytes(3'000, 0x5a);
    Bytes hash = Bytes(32, 0x11);
    update::Target target() const {
        update::Target out;
        out.image = bytes;
        out.hash = hash;
        out.end = bytes.size();
        out.version = {2, 0, 0, 0};
        return out;
    }
};

/// A device that mostly does what it should, and otherwise what the bytes say. It remembers what it told.
class Peer {
  public:
    Peer(VirtualNetwork& network, VirtualClock& clock, Bytestream& bytes, const Image& image)
        : clock_(clock), bytes_(bytes), image_(image), end_(network, "peer:1") {
        end_.on_request([this](const ports::Peer&, const coap::Message& request) { return answer(request); });
    }

    boost::asio::awaitable<void> live() {
        while (!stopped) {
            auto connecting = end_.connect("server", ports::Credentials{});
            auto connected = co_await std::move(connecting);
            if (connected) {
                auto peer = *connected;
                co_await session(peer);
                end_.drop(peer);
            }
            const auto until = clock_.now() + 30s;
            co_await clock_.sleep_until(until);
        }
        gone = true;
    }

    bool stopped = false;
    bool gone = false;
    // What it told last; the engine knows nothing else.
    std::optional<std::int64_t> told_state;
    std::string told_version;
    std::optional<Bytes> told_hash;

  private:
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
        std::string links = "</1/0>,</3/0>";
        if (form % 7 != 6) links += ",</5/0>";
        if (form % 4 == 3) links += ",</33629/0>,</33629/1>";
        if (form % 2 == 0) links += ",</26245/0>";
        request.payload = to_bytes(as_bytes(links));
        const auto registered = co_await end_.exchange(peer, std::move(request), coap::Retry{});
        if (!registered || registered->message.code != Code::created) co_return;
        std::string location;
        for (const auto& part : registered->message.texts(coap::OptionNumber::location_path)) location += "/" + part;
        again_ = false;
        while (!stopped && !again_) {
            const auto pause = clock_.now() + std::chrono::seconds(10 + bytes_.next() % 100);
            while (!stopped && !again_ && clock_.now() < pause) {
                const auto tick = clock_.now() + 5s;
                co_await clock_.sleep_until(tick);
            }
            if (stopped || again_) co_return;
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

    static coap::Answer reply(Code code) {
        coap::Answer out;
        out.message.code = code;
        return out;
    }
    coap::Answer content(const std::string& text) {
        auto out = reply(Code::content);
        out.message.set_format(coap::Format::text);
        out.message.payload = to_bytes(as_bytes(text));
        return out;
    }

    coap::Answer answer(const coap::Message& request) {
        const auto lie = bytes_.next();
        if (lie >= 250) return {coap::Answer::Kind::silence, {}};
        if (lie >= 225) {
            static constexpr Code codes[] = {Code::service_unavailable,
                                             Code::not_found,
                                             Code::request_entity_incomplete,
                                             Code::internal_server_error,
                                             Code::method_not_allowed,
                                             Code::request_entity_too_large,
                                             Code::changed,
                                             Code::continue_,
                                             Code::content,
                                             Code::bad_request};
            auto out = reply(codes[bytes_.next() % std::size(codes)]);
            // An answer without a value tells nothing, whatever its code.
            if (out.message.code == Code::content) out.message.code = Code::not_found;
            if (lie % 2 == 0)
                out.message.set_block(coap::OptionNumber::block1,
                                      {bytes_.next() % 8u, lie % 4 == 0, static_cast<std::uint8_t>(lie % 7)});
            return out;
        }
        const bool honest = lie < 180;
        auto path = request.path();
        if (path.starts_with("/33629/0/")) path = "/5/0/" + path.substr(9);
        if (request.code == Code::get) return read(path, honest);
        if (path == "/5/0/0" && request.code == Code::put) return block(request);
        if (path == "/5/0/1" && request.code == Code::put) {
            state_ = request.payload.empty() ? 0 : 1;
            return reply(Code::changed);
        }
        if (path == "/5/0/2" && request.code == Code::post) {
            if (told_state != 2) broken("Execute was sent although State was not 2");
            if (state_ != 2) return reply(Code::method_not_allowed);
            runs_target_ = honest;
            result_ = honest ? 1 : 8;
            state_ = 0;
            again_ = true;
            return reply(Code::changed);
        }
        if (path == "/3/0/4") {
            state_ = 0;
            again_ = true;
        }
        return reply(Code::changed);
    }

    coap::Answer read(const std::string& path, bool honest) {
        if (path == "/5/0/3") {
            told_state = honest ? state_ : bytes_.next() % 5;
            return content(std::to_string(*told_state));
        }
        if (path == "/5/0/5") return content(std::to_string(honest ? result_ : bytes_.next() % 16));
        if (path == "/3/0/3" || path == "/5/0/15") {
            static constexpr const char* versions[] = {"1.0.0", "2.0.0", "2.0.0-7", "", "odd", "3.0.0", "v2.0.0+0"};
            const std::string version =
                honest ? (runs_target_ ? "2.0.0+0" : "1.0.0+0") : versions[bytes_.next() % std::size(versions)];
            // Where both are asked, the component's own version counts when it tells one.
            if (path == "/3/0/3") {
                told_version = version;
            } else if (!version.empty()) {
                told_version = version;
            }
            return content(version);
        }
        if (path == "/26245/0/7") {
            auto out = reply(Code::content);
            out.message.set_format(coap::Format::opaque);
            Bytes hash = runs_target_ ? image_.hash : Bytes(32, 0x22);
            if (!honest)
                hash =
                    bytes_.next() % 2 == 0 ? Bytes() : Bytes(32, static_cast<std::uint8_t>(0x10 + bytes_.next() % 3));
            told_hash = hash;
            out.message.payload = hash;
            return out;
        }
        if (path.starts_with("/26245/0/"))
            return honest ? reply(Code::not_found) : content(std::to_string(bytes_.next() * 16));
        return honest ? reply(Code::not_found) : content(std::string(bytes_.next() % 9, 'x'));
    }

    coap::Answer block(const coap::Message& request) {
        const auto at = request.block1().value_or(coap::Block{});
        if (request.payload.size() == 1 && !at.more && at.num == 0) {
            state_ = 0;
            return reply(Code::changed);
        }
        state_ = at.more ? 1 : 2;
        auto out = reply(at.more ? Code::continue_ : Code::changed);
        out.message.set_block(coap::OptionNumber::block1, at);
        return out;
    }

    VirtualClock& clock_;
    Bytestream& bytes_;
    const Image& image_;
    VirtualEndpoint end_;
    std::int64_t state_ = 0;
    std::int64_t result_ = 0;
    bool runs_target_ = false;
    bool again_ = false;
};

class Run {
  public:
    explicit Run(Bytestream& bytes) : network_(io_, clock_, 1), peer_(network_, clock_, bytes, image_) {
        const auto shape = bytes.next();
        policy_.wait = 5min;
        policy_.stall = 1min;
        policy_.return_deadline = 3min;
        if (shape % 4 == 1) policy_.soak = 5min;
        if (shape % 8 == 3) policy_.method = update::Method::pull;
        if (shape % 16 == 5) policy_.package_uri = "http://files.example/app.bin";
        if (shape % 32 == 7) policy_.expect_version = "odd";
        policy_.block_size = shape >= 128 ? 64 : 512;
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
        judge();
        end();
        peer_.stopped = true;
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
    void judge() {
        const bool success =
            report_->outcome == update::Outcome::updated || report_->outcome == update::Outcome::already_installed;
        if (!success) return;
        update::DeviceFacts told;
        told.version = peer_.told_version;
        told.running_hash = peer_.told_hash;
        if (update::what_runs(told, target_, policy_) == update::Running::target) return;
        // A peer that listed no object of ours when it was asked last was judged by its version alone.
        told.running_hash.reset();
        if (!report_->proven_by_hash && update::what_runs(told, target_, policy_) == update::Running::target) return;
        broken("success without proof");
    }

    Image image_;
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

/// Thousands of small allocations a run: five times as fast without what only helps to read a report.
extern "C" const char* __asan_default_options() {
    return "quarantine_size_mb=4:detect_stack_use_after_return=0:malloc_context_size=2";
}

/// Asio keeps freed frames for the next coroutine, which libFuzzer takes for a possible leak: it would run each input
/// twice.
extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments) {
    static char no_leaks[] = "-detect_leaks=0";
    static std::vector<char*> all(*arguments, *arguments + *count);
    all.insert(all.begin() + 1, no_leaks);
    all.push_back(nullptr);
    *count = static_cast<int>(all.size()) - 1;
    *arguments = all.data();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytestream bytes(data, size);
    Run(bytes).go();
    // The harness is strict: an endpoint that goes with exchanges in flight is a leak.
    if (testing::UnitTest::GetInstance()->ad_hoc_test_result().Failed()) broken("the harness found a leak");
    return 0;
}
