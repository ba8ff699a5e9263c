#include "provision/at_session.hpp"

#include <fmt/format.h>

#include <array>

#include "base/text.hpp"
#include "modem/commands.hpp"

namespace fota::provision {

using namespace std::chrono_literals;
using boost::asio::awaitable;
using modem::Access;
using modem::Answer;
using modem::Dialect;
using modem::LineEnd;

namespace {

constexpr Milliseconds probe_time = 1s;

}  // namespace

awaitable<Result<>> AtSession::drain() {
    for (int reads = 0; reads < 64; ++reads) {
        auto bytes = co_await line_.read(clock_.now());
        if (bytes) continue;
        if (bytes.error().code() == Errc::timed_out) co_return Result<>{};
        co_return fail(std::move(bytes.error()));
    }
    co_return Result<>{};
}

awaitable<Result<Answer>> AtSession::ask(const modem::Command& command, Milliseconds patience) {
    CO_TRY(const auto bytes, modem::encode(command, dialect_));
    CO_TRY_VOID(co_await drain());
    CO_TRY_VOID(co_await line_.write(Bytes(bytes.reveal())));
    modem::AnswerReader reader(command, dialect_);
    const auto deadline = clock_.now() + patience;
    for (;;) {
        auto more = co_await line_.read(deadline);
        // A log that never pauses is no answer either: read() gives what has arrived also after the deadline.
        if (more && clock_.now() >= deadline) more = fail(Errc::timed_out, "no answer in time");
        if (!more) {
            if (more.error().code() == Errc::timed_out)
                co_return fail(
                    Errc::timed_out,
                    fmt::format("expected an answer from the modem on {} within {}, found {}", printable(line_.name()),
                                human_duration(patience), reader.heard() ? "text that is none" : "silence"));
            co_return fail(std::move(more.error()));
        }
        auto answer = reader.feed(*more);
        heard_ = heard_ || reader.heard();
        if (answer) co_return std::move(*answer);
    }
}

awaitable<Result<Answer>> AtSession::ask_again(const modem::Command& command, Milliseconds patience) {
    auto answer = co_await ask(command, patience);
    if (!answer && answer.error().code() == Errc::timed_out) answer = co_await ask(command, patience);
    co_return answer;
}

awaitable<Result<std::optional<Answer>>> AtSession::try_dialect(Dialect dialect) {
    dialect_ = dialect;
    auto answer = co_await ask(modem::attention(), probe_time);
    if (answer) co_return std::optional<Answer>(std::move(*answer));
    if (answer.error().code() == Errc::timed_out) co_return std::optional<Answer>{};
    co_return fail(std::move(answer.error()));
}

awaitable<Result<Dialect>> AtSession::detect() {
    bool shell_without_at = false;
    // CR LF first: most firmware takes it. What is asked of a shell is in vain elsewhere and the other way round,
    // without harm: both refuse a command they do not know.
    constexpr std::array<Dialect, 5> candidates{{{Access::at, LineEnd::crlf},
                                                 {Access::shell, LineEnd::crlf},
                                                 {Access::at, LineEnd::cr},
                                                 {Access::at, LineEnd::lf},
                                                 {Access::at, LineEnd::nul}}};
    for (int round = 0; round < 2; ++round) {
        for (const auto candidate : candidates) {
            // Two of three: the first one may end what an earlier attempt began, and firmware that ends lines with CR
            // takes an LF for the beginning of the next command.
            int good = 0;
            for (int attempt = 0; attempt < 3 && good < 2; ++attempt) {
                CO_TRY(const auto answer, co_await try_dialect(candidate));
                if (!answer || answer->kind == Answer::Kind::no_shell) {
                    if (answer && candidate.access == Access::shell) shell_without_at = true;
                    break;
                }
                if (answer->kind == Answer::Kind::ok)
                    ++good;
                else if (attempt > 0)
                    break;
            }
            if (good == 2) co_return candidate;
        }
        if (shell_without_at) break;
    }
    const auto name = printable(line_.name());
    if (shell_without_at)
        co_return fail(Error(Errc::port_unavailable,
                             fmt::format("expected a modem behind {}, found a shell without the command \"at\"", name))
                           .with("modem", "no-at")
                           .with("port", line_.name()));
    co_return fail(
        Error(Errc::port_unavailable, fmt::format("expected a modem that answers AT on {}, found {}", name,
                                                  heard_ ? "text that is no answer to AT commands" : "silence"))
            .with("modem", heard_ ? "other" : "silent")
            .with("port", line_.name()));
}

}  // namespace fota::provision
