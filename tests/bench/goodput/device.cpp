// The receiving end of goodput_bench.py: a device on libcoap that keeps the package in memory, as libcoap's own
// coap-server does. Runs until it is killed.
//
//   goodput_device ENDPOINT HOST:PORT [IDENTITY KEY]     KEY: the pre-shared key as hex text; without: in clear
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "adapters/libcoap_client.hpp"
#include "adapters/system_clock.hpp"
#include "base/bytes.hpp"
#include "scenario/light_device.hpp"

using namespace fota;

int main(int argc, char** argv) {
    if (argc != 3 && argc != 5) {
        fmt::print(stderr, "goodput_device: expected ENDPOINT HOST:PORT [IDENTITY KEY]\n");
        return 2;
    }
    test::LightDevice::Config config;
    config.endpoint = argv[1];
    config.server = argv[2];
    config.retry_pause = Milliseconds(100);
    config.keeps_package = true;
    if (argc == 5) {
        const auto key = from_hex(argv[4]);
        if (!key) {
            fmt::print(stderr, "goodput_device: expected a key in hex, found something else\n");
            return 2;
        }
        config.identity = argv[3];
        config.key = *key;
    }
    boost::asio::io_context io;
    adapters::SystemClock clock(io.get_executor());
    adapters::LibcoapClient end(io.get_executor());
    test::LightDevice device(end, clock, std::move(config));
    boost::asio::co_spawn(io, device.run(clock.now()), boost::asio::detached);
    io.run();
    return 0;
}
