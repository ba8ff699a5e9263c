#include "cli/push_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <memory>

#include "adapters/system_clock.hpp"
#include "base/text.hpp"
#include "cli/diagnostics.hpp"
#include "cli/push_render.hpp"
#include "cli/serving.hpp"
#include "update/update.hpp"

namespace fota::cli {
namespace {

using namespace std::chrono_literals;

class Session {
  public:
    Session(Output& out, const PushJob& job) : out_(out), job_(job), clock_(io_.get_executor()) {}
    Result<> open();
    int run();

  private:
    struct Run {
        std::string endpoint;
        std::unique_ptr<PushRender> render;
        update::Policy policy;
        boost::asio::cancellation_signal stop;
        std::optional<update::Report> report;
    };

    void start(Run& run);
    void ended(Run& run, update::Report report);
    void on_server_event(const server::ServerEvent& event);
    boost::asio::awaitable<void> tell_what_is_waited_for();
    std::string what_is_waited_for(Instant begun);
    int conclude();

    Output& out_;
    const PushJob& job_;
    boost::asio::io_context io_{1};
    /// From the first moment on: what is listening must also be stoppable in an orderly way.
    boost::asio::signal_set signals_{io_, SIGINT, SIGTERM};
    adapters::SystemClock clock_;
    std::unique_ptr<Serving> serving_;
    std::vector<std::unique_ptr<Run>> runs_;
    boost::asio::cancellation_signal watch_stop_;
    std::size_t ended_ = 0;
    int signal_ = 0;
};

Result<> Session::open() {
    TRY(serving_, Serving::open(job_));
    for (const auto& endpoint : job_.endpoints) {
        auto run = std::make_unique<Run>();
        run->endpoint = endpoint;
        run->policy = job_.policy;
        if (!run->policy.wait) {
            TRY(const auto usual, serving_->default_wait(endpoint));
            run->policy.wait = usual.wait;
            if (usual.unfinished)
                out_.note(
                    fmt::format("resume   an update of {} was left unfinished: it may be silent for minutes before "
                                "it registers",
                                printable(endpoint)));
        }
        run->render = std::make_unique<PushRender>(out_, endpoint, job_.endpoints.size() > 1);
        runs_.push_back(std::move(run));
    }
    TRY_VOID(serving_->start(io_, clock_, out_));
    serving_->server().on_event([this](const server::ServerEvent& event) { on_server_event(event); });
    return {};
}

void Session::on_server_event(const server::ServerEvent& event) {
    if (event.kind == server::ServerEvent::Kind::refused) {
        out_.event("refused",
                   {{"endpoint", printable(event.endpoint)}, {"address", event.address}, {"reason", event.reason}});
        out_.note(fmt::format("refused  {} from {}: {}", printable(event.endpoint), event.address, event.reason));
        return;
    }
    if (event.kind != server::ServerEvent::Kind::registered) return;
    // Others may register as well, in clear even strangers: they leave no trace.
    if (std::ranges::find(job_.endpoints, event.endpoint) == job_.endpoints.end()) return;
    serving_->remember(event.endpoint);
}

namespace {

/// What a device is to do in a step that can last; "" where its progress shows by itself.
std::string_view wish(update::Step step) {
    using enum update::Step;
    switch (step) {
        case await_device:
            return "to register";
        case reset:
            return "to give up the other package";
        case execute:
            return "to begin the update";
        case await_return:
            return "to install it and come back";
        case prove:
            return "to run and tell the new version";
        default:
            return "";
    }
}

/// A step that takes no longer says nothing.
constexpr auto soon = 5s;

}  // namespace

/// "" when nothing is.
std::string Session::what_is_waited_for(Instant begun) {
    std::size_t waiting = 0;
    const Run* one = nullptr;
    const Run* absent = nullptr;
    for (const auto& run : runs_) {
        const auto step = run->render->current();
        const bool first = step == update::Step::await_device;
        if (run->report || wish(step).empty() || (!first && PushRender::Clock::now() - run->render->since() < soon))
            continue;
        ++waiting;
        one = run.get();
        if (first) absent = run.get();
    }
    if (waiting == 0) return {};
    auto text = waiting == 1 ? fmt::format("waiting  for {} {}", printable(one->endpoint), wish(one->render->current()))
                             : fmt::format("waiting  for {} devices", waiting);
    if (absent != nullptr) {
        text += fmt::format(" · {}", serving_->what_arrived());
        if (absent->policy.wait)
            text +=
                fmt::format(" · giving up in {}", human_duration(to_ms(begun + *absent->policy.wait - clock_.now())));
        if (!job_.plain && clock_.now() - begun > soon) text += " · a device must speak first over DTLS";
    } else if (const auto* registration = serving_->server().device(one->endpoint).registration();
               waiting == 1 && registration != nullptr) {
        text += fmt::format(" · last heard {} ago", human_duration(to_ms(clock_.now() - registration->last_heard)));
    }
    return text;
}

/// Says every while for what it waits, and what comes in meanwhile.
boost::asio::awaitable<void> Session::tell_what_is_waited_for() {
    const auto begun = clock_.now();
    auto next_line = begun + 10s;
    for (;;) {
        const bool slept = co_await clock_.sleep_until(clock_.now() + 1s);
        if (!slept) co_return;
        const auto text = what_is_waited_for(begun);
        if (text.empty()) continue;
        out_.redraw(text);
        if (clock_.now() < next_line) continue;
        next_line = clock_.now() + 60s;
        if (!out_.live()) out_.note(text);
    }
}

void Session::start(Run& run) {
    boost::asio::co_spawn(io_,
                          update::run(serving_->server().device(run.endpoint), job_.target, run.policy,
                                      serving_->store(), clock_, *run.render),
                          boost::asio::bind_cancellation_slot(
                              run.stop.slot(), [this, &run](std::exception_ptr failure, update::Report report) {
                                  if (failure) {
                                      report = {};
                                      report.outcome = update::Outcome::failed;
                                      try {
                                          std::rethrow_exception(failure);
                                      } catch (const std::exception& bug) {
                                          report.error = Error(Errc::internal, bug.what());
                                      }
                                  }
                                  ended(run, std::move(report));
                              }));
}

void Session::ended(Run& run, update::Report report) {
    if (report.outcome == update::Outcome::interrupted)
        report.error =
            Error(signal_ == SIGTERM ? Errc::terminated : Errc::interrupted,
                  fmt::format("stopped by signal {} in step {}", signal_, update::step_name(run.render->current())));
    if (report.outcome == update::Outcome::absent) report.error = serving_->absence(run.endpoint, *report.error);
    run.report = std::move(report);
    if (runs_.size() > 1) run.render->result(*run.report);
    if (++ended_ < runs_.size()) return;
    watch_stop_.emit(boost::asio::cancellation_type::terminal);
    io_.stop();
}

int Session::run() {
    signals_.async_wait([this](const boost::system::error_code& error, int number) {
        if (error) return;
        signal_ = number;
        for (const auto& run : runs_)
            if (!run->report) run->stop.emit(boost::asio::cancellation_type::terminal);
    });
    for (const auto& run : runs_) start(*run);
    boost::asio::co_spawn(io_, tell_what_is_waited_for(),
                          boost::asio::bind_cancellation_slot(watch_stop_.slot(), boost::asio::detached));
    io_.run();
    return conclude();
}

int Session::conclude() {
    const auto exit_of = [](const update::Report& report) {
        return report.error ? exit_code(report.error->code()) : 0;
    };
    int exit = 0;
    if (runs_.size() == 1) {
        const auto& run = *runs_.front();
        auto fields = PushRender::fields(run.endpoint, *run.report);
        run.render->result(*run.report);
        exit = run.report->error
                   ? out_.fail(*run.report->error, std::move(fields), update::outcome_name(run.report->outcome))
                   : out_.result(update::outcome_name(run.report->outcome), std::move(fields));
    } else {
        std::vector<int> exits;
        auto devices = nlohmann::json::array();
        for (const auto& run : runs_) {
            exits.push_back(exit_of(*run->report));
            auto fields = PushRender::fields(run->endpoint, *run->report);
            if (run->report->error)
                fields["error"] = {{"code", errc_name(run->report->error->code())},
                                   {"message", run->report->error->text()}};
            devices.push_back(std::move(fields));
        }
        const bool same = std::ranges::all_of(exits, [&](int each) { return each == exits.front(); });
        const auto good = std::ranges::count(exits, 0);
        if (same) {
            exit = exits.front();
        } else if (good > 0) {
            exit = 11;
        } else {
            exit = *std::ranges::min_element(exits);
        }
        out_.line(fmt::format("{} of {} devices done", good, exits.size()));
        out_.result(exit == 0 ? "done" : "failed", {{"devices", std::move(devices)}}, exit);
    }
    // Step 12: an attempt is closed only once its result was told; a full disk behind stdout means that it was not.
    if (std::ferror(stdout) != 0) {
        out_.warn("warning  the result could not be written: the same command tells it again");
        return exit;
    }
    for (const auto& run : runs_)
        if (auto closed = update::close(serving_->store(), run->endpoint, *run->report); !closed)
            out_.warn(fmt::format("warning  the result could not be recorded: {}", closed.error().text()));
    return exit;
}

}  // namespace

int run_push(Output& out, const PushJob& job) {
    Session session(out, job);
    if (auto opened = session.open(); !opened) return out.fail(opened.error());
    return session.run();
}

}  // namespace fota::cli
