#include "layout/dts_includes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"
#include "layout/text.hpp"

namespace fota::layout {
namespace {

constexpr std::size_t deepest = 8;
constexpr std::size_t most_files = 64;
constexpr std::size_t most_include_lines = 4096;

/// Zephyr's cmake/modules/pre_dt.cmake, for the application's directory and the architecture of these boards.
constexpr std::array<std::string_view, 5> directories{"include", "include/zephyr", "dts/common", "dts/arm", "dts"};

struct Include {
    std::string_view name;
    bool quoted = false;  ///< looked for beside the including file first
};

std::optional<Include> include_of(std::string_view line) {
    line = trim(line);
    if (line.starts_with("/include/")) {
        line = trim(line.substr(9));
    } else if (line.starts_with('#')) {
        line = trim(line.substr(1));
        if (!line.starts_with("include")) return std::nullopt;
        line = trim(line.substr(7));
    } else {
        return std::nullopt;
    }
    const bool quoted = line.starts_with('"');
    if (!quoted && !line.starts_with('<')) return std::nullopt;
    const auto close = line.find(quoted ? '"' : '>', 1);
    if (close == std::string_view::npos || close == 1) return std::nullopt;
    return Include{line.substr(1, close - 1), quoted};
}

/// `name` seen from `directory`, without "." and ".."; nullopt when that leads out of the tree.
std::optional<std::string> resolved(std::string_view directory, std::string_view name) {
    if (name.starts_with('/')) return std::nullopt;
    std::vector<std::string_view> parts;
    for (auto rest : {directory, name})
        while (!rest.empty()) {
            const auto part = rest.substr(0, rest.find('/'));
            rest.remove_prefix(std::min(part.size() + 1, rest.size()));
            if (part.empty() || part == ".") continue;
            if (part != "..") {
                parts.push_back(part);
            } else if (parts.empty()) {
                return std::nullopt;
            } else {
                parts.pop_back();
            }
        }
    std::string out;
    for (const auto part : parts) out = join(out, part);
    return out;
}

class Expansion {
  public:
    Expansion(const FileTree& files, ExpandedSource& out) : files_(files), out_(out) {}

    void add(const std::string& path, const std::string& text) {
        const bool guarded =
            text.find("#pragma once") != std::string::npos || text.find("#ifndef") != std::string::npos;
        open_.push_back({path, guarded});
        if (open_.size() == 1) bytes_ = text.size();
        piece({path, 1});
        for_each_line(text, [&](unsigned number, std::string_view line) {
            const auto include = include_of(line);
            const auto inner = include && look({path, number}) ? find(*include, {path, number}) : std::nullopt;
            if (!inner || !follow(*inner, {path, number})) {
                emit(line);
                return;
            }
            emit(fmt::format("# {} \"{}\"", number + 1, path));
            piece({path, number + 1});
        });
        open_.pop_back();
    }

  private:
    struct Open {
        std::string path;
        bool guarded = false;  ///< its text has an include guard
    };

    void emit(std::string_view line) {
        out_.text.append(line).append("\n");
        ++lines_;
    }
    void piece(Where where) { out_.pieces.push_back({lines_ + 1, std::move(where)}); }

    /// Whether one more line with an include may be looked at: each asks the file tree for several paths.
    bool look(Where where) {
        if (looked_at_ > most_include_lines) return false;
        if (++looked_at_ <= most_include_lines) return true;
        out_.problems.push_back({std::move(where), "expected at most 4,096 #include lines, found more"});
        return false;
    }

    std::optional<std::string> find(const Include& include, const Where& from) {
        if (include.quoted) {
            const auto beside = resolved(directory_of(from.file), include.name);
            if (beside && files_.is_file(*beside)) return beside;
            if (!beside && out_.elsewhere.size() < most_files)
                out_.elsewhere.push_back({from, std::string(include.name)});
        }
        for (const auto directory : directories)
            if (const auto path = resolved(directory, include.name); path && files_.is_file(*path)) return path;
        return std::nullopt;
    }

    bool follow(const std::string& path, Where where) {
        const auto refuse = [&](std::string message) {
            if (out_.problems.size() < most_files) out_.problems.push_back({std::move(where), std::move(message)});
            return false;
        };
        // Every bound comes before the reading that it bounds: a small overlay may include a large file many times.
        if (const auto open = std::ranges::find(open_, path, &Open::path); open != open_.end()) {
            if (open->guarded) return false;  // a guard ends the circle in a build as well
            return refuse(
                fmt::format("expected an include that ends, found {} including itself", printable(path, 200)));
        }
        if (open_.size() >= deepest) return refuse("expected includes at most 8 deep, found one deeper");
        if (++count_ > most_files) return refuse("expected at most 64 included files, found more");
        constexpr const char* too_much = "expected at most 2 MiB with all that is included, found more";
        if (bytes_ > text_limit) return refuse(too_much);
        const auto text = read_text(files_, path);
        if (!text)
            return refuse(fmt::format("expected to read {}, which is included here: {}", printable(path, 200),
                                      text.error().message()));
        bytes_ += text->size();
        if (bytes_ > text_limit) return refuse(too_much);
        emit(fmt::format("# 1 \"{}\"", path));
        add(path, *text);
        return true;
    }

    const FileTree& files_;
    ExpandedSource& out_;
    std::vector<Open> open_;  ///< the files around the one that is read
    std::size_t count_ = 0;
    std::size_t looked_at_ = 0;
    std::uint64_t bytes_ = 0;  ///< of all files that were read
    unsigned lines_ = 0;
};

}  // namespace

Where ExpandedSource::origin(unsigned line) const {
    const auto after = std::ranges::upper_bound(pieces, line, {}, &Piece::from);
    if (after == pieces.begin()) return {};
    const auto& piece = *std::prev(after);
    return {piece.where.file, piece.where.line + (line - piece.from)};
}

Result<ExpandedSource> with_includes(const FileTree& files, const std::string& path) {
    TRY(const auto text, read_text(files, path));
    ExpandedSource out;
    Expansion(files, out).add(path, text);
    return out;
}

}  // namespace fota::layout
