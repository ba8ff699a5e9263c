// fotactl image show: what is in an image, and where it fits.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/key_files.hpp"
#include "cli/slot_options.hpp"
#include "image/key.hpp"
#include "image/limit.hpp"
#include "image/tlv_text.hpp"
#include "image/verify.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string image;
    std::string slot_size;
    bool saved_as_wrapped = false;
    std::vector<std::string> keys;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("IMAGE", options.image, "image file; - is stdin")->required();
    app.add_option("--slot-size", options.slot_size, "show this slot too")->type_name("SIZE");
    bind_saved_key(app, options.saved_as_wrapped);
    app.add_option("--key", options.keys, "public key that may have signed it: say whether it did; repeatable")
        ->type_name("PUB")
        ->allow_extra_args(false);
}

/// Slots of common nRF91 layouts: small samples, the Thingy:91, half of the flash, the nRF9160-DK with external flash.
constexpr std::array<std::uint64_t, 4> common_slots{0x40000, 0x69000, 0x70000, 0xe8000};
constexpr std::array modes{FOTA_BOOT_MOVE, FOTA_BOOT_OFFSET, FOTA_BOOT_SCRATCH, FOTA_BOOT_OVERWRITE};

nlohmann::json fits_table(std::uint64_t end, std::uint32_t keys, std::span<const std::uint64_t> slots) {
    auto out = nlohmann::json::array();
    for (const auto size : slots)
        for (const auto mode : modes) {
            const auto limit = image::image_limit({.mode = mode, .size = size, .key_bytes = keys}).value_or(0);
            out.push_back(
                {{"slot_size", size}, {"mode", image::mode_word(mode)}, {"limit", limit}, {"fits", end <= limit}});
        }
    return out;
}

void print_fits(Output& out, const nlohmann::json& fits) {
    std::string head = fmt::format("fits     {:<10}", "slot");
    for (const auto mode : modes) head += fmt::format(" {:>16}", image::mode_name(mode));
    out.line(head);
    std::string line;
    for (std::size_t i = 0; i < fits.size(); ++i) {
        const auto& each = fits[i];
        if (i % modes.size() == 0) line = fmt::format("         0x{:<8x}", each["slot_size"].get<std::uint64_t>());
        const auto limit = with_thousands(each["limit"].get<std::uint64_t>());
        line += fmt::format(" {:>16}", fmt::format("{} {}", each["fits"].get<bool>() ? "yes" : "no", limit));
        if (i % modes.size() == modes.size() - 1) out.line(line);
    }
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& each : words) out += (out.empty() ? "" : " ") + each;
    return out.empty() ? "none" : out;
}

/// A TLV's value where a person can read it, else its hexadecimal beginning.
std::string readable(BytesView file, const image::Tlv& each) {
    const auto bytes = image::value(file, each);
    if (each.type == image::tlv::security_counter && bytes.size() == 4) return std::to_string(load_le32(bytes.data()));
    if (each.type == image::tlv::dependency && bytes.size() == 12) {
        const image::Version version{bytes[4], bytes[5], load_le16(bytes.data() + 6), load_le32(bytes.data() + 8)};
        const auto slot = image::dependency_slot_word(bytes[1]);
        return fmt::format("image {}{}{} at least {}", bytes[0], slot.empty() ? "" : ", slot ", slot, version.text());
    }
    if (bytes.size() <= 32) return to_hex(bytes);
    return to_hex(bytes.first(24)) + "…";
}

/// What follows the last TLV: nothing, padding with a trailer, or something foreign.
std::string after_the_end(BytesView file, std::uint64_t end) {
    const auto rest = file.subspan(static_cast<std::size_t>(end));
    if (rest.empty()) return "nothing follows";
    static constexpr std::array<std::uint8_t, 8> magic{0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f};
    const bool trailer = rest.size() >= 16 && std::equal(magic.begin(), magic.end(), rest.end() - 16);
    return fmt::format("{} bytes follow{}", with_thousands(rest.size()), trailer ? ": padding and a trailer" : "");
}

/// A given key beside the image: whether the image names it, and what became of its signature.
struct Candidate {
    std::string file;
    image::PublicKey key;
    bool named = false;
    std::string signature;  ///< "valid", "invalid", "unchecked" where the payload is encrypted, "none" where not named
};

/// Whether KEYHASH, as far as it goes, or PUBKEY is that of the key.
bool names(BytesView file, const image::Parsed& parsed, const image::PublicKey& key) {
    return std::ranges::any_of(parsed.tlvs, [&](const image::Tlv& each) {
        const auto found = image::value(file, each);
        if (found.empty()) return false;
        if (each.type == image::tlv::public_key) return std::ranges::equal(found, key.encoded());
        if (each.type != image::tlv::key_hash) return false;
        for (const auto hash : {image::HashType::sha256, image::HashType::sha384, image::HashType::sha512}) {
            const auto own = key.hash(hash);
            if (found.size() <= own.size() && std::ranges::equal(found, BytesView(own).first(found.size())))
                return true;
        }
        return false;
    });
}

Result<std::vector<Candidate>> match_keys(const LoadedImage& loaded, const std::vector<std::string>& files) {
    const auto& parsed = loaded.parsed;
    const bool hardware_keys = parsed.find(image::tlv::public_key) != nullptr && parsed.key_hash(loaded.bytes).empty();
    std::vector<Candidate> out;
    for (const auto& file : files) {
        TRY(auto key, load_public_key(file));
        Candidate each{file, std::move(key), false, "none"};
        each.named = parsed.signature() != nullptr && names(loaded.bytes, parsed, each.key);
        if (each.named && parsed.header.encrypted()) {
            each.signature = "unchecked";
        } else if (each.named) {
            const auto verdict = image::verify(loaded.bytes, parsed, std::span(&each.key, 1),
                                               {.hardware_keys = hardware_keys, .decompression = true});
            each.signature = verdict && verdict->signature_checked ? "valid" : "invalid";
        }
        out.push_back(std::move(each));
    }
    return out;
}

/// The lines for a person, and the result's keys.
void tell_keys(Output& out, const image::Parsed& parsed, const std::vector<Candidate>& candidates,
               nlohmann::json& fields) {
    auto keys = nlohmann::json::array();
    nlohmann::json signed_by;
    bool any = false;
    for (const auto& each : candidates) {
        keys.push_back({{"file", each.file},
                        {"type", image::key_type_word(each.key.type())},
                        {"sha256", to_hex(each.key.fingerprint())},
                        {"named", each.named},
                        {"signature", each.signature}});
        if (!each.named) continue;
        any = true;
        // Who cannot look into the payload has the name alone to go by; a signature that is wrong is by nobody.
        if (signed_by.is_null() && each.signature != "invalid") signed_by = each.file;
        std::string verdict = "signature valid";
        if (each.signature == "invalid") verdict = out.styled(Style::red, "signature not valid");
        if (each.signature == "unchecked") verdict = "signature not checked, the payload is encrypted";
        out.line(
            fmt::format("key      {} {} · {}", shown_path(each.file), image::key_type_name(each.key.type()), verdict));
    }
    if (!candidates.empty() && !any)
        out.line(fmt::format("key      {}", parsed.signature() == nullptr
                                                ? "not signed"
                                                : fmt::format("none of the {} given signed it", candidates.size())));
    if (candidates.empty()) return;
    fields["keys"] = std::move(keys);
    fields["signed_by"] = std::move(signed_by);
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto loaded = load_image(options.image);
    if (!loaded) return out.fail(loaded.error());
    const auto candidates = match_keys(*loaded, options.keys);
    if (!candidates) return out.fail(candidates.error());
    std::vector<std::uint64_t> slots(common_slots.begin(), common_slots.end());
    if (!options.slot_size.empty()) {
        const auto size = parse_size(options.slot_size);
        if (!size) return out.fail(size.error());
        if (const auto possible = image::image_limit({.size = *size}); !possible) return out.fail(possible.error());
        slots.push_back(*size);
    }
    const BytesView file = loaded->bytes;
    const auto& parsed = loaded->parsed;
    const auto& header = parsed.header;
    const auto verdict = image::verify(file, parsed, {}, {.decompression = true});
    const auto published = development_key_of(file, parsed);
    const auto flags = image::flag_names(header.flags);

    out.line(fmt::format("image    {}", image_summary(file, parsed)));
    out.line(fmt::format("header   {} bytes, payload {}, load address 0x{:x}, flags {}", header.header_size,
                         with_thousands(header.image_size), header.load_address, joined(flags)));
    auto tlvs = nlohmann::json::array();
    for (const auto& each : parsed.tlvs) {
        out.line(fmt::format("tlv      0x{:04x} {:<16} {:>5} {:<9} {}", each.type, image::tlv_name(each.type),
                             each.length, each.is_protected ? "protected" : "", readable(file, each)));
        tlvs.push_back({{"type", each.type},
                        {"name", image::tlv_name(each.type)},
                        {"protected", each.is_protected},
                        {"length", each.length},
                        {"value", to_hex(image::value(file, each))}});
    }
    out.line(fmt::format("end      {} of {} bytes, {}", with_thousands(parsed.end), with_thousands(file.size()),
                         after_the_end(file, parsed.end)));
    const auto fits = fits_table(parsed.end, key_bytes(parsed, options.saved_as_wrapped), slots);
    print_fits(out, fits);
    out.line(verdict
                 ? fmt::format(
                       "verdict  a bootloader with the right key{} takes it; check the signature: fotactl image verify "
                       "--key PUB",
                       header.compressed() ? " and decompression" : "")
                 : fmt::format("verdict  {}: {}", out.styled(Style::red, "refused"), verdict.error().text()));
    auto fields = image_facts(file, parsed);
    tell_keys(out, parsed, *candidates, fields);
    if (!published.empty()) out.warn(development_key_warning(out, published));

    fields["header"] = {{"magic", image::image_magic},
                        {"load_addr", header.load_address},
                        {"header_size", header.header_size},
                        {"protected_tlv_size", header.protected_tlv_size},
                        {"image_size", header.image_size},
                        {"flags", header.flags},
                        {"flag_names", flags},
                        {"version", header.version.full()}};
    fields["tlvs"] = std::move(tlvs);
    fields["end"] = parsed.end;
    fields["fits"] = fits;
    fields["development_key"] = published.empty() ? nlohmann::json() : nlohmann::json(published);
    fields["accepted"] = verdict.has_value();
    if (!verdict) fields["refusal"] = verdict.error().text();
    return out.result("done", std::move(fields));
}

}  // namespace

void add_image_show(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "show", "header, TLVs, hashes, and the slots it fits", bind, run);
}

}  // namespace fota::cli
