// One server process with up to 25,000 registered devices and up to 1,000 deliveries at once, plain and over DTLS,
// against clients in another process: what a block costs in processor time and a device in memory, as a curve over
// their number.
//
//   scale_bench [DEVICES ...]    with these numbers of devices instead of the whole curve
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "adapters/system_clock.hpp"
#include "adapters/udp_endpoint.hpp"
#include "bench/scale/clients.hpp"
#include "server/lwm2m_server.hpp"

using namespace fota;

namespace {

constexpr std::size_t most_deliveries = 1'000;
constexpr std::size_t blocks_in_all = 64'000;
constexpr std::size_t block_size = 1'024;

double processor_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Resident memory, not counting files.
double resident_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("RssAnon:")) return std::stod(line.substr(8));
    return 0;
}

struct Row {
    double kib_per_device = 0;
    double us_per_block = 0;
    double blocks_per_second = 0;
    std::uint64_t resends = 0;
    std::uint64_t failed = 0;
};

class Measurement {
  public:
    Measurement(std::size_t devices, bool dtls) : devices_(devices), dtls_(dtls), key_(Bytes(16, 7)) {}

    Row run() {
        Row row;
        const auto before = resident_kib();
        adapters::UdpEndpoint::Options options;
        options.listen = "127.0.0.1:0";
        options.plain_sessions = 100'000;
        if (dtls_) options.psk = [this](std::string_view) { return &key_; };
        auto endpoint = adapters::UdpEndpoint::open(io_.get_executor(), std::move(options));
        if (!endpoint) {
            fmt::print(stderr, "{}\n", endpoint.error().text());
            return row;
        }
        server::ServerConfig config;
        config.profile = *server::link_profile("lan");
        if (dtls_)
            for (std::size_t i = 0; i < devices_; ++i)
                config.identities[fmt::format("identity-{}", i)] = fmt::format("device-{}", i);
        adapters::SystemClock clock(io_.get_executor());
        server::LwM2mServer server(io_, **endpoint, clock, std::move(config));
        std::size_t registered = 0;
        server.on_event([&](const server::ServerEvent& event) {
            registered += event.kind == server::ServerEvent::Kind::registered;
            if (registered == devices_) io_.stop();
        });
        const auto address = (*endpoint)->local_address();
        const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
        const auto clients = ::fork();
        if (clients == 0) ::_exit(bench::run_clients({port, devices_, dtls_}));
        io_.run();
        io_.restart();
        row.kib_per_device = (resident_kib() - before) / static_cast<double>(devices_);

        const auto deliveries = std::min(devices_, most_deliveries);
        const auto blocks = std::max<std::size_t>(blocks_in_all / deliveries, 1);
        const Bytes image(std::min<std::size_t>(blocks, 16'000) * block_size, 0x5a);
        std::size_t running = deliveries;
        const auto began = std::chrono::steady_clock::now();
        const auto processor = processor_seconds();
        for (std::size_t i = 0; i < deliveries; ++i) {
            ports::DeliveryRequest request;
            request.package = lwm2m::Path{5, 0, 0};
            request.image = image;
            request.block_size = block_size;
            boost::asio::co_spawn(
                io_, server.device(fmt::format("device-{}", i * (devices_ / deliveries))).deliver(std::move(request)),
                [&](std::exception_ptr, Result<ports::Delivery> end) {
                    row.failed += !end || end->end != ports::Delivery::End::complete;
                    if (end) row.resends += end->progress.retransmissions;
                    if (--running == 0) io_.stop();
                });
        }
        io_.run();
        const auto sent = static_cast<double>(deliveries * (image.size() / block_size));
        row.us_per_block = (processor_seconds() - processor) * 1e6 / sent;
        row.blocks_per_second = sent / std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        ::kill(clients, SIGKILL);
        ::waitpid(clients, nullptr, 0);
        return row;
    }

  private:
    boost::asio::io_context io_;
    std::size_t devices_;
    bool dtls_;
    Secret<Bytes> key_;
};

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::size_t> curve;
    for (int i = 1; i < argc; ++i) curve.push_back(std::stoul(argv[i]));
    if (curve.empty()) curve = {1, 100, 1'000, 10'000, 25'000};
    fmt::print("{:<6} {:>8} {:>10} {:>12} {:>12} {:>9} {:>12} {:>8} {:>7}\n", "", "devices", "deliveries", "KiB/device",
               "us/block", "to first", "blocks/s", "resent", "failed");
    for (const bool dtls : {false, true}) {
        double one = 0;
        for (const auto devices : curve) {
            // Each in a process of its own: memory that the last one gave back would hide what this one takes.
            int pipe[2];
            if (::pipe(pipe) != 0) return 1;
            std::fflush(stdout);
            const auto child = ::fork();
            if (child == 0) {
                const auto row = Measurement(devices, dtls).run();
                const auto written = ::write(pipe[1], &row, sizeof row);
                ::_exit(written == sizeof row ? 0 : 1);
            }
            ::close(pipe[1]);
            Row row;
            const auto got = ::read(pipe[0], &row, sizeof row);
            ::close(pipe[0]);
            ::waitpid(child, nullptr, 0);
            if (got != sizeof row) {
                fmt::print("{:<6} {:>8}: not measured\n", dtls ? "DTLS" : "plain", devices);
                continue;
            }
            if (devices == curve.front()) one = row.us_per_block;
            fmt::print("{:<6} {:>8} {:>10} {:>12.1f} {:>12.1f} {:>9.2f} {:>12.0f} {:>8} {:>7}\n",
                       dtls ? "DTLS" : "plain", devices, std::min(devices, most_deliveries), row.kib_per_device,
                       row.us_per_block, row.us_per_block / one, row.blocks_per_second, row.resends, row.failed);
        }
    }
    return 0;
}
