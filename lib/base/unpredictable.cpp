#include "base/unpredictable.hpp"

#include <array>
#include <random>

#include "base/sha256.hpp"

namespace fota {

std::uint64_t Unpredictable::operator()() {
    std::array<std::uint8_t, 16> input{};
    for (unsigned i = 0; i < 8; ++i) {
        input[i] = static_cast<std::uint8_t>(seed_ >> (8 * i));
        input[8 + i] = static_cast<std::uint8_t>(count_ >> (8 * i));
    }
    ++count_;
    const auto digest = sha256(input);
    std::uint64_t out = 0;
    for (unsigned i = 0; i < 8; ++i) out = out << 8 | digest[i];
    return out;
}

std::uint64_t seed_of_system() {
    std::random_device device;
    return static_cast<std::uint64_t>(device()) << 32 | device();
}

}  // namespace fota
