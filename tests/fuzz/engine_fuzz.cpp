// The update engine against a device that answers anything, without CoAP and without a server: every operation of its
// DeviceLink is answered at once, a clock that jumps stands for all waiting, and blocks go through the real Block1
// sender. Thousands of runs a second; update_fuzz is the same with everything in between. Whatever the device does:
// Execute is sent only after it said State 2, an update counts as done only after it said that the target runs, and
// every run ends, also one whose process is killed on the way.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "coap/block1_sender.hpp"
#include "fuzz/asio_options.hpp"
#include "fuzz/lying_device.hpp"
#include "lwm2m/registration.hpp"
#include "support/memory_store.hpp"
#include "update/update.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using boost::asio::awaitable;

namespace {

/// An honest device is through with a few hundred.
constexpr int most_operations = 20'000;

/// Our process is gone, in the middle of whatever it did.
struct Killed {};

/// Time and everything in it: the device registers, updates, reboots and falls silent when the bytes say so.
class World final : public ports::Clock {
  public:
    World(Bytestream& bytes, const SmallImage& image) : device(bytes, image), bytes_(bytes) {
        device.on_reboot = [this] {
            registered = false;
            contact_ = now_ + std::chrono::seconds(5 + bytes_.next() % 30);
        };
        contact_ = now_ + std::chrono::seconds(bytes_.next() % 100);
    }

    Instant now() const override { return now_; }
    std::chrono::system_clock::time_point wall() const override { return {}; }
    awaitable<bool> sleep_until(Instant deadline) override {
        count();
        advance(deadline);
        co_return true;
    }

    /// Lets everything happen that happens until then.
    void advance(Instant to) {
        while (contact_ <= to) contact();
        now_ = std::max(now_, to);
    }
    /// Until the device is next heard of; false when that is after the deadline.
    bool await_contact(Instant deadline) {
        const auto before = awake;
        while (awake == before && contact_ <= deadline) contact();
        if (awake == before) now_ = std::max(now_, deadline);
        return awake != before;
    }
    void count() {
        if (++operations > most_operations) broken("a run does not end");
        if (kill_after > 0 && --kill_after == 0) throw Killed();
    }

    LyingDevice device;
    ports::Registration registration;
    bool registered = false;
    std::uint64_t awake = 0;
    int kill_after = 0;  ///< operations; 0: never
    int operations = 0;

  private:
    void contact() {
        now_ = std::max(now_, contact_);
        const auto choice = registered ? bytes_.next() : std::uint8_t{255};
        contact_ = now_ + std::chrono::seconds(10 + bytes_.next() % 100);
        if (choice == 254) {
            registered = false;  // it deregisters
            return;
        }
        if (choice >= 240) {
            const auto form = bytes_.next();
            auto request = coap::make_request(coap::Code::post, "/rd");
            for (const auto* query : {"ep=peer", "lt=120", form % 3 == 0 ? "lwm2m=1.1" : "lwm2m=1.0"})
                request.add(coap::OptionNumber::uri_query, query);
            if (form % 5 == 1) request.add(coap::OptionNumber::uri_query, form % 3 == 0 ? "Q" : "b=UQ");
            const auto links = LyingDevice::links(form);
            registration.parameters = lwm2m::parse_register(request, as_bytes(links)).value();
            ++registration.serial;
            registration.session += form % 2;
            registered = true;
        }
        registration.last_heard = now_;
        ++awake;
    }

    Bytestream& bytes_;
    Instant now_{1h};
    Instant contact_{};
};

class Fetch final : public ports::Offer {
  public:
    Fetch(World& world, Bytestream& bytes, BytesView image) : world_(world), bytes_(bytes), image_(image) {}
    const std::string& uri() const override { return uri_; }
    const ports::FetchProgress& progress() const override { return progress_; }
    awaitable<bool> await_request(std::uint64_t after, Instant deadline) override {
        world_.count();
        if (progress_.requests > after) co_return true;
        if (bytes_.next() >= 200 || progress_.bytes == image_.size()) {
            world_.advance(deadline);
            co_return false;
        }
        world_.advance(world_.now() + 100ms);
        ++progress_.requests;
        progress_.block_size = 128;
        progress_.bytes = std::min<std::uint64_t>(progress_.bytes + 128, image_.size());
        progress_.furthest = std::max(progress_.furthest, progress_.bytes);
        progress_.last_request = world_.now();
        co_return true;
    }

  private:
    World& world_;
    Bytestream& bytes_;
    BytesView image_;
    std::string uri_ = "coap://server/fw/0";
    ports::FetchProgress progress_;
};

class Link final : public ports::DeviceLink {
  public:
    Link(World& world, Bytestream& bytes) : world_(world), bytes_(bytes) {}

    const std::string& endpoint() const override { return name_; }
    const ports::Registration* registration() const override {
        return world_.registered ? &world_.registration : nullptr;
    }
    std::uint64_t awake_serial() const override { return world_.awake; }
    bool asleep() const override {
        const auto& known = world_.registration;
        return world_.registered && known.parameters.queue_mode && world_.now() - known.last_heard > 93s;
    }
    awaitable<Result<>> await_awake(std::uint64_t after, std::optional<Instant> deadline) override {
        world_.count();
        if (world_.awake > after || world_.await_contact(deadline.value_or(Instant::max()))) co_return Result<>{};
        co_return fail(Errc::device_absent, "silence");
    }
    awaitable<Result<ports::Answer>> read(lwm2m::Path path, coap::Format) override {
        return ask(coap::Code::get, path, {});
    }
    awaitable<Result<ports::Answer>> write(lwm2m::Path path, Bytes value, coap::Format) override {
        return ask(coap::Code::put, path, std::move(value));
    }
    awaitable<Result<ports::Answer>> execute(lwm2m::Path path, std::string) override {
        return ask(coap::Code::post, path, {});
    }
    awaitable<Result<ports::Delivery>> deliver(ports::DeliveryRequest wish) override {
        const auto szx = coap::szx_of(wish.block_size);
        if (!szx || wish.start_offset >= wish.image.size()) broken("a delivery of nothing");
        ports::Delivery out;
        coap::Block1Sender sender({wish.package.text(), coap::Format::opaque,
                                   wish.image.subspan(static_cast<std::size_t>(wish.start_offset)), *szx,
                                   wish.first_block, coap::Token(wish.token)});
        auto last_progress = world_.now();
        using Step = coap::Block1Sender::Step;
        for (;;) {
            if (world_.now() - last_progress > wish.stall) co_return fail(Errc::transfer_stalled, "silence");
            const auto request = sender.request();
            if (request.payload.size() > wish.block_size || sender.block() >= sender.blocks()) broken("a wrong block");
            const auto reply = exchange({coap::Code::put, wish.package.text(), request.payload, request.block1()});
            if (!reply) {
                sender.on_timeout();
                continue;
            }
            out.last = reply->code;
            const auto before = sender.acknowledged();
            const auto step = sender.on_reply(*reply, bytes_.next() >= 200 ? 1 : 0);
            if (sender.acknowledged() > before) last_progress = world_.now();
            out.progress.bytes = wish.start_offset + sender.acknowledged();
            out.progress.block = sender.block();
            out.progress.blocks = sender.blocks();
            out.progress.block_size = out.block_size = 1u << (sender.szx() + 4);
            if (wish.on_progress) wish.on_progress(out.progress);
            if (step == Step::wait) world_.advance(world_.now() + sender.retry_after());
            if (step == Step::send || step == Step::wait) continue;
            out.end = step == Step::done          ? ports::Delivery::End::complete
                      : step == Step::check_state ? ports::Delivery::End::check_state
                      : step == Step::lost_place  ? ports::Delivery::End::lost_place
                                                  : ports::Delivery::End::refused;
            co_return out;
        }
    }
    Result<std::unique_ptr<ports::Offer>> offer(ports::OfferRequest wish) override {
        return std::unique_ptr<ports::Offer>(std::make_unique<Fetch>(world_, bytes_, wish.image));
    }

  private:
    /// nullopt: silence, for as long as one exchange takes.
    std::optional<coap::Message> exchange(const LyingDevice::Request& request) {
        world_.count();
        world_.advance(world_.now() + 100ms);
        if (world_.registered && !asleep()) {
            auto answer = world_.device.answer(request);
            if (answer.kind == coap::Answer::Kind::piggybacked) return std::move(answer.message);
        }
        world_.advance(world_.now() + 62s);
        return std::nullopt;
    }
    awaitable<Result<ports::Answer>> ask(coap::Code code, lwm2m::Path path, Bytes payload) {
        auto answer = exchange({code, path.text(), payload, std::nullopt});
        if (!answer) co_return fail(Errc::timed_out, "silence");
        const auto format = answer->format();
        co_return ports::Answer{answer->code, format, std::move(answer->payload)};
    }

    World& world_;
    Bytestream& bytes_;
    std::string name_ = "peer";
};

/// nullopt when it was killed.
std::optional<update::Report> run_once(World& world, Bytestream& bytes, const update::Target& target,
                                       const update::Policy& policy, MemoryStore& store) {
    boost::asio::io_context io;
    Link link(world, bytes);
    update::Observer observer;
    std::optional<update::Report> report;
    bool ended = false;
    boost::asio::co_spawn(io, update::run(link, target, policy, store, world, observer),
                          [&](std::exception_ptr failure, update::Report end) {
                              ended = true;
                              if (!failure) {
                                  report = std::move(end);
                                  return;
                              }
                              try {
                                  std::rethrow_exception(failure);
                              } catch (const Killed&) {
                              }
                          });
    io.poll();
    if (!ended) broken("a run hangs");
    return report;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytestream bytes(data, size);
    const SmallImage image;
    const auto target = image.target();
    const auto policy = shaped_policy(bytes.next());
    const auto kill = bytes.next();
    World world(bytes, image);
    MemoryStore store;
    world.kill_after = kill % 2 == 1 ? kill : 0;
    auto report = run_once(world, bytes, target, policy, store);
    if (!report) {
        store.crash();
        world.kill_after = 0;
        world.registered = false;  // a new process knows nobody
        report = run_once(world, bytes, target, policy, store);
    }
    world.device.judge(*report, target, policy);
    return 0;
}
