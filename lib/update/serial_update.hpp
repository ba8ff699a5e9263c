// One device on a cable (or UDP), from "plugged in" to "proven", over an SmpChannel, as one coroutine.
//
// In an application: upload into the other slot, test, reset, wait, prove, confirm. In MCUboot's recovery: upload over
// the image that runs, check what the bootloader says of it, reset, wait, prove. A cable that is pulled is waited for;
// what the device still has is gone on with.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "update/smp_device.hpp"
#include "update/smp_upload.hpp"
#include "update/types.hpp"

namespace fota::update {

struct SerialPolicy {
    Milliseconds stall{60'000};
    /// How long to wait for a pulled cable.
    Milliseconds replug{300'000};
    /// After the reset: how long the device may take to swap and to answer.
    Milliseconds return_deadline{300'000};
    std::optional<std::uint32_t> window;  ///< instead of the device's number of buffers
    bool permanent = false;               ///< no test: the image is confirmed before the reset and cannot be reverted
    bool signature_verified = true;       ///< else recovery is refused: it overwrites what runs and checks nothing
    std::string board;                    ///< what the device's must be, see is_board(); "" when nothing is known
    std::optional<std::string> downgrade_reason;
    release::VersionRange replaces;  ///< what the release may take the place of; open without one
};

enum class SerialStep : std::uint8_t { connect, plan, upload, test, reset, await_return, prove, confirm };
std::string_view step_name(SerialStep step) noexcept;

class SerialObserver {
  public:
    virtual ~SerialObserver() = default;
    virtual void step(SerialStep) {}
    virtual void connected(const SmpDevice&) {}
    virtual void progress(const smp::Upload&) {}
    /// "unplugged after 182 KiB: waiting for the same device".
    virtual void remark(const std::string&) {}
};

/// Never fails as such: every end, cancellation included, is a Report. All arguments outlive the coroutine.
boost::asio::awaitable<Report> run_serial(ports::SmpChannel& channel, const Target& target, const SerialPolicy& policy,
                                          ports::Clock& clock, SerialObserver& observer);

/// More than any server has. The protocol's numbers are counted from it: what no longer fits would wrap to slot 0.
inline constexpr std::uint32_t highest_slot = 15;

/// The upload alone; waits for a pulled cable as well. Without a `slot`: the one that a server writes anyway, an
/// application's other slot or recovery's primary one. An application never writes a slot that may run (even numbers:
/// usage, as above highest_slot), and recovery only one that it was built to take (device_refused with the detail
/// "slot"). The number of requests, bytes and resends is in the report; its outcome is `updated` when everything
/// arrived.
boost::asio::awaitable<Report> upload_serial(ports::SmpChannel& channel, const Target& target,
                                             std::optional<std::uint32_t> slot, const SerialPolicy& policy,
                                             ports::Clock& clock, SerialObserver& observer);

}  // namespace fota::update
