// fotactl layout probe: what flash is really there, decoded and kept as a probe file.
#include "layout/probe.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/layout.hpp"
#include "cli/layout_probe_live.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string recorded;
    std::string out;
    SerialOptions serial;
    DeviceOptions device;
};

constexpr Milliseconds usual_text_wait{15'000};

void bind(CLI::App& app, Options& options) {
    auto* recorded = app.add_option("--sfdp", options.recorded,
                                    "a recording: SFDP dump (binary, or text as Zephyr's jesd216 sample prints it, or "
                                    "a hex dump), or the JEDEC id; - is stdin");
    recorded->type_name("F");
    auto* port = app.add_option("--port", options.serial.port,
                                "ask the board on this serial device, or udp:HOST[:PORT]; without an answer what it "
                                "prints at its start is read");
    port->type_name("DEV")->excludes(recorded);
    app.add_option("--baud", options.serial.baud, "speed of the serial line")->type_name("N")->capture_default_str();
    app.add_option("--endpoint", options.device.endpoint, "ask this device over LwM2M")
        ->type_name("EP")
        ->excludes(recorded)
        ->excludes(port);
    bind_listen_options(app, options.device);
    app.add_option("--out", options.out, "write a probe file for layout check --probe")->type_name("F");
}

Result<layout::Probe> recorded_probe(const std::string& path) {
    TRY(const auto bytes, read_file(path, small_file_limit));
    auto probe = layout::parse_probe(bytes, path);
    if (!probe) return fail(Error(probe.error()).with("file", shown_path(path)).in("reading " + shown_path(path)));
    return probe;
}

Result<layout::Probe> probed(Program& program, const Options& options) {
    if (!options.recorded.empty()) return recorded_probe(options.recorded);
    if (!options.device.endpoint.empty()) return probe_endpoint(program, options.device);
    if (options.serial.port.empty())
        return misuse("expected a flash to probe, found none",
                      "--port DEV, --endpoint EP with push's listening options, or --sfdp RECORDING");
    auto wait = usual_text_wait;
    if (!options.device.wait.empty()) {
        TRY(wait, parse_duration(options.device.wait));
    }
    return probe_port(program.out, options.serial, wait);
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto probe = probed(program, options);
    if (!probe) return out.fail(probe.error());
    auto document = layout::to_json(*probe);
    if (!options.out.empty())
        if (const auto written = write_file_atomic(options.out, as_bytes(document.dump(2) + "\n")); !written)
            return out.fail(written.error());
    if (probe->id) {
        const auto* part = flash::find_part(*probe->id);
        out.line(fmt::format("id      {}  {}", flash::jedec_text(*probe->id),
                             flash::is_silent(*probe->id) ? "nothing answers: routing, chip select, wiring or power"
                             : flash::is_nand(*probe->id) ? "a SPI NAND: the NOR driver cannot drive it"
                             : part != nullptr            ? std::string(part->name)
                                                          : std::string("a part that is not in the table")));
    }
    if (probe->geometry) {
        const auto& geometry = *probe->geometry;
        out.line(fmt::format("size    {} (devicetree: size = <{}>;)", human_size(geometry.size), geometry.size * 8));
        for (const auto& erase : geometry.erase)
            out.line(fmt::format("erase   {} with {:#04x}{}", human_size(erase.size), erase.opcode,
                                 erase.typical_ms == 0 ? "" : fmt::format(", typically {} ms", erase.typical_ms)));
        out.line(fmt::format(
            "page    {} bytes{}", geometry.page_size,
            geometry.page_program_us == 0 ? "" : fmt::format(", typically {} µs", geometry.page_program_us)));
        out.line(fmt::format("address {}", flash::address_mode_name(geometry.address_mode)));
        std::string table;
        for (std::size_t i = 0; i < probe->bfp.size(); ++i) {
            if (i % 16 == 0) table += "\n          ";
            table += fmt::format(" {:02x}", probe->bfp[i]);
        }
        out.line(fmt::format("table   sfdp-bfp = [{}];", table));
    }
    if (probe->status)
        out.line(fmt::format("status  {:#04x}{}", *probe->status,
                             probe->protection() != 0 ? ": blocks are write-protected (BP bits)" : ""));
    return out.result("done", std::move(document));
}

}  // namespace

void add_layout_probe(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "probe", "decode what a flash says of itself: JEDEC id and SFDP", bind, run);
}

}  // namespace fota::cli
