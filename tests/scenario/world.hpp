// A whole update in virtual time: our server and update engine on one side, the virtual nRF9160 on the other, and a
// seeded link between them.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "server/lwm2m_server.hpp"
#include "tests/support/memory_store.hpp"
#include "tests/support/test_images.hpp"
#include "tests/support/virtual_clock.hpp"
#include "tests/support/virtual_network.hpp"
#include "update/preflight.hpp"
#include "update/update.hpp"
#include "virtdev/board_quirks.hpp"
#include "virtdev/device.hpp"

namespace fota::test {

struct WorldOptions {
    std::uint64_t seed = 1;
    LinkModel link{};
    virtdev::QuirkSet quirks{};
    std::size_t image_bytes = 64 * 1024;
    std::string old_version = "1.0.0";
    std::string new_version = "2.0.0";
    std::chrono::seconds lifetime{300};
    server::LinkProfile profile{};
    bool secure = true;
    virtdev::BoardSetup board{};
    Milliseconds boot_time{500};       ///< of the device
    Milliseconds reboot_after{1'000};  ///< from the answer to Execute to the reset
};

class World {
  public:
    static constexpr const char* endpoint = "urn:imei:351358811331351";
    static constexpr const char* server_address = "server:5684";
    static constexpr const char* identity = "identity-1";

    explicit World(WorldOptions options);
    ~World();

    /// Starts (or restarts, after kill_push) the server and one run of the update engine.
    void start_push();
    /// The process is gone without a word: engine, server, sockets, everything that was not made durable.
    void kill_push();
    /// Runs until the push has reported, for at most this much virtual time.
    std::optional<update::Report> finish(Milliseconds limit = std::chrono::hours(12));
    bool run_until(const std::function<bool()>& done, Milliseconds limit = std::chrono::hours(12)) {
        return clock.run_until(done, limit);
    }
    /// start_push and finish, then close as the command does after its result line.
    update::Report push();

    /// DTLS handshakes with the server that runs now.
    std::uint64_t handshakes() const { return server_end_ ? server_end_->statistics().handshakes : 0; }

    /// The server that runs now, and its socket.
    server::LwM2mServer& server() { return *server_; }
    VirtualEndpoint& server_end() { return *server_end_; }

    /// Updates the second-stage bootloader instead: candidates for s0 and for s1.
    void use_bootloader_candidates(Bytes s0, Bytes s1) {
        new_image = std::move(s0);
        other_candidate = std::move(s1);
    }

    /// Updates the modem instead of the application from now on.
    void use_modem_package(Bytes package, const std::string& version) {
        new_image = std::move(package);
        policy.expect_version = version;
        modem_version_ = version;
    }

    /// The application again.
    void use_application(Bytes image) {
        new_image = std::move(image);
        policy.expect_version.reset();
        modem_version_.clear();
    }

    WorldOptions options;
    boost::asio::io_context io;
    VirtualClock clock{io};
    VirtualNetwork network;
    MemoryStore store;
    update::Policy policy;
    Bytes old_image;
    Bytes new_image;
    Bytes other_candidate;
    std::unique_ptr<virtdev::Board> board;
    std::unique_ptr<virtdev::Device> device;
    std::unique_ptr<VirtualEndpoint> device_end;
    std::unique_ptr<VirtualEndpoint> fetch_end;  ///< the device's second socket
    std::optional<update::Report> report;
    std::vector<update::Step> steps;
    int executes = 0;                                                  ///< reboots the device announced for an update
    std::vector<std::pair<lwm2m::State, lwm2m::UpdateResult>> states;  ///< as the device went through them
    std::vector<std::string> remarks;
    /// Every message that was sent, those that were lost included.
    struct Sent {
        Instant when;
        std::string from;
        std::string to;
        coap::Message message;
    };
    std::vector<Sent> wire;
    std::uint64_t blocks_taken = 0;
    std::uint64_t last_progress = 0;
    update::Step step = update::Step::await_device;

  private:
    struct Watch;
    std::unique_ptr<Watch> watch_;
    std::unique_ptr<VirtualEndpoint> server_end_;
    std::unique_ptr<server::LwM2mServer> server_;
    std::optional<update::Target> target_;
    std::string modem_version_;
    std::unique_ptr<boost::asio::cancellation_signal> stop_;
    bool device_ended_ = false;
};

}  // namespace fota::test
