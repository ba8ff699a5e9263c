// fotactl serial upload, fotactl serial update: an image over the cable, and the proof that it runs.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/text.hpp"
#include "cli/bundle_input.hpp"
#include "cli/cable_results.hpp"
#include "cli/diagnostics.hpp"
#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/key_files.hpp"
#include "cli/listen_options.hpp"
#include "cli/progress_text.hpp"
#include "cli/serial.hpp"
#include "cli/serial_hints.hpp"
#include "cli/signed_report.hpp"
#include "image/verify.hpp"
#include "update/preflight.hpp"
#include "update/serial_update.hpp"

namespace fota::cli {
namespace {

using boost::asio::awaitable;
using update::Outcome;

struct Options {
    SerialOptions serial;
    std::string image;
    std::string key;
    std::string release_key;
    std::string bundle_key;
    std::string endpoint;
    std::string results;
    std::string results_key;
    PassphraseOptions passphrase;
    std::string stall = "60s";
    std::string board;
    std::string downgrade_reason;
    std::uint32_t window = 0;
    std::optional<std::uint32_t> slot;
    bool confirm = false;
};

struct Prepared {
    Bytes image;
    update::Target target;
    update::SerialPolicy policy;
    SerialInput input;                   ///< its image moved to `image`
    std::optional<ResultsFile> results;  ///< of a bundle
};

/// An image into a slot: no more than an image. An update: a release or a bundle as well, with what they demand.
enum class Takes { image, release };

Result<> read_input(Prepared& out, const Options& options, const std::string& key_file, Takes takes) {
    if (takes == Takes::image) {
        TRY(out.image, read_image(options.image));
        return {};
    }
    TRY(out.input, read_serial_input({.path = options.image,
                                      .key = key_file,
                                      .release_key = options.release_key,
                                      .bundle_key = options.bundle_key,
                                      .endpoint = options.endpoint,
                                      .board = options.board}));
    out.image = std::move(out.input.image);
    out.policy.board = out.input.context.board;
    if (const auto& manifest = out.input.manifest) {
        out.policy.board = update::narrower_board(manifest->board, out.policy.board);
        out.policy.replaces = manifest->replaces;
    }
    if (!out.input.bundle && (!options.results.empty() || !options.results_key.empty()))
        return misuse("expected a bundle for --results and --results-key, found " + shown_path(options.image),
                      "only what is installed from a bundle is kept for the inventory");
    return {};
}

Result<Prepared> prepare(Program& program, const Options& options, Takes takes) {
    Prepared out;
    const auto key_file = program.config.value_or(options.key, "key");
    TRY_VOID(read_input(out, options, key_file, takes));
    TRY(const auto parsed, in_context(image::parse(out.image), shown_path(options.image)));
    if (!key_file.empty()) {
        TRY(const auto key, load_public_key(key_file));
        auto checked = update::check_image(out.image, std::span(&key, 1), out.input.context.slots);
        if (!checked)
            return Failure(std::move(checked.error()).in(shown_path(options.image)).with("file", options.image));
        out.target = std::move(checked->target);
    } else {
        TRY_VOID(in_context(image::verify(out.image, parsed, {}), shown_path(options.image)));
        out.target.image = out.image;
        out.target.version = parsed.header.version;
        out.target.hash = to_bytes(parsed.hash(out.image));
        out.target.end = parsed.end;
        out.policy.signature_verified = false;
    }
    TRY(out.policy.stall, parse_duration(options.stall));
    if (options.window > 0) out.policy.window = options.window;
    out.policy.permanent = options.confirm;
    if (!options.downgrade_reason.empty()) out.policy.downgrade_reason = options.downgrade_reason;
    // Last of all: what is refused leaves no file, and what cannot be kept is known before the device is touched.
    if (out.input.bundle) {
        const auto path = options.results.empty() ? options.image + ".results" : options.results;
        std::shared_ptr<image::Signer> signer;
        if (!options.results_key.empty()) {
            TRY(signer, document_key(options.results_key, options.passphrase));
        }
        TRY(out.results, ResultsFile::open(path, std::move(signer)));
    }
    return out;
}

constexpr std::chrono::milliseconds redraw_interval{100};

class Render final : public update::SerialObserver {
  public:
    Render(Output& out, std::string port) : out_(out), port_(std::move(port)) {}

    void step(update::SerialStep step) override {
        out_.event("step", {{"port", port_}, {"step", update::step_name(step)}});
        if (step == update::SerialStep::await_return) note("reset", "waiting for the device to swap and to answer");
    }
    void connected(const update::SmpDevice& device) override {
        recovery_ = device.mode == update::SmpMode::recovery;
        const auto* running = device.running();
        const auto version = running == nullptr ? std::string("?") : printable(running->version);
        out_.event("device", {{"port", port_},
                              {"mode", device.mode == update::SmpMode::application ? "application" : "recovery"},
                              {"board", printable(device.board)},
                              {"version", version}});
        note("device", fmt::format("{} · runs {}{}",
                                   device.mode == update::SmpMode::application ? "application" : "MCUboot's recovery",
                                   version, device.board.empty() ? "" : " · " + printable(device.board)));
    }
    void progress(const smp::Upload& upload) override {
        const auto now = std::chrono::steady_clock::now();
        if (!began_) {
            began_ = now;
            began_at_ = upload.acknowledged();
        }
        const auto seconds = std::chrono::duration<double>(now - *began_).count();
        const auto rate = seconds > 0.05 ? static_cast<double>(upload.acknowledged() - began_at_) / seconds : 0.0;
        const auto tenth = upload.size() == 0 ? 10 : upload.acknowledged() * 10 / upload.size();
        out_.event("progress", {{"port", port_},
                                {"bytes", upload.acknowledged()},
                                {"total", upload.size()},
                                {"rate", static_cast<std::uint64_t>(rate)},
                                {"retransmissions", upload.resent()}});
        const auto left = rate > 0 ? static_cast<double>(upload.size() - upload.acknowledged()) / rate : -1;
        const auto tail = fmt::format(
            "{:>3} %  {}/{}  {}/s  {} left{}", upload.acknowledged() * 100 / std::max<std::uint64_t>(upload.size(), 1),
            human_size(upload.acknowledged()), human_size(upload.size()), human_size(static_cast<std::uint64_t>(rate)),
            clock_text(left), upload.resent() == 0 ? "" : fmt::format("  {} sent again", upload.resent()));
        if (out_.live() && !upload.done()) {
            // A line redrawn a thousand times a second is a line nobody can read.
            if (now - drawn_ < redraw_interval) return;
            drawn_ = now;
            const auto part = static_cast<double>(upload.acknowledged()) /
                              static_cast<double>(std::max<std::uint64_t>(upload.size(), 1));
            const auto columns = std::clamp(out_.width() - static_cast<int>(tail.size()) - 14, 0, 40);
            out_.redraw(fmt::format("upload   {}  {}", progress_bar(part, columns), tail));
        } else if (out_.live() || tenth != tenth_) {
            tenth_ = tenth;
            note("upload", tail);
        }
    }
    void remark(const std::string& text) override {
        out_.event("note", {{"port", port_}, {"text", text}});
        note("", text);
    }

    bool recovery() const noexcept { return recovery_; }

  private:
    void note(std::string_view label, std::string_view text) { out_.note(fmt::format("{:<8} {}", label, text)); }

    Output& out_;
    std::string port_;
    std::optional<std::chrono::steady_clock::time_point> began_;
    std::uint64_t began_at_ = 0;
    std::uint64_t tenth_ = 0;
    std::chrono::steady_clock::time_point drawn_{};
    bool recovery_ = false;
};

nlohmann::json fields(const Options& options, const update::Report& report) {
    return {{"port", options.serial.port},
            {"from_version", printable(report.from_version)},
            {"to_version", report.to_version},
            {"running_version", printable(report.running_version)},
            {"bytes_sent", report.bytes_sent},
            {"blocks", report.blocks},
            {"retransmissions", report.retransmissions},
            {"seconds", static_cast<double>(report.elapsed.count()) / 1000}};
}

int finish(Program& program, const Options& options, const Result<>& ran, const update::Report& report) {
    auto& out = program.out;
    if (!ran) return out.fail(ran.error(), fields(options, report), update::outcome_name(report.outcome));
    if (report.error) return out.fail(*report.error, fields(options, report), update::outcome_name(report.outcome));
    return out.result(update::outcome_name(report.outcome), fields(options, report));
}

using Work = awaitable<update::Report> (*)(ports::SmpChannel&, const update::Target&, std::optional<std::uint32_t>,
                                           const update::SerialPolicy&, ports::Clock&, update::SerialObserver&);

/// `work` on the prepared image; the report is what counts, also of a run that was interrupted.
Result<> drive(Render& render, const Options& options, Prepared& prepared, update::Report& report, Work work) {
    auto ran =
        with_smp_channel(options.serial, [&](ports::SmpChannel& channel, ports::Clock& clock) -> awaitable<Result<>> {
            report = co_await work(channel, prepared.target, options.slot, prepared.policy, clock, render);
            if (report.error) co_return Failure(*report.error);
            co_return Result<>{};
        });
    if (ran) return ran;
    auto error = with_port_facts(std::move(ran.error()), options.serial.port);
    // Of an interrupted run the signal is the error; what it left behind stands in the report's.
    if (report.error) (void)std::move(error).with("smp", std::string(report.error->detail("smp")));
    return Failure(std::move(error));
}

awaitable<update::Report> update_whole(ports::SmpChannel& channel, const update::Target& target,
                                       std::optional<std::uint32_t>, const update::SerialPolicy& policy,
                                       ports::Clock& clock, update::SerialObserver& observer) {
    return update::run_serial(channel, target, policy, clock, observer);
}

/// The result of a bundle's update, for the inventory.
void keep(Program& program, const Options& options, const Prepared& prepared, const Result<>& ran,
          const update::Report& report) {
    if (!prepared.results) return;
    BundleResult result{options.endpoint, options.serial.port, *prepared.input.bundle, to_hex(prepared.target.hash),
                        report};
    if (!ran && !result.report.error) result.report.error = ran.error();
    if (const auto kept = prepared.results->append(result); !kept)
        program.out.warn(fmt::format("warning  the result is not kept: {}", kept.error().text()));
    else
        program.out.note(
            fmt::format("kept     {}, {}: fotactl bundle results merges it", shown_path(prepared.results->path()),
                        prepared.results->is_signed() ? "signed" : "not signed (--results-key KEY signs)"));
}

int run_update(Program& program, const Options& options) {
    auto prepared = prepare(program, options, Takes::release);
    if (!prepared) return program.out.fail(prepared.error());
    auto& out = program.out;
    out.note(fmt::format("image    {} · {} bytes{}", prepared->target.version.text(),
                         with_thousands(prepared->image.size()),
                         prepared->policy.signature_verified ? "" : " · signature not checked: no --key"));
    update::Report report;
    report.to_version = prepared->target.version.text();
    if (prepared->input.manifest) out.note(release_note(*prepared->input.manifest));
    if (!prepared->input.note.empty()) out.note("note     " + printable(prepared->input.note, 1024));
    Render render(program.out, options.serial.port);
    const auto ran = drive(render, options, *prepared, report, update_whole);
    keep(program, options, *prepared, ran, report);
    if (ran && !report.error) {
        const auto& from = report.from_version;
        if (report.outcome == Outcome::already_installed)
            out.line(fmt::format("already installed  {} runs and is confirmed", report.to_version));
        else
            out.line(fmt::format("updated  {} -> {} in {} · {} bytes in {} requests, {} sent again",
                                 from.empty() ? "?" : printable(from), report.to_version,
                                 human_duration(report.elapsed), with_thousands(report.bytes_sent), report.blocks,
                                 report.retransmissions));
    }
    return finish(program, options, ran, report);
}

int run_upload(Program& program, const Options& options) {
    auto prepared = prepare(program, options, Takes::image);
    if (!prepared) return program.out.fail(prepared.error());
    update::Report report;
    Render render(program.out, options.serial.port);
    const auto ran = drive(render, options, *prepared, report, update::upload_serial);
    if (!ran) return finish(program, options, ran, report);
    // What recovery wrote into another slot than a primary one is not what the bootloader starts.
    const bool starts = render.recovery() && options.slot.value_or(0) % 2 == 0;
    const auto next = starts ? std::string("it starts at the next reset: serial reset")
                             : fmt::format("it does not start by itself: serial test {}, then serial reset",
                                           to_hex(prepared->target.hash).substr(0, 8));
    program.out.line(fmt::format("uploaded  {} bytes in {} · {} requests, {} sent again; {}",
                                 with_thousands(prepared->image.size()), human_duration(report.elapsed), report.blocks,
                                 report.retransmissions, next));
    return program.out.result("done", fields(options, report));
}

void bind_image(CLI::App& app, Options& o) {
    app.add_option("IMAGE", o.image,
                   "the signed image: binary, Intel HEX or a DFU package; for an update also a release or a bundle")
        ->required();
    bind_serial(app, o.serial);
    app.add_option("--key", o.key, "public key the image must be signed with")->type_name("PUB");
    app.add_option("--window", o.window, "requests in flight (default: as many as the device has buffers)")
        ->type_name("N");
    app.add_option("--stall", o.stall, "give up after this long without progress")
        ->type_name("D")
        ->capture_default_str();
}

}  // namespace

void add_serial_update(CLI::App& serial, Program& program) {
    add_command<Options>(
        serial, program, "upload", "write an image into a slot, and nothing more",
        [](CLI::App& app, Options& o) {
            bind_image(app, o);
            app.add_option(
                   "--slot", o.slot,
                   "as serial list counts them (default: the one the server writes: an application's other slot, "
                   "recovery's primary one)")
                ->check(CLI::Range(0U, update::highest_slot))
                ->type_name("N");
        },
        run_upload);
    add_command<Options>(
        serial, program, "update", "check, upload, test, reset, prove and confirm",
        [](CLI::App& app, Options& o) {
            bind_image(app, o);
            app.add_option("--release-key", o.release_key, "public key a release must be signed with (default: --key)")
                ->type_name("PUB");
            app.add_option("--bundle-key", o.bundle_key, "public key a bundle must be signed with (default: --key)")
                ->type_name("PUB");
            app.add_option("--endpoint", o.endpoint, "the device at hand, by the name the bundle lists")
                ->type_name("EP");
            app.add_option("--results", o.results, "where a bundle's results are kept (default: BUNDLE.results)")
                ->type_name("F");
            app.add_option("--results-key", o.results_key,
                           "private key of this laptop that signs each result, Ed25519 or P-256")
                ->type_name("KEY");
            bind_passphrase(app, o.passphrase);
            app.add_option("--board", o.board, "what the device's board must be, with or without its qualifiers")
                ->type_name("NAME");
            app.add_option("--allow-downgrade", o.downgrade_reason, "install an older version")->type_name("REASON");
            app.add_flag("--confirm", o.confirm, "no test: permanent before the reset, without a way back");
        },
        run_update);
}

}  // namespace fota::cli
