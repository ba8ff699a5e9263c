// Driving an smp::Upload over a channel: the window, and how long to wait for what.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>

#include "smp/upload.hpp"
#include "update/smp_client.hpp"

namespace fota::update {

struct UploadPace {
    Milliseconds reply{2'500};   ///< for a piece, beyond its time on the line; doubles with each silence
    Milliseconds erase{15'000};  ///< for a first piece, before which a whole slot may be erased
    Milliseconds stall{60'000};  ///< nothing confirmed for this long ends the upload
};

/// Called when the confirmed offset has changed.
using UploadProgress = std::function<void(const smp::Upload&)>;

/// Until the device has confirmed the last byte. Errors: transfer_stalled, device_refused, transfer_failed (see
/// smp::Upload), port_unavailable, cancelled. After an error the upload knows what was confirmed and can go on.
boost::asio::awaitable<Result<>> drive(SmpClient& client, smp::Upload& upload, UploadPace pace,
                                       UploadProgress progress);

}  // namespace fota::update
