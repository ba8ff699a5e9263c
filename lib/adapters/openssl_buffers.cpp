#include "adapters/openssl_buffers.hpp"

#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

namespace fota::adapters {
namespace {

// The handshake buffer is 21,848 bytes, a record buffer about 16,700.
constexpr std::size_t smallest = 16 * 1024;
constexpr std::size_t block_size = 24 * 1024;
// Only addresses, 1.5 GiB of them: a page costs memory once it is written to. Beyond it malloc serves.
constexpr std::size_t block_count = 65'536;
// Free blocks which keep their pages: record buffers come and go with every datagram.
constexpr std::size_t warm_blocks = 16;

class Pages {
  public:
    Pages() noexcept {
        // What is given back is whole pages: a block that shared one with its neighbour would take that one's bytes
        // along.
        if (block_size % static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) != 0) return;
        void* const range = ::mmap(nullptr, block_size * block_count, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (range == MAP_FAILED) return;
        // A huge page would tie 85 blocks together.
        ::madvise(range, block_size * block_count, MADV_NOHUGEPAGE);
        begin_ = static_cast<std::byte*>(range);
    }

    bool contains(const void* pointer) const noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(pointer);
        const auto begin = reinterpret_cast<std::uintptr_t>(begin_);
        return begin_ != nullptr && at >= begin && at - begin < block_size * block_count;
    }
    /// nullptr when there is none left.
    void* take() noexcept {
        const std::lock_guard lock(mutex_);
        if (!warm_.empty()) return pop(warm_);
        if (!cold_.empty()) return pop(cold_);
        return begin_ == nullptr || unused_ == block_count ? nullptr : block(unused_++);
    }
    void put(void* pointer) noexcept {
        const std::lock_guard lock(mutex_);
        const bool keep = warm_.size() < warm_blocks;
        if (!keep) release(pointer);
        try {
            (keep ? warm_ : cold_).push_back(index(pointer));
        } catch (const std::bad_alloc&) {
            // Its addresses are lost, not its memory.
            if (keep) release(pointer);
        }
    }
    void release(const void* inside) const noexcept { ::madvise(block(index(inside)), block_size, MADV_DONTNEED); }

  private:
    std::byte* block(std::size_t index) const noexcept { return begin_ + index * block_size; }
    std::uint32_t index(const void* pointer) const noexcept {
        return static_cast<std::uint32_t>(static_cast<std::size_t>(static_cast<const std::byte*>(pointer) - begin_) /
                                          block_size);
    }
    void* pop(std::vector<std::uint32_t>& from) noexcept {
        const auto last = from.back();
        from.pop_back();
        return block(last);
    }

    std::mutex mutex_;
    std::byte* begin_ = nullptr;
    std::size_t unused_ = 0;
    std::vector<std::uint32_t> warm_;
    std::vector<std::uint32_t> cold_;
};

/// Never destroyed: OpenSSL frees at exit, after the destructors of static objects.
Pages& pages() noexcept {
    alignas(Pages) static std::byte storage[sizeof(Pages)];
    static Pages& instance = *new (storage) Pages;
    return instance;
}

void* allocate(std::size_t size, const char*, int) {
    if (size == 0) return nullptr;
    if (size >= smallest && size <= block_size)
        if (void* block = pages().take()) return block;
    return std::malloc(size);
}

void release(void* pointer, const char*, int) {
    if (pages().contains(pointer)) {
        pages().put(pointer);
    } else {
        std::free(pointer);
    }
}

void* reallocate(void* pointer, std::size_t size, const char* file, int line) {
    if (pointer == nullptr) return allocate(size, file, line);
    if (size == 0) {
        release(pointer, file, line);
        return nullptr;
    }
    if (!pages().contains(pointer)) return std::realloc(pointer, size);
    if (size <= block_size) return pointer;
    void* const larger = std::malloc(size);
    if (larger == nullptr) return nullptr;
    std::memcpy(larger, pointer, block_size);
    release(pointer, file, line);
    return larger;
}

bool installed = false;

// OpenSSL takes other functions only before its first allocation.
[[gnu::constructor]] void install() {
    installed = CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;
}

}  // namespace

bool openssl_buffers_installed() noexcept {
    return installed;
}

void release_openssl_buffer(const void* inside) noexcept {
    if (pages().contains(inside)) pages().release(inside);
}

}  // namespace fota::adapters
