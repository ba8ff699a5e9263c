// fotactl image verify: would the bootloader boot it?
#include <fmt/format.h>

#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/key_files.hpp"
#include "cli/slot_options.hpp"
#include "image/decompressed.hpp"
#include "image/encrypt.hpp"
#include "image/verify.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string image;
    std::string key;
    std::string decrypt_with;
    PassphraseOptions passphrase;
    SlotOptions slot;
    bool saved_as_wrapped = false;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("IMAGE", options.image, "image file; - is stdin")->required();
    app.add_option("--key", options.key,
                   "public key the bootloader trusts; without it everything but the signature is checked")
        ->type_name("PUB");
    app.add_option("--decrypt-with", options.decrypt_with,
                   "private key of the device (PEM, mode 0600): check an encrypted image as the device decrypts it")
        ->type_name("KEY");
    bind_passphrase(app, options.passphrase);
    bind_slot_options(app, options.slot);
    bind_saved_key(app, options.saved_as_wrapped);
}

struct Checked {
    LoadedImage image;
    image::Verdict verdict;
};

/// The image as its device will see it, in `decrypted` or, where nothing was encrypted, as it was read: a second one is
/// a megabyte. A bootloader that decrypts takes images in clear, too.
Result<BytesView> in_clear(const LoadedImage& loaded, const Options& options, Bytes& decrypted) {
    if (options.decrypt_with.empty() || !loaded.parsed.header.encrypted()) return loaded.bytes;
    TRY(const auto key, load_signing_key(options.decrypt_with, options.passphrase));
    TRY(decrypted, image::decrypt(loaded.bytes, loaded.parsed, key));
    return decrypted;
}

/// The size of the slot decides last, as in the bootloader; without one nothing is known about it.
Result<> check_size(const LoadedImage& loaded, BytesView clear, image::Slot slot, bool saved_as_wrapped) {
    if (slot.size == 0) return {};
    const auto& header = loaded.parsed.header;
    slot.key_bytes = key_bytes(loaded.parsed, saved_as_wrapped);
    TRY_VOID(image::check_fits(loaded.parsed.end, slot));
    if (!header.compressed()) return {};
    if (slot.mode != FOTA_BOOT_OVERWRITE)
        return fail(Errc::image_rejected,
                    fmt::format("expected a bootloader in mode {} for a compressed image, as no other decompresses, "
                                "found {}",
                                image::mode_name(FOTA_BOOT_OVERWRITE), image::mode_name(slot.mode)));
    TRY(const auto region, image::decompressed_region(clear, loaded.parsed));
    const auto installed = region.size() + loaded.parsed.end - loaded.parsed.hash_region_length;
    return in_context(image::check_fits(installed, slot), "after decompression");
}

Result<Checked> check(const Options& options, const std::string& key_file) {
    TRY(const auto slot, to_slot(options.slot));
    TRY(auto loaded, load_image(options.image));
    std::vector<image::PublicKey> keys;
    if (!key_file.empty()) {
        TRY(auto key, load_public_key(key_file));
        keys.push_back(std::move(key));
    }
    const auto about = [&](Error error) {
        auto out = std::move(error).with("file", options.image).in(shown_path(options.image));
        if (!loaded.parsed.header.encrypted() || !options.decrypt_with.empty()) return fail(std::move(out));
        return fail(std::move(out).with("hint", "name the private key of the device with --decrypt-with"));
    };
    Bytes decrypted;
    const auto clear = in_clear(loaded, options, decrypted);
    if (!clear && clear.error().code() == Errc::credentials_unusable) return fail(clear.error());
    if (!clear) return about(clear.error());
    const image::VerifyOptions as{.in_clear = !options.decrypt_with.empty(), .decompression = true};
    auto verdict = image::verify(*clear, loaded.parsed, keys, as);
    if (!verdict) return about(std::move(verdict.error()));
    if (auto fits = check_size(loaded, *clear, slot, options.saved_as_wrapped); !fits)
        return about(std::move(fits.error()));
    return Checked{std::move(loaded), std::move(*verdict)};
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto key_file = program.config.value_or(options.key, "key");
    const auto checked = check(options, key_file);
    if (!checked) return out.fail(checked.error());
    const auto& [loaded, verdict] = *checked;

    auto fields = image_facts(loaded.bytes, loaded.parsed);
    fields["encrypted"] = loaded.parsed.header.encrypted();
    fields["compressed"] = loaded.parsed.header.compressed();
    fields["signature"] = verdict.signature_checked ? "valid" : "unchecked";
    const char* signature = "signature valid";
    if (!verdict.signature_checked)
        signature =
            loaded.parsed.signature() == nullptr ? "no signature to check" : "signature not checked, no --key given";
    out.line(fmt::format("{}    {} · {}", out.styled(Style::green, "valid"), image_summary(loaded.bytes, loaded.parsed),
                         signature));
    if (loaded.parsed.header.compressed())
        out.note("note     the payload is compressed: only a bootloader built with decompression takes it");
    if (const auto name = development_key_of(loaded.bytes, loaded.parsed); !name.empty())
        out.warn(development_key_warning(out, name));
    return out.result("done", std::move(fields));
}

}  // namespace

void add_image_verify(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "verify", "check an image as the bootloader would", bind, run);
}

}  // namespace fota::cli
