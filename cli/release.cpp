// fotactl release: what is to be installed, where and until when, as a signed file.
#include "cli/release.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace fota::cli {

nlohmann::json release_fields(const release::Manifest& manifest) {
    return nlohmann::json::parse(release::canonical_text(manifest));
}

void tell_release(Output& out, const release::Manifest& manifest) {
    const auto line = [&](std::string_view label, const std::string& text) {
        out.line(fmt::format("{:<9} {}", label, text));
    };
    line("image", fmt::format("{} · {} bytes · SHA-256 {}", manifest.file, with_thousands(manifest.size),
                              to_hex(manifest.sha256)));
    line("hash", to_hex(manifest.image_hash));
    line("version", manifest.version.text());
    if (!manifest.key_hash.empty()) line("key hash", to_hex(manifest.key_hash));
    if (!manifest.board.empty()) line("board", manifest.board);
    if (!manifest.soc.empty()) line("soc", manifest.soc);
    if (manifest.layout) line("layout", to_hex(*manifest.layout));
    line("replaces", manifest.replaces.text());
    line("expires", manifest.expires ? release::timestamp_text(*manifest.expires) : "never");
    if (!manifest.notes.empty()) line("notes", printable(manifest.notes, 4096));
}

void add_release(CLI::App& root, Program& program) {
    auto* group = root.add_subcommand("release", "sign what is to be installed, where, and until when");
    group->require_subcommand(0, 1);
    add_release_create(*group, program);
    add_release_show(*group, program);
    add_release_verify(*group, program);
}

}  // namespace fota::cli
