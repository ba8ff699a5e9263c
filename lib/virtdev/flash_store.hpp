// Where the cells of a flash part live: in memory, or in a raw file that is mapped, so that whatever kills the process
// leaves the flash as it was at that moment. Memory is sparse: pages that were never written are shared by all parts of
// the process, so that several hundred devices fit into one.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::virtdev {

/// Owns its bytes (and the file's lock). Move only.
class FlashStore {
  public:
    /// Erased cells (0xff). std::bad_alloc when the system has no room for the mapping.
    static FlashStore memory(std::uint32_t size);
    /// Maps the file, which must have exactly `size` bytes. An absent file is created with erased cells and appears
    /// whole or not at all. file_unreadable: it cannot be opened, or has another size; file_unwritable: it cannot be
    /// created; store_locked: another process has it mapped.
    static Result<FlashStore> file(const std::string& path, std::uint32_t size);

    FlashStore(FlashStore&& other) noexcept;
    FlashStore& operator=(FlashStore&& other) noexcept;
    FlashStore(const FlashStore&) = delete;
    FlashStore& operator=(const FlashStore&) = delete;
    ~FlashStore();

    std::span<std::uint8_t> bytes() noexcept { return {data_, size_}; }
    BytesView bytes() const noexcept { return {data_, size_}; }
    /// True if the file was created by this call, or for memory.
    bool fresh() const noexcept { return fresh_; }

  private:
    FlashStore() = default;
    void release() noexcept;

    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
    int fd_ = -1;  ///< -1: memory
    bool fresh_ = true;
};

}  // namespace fota::virtdev
