// The virtual board's SMP server on UDP: one message a datagram, answered to whoever asked last.
// Source: Zephyr subsys/mgmt/mcumgr/transport/src/smp_udp.c.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/udp.hpp>
#include <memory>
#include <string>

#include "ports/smp_channel.hpp"

namespace fota::virtdev {

class SmpUdpServer final : public ports::SmpChannel {
  public:
    /// "127.0.0.1:0" takes a free port. Errors: usage for a text that is no address, address_in_use.
    static Result<std::unique_ptr<SmpUdpServer>> open(boost::asio::any_io_executor executor,
                                                      const std::string& address);

    /// "udp:127.0.0.1:1337", as a client names it.
    const std::string& name() const override { return name_; }
    /// CONFIG_MCUMGR_TRANSPORT_UDP_MTU less the headers: a longer datagram is not put together and lost.
    std::size_t longest_message() const override { return 1'472; }
    Milliseconds wire_time(std::size_t) const override { return Milliseconds(0); }
    boost::asio::awaitable<Result<>> send(Bytes message) override;
    boost::asio::awaitable<Result<Bytes>> receive(Instant deadline) override;
    boost::asio::awaitable<Result<>> reopen(Instant deadline) override;

  private:
    SmpUdpServer(boost::asio::ip::udp::socket socket, std::string name)
        : socket_(std::move(socket)), name_(std::move(name)) {}

    boost::asio::ip::udp::socket socket_;
    boost::asio::ip::udp::endpoint peer_;
    std::string name_;
};

}  // namespace fota::virtdev
