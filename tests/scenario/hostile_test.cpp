// Peers that mean harm, while a device is updated: nothing crashes, nothing grows, the device ends updated, and in
// clear nobody is sent more than three times what he sent himself. Handshakes are dtls_flood_test's, packages
// identity_test's.
#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using coap::Code;
using coap::OptionNumber;
using update::Outcome;

namespace {

constexpr const char* stranger = "203.0.113.9:7";
constexpr const char* victim = "192.0.2.1:53";

Bytes raw(const coap::Message& message) {
    return coap::encode(message).value();
}
Bytes raw(std::initializer_list<int> bytes) {
    Bytes out;
    for (const auto byte : bytes) out.push_back(static_cast<std::uint8_t>(byte));
    return out;
}

coap::Message registration(const std::string& name, std::uint16_t id = 1) {
    auto message = coap::make_request(Code::post, "/rd");
    message.id = id;
    message.token = coap::Token(Bytes{1, 2, 3});
    message.add(OptionNumber::uri_query, "ep=" + name);
    message.add(OptionNumber::uri_query, "lwm2m=1.1");
    message.set_format(coap::Format::link);
    message.payload = to_bytes(as_bytes("</1/0>,</3/0>,</5/0>"));
    return message;
}
coap::Message part(const std::string& path, std::uint32_t num, std::uint16_t id) {
    auto message = coap::make_request(Code::post, path);
    message.id = id;
    message.add(OptionNumber::uri_query, "ep=endless");
    message.set_block(OptionNumber::block1, {num, true, 6});
    message.payload = Bytes(1024, ',');
    return message;
}
coap::Message with(coap::Message message, std::uint16_t option, const Bytes& value) {
    message.options.push_back({option, value});
    return message;
}

/// Bytes from the server to everyone but the device, and back.
struct Meter {
    explicit Meter(World& world) : world(world) {
        world.network.tap = [this, before = std::move(world.network.tap)](const auto& from, const auto& to,
                                                                          BytesView datagram) {
            if (watched(from)) in[from] += datagram.size();
            if (watched(to)) out[to] += datagram.size();
            if (keep) before(from, to, datagram);
        };
    }
    ~Meter() { world.network.tap = {}; }
    Meter(const Meter&) = delete;
    static bool watched(const std::string& address) {
        return address != World::server_address && !address.starts_with("10.0.0.7:");
    }
    void expect_no_amplification() const {
        for (const auto& [address, bytes] : out)
            EXPECT_LE(bytes, 3 * (in.contains(address) ? in.at(address) : 0)) << address;
    }
    World& world;
    bool keep = true;  ///< in World::wire; off for floods
    std::map<std::string, std::size_t> in;
    std::map<std::string, std::size_t> out;
};

/// Calls `act` every `interval` of virtual time until told to stop.
class Every {
  public:
    Every(World& world, Milliseconds interval, std::function<void(int)> act)
        : world_(world), interval_(interval), act_(std::move(act)) {
        arm();
    }
    ~Every() { world_.clock.cancel(next_); }
    Every(const Every&) = delete;

  private:
    void arm() {
        next_ = world_.clock.at(world_.clock.now() + interval_, [this] {
            arm();
            act_(count_++);
        });
    }
    World& world_;
    Milliseconds interval_;
    std::function<void(int)> act_;
    int count_ = 0;
    VirtualClock::Events::iterator next_;
};

/// What the server said to an address last; nothing when it was silent.
std::optional<coap::Message> last_to(const World& world, const std::string& address) {
    for (auto it = world.wire.rbegin(); it != world.wire.rend(); ++it)
        if (it->from == World::server_address && it->to == address) return it->message;
    return std::nullopt;
}

void expect_ends_updated(World& world) {
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
    EXPECT_EQ(running(world), new_hash(world));
    EXPECT_EQ(world.executes, 1);
}

/// A peer with credentials of its own, beside the device.
class Neighbour {
  public:
    explicit Neighbour(World& world) : world_(world), end_(world.network, "10.6.6.6:1") {
        std::optional<ports::Peer> connected;
        boost::asio::co_spawn(
            world.io,
            [&]() -> boost::asio::awaitable<void> {
                ports::Credentials credentials{"identity-2", Secret<Bytes>(Bytes(16, 8))};
                auto connecting = end_.connect(World::server_address, std::move(credentials));
                auto done = co_await std::move(connecting);
                connected = done.value();
            },
            boost::asio::detached);
        world.run_until([&] { return connected.has_value(); });
        peer_ = *connected;
    }
    void send(BytesView datagram) { end_.send_raw(peer_, datagram); }
    /// What the server answers; Code::empty when it is silent or resets.
    Code ask(coap::Message message) {
        message.id = ++id_;
        message.token = coap::Token(Bytes{7, static_cast<std::uint8_t>(id_ >> 8), static_cast<std::uint8_t>(id_)});
        send(raw(message));
        const auto until = world_.clock.now() + 1s;
        world_.run_until([&] { return world_.clock.now() >= until; }, 1s);
        const auto answer = last_to(world_, "10.6.6.6:1");
        return answer && answer->token == message.token ? answer->code : Code::empty;
    }

  private:
    World& world_;
    VirtualEndpoint end_;
    ports::Peer peer_;
    std::uint16_t id_ = 0;
};

}  // namespace

TEST(Hostile, MalformedMessagesAreRefusedEachInItsWayAndLeaveNothing) {
    struct Case {
        const char* name;
        Bytes datagram;
        std::optional<Code> answer;  ///< Code::empty: a reset; nullopt: silence
    };
    const auto rd = registration("evil");
    auto non = with(rd, 9, {1});
    non.type = coap::Type::non;
    auto twice = part("/rd", 0, 1);
    twice.options.push_back({27, Bytes{0x0e}});
    auto empty_segments = coap::make_request(Code::post, "/rd");
    for (int i = 0; i < 3; ++i) empty_segments.add(OptionNumber::uri_path, "");
    auto open_link = rd;
    open_link.payload = to_bytes(as_bytes("</3/0"));
    auto no_id = coap::make_request(Code::post, "/rd");
    no_id.add(OptionNumber::uri_path, "");
    const std::vector<Case> cases{
        {"option delta 15", raw({0x40, 2, 0, 1, 0xf1, 0}), Code::empty},
        {"option length 15", raw({0x40, 2, 0, 1, 0xbf, 0}), Code::empty},
        {"extended delta cut short", raw({0x40, 2, 0, 1, 0xe0, 1}), Code::empty},
        {"value cut short", raw({0x40, 2, 0, 1, 0xb5, 'r', 'd'}), Code::empty},
        {"option number over 65535", raw({0x40, 2, 0, 1, 0xe0, 0xff, 0xff, 0xe0, 0xff, 0xff}), Code::empty},
        {"marker without payload", raw({0x40, 2, 0, 1, 0xb2, 'r', 'd', 0xff}), Code::empty},
        {"token of 9 bytes", raw({0x49, 2, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9}), Code::empty},
        {"token of 15 bytes", raw({0x4f, 2, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}), Code::empty},
        {"empty message with a token", raw({0x41, 0, 0, 1, 9}), Code::empty},
        {"reserved code class", raw({0x40, 0xe1, 0, 1}), Code::empty},
        {"NON with option delta 15", raw({0x50, 2, 0, 1, 0xf1, 0}), std::nullopt},
        {"stray acknowledgement", raw({0x60, 0x44, 0, 1}), std::nullopt},
        {"stray reset", raw({0x70, 0, 0, 1}), std::nullopt},
        {"unknown critical option", raw(with(rd, 9, {1})), Code::bad_option},
        {"unknown critical option, NON", raw(non), std::nullopt},
        {"proxy", raw(with(rd, 35, to_bytes(as_bytes("coap://192.0.2.1/")))), Code::proxying_not_supported},
        {"Block1 twice", raw(twice), Code::bad_option},
        {"SZX 7", raw(with(rd, 27, {0x07})), Code::bad_request},
        {"Block1 of 4 bytes", raw(with(rd, 27, {1, 0, 0, 0x0e})), Code::bad_request},
        {"a block of another size than it says", raw(with(rd, 27, {0x0e})), Code::bad_request},
        {"a block from the middle", raw(with(rd, 27, {0x16})), Code::request_entity_incomplete},
        {"empty path segments", raw(empty_segments), Code::not_found},
        {"Update without an id", raw(no_id), Code::not_found},
        {"path of 300 bytes", raw(coap::make_request(Code::post, "/rd/" + std::string(300, 'a'))), Code::not_found},
        {"name of 300 bytes", raw(registration(std::string(300, 'a'))), Code::bad_request},
        {"no name", raw(registration("")), Code::bad_request},
        {"a lifetime that is no number", raw(with(rd, 15, to_bytes(as_bytes("lt=x")))), Code::bad_request},
        {"a link without end", raw(open_link), Code::bad_request},
    };
    World world({.secure = false});
    Meter meter(world);
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.last_progress > 8 * 1024; }));
    const auto before = world.server().held();
    for (const auto& each : cases) {
        SCOPED_TRACE(each.name);
        const auto count = world.wire.size();
        // From addresses of their own: an answer must not come from the memory of message ids.
        const auto from = fmt::format("203.0.113.9:{}", 1000 + (&each - cases.data()));
        world.network.forge(from, World::server_address, each.datagram);
        ASSERT_TRUE(world.run_until([&] { return world.wire.size() > count + 4; }));
        const auto answer = last_to(world, from);
        ASSERT_EQ(answer.has_value(), each.answer.has_value());
        if (!answer) continue;
        EXPECT_EQ(coap::code_text(answer->code), coap::code_text(*each.answer));
        EXPECT_EQ(answer->type == coap::Type::rst, *each.answer == Code::empty);
    }
    Every storm(world, 5ms, [&](int n) {
        const auto& each = cases[static_cast<std::size_t>(n) % cases.size()];
        world.network.forge(stranger, World::server_address, each.datagram);
    });
    expect_ends_updated(world);
    const auto after = world.server().held();
    EXPECT_EQ(after.devices, before.devices);
    EXPECT_EQ(after.registrations, before.registrations);
    EXPECT_EQ(after.bodies, 0u);
    EXPECT_EQ(world.server_end().exchanges(), 0u);
    EXPECT_EQ(world.report->retransmissions, 0u) << "the device's transfer is not disturbed";
    meter.expect_no_amplification();
}

TEST(Hostile, UploadsThatNeverEndAreBoundedAndLetTheDevicesOwnThrough) {
    // A second for each part of its Register: five hundred others begin meanwhile.
    World world({.link = {.delay = 500ms},
                 .quirks = {virtdev::Quirk::blocked_register},
                 .image_bytes = 16 * 1024,
                 .lifetime = 60s,
                 .secure = false});
    Meter meter(world);
    meter.keep = false;
    std::size_t most_bodies = 0;
    std::size_t refused = 0;
    world.policy.wait = 60s;  // as long as there are fresh addresses
    world.start_push();
    // Before its first Register, so that the places are taken when the device needs one.
    Every storm(world, 2ms, [&](int n) {
        const auto id = static_cast<std::uint16_t>(n);
        const auto port = 1 + n % 60'000;
        world.network.forge(fmt::format("203.0.113.9:{}", port), World::server_address, raw(part("/rd", 0, id)));
        world.network.forge("203.0.113.8:1", World::server_address,
                            raw(part("/rd", static_cast<std::uint32_t>(n % 4'096), id)));
        const auto held = world.server().held();
        most_bodies = std::max(most_bodies, held.bodies);
        refused = held.refusals;
    });
    expect_ends_updated(world);
    EXPECT_EQ(most_bodies, 256u);
    EXPECT_EQ(world.server().held().devices, 1u);
    EXPECT_LE(refused, 1u);
    meter.expect_no_amplification();
}

TEST(Hostile, AnEndlessUploadIsToldThatItIsTooLarge) {
    World world({.secure = false});
    world.start_push();
    Code code = Code::continue_;
    std::uint32_t taken = 0;
    for (std::uint32_t num = 0; num < 100 && code == Code::continue_; ++num) {
        const auto count = world.wire.size();
        world.network.forge(stranger, World::server_address, raw(part("/rd", num, static_cast<std::uint16_t>(num))));
        ASSERT_GT(world.wire.size(), count + 1) << "answered at once";
        code = last_to(world, stranger)->code;
        taken += code == Code::continue_;
    }
    EXPECT_EQ(code, Code::request_entity_too_large);
    EXPECT_EQ(taken, 8u) << "8 KiB";
    EXPECT_EQ(world.server().held().bodies, 0u);
    expect_ends_updated(world);
}

TEST(Hostile, AFloodOfNamesInClearIsBoundedAndTheAwaitedDeviceHasItsPlace) {
    constexpr std::size_t most_devices = 50'000;
    World world({.secure = false});
    Meter meter(world);
    meter.keep = false;
    world.start_push();
    for (std::size_t n = 0; n < most_devices + 2'000; ++n) {
        // Some from one address, some from one each.
        const auto from = n % 10 == 0 ? fmt::format("198.51.{}.{}:7", n / 250 % 250, n % 250) : std::string(stranger);
        world.network.forge(from, World::server_address,
                            raw(registration(fmt::format("made-up-{}", n), static_cast<std::uint16_t>(n))));
    }
    const auto held = world.server().held();
    EXPECT_EQ(held.devices, most_devices);
    EXPECT_LE(held.registrations, most_devices);
    EXPECT_EQ(world.server_end().exchanges(), 0u) << "a registration alone draws no request";
    expect_ends_updated(world);
    EXPECT_EQ(world.server().held().devices, most_devices);
    meter.expect_no_amplification();
}

TEST(Hostile, ANeighbourThatFloodsWithNamesLeavesOneReasonEachAndNoDevice) {
    World world({});
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.last_progress > 8 * 1024; }));
    Neighbour neighbour(world);
    const auto before = world.server().held();
    for (int n = 0; n < 2'000; ++n)
        neighbour.send(raw(registration(fmt::format("made-up-{}", n), static_cast<std::uint16_t>(n))));
    expect_ends_updated(world);
    const auto after = world.server().held();
    EXPECT_EQ(after.devices, before.devices);
    EXPECT_EQ(after.registrations, before.registrations);
    EXPECT_EQ(after.sessions, before.sessions);
    EXPECT_EQ(after.refusals, 256u);
}

TEST(Hostile, ANeighbourCannotSpeakForTheDevice) {
    World world({});
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.last_progress > 8 * 1024; }));
    Neighbour neighbour(world);
    std::string location;
    for (const auto& each : world.wire)
        if (each.from == World::server_address && each.message.code == Code::created)
            location = "/" + fmt::format("{}", fmt::join(each.message.texts(OptionNumber::location_path), "/"));
    ASSERT_FALSE(location.empty());
    const auto serial = world.server().device(World::endpoint).registration()->serial;
    EXPECT_EQ(neighbour.ask(registration(World::endpoint)), Code::forbidden);
    EXPECT_EQ(neighbour.ask(coap::make_request(Code::post, location)), Code::forbidden);
    EXPECT_EQ(neighbour.ask(coap::make_request(Code::del, location)), Code::forbidden);
    EXPECT_EQ(neighbour.ask(part(location, 0, 1)), Code::forbidden) << "nor begin a blocked Update of it";
    EXPECT_EQ(world.server().device(World::endpoint).registration()->serial, serial);
    EXPECT_EQ(world.server().held().bodies, 0u);
    // An answer to every request that the device is sent, with its token and message id, from the neighbour's session.
    world.network.filter = [&](const std::string& from, const std::string&, BytesView datagram) {
        const auto message = coap::decode(datagram);
        if (from != World::server_address || !message || !coap::is_request(message->code)) return true;
        coap::Message answer;
        answer.type = coap::Type::ack;
        answer.code = message->code == Code::put ? Code::request_entity_too_large : Code::content;
        answer.id = message->id;
        answer.token = message->token;
        answer.payload = to_bytes(as_bytes("2"));
        neighbour.send(raw(answer));
        return true;
    };
    expect_ends_updated(world);
    EXPECT_EQ(world.report->retransmissions, 0u);
    EXPECT_EQ(world.report->blocks, (world.new_image.size() + 511) / 512) << "no block was sent twice";
}

TEST(Hostile, AForgedRegistrationInClearDrawsLittleAndTheDeviceTakesItsPlaceAgain) {
    World world({.lifetime = 60s, .secure = false});
    Meter meter(world);
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.last_progress > 8 * 1024; }));
    const auto session = world.server().device(World::endpoint).registration()->session;
    world.network.forge(victim, World::server_address, raw(registration(World::endpoint)));
    EXPECT_NE(world.server().device(World::endpoint).registration()->session, session) << "in clear it is believed";
    expect_ends_updated(world);
    EXPECT_GT(meter.out[victim], 0u);
    meter.expect_no_amplification();
}

TEST(Hostile, AnUpdateFromElsewhereVouchesForNobody) {
    World world({.secure = false});
    Meter meter(world);
    world.network.filter = [](const std::string& from, const std::string&, BytesView) {
        return !from.starts_with("10.0.0.7:");  // the device is not there yet
    };
    world.start_push();
    constexpr const char* stranger = "10.6.6.6:4000";
    world.network.forge(stranger, World::server_address, raw(registration(World::endpoint)));
    const auto created = last_to(world, stranger);
    ASSERT_TRUE(created && created->code == Code::created);
    const auto arrives = world.clock.now() + 4min;
    Every tick(world, 10s, [](int) {});
    world.network.forge(
        victim, World::server_address,
        raw(coap::make_request(Code::post, "/rd/" + created->texts(OptionNumber::location_path).at(1))));
    world.run_until([&] { return world.clock.now() >= arrives; });
    EXPECT_GT(meter.out[victim], 0u);
    meter.expect_no_amplification();
}

TEST(Hostile, TheLimitDoesNotStopADeviceThatRegistersAnewInMidTransfer) {
    World world({.quirks = {virtdev::Quirk::reboot_in_push}, .lifetime = 86'400s, .secure = false});
    const auto began = world.clock.now();
    world.start_push();
    expect_ends_updated(world);
    EXPECT_LT(to_ms(world.clock.now() - began), 10min) << "no Update comes to the rescue for a day";
}

TEST(Hostile, AVictimThatIsSaidToBeTheAwaitedDeviceIsNotFloodedWithRequests) {
    World world({.secure = false});
    Meter meter(world);
    world.network.filter = [](const std::string& from, const std::string&, BytesView) {
        return !from.starts_with("10.0.0.7:");  // the device is not there yet
    };
    world.start_push();
    const auto arrives = world.clock.now() + 4min;
    Every tick(world, 10s, [](int) {});  // something that happens until then
    auto shortest = coap::make_request(Code::post, "/rd");
    shortest.add(OptionNumber::uri_query, std::string("ep=") + World::endpoint);
    world.network.forge(victim, World::server_address, raw(shortest));
    world.run_until([&] { return world.clock.now() >= arrives; });
    EXPECT_GT(requests(world, Code::get, "/5/0/3").size(), 1u) << "it is asked, as the device would be";
    meter.expect_no_amplification();
}

TEST(Hostile, ReplayedAnswersOfAnEarlierUpdateExecuteNothingAndProveNothing) {
    World world({.secure = false});
    std::vector<coap::Message> recorded;
    world.network.filter = [&](const std::string& from, const std::string& to, BytesView datagram) {
        auto message = coap::decode(datagram);
        if (message && from.starts_with("10.0.0.7:") && to == World::server_address &&
            coap::is_response(message->code) && message->code != Code::continue_)
            recorded.push_back(std::move(*message));
        return true;
    };
    EXPECT_EQ(world.push().outcome, Outcome::updated);
    world.network.filter = {};
    ASSERT_GT(recorded.size(), 10u);
    world.kill_push();
    world.old_image = world.new_image;
    world.new_image = signed_image("3.0.0", 64 * 1024, 3);

    // From now on everything that told of success is said again to every request: as it was, and with the message id of
    // the request in the place of its own. The device never gets the Execute.
    world.network.filter = [&](const std::string& from, const std::string& to, BytesView datagram) {
        const auto request = coap::decode(datagram);
        if (from != World::server_address || !request || !coap::is_request(request->code)) return true;
        for (auto answer : recorded) {
            world.network.forge(to, World::server_address, raw(answer));
            answer.type = coap::Type::ack;
            answer.id = request->id;
            world.network.forge(to, World::server_address, raw(answer));
        }
        return request->path() != "/5/0/2";
    };
    world.policy.return_deadline = 5min;
    world.start_push();
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::failed) << text(*report);
    EXPECT_EQ(report->blocks, (world.new_image.size() + 511) / 512) << "every block was acknowledged by the device";
    EXPECT_EQ(world.executes, 1) << "the first update's";
    EXPECT_EQ(running(world), to_bytes(image::parse(world.old_image)->hash(world.old_image)));
    EXPECT_EQ(world.server_end().exchanges(), 0u);
    world.network.filter = {};
    world.kill_push();
    EXPECT_EQ(world.push().outcome, Outcome::updated);
    EXPECT_EQ(running(world), new_hash(world));
}
