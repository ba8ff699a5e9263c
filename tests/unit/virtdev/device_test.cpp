#include "virtdev/device.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "lwm2m/registration.hpp"
#include "tests/support/virtual_clock.hpp"
#include "tests/support/virtual_network.hpp"
#include "tests/unit/virtdev/small_image.hpp"

namespace fota::virtdev {
namespace {

using coap::Code;
using namespace std::chrono_literals;
using test::small_image;

constexpr std::uint64_t seed = 20'160;

/// One device and the least that can be called a server: it accepts every registration and remembers where from.
struct World {
    explicit World(QuirkSet quirks = {}, std::map<std::string, Bytes> keys = {}, std::uint64_t random = seed)
        : network(io, clock, random), server(network, "server", std::move(keys)) {
        network.model.delay = 50ms;
        EXPECT_TRUE(board.flash_image(small_image(1)));
        config.endpoint = "node-1";
        config.server = "server";
        config.quirks = quirks;
        serve();
        client =
            std::make_unique<test::VirtualEndpoint>(network, "device", std::map<std::string, Bytes>{},
                                                    coap::MessageLayer::Limits{.deduplicate = quirks.deduplicates()});
    }
    ~World() {
        if (device) device->stop();
        clock.run_until([&] { return ended; }, 10s);
        EXPECT_TRUE(ended || !device);
    }

    void serve() {
        server.on_request([this](const ports::Peer& from, const coap::Message& request) {
            coap::Answer answer;
            if (refuse > 0) {
                --refuse;
                answer.message.code = Code::service_unavailable;
                return answer;
            }
            if (request.path() == "/rd") {
                registration = *lwm2m::parse_register(request, request.payload);
                peer = from;
                ++registrations;
                answer.message.code = Code::created;
                answer.message.add(coap::OptionNumber::location_path, "rd");
                answer.message.add(coap::OptionNumber::location_path, std::to_string(registrations));
            } else if (request.path() == "/rd/" + std::to_string(registrations)) {
                ++updates;
                if (const auto update = lwm2m::parse_update(request, {}); update->lifetime)
                    registration.lifetime = *update->lifetime;
                answer.message.code = Code::changed;
            } else {
                answer.message.code = Code::not_found;
            }
            return answer;
        });
        server.on_notify([this](const ports::Peer&, const coap::Message& message) {
            notified.emplace_back(as_text(message.payload));
            return true;
        });
    }

    void start() {
        DeviceEvents events;
        events.registered = [this](const std::string& version) { log.push_back("registered " + version); };
        events.reboot = [this](const std::string& reason) { log.push_back("reboot: " + reason); };
        events.swapped = [this](const std::string& from, const std::string& to) {
            log.push_back("swapped " + from + " " + to);
        };
        events.reverted = [this](const std::string& version) { log.push_back("reverted " + version); };
        events.trouble = [this](const Error& error) { troubles.push_back(error.text()); };
        device = std::make_unique<Device>(board, *client, clock, std::move(config), std::move(events));
        boost::asio::co_spawn(
            io, [this]() -> boost::asio::awaitable<void> { outcome = co_await device->run(); },
            [this](std::exception_ptr failure) {
                EXPECT_FALSE(failure);
                ended = true;
            });
    }

    bool until(const std::function<bool()>& done, Milliseconds limit = 10min) { return clock.run_until(done, limit); }
    bool until_registered(int count = 1) {
        return until([&] { return registrations >= count; });
    }
    /// Nothing happens for a while.
    void pass(Milliseconds span) {
        bool over = false;
        clock.at(clock.now() + span, [&] { over = true; });
        clock.run_until([&] { return over; });
    }

    Result<coap::Reply> request(coap::Message message, coap::Retry retry = {}) {
        std::optional<Result<coap::Reply>> reply;
        boost::asio::co_spawn(
            io,
            [&]() -> boost::asio::awaitable<void> {
                reply = co_await server.exchange(peer, std::move(message), retry);
            },
            boost::asio::detached);
        until([&] { return reply.has_value(); });
        return reply.value_or(fail(Errc::internal, "the exchange never ended"));
    }
    std::string get(std::string_view path) {
        auto message = coap::make_request(Code::get, path);
        message.add_uint(coap::OptionNumber::accept, 0);
        const auto reply = request(message);
        return reply ? std::string(as_text(reply->message.payload)) : reply.error().text();
    }
    Code put(std::string_view path, std::string_view text) {
        auto message = coap::make_request(Code::put, path);
        message.set_format(coap::Format::text);
        message.payload = to_bytes(as_bytes(text));
        const auto reply = request(message);
        return reply ? reply->message.code : Code::empty;
    }
    Result<coap::Reply> execute() { return request(coap::make_request(Code::post, "/5/0/2")); }
    /// The code that ended the transfer; timed_out is Code::empty.
    Code push(const Bytes& package) {
        for (std::size_t at = 0; at < package.size(); at += 512) {
            auto message = coap::make_request(Code::put, "/5/0/0");
            message.token = coap::Token(Bytes{7});
            message.set_format(coap::Format::opaque);
            const auto part = BytesView(package).subspan(at, std::min<std::size_t>(512, package.size() - at));
            message.set_block(coap::OptionNumber::block1,
                              {static_cast<std::uint32_t>(at / 512), at + 512 < package.size(), 5});
            if (at == 0) message.add_uint(coap::OptionNumber::size1, static_cast<std::uint32_t>(package.size()));
            message.payload = to_bytes(part);
            const auto reply = request(message);
            if (!reply) return Code::empty;
            if (reply->message.code != Code::continue_) return reply->message.code;
        }
        return Code::continue_;
    }

    boost::asio::io_context io;
    test::VirtualClock clock{io};
    test::VirtualNetwork network;
    test::VirtualEndpoint server;
    std::unique_ptr<test::VirtualEndpoint> client;
    Board board{BootConfig{}, hash_only()};
    DeviceConfig config;
    std::unique_ptr<Device> device;
    std::optional<Result<>> outcome;
    bool ended = false;

    lwm2m::RegistrationParameters registration;
    ports::Peer peer;
    int registrations = 0;
    int updates = 0;
    int refuse = 0;
    std::vector<std::string> notified;
    std::vector<std::string> log;
    std::vector<std::string> troubles;
};

TEST(Device, RegistersWithItsObjects) {
    World world;
    world.start();
    ASSERT_TRUE(world.until_registered());
    EXPECT_EQ(world.registration.endpoint, "node-1");
    EXPECT_EQ(world.registration.lwm2m_version, "1.1");
    EXPECT_EQ(world.registration.lifetime, 60s);
    EXPECT_TRUE(world.registration.has_object(5));
    EXPECT_TRUE(world.registration.has_object(26245));
    EXPECT_EQ(world.get("/3/0/3"), "1.0.0+0");
}

TEST(Device, UpdatesBeforeTheLifetimeEnds) {
    World world;
    world.config.lifetime = 30s;
    world.start();
    ASSERT_TRUE(world.until_registered());
    world.pass(5min);
    EXPECT_GE(world.updates, 13);
    EXPECT_LE(world.updates, 15);
    EXPECT_EQ(world.registrations, 1);
    EXPECT_EQ(world.put("/1/0/1", "3600"), Code::changed);
    world.pass(1s);
    EXPECT_EQ(world.registration.lifetime, 1h);
}

TEST(Device, RetriesRegistrationForEver) {
    World world;
    world.refuse = 5;
    world.start();
    ASSERT_TRUE(world.until_registered());
    EXPECT_EQ(world.troubles.size(), 5u);
    EXPECT_EQ(world.troubles[0], "expected 2.01 with a location for the registration, found 5.03");
}

TEST(Device, RegistersAgainWhenTheServerForgotIt) {
    World world;
    world.config.lifetime = 30s;
    world.start();
    ASSERT_TRUE(world.until_registered());
    world.refuse = 1;  // the next Update
    EXPECT_TRUE(world.until_registered(2));
}

TEST(Device, OverDtlsWithItsKeyOnly) {
    World world({}, {{"id-1", Bytes{1, 2, 3, 4}}});
    world.config.credentials = {"id-1", Secret<Bytes>(Bytes{1, 2, 3, 4})};
    world.start();
    ASSERT_TRUE(world.until_registered());
    EXPECT_EQ(world.peer.identity, "id-1");
    EXPECT_EQ(world.get("/3/0/1"), "nrf9160dk");
}

TEST(Device, AWrongKeyIsTroubleAndNoRegistration) {
    World world({}, {{"id-1", Bytes{1, 2, 3, 4}}});
    world.config.credentials = {"id-1", Secret<Bytes>(Bytes{9})};
    world.start();
    world.pass(10s);
    EXPECT_EQ(world.registrations, 0);
    ASSERT_GE(world.troubles.size(), 5u);
    EXPECT_TRUE(world.troubles[0].contains("refused")) << world.troubles[0];
}

TEST(Device, AnUpdateFromPushToConfirmedImage) {
    World world;
    world.start();
    ASSERT_TRUE(world.until_registered());
    EXPECT_EQ(world.push(small_image(2)), Code::changed);
    EXPECT_EQ(world.get("/5/0/3"), "2");
    ASSERT_TRUE(world.execute());
    EXPECT_EQ(world.get("/5/0/3"), "3");
    ASSERT_TRUE(world.until_registered(2));
    EXPECT_EQ(world.get("/3/0/3"), "2.0.0+0");
    EXPECT_EQ(world.get("/5/0/5"), "1");
    EXPECT_TRUE(*world.board.confirmed());
    EXPECT_EQ(world.log, (std::vector<std::string>{"registered 1.0.0+0", "reboot: reset", "swapped 1.0.0+0 2.0.0+0",
                                                   "registered 2.0.0+0"}));
    world.device->lose_power();
    ASSERT_TRUE(world.until_registered(3));
    EXPECT_EQ(world.get("/3/0/3"), "2.0.0+0");
}

TEST(Device, StateIsNotifiedToWhoeverObserves) {
    World world;
    world.start();
    ASSERT_TRUE(world.until_registered());
    auto message = coap::make_request(Code::get, "/5/0/3");
    message.add_uint(coap::OptionNumber::accept, 0);
    message.add_uint(coap::OptionNumber::observe, 0);
    ASSERT_TRUE(world.request(message));
    EXPECT_EQ(world.push(small_image(2)), Code::changed);
    world.pass(1s);
    EXPECT_EQ(world.notified, (std::vector<std::string>{"1", "2"}));
}

TEST(Device, NoMessageLeavesItWithoutPower) {
    World world;
    world.config.boot_time = 5s;
    world.start();
    ASSERT_TRUE(world.until_registered());
    world.board.power().fail_in(3);
    bool was_dead = false;
    int from_the_dead = 0;
    world.network.filter = [&](const std::string& from, const std::string&, BytesView) {
        if (from == "device" && !world.board.power().on()) ++from_the_dead;
        was_dead = was_dead || !world.board.power().on();
        return true;
    };
    EXPECT_EQ(world.push(small_image(2)), Code::empty);
    EXPECT_TRUE(was_dead);
    EXPECT_EQ(from_the_dead, 0);
    EXPECT_TRUE(world.until_registered(2));
    EXPECT_EQ(world.log[1], "reboot: power lost");
}

TEST(Device, ABoardWithoutAnImageDoesNotComeUp) {
    World world;
    std::ranges::fill(world.board.internal().cells(), std::uint8_t{0xff});
    world.start();
    ASSERT_TRUE(world.until([&] { return world.ended; }));
    ASSERT_FALSE(*world.outcome);
    EXPECT_EQ(world.outcome->error().code(), Errc::image_malformed);
}

TEST(Device, TheTransferSurvivesABadLink) {
    World world;
    world.network.model.loss = 0.1;
    world.network.model.duplicate = 0.1;
    world.network.model.jitter = 200ms;
    world.start();
    ASSERT_TRUE(world.until_registered());
    EXPECT_EQ(world.push(small_image(2)), Code::changed) << "seed " << seed;
}

// ---- quirks that need time or messages ----

TEST(DeviceQuirks, SeparateResponsesReachTheServer) {
    for (const auto quirk : {Quirk::separate_response, Quirk::slow_erase}) {
        World world({quirk});
        world.start();
        ASSERT_TRUE(world.until_registered());
        EXPECT_EQ(world.push(small_image(2)), Code::changed);
        EXPECT_EQ(world.get("/5/0/3"), "2");
    }
}

TEST(DeviceQuirks, LostExecuteAck) {
    World world({Quirk::lost_execute_ack});
    world.start();
    ASSERT_TRUE(world.until_registered());
    world.push(small_image(2));
    EXPECT_FALSE(world.execute());
    ASSERT_TRUE(world.until_registered(2));
    EXPECT_EQ(world.get("/3/0/3"), "2.0.0+0");
}

TEST(DeviceQuirks, SilentAfterExecute) {
    World world({Quirk::silent_after_execute});
    world.start();
    ASSERT_TRUE(world.until_registered());
    world.push(small_image(2));
    EXPECT_TRUE(world.execute());
    world.pass(1h);
    EXPECT_EQ(world.registrations, 1);
    EXPECT_FALSE(world.request(coap::make_request(Code::get, "/5/0/3")));
}

TEST(DeviceQuirks, Revert) {
    World world({Quirk::revert});
    world.start();
    ASSERT_TRUE(world.until_registered());
    world.push(small_image(2));
    EXPECT_TRUE(world.execute());
    ASSERT_TRUE(world.until_registered(3));
    EXPECT_EQ(world.get("/3/0/3"), "1.0.0+0");
    EXPECT_EQ(world.get("/5/0/5"), "8");
    EXPECT_EQ(world.log.back(), "registered 1.0.0+0");
    EXPECT_EQ(world.log[world.log.size() - 2], "reverted 1.0.0+0");
}

TEST(DeviceQuirks, RevertUnseen) {
    World world({Quirk::revert_unseen});
    world.start();
    ASSERT_TRUE(world.until_registered());
    world.push(small_image(2));
    EXPECT_TRUE(world.execute());
    ASSERT_TRUE(world.until_registered(2));
    EXPECT_EQ(world.get("/3/0/3"), "1.0.0+0");
    EXPECT_EQ(std::ranges::count(world.log, "registered 2.0.0+0"), 0);
}

TEST(DeviceQuirks, NoUpdateInPush) {
    World world({Quirk::no_update_in_push});
    world.config.lifetime = 10s;
    world.start();
    ASSERT_TRUE(world.until_registered());
    world.network.model.delay = 1s;  // 21 blocks of 2 s
    EXPECT_EQ(world.push(small_image(2)), Code::changed);
    EXPECT_EQ(world.updates, 0);
    EXPECT_TRUE(world.until_registered(2));
    EXPECT_EQ(world.get("/5/0/3"), "2");
}

TEST(DeviceQuirks, QueueMode) {
    World world({Quirk::queue_mode});
    world.start();
    ASSERT_TRUE(world.until_registered());
    EXPECT_TRUE(world.registration.queue_mode);
    world.pass(5s);
    EXPECT_EQ(world.get("/5/0/3"), "0");
    world.pass(15s);
    EXPECT_FALSE(world.request(coap::make_request(Code::get, "/5/0/3"), {1s, 1, 1s}));
    ASSERT_TRUE(world.until([&] { return world.updates == 1; }));
    EXPECT_EQ(world.get("/5/0/3"), "0");
}

TEST(DeviceQuirks, Lwm2m10) {
    World world({Quirk::lwm2m_1_0, Quirk::queue_mode});
    world.start();
    ASSERT_TRUE(world.until_registered());
    EXPECT_EQ(world.registration.lwm2m_version, "1.0");
    EXPECT_EQ(world.registration.binding, "UQ");
}

}  // namespace
}  // namespace fota::virtdev
