// A process that devices can reach: the state directory's lock, the store, the port, and the LwM2M server on it. What
// push and the device commands do with the devices is theirs.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>

#include "adapters/sqlite_store.hpp"
#include "adapters/state_lock.hpp"
#include "adapters/udp_endpoint.hpp"
#include "cli/listen_options.hpp"
#include "cli/output.hpp"
#include "ports/clock.hpp"
#include "server/lwm2m_server.hpp"

namespace fota::cli {

class Serving {
  public:
    /// Takes the lock and opens the store, before any port: of two processes on one state directory only one may be
    /// heard by devices. `job` must outlive it.
    static Result<std::unique_ptr<Serving>> open(const ListenJob& job);
    /// Binds, and says where. The context, clock and output must outlive it.
    Result<> start(boost::asio::io_context& io, ports::Clock& clock, Output& out);

    /// After start().
    server::LwM2mServer& server() noexcept { return *server_; }
    adapters::SqliteStore& store() noexcept { return *store_; }

    /// "12 datagrams on 5684, 3 × unknown identity"
    std::string what_arrived() const;
    /// Why this device's handshake or identity was refused; nullopt when it was not.
    std::optional<std::string> refusal_of(const std::string& endpoint) const;
    /// What to say of a device that did not register: `absent` with what arrived, or authentication_failed.
    Error absence(const std::string& endpoint, const Error& absent) const;
    /// How long to wait for a device nobody gave a time for: its last known lifetime and a tenth more, and longer where
    /// an update of it was left unfinished; for one never seen without end (nullopt) on a terminal, Errc::usage
    /// elsewhere.
    struct Patience {
        std::optional<Milliseconds> wait;
        bool unfinished = false;
    };
    Result<Patience> default_wait(const std::string& endpoint);
    /// Keeps the lifetime of a device that has registered, for the next run's default_wait.
    void remember(const std::string& endpoint);

  private:
    explicit Serving(const ListenJob& job) : job_(job) {}

    const ListenJob& job_;
    std::optional<adapters::StateLock> lock_;
    std::unique_ptr<adapters::SqliteStore> store_;
    std::unique_ptr<adapters::UdpEndpoint> endpoint_;
    std::unique_ptr<server::LwM2mServer> server_;
};

}  // namespace fota::cli
