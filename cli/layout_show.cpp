// fotactl layout show: a flash map one can point at, on the terminal and as SVG.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/layout.hpp"
#include "cli/layout_boards.hpp"
#include "cli/layout_findings.hpp"
#include "layout/memory_map.hpp"

namespace fota::cli {
namespace {

using layout::Area;
using layout::AreaKind;

struct Options {
    std::string path;
    std::string svg;
    std::string image;
    std::string board;
    std::string boards;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("PATH", options.path, "application source directory or build directory")->required();
    app.add_option("--svg", options.svg, "draw the map for a design review; - is stdout")->type_name("F");
    app.add_option("--image", options.image, "how full the slot is with this image (default: the one in the build)")
        ->type_name("IMG");
    app.add_option("--board", options.board, "board, where the tree does not tell")->type_name("BOARD");
    bind_boards(app, options.boards);
}

std::size_t columns(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string padded(std::string text, std::size_t width) {
    const auto used = columns(text);
    if (used < width) text.append(width - used, ' ');
    return text;
}

std::string bar(std::uint64_t used, std::uint64_t whole) {
    constexpr std::size_t cells = 20;
    const auto full =
        whole == 0 ? 0 : std::min<std::size_t>(cells, static_cast<std::size_t>((used * cells + whole / 2) / whole));
    std::string out;
    for (std::size_t i = 0; i < cells; ++i) out += i < full ? "█" : "░";
    return out;
}

/// One device, line by line, no line longer than `width`.
std::vector<std::string> lines_of(const layout::MappedDevice& device, std::size_t width) {
    std::vector<std::string> out{
        fmt::format("{} · {} · {} free", device.title, human_size(device.size), human_size(device.free()))};
    const std::size_t digits = device.base + device.size > 0xffffff ? 8 : 6;
    const std::string indent(digits + 3, ' ');
    const auto detail = [&](std::string text) {
        const auto room = width > digits + 7 ? width - digits - 7 : 1;
        std::string line;
        while (!text.empty()) {  // broken at " · "
            const auto end = text.find(" · ");
            auto word = text.substr(0, end);
            text = end == std::string::npos ? "" : text.substr(end + 4);
            if (!line.empty() && columns(line) + 3 + columns(word) > room) {
                out.push_back(indent + "│   " + line);
                line.clear();
            }
            line += (line.empty() ? "" : " · ") + word;
        }
        out.push_back(indent + "│   " + line);
    };
    bool first = true;
    for (const auto& area : device.areas) {
        const char* corner = first ? "┌" : "├";
        first = false;
        std::string mark;
        if (device.block != 0 && area.address % device.block != 0) mark = " ‹inside an SPU block›";
        out.push_back(fmt::format("0x{:0{}x} {} {} {:>9}{}", device.base + area.address, digits, corner,
                                  padded(area.name, 20), human_size(area.size), mark));
        if (!area.parts.empty()) {
            std::string parts;
            for (const auto& part : area.parts) {
                auto name = part.name == "mcuboot_pad" ? "pad" : part.name;
                parts += fmt::format("{}{} {}", parts.empty() ? "" : " · ", name, human_size(part.size));
            }
            detail(std::move(parts));
        }
        if (area.used)
            detail(fmt::format("image {} {} {} % · limit {}", human_size(*area.used), bar(*area.used, area.size),
                               area.size == 0 ? 0 : *area.used * 100 / area.size,
                               area.limit ? human_size(*area.limit) : "unknown"));
        else if (area.limit)
            detail(fmt::format("an image may take {}", human_size(*area.limit)));
        if (!area.note.empty()) detail(area.note);
    }
    out.push_back(fmt::format("0x{:0{}x} └", device.base + device.size, digits));
    return out;
}

void print(Output& out, const layout::MemoryMap& map) {
    out.line(map.description);
    out.line("");
    const auto whole = static_cast<std::size_t>(std::max(out.width(), 60));
    const std::size_t column = (whole - 2) / 2;
    const bool side_by_side = map.devices.size() >= 2 && column >= 56;
    std::size_t from = 0;
    if (side_by_side) {
        const auto left = lines_of(map.devices[0], column);
        const auto right = lines_of(map.devices[1], column);
        for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i) {
            const auto a = i < left.size() ? left[i] : std::string();
            const auto b = i < right.size() ? right[i] : std::string();
            out.line(b.empty() ? a : padded(a, column + 2) + b);
        }
        out.line("");
        from = 2;
    }
    for (; from < map.devices.size(); ++from) {
        for (const auto& line : lines_of(map.devices[from], whole)) out.line(line);
        out.line("");
    }
}

nlohmann::json json_of(const Area& area) {
    nlohmann::json out = {{"name", area.name},
                          {"address", area.address},
                          {"size", area.size},
                          {"kind", layout::area_kind_name(area.kind)}};
    if (!area.note.empty()) out["note"] = area.note;
    if (area.used) out["used"] = *area.used;
    if (area.limit) out["limit"] = *area.limit;
    for (const auto& part : area.parts) out["parts"].push_back(json_of(part));
    return out;
}

nlohmann::json json_of(const layout::MemoryMap& map) {
    nlohmann::json out = {{"project", map.description}, {"devices", nlohmann::json::array()}};
    for (const auto& device : map.devices) {
        nlohmann::json one = {{"title", device.title}, {"base", device.base},       {"size", device.size},
                              {"free", device.free()}, {"spu_block", device.block}, {"areas", nlohmann::json::array()}};
        for (const auto& area : device.areas) one["areas"].push_back(json_of(area));
        out["devices"].push_back(std::move(one));
    }
    return out;
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto opened = open_project(program, options.path, options.board, options.boards);
    if (!opened) return out.fail(opened.error());
    auto image = built_image(opened->project);
    if (!options.image.empty()) {
        auto given = image_file(options.image);
        if (!given) return out.fail(given.error());
        image = std::move(*given);
    }
    const auto map = layout::memory_map(opened->project, image ? &*image : nullptr);
    if (!map) return out.fail(map.error());
    if (!options.svg.empty()) {
        const auto svg = layout::render_svg(*map);
        if (const auto written = write_product(options.svg, as_bytes(svg)); !written) return out.fail(written.error());
    }
    if (options.svg != "-") print(out, *map);
    return out.result("done", json_of(*map));
}

}  // namespace

void add_layout_show(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "show", "draw the memory map: what lies where, how full, what is free", bind,
                         run);
}

}  // namespace fota::cli
