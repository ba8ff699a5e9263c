// fotactl device observe: a value now, and whenever the device tells of a change.
#include <fmt/format.h>

#include <deque>

#include "cli/device.hpp"
#include "cli/device_render.hpp"
#include "cli/device_session.hpp"

namespace fota::cli {
namespace {

struct Options : DeviceOptions {
    std::uint64_t count = 0;
};

void bind(CLI::App& app, Options& o) {
    bind_device_options(app, o, "/OBJECT[/INSTANCE[/RESOURCE[/RESOURCE-INSTANCE]]]");
    app.add_option("--count", o.count, "end after this many values; without it, at Ctrl-C")->type_name("N");
}

class Observer {
  public:
    Observer(Output& out, const lwm2m::Path& path, std::uint64_t count) : out_(out), path_(path), count_(count) {}

    boost::asio::awaitable<Result<>> run(DeviceSession& session);
    std::uint64_t seen() const noexcept { return seen_; }
    bool begun() const noexcept { return begun_; }

  private:
    using News = std::deque<std::optional<ports::Answer>>;

    boost::asio::awaitable<Result<ports::Answer>> begin(DeviceSession& session, const std::shared_ptr<News>& news);
    /// False when enough was seen.
    bool show(std::vector<lwm2m::Entry> entries);
    bool wanted() const noexcept { return count_ == 0 || seen_ < count_; }

    Output& out_;
    const lwm2m::Path& path_;
    std::uint64_t count_;
    std::uint64_t seen_ = 0;
    bool begun_ = false;
};

bool Observer::show(std::vector<lwm2m::Entry> entries) {
    put_types(entries);
    ++seen_;
    auto values = nlohmann::json::array();
    for (const auto& entry : entries) {
        out_.line(value_line(entry));
        values.push_back(value_json(entry));
    }
    nlohmann::json fields{{"path", path_.text()}};
    if (values.size() == 1) fields["value"] = values[0]["value"];
    fields["values"] = std::move(values);
    out_.event("value", std::move(fields));
    return wanted();
}

boost::asio::awaitable<Result<ports::Answer>> Observer::begin(DeviceSession& session,
                                                              const std::shared_ptr<News>& news) {
    lwm2m::Status last{};
    for (const auto format : session.formats_for(path_)) {
        CO_TRY(auto answer, co_await session.device().observe(
                                path_, format, [news](std::optional<ports::Answer> each) { news->push_back(each); }));
        if (answer.ok()) co_return answer;
        last = answer.code;
        if (last != coap::Code::not_acceptable) break;
    }
    co_return Failure(refusal(path_, "observed", last));
}

boost::asio::awaitable<Result<>> Observer::run(DeviceSession& session) {
    using namespace std::chrono_literals;
    auto& device = session.device();
    for (;;) {
        // A full registration means that the device has forgotten its observations.
        const auto serial = device.registration() == nullptr ? 0 : device.registration()->serial;
        const auto awake = device.awake_serial();
        const auto news = std::make_shared<News>();
        auto first = co_await begin(session, news);
        if (!first && (first.error().code() == Errc::timed_out || first.error().code() == Errc::peer_gone)) {
            CO_TRY_VOID(co_await device.await_awake(awake, std::nullopt));
            continue;
        }
        if (!first) co_return Failure(std::move(first.error()));
        begun_ = true;
        CO_TRY(auto entries, lwm2m::decode(path_, first->format, first->payload));
        bool more = show(std::move(entries));
        while (more) {
            const auto* registration = device.registration();
            if (news->empty() && (registration == nullptr || registration->serial != serial)) break;
            if (news->empty()) {
                // What is queued arrives through the same loop; looking a few times a second costs nothing here.
                const bool slept = co_await session.clock().sleep_until(session.clock().now() + 100ms);
                if (!slept) break;
                continue;
            }
            auto next = std::move(news->front());
            news->pop_front();
            if (!next) {
                CO_TRY(auto whole, co_await session.read(path_, std::nullopt));
                more = show(std::move(whole));
                continue;
            }
            if (!next->ok()) co_return Failure(refusal(path_, "observed any longer", next->code));
            CO_TRY(auto told, lwm2m::decode(path_, next->format, next->payload));
            more = show(std::move(told));
        }
        const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != boost::asio::cancellation_type::none)
            co_return fail(Errc::cancelled, "observing was stopped");
        if (!more) {
            co_await device.stop_observing(path_);
            co_return Result<>{};
        }
        if (device.registration() == nullptr) {
            CO_TRY_VOID(co_await device.await_awake(device.awake_serial(), std::nullopt));
        }
    }
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto path = path_argument(options.path);
    if (!path) return out.fail(path.error());
    Observer observer(out, *path, options.count);
    const auto work = [&](DeviceSession& session) { return observer.run(session); };
    const auto done = run_on_device(program, options, work);
    nlohmann::json fields{{"endpoint", options.endpoint}, {"path", path->text()}, {"notifications", observer.seen()}};
    // Ctrl-C is how one without --count ends.
    const bool ended = options.count == 0 && observer.begun() && !done && done.error().code() == Errc::interrupted;
    if (!done && !ended) return out.fail(done.error(), std::move(fields));
    return out.result("done", std::move(fields));
}

}  // namespace

void add_device_observe(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "observe", "print a value whenever it changes", bind, run);
}

}  // namespace fota::cli
