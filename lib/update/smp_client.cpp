#include "update/smp_client.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "smp/refusal.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

/// A server that knows version 1 only and says so (mcumgr_err_t 13).
constexpr std::uint64_t too_new = 13;

}  // namespace

awaitable<Result<>> SmpClient::send(smp::Command command) {
    CO_TRY(auto bytes, smp::encode(command, sequence_, version_));
    ++sequence_;
    co_return co_await channel_.send(std::move(bytes));
}

awaitable<Result<smp::Message>> SmpClient::receive(Instant deadline) {
    for (;;) {
        CO_TRY(const auto bytes, co_await channel_.receive(deadline));
        auto message = smp::decode(bytes);
        // What passed its checksum and is no message comes from somebody else on the line.
        if (message) co_return std::move(*message);
    }
}

awaitable<Result<smp::Json>> SmpClient::ask(smp::Command command, Patience patience) {
    for (int attempt = 1;;) {
        smp::Message request;
        request.op = command.op;
        request.group = command.group;
        request.command = command.id;
        request.sequence = sequence_;
        CO_TRY(const auto bytes, smp::encode(command, sequence_, version_));
        ++sequence_;
        CO_TRY_VOID(co_await channel_.send(bytes));
        const auto deadline = clock_.now() + patience.timeout + channel_.wire_time(bytes.size()) * 2;
        bool speak_older = false;
        while (!speak_older) {
            auto response = co_await receive(deadline);
            if (!response) {
                if (response.error().code() == Errc::timed_out) break;
                co_return fail(std::move(response.error()));
            }
            if (!smp::answers(*response, request)) continue;
            CO_TRY(auto answer, smp::from_cbor(response->body));
            const auto refusal = smp::refusal_of(answer);
            if (!refusal) co_return answer;
            if (!refusal->group && refusal->code == too_new && version_ == smp::Version::v2) {
                version_ = smp::Version::v1;
                speak_older = true;
                continue;
            }
            co_return fail(smp::to_error(*refusal, command.what));
        }
        if (!speak_older && attempt++ >= patience.attempts)
            co_return fail(Errc::timed_out,
                           fmt::format("expected {} to {}, found silence for {}", printable(channel_.name()),
                                       command.what, human_duration(patience.timeout)));
    }
}

}  // namespace fota::update
