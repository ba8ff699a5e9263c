#include "image/dfu_zip.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"

namespace fota::image {
namespace {

struct FreeArchive {
    void operator()(archive* pointer) const noexcept { archive_read_free(pointer); }
};
using Archive = std::unique_ptr<archive, FreeArchive>;
using Files = std::map<std::string, Bytes, std::less<>>;
using nlohmann::json;

/// Deflate, which the build uses, gives at most 1,032 bytes for one; other methods could give far more.
constexpr std::uint64_t largest_ratio = 1100;
constexpr std::string_view manifest_name = "manifest.json";

Failure malformed(std::string message) {
    return fail(Errc::image_malformed, std::move(message));
}

Failure damaged(archive* reader) {
    const char* reason = archive_error_string(reader);
    return malformed(fmt::format("expected a readable zip archive, found {}",
                                 reason == nullptr ? "a damaged one" : printable(reason, 120)));
}

/// A name that stays inside the package.
Result<std::string> checked_name(const char* raw) {
    if (raw == nullptr) return malformed("expected file names in ASCII in the package, found another");
    const std::string name(raw);
    const bool climbs =
        name == ".." || name.starts_with("../") || name.find("/../") != std::string::npos || name.ends_with("/..");
    if (name.empty() || name.front() == '/' || name.find('\\') != std::string::npos ||
        name.find(':') != std::string::npos || climbs)
        return malformed(fmt::format("expected file names below the package, found \"{}\"", printable(name, 80)));
    return name;
}

/// Appends one entry's content; `room` is what the package may still unpack to.
Result<Bytes> content(archive* reader, const std::string& name, std::uint64_t room) {
    Bytes out;
    std::array<std::uint8_t, 16384> buffer{};
    while (true) {
        const auto got = archive_read_data(reader, buffer.data(), buffer.size());
        if (got == 0) return out;
        if (got < 0) return damaged(reader);
        if (static_cast<std::uint64_t>(got) > room - out.size())
            return malformed(fmt::format("expected a package that unpacks to at most {} more bytes at {}, found more",
                                         room, printable(name, 80)));
        append(out, BytesView(buffer).first(static_cast<std::size_t>(got)));
    }
}

Result<Files> unpack(BytesView bytes) {
    const Archive reader(archive_read_new());
    // The seekable reader goes by the central directory, as everyone else's does: no second truth in the local headers.
    if (!reader || archive_read_support_format_zip_seekable(reader.get()) != ARCHIVE_OK ||
        archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) != ARCHIVE_OK)
        return damaged(reader.get());
    const auto most = std::min<std::uint64_t>(zip_size_limit, bytes.size() * largest_ratio);
    Files out;
    std::uint64_t total = 0;
    for (std::uint64_t entries = 0;; ++entries) {
        archive_entry* entry = nullptr;
        const int state = archive_read_next_header(reader.get(), &entry);
        if (state == ARCHIVE_EOF) return out;
        if (state != ARCHIVE_OK) return damaged(reader.get());
        if (entries == zip_entry_limit)
            return malformed(fmt::format("expected a package of at most {} files, found more", zip_entry_limit));
        TRY(auto name, checked_name(archive_entry_pathname(entry)));
        if (archive_entry_is_encrypted(entry) != 0)
            return malformed(fmt::format("expected files that need no password in the package, found {} encrypted",
                                         printable(name, 80)));
        const auto type = archive_entry_filetype(entry);
        if (type == AE_IFDIR) continue;
        if (type != AE_IFREG)
            return malformed(
                fmt::format("expected plain files in the package, found {} of another kind", printable(name, 80)));
        TRY(auto data, content(reader.get(), name, most - total));
        total += data.size();
        if (!out.emplace(name, std::move(data)).second)
            return malformed(
                fmt::format("expected each file once in the package, found {} twice", printable(name, 80)));
    }
}

std::string text_of(const json& entry, const char* key) {
    const auto it = entry.find(key);
    return it != entry.end() && it->is_string() ? it->get<std::string>() : std::string{};
}

/// The build writes numbers as such or as text; nullopt where there is none.
std::optional<std::uint64_t> number_of(const json& entry, const char* key) {
    const auto it = entry.find(key);
    if (it == entry.end()) return std::nullopt;
    if (it->is_number_unsigned()) return it->get<std::uint64_t>();
    if (!it->is_string()) return std::nullopt;
    const auto& text = it->get_ref<const std::string&>();
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

Result<DfuImage> image_of(const json& entry, Files& files) {
    DfuImage out;
    out.file = entry.is_object() ? text_of(entry, "file") : std::string{};
    if (out.file.empty())
        return malformed("expected every entry of the manifest's \"files\" to name its \"file\", found one without");
    const auto found = files.find(out.file);
    if (found == files.end())
        return malformed(
            fmt::format("expected the file {} of the manifest in the package, found none", printable(out.file, 80)));
    if (const auto size = number_of(entry, "size"); size && *size != found->second.size())
        return malformed(fmt::format("expected {} bytes in {}, as the manifest says, found {}", *size,
                                     printable(out.file, 80), found->second.size()));
    out.type = text_of(entry, "type");
    out.board = text_of(entry, "board");
    out.version = text_of(entry, "version_MCUBOOT");
    out.image_index = number_of(entry, "image_index").value_or(0);
    out.slot = number_of(entry, "slot");
    out.bytes = found->second;
    return out;
}

}  // namespace

bool looks_like_zip(BytesView bytes) noexcept {
    static constexpr std::array<std::uint8_t, 4> local_header{'P', 'K', 3, 4};
    return bytes.size() >= local_header.size() && std::ranges::equal(bytes.first(local_header.size()), local_header);
}

Result<DfuPackage> read_dfu_zip(BytesView bytes) {
    if (!looks_like_zip(bytes)) return malformed("expected a zip archive, found something else");
    TRY(auto files, unpack(bytes));
    const auto found = files.find(manifest_name);
    if (found == files.end()) return malformed("expected a manifest.json in the package, found none");
    if (found->second.size() > zip_manifest_limit)
        return malformed(fmt::format("expected a manifest.json of at most {} bytes, found {}", zip_manifest_limit,
                                     found->second.size()));
    const auto manifest = json::parse(found->second, nullptr, false);
    const auto* list = manifest.is_object() && manifest.contains("files") ? &manifest["files"] : nullptr;
    if (list == nullptr || !list->is_array() || list->empty() || list->size() > zip_entry_limit)
        return malformed(fmt::format("expected a manifest.json with 1 to {} \"files\", found {}", zip_entry_limit,
                                     manifest.is_discarded() ? "text that is no JSON" : "another structure"));
    DfuPackage out;
    out.name = text_of(manifest, "name");
    std::uint64_t total = 0;
    for (const auto& each : *list) {
        TRY(auto image, image_of(each, files));
        total += image.bytes.size();
        if (total > zip_size_limit)
            return malformed(fmt::format("expected images of at most {} bytes in all, found more", zip_size_limit));
        out.images.push_back(std::move(image));
    }
    return out;
}

Result<const DfuImage*> DfuPackage::application() const {
    std::vector<const DfuImage*> candidates;
    const bool typed = std::ranges::find(images, "application", &DfuImage::type) != images.end();
    for (const auto& each : images)
        if (images.size() == 1 || (each.image_index == 0 && (!typed || each.type == "application")))
            candidates.push_back(&each);
    if (candidates.size() == 1) return candidates.front();
    std::string names;
    for (const auto& each : images) names += (names.empty() ? "" : ", ") + printable(each.file, 80);
    return malformed(
        fmt::format("expected one application image in the package, found {} among {}: unpack it and name "
                    "the file",
                    candidates.size(), names));
}

}  // namespace fota::image
