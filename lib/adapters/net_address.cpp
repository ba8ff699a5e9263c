#include "adapters/net_address.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

#include "base/text.hpp"

namespace fota::adapters {

namespace ip = boost::asio::ip;

Bytes address_key(const Address& address) {
    Bytes key;
    if (address.address().is_v4()) {
        const auto bytes = address.address().to_v4().to_bytes();
        append(key, bytes);
    } else {
        const auto v6 = address.address().to_v6();
        append(key, v6.to_bytes());
        append_le32(key, static_cast<std::uint32_t>(v6.scope_id()));
    }
    append_le16(key, address.port());
    return key;
}

std::size_t AddressHash::operator()(const Address& address) const noexcept {
    return std::hash<ip::address>{}(address.address()) * 31 + address.port();
}

std::string to_text(const Address& address) {
    auto host = address.address();
    if (host.is_v6() && host.to_v6().is_v4_mapped()) host = ip::make_address_v4(ip::v4_mapped, host.to_v6());
    return host.is_v4() ? fmt::format("{}:{}", host.to_string(), address.port())
                        : fmt::format("[{}]:{}", host.to_string(), address.port());
}

Result<HostPort> parse_host_port(std::string_view text) {
    const auto wrong = [&] {
        return fail(Error(Errc::address_unusable,
                          fmt::format("expected ADDRESS:PORT or [IPV6]:PORT, found \"{}\"", printable(text)))
                        .with("address", printable(text)));
    };
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return wrong();
    auto host = text.substr(0, colon);
    const auto port = text.substr(colon + 1);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return wrong();
    }
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (host.empty() || port.empty() || error != std::errc{} || end != port.data() + port.size() || number > 65535)
        return wrong();
    return HostPort{std::string(host), std::string(port)};
}

Result<Address> parse_listen_address(std::string_view text) {
    TRY(const auto parts, parse_host_port(text));
    const auto host = parts.host == "localhost" ? std::string("127.0.0.1") : parts.host;
    boost::system::error_code error;
    const auto address = ip::make_address(host, error);
    if (error)
        return fail(Error(Errc::address_unusable,
                          fmt::format("expected a numeric address to listen on, found \"{}\"", printable(parts.host)))
                        .with("address", printable(text)));
    return Address(address, static_cast<unsigned short>(std::stoul(parts.port)));
}

boost::asio::awaitable<Result<Address>> resolve(std::string text) {
    CO_TRY(const auto parts, parse_host_port(text));
    boost::system::error_code error;
    if (const auto literal = ip::make_address(parts.host, error); !error)
        co_return Address(literal, static_cast<unsigned short>(std::stoul(parts.port)));
    ip::udp::resolver resolver(co_await boost::asio::this_coro::executor);
    const auto [failure, found] =
        co_await resolver.async_resolve(parts.host, parts.port, boost::asio::as_tuple(boost::asio::use_awaitable));
    if (failure || found.empty())
        co_return fail(
            Error(Errc::address_unusable, fmt::format("expected a host that can be resolved, found \"{}\": {}",
                                                      printable(parts.host), failure.message()))
                .with("address", printable(text)));
    co_return found.begin()->endpoint();
}

}  // namespace fota::adapters
