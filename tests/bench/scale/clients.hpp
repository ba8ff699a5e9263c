// Thousands of devices in one process for the scale benchmark: one UDP socket, one loopback address each, registration
// and Block1 answers from a script. Not a model of a device: as little as keeps a server busy.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fota::bench {

struct ClientPlan {
    std::uint16_t server_port;  ///< on 127.0.0.1
    std::size_t devices;        ///< endpoints "device-0" to "device-(n-1)"
    bool dtls;                  ///< identity "identity-I", key of sixteen times 7
};

/// Registers every device, then answers until it is killed. Never returns on success; 1 when a socket cannot be had.
int run_clients(const ClientPlan& plan);

}  // namespace fota::bench
