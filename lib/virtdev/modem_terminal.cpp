#include "virtdev/modem_terminal.hpp"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <filesystem>

#include "virtdev/pseudo_terminal.hpp"

namespace fota::virtdev {

namespace asio = boost::asio;

struct ModemTerminal::State {
    State(asio::any_io_executor executor, int descriptor, Modem& modem_)
        : master(executor, descriptor), timer(executor), modem(modem_) {}

    static asio::awaitable<void> serve(std::shared_ptr<State> self);

    asio::posix::stream_descriptor master;
    asio::steady_timer timer;
    Modem& modem;
    std::string device;
    std::string link;
    bool closed = false;
};

asio::awaitable<void> ModemTerminal::State::serve(std::shared_ptr<State> self) {
    std::array<char, 1024> buffer;
    for (;;) {
        const auto [failed, size] =
            co_await self->master.async_read_some(asio::buffer(buffer), asio::as_tuple(asio::use_awaitable));
        if (self->closed) co_return;
        if (failed) {
            // EIO: no program has the other end open. Ours is not held open in their stead, for a port that somebody
            // has is a busy one.
            self->timer.expires_after(std::chrono::milliseconds(20));
            const auto [stopped] = co_await self->timer.async_wait(asio::as_tuple(asio::use_awaitable));
            if (stopped || self->closed) co_return;
            continue;
        }
        auto parts = self->modem.feed(as_bytes(std::string_view(buffer.data(), size)));
        for (auto& part : parts) {
            self->timer.expires_after(part.after);
            const auto [cut] = co_await self->timer.async_wait(asio::as_tuple(asio::use_awaitable));
            if (cut) co_return;
            const auto [unwritten, count] =
                co_await asio::async_write(self->master, asio::buffer(part.text), asio::as_tuple(asio::use_awaitable));
            if (unwritten) break;  // closed meanwhile
        }
    }
}

Result<std::unique_ptr<ModemTerminal>> ModemTerminal::open(asio::any_io_executor executor, Modem& modem,
                                                           std::string link) {
    TRY(auto terminal, open_pseudo_terminal(link));
    auto state = std::make_shared<State>(executor, terminal.master, modem);
    state->device = std::move(terminal.device);
    state->link = std::move(link);
    asio::co_spawn(executor, State::serve(state), asio::detached);
    return std::unique_ptr<ModemTerminal>(new ModemTerminal(std::move(state)));
}

ModemTerminal::ModemTerminal(std::shared_ptr<State> state) : state_(std::move(state)) {}

ModemTerminal::~ModemTerminal() {
    boost::system::error_code ignored;
    state_->closed = true;
    state_->master.close(ignored);
    state_->timer.cancel();
    std::error_code gone;
    std::filesystem::remove(state_->link, gone);
}

const std::string& ModemTerminal::device() const noexcept {
    return state_->device;
}

}  // namespace fota::virtdev
