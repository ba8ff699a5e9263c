// An LwM2M bootstrap server (OMA LwM2M Core 1.1, section 6.1): gives a factory-fresh device the account of its
// management server, over DTLS with the device's bootstrap key.
//
// One device at a time asks (POST /bs?ep=EP); then, each step after the other: Discover (1.1; a refusal is a 1.0
// client), DELETE /, writes of one Security and one Server instance, Read of the latter (where Discover worked),
// Bootstrap-Finish.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "lwm2m/security.hpp"
#include "ports/clock.hpp"
#include "ports/coap_endpoint.hpp"

namespace fota::provision {

struct BootstrapEvent {
    enum class Kind : std::uint8_t {
        asked,     ///< the device was let in
        refused,   ///< it was not; `error` says why
        step,      ///< "discover", "delete", "write security", "write server", "read", "finish"
        finished,  ///< it has its account
        failed,    ///< `error`; `standing` says what the device has now
    };
    Kind kind;
    std::string endpoint;  ///< foreign in `refused`: escape before printing
    std::string address;
    std::string step;
    std::string standing;
    std::optional<Error> error;
};

struct BootstrapConfig {
    /// DTLS identity -> the one endpoint it may speak for.
    std::map<std::string, std::string> identities;
    /// The account of an endpoint, kept before it is returned. Its error refuses the device (4.03).
    std::function<Result<lwm2m::ServerAccount>(const std::string& endpoint)> account;
    coap::Retry retry{};
};

class BootstrapServer {
  public:
    /// All must outlive the server.
    BootstrapServer(boost::asio::io_context& io, ports::CoapEndpoint& endpoint, ports::Clock& clock,
                    BootstrapConfig config);
    ~BootstrapServer();
    BootstrapServer(const BootstrapServer&) = delete;

    void on_event(std::function<void(const BootstrapEvent&)> handler) { on_event_ = std::move(handler); }
    /// Devices whose bootstrap is under way.
    std::size_t active() const noexcept { return runs_.size(); }

  private:
    struct Run;
    coap::Answer on_request(const ports::Peer& peer, const coap::Message& request);
    boost::asio::awaitable<void> serve(std::shared_ptr<Run> run);
    boost::asio::awaitable<Result<>> steps(Run& run);
    boost::asio::awaitable<Result<coap::Message>> exchange(Run& run, coap::Message message);
    void tell(BootstrapEvent event) {
        if (on_event_) on_event_(event);
    }

    boost::asio::io_context& io_;
    ports::CoapEndpoint& coap_;
    ports::Clock& clock_;
    BootstrapConfig config_;
    std::function<void(const BootstrapEvent&)> on_event_;
    std::map<std::string, std::shared_ptr<Run>> runs_;  ///< by endpoint; bounded by the identities
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fota::provision
