// The attack on tokens and registration ids that are a generator's own outputs: 312 in a row of std::mt19937_64 are its
// whole state.
#pragma once

#include <cstdint>
#include <random>
#include <sstream>
#include <vector>

namespace fota::test {

class ClonedGenerator {
  public:
    void observe(std::uint64_t output) { state_.push_back(untempered(output)); }
    bool complete() const noexcept { return state_.size() == std::mt19937_64::state_size; }
    /// What a generator that gave the observed outputs gives next.
    std::uint64_t next() const {
        std::stringstream text;
        for (const auto word : state_) text << word << ' ';
        text << state_.size();  // all of them are used up
        std::mt19937_64 clone;
        text >> clone;
        return clone();
    }

  private:
    /// The output function, backwards: each step is undone by repeating it until all bits have settled.
    static std::uint64_t untempered(std::uint64_t y) {
        using Generator = std::mt19937_64;
        y ^= y >> Generator::tempering_l;
        y = undone(y, [](std::uint64_t x) { return (x << Generator::tempering_t) & Generator::tempering_c; });
        y = undone(y, [](std::uint64_t x) { return (x << Generator::tempering_s) & Generator::tempering_b; });
        return undone(y, [](std::uint64_t x) { return (x >> Generator::tempering_u) & Generator::tempering_d; });
    }
    template <class Step>
    static std::uint64_t undone(std::uint64_t y, Step step) {
        auto x = y;
        for (int i = 0; i < 8; ++i) x = y ^ step(x);
        return x;
    }

    std::vector<std::uint64_t> state_;
};

}  // namespace fota::test
