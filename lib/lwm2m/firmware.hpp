// Firmware Update (OMA object 5 version 1.0 to 1.2) and our External Flash object (26245, DESIGN.md section 8).
#pragma once

#include <cstdint>
#include <string>

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
};

/// "2 (downloaded)"; foreign numbers are shown as they are.
std::string state_text(std::int64_t state);
std::string result_text(std::int64_t result);

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

namespace device {
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
}  // namespace external_flash

}  // namespace fota::lwm2m
