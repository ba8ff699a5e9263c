#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.hpp"
#include "layout/memory_map.hpp"

namespace fota::layout {
namespace {

constexpr double page_width = 1100;
constexpr double margin = 30;
constexpr double head = 96;   // down to the columns
constexpr double foot = 56;   // legend
constexpr double least = 26;  // height of the smallest area: its text must fit
constexpr double least_part = 17;
constexpr double wish = 620;      // height of a column
constexpr double addresses = 82;  // width left of a bar
constexpr double font = 12;

struct Colours {
    AreaKind kind;
    std::string_view fill;
    std::string_view line;
};
/// Told apart in print and by colour-blind readers: lightness differs as well as hue.
constexpr std::array palette{
    Colours{AreaKind::bootloader, "#f2c6a0", "#b06a2c"}, Colours{AreaKind::secure, "#f4dd8b", "#9c8017"},
    Colours{AreaKind::non_secure, "#bfe0c4", "#3f8a50"}, Colours{AreaKind::slot, "#b9d3ee", "#3b6ea5"},
    Colours{AreaKind::storage, "#d9c7e8", "#7a559c"},    Colours{AreaKind::other, "#d6dade", "#6b7680"},
    Colours{AreaKind::free, "#fafafa", "#b5bcc2"}};

const Colours& colours(AreaKind kind) {
    return *std::ranges::find(palette, kind, &Colours::kind);
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

class Svg {
  public:
    void rect(double x, double y, double w, double h, std::string_view style) {
        body_ +=
            fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" {}/>\n", x, y, w, h, style);
    }
    void line(double x1, double y1, double x2, double y2, std::string_view style) {
        body_ +=
            fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1, x2, y2, style);
    }
    void text(double x, double y, std::string_view what, std::string_view style = {}) {
        body_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, style, escaped(what));
    }
    std::string document(double height) const {
        return fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" "
            "height=\"{1:.0f}\" font-family=\"DejaVu Sans, Verdana, sans-serif\" font-size=\"{2}\" fill=\"#1f2933\">\n"
            "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" fill=\"#ffffff\"/>\n{3}</svg>\n",
            page_width, height, font, body_);
    }

  private:
    std::string body_;
};

/// Characters of this size that fit into `width`.
std::string cut(std::string text, double width, double size = font) {
    const auto most = static_cast<std::size_t>(std::max(width / (size * 0.6), 1.0));
    std::size_t shown = 0;
    for (std::size_t i = 0; i < text.size(); ++i)
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80 && ++shown > most)
            return text.substr(0, i > 0 ? i - 1 : 0) + "…";
    return text;
}

/// The text in at most two lines, broken at a blank where it does not fit in one.
std::vector<std::string> in_lines(const std::string& text, double width, double size) {
    if (cut(text, width, size) == text) return {text};
    const auto most = static_cast<std::size_t>(std::max(width / (size * 0.6), 1.0));
    const auto blank = text.rfind(' ', std::min(most, text.size() - 1));
    if (blank == std::string::npos || blank == 0) return {cut(text, width, size)};
    return {text.substr(0, blank), cut(text.substr(blank + 1), width, size)};
}

double least_height(const Area& area) {
    double out = least;
    if (area.limit || area.used) out += 34;
    out += least_part * static_cast<double>(area.parts.size());
    return out;
}

/// Heights that tell the proportions as far as every label can still be read: sizes count by their square root.
std::vector<double> heights(const MappedDevice& device, double total) {
    std::vector<double> out;
    double floor = 0;
    double weights = 0;
    for (const auto& area : device.areas) {
        floor += least_height(area);
        weights += std::sqrt(static_cast<double>(area.size));
    }
    const double spare = std::max(total - floor, 0.0);
    for (const auto& area : device.areas)
        out.push_back(least_height(area) +
                      (weights > 0 ? spare * std::sqrt(static_cast<double>(area.size)) / weights : 0.0));
    return out;
}

std::string share(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? std::string()
                      : fmt::format("{:.0f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

void draw_parts(Svg& svg, const Area& area, double x, double y, double width, double height) {
    if (area.parts.empty()) return;
    double weights = 0;
    for (const auto& part : area.parts) weights += std::sqrt(static_cast<double>(part.size));
    const double spare = std::max(height - least_part * static_cast<double>(area.parts.size()), 0.0);
    for (const auto& part : area.parts) {
        const double h = least_part + spare * std::sqrt(static_cast<double>(part.size)) / std::max(weights, 1.0);
        const auto& [kind, fill, line] = colours(part.kind);
        svg.rect(x, y, width, h, fmt::format("fill=\"{}\" stroke=\"{}\" stroke-width=\"0.8\"", fill, line));
        svg.text(x + 6, y + h / 2 + 4, cut(part.name, width - 150, 11), "font-size=\"11\"");
        svg.text(x + width - 6, y + h / 2 + 4, fmt::format("{:#08x}  {}", part.address, human_size(part.size)),
                 "font-size=\"10\" text-anchor=\"end\" fill=\"#52606d\"");
        y += h;
    }
}

void draw_fill(Svg& svg, const Area& area, double x, double y, double width) {
    const double w = width - 16;
    const auto at = [&](std::uint64_t bytes) {
        return area.size == 0 ? 0.0 : w * std::min(1.0, static_cast<double>(bytes) / static_cast<double>(area.size));
    };
    svg.rect(x + 8, y, w, 9, "fill=\"#ffffff\" stroke=\"#3b6ea5\" stroke-width=\"0.8\"");
    const bool over = area.used && area.limit && *area.used > *area.limit;
    if (area.used) svg.rect(x + 8, y, at(*area.used), 9, over ? "fill=\"#c0392b\"" : "fill=\"#3b6ea5\"");
    if (area.limit) {
        svg.line(x + 8 + at(*area.limit), y - 3, x + 8 + at(*area.limit), y + 12,
                 "stroke=\"#c0392b\" stroke-width=\"2\"");
        auto label = area.used ? fmt::format("image {} ({} of the slot) · limit {}", human_size(*area.used),
                                             share(*area.used, area.size), human_size(*area.limit))
                               : fmt::format("an image may take {}", human_size(*area.limit));
        svg.text(x + 8, y + 22, cut(std::move(label), w, 11), "font-size=\"11\" fill=\"#334e68\"");
    }
}

void draw_device(Svg& svg, const MappedDevice& device, double left, double width, const std::vector<double>& high) {
    auto title = device.title;
    auto facts = fmt::format("{} · {} free ({})", human_size(device.size), human_size(device.free()),
                             share(device.free(), device.size));
    if (const auto open = title.find(" ("); open != std::string::npos && cut(title, width, 14) != title) {
        // In a narrow column the place of the part goes before the facts: "spi3, CS P0.25 · 8 MiB".
        facts = title.substr(open + 2, title.size() - open - 3) + " · " + facts;
        title.resize(open);
    }
    svg.text(left, head - 30, cut(std::move(title), width, 14), "font-size=\"14\" font-weight=\"bold\"");
    svg.text(left, head - 13, cut(std::move(facts), width), "fill=\"#52606d\"");
    const double x = left + addresses;
    const double bar = width - addresses;
    double y = head;
    for (std::size_t i = 0; i < device.areas.size(); ++i) {
        const auto& area = device.areas[i];
        const double h = high[i];
        const auto& [kind, fill, line] = colours(area.kind);
        svg.rect(x, y, bar, h,
                 fmt::format("fill=\"{}\" stroke=\"{}\" stroke-width=\"1.2\"{}", fill, line,
                             area.kind == AreaKind::free ? " stroke-dasharray=\"4 3\"" : ""));
        svg.text(x - 16, y + 4, fmt::format("{:#08x}", device.base + area.address),
                 "text-anchor=\"end\" font-family=\"DejaVu Sans Mono, monospace\" font-size=\"11\" fill=\"#52606d\"");
        // A mark on the address side: green where the boundary lies on a block of the SPU, orange inside one.
        if (device.block != 0)
            svg.rect(x - 11, y - 3.5, 7, 7,
                     (area.address % device.block) == 0 ? "fill=\"#3f8a50\"" : "fill=\"#ffffff\" stroke=\"#b06a2c\"");
        svg.text(x + 8, y + 17, cut(area.name, bar - 96),
                 area.kind == AreaKind::free ? "fill=\"#829ab1\"" : "font-weight=\"bold\"");
        svg.text(x + bar - 8, y + 17, human_size(area.size), "text-anchor=\"end\"");
        double inner = y + least;
        const auto notes = area.note.empty() ? std::vector<std::string>() : in_lines(area.note, bar - 16, 11);
        for (const auto& note : notes)
            if (inner + 14 <= y + h) {
                svg.text(x + 8, inner + 6, note, "font-size=\"11\" fill=\"#334e68\"");
                inner += 13;
            }
        if (area.limit || area.used) {
            draw_fill(svg, area, x, inner, bar);
            inner += 34;
        }
        draw_parts(svg, area, x + 8, inner, bar - 16, y + h - 6 - inner);
        y += h;
    }
    svg.text(x - 16, y + 4, fmt::format("{:#08x}", device.base + device.size),
             "text-anchor=\"end\" font-family=\"DejaVu Sans Mono, monospace\" font-size=\"11\" fill=\"#52606d\"");
}

void draw_legend(Svg& svg, const MemoryMap& map, double y) {
    double x = margin;
    for (const auto& [kind, fill, line] : palette) {
        svg.rect(x, y, 14, 14, fmt::format("fill=\"{}\" stroke=\"{}\"", fill, line));
        const auto name = area_kind_name(kind);
        svg.text(x + 20, y + 11.5, name, "font-size=\"11\"");
        x += 34 + 6.9 * static_cast<double>(name.size());
    }
    const auto block = std::ranges::max_element(map.devices, {}, &MappedDevice::block);
    if (block == map.devices.end() || block->block == 0) return;
    svg.rect(x + 6, y + 3.5, 7, 7, "fill=\"#3f8a50\"");
    svg.text(x + 20, y + 11.5, fmt::format("on an SPU block of {}", human_size(block->block)), "font-size=\"11\"");
    svg.rect(x + 196, y + 3.5, 7, 7, "fill=\"#ffffff\" stroke=\"#b06a2c\"");
    svg.text(x + 210, y + 11.5, "inside one", "font-size=\"11\"");
}

}  // namespace

std::string render_svg(const MemoryMap& map) {
    Svg svg;
    svg.text(margin, 34, cut("Memory map: " + map.description, page_width - 2 * margin, 18),
             "font-size=\"18\" font-weight=\"bold\"");
    const auto columns = static_cast<double>(std::max<std::size_t>(map.devices.size(), 1));
    const double gap = 36;
    const double width = (page_width - 2 * margin - gap * (columns - 1)) / columns;
    double bottom = wish;
    for (const auto& device : map.devices) {
        double floor = 0;
        for (const auto& area : device.areas) floor += least_height(area) + 6;
        bottom = std::max(bottom, floor);
    }
    double left = margin;
    for (const auto& device : map.devices) {
        draw_device(svg, device, left, width, heights(device, bottom));
        left += width + gap;
    }
    draw_legend(svg, map, head + bottom + 24);
    return svg.document(head + bottom + foot);
}

}  // namespace fota::layout
