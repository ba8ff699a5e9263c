// The subcommands of fotactl release, one file each, and how they show a manifest.
#pragma once

#include <nlohmann/json.hpp>

#include "cli/program.hpp"
#include "release/manifest.hpp"

namespace fota::cli {

void add_release(CLI::App& root, Program& program);
void add_release_create(CLI::App& group, Program& program);
void add_release_show(CLI::App& group, Program& program);
void add_release_verify(CLI::App& group, Program& program);

/// The manifest's own keys, for the result line.
nlohmann::json release_fields(const release::Manifest& manifest);
/// For a person.
void tell_release(Output& out, const release::Manifest& manifest);

}  // namespace fota::cli
