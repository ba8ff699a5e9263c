#include "tests/scenario/world.hpp"

namespace fota::test {

struct World::Watch final : update::Observer {
    explicit Watch(World& world) : world(world) {}
    void step(update::Step step) override {
        world.step = step;
        world.steps.push_back(step);
    }
    void progress(const ports::DeliveryProgress& progress) override { world.last_progress = progress.bytes; }
    void remark(const std::string& text) override { world.remarks.push_back(text); }
    World& world;
};

World::World(WorldOptions wish) : options(std::move(wish)), network(io, clock, options.seed) {
    network.model = options.link;
    network.tap = [this](const std::string& from, const std::string& to, BytesView datagram) {
        if (auto message = coap::decode(datagram)) wire.push_back({clock.now(), from, to, std::move(*message)});
    };
    old_image = signed_image(options.old_version, options.image_bytes, 1);
    new_image = signed_image(options.new_version, options.image_bytes, 2);
    board = std::make_unique<virtdev::Board>(options.board.boot, virtdev::hash_only(), options.board.external);
    EXPECT_TRUE(board->flash_image(old_image));
    coap::MessageLayer::Limits limits;
    limits.deduplicate = options.quirks.deduplicates();
    device_end = std::make_unique<VirtualEndpoint>(network, "10.0.0.7:4000", std::map<std::string, Bytes>{}, limits);
    fetch_end = std::make_unique<VirtualEndpoint>(network, "10.0.0.7:5000", std::map<std::string, Bytes>{}, limits);
    virtdev::DeviceConfig config;
    config.endpoint = endpoint;
    config.server = server_address;
    if (options.secure) config.credentials = {identity, Secret<Bytes>(Bytes(16, 7))};
    config.lifetime = options.lifetime;
    config.fetch = fetch_end.get();
    config.quirks = options.quirks;
    config.boot_time = options.boot_time;
    config.reboot_after = options.reboot_after;
    virtdev::DeviceEvents events;
    events.block = [this](const auto&) { ++blocks_taken; };
    events.state = [this](lwm2m::State state, lwm2m::UpdateResult result) {
        states.emplace_back(state, result);
        executes += state == lwm2m::State::updating;
    };
    device = std::make_unique<virtdev::Device>(*board, *device_end, clock, std::move(config), std::move(events));
    boost::asio::co_spawn(io, device->run(), [this](std::exception_ptr failure, Result<> end) {
        device_ended_ = true;
        if (failure) std::rethrow_exception(failure);
        if (!end) ADD_FAILURE() << "the device ended: " << end.error().text();
    });
}

World::~World() {
    kill_push();
    device->stop();
    EXPECT_TRUE(clock.run_until([&] { return device_ended_; }));
}

void World::start_push() {
    report.reset();
    const std::vector keys{test_signer().public_key()};
    if (!other_candidate.empty()) {
        target_ = update::check_bootloader_images(new_image, other_candidate, keys).value();
    } else if (modem_version_.empty()) {
        auto checked = update::check_image(new_image, keys, std::nullopt);
        ASSERT_TRUE(checked) << checked.error().text();
        target_ = std::move(checked->target);
    } else {
        target_ = update::check_modem_package(new_image, modem_version_).value();
    }
    std::map<std::string, Bytes> psk;
    server::ServerConfig config;
    config.profile = options.profile;
    config.seed = network.random();
    if (options.secure) {
        psk[identity] = Bytes(16, 7);
        config.identities[identity] = endpoint;
        // A neighbour with good credentials of its own.
        psk["identity-2"] = Bytes(16, 8);
        config.identities["identity-2"] = "urn:imei:351358811331352";
    }
    coap::MessageLayer::Limits limits;
    if (!options.secure) limits.amplification = coap::amplification_in_clear;  // as the real socket has it
    server_end_ = std::make_unique<VirtualEndpoint>(network, server_address, psk, limits);
    server_ = std::make_unique<server::LwM2mServer>(io, *server_end_, clock, config);
    watch_ = std::make_unique<Watch>(*this);
    stop_ = std::make_unique<boost::asio::cancellation_signal>();
    boost::asio::co_spawn(
        io, update::run(server_->device(endpoint), *target_, policy, store, clock, *watch_),
        boost::asio::bind_cancellation_slot(stop_->slot(), [this](std::exception_ptr failure, update::Report end) {
            if (failure) std::rethrow_exception(failure);
            report = std::move(end);
        }));
}

void World::kill_push() {
    if (!server_) return;
    const bool running = !report;
    // The engine must not journal anything on its way out: a killed process does not.
    store.failing = true;
    network.filter = [](const std::string& from, const std::string&, BytesView) { return from != server_address; };
    if (running) {
        stop_->emit(boost::asio::cancellation_type::terminal);
        EXPECT_TRUE(clock.run_until([&] { return report.has_value(); }, std::chrono::seconds(1)));
    }
    network.filter = {};
    store.failing = false;
    store.crash();
    if (running) report.reset();
    server_.reset();
    server_end_.reset();
}

std::optional<update::Report> World::finish(Milliseconds limit) {
    clock.run_until([&] { return report.has_value(); }, limit);
    return report;
}

update::Report World::push() {
    start_push();
    const auto end = finish();
    EXPECT_TRUE(end) << "no result within 12 h; last step " << update::step_name(step);
    if (!end) return {};
    EXPECT_TRUE(update::close(store, endpoint, *end));
    return *end;
}

}  // namespace fota::test
