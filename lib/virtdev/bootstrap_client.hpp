// A factory-fresh LwM2M client that asks a bootstrap server for its account (OMA LwM2M Core 1.1, section 6.1). Strict:
// what the specification does not allow in a bootstrap it answers with an error.
#pragma once

#include <bitset>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ports/clock.hpp"
#include "ports/coap_endpoint.hpp"

namespace fota::virtdev {

enum class BootstrapQuirk : std::uint8_t {
    lwm2m_1_0,            ///< knows neither Bootstrap-Discover nor Bootstrap-Read
    no_delete_all,        ///< takes DELETE of /0 and /1, not of /
    bootstrap_in_1,       ///< keeps the bootstrap server's account in /0/1
    refuses_security,     ///< answers the Security instance with 4.00
    refuses_finish,       ///< answers Bootstrap-Finish with 4.06
    forgets_server,       ///< answers 2.04 to the Server instance and keeps another lifetime
    leaves_after_delete,  ///< loses power behind the deletion
    count_,
};

struct BootstrapClientConfig {
    std::string endpoint;
    std::string server;  ///< HOST:PORT
    ports::Credentials credentials;
    std::vector<BootstrapQuirk> quirks;
    coap::Retry retry{};
    Milliseconds patience{247'000};  ///< for the Finish after the request (EXCHANGE_LIFETIME)
};

/// What it was given, as raw resource values by number.
struct BootstrapOutcome {
    bool finished = false;
    std::map<std::uint16_t, std::map<std::uint16_t, Bytes>> security;  ///< instance -> resource -> value
    std::map<std::uint16_t, std::map<std::uint16_t, Bytes>> server;
    std::vector<std::string> requests;  ///< "DELETE /", in order
};

class BootstrapClient {
  public:
    /// Both must outlive the client.
    BootstrapClient(ports::CoapEndpoint& endpoint, ports::Clock& clock, BootstrapClientConfig config);
    ~BootstrapClient();

    /// Connects, asks, and serves the bootstrap server until it has finished. Errors: those of connect() and
    /// exchange(); authentication_failed when the request was refused; timed_out without a Finish in time.
    boost::asio::awaitable<Result<>> run();
    const BootstrapOutcome& outcome() const noexcept { return outcome_; }

  private:
    bool has(BootstrapQuirk quirk) const;
    coap::Answer on_request(const ports::Peer& peer, const coap::Message& request);
    coap::Code erase(const std::string& path);
    coap::Code write(const std::string& path, const coap::Message& request);
    std::string links() const;

    ports::CoapEndpoint& coap_;
    ports::Clock& clock_;
    BootstrapClientConfig config_;
    BootstrapOutcome outcome_;
    ports::Peer server_;
    bool gone_ = false;
};

}  // namespace fota::virtdev
