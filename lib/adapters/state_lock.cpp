#include "adapters/state_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/text.hpp"

namespace fota::adapters {

namespace {

Failure failed(const std::string& path, std::string_view what, int error) {
    return fail(Error(Errc::store_failed,
                      fmt::format("expected to {} {}, found: {}", what, printable(path), std::strerror(error)))
                    .with("path", path));
}

std::string read_pid(int descriptor) {
    std::array<char, 16> text{};
    const auto size = ::pread(descriptor, text.data(), text.size(), 0);
    std::string pid;
    for (ssize_t i = 0;
         i < size && text[static_cast<std::size_t>(i)] >= '0' && text[static_cast<std::size_t>(i)] <= '9'; ++i)
        pid += text[static_cast<std::size_t>(i)];
    return pid;
}

}  // namespace

Result<> create_state_directory(const std::filesystem::path& directory) {
    std::filesystem::path partial;
    for (const auto& part : directory) {
        partial /= part;
        if (::mkdir(partial.c_str(), 0700) != 0 && errno != EEXIST && errno != EISDIR && errno != EROFS &&
            errno != EACCES)
            return failed(directory.string(), "create the state directory", errno);
    }
    std::error_code error;
    if (!std::filesystem::is_directory(directory, error))
        return failed(directory.string(), "create the state directory", error ? error.value() : ENOTDIR);
    return {};
}

Result<StateLock> StateLock::acquire(const std::filesystem::path& directory) {
    TRY_VOID(create_state_directory(directory));
    const auto path = (directory / "lock").string();
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return failed(path, "open", errno);
    StateLock lock(descriptor);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return failed(path, "lock", errno);
        const auto pid = read_pid(descriptor);
        return fail(Error(Errc::store_locked,
                          fmt::format("expected the state directory {} to be free, found it held by process {}",
                                      printable(directory.string()), pid.empty() ? "(unknown)" : pid))
                        .with("pid", pid)
                        .with("path", directory.string()));
    }
    const auto pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, pid.data(), pid.size(), 0) < 0)
        return failed(path, "write", errno);
    return lock;
}

StateLock::~StateLock() {
    // The file stays: removing it would race with the next holder.
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace fota::adapters
