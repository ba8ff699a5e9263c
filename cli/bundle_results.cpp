#include "cli/bundle_results.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <random>

#include "adapters/sqlite_store.hpp"
#include "adapters/state_lock.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "cli/files.hpp"
#include "release/timestamp.hpp"

namespace fota::cli {
namespace {

using nlohmann::json;

constexpr std::int64_t format = 1;
constexpr std::size_t longest_field = 512;
/// Kind of the fact in the store; its attempt is the identity of the line.
constexpr auto fact_kind = "cable-result";
constexpr std::array text_fields{"at",    "bundle",  "endpoint", "error",           "from_version",
                                 "image", "outcome", "port",     "running_version", "to_version"};

Failure unwritable(const std::string& path, int error) {
    return fail(Error(Errc::file_unwritable,
                      fmt::format("expected to append to {}, found: {}", shown_path(path), std::strerror(error)))
                    .with("file", path));
}

class Descriptor {
  public:
    explicit Descriptor(const std::string& path)
        : number_(::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666)) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int number() const noexcept { return number_; }

  private:
    int number_;
};

/// nullopt for a line that is none of ours, or was cut.
std::optional<ports::Fact> fact_of(std::string_view line) {
    const auto document = json::parse(line, nullptr, false);
    if (!document.is_object() || document.value("format", json()) != format) return std::nullopt;
    ports::Fact out;
    for (const auto* name : text_fields) {
        const auto it = document.find(name);
        if (it == document.end() || !it->is_string()) return std::nullopt;
        const auto& text = it->get_ref<const std::string&>();
        if (text.size() > longest_field) return std::nullopt;
        if (!text.empty()) out.fields[name] = text;
    }
    if (!out.fields.contains("endpoint") || !release::parse_timestamp(out.fields["at"])) return std::nullopt;
    out.kind = fact_kind;
    out.subject = out.fields["endpoint"];
    out.fields.erase("endpoint");
    out.attempt = to_hex(sha256(as_bytes(line))).substr(0, 32);
    return out;
}

struct Options {
    std::string file;
    std::string state_dir;
};

struct Merged {
    std::size_t added = 0;
    std::size_t known = 0;
    std::vector<std::size_t> unreadable;  ///< line numbers
    std::vector<ports::Fact> results;     ///< those that were added
};

Result<Merged> merge(Program& program, const Options& options) {
    TRY(const auto bytes, read_file(options.file, image_file_limit));
    Merged out;
    std::vector<ports::Fact> facts;
    std::size_t number = 0;
    for (auto text = as_text(bytes); !text.empty();) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        ++number;
        if (line.empty()) continue;
        if (auto fact = fact_of(line))
            facts.push_back(std::move(*fact));
        else
            out.unreadable.push_back(number);
    }
    if (facts.empty())
        return fail(Error(Errc::config_invalid,
                          fmt::format("expected results of serial update in {}, found none", shown_path(options.file)))
                        .with("file", options.file));
    const auto directory = program.config.state_dir(options.state_dir).text;
    TRY_VOID(adapters::create_state_directory(directory));
    TRY(const auto lock, adapters::StateLock::acquire(directory));
    TRY(const auto store, adapters::SqliteStore::open(directory));
    for (auto& fact : facts) {
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
    for (const auto line : merged->unreadable)
        out.warn(fmt::format("warning  line {} is cut or no result, and was left out", line));
    out.line(fmt::format("{} added, {} known before", merged->added, merged->known));
    return out.result("done",
                      {{"added", merged->added}, {"known", merged->known}, {"unreadable", merged->unreadable.size()}});
}

}  // namespace

Result<ResultsFile> ResultsFile::open(std::string path) {
    const Descriptor file(path);
    if (file.number() < 0) return unwritable(path, errno);
    ResultsFile out;
    out.path_ = std::move(path);
    return out;
}

Result<> ResultsFile::append(const BundleResult& result) const {
    const auto bounded = [](const std::string& text) { return printable(text, 400); };
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto& report = result.report;
    // Two attempts within a second may else be the same line, and a line is merged once.
    std::random_device random;
    const json document{{"format", format},
                        {"id", fmt::format("{:08x}{:08x}{:08x}", random(), random(), random())},
                        {"at", release::timestamp_text(now)},
                        {"endpoint", result.endpoint},
                        {"port", bounded(result.port)},
                        {"bundle", result.bundle},
                        {"image", result.image},
                        {"outcome", update::outcome_name(report.outcome)},
                        {"from_version", bounded(report.from_version)},
                        {"to_version", report.to_version},
                        {"running_version", bounded(report.running_version)},
                        {"error", report.error ? bounded(report.error->text()) : ""}};
    auto line = document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    const Descriptor file(path_);
    if (file.number() < 0) return unwritable(path_, errno);
    // A line that a full disk once cut must not swallow this one.
    char last = '\n';
    if (const auto end = ::lseek(file.number(), 0, SEEK_END); end > 0 && ::pread(file.number(), &last, 1, end - 1) != 1)
        return unwritable(path_, errno);
    if (last != '\n') line.insert(0, "\n");
    if (::write(file.number(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
        ::fsync(file.number()) != 0)
        return unwritable(path_, errno == 0 ? ENOSPC : errno);
    return {};
}

void add_bundle_results(CLI::App& group, Program& program) {
    add_command<Options>(
        group, program, "results", "merge a laptop's results into the state directory",
        [](CLI::App& app, Options& o) {
            app.add_option("RESULTS", o.file, "what serial update kept beside the bundle")->required();
            app.add_option("--state-dir", o.state_dir, "where the devices are kept")->type_name("D");
        },
        run);
}

}  // namespace fota::cli
