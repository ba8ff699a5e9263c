// Handshakes in progress, all from addresses that have proven a cookie, and which of them makes room for the next: a
// flood from one place is to displace itself, not the handshake of a device somewhere else.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "adapters/net_address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"

namespace fota::adapters {

class HalfOpen {
  public:
    /// A source is an IPv4 address, or 64 bits of an IPv6 address: what one host can have as many of as it likes.
    HalfOpen(std::size_t most, std::size_t most_per_source) : most_(most), most_per_source_(most_per_source) {}

    void add(Instant give_up, const Address& from);
    void remove(Instant give_up, const Address& from);

    struct Victim {
        Address address;
        bool of_its_source;  ///< its source alone has too many
    };
    /// Who is to be removed before `newcomer` is added: the oldest of its own source if that has its share, else, when
    /// there are too many in all, the oldest of the source that has the most.
    std::optional<Victim> displaced_by(const Address& newcomer) const;

  private:
    static Bytes source(const Address& from);

    std::size_t most_;
    std::size_t most_per_source_;
    std::size_t count_ = 0;
    std::map<Bytes, std::set<std::pair<Instant, Address>>> by_source_;  ///< oldest first
};

}  // namespace fota::adapters
