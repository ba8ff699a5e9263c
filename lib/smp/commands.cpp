#include "smp/commands.hpp"

#include <fmt/format.h>

#include <array>

namespace fota::smp {

namespace {

constexpr std::size_t most_rows = 64;

Failure malformed(std::string_view what) {
    return fail(Errc::message_malformed, fmt::format("expected {} in the answer, found none", what));
}

const Json* array_of(const Json& map, const char* key) {
    const auto found = map.find(key);
    return found != map.end() && found->is_array() ? &*found : nullptr;
}

std::uint32_t small(const Json& map, const char* key) {
    const auto value = number(map, key).value_or(0);
    return value > UINT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(value);
}

}  // namespace

Result<Bytes> encode(const Command& command, std::uint8_t sequence, Version version) {
    return encode(Message{command.op, static_cast<std::uint8_t>(version), command.group, sequence, command.id,
                          to_cbor(command.body)});
}

Command echo(const std::string& text) {
    return {Op::write, group::os, 0, {{"d", text}}, "echo a text"};
}

Command reset(bool bootloader) {
    Command command{Op::write, group::os, 5, Json::object(), "reset"};
    if (bootloader) command.body["boot_mode"] = 1;
    return command;
}

Command parameters() {
    return {Op::read, group::os, 6, Json::object(), "tell its buffer sizes"};
}

Command application_info() {
    return {Op::read, group::os, 7, {{"format", "a"}}, "say what it is"};
}

Command bootloader_info() {
    return {Op::read, group::os, 8, Json::object(), "name its bootloader"};
}

Command bootloader_mode() {
    return {Op::read, group::os, 8, {{"query", "mode"}}, "tell its bootloader's mode"};
}

Result<Parameters> parse_parameters(const Json& answer) {
    const auto size = number(answer, "buf_size");
    if (!size) return malformed("buf_size");
    Parameters out;
    // A header, an offset and 32 bytes of an image are the least that can be used.
    if (*size < 64 || *size > 0xffff)
        return fail(Errc::message_malformed,
                    fmt::format("expected a buffer of 64 to 65535 bytes on the device, found {}", *size));
    out.buffer_size = static_cast<std::uint32_t>(*size);
    const auto count = number(answer, "buf_count").value_or(1);
    out.buffer_count = count < 1 ? 1 : count > 64 ? 64 : static_cast<std::uint32_t>(count);
    return out;
}

std::string bootloader_mode_name(std::uint64_t mode) {
    constexpr std::array names{"single-slot",     "swap-scratch",      "overwrite-only", "swap-move",
                               "direct-xip",      "direct-xip-revert", "ram-load",       "firmware-loader",
                               "single-ram-load", "swap-offset"};
    return mode < names.size() ? names[static_cast<std::size_t>(mode)] : fmt::format("mode {}", mode);
}

Command image_list() {
    return {Op::read, group::image, 0, Json::object(), "list its images"};
}

Command set_image_state(BytesView hash, bool confirm) {
    Command command{Op::write, group::image, 0, Json::object(),
                    confirm ? "confirm the image" : "test the image at the next reset"};
    if (!hash.empty()) command.body["hash"] = binary(hash);
    command.body["confirm"] = confirm;
    return command;
}

Command erase_slot(std::uint32_t slot) {
    return {Op::write, group::image, 5, {{"slot", slot}}, fmt::format("erase slot {}", slot)};
}

Command slot_info() {
    return {Op::read, group::image, 6, Json::object(), "tell the sizes of its slots"};
}

Result<std::vector<ImageSlot>> parse_image_list(const Json& answer) {
    const auto* images = array_of(answer, "images");
    if (images == nullptr) return malformed("a list of images");
    std::vector<ImageSlot> slots;
    for (const auto& each : *images) {
        if (!each.is_object() || slots.size() == most_rows) continue;
        ImageSlot slot;
        slot.image = small(each, "image");
        slot.slot = small(each, "slot");
        slot.version = text(each, "version").value_or("");
        slot.hash = bytes(each, "hash").value_or(Bytes{});
        slot.has_flags = each.contains("bootable");
        slot.bootable = flag(each, "bootable");
        slot.pending = flag(each, "pending");
        slot.confirmed = flag(each, "confirmed");
        slot.active = flag(each, "active");
        slot.permanent = flag(each, "permanent");
        slots.push_back(std::move(slot));
    }
    return slots;
}

const ImageSlot* running_slot(const std::vector<ImageSlot>& slots) {
    bool flags = false;
    for (const auto& slot : slots) {
        if (slot.image == 0 && slot.active) return &slot;
        flags = flags || slot.has_flags;
    }
    if (flags) return nullptr;
    for (const auto& slot : slots)
        if (slot.image == 0 && slot.slot == 0) return &slot;
    return nullptr;
}

Result<std::vector<SlotSize>> parse_slot_info(const Json& answer) {
    const auto* images = array_of(answer, "images");
    if (images == nullptr) return malformed("a list of images");
    std::vector<SlotSize> out;
    for (const auto& image : *images) {
        const auto* slots = image.is_object() ? array_of(image, "slots") : nullptr;
        if (slots == nullptr) continue;
        for (const auto& each : *slots) {
            if (!each.is_object() || out.size() == most_rows) continue;
            out.push_back({small(image, "image"), small(each, "slot"), number(each, "size").value_or(0),
                           number(each, "upload_image_id"), number(image, "max_image_size")});
        }
    }
    return out;
}

Command statistics_groups() {
    return {Op::read, group::statistics, 1, Json::object(), "list its statistics"};
}

Command statistics(const std::string& group) {
    return {Op::read, group::statistics, 0, {{"name", group}}, "tell its statistics"};
}

Command setting(const std::string& name) {
    return {Op::read, group::settings, 0, {{"name", name}}, "read the setting"};
}

Command file_status(const std::string& path) {
    return {Op::read, group::files, 1, {{"name", path}}, "tell the file's length"};
}

Command shell(const std::vector<std::string>& arguments) {
    return {Op::write, group::shell, 0, {{"argv", arguments}}, "run the shell command"};
}

Command groups() {
    return {Op::read, group::enumeration, 1, Json::object(), "list its command groups"};
}

Command erase_storage() {
    return {Op::write, group::zephyr_basic, 0, Json::object(), "erase its settings storage"};
}

Command external_flash() {
    return {Op::read, group::external_flash, 0, Json::object(), "tell of its external flash"};
}

Result<ExternalFlash> parse_external_flash(const Json& answer) {
    ExternalFlash out{bytes(answer, "jedec").value_or(Bytes{}), bytes(answer, "sfdp").value_or(Bytes{})};
    if (out.jedec_id.empty() && out.bfp.empty()) return malformed("a JEDEC id or an SFDP table");
    return out;
}

Result<ShellAnswer> parse_shell(const Json& answer) {
    const auto output = text(answer, "o");
    if (!output) return malformed("the shell's output");
    ShellAnswer out{*output, 0};
    if (const auto found = answer.find("ret"); found != answer.end() && found->is_number_integer())
        out.returned = found->get<std::int64_t>();
    return out;
}

Result<std::vector<std::uint16_t>> parse_groups(const Json& answer) {
    const auto* list = array_of(answer, "groups");
    if (list == nullptr) return malformed("a list of groups");
    std::vector<std::uint16_t> out;
    for (const auto& each : *list)
        if (each.is_number_unsigned() && each.get<std::uint64_t>() <= 0xffff && out.size() < most_rows)
            out.push_back(each.get<std::uint16_t>());
    return out;
}

Result<std::vector<std::string>> parse_statistics_groups(const Json& answer) {
    const auto* list = array_of(answer, "stat_list");
    if (list == nullptr) return malformed("a list of statistics");
    std::vector<std::string> out;
    for (const auto& each : *list)
        if (each.is_string() && out.size() < most_rows) out.push_back(each.get<std::string>());
    return out;
}

}  // namespace fota::smp
