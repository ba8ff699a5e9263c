// OpenSSL's large buffers: what happens to their contents, and that OpenSSL notices nothing.
#include "adapters/openssl_buffers.hpp"

#include <gtest/gtest.h>
#include <openssl/crypto.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <set>

namespace fota::adapters {
namespace {

constexpr std::size_t handshake_buffer = 21'848;

std::uint8_t* allocate(std::size_t size) {
    return static_cast<std::uint8_t*>(OPENSSL_malloc(size));
}

std::size_t resident_pages(const std::uint8_t* buffer, std::size_t size) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::array<unsigned char, 64> state{};
    const auto count = (size + page - 1) / page;
    auto* const begin = const_cast<std::uint8_t*>(buffer);
    if (count > state.size() || ::mincore(begin, size, state.data()) != 0) return 0;
    return static_cast<std::size_t>(std::count_if(state.begin(), state.end(), [](auto one) { return (one & 1) != 0; }));
}

TEST(OpensslBuffers, are_installed_before_openssl_is_used) {
    EXPECT_TRUE(openssl_buffers_installed());
}

TEST(OpensslBuffers, a_released_buffer_takes_no_memory_and_can_be_written_again) {
    auto* buffer = allocate(handshake_buffer);
    std::memset(buffer, 0x5a, handshake_buffer);
    ASSERT_GT(resident_pages(buffer, handshake_buffer), 5u);
    release_openssl_buffer(buffer + 12);
    EXPECT_EQ(resident_pages(buffer, handshake_buffer), 0u);
    EXPECT_TRUE(std::all_of(buffer, buffer + handshake_buffer, [](auto byte) { return byte == 0; }));
    std::memset(buffer, 0xa5, handshake_buffer);
    EXPECT_EQ(buffer[handshake_buffer - 1], 0xa5);
    OPENSSL_free(buffer);
}

TEST(OpensslBuffers, releasing_one_leaves_its_neighbours_and_everything_else_alone) {
    std::array<std::uint8_t*, 200> buffers{};
    for (auto& buffer : buffers) {
        buffer = allocate(handshake_buffer);
        std::memset(buffer, 7, handshake_buffer);
    }
    EXPECT_EQ(std::set<std::uint8_t*>(buffers.begin(), buffers.end()).size(), buffers.size());
    release_openssl_buffer(buffers[100] + handshake_buffer - 1);
    auto* small = allocate(64);
    std::memset(small, 7, 64);
    release_openssl_buffer(small);
    release_openssl_buffer(nullptr);
    EXPECT_EQ(small[63], 7);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        EXPECT_EQ(buffers[i][0], i == 100 ? 0 : 7) << i;
        EXPECT_EQ(buffers[i][handshake_buffer - 1], i == 100 ? 0 : 7) << i;
    }
    OPENSSL_free(small);
    for (auto* buffer : buffers) OPENSSL_free(buffer);
}

TEST(OpensslBuffers, contents_survive_growing_into_and_out_of_the_pages) {
    auto* buffer = static_cast<std::uint8_t*>(OPENSSL_realloc(nullptr, handshake_buffer));
    std::memset(buffer, 9, handshake_buffer);
    buffer = static_cast<std::uint8_t*>(OPENSSL_realloc(buffer, 24 * 1024));
    EXPECT_EQ(buffer[handshake_buffer - 1], 9);
    std::memset(buffer, 9, 24 * 1024);
    buffer = static_cast<std::uint8_t*>(OPENSSL_realloc(buffer, 100'000));
    EXPECT_TRUE(std::all_of(buffer, buffer + 24 * 1024, [](auto byte) { return byte == 9; }));
    buffer = static_cast<std::uint8_t*>(OPENSSL_realloc(buffer, 1'000));
    EXPECT_EQ(buffer[999], 9);
    buffer = static_cast<std::uint8_t*>(OPENSSL_realloc(buffer, 20'000));
    EXPECT_EQ(buffer[999], 9);
    OPENSSL_free(buffer);
}

}  // namespace
}  // namespace fota::adapters
