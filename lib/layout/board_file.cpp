// Reads a board's YAML file.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/text.hpp"
#include "layout/board.hpp"
#include "layout/devicetree.hpp"
#include "layout/text.hpp"
#include "layout/yaml.hpp"

namespace fota::layout {
namespace {

constexpr std::array keys{
    std::string_view("name"),           std::string_view("title"),       std::string_view("soc"),
    std::string_view("aliases"),        std::string_view("revisions"),   std::string_view("default_revision"),
    std::string_view("internal_flash"), std::string_view("spu_block"),   std::string_view("flash"),
    std::string_view("devicetree"),     std::string_view("application"), std::string_view("sysbuild"),
    std::string_view("mcuboot"),        std::string_view("partitions")};
constexpr std::array flash_keys{std::string_view("label"),       std::string_view("part"),
                                std::string_view("bus"),         std::string_view("chip_select"),
                                std::string_view("since"),       std::string_view("max_frequency_hz"),
                                std::string_view("exit_dpd_ns"), std::string_view("write_protect")};

/// The first thing that is wrong with a file, with its line.
class Faults {
  public:
    explicit Faults(const std::string& file) : file_(file) {}
    void say(unsigned line, std::string_view message) {
        if (!first_)
            first_ =
                Error(Errc::config_invalid, fmt::format("{}:{}: {}", printable(file_), std::max(line, 1U), message))
                    .with("file", file_);
    }
    const std::optional<Error>& first() const { return first_; }

  private:
    const std::string& file_;
    std::optional<Error> first_;
};

/// One map of the file: its keys are known ones, its values of the right kind.
class Map {
  public:
    Map(const YamlNode& map, Faults& faults, std::span<const std::string_view> known) : map_(map), faults_(faults) {
        if (map.kind != YamlNode::Kind::map) faults.say(map.line, "expected keys and values, found none");
        const std::vector<std::string> names(known.begin(), known.end());
        for (const auto& entry : map.entries) {
            if (std::ranges::find(names, entry.key) != names.end()) continue;
            const auto near = nearest(entry.key, names);
            faults.say(entry.line, fmt::format("expected a key of a board file, found {}{}", printable(entry.key, 40),
                                               near.empty() ? "" : fmt::format(" (did you mean {}?)", near)));
        }
    }

    std::string text(std::string_view key) const {
        const auto* node = map_.get(key);
        if (node == nullptr || node->kind == YamlNode::Kind::null) return {};
        if (node->kind != YamlNode::Kind::scalar) faults_.say(node->line, fmt::format("expected a text for {}", key));
        return node->scalar;
    }
    std::string required(std::string_view key) const {
        auto out = text(key);
        if (out.empty()) faults_.say(map_.line, fmt::format("expected {}, found none", key));
        return out;
    }
    std::uint32_t number(std::string_view key, std::uint32_t fallback) const {
        const auto given = text(key);
        if (given.empty()) return fallback;
        const auto value = parse_number(given);
        if (value && *value > 0 && *value <= 0xffffffffU) return static_cast<std::uint32_t>(*value);
        faults_.say(line(key),
                    fmt::format("expected a number from 1 to 32 bits for {}, found {}", key, printable(given, 40)));
        return fallback;
    }
    std::string revision(std::string_view key) const {
        auto out = text(key);
        if (!out.empty() && !compare_revisions(out, "0"))
            faults_.say(line(key),
                        fmt::format("expected a revision such as 0.14.0 for {}, found {}", key, printable(out, 40)));
        return out;
    }
    std::vector<std::string> list(std::string_view key) const {
        std::vector<std::string> out;
        const auto* node = map_.get(key);
        if (node == nullptr) return out;
        if (node->kind != YamlNode::Kind::sequence) faults_.say(node->line, fmt::format("expected a list for {}", key));
        for (const auto& item : node->items) out.push_back(item->scalar);
        return out;
    }
    unsigned line(std::string_view key) const {
        const auto* node = map_.get(key);
        return node == nullptr ? map_.line : node->line;
    }
    /// A fault inside a block of text, whose first line follows its key's.
    void inside(std::string_view key, const Error& error) const {
        faults_.say(line(key) + line_of(error), error.message());
    }

  private:
    const YamlNode& map_;
    Faults& faults_;
};

void read_flash(const Map& flash, Board& board) {
    board.flash_label = flash.required("label");
    board.flash_name = flash.text("part");
    board.flash_bus = flash.text("bus");
    board.flash_place = board.flash_bus;
    if (const auto select = flash.text("chip_select"); !select.empty())
        board.flash_place += (board.flash_place.empty() ? "CS " : ", CS ") + select;
    board.flash_since = flash.revision("since");
    board.max_spi_hz = flash.number("max_frequency_hz", 0);
    board.min_exit_dpd_ns = flash.number("exit_dpd_ns", 0);
    board.write_protect = flash.text("write_protect");
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

}  // namespace

Result<> Boards::add(std::string_view text, const std::string& file) {
    Faults faults(file);
    const auto parsed = parse_yaml(text);
    if (!parsed) {
        faults.say(line_of(parsed.error()), parsed.error().message());
        return fail(*faults.first());
    }
    const Map top(**parsed, faults, keys);
    auto board = std::make_shared<Board>();
    board->origin = file;
    board->source = text;
    board->name = top.required("name");
    if (!is_name(board->name)) faults.say(top.line("name"), "expected a name of letters, digits, _ and -");
    board->title = top.text("title");
    if (board->title.empty()) board->title = board->name;
    board->soc = top.required("soc");
    board->aliases = top.list("aliases");
    board->revisions = top.list("revisions");
    for (const auto& revision : board->revisions)
        if (!compare_revisions(revision, "0"))
            faults.say(top.line("revisions"),
                       fmt::format("expected revisions such as 0.14.0, found {}", printable(revision, 40)));
    std::ranges::sort(board->revisions,
                      [](const auto& a, const auto& b) { return compare_revisions(a, b).value_or(0) < 0; });
    board->default_revision = top.revision("default_revision");
    board->internal_flash = top.number("internal_flash", board->internal_flash);
    board->spu_block = top.number("spu_block", board->spu_block);
    if (const auto* flash = (*parsed)->get("flash")) read_flash(Map(*flash, faults, flash_keys), *board);
    board->devicetree = top.text("devicetree");
    Devicetree tree;
    if (const auto added = tree.add(board->devicetree, ""); !added) top.inside("devicetree", added.error());
    const auto settings = [&](std::string_view key, Kconfig& into) {
        auto read = Kconfig::parse(top.text(key), "");  // "": of the board, no file of the project
        if (!read) return top.inside(key, read.error());
        into = std::move(*read);
    };
    settings("application", board->application);
    settings("sysbuild", board->sysbuild);
    settings("mcuboot", board->mcuboot);
    if (const auto layout = top.text("partitions"); !layout.empty()) {
        auto table = PartitionTable::parse(layout, "");
        if (table) board->partitions = std::move(*table);
        if (!table) top.inside("partitions", table.error());
    }
    if (faults.first()) return fail(*faults.first());
    std::erase_if(boards_, [&](const auto& other) { return other->name == board->name; });
    boards_.push_back(std::move(board));
    std::ranges::sort(boards_, {}, [](const auto& each) { return std::string_view(each->name); });
    return {};
}

}  // namespace fota::layout
