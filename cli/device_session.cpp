#include "cli/device_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "adapters/system_clock.hpp"
#include "base/text.hpp"
#include "lwm2m/registry.hpp"

namespace fota::cli {

using boost::asio::awaitable;
using namespace boost::asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

namespace {

/// A device that is reachable yet silent is asked again after this long, without waiting for it to register.
constexpr Milliseconds ask_again{15'000};
constexpr Milliseconds busy_pause{2'000};
/// Two of a slow link's round trips and the repetitions between them.
constexpr Milliseconds time_for_an_answer{20'000};

std::string_view code_name(lwm2m::Status code) {
    using enum coap::Code;
    switch (code) {
        case bad_request:
            return "bad request";
        case unauthorized:
            return "unauthorized";
        case bad_option:
            return "bad option";
        case forbidden:
            return "forbidden";
        case not_found:
            return "not found";
        case method_not_allowed:
            return "method not allowed";
        case not_acceptable:
            return "not acceptable";
        case unsupported_content_format:
            return "unsupported content format";
        case internal_server_error:
            return "internal error";
        case not_implemented:
            return "not implemented";
        case service_unavailable:
            return "busy";
        default:
            return "refused";
    }
}

/// The device may take the same in another format. Zephyr answers 5.01 where others answer 4.15.
bool other_format_may_do(lwm2m::Status code) {
    return code == coap::Code::not_acceptable || code == coap::Code::unsupported_content_format ||
           code == coap::Code::bad_option || code == coap::Code::not_implemented;
}

}  // namespace

void bind_device_options(CLI::App& app, DeviceOptions& o, const char* path_help) {
    app.add_option("EP", o.endpoint, "the device's endpoint name")->required();
    app.add_option("PATH", o.path, path_help)->required();
    bind_listen_options(app, o);
}

Error refusal(const lwm2m::Path& path, std::string_view deed, lwm2m::Status code) {
    return Error(Errc::device_refused, fmt::format("expected {} to be {}, found {} ({})", path.text(), deed,
                                                   lwm2m::status_text(code), code_name(code)))
        .with("code", lwm2m::status_text(code))
        .with("path", path.text());
}

void put_types(std::vector<lwm2m::Entry>& entries) {
    for (auto& entry : entries) {
        auto typed = lwm2m::as_type(entry.value, lwm2m::resource_type(entry.path));
        if (typed) entry.value = std::move(*typed);
    }
}

Result<lwm2m::Path> path_argument(const std::string& text) {
    if (const auto path = lwm2m::Path::parse(text)) return *path;
    return misuse(fmt::format("expected a path such as /3/0/3, found {}", printable(text, 64)),
                  "/OBJECT[/INSTANCE[/RESOURCE[/RESOURCE-INSTANCE]]], each 0 to 65534");
}

Result<std::optional<lwm2m::Format>> format_argument(const std::string& name) {
    using enum lwm2m::Format;
    static constexpr std::array<std::pair<std::string_view, lwm2m::Format>, 7> names{{{"text", text},
                                                                                      {"opaque", opaque},
                                                                                      {"cbor", cbor},
                                                                                      {"senml-json", senml_json},
                                                                                      {"senml-cbor", senml_cbor},
                                                                                      {"tlv", tlv},
                                                                                      {"lwm2m-json", lwm2m_json}}};
    if (name.empty()) return std::optional<lwm2m::Format>{};
    for (const auto& [each, format] : names)
        if (each == name) return std::optional(format);
    return misuse(fmt::format("expected a content format, found {}", printable(name, 64)),
                  "text, opaque, cbor, senml-json, senml-cbor, tlv or lwm2m-json");
}

awaitable<Result<>> DeviceSession::awake() {
    CO_TRY_VOID(co_await device_.await_awake(0, deadline_));
    if (deadline_) deadline_ = std::max(*deadline_, clock_.now() + time_for_an_answer);
    co_return Result<>{};
}

awaitable<Result<ports::Answer>> DeviceSession::ask(Operation operation) {
    if (!deadline_) {
        auto answer = co_await operation();
        co_return answer;
    }
    auto first = co_await (operation() || clock_.sleep_until(*deadline_));
    if (auto* answer = std::get_if<Result<ports::Answer>>(&first)) co_return std::move(*answer);
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none)
        co_return fail(Errc::cancelled, "stopped while the device was asked");
    co_return fail(Errc::device_absent,
                   fmt::format("expected an answer from {}, found silence", printable(device_.endpoint())));
}

awaitable<Result<ports::Answer>> DeviceSession::persist(Operation operation) {
    for (;;) {
        const auto awake = device_.awake_serial();
        auto answer = co_await ask(operation);
        const bool patient = !deadline_ || clock_.now() < *deadline_;
        if (answer && (answer->code != coap::Code::service_unavailable || !patient)) co_return answer;
        const bool away =
            !answer && (answer.error().code() == Errc::timed_out || answer.error().code() == Errc::peer_gone);
        if (!answer && !away) co_return answer;
        if (!patient)
            co_return fail(Errc::device_absent,
                           fmt::format("expected an answer from {}, found silence", printable(device_.endpoint())));
        const auto pause = clock_.now() + (answer ? busy_pause : ask_again);
        const auto contact = co_await device_.await_awake(awake, deadline_ ? std::min(*deadline_, pause) : pause);
        if (!contact && contact.error().code() == Errc::cancelled) co_return Failure(contact.error());
    }
}

std::vector<lwm2m::Format> DeviceSession::formats_for(const lwm2m::Path& path) const {
    using enum lwm2m::Format;
    const auto* registration = device_.registration();
    const bool old = registration != nullptr && registration->parameters.lwm2m_version == "1.0";
    const auto* resource = lwm2m::find_resource(path);
    std::vector<lwm2m::Format> wish;
    // A single value is cheapest by itself; a multiple resource has no text form.
    if (path.resource && (path.resource_instance || resource == nullptr || !resource->multiple))
        wish.push_back(resource != nullptr && resource->type == lwm2m::Type::opaque ? opaque : text);
    if (registration != nullptr)
        for (const auto number : registration->parameters.formats)
            if (const auto format = lwm2m::format_of(number); format && *format != text && *format != opaque)
                if (*format != cbor || path.resource) wish.push_back(*format);
    for (const auto format : old ? std::array{tlv, lwm2m_json, senml_cbor} : std::array{senml_cbor, tlv, senml_json})
        wish.push_back(format);
    std::vector<lwm2m::Format> out;
    for (const auto format : wish)
        if (std::ranges::find(out, format) == out.end()) out.push_back(format);
    return out;
}

awaitable<Result<std::vector<lwm2m::Entry>>> DeviceSession::read(lwm2m::Path path,
                                                                 std::optional<lwm2m::Format> format) {
    const auto formats = format ? std::vector{*format} : formats_for(path);
    lwm2m::Status last{};
    for (const auto each : formats) {
        CO_TRY(const auto answer, co_await persist([&] { return device_.read(path, each); }));
        if (answer.ok()) {
            CO_TRY(auto entries, lwm2m::decode(path, answer.format, answer.payload));
            put_types(entries);
            co_return entries;
        }
        last = answer.code;
        if (!other_format_may_do(last)) break;
    }
    co_return Failure(refusal(path, "read", last));
}

awaitable<Result<std::vector<lwm2m::Discovered>>> DeviceSession::discover(lwm2m::Path path) {
    CO_TRY(const auto answer, co_await persist([&] { return device_.read(path, lwm2m::Format::link); }));
    if (!answer.ok()) co_return Failure(refusal(path, "discovered", answer.code));
    if (answer.format != static_cast<std::uint32_t>(lwm2m::Format::link))
        co_return fail(Errc::message_malformed,
                       fmt::format("expected the answer to a Discover of {} in link-format, found {}", path.text(),
                                   lwm2m::format_name(answer.format.value_or(0))));
    const auto* registration = device_.registration();
    co_return lwm2m::decode_links(registration == nullptr ? "/" : registration->parameters.root, answer.payload);
}

awaitable<Result<>> DeviceSession::write(lwm2m::Path path, lwm2m::Value value, std::optional<lwm2m::Format> format) {
    const bool is_opaque = std::holds_alternative<Bytes>(value);
    // Text for opaque values is Base64, which few devices read; all read the bytes.
    auto formats = format ? std::vector{*format} : formats_for(path);
    if (!format) formats.insert(formats.begin(), is_opaque ? lwm2m::Format::opaque : lwm2m::Format::text);
    // Without a type, what was typed goes out as it is.
    if (auto* raw = std::get_if<lwm2m::Untyped>(&value)) value = std::string(as_text(raw->bytes));
    const lwm2m::Entry entry{path, std::move(value)};
    lwm2m::Status last{};
    std::vector<lwm2m::Format> tried;
    for (const auto each : formats) {
        if (std::ranges::find(tried, each) != tried.end()) continue;
        tried.push_back(each);
        auto payload = lwm2m::encode(each, path, {&entry, 1});
        if (!payload && format) co_return Failure(std::move(payload.error()));
        if (!payload) continue;
        CO_TRY(const auto answer, co_await persist([&] { return device_.write(path, *payload, each); }));
        if (answer.ok()) co_return Result<>{};
        last = answer.code;
        if (!other_format_may_do(last)) break;
    }
    co_return Failure(refusal(path, "written", last));
}

awaitable<Result<>> DeviceSession::execute(lwm2m::Path path, std::string arguments) {
    CO_TRY(const auto answer, co_await ask([&] { return device_.execute(path, arguments); }));
    if (!answer.ok()) co_return Failure(refusal(path, "executed", answer.code));
    co_return Result<>{};
}

namespace {

class Runner {
  public:
    Runner(Output& out, const ListenJob& job, const DeviceOptions& options)
        : out_(out), job_(job), endpoint_(options.endpoint) {}

    Result<> run(const std::string& wait, const DeviceWork& work);

  private:
    awaitable<Result<>> visit(const DeviceWork& work);
    awaitable<void> tell_what_is_waited_for();

    Output& out_;
    const ListenJob& job_;
    std::string endpoint_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_, SIGINT, SIGTERM};
    adapters::SystemClock clock_{io_.get_executor()};
    std::unique_ptr<Serving> serving_;
    std::optional<Instant> deadline_;
    boost::asio::cancellation_signal stop_;
    boost::asio::cancellation_signal watch_stop_;
    bool met_ = false;
    int signal_ = 0;
};

awaitable<Result<>> Runner::visit(const DeviceWork& work) {
    DeviceSession session(serving_->server().device(endpoint_), clock_, deadline_);
    CO_TRY_VOID(co_await session.awake());
    met_ = true;
    serving_->remember(endpoint_);
    const auto* registration = session.device().registration();
    if (registration != nullptr) {
        out_.event("registered", {{"endpoint", endpoint_},
                                  {"address", registration->address},
                                  {"lifetime", registration->parameters.lifetime.count()},
                                  {"version", registration->parameters.lwm2m_version}});
        out_.note(fmt::format("device   {} from {} · LwM2M {}", printable(endpoint_), registration->address,
                              printable(registration->parameters.lwm2m_version)));
    }
    co_return co_await work(session);
}

awaitable<void> Runner::tell_what_is_waited_for() {
    auto next_line = clock_.now() + 10s;
    while (!met_) {
        const bool slept = co_await clock_.sleep_until(clock_.now() + 1s);
        if (!slept || met_) co_return;
        auto text = fmt::format("waiting  for {} to register · {}", printable(endpoint_), serving_->what_arrived());
        if (deadline_) text += fmt::format(" · giving up in {}", human_duration(to_ms(*deadline_ - clock_.now())));
        out_.redraw(text);
        if (clock_.now() < next_line) continue;
        next_line = clock_.now() + 60s;
        if (!out_.live()) out_.note(text);
    }
}

Result<> Runner::run(const std::string& wait, const DeviceWork& work) {
    TRY(serving_, Serving::open(job_));
    std::optional<Milliseconds> patience;
    if (!wait.empty()) {
        TRY(patience, parse_duration(wait));
    } else {
        TRY(const auto usual, serving_->default_wait(endpoint_));
        patience = usual.wait;
    }
    TRY_VOID(serving_->start(io_, clock_, out_));
    if (patience) deadline_ = clock_.now() + *patience;
    serving_->server().on_event([this](const server::ServerEvent& event) {
        if (event.kind != server::ServerEvent::Kind::refused) return;
        out_.event("refused",
                   {{"endpoint", printable(event.endpoint)}, {"address", event.address}, {"reason", event.reason}});
        out_.note(fmt::format("refused  {} from {}: {}", printable(event.endpoint), event.address, event.reason));
    });
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
        if (error) return;
        signal_ = number;
        stop_.emit(boost::asio::cancellation_type::terminal);
    });
    Result<> result = fail(Errc::internal, "the session ended without a result");
    boost::asio::co_spawn(
        io_, visit(work),
        boost::asio::bind_cancellation_slot(stop_.slot(), [this, &result](std::exception_ptr failure, Result<> ended) {
            result = std::move(ended);
            if (failure) result = fail(Errc::internal, "the session ended with an exception");
            watch_stop_.emit(boost::asio::cancellation_type::terminal);
            io_.stop();
        }));
    boost::asio::co_spawn(io_, tell_what_is_waited_for(),
                          boost::asio::bind_cancellation_slot(watch_stop_.slot(), boost::asio::detached));
    io_.run();
    if (result) return result;
    if (signal_ != 0 && result.error().code() == Errc::cancelled)
        return fail(Error(signal_ == SIGTERM ? Errc::terminated : Errc::interrupted,
                          fmt::format("stopped by signal {} while {}", signal_,
                                      met_ ? "the device was asked" : "waiting for the device"))
                        .with("hint", "nothing is kept of it: give the command again"));
    if (!met_ && result.error().code() == Errc::device_absent)
        return Failure(serving_->absence(endpoint_, result.error()));
    return result;
}

}  // namespace

Result<> run_on_device(Program& program, const DeviceOptions& options, const DeviceWork& work) {
    ListenJob job;
    TRY_VOID(fill_listen_job(program, options, job));
    TRY_VOID(fill_credentials(program, options, {options.endpoint}, job));
    Runner runner(program.out, job, options);
    return runner.run(options.wait, work);
}

}  // namespace fota::cli
