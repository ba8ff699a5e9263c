// How much memory this process has for itself.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <fstream>

namespace fota::test {

/// Bytes of pages in memory that no other process shares.
inline std::uint64_t own_memory() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t size = 0;
    std::uint64_t resident = 0;
    std::uint64_t shared = 0;
    file >> size >> resident >> shared;
    return (resident - shared) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace fota::test
