#include "cli/bundle_input.hpp"

#include <fmt/format.h>

#include <chrono>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/listen_options.hpp"
#include "cli/signed_report.hpp"
#include "release/bundle.hpp"
#include "release/signed_document.hpp"

namespace fota::cli {
namespace {

using release::BundleRole;

Result<SerialInput> from_bundle(const SerialInputOptions& options, BytesView text) {
    const auto key_file = options.bundle_key.empty() ? options.key : options.bundle_key;
    if (key_file.empty())
        return misuse("expected the public key that the bundle is signed with, found none", "--bundle-key PUB.pem");
    if (options.endpoint.empty())
        return misuse("expected the name of the device at hand for a bundle, found none",
                      "--endpoint EP: the name on its label; the cable does not tell it");
    TRY(const auto key, document_check(key_file));
    TRY(const auto bundle, release::open_bundle(as_text(text), key, std::chrono::system_clock::now()));
    if (!bundle.is_for(options.endpoint))
        return fail(Errc::policy_refused, fmt::format("expected a bundle for {}, found one for {} other devices",
                                                      printable(options.endpoint), bundle.devices.size()));
    const auto* image = bundle.find(BundleRole::image);
    if (image == nullptr) return fail(Errc::config_invalid, "expected an image in the bundle, found none");
    SerialInput out;
    out.path = image->name;
    TRY(out.image, unwrap_image(image->content));
    out.bundle = to_hex(sha256(text));
    out.note = bundle.note;
    if (const auto* layout = bundle.find(BundleRole::layout)) {
        TRY(out.context, baseline_context(layout->content, layout->name));
    }
    const auto* manifest = bundle.find(BundleRole::release);
    if (manifest == nullptr && !options.release_key.empty())
        return misuse("expected a release in the bundle for --release-key, found none",
                      "put it in: fotactl bundle create --release F");
    if (manifest != nullptr) {
        TRY(out.manifest, open_release(manifest->content, manifest->name,
                                       {options.release_key, options.release_key.empty() ? key_file : "",
                                        options.release_key.empty() ? options.key : ""}));
    }
    return out;
}

}  // namespace

Result<SerialInput> read_serial_input(const SerialInputOptions& options) {
    TRY(const auto text, read_file(options.path, 4 * image_file_limit));
    SerialInput out;
    // Looking inside costs a parse of the whole file: only of what can be one.
    if (looks_like_json(text) && release::looks_like_document(as_text(text), release::bundle_type)) {
        auto opened = from_bundle(options, text);
        if (!opened)
            return fail(std::move(opened.error()).with("file", options.path).in("reading " + shown_path(options.path)));
        out = std::move(*opened);
    } else {
        if (!options.bundle_key.empty() || !options.endpoint.empty())
            return misuse(
                "expected a bundle for --bundle-key and --endpoint, found other content in " + shown_path(options.path),
                "give the bundle: fotactl bundle create makes one");
        TRY(static_cast<InstallInput&>(out), read_install_input(options.path, options.release_key, options.key));
    }
    if (!options.board.empty()) out.context.board = options.board;
    TRY_VOID(check_input(out, out.image, out.context));
    return out;
}

}  // namespace fota::cli
