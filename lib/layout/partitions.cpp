#include "layout/partitions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "base/text.hpp"
#include "layout/text.hpp"
#include "layout/yaml.hpp"

namespace fota::layout {
namespace {

using Number = std::optional<std::uint64_t>;

Result<Number> number(const YamlNode& entry, std::string_view key) {
    const auto* node = entry.get(key);
    if (node == nullptr || node->kind == YamlNode::Kind::null) return Number{};
    const auto value = node->kind == YamlNode::Kind::scalar ? parse_number(node->scalar) : std::nullopt;
    if (!value || *value > std::numeric_limits<std::uint32_t>::max())
        return fail(
            at_line(node->line, fmt::format("expected {} to be a number of 32 bits, found {}", key,
                                            node->kind == YamlNode::Kind::scalar ? printable(node->scalar, 40)
                                                                                 : std::string("a collection"))));
    return value;
}

Result<Partition> partition(const std::string& name, const YamlNode& entry, const std::string& file) {
    Partition out;
    out.name = name;
    out.where.file = file;
    out.container = entry.get("span") != nullptr || entry.get("orig_span") != nullptr;
    if (const auto* region = entry.get("region"); region != nullptr && region->kind == YamlNode::Kind::scalar)
        out.region = region->scalar;
    TRY(const auto address, number(entry, "address"));
    TRY(const auto end, number(entry, "end_address"));
    TRY(auto size, number(entry, "size"));
    const auto line = [&](std::string_view key) { return entry.get(key)->line; };
    if (size && *size == 0)
        return fail(at_line(line("size"), fmt::format("expected {} to have a size, found 0", printable(name, 60))));
    if (address && end && !size) {
        if (*end <= *address)
            return fail(at_line(line("end_address"),
                                fmt::format("expected end_address of {} past its address {:#x}, found {:#x}",
                                            printable(name, 60), *address, *end)));
        size = *end - *address;
    }
    if (address && end && size && *address + *size != *end)
        return fail(at_line(line("end_address"),
                            fmt::format("expected end_address of {} to be address + size = {:#x}, found {:#x}",
                                        printable(name, 60), *address + *size, *end)));
    if (address && size && *address + *size > (1ULL << 32))
        return fail(at_line(line("size"), fmt::format("expected {} to end within 32 bits, found {:#x}",
                                                      printable(name, 60), *address + *size)));
    out.placed = address && size;
    out.address = address.value_or(0);
    out.size = out.placed ? *size : 0;
    return out;
}

}  // namespace

Result<PartitionTable> PartitionTable::parse(std::string_view text, const std::string& file) {
    TRY(const auto root, parse_yaml(text));
    PartitionTable out;
    out.file_ = file;
    if (root->kind == YamlNode::Kind::null) return out;
    if (root->kind != YamlNode::Kind::map)
        return fail(at_line(root->line, "expected a map of partitions, found something else"));
    for (const auto& [name, line, entry] : root->entries) {
        if (entry->kind != YamlNode::Kind::map)
            return fail(at_line(line, fmt::format("expected partition {} to be a map, found {}", printable(name, 60),
                                                  entry->scalar.empty() ? "nothing" : printable(entry->scalar, 40))));
        TRY(auto one, partition(name, *entry, file));
        one.where.line = line;
        out.partitions_.push_back(std::move(one));
    }
    return out;
}

const Partition* PartitionTable::find(std::string_view name) const {
    const auto it = std::ranges::find(partitions_, name, &Partition::name);
    return it == partitions_.end() ? nullptr : &*it;
}

std::vector<const Partition*> PartitionTable::leaves(std::string_view region) const {
    std::vector<const Partition*> out;
    for (const auto& one : partitions_)
        if (one.placed && !one.container && one.region == region) out.push_back(&one);
    std::ranges::sort(out, {}, &Partition::address);
    return out;
}

}  // namespace fota::layout
