// How much memory this process has for itself.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>

#ifdef __SANITIZE_ADDRESS__
// Of the sanitizer's allocator_interface.h, which Debian's GCC leaves out.
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

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

/// The same, as far as it is the program's: the pages that AddressSanitizer keeps for red zones, freed blocks and
/// shadow are several times what was asked for, and other ones in every run. There it is what was allocated and not
/// freed, without mapped flash.
inline std::uint64_t memory_in_use() {
#ifdef __SANITIZE_ADDRESS__
    return __sanitizer_get_current_allocated_bytes();
#else
    return own_memory();
#endif
}

}  // namespace fota::test
