// fotactl sim: a virtual nRF9160 on the network or on a cable, to try updates against before there is hardware.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "adapters/libcoap_client.hpp"
#include "adapters/system_clock.hpp"
#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/key_files.hpp"
#include "cli/program.hpp"
#include "cli/sim_bootstrap.hpp"
#include "cli/sim_modem.hpp"
#include "cli/sim_serial.hpp"
#include "image/image.hpp"
#include "image/verify.hpp"
#include "virtdev/board_quirks.hpp"
#include "virtdev/device.hpp"

namespace fota::cli {
namespace {

using namespace std::chrono_literals;
using virtdev::Quirk;

struct Options {
    std::string endpoint;
    std::string server;
    std::string identity;
    std::string psk_file;
    std::string flash_dir;
    std::string image;
    std::string key;
    std::vector<std::string> quirks;
    std::string bootstrap;
    std::string modem;
    std::string imei;
    SimPort port;
    std::uint32_t lifetime = 60;
    bool once = false;
};

struct Target {
    std::string address;  ///< HOST:PORT
    bool secure = false;
};

Result<Target> parse_server(const std::string& text) {
    Target target;
    std::string_view rest = text;
    if (rest.starts_with("coaps://")) {
        target.secure = true;
        rest.remove_prefix(8);
    } else if (rest.starts_with("coap://")) {
        rest.remove_prefix(7);
    } else {
        return fail(Errc::usage, fmt::format("expected --server coap://HOST:PORT or coaps://HOST:PORT, found \"{}\"",
                                             printable(text)));
    }
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.empty() || rest.contains('/'))
        return fail(Errc::usage,
                    fmt::format("expected --server with a host and no path, found \"{}\"", printable(text)));
    const bool has_port = rest.starts_with('[') ? rest.contains("]:") : rest.contains(':');
    target.address = has_port ? std::string(rest) : fmt::format("{}:{}", rest, target.secure ? 5684 : 5683);
    return target;
}

Result<ports::Credentials> credentials_of(const Options& options, const Target& target) {
    if (!target.secure) {
        if (!options.identity.empty() || !options.psk_file.empty())
            return fail(Errc::usage, "expected a coaps:// server with --identity and --psk-file, found coap://");
        return ports::Credentials{};
    }
    if (options.identity.empty() || options.psk_file.empty())
        return fail(Errc::usage, "expected --identity and --psk-file for a coaps:// server, found one of them at most");
    TRY(const auto text, read_secret_file(options.psk_file));
    auto key = from_hex(as_text(text.reveal()));
    if (!key || key->empty())
        return fail(Error(Errc::credentials_unusable,
                          fmt::format("expected the key as hexadecimal text in {}, found something else",
                                      shown_path(options.psk_file)))
                        .with("file", options.psk_file));
    return ports::Credentials{options.identity, Secret<Bytes>(std::move(*key))};
}

/// What its bootloader asks of an image: the hash, and the signature where it has a key.
Result<virtdev::ImageCheck> image_check(const Options& options) {
    if (options.key.empty()) return virtdev::hash_only();
    TRY(auto key, load_public_key(options.key));
    return virtdev::ImageCheck([key = std::move(key)](BytesView bytes) -> Result<> {
        TRY(const auto parsed, image::parse(bytes));
        TRY_VOID(image::verify(bytes, parsed, std::span(&key, 1)));
        return {};
    });
}

Result<std::unique_ptr<virtdev::Board>> board_of(const Options& options, virtdev::BoardSetup setup) {
    TRY(auto check, image_check(options));
    std::unique_ptr<virtdev::Board> board;
    std::optional<Bytes> image;
    if (!options.image.empty()) {
        TRY(image, read_image(options.image));
        TRY_VOID(in_context(image::parse(*image), fmt::format("reading {}", shown_path(options.image))));
    }
    // Before any file is created: one that is there counts as a board that was flashed.
    const auto internal = options.flash_dir + "/internal.bin";
    const bool blank = options.flash_dir.empty() || ::access(internal.c_str(), F_OK) != 0;
    if (blank && !image) return fail(Errc::usage, "expected --image for the empty primary slot, found none");
    const auto& layout = setup.boot;
    if (blank && image->size() > layout.primary_size)
        return fail(Errc::image_too_large,
                    fmt::format("expected an image of at most {} bytes for the primary slot, found {}",
                                layout.primary_size, image->size()));
    if (options.flash_dir.empty()) {
        board = std::make_unique<virtdev::Board>(layout, std::move(check), std::move(setup.external));
    } else {
        if (::mkdir(options.flash_dir.c_str(), 0777) != 0 && errno != EEXIST)
            return fail(Error(Errc::file_unwritable, fmt::format("expected a directory for the flash at {}, found {}",
                                                                 shown_path(options.flash_dir), std::strerror(errno)))
                            .with("file", options.flash_dir));
        TRY(board, virtdev::Board::on_files(options.flash_dir, layout, std::move(check), std::move(setup.external)));
    }
    if (!board->blank()) return board;
    TRY_VOID(board->flash_image(*image));
    return board;
}

/// A port that is free now, to come back to after each reboot.
std::uint16_t free_port(boost::asio::io_context& io) {
    boost::asio::ip::udp::socket socket(io, {boost::asio::ip::udp::v4(), 0});
    return socket.local_endpoint().port();
}

std::string plural(std::uint64_t count, std::string_view one) {
    return fmt::format("{} {}{}", with_thousands(count), one, count == 1 ? "" : "s");
}

/// The device's events, as lines for a person or as NDJSON.
class Narrator {
  public:
    Narrator(Output& out, const Options& options) : out_(out), options_(options) {}

    /// `back` is called once: the device has registered after a reboot, and --once was given.
    virtdev::DeviceEvents events(std::function<void()> back) {
        back_ = std::move(back);
        virtdev::DeviceEvents events;
        events.registered = [this](const std::string& version) { registered(version); };
        events.state = [this](lwm2m::State state, lwm2m::UpdateResult result) {
            out_.event("state", {{"endpoint", options_.endpoint},
                                 {"state", static_cast<int>(state)},
                                 {"result", static_cast<int>(result)}});
            out_.line(fmt::format("state       {} · result {}", lwm2m::state_text(static_cast<int>(state)),
                                  lwm2m::result_text(static_cast<int>(result))));
        };
        events.block = [this](const virtdev::BlockTaken& block) { taken(block); };
        events.reboot = [this](const std::string& reason) {
            ++reboots_;
            out_.event("reboot", {{"endpoint", options_.endpoint}, {"reason", reason}});
            out_.line(fmt::format("reboot      {}", reason));
        };
        events.swapped = [this](const std::string& from, const std::string& to) {
            out_.event("swapped", {{"endpoint", options_.endpoint}, {"from_version", from}, {"to_version", to}});
            out_.line(fmt::format("swapped     {} -> {}", from.empty() ? "?" : from, to));
        };
        events.reverted = [this](const std::string& version) {
            out_.event("reverted", {{"endpoint", options_.endpoint}, {"version", version}});
            out_.line(fmt::format("reverted    back to {}", version));
        };
        events.boot_log = [this](const std::string& line) {
            if (out_.verbose()) out_.note("bootloader  " + printable(line));
        };
        events.trouble = [this](const Error& error) { trouble(error); };
        return events;
    }

    const std::string& version() const noexcept { return version_; }

  private:
    void registered(const std::string& version) {
        version_ = version;
        last_trouble_.clear();
        out_.event("registered", {{"endpoint", options_.endpoint}, {"server", options_.server}, {"version", version}});
        out_.line(fmt::format("registered  {} at {} · runs {}", printable(options_.endpoint),
                              printable(options_.server), version));
        if (options_.once && reboots_ > 0 && !done_) {
            done_ = true;
            back_();
        }
    }

    void taken(const virtdev::BlockTaken& block) {
        if (out_.json()) {
            out_.event("block", {{"endpoint", options_.endpoint},
                                 {"block", block.num},
                                 {"bytes", block.bytes},
                                 {"total", block.total}});
            return;
        }
        if (out_.live()) {
            out_.redraw(fmt::format("package     block {} · {} of {}", block.num, human_size(block.bytes),
                                    block.total == 0 ? "?" : human_size(block.total)));
            return;
        }
        const auto tenth = block.total == 0 ? 0 : block.bytes * 10 / block.total;
        if (block.num == 0) last_tenth_ = 0;
        if (tenth <= last_tenth_) return;
        last_tenth_ = tenth;
        out_.note(fmt::format("package     {} % · {}", tenth * 10, plural(block.bytes, "byte")));
    }

    /// Said once while it lasts, since it is tried again every second.
    void trouble(const Error& error) {
        auto text = error.text();
        if (text == last_trouble_) return;
        last_trouble_ = std::move(text);
        out_.note(fmt::format("not registered yet: {}", last_trouble_));
    }

    Output& out_;
    const Options& options_;
    std::function<void()> back_;
    std::string version_;
    std::string last_trouble_;
    std::uint64_t reboots_ = 0;
    std::uint64_t last_tenth_ = 0;
    bool done_ = false;
};

/// For --once: whoever sent the update reads the new version after the registration, as its proof.
boost::asio::awaitable<void> leave_when_quiet(virtdev::Device& device, ports::Clock& clock) {
    constexpr auto quiet = 2s;
    for (auto seen = clock.now();; seen = device.last_traffic()) {
        co_await clock.sleep_until(seen + quiet);
        if (device.last_traffic() <= seen) break;
    }
    device.stop();
}

int list_quirks(Program& program) {
    auto rows = nlohmann::json::array();
    const auto tell = [&](const auto& info) {
        rows.push_back({{"name", info.name}, {"help", info.help}});
        program.out.line(fmt::format("{:<26} {}", info.name, info.help));
    };
    std::ranges::for_each(virtdev::all_quirks(), tell);
    std::ranges::for_each(virtdev::all_board_quirks(), tell);
    std::ranges::for_each(virtdev::all_smp_quirks(), tell);
    return program.out.result("done", {{"quirks", rows}});
}

/// Also in JSON mode, on stderr: what the bootloader accepts decides what a test with this device is worth.
void say_what_it_is(const Output& out, bool hash_only) {
    if (out.quiet()) return;
    fmt::print(stderr, "sim         a virtual nRF9160-DK; its bootloader is a model of MCUboot, not MCUboot\n");
    if (hash_only)
        fmt::print(stderr, "sim         no --key: its bootloader asks for an image's hash only, not for a signature\n");
}

Result<std::string> simulate(Program& program, const Options& options) {
    const bool on_a_bench = options.server.empty() && options.bootstrap.empty() && options.port.any();
    if (!on_a_bench && (options.endpoint.empty() || options.server.empty() == options.bootstrap.empty()))
        return fail(Errc::usage,
                    "expected --endpoint EP and one of --server coap[s]://HOST:PORT and --bootstrap coaps://HOST:PORT, "
                    "or --pty LINK or --smp-udp ADDR:PORT for a board without a network");
    if (options.endpoint.size() > 256)
        return fail(Errc::usage,
                    fmt::format("expected an endpoint of at most 256 bytes, found {}", options.endpoint.size()));
    auto names = options.quirks;
    TRY(const auto serial_quirks, take_smp_quirks(names));
    TRY(auto setup, virtdev::take_board_quirks(names));
    TRY(const auto quirks, virtdev::QuirkSet::parse(names));
    if (on_a_bench) {
        TRY(const auto board, board_of(options, std::move(setup)));
        say_what_it_is(program.out, options.key.empty());
        return sim_on_a_bench(program.out, *board, serial_quirks, options.port);
    }
    TRY(auto target, parse_server(options.bootstrap.empty() ? options.server : options.bootstrap));
    TRY(auto credentials, credentials_of(options, target));
    TRY(const auto board, board_of(options, std::move(setup)));

    auto& out = program.out;
    say_what_it_is(out, options.key.empty());

    boost::asio::io_context io;
    adapters::SystemClock clock(io.get_executor());
    adapters::LibcoapClient::Options network;
    network.deduplicate = quirks.deduplicates();
    if (quirks.has(Quirk::same_port)) network.local_port = free_port(io);
    adapters::LibcoapClient endpoint(io.get_executor(), network);

    adapters::LibcoapClient fetch(io.get_executor(), adapters::LibcoapClient::Options{});
    if (!options.bootstrap.empty()) {
        TRY(auto account, sim_bootstrap(io, endpoint, clock, options.endpoint, target.address, credentials));
        out.event("bootstrapped", {{"endpoint", options.endpoint}, {"server", printable(account.server)}});
        out.line(fmt::format("bootstrap   server {}", printable(account.server)));
        TRY(target, parse_server(account.server));
        credentials = std::move(account.credentials);
    }

    virtdev::DeviceConfig config;
    config.fetch = &fetch;
    config.endpoint = options.endpoint;
    config.server = target.address;
    config.credentials = std::move(credentials);
    config.lifetime = std::chrono::seconds(options.lifetime);
    config.quirks = quirks;
    // A server that starts late is found within seconds: another attempt follows every second.
    config.retry = {.ack_timeout = 1s, .max_retransmit = 2};
    Narrator narrator(out, options);
    std::unique_ptr<virtdev::Device> device;
    const auto leave = [&] { boost::asio::co_spawn(io, leave_when_quiet(*device, clock), boost::asio::detached); };
    device = std::make_unique<virtdev::Device>(*board, endpoint, clock, std::move(config), narrator.events(leave));

    std::unique_ptr<SimSerial> serial;
    if (options.port.any()) {
        TRY(serial, SimSerial::open(io, clock, *board, device.get(), serial_quirks, options.port));
        out.line(fmt::format("serial      SMP on {}", printable(serial->port())));
    }
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (!error) device->stop();
    });
    Result<> outcome;
    boost::asio::co_spawn(io, device->run(), [&](std::exception_ptr failure, Result<> result) {
        signals.cancel();
        if (serial) serial->stop();
        if (failure) std::rethrow_exception(failure);
        outcome = std::move(result);
    });
    io.run();
    if (!outcome) return fail(std::move(outcome.error()));
    return narrator.version();
}

int run(Program& program, const Options& options) {
    if (!options.modem.empty()) return run_sim_modem(program, options.modem, options.imei, options.quirks);
    if (std::ranges::find(options.quirks, "list") != options.quirks.end()) return list_quirks(program);
    const auto version = simulate(program, options);
    if (!version) return program.out.fail(version.error(), {{"endpoint", options.endpoint}});
    return program.out.result("done", {{"endpoint", options.endpoint}, {"running_version", *version}});
}

}  // namespace

void add_sim(CLI::App& root, Program& program) {
    add_command<Options>(
        root, program, "sim", "a virtual nRF9160 on UDP: a model of the device and of MCUboot, to try updates against",
        [](CLI::App& app, Options& o) {
            app.add_option("--endpoint", o.endpoint, "endpoint name it registers with")->type_name("EP");
            app.add_option("--server", o.server, "where it registers: coap://HOST:PORT or coaps://HOST:PORT")
                ->type_name("URI");
            app.add_option("--bootstrap", o.bootstrap, "instead of --server: asks this bootstrap server for one first")
                ->type_name("URI");
            app.add_option("--identity", o.identity, "DTLS PSK identity")->type_name("I");
            app.add_option("--psk-file", o.psk_file, "file with the pre-shared key as hex text, mode 0600")
                ->type_name("F");
            app.add_option("--flash-dir", o.flash_dir,
                           "keeps its flash in D/internal.bin and D/external.bin (default: memory)")
                ->type_name("D");
            app.add_option("--image", o.image, "image in the primary slot of a new flash")->type_name("BIN");
            app.add_option("--key", o.key, "public key its bootloader trusts (default: the hash is enough)")
                ->type_name("PUB");
            app.add_option("--quirk", o.quirks,
                           "how it differs from our companion firmware; \"list\" names them; repeatable")
                ->type_name("NAME")
                ->allow_extra_args(false);
            app.add_option("--modem", o.modem,
                           "instead: a virtual modem that answers AT commands on a terminal named LINK")
                ->type_name("LINK");
            app.add_option("--imei", o.imei, "IMEI of that modem")->type_name("N");
            auto* pty = app.add_option("--pty", o.port.pty,
                                       "also an SMP server on a pseudo-terminal named LINK; alone without a --server")
                            ->type_name("LINK");
            app.add_option("--smp-udp", o.port.udp, "the same on UDP; port 0 takes a free one")
                ->type_name("ADDR:PORT")
                ->excludes(pty);
            app.add_option("--lifetime", o.lifetime, "registration lifetime in seconds")
                ->type_name("S")
                ->capture_default_str();
            app.add_flag("--once", o.once,
                         "end after the first reboot that was followed by a registration, once the server is quiet");
        },
        run);
}

}  // namespace fota::cli
