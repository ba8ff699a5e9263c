// UDP addresses as text, and as keys of hash maps.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/udp.hpp>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::adapters {

using Address = boost::asio::ip::udp::endpoint;

/// The address bytes and the port: equal for equal peers, without padding; for hashing and for DTLS cookies.
Bytes address_key(const Address& address);

struct AddressHash {
    std::size_t operator()(const Address& address) const noexcept;
};

/// "10.40.1.7:49152", "[2001:db8::1]:5684"; an IPv4 peer of a dual-stack socket is shown as IPv4.
std::string to_text(const Address& address);

struct HostPort {
    std::string host;  ///< without brackets
    std::string port;  ///< decimal, 0..65535
};

/// "HOST:PORT" or "[IPv6]:PORT"; address_unusable otherwise.
Result<HostPort> parse_host_port(std::string_view text);

/// An address to bind to: literal, or "localhost". Looks nothing up on the network.
Result<Address> parse_listen_address(std::string_view text);

/// Resolves names too. address_unusable when there is no such host.
boost::asio::awaitable<Result<Address>> resolve(std::string text);

}  // namespace fota::adapters
