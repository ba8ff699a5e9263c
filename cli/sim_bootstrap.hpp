// A virtual device without a server: it asks a bootstrap server for its account first (`sim --bootstrap URI`).
#pragma once

#include <boost/asio/io_context.hpp>
#include <string>

#include "ports/clock.hpp"
#include "ports/coap_endpoint.hpp"

namespace fota::cli {

struct SimAccount {
    std::string server;  ///< URI
    ports::Credentials credentials;
};

/// Runs `io` until the bootstrap has finished. Asks again each second until `stop` (a signal) ends it with cancelled.
Result<SimAccount> sim_bootstrap(boost::asio::io_context& io, ports::CoapEndpoint& endpoint, ports::Clock& clock,
                                 const std::string& name, const std::string& server,
                                 const ports::Credentials& credentials);

}  // namespace fota::cli
