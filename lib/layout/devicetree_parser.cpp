#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/text.hpp"
#include "layout/devicetree_store.hpp"
#include "layout/text.hpp"

namespace fota::layout {
namespace {

constexpr std::size_t deepest = 32;
constexpr std::size_t most_nodes = 20'000;
constexpr std::size_t most_values = 200'000;
constexpr std::size_t longest_word = 1024;

bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(",._+-*#?@").find(c) != std::string_view::npos;
}

struct Stop {
    unsigned line;
    std::string message;
};

class Parser {
  public:
    Parser(Devicetree::Store& store, std::string_view text, const std::string& file)
        : store_(store), text_(text), file_(file) {}

    void document() {
        for (skip(); at_ < text_.size(); skip()) top_level();
    }

  private:
    // --- characters -------------------------------------------------------------------------------------------------
    [[noreturn]] void stop(std::string_view expected) const {
        const auto rest = text_.substr(std::min(at_, text_.size()), 20);
        throw Stop{real_line_, fmt::format("expected {}, found {}", expected,
                                           rest.empty() ? "the end of the file" : "\"" + printable(rest) + "\"")};
    }
    char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
    void advance() {
        if (text_[at_] == '\n') {
            ++real_line_;
            ++line_;
            line_start_ = true;
        } else if (text_[at_] != ' ' && text_[at_] != '\t' && text_[at_] != '\r') {
            line_start_ = false;
        }
        ++at_;
    }
    void advance(std::size_t count) {
        while (count-- > 0 && at_ < text_.size()) advance();
    }
    bool take(char c) {
        skip();
        if (peek() != c) return false;
        advance();
        return true;
    }
    void need(char c) {
        if (!take(c)) stop(fmt::format("'{}'", c));
    }
    /// White space, comments and preprocessor lines.
    void skip() {
        while (at_ < text_.size()) {
            const char c = peek();
            if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
                advance();
            } else if (c == '/' && peek(1) == '/') {
                while (at_ < text_.size() && peek() != '\n') advance();
            } else if (c == '/' && peek(1) == '*') {
                const auto end = text_.find("*/", at_ + 2);
                if (end == std::string_view::npos) stop("the end of a comment");
                advance(end + 2 - at_);
            } else if (c == '#' && line_start_ && preprocessor()) {
                continue;
            } else {
                return;
            }
        }
    }
    bool preprocessor() {
        auto line = text_.substr(at_ + 1, text_.find('\n', at_) - at_ - 1);
        const auto words = trim(line);
        const auto word = words.substr(0, words.find_first_of(" \t\r\"<("));
        static constexpr std::array<std::string_view, 13> known{"include", "define",  "undef", "if",    "ifdef",
                                                                "ifndef",  "else",    "elif",  "endif", "error",
                                                                "pragma",  "warning", "line"};
        unsigned marker = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), marker);
        const bool is_marker = error == std::errc{} && end == word.data() + word.size() && !word.empty();
        if (!is_marker && std::ranges::find(known, word) == known.end()) return false;
        bool more = true;
        while (more && at_ < text_.size()) {  // a backslash continues the line
            bool backslash = false;
            while (at_ < text_.size() && peek() != '\n') {
                if (peek() != '\r') backslash = peek() == '\\';
                advance();
            }
            if (at_ < text_.size()) advance();
            more = backslash;
        }
        if (is_marker) {
            line_ = marker;
            const auto open = words.find('"');
            const auto close = words.rfind('"');
            if (open != std::string_view::npos && close > open + 1 && close - open < longest_word)
                file_ = std::string(words.substr(open + 1, close - open - 1));
        }
        return true;
    }
    std::string word() {
        skip();
        const auto start = at_;
        while (is_word(peek())) advance();
        if (at_ == start) stop("a name");
        if (at_ - start > longest_word) stop("a shorter name");
        return std::string(text_.substr(start, at_ - start));
    }
    std::string reference() {  // after '&'
        if (take('{')) {
            const auto end = text_.find('}', at_);
            if (end == std::string_view::npos || end - at_ > longest_word) stop("'}'");
            std::string path(text_.substr(at_, end - at_));
            advance(end + 1 - at_);
            return path;
        }
        return word();
    }
    std::string string() {  // at '"'
        advance();
        std::string out;
        while (at_ < text_.size() && peek() != '"') {
            if (peek() == '\\' && at_ + 1 < text_.size()) advance();
            if (out.size() < 64U << 10) out += peek();
            advance();
        }
        if (at_ >= text_.size()) stop("'\"'");
        advance();
        return out;
    }
    /// A parenthesised expression with everything in it, at '('.
    std::string expression() {
        const auto start = at_;
        std::size_t depth = 0;
        do {
            if (at_ >= text_.size() || depth > 64 || at_ - start > 4096) stop("')'");
            if (peek() == '(') ++depth;
            if (peek() == ')') --depth;
            advance();
        } while (depth > 0);
        return std::string(text_.substr(start, at_ - start));
    }
    Where here() const { return {file_, line_}; }

    // --- structure --------------------------------------------------------------------------------------------------
    DtNode* make(DtNode* parent, std::string name) {
        if (store_.nodes.size() >= most_nodes) stop("at most 20,000 nodes");
        auto& node = store_.nodes.emplace_back();
        node.name = std::move(name);
        node.parent = parent;
        node.where = here();
        if (parent != nullptr) parent->children.push_back(&node);
        return &node;
    }
    DtNode* child(DtNode& parent, const std::string& name) {
        for (auto* one : parent.children)
            if (one->name == name && !one->deleted) return one;
        return make(&parent, name);
    }
    DtNode* referenced(const std::string& target) {
        if (target.starts_with('/')) {
            DtNode* node = &store_.nodes.front();
            std::size_t depth = 0;
            for (std::string_view rest = target; !rest.empty();) {
                if (rest.front() == '/') {
                    rest.remove_prefix(1);
                    continue;
                }
                if (++depth > deepest) stop("a shorter path");
                const auto name = rest.substr(0, rest.find('/'));
                node = child(*node, std::string(name));
                rest.remove_prefix(name.size());
            }
            return node;
        }
        if (const auto it = store_.labels.find(target); it != store_.labels.end() && !it->second->deleted)
            return it->second;
        auto* node = make(nullptr, "&" + target);
        node->labels.push_back(target);
        store_.labels.insert_or_assign(target, node);
        return node;
    }
    void remove(DtNode& node) {
        node.deleted = true;
        std::vector<DtNode*> below(node.children);
        while (!below.empty()) {
            auto* one = below.back();
            below.pop_back();
            one->deleted = true;
            below.insert(below.end(), one->children.begin(), one->children.end());
        }
    }
    void label(DtNode& node, const std::string& name) {
        if (std::ranges::find(node.labels, name) == node.labels.end()) node.labels.push_back(name);
        store_.labels.insert_or_assign(name, &node);
    }
    void top_level() {
        if (take(';')) return;
        std::vector<std::string> labels;
        while (is_word(peek())) {
            labels.push_back(word());
            need(':');
            skip();
        }
        if (take('&')) {
            auto* node = referenced(reference());
            for (const auto& name : labels) label(*node, name);
            body(*node, 1);
            return;
        }
        if (peek() != '/') stop("\"/ {\" or \"&label {\"");
        advance();
        skip();
        if (peek() == '{') {
            body(store_.nodes.front(), 1);
            return;
        }
        const auto directive = word();
        need('/');
        if (directive == "delete-node") {
            need('&');
            remove(*referenced(reference()));
        } else {  // dts-v1, plugin, memreserve, include, omit-if-no-ref
            while (at_ < text_.size() && peek() != ';' && peek() != '\n') advance();
            if (directive == "include" && peek() != ';') return;
        }
        need(';');
    }
    void body(DtNode& node, std::size_t depth) {
        if (depth > deepest) stop("at most 32 levels of nodes");
        need('{');
        while (!take('}')) statement(node, depth);
        need(';');
    }
    void statement(DtNode& node, std::size_t depth) {
        if (at_ >= text_.size()) stop("'}'");
        if (take(';')) return;
        if (take('/')) {
            const auto directive = word();
            need('/');
            if (directive == "delete-node") {
                if (take('&')) {
                    remove(*referenced(reference()));
                } else {
                    const auto name = word();
                    for (auto* one : node.children)
                        if (one->name == name && !one->deleted) remove(*one);
                }
                need(';');
            } else if (directive == "delete-property") {
                node.properties.erase(word());
                need(';');
            } else if (directive != "omit-if-no-ref") {
                stop("a property or a node");
            }
            return;
        }
        auto name = word();
        const auto where = here();
        std::vector<std::string> labels;
        while (take(':')) {
            labels.push_back(std::move(name));
            name = word();
        }
        skip();
        if (peek() == '{') {
            auto* below = child(node, name);
            below->where = where;
            for (const auto& one : labels) label(*below, one);
            body(*below, depth + 1);
            return;
        }
        DtProperty property;
        property.where = where;
        if (take('=')) values(property);
        need(';');
        node.properties.insert_or_assign(name, std::move(property));
    }

    // --- values -----------------------------------------------------------------------------------------------------
    void put(DtProperty& property, DtItem item) {
        if (++store_.values > most_values) stop("at most 200,000 values");
        property.items.push_back(std::move(item));
    }
    void values(DtProperty& property) {
        do {
            skip();
            const char c = peek();
            if (c == '"') {
                put(property, {DtItem::Kind::string, 0, string()});
            } else if (c == '<') {
                advance();
                while (!take('>')) cell(property);
            } else if (c == '[') {
                advance();
                while (!take(']')) byte(property);
            } else if (c == '&') {
                advance();
                put(property, {DtItem::Kind::reference, 0, reference()});
            } else if (c == '/') {  // "/bits/ 8 <...>"
                advance();
                (void)word();
                need('/');
                (void)word();
                need('<');
                while (!take('>')) cell(property);
            } else if (is_word(c)) {
                cell(property);
            } else {
                stop("a value");
            }
        } while (take(','));
    }
    void cell(DtProperty& property) {
        skip();
        if (peek() == '&') {
            advance();
            put(property, {DtItem::Kind::reference, 0, reference()});
        } else if (peek() == '(') {
            auto source = expression();
            const auto inner = trim(std::string_view(source).substr(1, source.size() - 2));
            if (const auto value = evaluate(inner)) {
                put(property, {DtItem::Kind::number, *value, {}});
            } else {
                put(property, {DtItem::Kind::opaque, 0, std::move(source)});
            }
        } else {
            auto source = word();
            skip();
            if (peek() == '(') source += expression();
            if (const auto value = evaluate(source)) {
                put(property, {DtItem::Kind::number, *value, {}});
            } else {
                put(property, {DtItem::Kind::opaque, 0, std::move(source)});
            }
        }
    }
    void byte(DtProperty& property) {
        auto digits = word();
        if (digits.size() % 2 != 0) digits.insert(0, "0");
        const auto bytes = from_hex(digits);
        if (!bytes) stop("bytes in hexadecimal");
        for (const auto one : *bytes) put(property, {DtItem::Kind::byte, one, {}});
    }
    /// A number, DT_SIZE_K(n) or DT_SIZE_M(n); anything else is left to the preprocessor we are not.
    static std::optional<std::uint64_t> evaluate(std::string_view source) {
        for (const auto& [macro, shift] : {std::pair{"DT_SIZE_K(", 10U}, std::pair{"DT_SIZE_M(", 20U}}) {
            if (!source.starts_with(macro) || !source.ends_with(')')) continue;
            const auto count = parse_number(trim(source.substr(10, source.size() - 11)));
            if (!count || *count > 0xffffffffU) return std::nullopt;
            return *count << shift;
        }
        while (source.ends_with('U') || source.ends_with('L')) source.remove_suffix(1);
        return parse_number(source);
    }

    Devicetree::Store& store_;
    std::string_view text_;
    std::string file_;
    std::size_t at_ = 0;
    unsigned real_line_ = 1;  ///< in this text, for faults
    unsigned line_ = 1;       ///< in the file that a line marker named, for facts
    bool line_start_ = true;
};

}  // namespace

Result<> parse_devicetree(Devicetree::Store& store, std::string_view text, const std::string& file) {
    try {
        Parser(store, text, file).document();
    } catch (const Stop& stop) {
        return fail(at_line(stop.line, stop.message));
    }
    return {};
}

}  // namespace fota::layout
