#include "cli/cable_results.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "cli/files.hpp"
#include "release/signed_document.hpp"
#include "release/timestamp.hpp"
#include "update/device_record.hpp"

namespace fota::cli {
namespace {

using nlohmann::json;

constexpr std::int64_t format = 1;
constexpr std::size_t longest_field = 512;
/// Above any line of ours: as much of the file's end is looked at for the last one.
constexpr off_t longest_line = 64 * 1024;
constexpr std::string_view ask_again = "ask for the file as the laptop wrote it; nothing of this one was merged";
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

std::string identity(std::string_view line) {
    return to_hex(sha256(as_bytes(line)));
}

/// The bytes at the file's end, up to longest_line of them.
Result<std::string> tail_of(const Descriptor& file, const std::string& path) {
    const auto end = ::lseek(file.number(), 0, SEEK_END);
    if (end < 0) return unwritable(path, errno);
    const auto size = std::min<off_t>(end, longest_line);
    std::string out(static_cast<std::size_t>(size), '\0');
    if (size > 0 && ::pread(file.number(), out.data(), out.size(), end - size) != size) return unwritable(path, errno);
    return out;
}

/// Without its line end; "" in an empty file.
std::string_view last_line(std::string_view tail) {
    while (tail.ends_with('\n')) tail.remove_suffix(1);
    const auto begin = tail.rfind('\n');
    return begin == std::string_view::npos ? tail : tail.substr(begin + 1);
}

/// nullopt for what is no result.
std::optional<ports::Fact> fact_of(const json& document, std::string_view line) {
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
    out.kind = update::cable_result_fact;
    out.subject = out.fields["endpoint"];
    out.fields.erase("endpoint");
    out.attempt = identity(line).substr(0, 32);
    return out;
}

std::string at_line(std::size_t number) {
    return fmt::format("reading line {}", number);
}

Failure displaced(std::size_t number) {
    return fail(Error(Errc::signature_invalid,
                      fmt::format("expected line {} to follow the line it was written after, found another before it: "
                                  "lines were changed, taken out, put in or moved",
                                  number))
                    .with("hint", std::string(ask_again)));
}

/// Takes the lines one after the other.
class Reader {
  public:
    explicit Reader(const std::optional<image::PublicKey>& key) : key_(key) {}

    Result<> take(std::string_view line) {
        ++number_;
        if (line.empty()) return {};
        const auto before = std::exchange(before_, identity(line));
        const bool is_signed = release::looks_like_document(line, result_type);
        json document = json::parse(line, nullptr, false);
        if (is_signed) {
            ++out.signed_lines;
            TRY(document, content_of(line, before));
        } else if (document.is_object()) {
            ++out.unsigned_lines;
            if (key_)
                return fail(
                    Error(Errc::policy_refused,
                          fmt::format("expected every result signed, found line {} without a signature", number_))
                        .with("hint", "results of before the laptop had a key: merge them without --key"));
        }
        if (auto fact = fact_of(document, line)) {
            if (key_) fact->fields["signed_by"] = to_hex(key_->fingerprint());
            out.facts.push_back(std::move(*fact));
        } else {
            out.unreadable.push_back(number_);
        }
        return {};
    }

    ResultsRead out;

  private:
    Result<json> content_of(std::string_view line, const std::string& before) const {
        if (!key_) {
            TRY(const auto unchecked, release::read_unchecked(line, result_type));
            return json::parse(unchecked.payload, nullptr, false);
        }
        auto content = release::open_document(line, result_type, *key_);
        if (!content && content.error().code() == Errc::signature_invalid)
            return fail(std::move(content.error()).in(at_line(number_)).with("hint", std::string(ask_again)));
        if (!content) return fail(std::move(content.error()).in(at_line(number_)));
        if (content->value("previous", json()) != before) return displaced(number_);
        return content;
    }

    const std::optional<image::PublicKey>& key_;
    std::size_t number_ = 0;
    std::string before_;  ///< identity of the line before
};

}  // namespace

Result<ResultsFile> ResultsFile::open(std::string path, std::shared_ptr<image::Signer> signer) {
    const Descriptor file(path);
    if (file.number() < 0) return unwritable(path, errno);
    ResultsFile out;
    out.path_ = std::move(path);
    out.signer_ = std::move(signer);
    return out;
}

Result<> ResultsFile::append(const BundleResult& result) const {
    const auto bounded = [](const std::string& text) { return printable(text, 400); };
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto& report = result.report;
    // Two attempts within a second may else be the same line, and a line is merged once.
    std::random_device random;
    json document{{"format", format},
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
    const Descriptor file(path_);
    if (file.number() < 0) return unwritable(path_, errno);
    // Two cables on one laptop write one file, and each line has to know the one before.
    if (::flock(file.number(), LOCK_EX) != 0) return unwritable(path_, errno);
    TRY(const auto tail, tail_of(file, path_));
    std::string line;
    if (signer_) {
        const auto before = last_line(tail);
        document["previous"] = before.empty() ? "" : identity(before);
        TRY(line, release::sign_document(document, result_type, *signer_));
    } else {
        line = document.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    }
    // A line that a full disk once cut must not swallow this one.
    if (!tail.empty() && !tail.ends_with('\n')) line.insert(0, "\n");
    if (::write(file.number(), line.data(), line.size()) != static_cast<ssize_t>(line.size()) ||
        ::fsync(file.number()) != 0)
        return unwritable(path_, errno == 0 ? ENOSPC : errno);
    return {};
}

Result<ResultsRead> read_results(std::string_view text, const std::optional<image::PublicKey>& key) {
    Reader reader(key);
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        TRY_VOID(reader.take(line));
    }
    return std::move(reader.out);
}

}  // namespace fota::cli
