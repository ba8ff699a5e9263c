#include "virtdev/smp_udp_server.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>

#include "base/text.hpp"

namespace fota::virtdev {

namespace asio = boost::asio;
using asio::ip::udp;
using namespace asio::experimental::awaitable_operators;

Result<std::unique_ptr<SmpUdpServer>> SmpUdpServer::open(asio::any_io_executor executor, const std::string& address) {
    const auto colon = address.rfind(':');
    std::uint16_t port = 0;
    boost::system::error_code error = asio::error::invalid_argument;
    asio::ip::address host;
    if (colon != std::string::npos) {
        const auto* end = address.data() + address.size();
        const auto [stop, failed] = std::from_chars(address.data() + colon + 1, end, port);
        if (failed == std::errc{} && stop == end) host = asio::ip::make_address(address.substr(0, colon), error);
    }
    if (error)
        return fail(Error(Errc::usage, fmt::format("expected ADDRESS:PORT to listen on, found {}", printable(address)))
                        .with("hint", "for instance 127.0.0.1:1337; port 0 takes a free one"));
    udp::socket socket(executor);
    socket.open(host.is_v6() ? udp::v6() : udp::v4(), error);
    if (!error) socket.bind({host, port}, error);
    if (error)
        return fail(Error(Errc::address_in_use,
                          fmt::format("expected to listen on {}, found: {}", printable(address), error.message()))
                        .with("address", address));
    auto name = fmt::format("udp:{}:{}", host.to_string(), socket.local_endpoint().port());
    return std::unique_ptr<SmpUdpServer>(new SmpUdpServer(std::move(socket), std::move(name)));
}

asio::awaitable<Result<>> SmpUdpServer::send(Bytes message) {
    boost::system::error_code lost;
    socket_.send_to(asio::buffer(message), peer_, 0, lost);
    co_return Result<>{};
}

asio::awaitable<Result<Bytes>> SmpUdpServer::receive(Instant deadline) {
    std::array<std::uint8_t, 0x10000> buffer;
    for (;;) {
        asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
        udp::endpoint from;
        auto got =
            co_await (socket_.async_receive_from(asio::buffer(buffer), from, asio::as_tuple(asio::use_awaitable)) ||
                      timer.async_wait(asio::as_tuple(asio::use_awaitable)));
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none)
            co_return fail(Errc::cancelled, "receiving was cancelled");
        if (got.index() == 1) co_return fail(Errc::timed_out, "expected a datagram, found silence");
        const auto [failed, size] = std::get<0>(got);
        if (failed || size > longest_message()) {
            // A socket that fails does so at once, each time, and ahead of the timer.
            if (std::chrono::steady_clock::now() >= deadline)
                co_return fail(Errc::timed_out, "expected a datagram, found none");
            continue;
        }
        peer_ = from;
        co_return to_bytes(BytesView(buffer.data(), size));
    }
}

asio::awaitable<Result<>> SmpUdpServer::reopen(Instant) {
    co_return Result<>{};
}

}  // namespace fota::virtdev
