#include "cli/signed_report.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <memory>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/provision.hpp"
#include "image/signer.hpp"

namespace fota::cli {

Result<std::shared_ptr<image::Signer>> document_key(const std::string& path, const PassphraseOptions& passphrase) {
    SigningOptions options;
    options.key = path;
    options.passphrase = passphrase;
    TRY(std::shared_ptr<image::Signer> signer, load_signer(options));
    if (auto fits = release::check_document_key(signer->public_key()); !fits)
        return fail(std::move(fits.error()).with("file", path).in(shown_path(path)));
    return signer;
}

Result<image::PublicKey> document_check(const std::string& path) {
    TRY(auto key, load_public_key(path));
    if (auto fits = release::check_document_key(key); !fits)
        return fail(std::move(fits.error()).with("file", path).in(shown_path(path)));
    return key;
}

Result<SignedReport> SignedReport::open(std::string file, const std::string& key, const PassphraseOptions& passphrase) {
    SignedReport out;
    TRY(out.key_, document_key(key, passphrase));
    out.file_ = std::move(file);
    return out;
}

Result<> SignedReport::write(const std::vector<nlohmann::json>& devices) const {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const nlohmann::json payload{{"format", 1},
                                 {"tool", "fotactl " FOTACTL_VERSION},
                                 {"made", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now))},
                                 {"devices", devices}};
    TRY(const auto text, release::sign_document(payload, report_type, *key_));
    return write_file_atomic(file_, as_bytes(text));
}

namespace {

struct Options {
    std::string file;
    std::string key;
};

int show(Program& program, const Options& options) {
    auto& out = program.out;
    const auto payload = [&]() -> Result<nlohmann::json> {
        TRY(const auto check, document_check(options.key));
        TRY(const auto text, read_file(options.file, image_file_limit));
        auto content = release::open_document(as_text(text), report_type, check);
        if (!content)
            return fail(
                std::move(content.error()).with("file", options.file).in("reading " + shown_path(options.file)));
        return content;
    }();
    if (!payload) return out.fail(payload.error());
    const auto text_of = [](const nlohmann::json& object, const char* field) {
        return printable(object.is_object() ? object.value(field, nlohmann::json("")).dump() : "", 120);
    };
    out.line(fmt::format("signature  good · made {}", text_of(*payload, "made")));
    if (const auto devices = payload->find("devices"); devices != payload->end() && devices->is_array())
        for (const auto& device : *devices)
            out.line(fmt::format("{}  {}  IMEI {}", text_of(device, "outcome"), text_of(device, "endpoint"),
                                 text_of(device, "imei")));
    return out.result("done", {{"report", *payload}});
}

}  // namespace

void add_provision_report(CLI::App& group, Program& program) {
    add_command<Options>(
        group, program, "report", "check and show a signed provisioning report",
        [](CLI::App& app, Options& o) {
            app.add_option("REPORT", o.file, "what --report wrote")->required();
            app.add_option("--key", o.key, "public key of the station")->type_name("PUB")->required();
        },
        show);
}

}  // namespace fota::cli
