#include "cli/config.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>

#include "base/text.hpp"
#include "cli/files.hpp"

namespace fota::cli {
namespace {

std::string environment(const std::string& name) {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? "" : value;
}

std::string variable(const std::string& name) {
    std::string out = "FOTACTL_";
    for (char c : name) out += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return out;
}

bool is_known(const std::string& name) {
    return std::ranges::any_of(Config::known(), [&](const auto& each) { return each.first == name; });
}

}  // namespace

const std::vector<std::pair<std::string, std::string>>& Config::known() {
    static const std::vector<std::pair<std::string, std::string>> names{
        {"boards", "$XDG_CONFIG_HOME/fotactl/boards"},
        {"credentials", "none"},
        {"key", "none"},
        {"layout", "none"},
        {"listen", "coaps on 5684, all interfaces; with --insecure-plain 127.0.0.1:5683"},
        {"profile", "lte-m"},
        {"state-dir", "$XDG_STATE_HOME/fotactl"},
    };
    return names;
}

Result<> Config::load(const std::string& explicit_file) {
    std::vector<std::string> files;
    if (!explicit_file.empty()) {
        files.push_back(explicit_file);
    } else {
        files.emplace_back("fotactl.toml");
        auto home = environment("XDG_CONFIG_HOME");
        if (home.empty() && !environment("HOME").empty()) home = environment("HOME") + "/.config";
        if (!home.empty()) files.push_back(home + "/fotactl/fotactl.toml");
    }
    for (const auto& file : files) {
        std::error_code ignored;
        if (explicit_file.empty() && !std::filesystem::is_regular_file(file, ignored)) continue;
        TRY(const auto content, read_file(file, small_file_limit));
        try {
            const auto table = toml::parse(as_text(content), file);
            for (const auto& [key, node] : table) {
                const std::string name(key.str());
                const auto line = node.source().begin.line;
                if (!is_known(name))
                    return fail(Errc::config_invalid,
                                fmt::format("{}:{}: unknown setting \"{}\"", printable(file), line, printable(name)));
                const auto value = node.value<std::string>();
                if (!value)
                    return fail(Errc::config_invalid,
                                fmt::format("{}:{}: expected a string for {}", printable(file), line, name));
                values_.try_emplace(name, Value{*value, fmt::format("{}:{}", file, line)});
            }
        } catch (const toml::parse_error& error) {
            return fail(Errc::config_invalid,
                        fmt::format("{}:{}: {}", printable(file), error.source().begin.line, error.description()));
        }
    }
    for (const auto& [name, fallback] : known())
        if (const auto value = environment(variable(name)); !value.empty())
            values_.insert_or_assign(name, Value{value, "environment " + variable(name)});
    return {};
}

std::optional<Config::Value> Config::get(const std::string& name) const {
    const auto it = values_.find(name);
    if (it == values_.end()) return std::nullopt;
    return it->second;
}

std::string Config::value_or(const std::string& flag, const std::string& name) const {
    if (!flag.empty()) return flag;
    const auto value = get(name);
    return value ? value->text : "";
}

Config::Value Config::state_dir(const std::string& flag) const {
    if (!flag.empty()) return {flag, "--state-dir"};
    if (auto value = get("state-dir")) return *value;
    if (const auto xdg = environment("XDG_STATE_HOME"); !xdg.empty()) return {xdg + "/fotactl", "default"};
    return {environment("HOME") + "/.local/state/fotactl", "default"};
}

}  // namespace fota::cli
