// fotactl config show: each setting, its value and where it comes from.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/program.hpp"

namespace fota::cli {
namespace {

struct Options {};

int run(Program& program, const Options&) {
    auto settings = nlohmann::json::array();
    for (const auto& [name, fallback] : Config::known()) {
        const auto value = program.config.get(name);
        const auto text = value ? value->text : fallback;
        const auto origin = value ? value->origin : "default";
        settings.push_back(
            {{"name", name}, {"value", value ? nlohmann::json(value->text) : nlohmann::json()}, {"origin", origin}});
        program.out.line(fmt::format("{:<12} {:<40} {}", name, printable(text), printable(origin)));
    }
    return program.out.result("done", {{"settings", settings}});
}

}  // namespace

void add_config(CLI::App& root, Program& program) {
    auto* group = root.add_subcommand("config", "what is configured, and where");
    add_command<Options>(
        *group, program, "show", "each setting, its value and its origin", [](CLI::App&, Options&) {}, run);
}

}  // namespace fota::cli
