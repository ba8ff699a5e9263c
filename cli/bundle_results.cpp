#include "cli/bundle_results.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/sqlite_store.hpp"
#include "adapters/state_lock.hpp"
#include "base/text.hpp"
#include "cli/cable_results.hpp"
#include "cli/files.hpp"
#include "cli/signed_report.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string file;
    std::string key;
    std::string state_dir;
};

struct Merged {
    std::size_t added = 0;
    std::size_t known = 0;
    ResultsRead read;
    std::vector<ports::Fact> results;  ///< those that were added
};

Result<Merged> merge(Program& program, const Options& options) {
    std::optional<image::PublicKey> key;
    if (!options.key.empty()) {
        TRY(key, document_check(options.key));
    }
    TRY(const auto bytes, read_file(options.file, image_file_limit));
    Merged out;
    auto read = read_results(as_text(bytes), key);
    if (!read)
        return fail(std::move(read.error()).with("file", options.file).in("reading " + shown_path(options.file)));
    out.read = std::move(*read);
    if (out.read.facts.empty())
        return fail(Error(Errc::config_invalid,
                          fmt::format("expected results of serial update in {}, found none", shown_path(options.file)))
                        .with("file", options.file));
    const auto directory = program.config.state_dir(options.state_dir).text;
    TRY_VOID(adapters::create_state_directory(directory));
    TRY(const auto lock, adapters::StateLock::acquire(directory));
    TRY(const auto store, adapters::SqliteStore::open(directory));
    for (auto& fact : out.read.facts) {
        TRY(const auto before, store->facts(fact.subject));
        const bool known = std::ranges::any_of(
            before, [&](const ports::Fact& each) { return each.kind == fact.kind && each.attempt == fact.attempt; });
        if (known) {
            ++out.known;
            continue;
        }
        TRY_VOID(store->append(fact, ports::Durability::full));
        ++out.added;
        out.results.push_back(std::move(fact));
    }
    return out;
}

/// How far the lines can be trusted: "good", "unchecked", "none".
std::string_view signature_of(const Options& options, const ResultsRead& read) {
    if (!options.key.empty()) return "good";
    return read.signed_lines > 0 ? "unchecked" : "none";
}

int run(Program& program, const Options& options) {
    const auto merged = merge(program, options);
    auto& out = program.out;
    if (!merged) return out.fail(merged.error());
    for (const auto& fact : merged->results) {
        const auto field = [&](const char* name) {
            const auto it = fact.fields.find(name);
            return it == fact.fields.end() ? std::string() : printable(it->second);
        };
        out.event("device", {{"endpoint", printable(fact.subject)},
                             {"outcome", field("outcome")},
                             {"running_version", field("running_version")},
                             {"at", field("at")}});
        out.line(fmt::format("{}  {}  {}  {}", field("at"), printable(fact.subject), field("outcome"),
                             field("running_version")));
    }
    const auto& read = merged->read;
    for (const auto line : read.unreadable)
        out.warn(fmt::format("warning  line {} is cut or no result, and was left out", line));
    if (options.key.empty() && read.signed_lines > 0)
        out.warn(
            "warning  signatures not checked: --key PUB, the laptop's public key, refuses a file that was altered");
    if (options.key.empty() && read.unsigned_lines > 0)
        out.warn(
            fmt::format("warning  {} without a signature: whoever had the file may have changed them (fotactl serial "
                        "update --results-key KEY signs)",
                        read.unsigned_lines == 1 ? "1 result" : fmt::format("{} results", read.unsigned_lines)));
    out.line(fmt::format("{} added, {} known before{}", merged->added, merged->known,
                         options.key.empty() ? "" : " · signatures good"));
    return out.result("done", {{"added", merged->added},
                               {"known", merged->known},
                               {"unreadable", read.unreadable.size()},
                               {"signature", signature_of(options, read)}});
}

}  // namespace

void add_bundle_results(CLI::App& group, Program& program) {
    add_command<Options>(
        group, program, "results", "merge a laptop's results into the state directory",
        [](CLI::App& app, Options& o) {
            app.add_option("RESULTS", o.file, "what serial update kept beside the bundle")->required();
            app.add_option("--key", o.key,
                           "public key of the laptop: refuse a file that was altered, or is not signed (not noticed: "
                           "last lines cut off)")
                ->type_name("PUB");
            app.add_option("--state-dir", o.state_dir, "where the devices are kept")->type_name("D");
        },
        run);
}

}  // namespace fota::cli
