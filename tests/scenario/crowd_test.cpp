// Several hundred virtual devices in one process, each with both flash parts, asleep most of the time.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/lwm2m_server.hpp"
#include "tests/support/own_memory.hpp"
#include "tests/support/test_images.hpp"
#include "tests/support/virtual_clock.hpp"
#include "tests/support/virtual_network.hpp"
#include "virtdev/board_quirks.hpp"
#include "virtdev/device.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t crowd = 400;

struct Member {
    Member(boost::asio::io_context& io, VirtualNetwork& network, VirtualClock& clock, std::size_t number,
           const virtdev::BoardSetup& setup, BytesView image)
        : address(fmt::format("10.0.{}.{}:4000", number >> 8, number & 255)),
          board(setup.boot, virtdev::hash_only(), setup.external),
          end(network, address) {
        EXPECT_TRUE(board.flash_image(image));
        virtdev::DeviceConfig config;
        config.endpoint = fmt::format("urn:imei:{:015d}", number);
        config.server = "server";
        config.lifetime = 4h;
        config.quirks = {virtdev::Quirk::queue_mode};
        device = std::make_unique<virtdev::Device>(board, end, clock, std::move(config), virtdev::DeviceEvents{});
        boost::asio::co_spawn(io, device->run(), [this](std::exception_ptr failure, Result<> result) {
            gone = true;
            if (failure) std::rethrow_exception(failure);
            EXPECT_TRUE(result);
        });
    }

    std::string address;
    virtdev::Board board;
    VirtualEndpoint end;
    std::unique_ptr<virtdev::Device> device;
    bool gone = false;
};

/// A board of each kind in turn.
virtdev::BoardSetup board(std::size_t number) {
    const auto all = virtdev::all_board_quirks();
    virtdev::BoardSetup setup;
    const auto& info = all[number % all.size()];
    if (info.name != "boot-hardware-counter") info.apply(setup);
    return setup;
}

}  // namespace

TEST(Crowd, FourHundredDevicesSleepInOneProcess) {
    boost::asio::io_context io;
    VirtualClock clock(io);
    VirtualNetwork network(io, clock, 1);
    const auto image = signed_image("1.0.0", 8'000, 1);
    VirtualEndpoint server_end(network, "server");
    server::LwM2mServer server(io, server_end, clock, server::ServerConfig{});
    std::map<std::string, int> registered;
    std::map<std::string, int> updated;
    server.on_event([&](const server::ServerEvent& event) {
        if (event.kind == server::ServerEvent::Kind::registered) ++registered[event.endpoint];
        if (event.kind == server::ServerEvent::Kind::updated) ++updated[event.endpoint];
    });
    std::map<std::string, std::vector<Instant>> heard;  // from each device
    network.filter = [&](const std::string& from, const std::string&, BytesView) {
        if (from != "server") heard[from].push_back(clock.now());
        return true;
    };

    std::vector<std::unique_ptr<Member>> members;
    members.reserve(crowd);
    const auto before = memory_in_use();
    for (std::size_t i = 0; i < crowd; ++i)
        members.push_back(std::make_unique<Member>(io, network, clock, i, board(i), image));
    clock.run_until([&] { return registered.size() == crowd; }, 1h);
    ASSERT_EQ(registered.size(), crowd);
    const auto each = (memory_in_use() - before) / crowd;
    fmt::print("{} running devices, {} bytes of memory each\n", crowd, each);
    EXPECT_LT(each, 250'000u);

    clock.run_until([] { return false; }, 5h);
    for (const auto& member : members) {
        const auto& times = heard[member->address];
        const auto name = fmt::format("urn:imei:{:015d}", &member - members.data());
        EXPECT_EQ(registered[name], 1);
        EXPECT_GE(updated[name], 1);
        // Awake for a Register or an Update and its answer, silent for the rest.
        EXPECT_LE(times.size(), static_cast<std::size_t>(2 * (1 + updated[name])));
    }
    for (const auto& member : members) member->device->stop();
    EXPECT_TRUE(clock.run_until([&] { return std::ranges::all_of(members, [](const auto& m) { return m->gone; }); }));
}
