// Who answers on an SMP channel: an application's server or MCUboot's serial recovery, and what it says of itself.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string>
#include <vector>

#include "smp/commands.hpp"
#include "update/smp_client.hpp"

namespace fota::update {

/// An application writes the other slot and leaves the rest to the bootloader. Recovery overwrites the image that runs,
/// and checks nothing while it does so.
enum class SmpMode : std::uint8_t { application, recovery };

struct SmpDevice {
    SmpMode mode = SmpMode::application;
    std::optional<smp::Parameters> parameters;  ///< older servers have none
    /// False: an application whose server lacks the group for images; it is there for other things, and updated
    /// otherwise.
    bool manages_images = true;
    std::vector<smp::ImageSlot> images;
    std::string board;  ///< "nrf9160dk/nrf9160/ns", raw; "" where it cannot be asked

    const smp::ImageSlot* running() const { return smp::running_slot(images); }
    const smp::ImageSlot* slot(std::uint32_t number) const;
    /// Bytes of a message it takes; the smallest buffer ever shipped where it does not tell.
    std::size_t longest_message() const;
};

/// Asks for the parameters, the image list and, of an application, the board. `patience` is for the first answer.
/// Errors: device_absent when nothing answers, port_unavailable, cancelled, device_refused for another reason than that
/// the server does not manage images.
boost::asio::awaitable<Result<SmpDevice>> get_acquainted(SmpClient& client, Patience patience = {});

/// Whether anybody is there, by a question that may be asked again: before one that may not, and for a channel that
/// learns its framing from silences. Errors: device_absent, port_unavailable, cancelled.
boost::asio::awaitable<Result<>> greet(SmpClient& client, Patience patience = {});

/// Resets the device into MCUboot's recovery: by its retained boot mode, or by asking often enough to be taken for an
/// update by a bootloader that waits for one. device_did_not_apply when an application answers again or nothing does
/// until `deadline`; else as get_acquainted().
boost::asio::awaitable<Result<SmpDevice>> enter_recovery(SmpClient& client, Milliseconds deadline);

/// device_refused, with the device's name in "device" and "rc" as an answer has it, where `manages_images` is false.
Result<> require_images(const SmpDevice& device, const std::string& name);

/// The hardware platform in the answer to application_info(): the field with a slash or behind the processor.
std::string board_in_info(const std::string& output);

}  // namespace fota::update
