// fotactl bundle: what a technician's laptop needs where there is no network, in one signed file.
#include "cli/bundle.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/text.hpp"
#include "cli/bundle_results.hpp"
#include "cli/files.hpp"
#include "cli/signed_report.hpp"
#include "release/bundle.hpp"

namespace fota::cli {
namespace {

using release::Bundle;
using release::BundleRole;
using Clock = std::chrono::system_clock;

struct CreateOptions {
    std::string out;
    std::string key;
    PassphraseOptions passphrase;
    std::string image;
    std::string release;
    std::string layout;
    std::string devices;
    std::string expires = "30d";
    std::string note;
};

struct OpenOptions {
    std::string file;
    std::string key;
    std::string into;
    std::string endpoint;
};

std::string time_text(Clock::time_point time) {
    return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(std::chrono::floor<std::chrono::seconds>(time)));
}

Result<> add_member(Bundle& bundle, BundleRole role, const std::string& path) {
    if (path.empty()) return {};
    TRY(auto content, read_file(path, image_file_limit));
    bundle.members.push_back({role, std::filesystem::path(path).filename().string(), std::move(content)});
    return {};
}

/// Endpoint names, one a line. A credentials file is refused: keys do not travel in a bundle.
Result<std::vector<std::string>> read_names(const std::string& path) {
    std::vector<std::string> out;
    if (path.empty()) return out;
    TRY(const auto bytes, read_file(path, small_file_limit));
    for (auto text = as_text(bytes); !text.empty();) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
        if (line.empty() || line.front() == '#') continue;
        if (line.find_first_of("{}\"[], \t") != std::string_view::npos)
            return fail(
                Error(Errc::config_invalid,
                      fmt::format("expected endpoint names in {}, one a line and nothing else, found other text",
                                  shown_path(path)))
                    .with("file", path));
        out.emplace_back(line);
    }
    return out;
}

nlohmann::json fields_of(const Bundle& bundle) {
    auto members = nlohmann::json::array();
    for (const auto& member : bundle.members)
        members.push_back({{"role", role_name(member.role)}, {"name", member.name}, {"size", member.content.size()}});
    return {{"made", time_text(bundle.made)},
            {"expires", time_text(bundle.expires)},
            {"members", std::move(members)},
            {"devices", bundle.devices},
            {"note", printable(bundle.note, 1024)}};
}

void tell(Output& out, const Bundle& bundle) {
    for (const auto& member : bundle.members)
        out.line(fmt::format("{:<8} {} · {}", role_name(member.role), member.name, human_size(member.content.size())));
    out.line(fmt::format("devices  {}", bundle.devices.empty() ? "any" : with_thousands(bundle.devices.size())));
    out.line(fmt::format("expires  {}", time_text(bundle.expires)));
    if (!bundle.note.empty()) out.line(fmt::format("note     {}", printable(bundle.note, 1024)));
}

Result<Bundle> create(const CreateOptions& options) {
    Bundle bundle;
    bundle.made = Clock::now();
    TRY(const auto life, parse_duration(options.expires));
    if (life < std::chrono::seconds(1) || life > std::chrono::hours(24 * 3650))
        return fail(Errc::usage,
                    fmt::format("expected --expires of 1 s to 3650 d, found {}", printable(options.expires)));
    bundle.expires = bundle.made + life;
    bundle.note = options.note;
    TRY_VOID(add_member(bundle, BundleRole::image, options.image));
    TRY_VOID(add_member(bundle, BundleRole::release, options.release));
    TRY_VOID(add_member(bundle, BundleRole::layout, options.layout));
    TRY(bundle.devices, read_names(options.devices));
    TRY(const auto key, document_key(options.key, options.passphrase));
    TRY(const auto text, release::make_bundle(bundle, *key));
    TRY_VOID(write_file_atomic(options.out, as_bytes(text)));
    return bundle;
}

int run_create(Program& program, const CreateOptions& options) {
    const auto bundle = create(options);
    if (!bundle) return program.out.fail(bundle.error());
    tell(program.out, *bundle);
    auto fields = fields_of(*bundle);
    fields["file"] = options.out;
    return program.out.result("done", std::move(fields));
}

Result<Bundle> open(const OpenOptions& options) {
    TRY(const auto check, document_check(options.key));
    TRY(const auto text, read_file(options.file, 4 * image_file_limit));
    auto bundle = release::open_bundle(as_text(text), check, Clock::now());
    if (!bundle)
        return fail(std::move(bundle.error()).with("file", options.file).in("reading " + shown_path(options.file)));
    if (!options.endpoint.empty() && !bundle->is_for(options.endpoint))
        return fail(Errc::policy_refused, fmt::format("expected a bundle for {}, found one for {} other devices",
                                                      printable(options.endpoint), bundle->devices.size()));
    if (options.into.empty()) return bundle;
    if (::mkdir(options.into.c_str(), 0777) != 0 && errno != EEXIST)
        return fail(Error(Errc::file_unwritable, fmt::format("expected a folder {}, found: {}",
                                                             shown_path(options.into), std::strerror(errno)))
                        .with("file", options.into));
    for (const auto& member : bundle->members) {
        TRY_VOID(write_file_atomic(options.into + "/" + member.name, member.content));
    }
    return bundle;
}

int run_open(Program& program, const OpenOptions& options) {
    const auto bundle = open(options);
    if (!bundle) return program.out.fail(bundle.error());
    tell(program.out, *bundle);
    auto fields = fields_of(*bundle);
    if (!options.into.empty()) fields["into"] = options.into;
    return program.out.result("done", std::move(fields));
}

}  // namespace

void add_bundle(CLI::App& root, Program& program) {
    auto* group = root.add_subcommand("bundle", "carry a release to a laptop without a network, in one signed file");
    group->require_subcommand(0, 1);
    add_command<CreateOptions>(
        *group, program, "create", "sign files, device names and an expiry date into one file",
        [](CLI::App& app, CreateOptions& o) {
            app.add_option("--out", o.out, "the bundle")->type_name("F")->required();
            app.add_option("--key", o.key, "private key that signs it, Ed25519 or P-256")->type_name("KEY")->required();
            bind_passphrase(app, o.passphrase);
            app.add_option("--image", o.image, "signed image")->type_name("F");
            app.add_option("--release", o.release, "release manifest, carried as it is")->type_name("F");
            app.add_option("--layout", o.layout, "baseline the image must fit")->type_name("F");
            app.add_option("--devices", o.devices, "endpoint names it is for, one a line (default: any)")
                ->type_name("F");
            app.add_option("--expires", o.expires, "refused after this time")->type_name("D")->capture_default_str();
            app.add_option("--note", o.note, "for the technician")->type_name("TEXT");
        },
        run_create);
    add_command<OpenOptions>(
        *group, program, "open", "check a bundle and unpack it",
        [](CLI::App& app, OpenOptions& o) {
            app.add_option("BUNDLE", o.file, "what `bundle create` wrote")->required();
            app.add_option("--key", o.key, "public key it must be signed with")->type_name("PUB")->required();
            app.add_option("--into", o.into, "folder for its files (default: check only)")->type_name("DIR");
            app.add_option("--endpoint", o.endpoint, "refuse a bundle that is not for this device")->type_name("EP");
        },
        run_open);
    add_bundle_results(*group, program);
}

}  // namespace fota::cli
