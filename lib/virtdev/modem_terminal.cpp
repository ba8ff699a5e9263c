#include "virtdev/modem_terminal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

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
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/text.hpp"

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
    const auto refused = [](std::string what) {
        return fail(Errc::port_unavailable,
                    fmt::format("expected a pseudo-terminal, found {}: {}", what, std::strerror(errno)));
    };
    int master = -1;
    int slave = -1;
    if (::openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) return refused("none");
    auto state = std::make_shared<State>(executor, master, modem);
    const struct Closing {
        int descriptor;
        ~Closing() { ::close(descriptor); }
    } closing{slave};
    (void)::fcntl(master, F_SETFD, FD_CLOEXEC);
    termios line{};
    if (::tcgetattr(slave, &line) != 0) return refused("one without a line");
    ::cfmakeraw(&line);
    (void)::tcsetattr(slave, TCSANOW, &line);
    std::array<char, 128> name{};
    if (::ttyname_r(slave, name.data(), name.size()) != 0) return refused("one without a name");
    state->device = name.data();
    std::error_code ignored;
    if (std::filesystem::is_symlink(link, ignored)) std::filesystem::remove(link, ignored);
    if (::symlink(state->device.c_str(), link.c_str()) != 0)
        return fail(Error(Errc::file_unwritable, fmt::format("expected a free name for the link {}, found: {}",
                                                             printable(link), std::strerror(errno)))
                        .with("file", link));
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
