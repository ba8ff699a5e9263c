// Firmware Update (OMA object 5 version 1.0 to 1.2) and our External Flash object (26245, DESIGN.md section 8).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lwm2m/path.hpp"

namespace fota::lwm2m {

enum class State : std::uint8_t { idle = 0, downloading = 1, downloaded = 2, updating = 3 };

/// Update Result; 10 and 11 exist since version 1.1, 12 and 13 only in object 33629.
enum class UpdateResult : std::uint8_t {
    initial = 0,
    success = 1,
    no_flash_space = 2,
    out_of_memory = 3,
    connection_lost = 4,
    integrity_failed = 5,
    unsupported_package = 6,
    invalid_uri = 7,
    update_failed = 8,
    unsupported_protocol = 9,
    cancelled = 10,
    deferred = 11,
    conflicting_state = 12,
    dependency = 13,
};

/// "2 (downloaded)"; foreign numbers are shown as they are.
std::string state_text(std::int64_t state);
std::string result_text(std::int64_t result);

/// A longer package URI overruns a buffer in the pull code of Zephyr 3.0 to 4.4 (CVE-2026-10672).
constexpr std::size_t longest_package_uri = 127;

/// What 5/x/8 lists, by the scheme of a URI: coap 0, coaps 1, http 2, https 3; nullopt for others.
std::optional<std::int64_t> protocol_of(std::string_view uri);

namespace firmware {
constexpr std::uint16_t object = 5;
constexpr Path package = resource(5, 0, 0);
constexpr Path package_uri = resource(5, 0, 1);
constexpr Path update = resource(5, 0, 2);
constexpr Path state = resource(5, 0, 3);
constexpr Path result = resource(5, 0, 5);
constexpr Path protocols = resource(5, 0, 8);
constexpr Path delivery = resource(5, 0, 9);
}  // namespace firmware

/// Advanced Firmware Update: one instance for each component. Its resources are those of object 5 and 14 to 17; 14 is
/// something else in object 5 version 1.2 (AVSystem's object definition; not in the OMA registry).
namespace advanced_firmware {
constexpr std::uint16_t object = 33629;
constexpr std::uint16_t application = 0;
constexpr std::uint16_t modem = 1;
}  // namespace advanced_firmware

/// The resources of one instance of object 5 or 33629.
struct FirmwareObject {
    std::uint16_t object = firmware::object;
    std::uint16_t instance = 0;

    bool advanced() const noexcept { return object == advanced_firmware::object; }
    Path package() const { return at(0); }
    Path package_uri() const { return at(1); }
    Path update() const { return at(2); }
    Path state() const { return at(3); }
    Path result() const { return at(5); }
    Path package_version() const { return at(7); }  ///< of the downloaded package, in State 2 and 3
    Path protocols() const { return at(8); }
    Path delivery() const { return at(9); }
    Path cancel() const { return at(10); }           ///< since 1.1
    Path severity() const { return at(11); }         ///< since 1.1: 0 critical, 1 mandatory, 2 optional
    Path max_defer() const { return at(13); }        ///< since 1.1: seconds
    Path automatic() const { return at(14); }        ///< object 5 since 1.2: no Execute needed
    Path component_name() const { return at(14); }   ///< 33629 only
    Path current_version() const { return at(15); }  ///< 33629 only
    Path linked() const { return at(16); }           ///< 33629 only
    Path conflicting() const { return at(17); }      ///< 33629 only
    friend bool operator==(const FirmwareObject&, const FirmwareObject&) = default;

  private:
    Path at(std::uint16_t id) const { return resource(object, instance, id); }
};

namespace device {
constexpr Path battery = resource(3, 0, 9);       ///< percent
constexpr Path free_memory = resource(3, 0, 10);  ///< kB of 1,000 bytes
constexpr Path error_codes = resource(3, 0, 11);
constexpr Path model = resource(3, 0, 1);
constexpr Path reboot = resource(3, 0, 4);
constexpr Path firmware_version = resource(3, 0, 3);
}  // namespace device

/// The private-range object of our companion firmware; all integers unsigned, all opaque values raw bytes.
namespace external_flash {
constexpr std::uint16_t object = 26245;
constexpr Path jedec_id = resource(26245, 0, 0);
constexpr Path size = resource(26245, 0, 1);
constexpr Path erase_size = resource(26245, 0, 2);
constexpr Path sfdp = resource(26245, 0, 3);
constexpr Path primary_size = resource(26245, 0, 4);
constexpr Path secondary_size = resource(26245, 0, 5);
constexpr Path boot_mode = resource(26245, 0, 6);
constexpr Path running_hash = resource(26245, 0, 7);
constexpr Path stored_hash = resource(26245, 0, 8);
constexpr Path stored_bytes = resource(26245, 0, 9);
constexpr Path start_offset = resource(26245, 0, 10);
constexpr Path bootloader_version = resource(26245, 0, 11);  ///< firmware-info version of the running MCUboot
constexpr Path bootloader_slot = resource(26245, 0, 12);     ///< 0 (s0) or 1 (s1): where it runs from
}  // namespace external_flash

}  // namespace fota::lwm2m
