#include "provision/naming.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace fota::provision {

Result<std::string> expand(std::string_view text, const std::map<std::string, std::string>& values) {
    std::string out;
    for (auto rest = text; !rest.empty();) {
        const auto open = rest.find('{');
        out += rest.substr(0, open);
        if (open == std::string_view::npos) break;
        const auto close = rest.find('}', open);
        if (close == std::string_view::npos)
            return fail(Errc::usage,
                        fmt::format("expected }} after {{ in the template \"{}\", found its end", printable(text)));
        const auto name = rest.substr(open + 1, close - open - 1);
        const auto value = values.find(std::string(name));
        if (value == values.end()) {
            std::string known;
            for (const auto& [each, ignored] : values)
                known += fmt::format("{}{{{}}}", known.empty() ? "" : ", ", each);
            return fail(Errc::usage, fmt::format("expected {} in the template \"{}\", found {{{}}}", known,
                                                 printable(text), printable(name)));
        }
        out += value->second;
        rest.remove_prefix(close + 1);
    }
    if (out.empty()) return fail(Errc::usage, "expected a template that makes a name, found an empty one");
    if (!std::ranges::all_of(out, [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; }))
        return fail(
            Errc::usage,
            fmt::format("expected a name of printable ASCII without blanks and quotes, found \"{}\"", printable(out)));
    return out;
}

bool asks_for(std::string_view text, std::string_view name) {
    return text.find(fmt::format("{{{}}}", name)) != std::string_view::npos;
}

}  // namespace fota::provision
