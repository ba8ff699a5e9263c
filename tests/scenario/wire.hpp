// What the tests of failure modes and client behaviour ask a World after a run.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "tests/scenario/world.hpp"

namespace fota::test {

inline std::string text(const update::Report& report) {
    return fmt::format("{} {}", update::outcome_name(report.outcome), report.error ? report.error->text() : "");
}
inline Bytes running(World& world) {
    return world.board->running()->hash;
}
inline Bytes new_hash(World& world) {
    return to_bytes(image::parse(world.new_image)->hash(world.new_image));
}

/// A client without our own object, which cannot tell what it holds: only State, Result and the version speak.
inline virtdev::QuirkSet stock(std::initializer_list<virtdev::Quirk> more) {
    virtdev::QuirkSet out(more);
    out.add(virtdev::Quirk::no_external_flash_object);
    return out;
}

/// Starts a push and runs until more than so much has been sent.
inline void push_until(World& world, std::uint64_t bytes) {
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.last_progress > bytes; }));
}
/// The same, and then the process is gone.
inline void kill_after(World& world, std::uint64_t bytes) {
    push_until(world, bytes);
    world.kill_push();
}

/// Proven, running, and applied by one Execute.
inline update::Report expect_updated(World& world) {
    auto report = world.push();
    EXPECT_EQ(report.outcome, update::Outcome::updated) << text(report);
    EXPECT_EQ(running(world), new_hash(world));
    EXPECT_EQ(world.executes, 1);
    return report;
}

/// Our requests to the device, in order; `copies`: with those that were sent again with the same message id.
inline std::vector<World::Sent> requests(const World& world, coap::Code code, const std::string& path,
                                         bool copies = true) {
    std::vector<World::Sent> out;
    std::set<std::uint16_t> seen;
    for (const auto& each : world.wire) {
        if (each.from != World::server_address || each.message.code != code || each.message.path() != path) continue;
        if (seen.insert(each.message.id).second || copies) out.push_back(each);
    }
    return out;
}
inline std::vector<World::Sent> blocks_sent(const World& world, bool copies = true) {
    return requests(world, coap::Code::put, "/5/0/0", copies);
}
inline std::size_t executes_sent(const World& world) {
    return requests(world, coap::Code::post, "/5/0/2", false).size();
}
/// Registers (path "/rd") and Updates (anything below it) of the device.
inline std::vector<World::Sent> from_device(const World& world, bool updates) {
    std::vector<World::Sent> out;
    for (const auto& each : world.wire) {
        if (each.from == World::server_address || each.message.code != coap::Code::post) continue;
        const auto path = each.message.path();
        if (updates ? path.starts_with("/rd/") : path == "/rd") out.push_back(each);
    }
    return out;
}
inline bool remarked(const World& world, const std::string& words) {
    return std::ranges::any_of(world.remarks, [&](const auto& each) { return each.contains(words); });
}
inline bool stepped(const World& world, update::Step step) {
    return std::ranges::find(world.steps, step) != world.steps.end();
}

/// Drops what `which` says of each message, once it is decoded.
inline void drop_if(World& world,
                    std::function<bool(const std::string& from, const std::string& to, const coap::Message&)> which) {
    world.network.filter = [which = std::move(which)](const auto& from, const auto& to, BytesView datagram) {
        const auto message = coap::decode(datagram);
        return !message || !which(from, to, *message);
    };
}

/// Answers some of our requests in the place of the device, as late as it would; in clear alone, since nobody can do so
/// over DTLS. The answer's type may be a reset.
inline void answer_instead(World& world,
                           std::function<std::optional<coap::Message>(const coap::Message& request)> what) {
    world.network.filter = [&world, what = std::move(what)](const auto& from, const auto& to, BytesView datagram) {
        const auto request = coap::decode(datagram);
        if (from != World::server_address || !request || !coap::is_request(request->code)) return true;
        auto answer = what(*request);
        if (!answer) return true;
        if (answer->type != coap::Type::rst) {
            answer->type = coap::Type::ack;
            answer->token = request->token;
        }
        answer->id = request->id;
        world.clock.at(
            world.clock.now() + 2 * world.network.model.delay,
            [&world, from, to, bytes = coap::encode(*answer).value()] { world.network.forge(to, from, bytes); });
        return false;
    };
}
inline coap::Message answer_of(coap::Code code, const std::string& text = "") {
    coap::Message out;
    out.code = code;
    if (!text.empty()) {
        out.set_format(coap::Format::text);
        out.payload = to_bytes(as_bytes(text));
    }
    return out;
}
inline coap::Message reset() {
    coap::Message out;
    out.type = coap::Type::rst;
    return out;
}

}  // namespace fota::test
