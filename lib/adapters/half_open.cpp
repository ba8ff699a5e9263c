#include "adapters/half_open.hpp"

#include <algorithm>

namespace fota::adapters {

Bytes HalfOpen::source(const Address& from) {
    const auto address = from.address();
    if (address.is_v4()) {
        const auto bytes = address.to_v4().to_bytes();
        return {bytes.begin(), bytes.end()};
    }
    const auto bytes = address.to_v6().to_bytes();
    if (address.to_v6().is_v4_mapped()) return {bytes.begin() + 12, bytes.end()};
    return {bytes.begin(), bytes.begin() + 8};
}

void HalfOpen::add(Instant give_up, const Address& from) {
    if (by_source_[source(from)].insert({give_up, from}).second) ++count_;
}

void HalfOpen::remove(Instant give_up, const Address& from) {
    const auto found = by_source_.find(source(from));
    if (found == by_source_.end() || found->second.erase({give_up, from}) == 0) return;
    --count_;
    if (found->second.empty()) by_source_.erase(found);
}

std::optional<HalfOpen::Victim> HalfOpen::displaced_by(const Address& newcomer) const {
    if (const auto own = by_source_.find(source(newcomer));
        own != by_source_.end() && own->second.size() >= most_per_source_)
        return Victim{own->second.begin()->second, true};
    if (count_ < most_ || by_source_.empty()) return std::nullopt;
    // Linear in the number of sources, and only while there are too many.
    const auto largest = std::ranges::max_element(by_source_, {}, [](const auto& each) {
        return std::pair(each.second.size(), -each.second.begin()->first.time_since_epoch());
    });
    return Victim{largest->second.begin()->second, false};
}

}  // namespace fota::adapters
