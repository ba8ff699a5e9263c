#include "virtdev/pty_line.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>

#include "virtdev/pseudo_terminal.hpp"

namespace fota::virtdev {

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;

namespace {

/// Between two looks whether a program has opened the other end.
constexpr Milliseconds closed_pause{20};

asio::awaitable<bool> cancelled() {
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace

struct PtyLine::State {
    State(asio::any_io_executor executor, int descriptor, ports::Clock& clock_)
        : master(executor, descriptor), clock(clock_) {}

    asio::posix::stream_descriptor master;
    ports::Clock& clock;
    std::string device;
    std::string link;
};

Result<std::unique_ptr<PtyLine>> PtyLine::open(asio::any_io_executor executor, ports::Clock& clock, std::string link) {
    TRY(auto terminal, open_pseudo_terminal(link));
    auto state = std::make_unique<State>(executor, terminal.master, clock);
    state->device = std::move(terminal.device);
    state->link = std::move(link);
    return std::unique_ptr<PtyLine>(new PtyLine(std::move(state)));
}

PtyLine::PtyLine(std::unique_ptr<State> state) : state_(std::move(state)) {}

PtyLine::~PtyLine() {
    std::error_code gone;
    std::filesystem::remove(state_->link, gone);
}

const std::string& PtyLine::name() const {
    return state_->device;
}

asio::awaitable<Result<Bytes>> PtyLine::read(Instant deadline) {
    std::array<std::uint8_t, 1024> buffer;
    for (;;) {
        auto got =
            co_await (state_->master.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable)) ||
                      state_->clock.sleep_until(deadline));
        const bool withdrawn = co_await cancelled();
        if (withdrawn) co_return fail(Errc::cancelled, "reading was cancelled");
        if (got.index() == 1) co_return fail(Errc::timed_out, "expected bytes, found silence");
        const auto [failed, size] = std::get<0>(got);
        if (!failed) co_return to_bytes(BytesView(buffer.data(), size));
        co_await state_->clock.sleep_until(std::min(deadline, state_->clock.now() + closed_pause));
        if (state_->clock.now() >= deadline) co_return fail(Errc::timed_out, "expected bytes, found silence");
    }
}

asio::awaitable<Result<>> PtyLine::write(Bytes bytes) {
    const auto [failed, size] =
        co_await asio::async_write(state_->master, asio::buffer(bytes), asio::as_tuple(asio::use_awaitable));
    (void)failed;
    (void)size;
    const bool withdrawn = co_await cancelled();
    if (withdrawn) co_return fail(Errc::cancelled, "writing was cancelled");
    co_return Result<>{};
}

}  // namespace fota::virtdev
