// The commands this program sends, and what their answers say. Which of them a server has depends on its build: only
// the image list and the parameters may be taken for granted, and the latter not in older bootloaders.
// Source: Zephyr doc/services/device_mgmt/smp_groups/smp_group_{0,1,2,3,8,9,10,63}.rst; MCUboot
// boot/boot_serial/src/boot_serial.c.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "smp/cbor.hpp"
#include "smp/message.hpp"

namespace fota::smp {

struct Command {
    Op op = Op::read;
    std::uint16_t group = 0;
    std::uint8_t id = 0;
    Json body = Json::object();
    std::string what;  ///< for "expected the device to ...": "list its images"
};

/// The request on the wire; `sequence` is the client's count.
Result<Bytes> encode(const Command& command, std::uint8_t sequence, Version version = Version::v2);

// ---- OS (group 0)

Command echo(const std::string& text);
/// `bootloader`: stay in the bootloader, where the firmware has the retained boot mode.
Command reset(bool bootloader = false);
Command parameters();
Command application_info();
Command bootloader_info();
/// The mode of an MCUboot; another bootloader refuses.
Command bootloader_mode();

struct Parameters {
    std::uint32_t buffer_size = 0;   ///< bytes of a server's buffer: a message and 4 bytes of framing
    std::uint32_t buffer_count = 1;  ///< requests it can hold
    /// The longest message, header included, that is answered at all: a longer one is dropped without a word.
    std::size_t longest_message() const noexcept { return buffer_size < 4 ? 0 : buffer_size - 4; }
};
/// message_malformed: sizes are missing or below what one request needs.
Result<Parameters> parse_parameters(const Json& answer);
/// "swap-move" for 3; "mode 12" for one nobody defined.
std::string bootloader_mode_name(std::uint64_t mode);

// ---- images (group 1)

Command image_list();
/// Test at the next reset, or for good with `confirm`; an empty hash with `confirm` means the image that runs.
Command set_image_state(BytesView hash, bool confirm);
Command erase_slot(std::uint32_t slot);
Command slot_info();

struct ImageSlot {
    std::uint32_t image = 0;
    std::uint32_t slot = 0;
    std::string version;  ///< raw: "1.2.3", "1.2.3.4"
    Bytes hash;           ///< the image's hash TLV, not the file's; empty where the server leaves it out
    bool bootable = false;
    bool pending = false;
    bool confirmed = false;
    bool active = false;
    bool permanent = false;
    /// An application says of each image whether it is bootable; MCUboot's recovery never does, with whatever else it
    /// was built to tell.
    bool has_flags = false;
};
/// message_malformed without a list of images. At most 64 slots are taken.
Result<std::vector<ImageSlot>> parse_image_list(const Json& answer);
/// The slot that runs: the active one; in an answer without flags slot 0 of image 0. nullptr: none.
const ImageSlot* running_slot(const std::vector<ImageSlot>& slots);

struct SlotSize {
    std::uint32_t image = 0;
    std::uint32_t slot = 0;
    std::uint64_t size = 0;  ///< bytes; 0 where the server could not tell
    std::optional<std::uint64_t> upload_image;
    std::optional<std::uint64_t> max_image;  ///< of the image, where the server knows the bootloader's limit
};
Result<std::vector<SlotSize>> parse_slot_info(const Json& answer);

// ---- the rest

Command statistics_groups();
Command statistics(const std::string& group);
Command setting(const std::string& name);
Command file_status(const std::string& path);
Command shell(const std::vector<std::string>& arguments);
Command groups();
/// Erases the settings partition.
Command erase_storage();
/// What the external flash says of itself; only an application with our group (firmware/app/src/smp_facts.c) knows it.
Command external_flash();

struct ExternalFlash {
    Bytes jedec_id;  ///< three bytes, or none
    Bytes bfp;       ///< SFDP's basic table; empty when the part has none
};
/// message_malformed without either.
Result<ExternalFlash> parse_external_flash(const Json& answer);

struct ShellAnswer {
    std::string output;  ///< raw
    std::int64_t returned = 0;
};
Result<ShellAnswer> parse_shell(const Json& answer);
/// Numbers of the groups a server has; message_malformed without a list.
Result<std::vector<std::uint16_t>> parse_groups(const Json& answer);
/// Names a server counts under; message_malformed without a list.
Result<std::vector<std::string>> parse_statistics_groups(const Json& answer);

}  // namespace fota::smp
