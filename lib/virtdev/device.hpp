// A virtual nRF9160-DK on the network: boots through the bootloader model, registers, serves its objects, reboots into
// what it was sent. The shell around ObjectModel: time and messages are here, decisions are there.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ports/clock.hpp"
#include "ports/coap_endpoint.hpp"
#include "virtdev/board.hpp"
#include "virtdev/object_model.hpp"
#include "virtdev/quirks.hpp"

namespace fota::virtdev {

struct DeviceConfig {
    std::string endpoint;            ///< ep=
    std::string server;              ///< HOST:PORT
    ports::Credentials credentials;  ///< neither a key nor a certificate: plain CoAP
    std::chrono::seconds lifetime{60};
    QuirkSet quirks;
    coap::Retry retry{};                   ///< of its own requests
    Milliseconds retry_pause{1'000};       ///< after a registration that failed, for ever
    Milliseconds reboot_after{1'000};      ///< from the answer that announces a reboot to the reset
    Milliseconds boot_time{500};           ///< from a reset to the application
    Milliseconds revert_after{10'000};     ///< quirk revert: how long the new image runs
    ports::CoapEndpoint* fetch = nullptr;  ///< its second socket, for packages it fetches; absent: it has one only
    Milliseconds awake{10'000};            ///< quirk queue-mode: how long it listens after the last message
};

/// What can be watched; any may be empty. Called from within the device's coroutine or a request: return quickly.
struct DeviceEvents {
    std::function<void(const std::string& version)> registered;
    std::function<void(lwm2m::State state, lwm2m::UpdateResult result)> state;
    std::function<void(const BlockTaken& block)> block;
    std::function<void(const std::string& reason)> reboot;
    std::function<void(const std::string& from, const std::string& to)> swapped;
    std::function<void(const std::string& version)> reverted;
    std::function<void(const std::string& line)> boot_log;  ///< each line of the bootloader's console
    std::function<void(const Error& error)> trouble;        ///< a connection or registration that failed
};

class Device {
  public:
    /// All references must outlive the device, and the device its endpoint's last request.
    Device(Board& board, ports::CoapEndpoint& endpoint, ports::Clock& clock, DeviceConfig config, DeviceEvents events);
    Device(const Device&) = delete;

    /// Lives until stop(). image_malformed: nothing in the primary slot can be booted.
    boost::asio::awaitable<Result<>> run();
    /// Ends run() soon, without a word to the server.
    void stop();
    /// Loses power now and boots again: no message leaves it in between.
    void lose_power();

    const ObjectModel& objects() const noexcept { return objects_; }
    /// When something of the server last arrived: a request, or the answer to a registration.
    Instant last_traffic() const noexcept { return last_traffic_; }

  private:
    struct Outgoing {
        Instant due;
        coap::Message message;
    };

    boost::asio::awaitable<Result<>> boot();
    boost::asio::awaitable<void> live();
    boost::asio::awaitable<Result<ports::Peer>> connect();
    boost::asio::awaitable<void> connect_and_register();
    boost::asio::awaitable<bool> register_on_peer();
    boost::asio::awaitable<void> update();
    boost::asio::awaitable<void> deregister();
    /// In one message, or in blocks (quirk blocked-register).
    boost::asio::awaitable<Result<coap::Reply>> send_registration(coap::Message message);
    boost::asio::awaitable<void> register_or_disconnect();
    boost::asio::awaitable<void> send_outgoing();
    bool send_due();
    boost::asio::awaitable<void> fetch_packages();
    boost::asio::awaitable<void> fetch_package(std::uint32_t fetch);
    boost::asio::awaitable<lwm2m::UpdateResult> fetch_blocks(std::uint32_t fetch, ports::CoapEndpoint& from,
                                                             ports::Peer peer, std::string path);
    boost::asio::awaitable<Result<coap::Reply>> get_block(ports::CoapEndpoint& from, ports::Peer peer,
                                                          coap::Message message);
    boost::asio::awaitable<void> until_fetch();
    bool under_way(std::uint32_t fetch) const { return alive() && objects_.firmware().fetching() == fetch; }
    /// Until the deadline, or until there is something to do.
    boost::asio::awaitable<void> wait_until(Instant deadline);
    boost::asio::awaitable<void> until_woken();
    boost::asio::awaitable<void> until_dead();
    boost::asio::awaitable<void> until_stopped();
    /// An exchange that ends when the device does.
    boost::asio::awaitable<Result<coap::Reply>> exchange(coap::Message message);

    coap::Answer on_request(const ports::Peer& peer, const coap::Message& request);
    void registered();
    void report_state();
    void die(std::string reason);
    void disconnect();
    void wake();
    Instant next_deadline() const;
    Instant next_update() const;
    bool alive() const noexcept { return !stopped_ && !dead_; }
    bool has(Quirk quirk) const { return config_.quirks.has(quirk); }
    coap::Message registration_message(const std::string& path, bool full) const;

    Board& board_;
    ports::CoapEndpoint& endpoint_;
    ports::Clock& clock_;
    DeviceConfig config_;
    DeviceEvents events_;
    ObjectModel objects_;

    // What a reset forgets.
    std::optional<ports::Peer> peer_;
    std::string location_;
    std::deque<Outgoing> outgoing_;
    std::optional<Instant> reboot_due_;
    std::optional<Instant> update_due_;
    std::optional<Instant> check_due_;  ///< of a package that is complete
    bool register_again_ = false;
    Instant last_traffic_{};
    Instant last_block_{};  ///< of a push
    std::optional<ports::Peer> fetch_peer_;

    // What it does not.
    bool dead_ = false;      ///< without power; booted again by run()
    bool vanished_ = false;  ///< for good
    bool stopped_ = false;
    bool booted_before_ = false;
    std::string death_reason_;
    std::string last_version_;
    std::pair<lwm2m::State, lwm2m::UpdateResult> reported_{};
    std::uint32_t last_fetch_ = 0;     ///< the newest one that was begun
    bool fetch_trouble_over_ = false;  ///< quirks that strike once have struck
    bool woken_ = false;
    std::unique_ptr<boost::asio::steady_timer> fetch_wake_;  ///< there is something to fetch
    std::unique_ptr<boost::asio::steady_timer> wake_;        ///< something to do
    std::unique_ptr<boost::asio::steady_timer> death_;       ///< dead or stopped
};

}  // namespace fota::virtdev
