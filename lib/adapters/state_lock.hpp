// The state directory belongs to one process at a time.
#pragma once

#include <filesystem>
#include <utility>

#include "base/result.hpp"

namespace fota::adapters {

/// Creates the directory with mode 0700 when it is missing, parents included; leaves an existing one as it is.
/// store_failed.
Result<> create_state_directory(const std::filesystem::path& directory);

/// Holds D/lock (flock), which contains the holder's pid. Released when the object or the process ends.
class StateLock {
  public:
    /// store_locked, with the details "pid" and "path", when another process holds it; store_failed otherwise.
    static Result<StateLock> acquire(const std::filesystem::path& directory);

    StateLock(StateLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    StateLock& operator=(StateLock&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    StateLock(const StateLock&) = delete;
    StateLock& operator=(const StateLock&) = delete;
    ~StateLock();

  private:
    explicit StateLock(int descriptor) : descriptor_(descriptor) {}
    int descriptor_ = -1;
};

}  // namespace fota::adapters
