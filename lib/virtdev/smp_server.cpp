#include "virtdev/smp_server.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fota::virtdev {

namespace {

using smp::Json;
namespace group = smp::group;

constexpr std::uint64_t unknown = 1;
constexpr std::uint64_t invalid = 3;
constexpr std::uint64_t bad_state = 6;
constexpr std::uint64_t unsupported = 8;
constexpr Milliseconds whole_erase{20'000};

/// As the command "bootloader information" numbers them.
int smp_mode(SwapMode mode) {
    switch (mode) {
        case SwapMode::scratch:
            return 1;
        case SwapMode::overwrite:
            return 2;
        case SwapMode::move:
            return 3;
        case SwapMode::offset:
            break;
    }
    return 9;
}

std::string version_in(const fota_image_version& version) {
    auto out = fmt::format("{}.{}.{}", version.major, version.minor, version.revision);
    if (version.build != 0) out += fmt::format(".{}", version.build);
    return out;
}

Bytes answer(const smp::Message& request, const Json& body, bool definite) {
    auto response = request;
    response.op = request.op == smp::Op::write ? smp::Op::write_response : smp::Op::read_response;
    response.body = encode_smp_map(body, definite);
    return smp::encode(response).value_or(Bytes{});
}

/// As firmware/app/src/smp_facts.c answers.
Json flash_facts(Board& board) {
    const auto& flash = board.external();
    const auto& config = board.bootloader().config();
    Json facts{{"jedec", smp::binary(flash.part().jedec_id)},
               {"size", flash.size()},
               {"erase", flash.part().erase_types.front().size},
               {"sfdp", smp::binary(flash.part().bfp)},
               {"primary", config.primary_size},
               {"secondary", config.secondary_size}};
    return facts;
}

}  // namespace

Bytes encode_smp_map(const Json& map, bool definite) {
    auto bytes = smp::to_cbor(map);
    if (definite || map.size() > 23) return bytes;
    bytes[0] = 0xbf;
    bytes.push_back(0xff);
    return bytes;
}

std::optional<SlotImage> image_in(const FlashArea& slot) {
    fota_image_extent extent{};
    if (fota_image_walk(&slot.core(), slot.size(), &extent) != FOTA_OK) return std::nullopt;
    auto bytes = slot.read(0, extent.end);
    if (!bytes) return std::nullopt;
    SlotImage out{version_in(extent.header.version), {}, std::move(*bytes)};
    if (const auto hash = slice(out.bytes, extent.hash_offset, extent.hash_size); hash && extent.hash_offset != 0)
        out.hash = to_bytes(*hash);
    return out;
}

SmpApplication::SmpApplication(Board& board, SmpQuirkSet quirks, SmpBuffers buffers)
    : board_(board), quirks_(quirks), buffers_(buffers) {}

SmpReaction SmpApplication::handle(BytesView message) {
    // Length and checksum lie in the same buffer.
    if (message.size() + 4 > buffers_.size) return {};
    const auto request = smp::decode(message);
    if (!request || (request->op != smp::Op::read && request->op != smp::Op::write)) return {};
    const bool definite = has(SmpQuirk::definite_maps);
    if (request->version > 1) return {.reply = answer(*request, {{"rc", 13}}, definite)};
    const auto body = smp::from_cbor(request->body);
    if (!body) return {.reply = answer(*request, {{"rc", invalid}}, definite)};

    const bool v1 = has(SmpQuirk::version_1) || request->version == 0;
    auto outcome = dispatch(*request, *body);
    if (outcome) {
        if (has(SmpQuirk::version_1)) outcome->body["rc"] = 0;
        auto reaction = outcome->reaction;
        reaction.reply = answer(*request, outcome->body, definite);
        return reaction;
    }
    const auto& refused = outcome.error();
    Json map;
    if (refused.group == 0xffff || v1) {
        map["rc"] = refused.group == 0xffff ? refused.code : refused.code_v1;
        if (has(SmpQuirk::version_1) && *refused.reason != '\0') map["rsn"] = refused.reason;
    } else {
        map["err"] = {{"group", refused.group}, {"rc", refused.code}};
    }
    return {.reply = answer(*request, map, definite)};
}

SmpApplication::Outcome SmpApplication::dispatch(const smp::Message& request, const Json& body) {
    const auto missing = std::unexpected(Refused{0xffff, unsupported, unsupported});
    switch (request.group) {
        case group::os:
            return os(request, body);
        case group::image:
            if (has(SmpQuirk::no_images)) return missing;
            return image(request, body);
        case group::statistics:
            if (has(SmpQuirk::no_optional_commands)) return missing;
            if (request.command == 1) return Done{{{"stat_list", {"smp_com"}}}};
            if (request.command != 0) return missing;
            if (smp::text(body, "name") != "smp_com")
                return std::unexpected(Refused{group::statistics, 2, invalid, "no such group"});
            return Done{{{"name", "smp_com"}, {"fields", {{"uploads", uploads_}}}}};
        case group::enumeration:
            if (has(SmpQuirk::no_optional_commands)) return missing;
            if (request.command == 1) return Done{{{"groups", {0, 1, 2, 3, 8, 9, 10, 63, group::external_flash}}}};
            return missing;
        case group::settings:
            if (request.command != 0 || request.op != smp::Op::read) return missing;
            if (smp::text(body, "name") != "id/serial")
                return std::unexpected(Refused{group::settings, 3, unknown, "no such key"});
            return Done{{{"val", smp::binary(as_bytes("NRF-0042"))}}};
        case group::files:
            if (request.command != 1) return missing;
            if (smp::text(body, "name") != "/lfs1/log.txt")
                return std::unexpected(Refused{group::files, 3, unknown, "no such file"});
            return Done{{{"len", 1234}}};
        case group::shell: {
            if (has(SmpQuirk::no_optional_commands) || request.command != 0) return missing;
            const auto arguments = body.find("argv");
            if (arguments == body.end() || !arguments->is_array() || arguments->empty())
                return std::unexpected(Refused{group::shell, 3, invalid, "empty command"});
            std::string line;
            for (const auto& each : *arguments)
                if (each.is_string()) line += (line.empty() ? "" : " ") + each.get<std::string>();
            auto answered = shell_command(line);
            if (!answered) return Done{{{"o", line + ": command not found\n"}, {"ret", -8}}};
            return Done{{{"o", *answered}, {"ret", 0}}};
        }
        case group::zephyr_basic:
            if (request.command != 0 || request.op != smp::Op::write) return missing;
            return Done{};
        case group::external_flash:
            if (has(SmpQuirk::no_optional_commands) || request.command != 0 || request.op != smp::Op::read)
                return missing;
            return Done{flash_facts(board_)};
        default:
            return missing;
    }
}

SmpApplication::Outcome SmpApplication::os(const smp::Message& request, const Json& body) {
    const auto missing = std::unexpected(Refused{0xffff, unsupported, unsupported});
    const bool optional = !has(SmpQuirk::no_optional_commands);
    switch (request.command) {
        case 0:
            if (!optional) return missing;
            return Done{{{"r", smp::text(body, "d").value_or("")}}};
        case 5: {
            Done done;
            done.reaction.reset = true;
            done.reaction.to_bootloader = smp::number(body, "boot_mode") == 1 && !has(SmpQuirk::no_boot_mode);
            return done;
        }
        case 6:
            if (has(SmpQuirk::no_parameters)) return missing;
            return Done{{{"buf_size", buffers_.size}, {"buf_count", buffers_.count}}};
        case 7:
            if (!optional) return missing;
            return Done{{{"output",
                          "Zephyr sim a1b2c3d4 v3.5.99 Nov 25 2026 12:00:00 arm cortex-m33 "
                          "nrf9160dk/nrf9160/ns Zephyr"}}};
        case 8:
            if (!optional) return missing;
            if (smp::text(body, "query") == "mode")
                return Done{{{"mode", smp_mode(board_.bootloader().config().mode)}}};
            if (body.contains("query")) return std::unexpected(Refused{group::os, 3, unknown, "no answer"});
            return Done{{{"bootloader", "MCUboot"}}};
        default:
            return missing;
    }
}

SmpApplication::Outcome SmpApplication::image(const smp::Message& request, const Json& body) {
    const bool write = request.op == smp::Op::write;
    if (request.command == 0) return write ? set_state(body) : list();
    if (request.command == 1 && write) return upload(body);
    if (request.command == 5 && write) return erase(body);
    if (request.command == 6 && !write) {
        auto slots = Json::array();
        slots.push_back({{"slot", 0}, {"size", board_.primary().size()}});
        slots.push_back({{"slot", 1}, {"size", board_.secondary().size()}, {"upload_image_id", 0}});
        return Done{
            {{"images", {{{"image", 0}, {"slots", slots}, {"max_image_size", board_.bootloader().image_limit()}}}}}};
    }
    return std::unexpected(Refused{0xffff, unsupported, unsupported});
}

SmpApplication::Outcome SmpApplication::list() {
    auto images = Json::array();
    const auto swap = board_.next_swap().value_or(FOTA_SWAP_NONE);
    const bool confirmed = board_.confirmed().value_or(true);
    for (unsigned number = 0; number < 2; ++number) {
        const auto found = image_in(number == 0 ? board_.primary() : board_.secondary());
        if (!found) continue;
        const bool running = number == 0;
        const bool pending = !running && (swap == FOTA_SWAP_TEST || swap == FOTA_SWAP_PERMANENT);
        Json row{{"slot", number}, {"version", found->version}};
        if (!found->hash.empty()) row["hash"] = smp::binary(found->hash);
        const std::pair<const char*, bool> flags[] = {
            {"bootable", true},
            {"pending", pending},
            // The image to fall back to is what is confirmed while another is tested.
            {"confirmed", running ? confirmed : !confirmed},
            {"active", running},
            {"permanent", pending && swap == FOTA_SWAP_PERMANENT},
        };
        for (const auto& [name, value] : flags)
            if (value || !has(SmpQuirk::frugal_list)) row[name] = value;
        images.push_back(std::move(row));
    }
    Done done{{{"images", std::move(images)}}};
    if (!has(SmpQuirk::frugal_list)) done.body["splitStatus"] = 0;
    return done;
}

SmpApplication::Outcome SmpApplication::set_state(const Json& body) {
    const auto hash = smp::bytes(body, "hash");
    const bool confirm = smp::flag(body, "confirm");
    const auto primary = image_in(board_.primary());
    const auto secondary = image_in(board_.secondary());
    if (!hash && !confirm) return std::unexpected(Refused{group::image, 24, invalid, "invalid hash"});
    if (!hash || (primary && primary->hash == *hash)) {
        if (!confirm) return std::unexpected(Refused{group::image, 33, bad_state, "image is active"});
        if (has(SmpQuirk::refuse_confirm))
            return std::unexpected(Refused{group::image, 32, bad_state, "confirmation denied"});
        if (!board_.confirm()) return std::unexpected(Refused{group::image, 12, unknown, "flash write failed"});
        return list();
    }
    if (!secondary || secondary->hash != *hash)
        return std::unexpected(Refused{group::image, 8, invalid, "no image with this hash"});
    const auto swap = board_.next_swap().value_or(FOTA_SWAP_NONE);
    if (swap == FOTA_SWAP_PERMANENT || (swap == FOTA_SWAP_TEST && !confirm))
        return std::unexpected(Refused{group::image, 28, bad_state, "image already pending"});
    if (!board_.mark_pending(confirm)) return std::unexpected(Refused{group::image, 12, unknown, "flash write failed"});
    auto answered = list();
    if (has(SmpQuirk::lost_test_answer) && !std::exchange(test_answer_lost_, true))
        answered->reaction.lose_reply = true;
    return answered;
}

SmpApplication::Outcome SmpApplication::erase(const Json& body) {
    const auto slot = smp::number(body, "slot").value_or(1);
    if (slot > 1) return std::unexpected(Refused{group::image, 14, invalid, "no such slot"});
    const auto swap = board_.next_swap().value_or(FOTA_SWAP_NONE);
    if (slot == 0 || swap != FOTA_SWAP_NONE || !board_.confirmed().value_or(true))
        return std::unexpected(Refused{group::image, 9, bad_state, "slot in use"});
    auto& area = board_.secondary();
    if (!area.erase(0, area.size())) return std::unexpected(Refused{group::image, 13, unknown, "erase failed"});
    Done done;
    done.reaction.busy = Milliseconds(4'000);
    return done;
}

SmpApplication::Outcome SmpApplication::upload(const Json& body) {
    const auto offset = smp::number(body, "off");
    const auto data = smp::bytes(body, "data").value_or(Bytes{});
    if (!offset) return std::unexpected(Refused{group::image, 20, invalid, "no offset"});
    auto& slot = board_.secondary();
    Done done;
    if (*offset == 0) {
        const auto length = smp::number(body, "len");
        const auto sha = smp::bytes(body, "sha").value_or(Bytes{});
        if (!length) return std::unexpected(Refused{group::image, 21, invalid, "no length"});
        if (data.size() < 32) return std::unexpected(Refused{group::image, 22, invalid, "image header too short"});
        if (load_le32(data.data()) != FOTA_IMAGE_MAGIC)
            return std::unexpected(Refused{group::image, 23, unknown, "magic mismatch"});
        if (*length > slot.size()) return std::unexpected(Refused{group::image, 30, invalid, "image too large"});
        if (board_.next_swap().value_or(FOTA_SWAP_NONE) != FOTA_SWAP_NONE || !board_.confirmed().value_or(true))
            return std::unexpected(Refused{group::image, 9, bad_state, "no free slot"});
        if (!sha.empty() && sha == sha_ && length_ == *length && offset_ > 0) return Done{{{"off", offset_}}};
        if (!has(SmpQuirk::no_image_check) && !sha.empty()) {
            const auto stored = slot.read(0, static_cast<std::uint32_t>(*length));
            if (stored && std::ranges::equal(sha256(*stored), sha)) return Done{{{"off", *length}, {"match", true}}};
        }
        offset_ = 0;
        length_ = *length;
        sha_ = sha;
        hash_ = Sha256();
        erased_ = 0;
        ++uploads_;
        // An old trailer must not judge a new image.
        const auto last = slot.size() - slot.sector_size();
        (void)slot.erase(last, slot.sector_size());
        if (has(SmpQuirk::slow_erase)) done.reaction.busy = whole_erase;
    } else if (length_ == 0 || *offset != offset_) {
        return Done{{{"off", offset_}}};
    }
    if (offset_ + data.size() > length_) return std::unexpected(Refused{group::image, 31, invalid, "data overrun"});
    while (erased_ < offset_ + data.size()) {
        if (!slot.erase(static_cast<std::uint32_t>(erased_), slot.sector_size()))
            return std::unexpected(Refused{group::image, 13, unknown, "erase failed"});
        erased_ += slot.sector_size();
    }
    if (!slot.program(static_cast<std::uint32_t>(offset_), data))
        return std::unexpected(Refused{group::image, 12, unknown, "write failed"});
    hash_.update(data);
    offset_ += data.size();
    done.body["off"] = offset_;
    if (has(SmpQuirk::reset_in_upload) && uploads_ == 1 && offset_ >= length_ / 2 && !std::exchange(was_reset_, true)) {
        done.reaction.reset = true;
        done.reaction.lose_reply = true;
    }
    if (offset_ == length_) {
        if (!has(SmpQuirk::no_image_check) && !sha_.empty())
            done.body["match"] = std::ranges::equal(hash_.digest(), sha_);
        length_ = 0;
        offset_ = 0;
        sha_.clear();
    }
    return done;
}

void SmpApplication::after_reset() {
    offset_ = 0;
    length_ = 0;
    sha_.clear();
}

std::optional<std::string> shell_command(std::string_view line) {
    if (line == "kernel version") return "Zephyr version 4.1.0\n";
    return std::nullopt;
}

}  // namespace fota::virtdev
