// Numbers that whoever has seen many of them cannot go on with: tokens and registration ids, which reach strangers in
// clear. A generator of <random> tells its whole state after some hundred outputs (312 of std::mt19937_64).
#pragma once

#include <cstdint>

namespace fota {

/// SHA-256 of a seed and a counter, eight bytes of it: the same seed gives the same sequence, and nothing but the seed
/// gives the next number. Outside tests the seed comes from the operating system and is told to nobody.
class Unpredictable {
  public:
    explicit Unpredictable(std::uint64_t seed) noexcept : seed_(seed) {}
    std::uint64_t operator()();

  private:
    std::uint64_t seed_;
    std::uint64_t count_ = 0;
};

/// From the operating system.
std::uint64_t seed_of_system();

}  // namespace fota
