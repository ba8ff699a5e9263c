// fotactl image verify: would the bootloader boot it?
#include <fmt/format.h>

#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/key_files.hpp"
#include "image/verify.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string image;
    std::string key;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("IMAGE", options.image, "image file; - is stdin")->required();
    app.add_option("--key", options.key,
                   "public key the bootloader trusts; without it everything but the signature is checked")
        ->type_name("PUB");
}

struct Checked {
    LoadedImage image;
    image::Verdict verdict;
};

Result<Checked> check(const Options& options, const std::string& key_file) {
    TRY(auto loaded, load_image(options.image));
    std::vector<image::PublicKey> keys;
    if (!key_file.empty()) {
        TRY(auto key, load_public_key(key_file));
        keys.push_back(std::move(key));
    }
    auto verdict = image::verify(loaded.bytes, loaded.parsed, keys);
    if (!verdict) return fail(std::move(verdict.error()).with("file", options.image).in(shown_path(options.image)));
    return Checked{std::move(loaded), std::move(*verdict)};
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto key_file = program.config.value_or(options.key, "key");
    const auto checked = check(options, key_file);
    if (!checked) return out.fail(checked.error());
    const auto& [loaded, verdict] = *checked;

    auto fields = image_facts(loaded.bytes, loaded.parsed);
    fields["signature"] = verdict.signature_checked ? "valid" : "unchecked";
    const char* signature = "signature valid";
    if (!verdict.signature_checked)
        signature =
            loaded.parsed.signature() == nullptr ? "no signature to check" : "signature not checked, no --key given";
    out.line(fmt::format("{}    {} · {}", out.styled(Style::green, "valid"), image_summary(loaded.bytes, loaded.parsed),
                         signature));
    if (const auto name = development_key_of(loaded.bytes, loaded.parsed); !name.empty())
        out.warn(development_key_warning(out, name));
    return out.result("done", std::move(fields));
}

}  // namespace

void add_image_verify(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "verify", "check an image as the bootloader would", bind, run);
}

}  // namespace fota::cli
