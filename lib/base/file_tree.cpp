#include "base/file_tree.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fota {

bool MemoryFileTree::is_file(const std::string& path) const {
    return files_.contains(path);
}

bool MemoryFileTree::is_directory(const std::string& path) const {
    if (path.empty()) return true;
    const auto it = files_.lower_bound(path + "/");
    return it != files_.end() && it->first.starts_with(path + "/");
}

Result<Bytes> MemoryFileTree::read(const std::string& path, std::uint64_t limit) const {
    const auto it = files_.find(path);
    if (it == files_.end()) return fail(Errc::file_unreadable, fmt::format("expected a file {}, found none", path));
    if (it->second.size() > limit)
        return fail(Errc::file_unreadable,
                    fmt::format("{}: expected at most {} bytes, found {}", path, limit, it->second.size()));
    return to_bytes(as_bytes(it->second));
}

std::vector<FileTree::Entry> MemoryFileTree::list(const std::string& path) const {
    std::vector<Entry> out;
    const std::string prefix = path.empty() ? "" : path + "/";
    for (auto it = files_.lower_bound(prefix); it != files_.end() && it->first.starts_with(prefix); ++it) {
        const auto rest = std::string_view(it->first).substr(prefix.size());
        const auto slash = rest.find('/');
        Entry entry{std::string(rest.substr(0, slash)), slash != std::string_view::npos};
        if (out.empty() || out.back().name != entry.name) out.push_back(std::move(entry));
    }
    std::ranges::sort(out, {}, &Entry::name);
    const auto twice = std::ranges::unique(out, {}, &Entry::name);
    out.erase(twice.begin(), twice.end());
    return out;
}

}  // namespace fota
