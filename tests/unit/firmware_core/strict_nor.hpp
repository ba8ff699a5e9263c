// NOR flash in memory that fails the test on anything a real part would not forgive, behind the core's function
// pointers.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/sha256.hpp"
#include "core/flash.h"

namespace fota::test {

class StrictNor {
  public:
    explicit StrictNor(std::uint32_t size, std::uint32_t erase_size = 4096, std::uint32_t write_size = 4)
        : cells(size, 0xff) {
        flash = {this, &StrictNor::read, &StrictNor::write, &StrictNor::erase, size, erase_size, write_size};
    }
    StrictNor(const StrictNor&) = delete;
    StrictNor& operator=(const StrictNor&) = delete;

    Bytes cells;
    fota_flash flash{};
    std::uint64_t erases = 0;
    std::uint64_t writes = 0;
    int failing_reads = 0;  ///< the next so many operations fail and do nothing
    int failing_writes = 0;
    int failing_erases = 0;
    int lost_writes = 0;  ///< report success, do nothing
    int torn_writes = 0;  ///< report failure, half done

  private:
    static StrictNor& self(void* context) { return *static_cast<StrictNor*>(context); }
    bool inside(std::uint64_t offset, std::uint64_t size) const {
        EXPECT_LE(offset + size, cells.size());
        return offset + size <= cells.size();
    }
    static int read(void* context, std::uint32_t offset, void* data, std::size_t size) {
        auto& nor = self(context);
        if (!nor.inside(offset, size) || (nor.failing_reads > 0 && nor.failing_reads-- > 0)) return -5;
        std::memcpy(data, nor.cells.data() + offset, size);
        return 0;
    }
    static int write(void* context, std::uint32_t offset, const void* data, std::size_t size) {
        auto& nor = self(context);
        if (!nor.inside(offset, size)) return -5;
        EXPECT_EQ(offset % nor.flash.write_size, 0u);
        EXPECT_EQ(size % nor.flash.write_size, 0u);
        nor.writes++;
        if (nor.failing_writes > 0 && nor.failing_writes-- > 0) return -5;
        if (nor.lost_writes > 0 && nor.lost_writes-- > 0) return 0;
        const bool torn = nor.torn_writes > 0 && nor.torn_writes-- > 0;
        const auto* bytes = static_cast<const std::uint8_t*>(data);
        for (std::size_t i = 0; i < (torn ? size / 2 : size); i++) {
            EXPECT_EQ(nor.cells[offset + i], 0xff) << "write to a byte that is not erased, at " << offset + i;
            nor.cells[offset + i] &= bytes[i];
        }
        return torn ? -5 : 0;
    }
    static int erase(void* context, std::uint32_t offset, std::size_t size) {
        auto& nor = self(context);
        if (!nor.inside(offset, size)) return -5;
        EXPECT_EQ(offset % nor.flash.erase_size, 0u);
        EXPECT_EQ(size % nor.flash.erase_size, 0u);
        nor.erases++;
        if (nor.failing_erases > 0 && nor.failing_erases-- > 0) return -5;
        std::fill_n(nor.cells.begin() + offset, size, std::uint8_t{0xff});
        return 0;
    }
};

/// SHA-256 behind the core's function pointers.
class TestHash {
  public:
    TestHash() {
        hash = {this, [](void* c) { return static_cast<TestHash*>(c)->reset(); },
                [](void* c, const void* data, std::size_t size) {
                    static_cast<TestHash*>(c)->sha.update({static_cast<const std::uint8_t*>(data), size});
                    return 0;
                },
                [](void* c, std::uint8_t* out) {
                    auto digest = static_cast<TestHash*>(c)->sha.digest();
                    std::memcpy(out, digest.data(), digest.size());
                    return 0;
                }};
    }
    TestHash(const TestHash&) = delete;
    TestHash& operator=(const TestHash&) = delete;

    Sha256 sha;
    fota_hash hash{};

  private:
    int reset() {
        sha = Sha256();
        return 0;
    }
};

inline Bytes pattern(std::size_t size, std::uint32_t seed) {
    Bytes bytes(size);
    for (auto& byte : bytes) {
        seed = seed * 1664525u + 1013904223u;
        byte = static_cast<std::uint8_t>(seed >> 24);
    }
    return bytes;
}

inline Bytes load(const std::string& name) {
    std::ifstream file(std::string(TEST_DATA_DIR) + "/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

}  // namespace fota::test
