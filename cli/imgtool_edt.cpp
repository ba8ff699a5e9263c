#include "cli/imgtool_edt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <unordered_map>
#include <vector>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/imgtool_files.hpp"
#include "layout/devicetree.hpp"

namespace fota::cli::imgtool {
namespace {

using layout::Devicetree;
using layout::DtItem;
using layout::DtNode;
using layout::DtProperty;

constexpr std::uint8_t pickle_protocol = 0x80;  ///< the first byte of every pickle since Python 2.3
/// Of all `partitions` together: an image has two or three, a device a few images. The work is this times the text.
constexpr std::size_t most_references = 64;

Failure invalid(std::string message) {
    return fail(Errc::config_invalid, std::move(message));
}

struct Range {
    std::uint64_t address = 0;
    std::uint64_t size = 0;

    /// Whether it holds the whole of `other`; neither end need be a number of 64 bits.
    bool holds(const Range& other) const {
        if (other.address < address) return false;
        const auto before = other.address - address;
        return before <= size && other.size <= size - before;
    }
};

std::uint64_t cells(const DtNode* node, std::string_view property, std::uint64_t otherwise) {
    const auto* found = node == nullptr ? nullptr : node->find(property);
    return std::min<std::uint64_t>(found == nullptr ? otherwise : found->number().value_or(otherwise), 4);
}

/// All at once: DtProperty::number() counts from the front each time.
std::vector<std::uint64_t> numbers_of(const DtProperty& property) {
    std::vector<std::uint64_t> out;
    for (const auto& item : property.items)
        if (item.kind == DtItem::Kind::number || item.kind == DtItem::Kind::byte) out.push_back(item.number);
    return out;
}

/// Several cells as one number, of which the lower 64 bits count. All of them are there.
std::uint64_t number_at(const std::vector<std::uint64_t>& numbers, std::size_t first, std::uint64_t count) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < count; ++i) out = out << 32 | (numbers[first + i] & 0xffff'ffff);
    return out;
}

/// The address as the processor sees it: through the `ranges` of what lies above, up to where one has no entry for it
/// (edtlib's _translate).
std::uint64_t translate(std::uint64_t address, const DtNode* node) {
    for (const auto* parent = node->parent; parent != nullptr; node = parent, parent = parent->parent) {
        const auto* ranges = parent->find("ranges");
        if (ranges == nullptr) break;
        if (ranges->items.empty()) continue;  // the same addresses above
        const auto child_cells = cells(parent, "#address-cells", 2);
        const auto parent_cells = cells(parent->parent, "#address-cells", 2);
        const auto size_cells = cells(parent, "#size-cells", 1);
        const auto entry = child_cells + parent_cells + size_cells;
        if (entry == 0) break;
        const auto numbers = numbers_of(*ranges);
        bool matched = false;
        for (std::size_t at = 0; !matched && at + entry <= numbers.size(); at += entry) {
            const auto from = number_at(numbers, at, child_cells);
            const auto size = number_at(numbers, at + child_cells + parent_cells, size_cells);
            if (address < from || address - from >= size) continue;
            address += number_at(numbers, at + child_cells, parent_cells) - from;
            matched = true;
        }
        if (!matched) break;
    }
    return address;
}

Range range_of(const DtNode& node) {
    Range out;
    if (const auto at = node.name.find('@'); at != std::string::npos) {
        const auto* end = node.name.data() + node.name.size();
        std::uint64_t address = 0;
        if (std::from_chars(node.name.data() + at + 1, end, address, 16).ptr == end)
            out.address = translate(address, &node);
    }
    if (const auto* reg = node.find("reg")) {
        const auto numbers = numbers_of(*reg);
        const auto address_cells = cells(node.parent, "#address-cells", 2);
        const auto size_cells = cells(node.parent, "#size-cells", 1);
        if (address_cells + size_cells <= numbers.size()) out.size = number_at(numbers, address_cells, size_cells);
    }
    return out;
}

/// The nodes that `partitions` properties refer to.
class References {
  public:
    References(const Devicetree& tree, const std::vector<const DtNode*>& nodes) : tree_(tree) {
        for (const auto* node : nodes)
            if (const auto* own = node->find("phandle"); own != nullptr)
                if (const auto number = own->number()) by_phandle_.try_emplace(*number, node);
    }

    Result<std::vector<const DtNode*>> partitions_of(const DtNode& node) {
        std::vector<const DtNode*> out;
        const auto* property = node.find("partitions");
        if (property == nullptr) return out;
        for (const auto& item : property->items) {
            if (++followed_ > most_references)
                return invalid(fmt::format("expected at most {} partitions of bootloaders and images, found more at {}",
                                           most_references, printable(node.path())));
            const auto* target = target_of(item);
            if (target == nullptr)
                return invalid(fmt::format("expected the partitions of {} to be nodes of the devicetree, found {}",
                                           printable(node.path()), printable(item.text, 40)));
            out.push_back(target);
        }
        return out;
    }

  private:
    const DtNode* target_of(const DtItem& item) const {
        if (item.kind == DtItem::Kind::number) {
            const auto found = by_phandle_.find(item.number);
            return found == by_phandle_.end() ? nullptr : found->second;
        }
        if (item.kind != DtItem::Kind::reference) return nullptr;
        return item.text.starts_with('/') ? tree_.by_path(item.text) : tree_.by_label(item.text);
    }

    const Devicetree& tree_;
    std::unordered_map<std::uint64_t, const DtNode*> by_phandle_;
    std::size_t followed_ = 0;
};

/// Which of the partitions holds the whole of `code`.
std::optional<std::size_t> holder_of(const Range& code, const std::vector<const DtNode*>& partitions) {
    for (std::size_t i = 0; i < partitions.size(); ++i)
        if (range_of(*partitions[i]).holds(code)) return i;
    return std::nullopt;
}

std::optional<std::string> text_at(const DtNode& node, std::string_view property, std::size_t index) {
    const auto* found = node.find(property);
    if (found == nullptr) return std::nullopt;
    for (const auto& item : found->items)
        if (item.kind == DtItem::Kind::string && index-- == 0) return item.text;
    return std::nullopt;
}

/// imgtool reads those of all partitions, and refuses the image for a bad one of another partition, too.
Result<ImageIds> ids_of(const DtNode& node, std::size_t partitions, std::size_t wanted) {
    ImageIds out;
    for (std::size_t i = 0; i < partitions; ++i) {
        ImageIds ids;
        if (const auto text = text_at(node, "uuid-vid", i)) {
            TRY(ids.vendor, image::vendor_uuid(*text));
        }
        if (const auto text = text_at(node, "uuid-cid", i)) {
            TRY(ids.kind, image::class_uuid(*text, ids.vendor ? &*ids.vendor : nullptr));
        }
        if (i == wanted) out = ids;
    }
    return out;
}

Result<ImageIds> ids_in(const Devicetree& tree) {
    const auto* linked_for = tree.chosen("zephyr,code-partition");
    if (linked_for == nullptr) return invalid("expected zephyr,code-partition in /chosen, found none");
    const auto code = range_of(*linked_for);
    const auto nodes = tree.nodes();
    References references(tree, nodes);
    std::optional<ImageIds> out;
    for (const auto* node : nodes) {
        if (!node->compatible("nordic,mcuboot")) continue;
        TRY(const auto own, references.partitions_of(*node));
        if (holder_of(code, own)) continue;  // the bootloader itself, which another one above may have among its images
        for (const auto* images : node->children) {
            if (images->name != "images" || images->deleted) continue;
            for (const auto* each : images->children) {
                if (each->deleted) continue;
                TRY(const auto partitions, references.partitions_of(*each));
                const auto partition = holder_of(code, partitions);
                if (!partition) continue;
                if (out)
                    return invalid(
                        fmt::format("expected one image for the partition at 0x{:x}, found several, the last at {}",
                                    code.address, printable(each->path())));
                auto ids = ids_of(*each, partitions.size(), *partition);
                if (!ids) return fail(std::move(ids.error()).as(Errc::config_invalid).in(printable(each->path())));
                out = *ids;
            }
        }
    }
    return out.value_or(ImageIds{});
}

}  // namespace

Result<ImageIds> read_edt_config(const std::string& path) {
    TRY(auto bytes, read_plain(path, image_file_limit));
    auto name = path;
    if (!bytes.empty() && bytes.front() == pickle_protocol) {
        name = (std::filesystem::path(path).parent_path() / "zephyr.dts").string();
        std::error_code ignored;
        if (!std::filesystem::exists(name, ignored))
            return invalid(fmt::format(
                "{}: expected zephyr.dts beside it, since Python alone can read a pickled devicetree, found none; name "
                "the devicetree's text instead, or give --vid and --cid",
                printable(path)));
        TRY(bytes, read_plain(name, image_file_limit));
    }
    Devicetree tree;
    if (auto added = tree.add(as_text(bytes), name); !added) return fail(std::move(added.error()).in(printable(name)));
    auto out = ids_in(tree);
    if (!out) return fail(std::move(out.error()).in(printable(name)));
    return out;
}

}  // namespace fota::cli::imgtool
