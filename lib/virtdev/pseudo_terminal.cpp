#include "virtdev/pseudo_terminal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/text.hpp"

namespace fota::virtdev {
namespace {

struct Descriptor {
    int number = -1;
    ~Descriptor() {
        if (number >= 0) ::close(number);
    }
};

}  // namespace

Result<PseudoTerminal> open_pseudo_terminal(const std::string& link) {
    const auto refused = [](std::string_view what) {
        return fail(Errc::port_unavailable,
                    fmt::format("expected a pseudo-terminal, found {}: {}", what, std::strerror(errno)));
    };
    Descriptor master;
    Descriptor slave;
    if (::openpty(&master.number, &slave.number, nullptr, nullptr, nullptr) != 0) return refused("none");
    (void)::fcntl(master.number, F_SETFD, FD_CLOEXEC);
    termios line{};
    if (::tcgetattr(slave.number, &line) != 0) return refused("one without a line");
    ::cfmakeraw(&line);
    (void)::tcsetattr(slave.number, TCSANOW, &line);
    std::array<char, 128> name{};
    if (::ttyname_r(slave.number, name.data(), name.size()) != 0) return refused("one without a name");
    std::error_code ignored;
    if (std::filesystem::is_symlink(link, ignored)) std::filesystem::remove(link, ignored);
    if (::symlink(name.data(), link.c_str()) != 0)
        return fail(Error(Errc::file_unwritable, fmt::format("expected a free name for the link {}, found: {}",
                                                             printable(link), std::strerror(errno)))
                        .with("file", link));
    return PseudoTerminal{std::exchange(master.number, -1), name.data()};
}

}  // namespace fota::virtdev
