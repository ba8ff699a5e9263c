// SmpChannel on UDP: one message a datagram, without framing and without security. Zephyr's port is 1337.
// Source: Zephyr subsys/mgmt/mcumgr/transport/src/smp_udp.c, Kconfig.udp.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string>

#include "ports/smp_channel.hpp"

namespace fota::adapters {

class SmpUdp final : public ports::SmpChannel {
  public:
    static constexpr std::uint16_t default_port = 1337;

    /// "udp:HOST", "udp:HOST:PORT", "udp:[::1]:1337". Names are resolved. Errors: usage for a text that is none of
    /// these, address_unusable for a host that cannot be found. The executor's context must be run by one thread and
    /// outlive the channel.
    static Result<std::unique_ptr<SmpUdp>> open(boost::asio::any_io_executor executor, std::string address);
    /// Whether a port argument means UDP.
    static bool is_udp(std::string_view port) noexcept { return port.starts_with("udp:"); }
    ~SmpUdp() override;

    const std::string& name() const override;
    /// What an Ethernet frame carries behind IP and UDP headers: servers cannot put datagrams together.
    std::size_t longest_message() const override;
    Milliseconds wire_time(std::size_t) const override { return Milliseconds(0); }
    boost::asio::awaitable<Result<>> send(Bytes message) override;
    /// Datagrams of other senders are passed over; an ICMP refusal is a silence, since the device may be booting.
    boost::asio::awaitable<Result<Bytes>> receive(Instant deadline) override;
    boost::asio::awaitable<Result<>> reopen(Instant deadline) override;

  private:
    struct State;
    explicit SmpUdp(std::shared_ptr<State> state);

    std::shared_ptr<State> state_;  ///< shared with the read in flight
};

}  // namespace fota::adapters
