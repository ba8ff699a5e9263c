#include "adapters/serial_port.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/serial_port.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "adapters/wait.hpp"
#include "base/text.hpp"

namespace fota::adapters {

using boost::asio::awaitable;

namespace {

constexpr Milliseconds write_patience{5'000};

Error unavailable(const std::string& device, std::string_view reason, std::string message) {
    return Error(Errc::port_unavailable, std::move(message)).with("device", device).with("reason", std::string(reason));
}

Error vanished(const std::string& device) {
    return unavailable(device, "vanished", fmt::format("expected {} to stay, found it gone", printable(device)));
}

std::string program_name(const std::string& proc, int pid) {
    std::string name;
    std::getline(std::ifstream(fmt::format("{}/{}/comm", proc, pid)), name);
    return printable(name, 64);
}

/// Calls `visit` with the number of each process.
template <class Visit>
void each_process(const std::string& proc, Visit visit) {
    auto* directory = ::opendir(proc.c_str());
    if (directory == nullptr) return;
    while (const auto* entry = ::readdir(directory)) {
        const std::string_view name = entry->d_name;
        if (name.empty() || name.size() > 9 || !std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }))
            continue;
        visit(std::stoi(std::string(name)));
    }
    ::closedir(directory);
}

bool has_open(const std::string& proc, int pid, dev_t device) {
    const auto path = fmt::format("{}/{}/fd", proc, pid);
    auto* directory = ::opendir(path.c_str());
    if (directory == nullptr) return false;
    bool found = false;
    while (const auto* entry = ::readdir(directory)) {
        struct stat status {};
        if (::stat(fmt::format("{}/{}", path, entry->d_name).c_str(), &status) == 0 && S_ISCHR(status.st_mode) &&
            status.st_rdev == device) {
            found = true;
            break;
        }
    }
    ::closedir(directory);
    return found;
}

Error busy(const std::string& device) {
    auto holders = port_holders(device);
    if (holders.empty()) holders = modem_managers();
    if (holders.empty())
        return unavailable(
            device, "busy",
            fmt::format("expected {} to be free, found it held by a process this user cannot see", printable(device)));
    const auto& holder = holders.front();
    return unavailable(device, "busy",
                       fmt::format("expected {} to be free, found it in use by {} (process {})", printable(device),
                                   holder.program, holder.pid))
        .with("pid", std::to_string(holder.pid))
        .with("program", holder.program);
}

Error no_permission(const std::string& device) {
    struct stat status {};
    std::string group = "?";
    if (::stat(device.c_str(), &status) == 0) {
        std::array<char, 4096> buffer{};
        struct group entry {};
        struct group* found = nullptr;
        if (::getgrgid_r(status.st_gid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
            group = printable(found->gr_name, 64);
        else
            group = std::to_string(status.st_gid);
    }
    return unavailable(device, "permission",
                       fmt::format("expected permission to open {}, found mode {:04o} and group {}", printable(device),
                                   status.st_mode & 07777, group))
        .with("group", group);
}

Error open_failed(const std::string& device, int error) {
    switch (error) {
        case EACCES:
        case EPERM:
            return no_permission(device);
        case EBUSY:
            return busy(device);
        case ENOENT:
        case ENXIO:
        case ENODEV:
        case ENOTDIR:
            return unavailable(device, "absent",
                               fmt::format("expected a serial port at {}, found none", printable(device)));
        default:
            return unavailable(
                device, "not-serial",
                fmt::format("expected a serial port at {}, found: {}", printable(device), std::strerror(error)));
    }
}

/// A descriptor until it has an owner.
struct Descriptor {
    int number;
    ~Descriptor() {
        if (number >= 0) ::close(number);
    }
    int release() { return std::exchange(number, -1); }
};

Result<> set_up(boost::asio::serial_port& port, const SerialPort::Options& options) {
    const int number = port.native_handle();
    termios settings{};
    if (::tcgetattr(number, &settings) != 0) return fail(vanished(options.device));
    ::cfmakeraw(&settings);
    settings.c_cflag |= CREAD | CLOCAL;
    settings.c_cflag &= static_cast<tcflag_t>(~(HUPCL | CSTOPB));  // a board must not reset because we leave
    if (options.rts_cts)
        settings.c_cflag |= CRTSCTS;
    else
        settings.c_cflag &= static_cast<tcflag_t>(~CRTSCTS);
    settings.c_cc[VMIN] = 1;
    settings.c_cc[VTIME] = 0;
    if (::tcsetattr(number, TCSANOW, &settings) != 0) return fail(vanished(options.device));
    boost::system::error_code error;
    port.set_option(boost::asio::serial_port::baud_rate(options.baud), error);
    if (error)
        return fail(Error(Errc::usage, fmt::format("expected a baud rate that {} can do, found {}",
                                                   printable(options.device), options.baud))
                        .with("hint", "usual rates: 115200, 230400, 460800, 921600, 1000000"));
    ::tcflush(number, TCIFLUSH);
    return {};
}

}  // namespace

std::vector<PortHolder> port_holders(const std::string& device, const std::string& proc) {
    std::vector<PortHolder> holders;
    struct stat status {};
    if (::stat(device.c_str(), &status) != 0 || !S_ISCHR(status.st_mode)) return holders;
    each_process(proc, [&](int pid) {
        if (pid != ::getpid() && has_open(proc, pid, status.st_rdev)) holders.push_back({pid, program_name(proc, pid)});
    });
    return holders;
}

std::vector<PortHolder> modem_managers(const std::string& proc) {
    std::vector<PortHolder> found;
    each_process(proc, [&](int pid) {
        if (auto name = program_name(proc, pid); name == "ModemManager") found.push_back({pid, std::move(name)});
    });
    return found;
}

struct SerialPort::State : std::enable_shared_from_this<State> {
    State(boost::asio::any_io_executor executor_, Options options_)
        : executor(std::move(executor_)), options(std::move(options_)), port(executor) {}

    boost::asio::any_io_executor executor;
    Options options;
    boost::asio::serial_port port;
    std::array<std::uint8_t, 4096> buffer{};
    Bytes received;
    bool reading = false;
    std::optional<Error> failure;
    Event* reader = nullptr;  ///< the read that waits

    /// One read is always in flight once somebody asked: a deadline then ends the waiting, not the reading.
    void start_read() {
        if (reading || failure) return;
        reading = true;
        port.async_read_some(boost::asio::buffer(buffer),
                             [self = shared_from_this()](boost::system::error_code error, std::size_t size) {
                                 self->on_read(error, size);
                             });
    }

    void on_read(boost::system::error_code error, std::size_t size) {
        reading = false;
        if (!error)
            received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
        else if (error != boost::asio::error::operation_aborted)
            failure = vanished(options.device);
        if (reader != nullptr) reader->set();
    }
};

SerialPort::SerialPort(std::shared_ptr<State> state) : state_(std::move(state)) {}

SerialPort::~SerialPort() {
    if (!state_->port.is_open()) return;
    // A pseudo-terminal outlives us, and with it would our claim.
    ::ioctl(state_->port.native_handle(), TIOCNXCL);
    boost::system::error_code ignored;
    state_->port.close(ignored);
}

Result<std::unique_ptr<SerialPort>> SerialPort::open(boost::asio::any_io_executor executor, Options options) {
    const auto& device = options.device;
    Descriptor descriptor{::open(device.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
    if (descriptor.number < 0) return fail(open_failed(device, errno));
    if (::isatty(descriptor.number) != 1)
        return fail(
            unavailable(device, "not-serial",
                        fmt::format("expected a serial port at {}, found no terminal device", printable(device))));
    // Whoever else reads takes bytes that were meant for us, locked or not.
    if (::flock(descriptor.number, LOCK_EX | LOCK_NB) != 0 || !port_holders(device).empty()) return fail(busy(device));
    if (::ioctl(descriptor.number, TIOCEXCL) != 0) return fail(vanished(device));

    auto state = std::make_shared<State>(std::move(executor), std::move(options));
    boost::system::error_code error;
    state->port.assign(descriptor.number, error);
    if (error) return fail(open_failed(state->options.device, error.value()));
    descriptor.release();
    std::unique_ptr<SerialPort> port(new SerialPort(state));
    TRY_VOID(set_up(state->port, state->options));
    return port;
}

const std::string& SerialPort::name() const {
    return state_->options.device;
}

awaitable<Result<Bytes>> SerialPort::read(Instant deadline) {
    const auto state = state_;
    Event arrival(state->executor, deadline);
    auto outcome = Event::Outcome::set;
    if (state->received.empty()) {
        state->start_read();
        state->reader = &arrival;
        outcome = co_await arrival.wait();
        state->reader = nullptr;
    }
    if (!state->received.empty()) co_return std::exchange(state->received, {});
    if (state->failure) co_return fail(*state->failure);
    if (outcome == Event::Outcome::cancelled)
        co_return fail(Errc::cancelled, fmt::format("reading {} was cancelled", printable(state->options.device)));
    co_return fail(Errc::timed_out,
                   fmt::format("expected bytes from {}, found silence", printable(state->options.device)));
}

awaitable<Result<>> SerialPort::write(Bytes bytes) {
    const auto state = state_;
    if (state->failure) co_return fail(*state->failure);
    struct Job {
        Job(const boost::asio::any_io_executor& executor, Instant deadline, Bytes bytes_)
            : bytes(std::move(bytes_)), done(executor, deadline) {}
        Bytes bytes;
        Event done;
        boost::system::error_code error;
    };
    const auto needed = Milliseconds(bytes.size() * 10'000 / std::max(state->options.baud, 1U));
    const auto job = std::make_shared<Job>(state->executor, std::chrono::steady_clock::now() + needed + write_patience,
                                           std::move(bytes));
    boost::asio::async_write(state->port, boost::asio::buffer(job->bytes),
                             [job](boost::system::error_code error, std::size_t) {
                                 job->error = error;
                                 job->done.set();
                             });
    const auto outcome = co_await job->done.wait();
    if (outcome != Event::Outcome::set) {
        boost::system::error_code ignored;
        state->port.cancel(ignored);  // the read in flight as well: the next read() starts another
        if (outcome == Event::Outcome::cancelled)
            co_return fail(Errc::cancelled, fmt::format("writing {} was cancelled", printable(state->options.device)));
        co_return fail(unavailable(state->options.device, "held",
                                   fmt::format("expected {} to take {} bytes, found it held back by flow control",
                                               printable(state->options.device), job->bytes.size())));
    }
    if (job->error) {
        state->failure = vanished(state->options.device);
        co_return fail(*state->failure);
    }
    co_return Result<>{};
}

}  // namespace fota::adapters
