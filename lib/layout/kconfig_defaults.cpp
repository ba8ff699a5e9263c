#include "layout/kconfig_defaults.hpp"

#include <fmt/format.h>

#include <set>
#include <vector>

#include "layout/text.hpp"

namespace fota::layout {
namespace {

constexpr unsigned deepest = 32;

/// A condition: symbols, "texts", = and !=, !, &&, ||, parentheses. Unknown symbols make an unknown result unless the
/// rest decides.
class Condition {
  public:
    Condition(std::string_view text, const KconfigValues& values) : rest_(text), values_(values) {}

    std::optional<bool> evaluate() { return either(0); }

  private:
    std::optional<bool> either(unsigned depth) {
        auto left = both(depth);
        while (take("||")) {
            const auto right = both(depth);
            left = left == true || right == true ? std::optional(true)
                   : left && right               ? std::optional(false)
                                                 : std::nullopt;
        }
        return left;
    }
    std::optional<bool> both(unsigned depth) {
        auto left = one(depth);
        while (take("&&")) {
            const auto right = one(depth);
            left = left == false || right == false ? std::optional(false)
                   : left && right                 ? std::optional(true)
                                                   : std::nullopt;
        }
        return left;
    }
    std::optional<bool> one(unsigned depth) {
        if (depth > deepest) return std::nullopt;
        if (rest_after_space().starts_with("!=")) return std::nullopt;
        if (take("!")) {
            const auto inner = one(depth + 1);
            return inner ? std::optional(!*inner) : std::nullopt;
        }
        if (take("(")) {
            const auto inner = either(depth + 1);
            (void)take(")");
            return inner;
        }
        const auto left = operand();
        const bool differs = take("!=");
        if (!differs && !take("=")) return left ? std::optional(*left == "y") : std::nullopt;
        const auto right = operand();
        if (!left || !right) return std::nullopt;
        return (*left == *right) != differs;
    }
    std::optional<std::string> operand() {
        rest_after_space();
        if (rest_.starts_with('"')) {
            const auto end = rest_.find('"', 1);
            const auto text = rest_.substr(1, end == std::string_view::npos ? end : end - 1);
            rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
            return text.starts_with('$') ? values_(text) : std::optional(std::string(text));
        }
        std::size_t length = 0;
        while (length < rest_.size() &&
               (rest_[length] == '_' || rest_[length] == '-' || (rest_[length] >= '0' && rest_[length] <= '9') ||
                (rest_[length] >= 'A' && rest_[length] <= 'Z') || (rest_[length] >= 'a' && rest_[length] <= 'z')))
            ++length;
        const auto word = rest_.substr(0, length);
        rest_.remove_prefix(length);
        if (word.empty()) {
            rest_ = {};
            return std::nullopt;
        }
        if (word == "y" || word == "n" || (word[0] >= '0' && word[0] <= '9')) return std::string(word);
        return values_(word);
    }
    std::string_view rest_after_space() {
        while (rest_.starts_with(' ') || rest_.starts_with('\t')) rest_.remove_prefix(1);
        return rest_;
    }
    bool take(std::string_view word) {
        if (!rest_after_space().starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }

    std::string_view rest_;
    const KconfigValues& values_;
};

/// `text` without a comment, with its continuation lines.
struct Line {
    unsigned number = 0;
    std::string text;
};

std::vector<Line> logical_lines(std::string_view text) {
    std::vector<Line> out;
    bool continues = false;
    for_each_line(text, [&](unsigned number, std::string_view raw) {
        auto line = trim(raw);
        if (!continues) out.push_back({number, ""});
        continues = line.ends_with('\\');
        if (continues) line.remove_suffix(1);
        if (!line.starts_with('#')) out.back().text += std::string(line) + " ";
    });
    return out;
}

}  // namespace

Result<Kconfig> sysbuild_defaults(std::string_view text, const std::string& file, const KconfigValues& values) {
    std::vector<std::optional<bool>> blocks;  // the `if`s that are open
    std::set<std::string, std::less<>> done;
    std::string option;
    bool choice = false;
    std::string settings;  // one line for each line of the file, so that Kconfig::parse() counts as the file does
    unsigned written = 0;
    const auto set = [&](const Line& line, std::string_view name, std::string_view value) {
        for (; written + 1 < line.number; ++written) settings += '\n';
        settings += fmt::format("SB_CONFIG_{}={}\n", name, value);
        ++written;
    };
    for (const auto& line : logical_lines(text)) {
        const auto words = trim(line.text);
        const auto rest = [&](std::string_view keyword) -> std::optional<std::string_view> {
            if (!words.starts_with(keyword)) return std::nullopt;
            const auto after = words.substr(keyword.size());
            if (!after.empty() && after[0] != ' ' && after[0] != '\t') return std::nullopt;
            return trim(after);
        };
        if (const auto condition = rest("if")) {
            if (blocks.size() >= deepest)
                return fail(at_line(line.number, "expected at most 32 levels of if, found more"));
            blocks.push_back(Condition(*condition, values).evaluate());
            option.clear();
        } else if (rest("endif")) {
            if (!blocks.empty()) blocks.pop_back();
            option.clear();
        } else if (const auto name = rest("config"); name || rest("menuconfig")) {
            option = name ? *name : *rest("menuconfig");
            choice = false;
        } else if (const auto named = rest("choice")) {
            option = *named;
            choice = true;
        } else if (rest("endchoice") || rest("menu") || rest("source") || rest("rsource") || rest("osource")) {
            option.clear();
        } else if (const auto value = rest("default"); value && !option.empty() && !done.contains(option)) {
            const auto at = value->find(" if ");
            std::optional<bool> applies = at == std::string_view::npos
                                              ? std::optional(true)
                                              : Condition(value->substr(at + 4), values).evaluate();
            for (const auto& block : blocks) {
                if (block == false) applies = false;
                if (!block && applies != false) applies = std::nullopt;
            }
            if (applies == false) continue;
            done.insert(option);
            if (!applies) continue;
            auto given = trim(value->substr(0, at));
            if (choice) {
                set(line, given, "y");
            } else {
                set(line, option, given);
            }
        }
    }
    return Kconfig::parse(settings, file);
}

}  // namespace fota::layout
