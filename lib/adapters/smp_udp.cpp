#include "adapters/smp_udp.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <charconv>
#include <deque>

#include "adapters/wait.hpp"
#include "base/text.hpp"

namespace fota::adapters {

using boost::asio::awaitable;
using boost::asio::ip::udp;

namespace {

constexpr std::size_t ethernet_payload = 1'500;
constexpr std::size_t headers_v4 = 20 + 8;
constexpr std::size_t headers_v6 = 40 + 8;
/// Of messages that arrived before somebody asked.
constexpr std::size_t most_waiting = 256;

struct HostPort {
    std::string host;
    std::uint16_t port = SmpUdp::default_port;
};

Result<HostPort> parse(const std::string& address) {
    const auto misuse = [&] {
        return fail(Error(Errc::usage, fmt::format("expected udp:HOST or udp:HOST:PORT, found {}", printable(address)))
                        .with("hint", "for instance udp:192.0.2.7:1337, or udp:[fd00::7]"));
    };
    std::string_view rest = address;
    if (!rest.starts_with("udp:")) return misuse();
    rest.remove_prefix(4);
    HostPort out;
    std::string_view port;
    if (rest.starts_with('[')) {
        const auto end = rest.find(']');
        if (end == std::string_view::npos) return misuse();
        out.host = rest.substr(1, end - 1);
        rest.remove_prefix(end + 1);
        if (!rest.empty() && !rest.starts_with(':')) return misuse();
        if (!rest.empty()) port = rest.substr(1);
        if (!rest.empty() && port.empty()) return misuse();
    } else {
        const auto colon = rest.find(':');
        out.host = rest.substr(0, colon);
        if (colon != std::string_view::npos) {
            port = rest.substr(colon + 1);
            if (port.empty()) return misuse();
        }
    }
    if (out.host.empty()) return misuse();
    if (!port.empty()) {
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
        if (error != std::errc{} || end != port.data() + port.size() || out.port == 0) return misuse();
    }
    return out;
}

}  // namespace

struct SmpUdp::State : std::enable_shared_from_this<State> {
    State(boost::asio::any_io_executor executor_, std::string name_)
        : executor(std::move(executor_)), name(std::move(name_)), socket(executor) {}

    boost::asio::any_io_executor executor;
    std::string name;
    udp::socket socket;
    std::array<std::uint8_t, 0x10000> buffer{};
    std::deque<Bytes> received;
    bool reading = false;
    Event* reader = nullptr;

    void start_read() {
        if (reading) return;
        reading = true;
        socket.async_receive(boost::asio::buffer(buffer), [self = shared_from_this()](boost::system::error_code error,
                                                                                      std::size_t size) {
            self->reading = false;
            if (error == boost::asio::error::operation_aborted) return;
            if (!error && size > 0 && self->received.size() < most_waiting)
                self->received.emplace_back(self->buffer.begin(),
                                            self->buffer.begin() + static_cast<std::ptrdiff_t>(size));
            // An ICMP answer to what was sent before the device listens again.
            if (self->received.empty())
                self->start_read();
            else if (self->reader != nullptr)
                self->reader->set();
        });
    }
};

SmpUdp::SmpUdp(std::shared_ptr<State> state) : state_(std::move(state)) {}

SmpUdp::~SmpUdp() {
    boost::system::error_code ignored;
    state_->socket.close(ignored);
}

Result<std::unique_ptr<SmpUdp>> SmpUdp::open(boost::asio::any_io_executor executor, std::string address) {
    TRY(const auto where, parse(address));
    auto state = std::make_shared<State>(std::move(executor), std::move(address));
    udp::resolver resolver(state->executor);
    boost::system::error_code error;
    const auto found = resolver.resolve(where.host, std::to_string(where.port), error);
    if (!error && !found.empty()) {
        const auto remote = found.begin()->endpoint();
        state->socket.open(remote.protocol(), error);
        if (!error) state->socket.connect(remote, error);
        if (!error) state->socket.non_blocking(true, error);
    }
    if (error || found.empty())
        return fail(Error(Errc::address_unusable,
                          fmt::format("expected to reach {}, found: {}", printable(state->name), error.message()))
                        .with("address", state->name));
    return std::unique_ptr<SmpUdp>(new SmpUdp(std::move(state)));
}

const std::string& SmpUdp::name() const {
    return state_->name;
}

std::size_t SmpUdp::longest_message() const {
    boost::system::error_code error;
    const bool v6 = state_->socket.remote_endpoint(error).address().is_v6();
    return ethernet_payload - (v6 ? headers_v6 : headers_v4);
}

awaitable<Result<>> SmpUdp::send(Bytes message) {
    boost::system::error_code error;
    // A datagram that cannot leave is lost, as it may be on its way; the next silence tells.
    state_->socket.send(boost::asio::buffer(message), 0, error);
    co_return Result<>{};
}

awaitable<Result<Bytes>> SmpUdp::receive(Instant deadline) {
    const auto state = state_;
    Event arrival(state->executor, deadline);
    auto outcome = Event::Outcome::set;
    if (state->received.empty()) {
        state->start_read();
        state->reader = &arrival;
        outcome = co_await arrival.wait();
        state->reader = nullptr;
    }
    if (!state->received.empty()) {
        auto message = std::move(state->received.front());
        state->received.pop_front();
        co_return message;
    }
    if (outcome == Event::Outcome::cancelled) co_return fail(Errc::cancelled, "receiving was cancelled");
    co_return fail(Errc::timed_out, fmt::format("expected a datagram from {}, found silence", printable(state->name)));
}

awaitable<Result<>> SmpUdp::reopen(Instant) {
    co_return Result<>{};
}

}  // namespace fota::adapters
