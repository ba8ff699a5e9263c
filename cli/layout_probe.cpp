// fotactl layout probe: what flash is really there, decoded and kept as a probe file.
#include "layout/probe.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/layout.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string recorded;
    std::string out;
};

void bind(CLI::App& app, Options& options) {
    app.add_option(
           "--sfdp", options.recorded,
           "a recording: SFDP dump (binary, or text as Zephyr's flash shell or jesd216 sample prints it), or the "
           "JEDEC id; - is stdin")
        ->type_name("F")
        ->required();
    app.add_option("--out", options.out, "write a probe file for layout check --probe")->type_name("F");
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto bytes = read_file(options.recorded, small_file_limit);
    if (!bytes) return out.fail(bytes.error());
    const auto probe = layout::parse_probe(*bytes, options.recorded);
    if (!probe)
        return out.fail(Error(probe.error())
                            .with("file", shown_path(options.recorded))
                            .in("reading " + shown_path(options.recorded)));
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
