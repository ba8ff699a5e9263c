// The network half of the device commands: listens until one device speaks, operates it, and ends.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/listen_options.hpp"
#include "cli/serving.hpp"
#include "lwm2m/formats.hpp"
#include "ports/device_link.hpp"
#include "server/device.hpp"

namespace fota::cli {

/// What each device command takes beside its own arguments.
struct DeviceOptions : ListenOptions {
    std::string endpoint;
    std::string path;
};
/// EP and PATH, and how to reach the device.
void bind_device_options(CLI::App& app, DeviceOptions& options, const char* path_help);

/// One device, awake or soon to be.
class DeviceSession {
  public:
    DeviceSession(server::Device& device, ports::Clock& clock, std::optional<Instant> deadline)
        : device_(device), clock_(clock), deadline_(deadline) {}

    server::Device& device() noexcept { return device_; }
    ports::Clock& clock() noexcept { return clock_; }

    /// Ends when the device has registered and is awake; device_absent at the deadline. What is asked then has time for
    /// its answer, however late the device came.
    boost::asio::awaitable<Result<>> awake();
    /// The values at a path, typed by the registry; asks in one format after the other while the device says 4.06.
    /// `format` asks in this one alone. A refusal is device_refused with the detail "code".
    boost::asio::awaitable<Result<std::vector<lwm2m::Entry>>> read(lwm2m::Path path,
                                                                   std::optional<lwm2m::Format> format);
    boost::asio::awaitable<Result<std::vector<lwm2m::Discovered>>> discover(lwm2m::Path path);
    boost::asio::awaitable<Result<>> write(lwm2m::Path path, lwm2m::Value value, std::optional<lwm2m::Format> format);
    /// Once: timed_out when nothing came back, for then nothing is known of the effect.
    boost::asio::awaitable<Result<>> execute(lwm2m::Path path, std::string arguments);

    /// The formats to ask for at this path, best first: what the device lists, its version, the resource's type.
    std::vector<lwm2m::Format> formats_for(const lwm2m::Path& path) const;

  private:
    using Operation = std::function<boost::asio::awaitable<Result<ports::Answer>>()>;
    /// Repeats while the device is silent or busy, until it answers or the deadline has passed.
    boost::asio::awaitable<Result<ports::Answer>> persist(Operation operation);
    /// Once; device_absent when the deadline comes before the answer.
    boost::asio::awaitable<Result<ports::Answer>> ask(Operation operation);

    server::Device& device_;
    ports::Clock& clock_;
    std::optional<Instant> deadline_;
};

/// "expected /3/0/99 to be read, found 4.04 (not found)"
Error refusal(const lwm2m::Path& path, std::string_view deed, lwm2m::Status code);
/// Gives each value the type of its resource where it fits; others stay as they came.
void put_types(std::vector<lwm2m::Entry>& entries);

/// What a command does with its device; its result ends the program.
using DeviceWork = std::function<boost::asio::awaitable<Result<>>(DeviceSession&)>;

/// Listens, waits for the device, and does the work on it. Errors: those of the work; device_absent or
/// authentication_failed when it does not come; interrupted or terminated.
Result<> run_on_device(Program& program, const DeviceOptions& options, const DeviceWork& work);

/// PATH, or Errc::usage.
Result<lwm2m::Path> path_argument(const std::string& text);
/// --format, or Errc::usage; nullopt when it was not given.
Result<std::optional<lwm2m::Format>> format_argument(const std::string& name);

}  // namespace fota::cli
