#include "layout/board.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>

namespace fota::layout {
namespace {

std::string with(std::string text, char from, char to) {
    std::ranges::replace(text, from, to);
    return text;
}

/// "_0_14_0" at the end of an old board name: how many characters, 0 when there is none.
std::size_t revision_suffix(std::string_view text) {
    std::size_t digits = 0;
    for (auto at = text.size(); at > 0 && (text[at - 1] == '_' || (text[at - 1] >= '0' && text[at - 1] <= '9')); --at)
        if (text[at - 1] == '_') digits = text.size() - at + 1;
    return digits >= 6 && std::ranges::count(text.substr(text.size() - digits), '_') == 3 ? digits : 0;
}

}  // namespace

std::string Board::own_revision(std::string_view requested) const {
    if (requested.empty()) return default_revision;
    if (revisions.empty()) return std::string(requested);
    const std::string* best = &revisions.front();
    for (const auto& own : revisions)
        if (compare_revisions(own, requested).value_or(1) <= 0) best = &own;
    return *best;
}

std::string BoardTarget::stem(bool secure) const {
    auto parts = qualifiers;
    if (parts.empty() && facts != nullptr) parts = facts->soc;
    if (secure && parts.ends_with("/ns")) parts.resize(parts.size() - 3);
    return board + "_" + with(parts, '/', '_');
}

std::string BoardTarget::file_revision() const {
    return with(facts == nullptr ? revision : facts->own_revision(revision), '.', '_');
}

std::string BoardTarget::description() const {
    std::string out(facts != nullptr ? facts->title : board);
    if (!revision.empty()) out += " @" + revision;
    if (!qualifiers.empty()) out += " (" + qualifiers + ")";
    return out;
}

const Boards& Boards::built_in() {
    static const Boards boards = [] {
        Boards out;
        for (const auto& [name, text] : built_in_board_files())
            if (const auto added = out.add(text, std::string(name)); !added)
                throw std::logic_error(added.error().message());  // a fault of the build, found by the first unit test
        return out;
    }();
    return boards;
}

const Board* Boards::find(std::string_view name) const {
    for (const auto& board : boards_)
        if (board->name == name) return board.get();
    for (const auto& board : boards_)
        if (std::ranges::find(board->aliases, name) != board->aliases.end()) return board.get();
    return nullptr;
}

std::optional<BoardTarget> Boards::target(std::string_view text) const {
    if (text.empty() || text.size() > 128) return std::nullopt;
    for (const char c : text)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '@' ||
              c == '/' || c == '.' || c == '-'))
            return std::nullopt;
    BoardTarget out;
    std::string rest(text);
    if (const auto at = rest.find('@'); at != std::string::npos) {
        const auto end = std::min(rest.find('/', at), rest.size());
        out.revision = with(rest.substr(at + 1, end - at - 1), '_', '.');
        rest.erase(at, end - at);
    }
    const auto slash = rest.find('/');
    out.board = rest.substr(0, slash);
    if (slash != std::string::npos) {
        out.qualifiers = rest.substr(slash + 1);
    } else if (find(out.board) == nullptr) {
        // The longest known name which the old form begins with: nrf9160dk_nrf9160_ns, before that nrf9160dk_nrf9160ns,
        // also with a revision.
        const Board* best = nullptr;
        std::string_view by;
        for (const auto& board : boards_) {
            const auto take = [&](std::string_view name) {
                if (!rest.starts_with(name) || name.size() <= by.size()) return;
                const auto after = std::string_view(rest).substr(name.size());
                if (!after.starts_with('_') && after != "ns") return;
                best = board.get();
                by = name;
            };
            take(board->name);
            for (const auto& alias : board->aliases) take(alias);
        }
        if (best != nullptr) {
            auto tail = rest.substr(by.size());
            if (tail.starts_with('_')) tail.erase(0, 1);
            if (const auto digits = revision_suffix("_" + tail); digits > 0) {
                const auto kept = tail.size() + 1 - digits;
                if (out.revision.empty()) out.revision = with(tail.substr(kept), '_', '.');
                tail.resize(kept == 0 ? 0 : kept - 1);
            }
            const auto& soc = best->soc;
            const bool non_secure = tail == "ns" || tail == soc + "_ns" || tail == soc + "ns";
            if (tail.empty() || tail == soc || non_secure) {
                out.board = best->name;
                out.qualifiers = non_secure ? soc + "/ns" : tail;
            }
        } else if (rest.ends_with("_ns")) {  // a board of one's own
            out.board = rest.substr(0, rest.size() - 3);
            out.qualifiers = "ns";
        }
    }
    if (out.board.empty()) return std::nullopt;
    out.facts = find(out.board);
    if (out.facts != nullptr) out.board = out.facts->name;
    return out;
}

std::optional<int> compare_revisions(std::string_view a, std::string_view b) {
    const auto parse = [](std::string_view text) -> std::optional<std::array<unsigned, 3>> {
        std::array<unsigned, 3> out{};
        for (std::size_t i = 0; i < 3; ++i) {
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.at(i));
            if (error != std::errc{}) return std::nullopt;
            text.remove_prefix(static_cast<std::size_t>(end - text.data()));
            if (text.empty()) return out;
            if (text.front() != '.' && text.front() != '_') return std::nullopt;
            text.remove_prefix(1);
        }
        return text.empty() ? std::optional(out) : std::nullopt;
    };
    const auto left = parse(a);
    const auto right = parse(b);
    if (!left || !right) return std::nullopt;
    return *left < *right ? -1 : *left > *right ? 1 : 0;
}

}  // namespace fota::layout
