#include "release/manifest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "release/signed_document.hpp"

namespace fota::release {
namespace {

using nlohmann::json;

constexpr std::int64_t format = 1;
constexpr std::uint64_t largest_image = 64ULL * 1024 * 1024;
constexpr std::size_t longest_file_name = 128;
constexpr std::size_t longest_word = 64;
constexpr std::size_t longest_notes = 4096;
/// All bounded fields together, escaped, stay far below it.
constexpr std::size_t longest_manifest = 64 * 1024;

Failure invalid(std::string message) {
    return fail(Errc::config_invalid, "release: " + std::move(message));
}

bool plain(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '_' || c == '+' || c == '@' || c == '/';
    });
}

bool is_file_name(std::string_view name) {
    return !name.empty() && name.size() <= longest_file_name && !name.starts_with('.') && plain(name) &&
           name.find_first_of("/@") == std::string_view::npos;
}

/// Takes the keys out of a payload; the first that does not fit is the error.
class Taker {
  public:
    explicit Taker(const json& from) : from_(from) {}

    const std::string* text(const char* key, bool required) {
        const auto it = from_.find(key);
        if (it == from_.end()) {
            if (required) wrong(fmt::format("expected the key \"{}\", found none", key));
            return nullptr;
        }
        const auto* out = it->get_ptr<const std::string*>();
        if (out == nullptr) wrong(fmt::format("expected \"{}\" to be a text, found another value", key));
        return out;
    }
    void copy(const char* key, std::string& out) {
        if (const auto* found = text(key, false)) out = *found;
    }
    std::optional<Bytes> hex(const char* key, bool required) {
        const auto* found = text(key, required);
        if (found == nullptr) return std::nullopt;
        auto out = from_hex(*found);
        if (!out || to_hex(*out) != *found) {
            wrong(fmt::format("expected \"{}\" in lower-case hexadecimal, found \"{}\"", key, printable(*found, 140)));
            return std::nullopt;
        }
        return out;
    }
    std::optional<Digest256> digest(const char* key, bool required) {
        const auto bytes = hex(key, required);
        if (!bytes) return std::nullopt;
        Digest256 out{};
        if (bytes->size() != out.size()) {
            wrong(fmt::format("expected \"{}\" to have 32 bytes, found {}", key, bytes->size()));
            return std::nullopt;
        }
        std::ranges::copy(*bytes, out.begin());
        return out;
    }
    std::optional<image::Version> version(const char* key, bool required) {
        const auto* found = text(key, required);
        if (found == nullptr) return std::nullopt;
        const auto out = image::Version::parse(*found);
        if (!out) {
            wrong(fmt::format("expected \"{}\" to be a version such as 1.2.3+4, found \"{}\"", key,
                              printable(*found, 64)));
            return std::nullopt;
        }
        return *out;
    }
    std::uint64_t number(const char* key) {
        const auto it = from_.find(key);
        if (it == from_.end() || !it->is_number_unsigned()) {
            wrong(fmt::format("expected \"{}\" to be a number, found {}", key,
                              it == from_.end() ? "none" : "another value"));
            return 0;
        }
        return it->get<std::uint64_t>();
    }
    void wrong(std::string message) {
        if (!error_) error_ = std::move(message);
    }
    const std::optional<std::string>& error() const { return error_; }

  private:
    const json& from_;
    std::optional<std::string> error_;
};

constexpr std::array<std::string_view, 14> known_keys{"board",    "expires", "file",  "format",      "image_hash",
                                                      "key_hash", "layout",  "notes", "max_version", "min_version",
                                                      "sha256",   "size",    "soc",   "version"};

}  // namespace

Result<Manifest> describe_image(BytesView file, std::string name) {
    TRY(const auto parsed, image::parse(file));
    Manifest out;
    out.file = std::move(name);
    out.size = file.size();
    out.sha256 = fota::sha256(file);
    out.image_hash = to_bytes(parsed.hash(file));
    out.version = parsed.header.version;
    out.key_hash = to_bytes(parsed.key_hash(file));
    TRY_VOID(validate(out));
    return out;
}

Result<> validate(const Manifest& manifest) {
    if (!is_file_name(manifest.file))
        return invalid(fmt::format("expected a file name of at most {} letters, digits and .-_+, found \"{}\"",
                                   longest_file_name, printable(manifest.file, 140)));
    if (manifest.size == 0 || manifest.size > largest_image)
        return invalid(fmt::format("expected an image of 1 to {} bytes, found {}", with_thousands(largest_image),
                                   with_thousands(manifest.size)));
    const auto is_hash = [](const Bytes& hash) { return hash.size() == 32 || hash.size() == 48 || hash.size() == 64; };
    if (!is_hash(manifest.image_hash))
        return invalid(
            fmt::format("expected an image hash of 32, 48 or 64 bytes, found {}", manifest.image_hash.size()));
    if (!manifest.key_hash.empty() && !is_hash(manifest.key_hash))
        return invalid(fmt::format("expected a key hash of 32, 48 or 64 bytes, found {}", manifest.key_hash.size()));
    for (const auto& [what, text] : {std::pair{"board", &manifest.board}, std::pair{"soc", &manifest.soc}})
        if (text->size() > longest_word || !plain(*text))
            return invalid(fmt::format("expected a {} of at most {} letters, digits and .-_+@/, found \"{}\"", what,
                                       longest_word, printable(*text, 80)));
    if (manifest.notes.size() > longest_notes)
        return invalid(
            fmt::format("expected notes of at most {} bytes, found {}", longest_notes, manifest.notes.size()));
    const auto& range = manifest.replaces;
    if (range.min && range.max && *range.min > *range.max)
        return invalid(fmt::format("expected a minimum version below the maximum, found {} and {}", range.min->text(),
                                   range.max->text()));
    return {};
}

std::string canonical_text(const Manifest& manifest) {
    json out{{"format", format},
             {"file", manifest.file},
             {"size", manifest.size},
             {"sha256", to_hex(manifest.sha256)},
             {"image_hash", to_hex(manifest.image_hash)},
             {"version", manifest.version.full()}};
    if (!manifest.key_hash.empty()) out["key_hash"] = to_hex(manifest.key_hash);
    if (!manifest.board.empty()) out["board"] = manifest.board;
    if (!manifest.soc.empty()) out["soc"] = manifest.soc;
    if (manifest.layout) out["layout"] = to_hex(*manifest.layout);
    if (manifest.replaces.min) out["min_version"] = manifest.replaces.min->full();
    if (manifest.replaces.max) out["max_version"] = manifest.replaces.max->full();
    if (manifest.expires) out["expires"] = timestamp_text(*manifest.expires);
    if (!manifest.notes.empty()) out["notes"] = manifest.notes;
    return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Manifest> parse_manifest(std::string_view text) {
    if (text.size() > longest_manifest)
        return invalid(fmt::format("expected at most {} bytes, found {}", longest_manifest, text.size()));
    const auto document = json::parse(text, nullptr, false);
    if (!document.is_object()) return invalid("expected a JSON object, found other text");
    if (document.value("format", json()) != format)
        return invalid(fmt::format("expected format {}, found {}", format,
                                   printable(document.value("format", json()).dump(-1, ' ', true), 20)));
    for (const auto& [key, ignored] : document.items())
        if (std::ranges::find(known_keys, key) == known_keys.end())
            return invalid(fmt::format("expected only keys of format {}, found \"{}\"", format, printable(key, 64)));
    Manifest out;
    Taker take(document);
    if (const auto* name = take.text("file", true)) out.file = *name;
    out.size = take.number("size");
    out.sha256 = take.digest("sha256", true).value_or(Digest256{});
    out.image_hash = take.hex("image_hash", true).value_or(Bytes{});
    out.version = take.version("version", true).value_or(image::Version{});
    out.key_hash = take.hex("key_hash", false).value_or(Bytes{});
    take.copy("board", out.board);
    take.copy("soc", out.soc);
    out.layout = take.digest("layout", false);
    out.replaces.min = take.version("min_version", false);
    out.replaces.max = take.version("max_version", false);
    take.copy("notes", out.notes);
    if (const auto* expires = take.text("expires", false)) {
        const auto time = parse_timestamp(*expires);
        if (time) out.expires = *time;
        if (!time) take.wrong(time.error().message());
    }
    if (take.error()) return invalid(*take.error());
    TRY_VOID(validate(out));
    // A key twice, white space, or a number or time in another spelling: two readers might read two releases.
    if (canonical_text(out) != text)
        return invalid("expected the canonical form (keys sorted, each once, no white space), found another");
    return out;
}

Result<std::string> sign_manifest(const Manifest& manifest, image::Signer& signer) {
    TRY_VOID(validate(manifest));
    // What is signed is what will be read: a text that is no UTF-8 would not come back.
    const auto text = canonical_text(manifest);
    TRY_VOID(parse_manifest(text));
    return sign_document(json::parse(text), manifest_type, signer);
}

Result<Manifest> open_manifest(std::string_view text, const image::PublicKey& key) {
    if (text.size() > 2 * longest_manifest)
        return invalid(fmt::format("expected at most {} bytes, found {}", 2 * longest_manifest, text.size()));
    TRY(const auto payload, open_payload(text, manifest_type, key));
    return parse_manifest(payload);
}

Result<UncheckedManifest> read_manifest(std::string_view text) {
    if (text.size() > 2 * longest_manifest)
        return invalid(fmt::format("expected at most {} bytes, found {}", 2 * longest_manifest, text.size()));
    TRY(auto content, read_unchecked(text, manifest_type));
    UncheckedManifest out;
    TRY(out.manifest, parse_manifest(content.payload));
    out.key_id = std::move(content.key_id);
    out.algorithm = std::move(content.algorithm);
    return out;
}

Result<> check_expiry(const Manifest& manifest, Timestamp now) {
    if (!manifest.expires || now < *manifest.expires) return {};
    return fail(Errc::policy_refused,
                fmt::format("expected a release that is still good at {}, found one that expired at {}",
                            timestamp_text(now), timestamp_text(*manifest.expires)));
}

Result<> check_file(const Manifest& manifest, BytesView file) {
    const auto differs = [](std::string_view what, const std::string& expected, const std::string& found) {
        return fail(Errc::image_rejected,
                    fmt::format("expected the image of the release with {} {}, found {}", what, expected, found));
    };
    if (file.size() != manifest.size)
        return differs("a size of", with_thousands(manifest.size), with_thousands(file.size()));
    if (const auto digest = fota::sha256(file); digest != manifest.sha256)
        return differs("SHA-256", short_hex(manifest.sha256), short_hex(digest));
    // The file is the signer's; what the release says about it must be so as well.
    TRY(const auto parsed, image::parse(file));
    if (!std::ranges::equal(parsed.hash(file), manifest.image_hash))
        return differs("image hash", short_hex(manifest.image_hash), short_hex(parsed.hash(file)));
    if (parsed.header.version != manifest.version)
        return differs("version", manifest.version.full(), parsed.header.version.full());
    if (!std::ranges::equal(parsed.key_hash(file), manifest.key_hash))
        return differs("key hash", short_hex(manifest.key_hash), short_hex(parsed.key_hash(file)));
    return {};
}

}  // namespace fota::release
