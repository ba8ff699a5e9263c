// fotactl image: sign, verify and show MCUboot images.
#include "cli/image.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "image/dfu_zip.hpp"
#include "image/hex.hpp"
#include "image/key.hpp"

namespace fota::cli {
namespace {

/// ECDSA on P-256 and on P-384 share a TLV type; the hash tells them apart.
std::string signature_name(const image::Parsed& parsed, std::uint16_t type) {
    switch (type) {
        case image::tlv::rsa2048:
            return "RSA-2048";
        case image::tlv::rsa3072:
            return "RSA-3072";
        case image::tlv::ed25519:
            return "Ed25519";
        default:
            return parsed.hash_type() == image::HashType::sha384 ? "ECDSA-P384" : "ECDSA-P256";
    }
}

}  // namespace

Result<Bytes> unwrap_image(Bytes bytes) {
    if (image::looks_like_zip(bytes)) {
        TRY(const auto package, image::read_dfu_zip(bytes));
        TRY(const auto* application, package.application());
        bytes = application->bytes;
    }
    if (!image::looks_like_hex(bytes)) return bytes;
    TRY(auto hex, image::parse_hex(bytes));
    return std::move(hex).flat(0xff, image_file_limit);
}

bool is_hex_name(const std::string& path) {
    return path.size() > 4 && (path.ends_with(".hex") || path.ends_with(".HEX"));
}

Result<Bytes> unwrap_image(Bytes bytes, const std::string& path) {
    auto out = unwrap_image(std::move(bytes));
    if (!out) return fail(std::move(out.error()).with("file", path).in(shown_path(path)));
    return out;
}

Result<Bytes> read_image(const std::string& path) {
    TRY(auto bytes, read_file(path, image_file_limit));
    return unwrap_image(std::move(bytes), path);
}

Result<LoadedImage> load_image(const std::string& path) {
    TRY(auto bytes, read_image(path));
    auto parsed = image::parse(bytes);
    if (!parsed) return fail(std::move(parsed.error()).with("file", path).in(shown_path(path)));
    return LoadedImage{std::move(bytes), std::move(*parsed)};
}

std::string image_summary(BytesView file, const image::Parsed& parsed) {
    auto out = fmt::format("{} · {} bytes", parsed.header.version.text(), with_thousands(file.size()));
    if (const auto* signature = parsed.signature(); signature == nullptr) {
        out += " · not signed";
    } else {
        const auto key = parsed.key_hash(file);
        out += fmt::format(" · {} key {}", signature_name(parsed, signature->type),
                           key.empty() ? "unnamed" : short_hex(key));
    }
    if (parsed.header.encrypted())
        out += (parsed.header.flags & image::flag::encrypted_aes256) != 0 ? " · encrypted AES-256"
                                                                          : " · encrypted AES-128";
    if (parsed.header.compressed()) out += " · compressed";
    return out;
}

std::string_view development_key_of(BytesView file, const image::Parsed& parsed) {
    return image::development_key_name(parsed.key_hash(file));
}

std::string development_key_warning(const Output& out, std::string_view name) {
    return fmt::format("{}  signed with MCUboot's published development key {}: anyone can sign such an image",
                       out.styled(Style::yellow, "warning", false), name);
}

nlohmann::json image_facts(BytesView file, const image::Parsed& parsed) {
    const auto hex_or_null = [](BytesView bytes) {
        return bytes.empty() ? nlohmann::json() : nlohmann::json(to_hex(bytes));
    };
    return {{"version", parsed.header.version.full()},
            {"hash", hex_or_null(parsed.hash(file))},
            {"key_hash", hex_or_null(parsed.key_hash(file))},
            {"size", file.size()}};
}

void add_image(CLI::App& root, Program& program) {
    auto* group = root.add_subcommand("image", "sign, verify and show MCUboot images");
    group->require_subcommand(0, 1);
    // Builds call this for every image, and declaring the other two takes as long as all the rest of the parsing.
    static constexpr Entry commands[]{{"sign", add_image_sign}, {"verify", add_image_verify}, {"show", add_image_show}};
    add_named(*group, program, commands, program.word(1));
}

}  // namespace fota::cli
