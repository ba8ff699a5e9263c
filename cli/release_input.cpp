#include "cli/release_input.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "base/text.hpp"
#include "base/trim.hpp"
#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/key_files.hpp"
#include "cli/listen_options.hpp"

namespace fota::cli {

bool looks_like_json(BytesView text) {
    return trim(as_text(text), " \t\r\n").starts_with('{');
}

Result<release::Manifest> open_release(BytesView text, const std::string& name, const std::vector<std::string>& keys) {
    std::optional<Error> first;
    for (const auto& file : keys) {
        if (file.empty()) continue;
        TRY(const auto key, load_public_key(file));
        auto manifest = release::open_manifest(as_text(text), key);
        if (manifest) return manifest;
        if (first) continue;
        auto error = std::move(manifest.error()).with("file", name).in("reading " + shown_path(name));
        if (error.code() == Errc::key_mismatch)
            first = std::move(error).with("hint", "whose key it names: fotactl release show " + shown_path(name));
        else
            first = std::move(error);
    }
    if (first) return Failure(std::move(*first));
    return misuse("expected the public key that the release is signed with, found none",
                  "--release-key PUB.pem, or --key when one key signs both");
}

Result<InstallInput> read_install_input(const std::string& path, const std::string& release_key,
                                        const std::string& key) {
    InstallInput out;
    out.path = path;
    TRY(out.image, read_file(path, image_file_limit));
    if (!looks_like_json(out.image)) {
        if (!release_key.empty())
            return misuse("expected a release for --release-key, found other content in " + shown_path(path),
                          "give the release: fotactl release create makes one");
        TRY(out.image, unwrap_image(std::move(out.image), path));
        return out;
    }
    const auto given = release_key.empty() ? key : release_key;
    TRY(out.manifest, open_release(out.image, path, {given}));
    out.path = (std::filesystem::path(path).parent_path() / out.manifest->file).string();
    TRY(out.image, read_image(out.path));
    return out;
}

Result<> check_input(const InstallInput& input, BytesView image, const update::ReleaseContext& context) {
    if (!input.manifest) return {};
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    auto checked = update::check_release(*input.manifest, image, context, now);
    if (!checked) return fail(std::move(checked.error()).with("file", input.path).in(shown_path(input.path)));
    return {};
}

std::string release_note(const release::Manifest& manifest) {
    auto out = fmt::format("release  {}", manifest.version.text());
    if (!manifest.board.empty()) out += " · board " + manifest.board;
    if (!manifest.replaces.is_open()) out += " · replaces " + manifest.replaces.text();
    if (manifest.expires) out += " · good until " + release::timestamp_text(*manifest.expires);
    return out;
}

}  // namespace fota::cli
