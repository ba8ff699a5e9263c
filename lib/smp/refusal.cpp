#include "smp/refusal.hpp"

#include <fmt/format.h>

#include <array>
#include <span>

#include "base/text.hpp"
#include "smp/message.hpp"

namespace fota::smp {

namespace {

// Index is the number.
constexpr std::array smp_errors{
    "no error",
    "it failed without saying why",
    "the device is out of memory",
    "a value is invalid or missing",
    "the operation timed out on the device",
    "there is no such thing",
    "the device is not in a state to do this",
    "the answer does not fit the device's buffer",
    "the command is not in this firmware",
    "the data is corrupt",
    "the device is busy",
    "access denied",
    "the device is too new for this protocol version",
    "the device is too old for this protocol version",
};
constexpr std::array image_errors{
    "no error",
    "it failed without saying why",
    "the flash layout cannot be read",
    "there is no image in the slot",
    "the image has no TLV area",
    "the image has an invalid TLV",
    "the image has several hashes",
    "a TLV of the image has an invalid size",
    "no image with this hash is in a slot",
    "no slot is free: the other one holds an image that is pending or confirmed",
    "the flash cannot be opened",
    "the flash cannot be read",
    "the flash cannot be written",
    "the flash cannot be erased",
    "there is no such slot",
    "the device is out of memory",
    "a flash context is already open",
    "no flash context is open",
    "the flash device is not there",
    "the offset is in no flash page",
    "the first piece is too short or its offset is missing",
    "the length is missing",
    "the image header is invalid",
    "not an MCUboot image: its magic is wrong",
    "the hash is invalid",
    "the image was built for another flash address",
    "the running version cannot be read",
    "the running version is newer",
    "an image is already waiting for the next reset",
    "the vector table is invalid",
    "the image is too large for the slot",
    "more data than announced",
    "the firmware denies a confirmation of this slot",
    "the image that runs cannot be set to test",
    "it is not known which slot runs",
};
constexpr std::array os_errors{
    "no error",
    "it failed without saying why",
    "the format is invalid",
    "the question has no answer here",
    "the clock is not set",
    "the clock did not take the command",
    "the clock answers nonsense",
};
constexpr std::array statistics_errors{"no error",
                                       "it failed without saying why",
                                       "there is no such group",
                                       "there is no such statistic",
                                       "the statistic has an invalid size",
                                       "the walk was aborted"};
constexpr std::array settings_errors{"no error",
                                     "it failed without saying why",
                                     "the key is too long",
                                     "there is no such key",
                                     "this key cannot be read",
                                     "there is no such root key",
                                     "this key cannot be written",
                                     "this key cannot be deleted",
                                     "this key cannot be saved"};
constexpr std::array file_errors{"no error",
                                 "it failed without saying why",
                                 "the file name is invalid",
                                 "there is no such file",
                                 "it is a directory",
                                 "the file cannot be opened",
                                 "the file cannot be positioned",
                                 "the file cannot be read",
                                 "the file cannot be shortened",
                                 "the file cannot be deleted",
                                 "the file cannot be written",
                                 "the offset is invalid",
                                 "the offset is behind the file's end",
                                 "the checksum or hash is not there",
                                 "the mount point is not there",
                                 "the file system is read-only",
                                 "the file is empty"};
constexpr std::array shell_errors{"no error", "it failed without saying why", "the command is too long",
                                  "the command is empty"};
constexpr std::array enumeration_errors{"no error", "it failed without saying why", "there are too many groups",
                                        "the device is out of memory", "the index is too large"};
constexpr std::array basic_errors{"no error", "it failed without saying why", "the flash cannot be opened",
                                  "the flash layout cannot be read", "the flash cannot be erased"};

std::span<const char* const> errors_of(std::uint16_t number) {
    switch (number) {
        case group::os:
            return os_errors;
        case group::image:
            return image_errors;
        case group::statistics:
            return statistics_errors;
        case group::settings:
            return settings_errors;
        case group::files:
            return file_errors;
        case group::shell:
            return shell_errors;
        case group::enumeration:
            return enumeration_errors;
        case group::zephyr_basic:
            return basic_errors;
        default:
            return {};
    }
}

}  // namespace

std::optional<Refusal> refusal_of(const Json& response) {
    if (const auto error = response.find("err"); error != response.end() && error->is_object()) {
        const auto code = number(*error, "rc");
        const auto group = number(*error, "group");
        if (code.value_or(1) != 0) {
            Refusal refusal;
            if (group && *group <= 0xffff) refusal.group = static_cast<std::uint16_t>(*group);
            refusal.code = code.value_or(1);
            return refusal;
        }
    }
    const auto rc = response.find("rc");
    if (rc == response.end() || *rc == 0) return std::nullopt;
    return Refusal{std::nullopt, number(response, "rc").value_or(1), text(response, "rsn").value_or("")};
}

std::string describe(const Refusal& refusal) {
    const auto known = refusal.group ? errors_of(*refusal.group) : std::span<const char* const>(smp_errors);
    const auto name = refusal.group ? fmt::format("{} error {}", group_name(*refusal.group), refusal.code)
                                    : fmt::format("SMP error {}", refusal.code);
    auto out = refusal.code < known.size() ? fmt::format("{} ({})", known[static_cast<std::size_t>(refusal.code)], name)
                                           : name;
    if (!refusal.reason.empty()) out += fmt::format(", \"{}\"", printable(refusal.reason, 80));
    return out;
}

Error to_error(const Refusal& refusal, std::string_view what) {
    auto error = Error(Errc::device_refused,
                       fmt::format("expected the device to {}, found a refusal: {}", what, describe(refusal)))
                     .with("rc", std::to_string(refusal.code));
    if (refusal.group) return std::move(error).with("group", group_name(*refusal.group));
    return error;
}

bool is_unsupported(const Error& error) {
    return error.code() == Errc::device_refused && error.detail("group").empty() && error.detail("rc") == "8";
}

}  // namespace fota::smp
