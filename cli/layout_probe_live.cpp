#include "cli/layout_probe_live.hpp"

#include <fmt/format.h>

#include "adapters/serial_port.hpp"
#include "adapters/smp_udp.hpp"
#include "base/text.hpp"
#include "lwm2m/firmware.hpp"
#include "smp/refusal.hpp"

namespace fota::cli {

using boost::asio::awaitable;

namespace {

/// A server that is there answers at once: nothing is erased.
constexpr update::Patience short_patience{Milliseconds(1'000), 2};
/// What a board prints at its start ends when it has been quiet this long.
constexpr Milliseconds quiet{1'500};
constexpr std::size_t longest_text = 256 * 1024;

Result<> ask(const SerialOptions& options, smp::ExternalFlash& flash) {
    return with_smp_channel(options, [&](ports::SmpChannel& channel, ports::Clock& clock) -> awaitable<Result<>> {
        update::SmpClient client(channel, clock);
        CO_TRY(const auto answer, co_await client.ask(smp::external_flash(), short_patience));
        CO_TRY(flash, smp::parse_external_flash(answer));
        co_return Result<>{};
    });
}

/// Until something was recognised and the line is quiet, or until the time is over.
awaitable<Result<>> listen(ports::SerialLine& line, ports::Clock& clock, Milliseconds wait, std::string& text) {
    const auto end = clock.now() + wait;
    bool recognised = false;
    while (text.size() < longest_text) {
        const auto pause = clock.now() + quiet;
        auto bytes = co_await line.read(recognised && pause < end ? pause : end);
        if (!bytes) {
            if (bytes.error().code() == Errc::timed_out) co_return Result<>{};
            co_return fail(std::move(bytes.error()));
        }
        text += as_text(*bytes);
        recognised = recognised || layout::parse_probe(as_bytes(text), line.name()).has_value();
    }
    co_return Result<>{};
}

}  // namespace

Result<layout::Probe> probe_port(Output& out, const SerialOptions& options, Milliseconds text_wait) {
    smp::ExternalFlash flash;
    const auto asked = ask(options, flash);
    if (asked) return layout::live_probe(flash.jedec_id, std::move(flash.bfp), options.port);
    const bool silent = asked.error().code() == Errc::timed_out || asked.error().code() == Errc::device_absent;
    const bool lacks = smp::is_unsupported(asked.error());
    if ((!silent && !lacks) || adapters::SmpUdp::is_udp(options.port)) return std::unexpected(asked.error());

    out.note(fmt::format("{}: reset the board, what it prints in the next {} is read",
                         lacks ? "its application does not tell of its flash over SMP" : "no SMP server answers",
                         human_duration(text_wait)));
    std::string text;
    TRY_VOID(with_serial_line(options, [&](ports::SerialLine& line, ports::Clock& clock) -> awaitable<Result<>> {
        CO_TRY_VOID(co_await listen(line, clock, text_wait, text));
        co_return Result<>{};
    }));
    auto probe = layout::parse_probe(as_bytes(text), options.port);
    if (probe) return probe;
    return fail(
        Error(Errc::device_absent,
              fmt::format("expected an SMP server with the group \"external flash\", or a board that prints its "
                          "JEDEC id or SFDP table, found {}",
                          text.empty() ? "silence" : fmt::format("{} bytes of other text", text.size())))
            .with("device", options.port)
            .with("hint",
                  "run Zephyr's jesd216 sample on the board and reset it while this command waits, or give "
                  "a recording: fotactl layout probe --sfdp FILE"));
}

Result<layout::Probe> probe_endpoint(Program& program, const DeviceOptions& options) {
    Bytes id;
    Bytes bfp;
    const auto opaque = [](const std::vector<lwm2m::Entry>& entries) {
        const auto* bytes = entries.size() == 1 ? std::get_if<Bytes>(&entries.front().value) : nullptr;
        return bytes == nullptr ? Bytes{} : *bytes;
    };
    const auto work = [&](DeviceSession& session) -> awaitable<Result<>> {
        CO_TRY(const auto first, co_await session.read(lwm2m::external_flash::jedec_id, std::nullopt));
        id = opaque(first);
        // A part without SFDP has an empty table; firmware that lacks the resource still told the id.
        auto second = co_await session.read(lwm2m::external_flash::sfdp, std::nullopt);
        if (second) {
            bfp = opaque(*second);
        } else if (second.error().code() != Errc::device_refused) {
            co_return fail(std::move(second.error()));
        }
        co_return Result<>{};
    };
    TRY_VOID(run_on_device(program, options, work));
    return layout::live_probe(id, std::move(bfp), options.endpoint);
}

}  // namespace fota::cli
