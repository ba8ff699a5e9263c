// Registers and Updates that arrive in parts (Block1), of all devices: bounded in number, in bytes and in time, so that
// transfers which never end do not fill memory, and those of one source do not push out a device that is in the middle
// of its own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "base/time.hpp"
#include "coap/block1_receiver.hpp"
#include "coap/message_layer.hpp"

namespace fota::server {

class PartialBodies {
  public:
    struct Limits {
        std::size_t bytes = 8 * 1024;  ///< of one body
        std::size_t bodies = 256;      ///< when all are taken, the source with most of them gives its oldest up
        /// Without a further part; EXCHANGE_LIFETIME (RFC 7252 section 4.8.2).
        Milliseconds lifetime{247'000};
    };

    PartialBodies() : PartialBodies(Limits{}) {}
    explicit PartialBodies(Limits limits) : limits_(limits) {}

    /// `source`: who is behind the session, as far as it is known: an identity, or in clear a host.
    coap::Block1Receiver::Outcome receive(Instant now, coap::SessionId session, const std::string& source,
                                          const coap::Message& request);
    void forget(coap::SessionId session);
    std::size_t size() const noexcept { return bodies_.size(); }

  private:
    struct Body {
        coap::Block1Receiver receiver;
        std::string source;
        Instant last;
    };
    using Bodies = std::map<std::pair<coap::SessionId, std::string>, Body>;
    void erase(Bodies::iterator body);
    void make_room(Instant now);

    Limits limits_;
    Bodies bodies_;  ///< by session and path
    std::map<std::string, std::size_t> of_source_;
};

}  // namespace fota::server
