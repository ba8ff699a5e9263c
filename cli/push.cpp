// fotactl push: check, serve, send, prove, report.
#include <fmt/format.h>

#include <set>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/key_files.hpp"
#include "cli/program.hpp"
#include "cli/push_session.hpp"
#include "cli/release_input.hpp"
#include "cli/update_options.hpp"
#include "image/dfu_zip.hpp"
#include "image/limit.hpp"
#include "layout/slots.hpp"
#include "server/estimate.hpp"
#include "update/preflight.hpp"

namespace fota::cli {
namespace {

struct Options : ListenOptions {
    std::string image;
    std::vector<std::string> endpoints;
    std::string endpoints_file;
    std::string key;
    std::string release_key;
    std::string layout;
    std::uint32_t block_size = 512;
    std::string stall = "5m";
    std::string soak = "0s";
    std::string expect_version;
    std::string downgrade_reason;
    bool dry_run = false;
    UpdateOptions how;
};

void bind(CLI::App& app, Options& o) {
    app.add_option("IMAGE", o.image,
                   "the signed image to install: binary, Intel HEX or a DFU package; or a release that names it")
        ->required();
    app.add_option("--endpoint", o.endpoints, "the device's endpoint name; may be given several times")
        ->type_name("EP");
    app.add_option("--endpoints-file", o.endpoints_file, "endpoint names, one a line")->type_name("F");
    bind_listen_options(app, o);
    app.add_option("--key", o.key, "public key the image must be signed with")->type_name("PUB");
    app.add_option("--release-key", o.release_key, "public key a release must be signed with (default: --key)")
        ->type_name("PUB");
    app.add_option("--layout", o.layout, "build or source directory, or baseline, the image must fit")
        ->type_name("PATH");
    app.add_option("--block-size", o.block_size, "bytes per block, 16 to 1024");
    app.add_option("--stall", o.stall, "give up after this long without progress")->type_name("D");
    app.add_option("--soak", o.soak, "watch for a revert for this long after the proof")->type_name("D");
    app.add_option("--expect-version", o.expect_version, "what the device reports when the update runs")
        ->type_name("S");
    app.add_option("--allow-downgrade", o.downgrade_reason, "install an older version; the reason is kept")
        ->type_name("REASON");
    bind_update_options(app, o.how);
    app.add_flag("--dry-run", o.dry_run, "check, and say what a push would cost; nothing is sent");
}

Result<std::vector<std::string>> endpoints_of(const Options& options) {
    std::vector<std::string> names = options.endpoints;
    if (!options.endpoints_file.empty()) {
        TRY(const auto bytes, read_file(options.endpoints_file, small_file_limit));
        auto text = as_text(bytes);
        while (!text.empty()) {
            auto line = text.substr(0, text.find('\n'));
            text.remove_prefix(std::min(text.size(), line.size() + 1));
            while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
            if (!line.empty() && line.front() != '#') names.emplace_back(line);
        }
    }
    if (names.empty())
        return misuse("expected a device to push to, found none", "name it: --endpoint urn:imei:351358811331351");
    std::set<std::string> once;
    std::erase_if(names, [&](const std::string& name) { return !once.insert(name).second; });
    return names;
}

Result<update::Policy> policy_of(const Options& options) {
    update::Policy policy;
    if (!options.wait.empty()) {
        TRY(policy.wait, parse_duration(options.wait));
    }
    TRY(policy.stall, parse_duration(options.stall));
    TRY(policy.soak, parse_duration(options.soak));
    policy.return_deadline = std::max(policy.return_deadline, policy.stall);
    if (!options.expect_version.empty()) policy.expect_version = options.expect_version;
    if (!options.downgrade_reason.empty()) policy.downgrade_reason = options.downgrade_reason;
    if (!coap::szx_of(options.block_size))
        return misuse(
            fmt::format("expected a block size of 16, 32, 64, 128, 256, 512 or 1024, found {}", options.block_size),
            "512 suits most devices");
    policy.block_size = options.block_size;
    TRY_VOID(fill_policy(options.how, policy));
    return policy;
}

int dry_run(Program& program, const PushJob& job) {
    const auto& profile = job.profile_name;
    const auto round_trip = profile == "nb-iot" ? Milliseconds(3'000)
                            : profile == "lan"  ? Milliseconds(5)
                                                : Milliseconds(1'000);
    const auto devices = job.endpoints.size();
    const bool pull = job.policy.method == update::Method::pull;
    if (!job.policy.package_uri.empty()) {
        program.out.line(fmt::format("dry-run  checked; the device fetches {}: what that costs depends on that server",
                                     printable(job.policy.package_uri)));
        return program.out.result("done", {{"dry_run", true}, {"devices", devices}, {"profile", profile}});
    }
    const auto estimate = pull ? server::estimate_pull : server::estimate_push;
    const auto cost = estimate(job.target.image, job.policy.block_size, !job.plain, round_trip);
    auto line = fmt::format("dry-run  {} blocks of {}{} · {} billed · {} at a round trip of {} ms ({})", cost.blocks,
                            job.policy.block_size, pull ? ", if the device asks for that size" : "",
                            human_size(cost.billed_bytes), human_duration(cost.duration), round_trip.count(), profile);
    if (devices > 1)
        line += fmt::format(" per device; {} billed for {} devices", human_size(cost.billed_bytes * devices), devices);
    program.out.line(line);
    return program.out.result("done", {{"dry_run", true},
                                       {"devices", devices},
                                       {"blocks", cost.blocks},
                                       {"billed_bytes", cost.billed_bytes},
                                       {"billed_bytes_total", cost.billed_bytes * devices},
                                       {"seconds", static_cast<double>(cost.duration.count()) / 1000},
                                       {"round_trip_ms", round_trip.count()},
                                       {"profile", profile}});
}

struct Prepared {
    Bytes image;
    std::optional<image::DfuPackage> package;  ///< of a bootloader: both candidates
    PushJob job;
};

/// A second-stage bootloader comes as a package (dfu_mcuboot.zip, dfu_application.zip) with a candidate for each slot.
Result<> prepare_bootloader(Program& program, const Options& options, Prepared& out) {
    const auto key_file = program.config.value_or(options.key, "key");
    if (key_file.empty())
        return misuse("expected the public key MCUboot checks its own update with, found none", "--key PUB.pem");
    TRY(const auto key, load_public_key(key_file));
    TRY(out.image, read_file(options.image, image_file_limit));
    auto package = image::read_dfu_zip(out.image);
    if (!package) return Failure(std::move(package.error()).in(shown_path(options.image)).with("file", options.image));
    out.package = std::move(*package);
    std::vector<const image::DfuImage*> candidates;
    for (const auto& each : out.package->images) {
        const auto parsed = image::parse(each.bytes);
        if (!parsed || parsed->header.header_size > each.bytes.size()) continue;
        if (update::firmware_info(BytesView(each.bytes).subspan(parsed->header.header_size)))
            candidates.push_back(&each);
    }
    if (candidates.size() != 2)
        return fail(Error(Errc::image_malformed,
                          fmt::format("expected two bootloader candidates (s0 and s1) in the package, found {}",
                                      candidates.size()))
                        .in(shown_path(options.image))
                        .with("file", options.image));
    auto target = update::check_bootloader_images(candidates[0]->bytes, candidates[1]->bytes, std::span(&key, 1));
    if (!target) return Failure(std::move(target.error()).in(shown_path(options.image)).with("file", options.image));
    out.job.target = std::move(*target);
    if (!options.dry_run) {
        TRY_VOID(fill_credentials(program, options, out.job.endpoints, out.job));
    }
    program.out.note(fmt::format("package  bootloader version {} · {} bytes for s0, {} for s1",
                                 *out.job.target.info_version, with_thousands(out.job.target.image.size()),
                                 with_thousands(out.job.target.other_image.size())));
    return {};
}

/// Steps 1 to 3, and everything else that can go wrong before a port is opened.
Result<Prepared> prepare(Program& program, const Options& options) {
    Prepared out;
    TRY(out.job.endpoints, endpoints_of(options));
    TRY(out.job.policy, policy_of(options));
    TRY_VOID(fill_listen_job(program, options, out.job));

    if (!options.release_key.empty() && (options.how.bootloader() || options.how.modem()))
        return misuse("expected a release of an application for --release-key, found another --component",
                      "leave out --release-key: such packages come without a release");
    if (options.how.bootloader()) {
        TRY_VOID(prepare_bootloader(program, options, out));
        return out;
    }
    if (options.how.modem()) {
        // It is one file, which goes to the modem as it is.
        TRY(out.image, read_file(options.image, image_file_limit));
        auto target = update::check_modem_package(out.image, options.expect_version);
        if (!target)
            return Failure(std::move(target.error()).in(shown_path(options.image)).with("file", options.image));
        out.job.target = std::move(*target);
        if (!options.dry_run) {
            TRY_VOID(fill_credentials(program, options, out.job.endpoints, out.job));
        }
        program.out.note(fmt::format("package  {} bytes for the modem · its version will be {}",
                                     with_thousands(out.image.size()), printable(out.job.target.label)));
        return out;
    }
    const auto key_file = program.config.value_or(options.key, "key");
    const auto layout_path = program.config.value_or(options.layout, "layout");
    CheckedLayout layout;
    std::optional<image::PublicKey> key;
    if (!key_file.empty()) {
        TRY(key, load_public_key(key_file));
    }
    TRY(auto input, read_install_input(options.image, options.release_key, key_file));
    out.image = std::move(input.image);
    // What the file is comes before what a tree says of it.
    TRY_VOID(in_context(image::parse(out.image), shown_path(input.path)));
    if (!layout_path.empty()) {
        TRY(layout, check_layout(program, layout_path, out.image, input.path));
        if (!key) key = layout.key;
    }
    TRY_VOID(check_input(input, out.image, layout.context));
    if (!key)
        return misuse("expected the public key the image must be signed with, found none",
                      "--key PUB.pem, or --layout BUILD, whose MCUboot has it");
    const std::vector keys{*key};
    const auto& slots = layout.context.slots;
    auto checked = update::check_image(out.image, keys, slots);
    if (!checked) return Failure(std::move(checked.error()).in(shown_path(input.path)).with("file", input.path));
    out.job.target = std::move(checked->target);
    out.job.policy.board = layout.context.board;
    if (input.manifest) {
        out.job.policy.board = update::narrower_board(input.manifest->board, out.job.policy.board);
        out.job.policy.replaces = input.manifest->replaces;
        program.out.note(release_note(*input.manifest));
    }

    if (!options.dry_run) {
        TRY_VOID(fill_credentials(program, options, out.job.endpoints, out.job));
    }

    program.out.note(fmt::format(
        "image    {} · {} bytes · {} key {}{}", out.job.target.version.text(), with_thousands(out.image.size()),
        image::key_type_name(key->type()), short_hex(key->fingerprint()),
        checked->slot_limit ? fmt::format(" · fits {:#x} {} (limit {})", slots->primary.size,
                                          image::mode_name(slots->mode), with_thousands(*checked->slot_limit))
                            : std::string()));
    if (layout.rules > 0) program.out.note(fmt::format("layout   {} rules, no error", layout.rules));
    return out;
}

/// What may go wrong and need not: said once, before the first device.
void warn_of_uri(Output& out, const std::string& uri) {
    if (!uri.contains('?')) return;
    const std::string message =
        "expected a package URI without a query, found one with \"?\": some clients (Zephyr's) leave the query out "
        "when "
        "they fetch, and ask your server for another file";
    out.warn(fmt::format("{}  {}", out.styled(Style::yellow, "warning", false), message));
    out.event("warning", {{"code", "package-uri-query"}, {"message", message}});
}

int run(Program& program, const Options& options) {
    auto prepared = prepare(program, options);
    if (!prepared) return program.out.fail(prepared.error());
    warn_of_uri(program.out, prepared->job.policy.package_uri);
    if (options.dry_run) return dry_run(program, prepared->job);
    return run_push(program.out, prepared->job);
}

}  // namespace

void add_push(CLI::App& root, Program& program) {
    add_command<Options>(root, program, "push", "install an image on devices over LwM2M, and prove that it runs", bind,
                         run);
}

}  // namespace fota::cli
