#include "cli/imgtool_arguments.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "base/text.hpp"
#include "base/trim.hpp"

namespace fota::cli::imgtool {
namespace {

Failure usage(std::string message) {
    return fail(Errc::usage, std::move(message));
}
Failure bare_usage(std::string message) {
    return fail(Error(Errc::usage, std::move(message)).with("bare", "yes"));
}

std::string quoted_names(std::span<const std::string> names) {
    std::vector<std::string> quoted;
    for (const auto& name : names) quoted.push_back("'" + name + "'");
    return fmt::format("{}", fmt::join(quoted, " / "));
}

const std::string& key_of(const Parameter& parameter) {
    return parameter.names.back();
}

/// One command line on its way: which parameter got which words, in the order of first use.
class Parser {
  public:
    Parser(std::span<const std::string> words, std::span<const Parameter> parameters)
        : rest_(words), parameters_(parameters) {}

    Result<> run() {
        while (!rest_.empty()) {
            const auto word = rest_.front();
            rest_ = rest_.subspan(1);
            if (word == "--") {
                loose_.insert(loose_.end(), rest_.begin(), rest_.end());
                break;
            }
            if (word.size() > 1 && word.starts_with("--")) {
                TRY_VOID(long_option(word));
            } else if (word.size() > 1 && word.starts_with('-')) {
                TRY_VOID(short_options(word));
            } else {
                loose_.push_back(word);
            }
        }
        for (const auto& parameter : parameters_) {
            if (parameter.kind != Kind::argument) continue;
            order.push_back(&parameter);
            if (loose_.empty()) continue;
            given[key_of(parameter)].push_back({loose_.front()});
            loose_.erase(loose_.begin());
        }
        for (const auto& parameter : parameters_)
            if (std::ranges::find(order, &parameter) == order.end()) order.push_back(&parameter);
        return {};
    }

    /// Words that no argument takes.
    Result<> check_extra() const {
        if (loose_.empty()) return {};
        return usage(fmt::format("Got unexpected extra argument{} ({})", loose_.size() == 1 ? "" : "s",
                                 printable(fmt::format("{}", fmt::join(loose_, " ")))));
    }

    std::map<std::string, std::vector<std::vector<std::string>>> given;
    std::vector<const Parameter*> order;

  private:
    const Parameter* find(std::string_view name) const {
        for (const auto& parameter : parameters_)
            if (parameter.kind != Kind::argument && std::ranges::find(parameter.names, name) != parameter.names.end())
                return &parameter;
        return nullptr;
    }

    static Failure help_wanted() { return fail(Error(Errc::usage, "help").with("help", "yes")); }

    Failure unknown(std::string_view name) const {
        std::vector<std::string> known;
        for (const auto& parameter : parameters_)
            for (const auto& each : parameter.names)
                if (each.starts_with("--")) known.push_back(each);
        const auto near = name.starts_with("--") ? nearest(name, known) : std::string{};
        return usage(fmt::format("No such option: {}{}", printable(name, 80),
                                 near.empty() ? "" : fmt::format(" Did you mean {}?", near)));
    }

    void store(const Parameter& parameter, std::vector<std::string> words) {
        if (std::ranges::find(order, &parameter) == order.end()) order.push_back(&parameter);
        given[key_of(parameter)].push_back(std::move(words));
    }

    Result<> take_values(const Parameter& parameter, std::string_view name, std::vector<std::string> words) {
        while (words.size() < parameter.values) {
            if (rest_.empty())
                return bare_usage(parameter.values == 1
                                      ? fmt::format("Option '{}' requires an argument.", name)
                                      : fmt::format("Option '{}' requires {} arguments.", name, parameter.values));
            words.push_back(rest_.front());
            rest_ = rest_.subspan(1);
        }
        store(parameter, std::move(words));
        return {};
    }

    Result<> long_option(const std::string& word) {
        const auto equals = word.find('=');
        const auto name = word.substr(0, equals);
        if (name == "--help") return help_wanted();
        const auto* parameter = find(name);
        if (parameter == nullptr) return unknown(name);
        if (parameter->kind == Kind::flag) {
            if (equals != std::string::npos) return bare_usage(fmt::format("Option '{}' does not take a value.", name));
            store(*parameter, {});
            return {};
        }
        std::vector<std::string> words;
        if (equals != std::string::npos) words.push_back(word.substr(equals + 1));
        return take_values(*parameter, name, std::move(words));
    }

    Result<> short_options(const std::string& word) {
        for (std::size_t i = 1; i < word.size(); ++i) {
            const auto name = std::string("-") + word[i];
            if (name == "-h") return help_wanted();
            const auto* parameter = find(name);
            if (parameter == nullptr) return unknown(name);
            if (parameter->kind == Kind::flag) {
                store(*parameter, {});
                continue;
            }
            std::vector<std::string> words;
            if (i + 1 < word.size()) words.push_back(word.substr(i + 1));
            return take_values(*parameter, name, std::move(words));
        }
        return {};
    }

    std::span<const std::string> rest_;
    std::span<const Parameter> parameters_;
    std::vector<std::string> loose_;
};

Result<> check_value(const Parameter& parameter, const std::string& value) {
    switch (parameter.kind) {
        case Kind::choice:
            if (std::ranges::find(parameter.choices, value) == parameter.choices.end()) {
                const bool one = parameter.choices.size() == 1;
                return bad_value(parameter.names,
                                 fmt::format("'{}' is not {}'{}'.", printable(value, 80), one ? "" : "one of ",
                                             fmt::join(parameter.choices, "', '")));
            }
            break;
        case Kind::integer:
            if (!parse_integer(value, false))
                return bad_value(parameter.names, fmt::format("'{}' is not a valid integer.", printable(value, 80)));
            break;
        case Kind::based_integer:
            if (!parse_integer(value, true))
                return bad_value(parameter.names,
                                 fmt::format("{} is not a valid integer. Please use code literals prefixed with 0b/0B, "
                                             "0o/0O, or 0x/0X as necessary.",
                                             printable(value, 80)));
            break;
        case Kind::argument:
        case Kind::flag:
        case Kind::text:
            break;
    }
    if (!parameter.check) return {};
    if (const auto checked = parameter.check(value); !checked)
        return bad_value(parameter.names, checked.error().message());
    return {};
}

Failure missing(const Parameter& parameter) {
    auto message = fmt::format("Missing {} {}.", parameter.kind == Kind::argument ? "argument" : "option",
                               quoted_names(parameter.names));
    if (parameter.kind == Kind::choice)
        message += fmt::format(" Choose from:\n\t{}", fmt::join(parameter.choices, ",\n\t"));
    return usage(std::move(message));
}

}  // namespace

std::string Arguments::text(const std::string& name) const {
    return find(name).value_or("");
}

std::optional<std::string> Arguments::find(const std::string& name) const {
    const auto it = given_.find(name);
    if (it == given_.end() || it->second.back().empty()) return std::nullopt;
    return it->second.back().front();
}

std::optional<std::int64_t> Arguments::number(const std::string& name) const {
    const auto value = find(name);
    if (!value) return std::nullopt;
    const auto based = parse_integer(*value, true);
    return based ? based : parse_integer(*value, false);
}

std::vector<std::vector<std::string>> Arguments::all(const std::string& name) const {
    const auto it = given_.find(name);
    return it == given_.end() ? std::vector<std::vector<std::string>>{} : it->second;
}

bool is_help_request(const Error& error) noexcept {
    return !error.detail("help").empty();
}

Failure bad_value(std::span<const std::string> names, std::string_view why) {
    return usage(fmt::format("Invalid value for {}: {}", quoted_names(names), why));
}

Result<Arguments> parse_arguments(std::span<const std::string> words, std::span<const Parameter> parameters) {
    Parser parser(words, parameters);
    TRY_VOID(parser.run());
    for (const auto* parameter : parser.order) {
        const auto it = parser.given.find(key_of(*parameter));
        if (it == parser.given.end()) {
            if (parameter->required || parameter->kind == Kind::argument) return missing(*parameter);
            continue;
        }
        if (parameter->values == 1 && parameter->kind != Kind::flag)
            TRY_VOID(check_value(*parameter, it->second.back().front()));
    }
    TRY_VOID(parser.check_extra());
    Arguments out;
    out.given_ = std::move(parser.given);
    return out;
}

std::optional<std::int64_t> parse_integer(std::string_view text, bool based) {
    text = trim(text);
    if (text.empty()) return std::nullopt;
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);

    unsigned base = 10;
    bool after_prefix = false;
    if (based && text.size() > 1 && text[0] == '0') {
        const char mark = static_cast<char>(text[1] | 0x20);
        base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
        if (base != 10) text.remove_prefix(2);
        after_prefix = base != 10;
        // "010" was octal once and is refused for that; zeros alone are zero.
        if (base == 10 && text.find_first_not_of("0_") != std::string_view::npos) return std::nullopt;
    }
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    std::uint64_t value = 0;
    bool digit_before = after_prefix;  // "0x_10" is a number, "_10" is none
    bool any = false;
    for (const char c : text) {
        if (c == '_') {
            if (!digit_before) return std::nullopt;
            digit_before = false;
            continue;
        }
        const char low = static_cast<char>(c | 0x20);
        const unsigned digit = c >= '0' && c <= '9'       ? static_cast<unsigned>(c - '0')
                               : low >= 'a' && low <= 'f' ? static_cast<unsigned>(low - 'a' + 10)
                                                          : 99;
        if (digit >= base) return std::nullopt;
        value = value > (most - digit) / base ? most : value * base + digit;
        digit_before = any = true;
    }
    if (!any || !digit_before) return std::nullopt;
    const auto out = static_cast<std::int64_t>(value);
    return negative ? -out : out;
}

std::string help_text(std::string_view usage_line, std::string_view summary, std::span<const Parameter> parameters) {
    auto out = fmt::format("Usage: {}\n\n  {}\n\nOptions:\n", usage_line, summary);
    const auto row = [&](const std::string& left, const std::string& right) {
        static constexpr std::size_t column = 30;
        const bool wide = left.size() + 4 > column;
        out += fmt::format("  {}{}{}\n", left,
                           wide ? "\n" + std::string(column, ' ') : std::string(column - 2 - left.size(), ' '), right);
    };
    for (const auto& parameter : parameters) {
        if (parameter.kind == Kind::argument) continue;
        auto left = fmt::format("{}", fmt::join(parameter.names, ", "));
        if (parameter.kind == Kind::choice) left += fmt::format(" [{}]", fmt::join(parameter.choices, "|"));
        if (parameter.kind == Kind::integer || parameter.kind == Kind::based_integer) left += " INTEGER";
        if (parameter.kind == Kind::text) left += parameter.values == 2 ? " TAG VALUE" : " TEXT";
        row(left, parameter.help + (parameter.required ? "  [required]" : ""));
    }
    row("-h, --help", "show this message and exit");
    return out;
}

}  // namespace fota::cli::imgtool
