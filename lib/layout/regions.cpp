#include "layout/regions.hpp"

#include <fmt/format.h>

#include <limits>

#include "base/text.hpp"
#include "layout/text.hpp"
#include "layout/yaml.hpp"

namespace fota::layout {
namespace {

Result<> read(const YamlNode& entry, std::string_view key, std::uint64_t least, std::uint64_t& into) {
    const auto* node = entry.get(key);
    if (node == nullptr || node->kind == YamlNode::Kind::null) return {};
    const auto value = node->kind == YamlNode::Kind::scalar ? parse_number(node->scalar) : std::nullopt;
    if (!value || *value < least || *value > std::numeric_limits<std::uint32_t>::max())
        return fail(at_line(node->line, fmt::format("expected {} of a region to be a number from {} of 32 bits, found "
                                                    "{}",
                                                    key, least, printable(node->scalar, 40))));
    into = *value;
    return {};
}

}  // namespace

Result<std::vector<Region>> parse_regions(std::string_view text, const std::string& file) {
    TRY(const auto root, parse_yaml(text));
    std::vector<Region> out;
    if (root->kind == YamlNode::Kind::null) return out;
    if (root->kind != YamlNode::Kind::map)
        return fail(at_line(root->line, "expected a map of regions, found something else"));
    for (const auto& [name, line, entry] : root->entries) {
        Region one;
        one.name = name;
        one.where = {file, line};
        TRY_VOID(read(*entry, "base_address", 0, one.base));
        TRY_VOID(read(*entry, "size", 1, one.size));
        if (one.size != 0) out.push_back(std::move(one));
    }
    return out;
}

}  // namespace fota::layout
