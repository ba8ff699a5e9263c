#include "layout/kconfig.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "layout/text.hpp"

namespace fota::layout {
namespace {

constexpr std::size_t longest_line = 16U << 10;
constexpr std::size_t most_settings = 50'000;

bool is_name(std::string_view text) {
    if (!text.starts_with("CONFIG_") && !text.starts_with("SB_CONFIG_")) return false;
    for (const char c : text)
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
    return true;
}

std::string unquoted(std::string_view value) {
    if (!value.starts_with('"')) return std::string(trim(value.substr(0, value.find('#'))));
    std::string out;
    for (std::size_t i = 1; i < value.size() && value[i] != '"'; ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) ++i;
        out += value[i];
    }
    return out;
}

/// Of a choice the member that was set last is on, the others off (drivers/flash/Kconfig.nor of Zephyr).
constexpr std::array<std::string_view, 3> sfdp_choice{"CONFIG_SPI_NOR_SFDP_MINIMAL", "CONFIG_SPI_NOR_SFDP_RUNTIME",
                                                      "CONFIG_SPI_NOR_SFDP_DEVICETREE"};

}  // namespace

void Kconfig::set(std::string_view name, Setting setting) {
    if (setting.value == "y" && std::ranges::find(sfdp_choice, name) != sfdp_choice.end())
        for (const auto other : sfdp_choice)
            if (const auto it = settings_.find(other); it != settings_.end()) it->second = {"n", setting.where};
    settings_.insert_or_assign(std::string(name), std::move(setting));
}

Result<Kconfig> Kconfig::parse(std::string_view text, const std::string& file) {
    Kconfig out;
    std::optional<Error> problem;
    for_each_line(text, [&](unsigned number, std::string_view raw) {
        if (problem) return;
        if (raw.size() > longest_line || out.settings_.size() > most_settings) {
            problem = at_line(number, fmt::format("expected Kconfig settings, found {}",
                                                  raw.size() > longest_line ? "a line of more than 16 KiB"
                                                                            : "more than 50,000 of them"));
            return;
        }
        const auto line = trim(raw);
        if (line.starts_with('#')) {
            const auto rest = trim(line.substr(1));
            constexpr std::string_view unset = " is not set";
            if (rest.ends_with(unset) && is_name(rest.substr(0, rest.size() - unset.size())))
                out.set(rest.substr(0, rest.size() - unset.size()), {"n", {file, number}});
            return;
        }
        const auto equals = line.find('=');
        if (equals == std::string_view::npos || !is_name(line.substr(0, equals))) return;
        out.set(line.substr(0, equals), {unquoted(line.substr(equals + 1)), {file, number}});
    });
    if (problem) return fail(std::move(*problem));
    return out;
}

void Kconfig::merge(const Kconfig& later) {
    for (const auto& [name, setting] : later.settings_) set(name, setting);
}

const Setting* Kconfig::find(std::string_view name) const {
    const auto it = settings_.find(name);
    return it == settings_.end() ? nullptr : &it->second;
}

bool Kconfig::on(std::string_view name) const {
    const auto* setting = find(name);
    return setting != nullptr && setting->value == "y";
}

std::uint64_t Kconfig::number(std::string_view name, std::uint64_t fallback) const {
    const auto* setting = find(name);
    return setting == nullptr ? fallback : parse_number(setting->value).value_or(fallback);
}

std::string Kconfig::text(std::string_view name) const {
    const auto* setting = find(name);
    return setting == nullptr ? "" : setting->value;
}

}  // namespace fota::layout
