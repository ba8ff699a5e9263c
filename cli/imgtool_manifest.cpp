#include "cli/imgtool_manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/imgtool.hpp"
#include "cli/imgtool_files.hpp"
#include "layout/yaml.hpp"

namespace fota::cli::imgtool {
namespace {

using Node = layout::YamlNode;

Failure usage(std::string message) {
    return fail(Errc::usage, std::move(message));
}

std::optional<std::string> scalar(const Node& map, std::string_view key) {
    const auto* node = map.get(key);
    if (node == nullptr || node->kind != Node::Kind::scalar) return std::nullopt;
    return node->scalar;
}

Result<std::optional<std::int64_t>> integer(const Node& map, std::string_view key) {
    const auto text = scalar(map, key);
    if (!text) return std::nullopt;
    const auto value = parse_integer(*text, true);
    if (!value)
        return usage(fmt::format("expected a number for {} in the manifest, found {}", key, printable(*text, 40)));
    return value;
}

struct Entry {
    std::optional<std::int64_t> index;
    std::optional<std::string> path;
    std::optional<std::string> hash;
};

Result<std::vector<Entry>> read_entries(const Node& root) {
    std::vector<Entry> out;
    const auto* images = root.get("images");
    if (images == nullptr) return out;
    for (const auto& item : images->items) {
        Entry entry;
        TRY(entry.index, integer(*item, "index"));
        entry.path = scalar(*item, "path");
        entry.hash = scalar(*item, "hash");
        if (entry.path.has_value() == entry.hash.has_value())
            return usage(fmt::format("expected either path or hash in the manifest's image on line {}", item->line));
        out.push_back(std::move(entry));
    }
    std::ranges::stable_sort(out, {}, [](const Entry& entry) { return entry.index.value_or(0); });
    return out;
}

/// The images that have indexes count up from 0, with room for the image that carries the manifest.
Result<> check_indexes(const std::vector<Entry>& entries, std::optional<std::int64_t> own) {
    std::int64_t next = 0;
    bool any = false;
    const auto skip_own = [&] {
        if (own == next) ++next;
    };
    for (const auto& entry : entries) {
        if (!entry.index) continue;
        any = true;
        skip_own();
        if (*entry.index != next)
            return usage(fmt::format("Manifest image indexes must be consecutive. Missing index: {}", next));
        ++next;
    }
    skip_own();
    // One more than there are entries: the fork takes indexes only together with manifest_index.
    const auto expected = static_cast<std::int64_t>(entries.size()) + 1;
    if (any && next != expected)
        return usage(fmt::format("Manifest image indexes must be consecutive. Missing index: {}", next));
    return {};
}

Result<Bytes> hash_of(const Entry& entry) {
    if (entry.hash) {
        auto bytes = from_hex(*entry.hash);
        if (!bytes)
            return usage(
                fmt::format("expected a hexadecimal hash in the manifest, found {}", printable(*entry.hash, 80)));
        return std::move(*bytes);
    }
    TRY(const auto file, read_image(*entry.path, fmt::format("Image file {} not found", printable(*entry.path))));
    TRY(const auto check, check_image(file.bytes, nullptr));
    if (check.verdict != Check::Verdict::ok)
        return usage(fmt::format("Failed to verify image: {}", printable(*entry.path)));
    return check.digest;
}

}  // namespace

Result<Bytes> load_manifest(const std::string& path, image::ByteOrder order) {
    auto text = read_plain(path, small_file_limit);
    if (!text) return fail(std::move(text.error()).as(Errc::usage).in("reading the manifest"));
    const auto parsed = layout::parse_yaml(as_text(*text));
    if (!parsed) return fail(Error(parsed.error()).in("reading the manifest " + printable(path)));
    const auto& root = **parsed;
    TRY(const auto format, integer(root, "format"));
    if (format != 1) return usage(fmt::format("Unsupported manifest format: {}", format.value_or(0)));
    TRY(const auto own, integer(root, "manifest_index"));
    TRY(const auto entries, read_entries(root));
    TRY_VOID(check_indexes(entries, own));
    std::vector<Bytes> hashes;
    for (const auto& entry : entries) {
        TRY(auto hash, hash_of(entry));
        hashes.push_back(std::move(hash));
    }
    return image::encode_manifest(hashes, order);
}

}  // namespace fota::cli::imgtool
