#include "server/partial_bodies.hpp"

#include <algorithm>
#include <iterator>

namespace fota::server {

using coap::Code;

void PartialBodies::erase(Bodies::iterator body) {
    if (const auto count = of_source_.find(body->second.source); --count->second == 0) of_source_.erase(count);
    bodies_.erase(body);
}

void PartialBodies::forget(coap::SessionId session) {
    for (auto it = bodies_.lower_bound({session, {}}); it != bodies_.end() && it->first.first == session;)
        erase(std::exchange(it, std::next(it)));
}

void PartialBodies::make_room(Instant now) {
    for (auto it = bodies_.begin(); it != bodies_.end();) {
        const auto each = it++;
        if (each->second.last + limits_.lifetime <= now) erase(each);
    }
    while (bodies_.size() >= limits_.bodies) {
        const auto count = [](const auto& each) { return each.second; };
        const auto largest = std::ranges::max_element(of_source_, {}, count)->second;
        const auto gives_way = [&](const Bodies::value_type& each) {
            return of_source_.at(each.second.source) == largest;
        };
        auto oldest = bodies_.end();
        for (auto it = bodies_.begin(); it != bodies_.end(); ++it)
            if (gives_way(*it) && (oldest == bodies_.end() || it->second.last < oldest->second.last)) oldest = it;
        erase(oldest);
    }
}

coap::Block1Receiver::Outcome PartialBodies::receive(Instant now, coap::SessionId session, const std::string& source,
                                                     const coap::Message& request) {
    const std::pair key{session, request.path()};
    auto it = bodies_.find(key);
    if (it != bodies_.end() && it->second.last + limits_.lifetime <= now) {
        erase(it);
        it = bodies_.end();
    }
    if (it == bodies_.end()) {
        const auto block = request.block1();
        // Only a good first part of several is worth a place.
        if (!block || block->num != 0 || !block->more || request.payload.size() != block->size())
            return coap::Block1Receiver(limits_.bytes).receive(request);
        make_room(now);
        it = bodies_.emplace(key, Body{coap::Block1Receiver(limits_.bytes), source, now}).first;
        ++of_source_[source];
    }
    auto outcome = it->second.receiver.receive(request);
    it->second.last = now;
    const bool goes_on = outcome.code == Code::continue_ || outcome.code == Code::request_entity_incomplete;
    if (!goes_on) erase(it);
    return outcome;
}

}  // namespace fota::server
