// The real adapter on pseudo-terminals: what a port, its absence and its other readers look like.
#include "adapters/serial_port.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>

#include "adapters/system_clock.hpp"

using namespace fota;
using namespace fota::adapters;
using namespace std::chrono_literals;

namespace {

struct Terminal {
    Terminal() {
        int slave = -1;
        char path[128] = {};
        EXPECT_EQ(openpty(&master, &slave, path, nullptr, nullptr), 0);
        ::close(slave);
        device = path;
    }
    ~Terminal() { close(); }
    void close() {
        if (master >= 0) ::close(std::exchange(master, -1));
    }
    void say(std::string_view text) const {
        EXPECT_EQ(::write(master, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    std::string hear() const {
        std::string text(4096, '\0');
        const auto size = ::read(master, text.data(), text.size());
        text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        return text;
    }
    int master = -1;
    std::string device;
};

class SerialPortTest : public testing::Test {
  protected:
    boost::asio::io_context io;
    Terminal terminal;

    Result<std::unique_ptr<SerialPort>> open() { return SerialPort::open(io.get_executor(), {terminal.device}); }

    template <class T>
    T run(boost::asio::awaitable<T> operation) {
        std::optional<T> result;
        boost::asio::co_spawn(io, std::move(operation), [&](std::exception_ptr failure, T value) {
            ASSERT_FALSE(failure);
            result = std::move(value);
        });
        io.restart();
        while (!result && io.run_one() > 0) {
        }
        return std::move(*result);
    }
    Result<Bytes> read(SerialPort& port, Milliseconds wait) {
        return run(port.read(std::chrono::steady_clock::now() + wait));
    }
};

/// A process of another program that opens the device and holds it until it is told to go.
class Holder {
  public:
    explicit Holder(const std::string& device, bool lock = false) {
        int ready[2];
        int leave[2];
        EXPECT_EQ(pipe(ready), 0);
        EXPECT_EQ(pipe(leave), 0);
        pid_ = fork();
        if (pid_ == 0) {
            const int fd = ::open(device.c_str(), O_RDWR | O_NOCTTY);
            if (lock) ::flock(fd, LOCK_EX);
            char byte = fd >= 0 ? 'y' : 'n';
            (void)!::write(ready[1], &byte, 1);
            ::close(leave[1]);
            (void)!::read(leave[0], &byte, 1);
            _exit(0);
        }
        char byte = 0;
        EXPECT_EQ(::read(ready[0], &byte, 1), 1);
        EXPECT_EQ(byte, 'y');
        ::close(ready[0]);
        ::close(ready[1]);
        ::close(leave[0]);
        leave_ = leave[1];
    }
    ~Holder() {
        ::close(leave_);
        ::waitpid(pid_, nullptr, 0);
    }
    int pid() const { return pid_; }

  private:
    int pid_ = -1;
    int leave_ = -1;
};

TEST_F(SerialPortTest, bytes_go_both_ways_unchanged) {
    auto port = open();
    ASSERT_TRUE(port) << port.error().text();
    EXPECT_EQ((*port)->name(), terminal.device);
    Bytes all(256);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
    ASSERT_TRUE(run((*port)->write(all)));
    EXPECT_EQ(terminal.hear(), as_text(all));
    terminal.say(as_text(all));
    Bytes heard;
    while (heard.size() < all.size()) {
        const auto more = read(**port, 2s);
        ASSERT_TRUE(more) << more.error().text();
        append(heard, *more);
    }
    EXPECT_EQ(heard, all);
}

TEST_F(SerialPortTest, silence_ends_at_the_deadline_and_loses_nothing) {
    auto port = open();
    ASSERT_TRUE(port);
    const auto nothing = read(**port, 20ms);
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().code(), Errc::timed_out);
    terminal.say("late");
    const auto late = read(**port, 2s);
    ASSERT_TRUE(late);
    EXPECT_EQ(as_text(*late), "late");
}

TEST_F(SerialPortTest, what_came_before_the_opening_is_forgotten) {
    // A pseudo-terminal keeps input only while somebody has it open.
    const int other = ::open(terminal.device.c_str(), O_RDWR | O_NOCTTY);
    terminal.say("old\n");
    auto port = open();
    ASSERT_TRUE(port) << port.error().text();
    ::close(other);
    terminal.say("new");
    const auto heard = read(**port, 2s);
    ASSERT_TRUE(heard);
    EXPECT_EQ(as_text(*heard), "new");
}

TEST_F(SerialPortTest, a_port_that_vanishes_is_unavailable) {
    auto port = open();
    ASSERT_TRUE(port);
    boost::asio::co_spawn(
        io,
        [&]() -> boost::asio::awaitable<void> {
            SystemClock clock(io.get_executor());
            (void)co_await clock.sleep_until(clock.now() + 20ms);
            terminal.close();
        },
        boost::asio::detached);
    const auto gone = read(**port, 10s);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code(), Errc::port_unavailable);
    EXPECT_EQ(gone.error().detail("reason"), "vanished");
    const auto sent = run((*port)->write({1, 2, 3}));
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code(), Errc::port_unavailable);
}

TEST_F(SerialPortTest, a_port_that_is_not_there) {
    for (const auto* path : {"/dev/ttyNOT0", "/dev/null/tty"}) {
        const auto port = SerialPort::open(io.get_executor(), {path});
        ASSERT_FALSE(port);
        EXPECT_EQ(port.error().code(), Errc::port_unavailable);
        EXPECT_EQ(port.error().detail("reason"), "absent") << path;
    }
    for (const auto* path : {"/dev/null", "/etc/passwd", "/"}) {
        const auto port = SerialPort::open(io.get_executor(), {path});
        ASSERT_FALSE(port) << path;
        EXPECT_EQ(port.error().code(), Errc::port_unavailable) << path;
    }
}

TEST_F(SerialPortTest, whoever_holds_it_is_named) {
    const Holder holder(terminal.device);
    const auto port = open();
    ASSERT_FALSE(port);
    EXPECT_EQ(port.error().code(), Errc::port_unavailable);
    EXPECT_EQ(port.error().detail("reason"), "busy");
    EXPECT_EQ(port.error().detail("pid"), std::to_string(holder.pid()));
    EXPECT_EQ(port.error().detail("program"), "unit_adapters");
    EXPECT_NE(port.error().message().find("unit_adapters (process "), std::string::npos) << port.error().message();
}

TEST_F(SerialPortTest, it_is_ours_alone_and_free_again_afterwards) {
    {
        auto port = open();
        ASSERT_TRUE(port);
        const auto second = open();
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().detail("reason"), "busy");
    }
    auto again = open();
    ASSERT_TRUE(again) << again.error().text();
    again->reset();
    // Neither the lock nor the exclusive mark stays behind for others.
    const Holder other(terminal.device, true);
}

TEST_F(SerialPortTest, no_permission_says_whose_the_port_is) {
    if (::geteuid() == 0) {
        // Root may open everything: ask as nobody in a child.
        ASSERT_EQ(::chmod(terminal.device.c_str(), 0600), 0);
        const auto pid = fork();
        if (pid == 0) {
            if (::setuid(65534) != 0) _exit(3);
            const auto port = open();
            _exit(!port && port.error().detail("reason") == "permission" && !port.error().detail("group").empty() ? 0
                                                                                                                  : 1);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(pid, &status, 0), pid);
        EXPECT_EQ(WEXITSTATUS(status), 0);
        return;
    }
    ASSERT_EQ(::chmod(terminal.device.c_str(), 0), 0);
    const auto port = open();
    ASSERT_FALSE(port);
    EXPECT_EQ(port.error().detail("reason"), "permission");
    EXPECT_FALSE(port.error().detail("group").empty());
}

TEST_F(SerialPortTest, an_unknown_rate_is_misuse) {
    const auto port = SerialPort::open(io.get_executor(), {terminal.device, 12'345});
    ASSERT_FALSE(port);
    EXPECT_EQ(port.error().code(), Errc::usage);
}

TEST_F(SerialPortTest, a_line_that_takes_nothing_is_given_up) {
    auto port = SerialPort::open(io.get_executor(), {terminal.device, 4'000'000});
    ASSERT_TRUE(port);
    const auto sent = run((*port)->write(Bytes(1 << 18)));  // nobody reads the other side
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().detail("reason"), "held");
    terminal.say("alive");
    const auto heard = read(**port, 2s);
    ASSERT_TRUE(heard) << heard.error().text();
}

TEST(ModemManagers, are_found_by_their_name) {
    const auto proc = std::filesystem::temp_directory_path() / ("fotactl-proc-" + std::to_string(::getpid()));
    for (const auto* name : {"812", "813", "self"}) std::filesystem::create_directories(proc / name);
    std::ofstream(proc / "812" / "comm") << "ModemManager\n";
    std::ofstream(proc / "813" / "comm") << "bash\n";
    const auto found = modem_managers(proc.string());
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].pid, 812);
    EXPECT_EQ(found[0].program, "ModemManager");
    std::filesystem::remove_all(proc);
}

}  // namespace
