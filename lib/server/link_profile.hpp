// What to expect of a radio link before anything was measured, and the estimate that replaces it (RFC 6298, on block
// round trips).
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/time.hpp"
#include "coap/message_layer.hpp"

namespace fota::server {

struct LinkProfile {
    Milliseconds first_timeout{2'000};  ///< before the first sample
    Milliseconds longest_timeout{20'000};
    /// A device erases flash before it answers the first block; repeating it makes some clients start twice.
    Milliseconds first_block_timeout{10'000};
    int max_retransmit = 4;  ///< resends per exchange; afterwards the transfer pauses and tries again
};

/// "lte-m", "nb-iot", "lan"; nullopt otherwise.
inline std::optional<LinkProfile> link_profile(std::string_view name) {
    using namespace std::chrono_literals;
    if (name == "lte-m") return LinkProfile{2s, 20s, 10s, 4};
    if (name == "nb-iot") return LinkProfile{10s, 60s, 30s, 3};
    if (name == "lan") return LinkProfile{1s, 8s, 3s, 4};
    return std::nullopt;
}

class RttEstimator {
  public:
    explicit RttEstimator(LinkProfile profile) : profile_(profile), timeout_(profile.first_timeout) {}

    /// An answer after a repetition is no sample: which copy was answered nobody knows (Karn). The longer timeout stays
    /// for what is sent next (RFC 6298 section 5.5), because on a link that is slower than the estimate no answer would
    /// ever be unambiguous otherwise. Where one came as soon after the last copy as answers did so far, a datagram was
    /// lost and the link is as it was; a few times in a row, since a slower link may look the same by chance.
    void answered(const coap::Reply& reply) {
        if (reply.resends == 0) {
            sample(reply.elapsed);
            return;
        }
        const bool as_before = smoothed_ && std::chrono::abs(*smoothed_ - reply.since_last) <= margin();
        if (as_before && in_doubt_++ < most_in_doubt) return;
        backed_off(reply.resends);
    }
    /// Nothing came back: the link may have become slower than the estimate.
    void exhausted() { backed_off(1); }

    Milliseconds timeout() const noexcept { return timeout_; }
    Milliseconds round_trip() const noexcept { return smoothed_.value_or(Milliseconds(0)); }
    const LinkProfile& profile() const noexcept { return profile_; }

  private:
    /// The answer to a message that was sent once.
    void sample(Milliseconds round_trip) {
        in_doubt_ = 0;
        if (!smoothed_) {
            smoothed_ = round_trip;
            variation_ = round_trip / 2;
        } else {
            const auto difference = std::chrono::abs(*smoothed_ - round_trip);
            variation_ = (3 * variation_ + difference) / 4;
            smoothed_ = (7 * *smoothed_ + round_trip) / 8;
        }
        timeout_ = std::clamp(*smoothed_ + margin(), shortest, profile_.longest_timeout);
    }
    void backed_off(int expiries) {
        for (; expiries > 0 && timeout_ < profile_.longest_timeout; --expiries)
            timeout_ = std::min(timeout_ * 2, profile_.longest_timeout);
    }
    Milliseconds margin() const { return std::max(4 * variation_, Milliseconds(100)); }

    static constexpr int most_in_doubt = 6;
    /// RFC 8085 and libcoap agree: never below one second on the open Internet.
    static constexpr Milliseconds shortest{1'000};
    LinkProfile profile_;
    std::optional<Milliseconds> smoothed_;
    Milliseconds variation_{0};
    int in_doubt_ = 0;  ///< ambiguous answers in a row that were put down to loss
    Milliseconds timeout_;
};

}  // namespace fota::server
