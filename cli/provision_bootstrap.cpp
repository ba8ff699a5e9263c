// fotactl provision bootstrap: an LwM2M bootstrap server that gives factory-fresh devices their server account.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <map>

#include "adapters/system_clock.hpp"
#include "adapters/udp_endpoint.hpp"
#include "base/text.hpp"
#include "cli/credentials_file.hpp"
#include "cli/diagnostics.hpp"
#include "cli/provision.hpp"
#include "provision/bootstrap.hpp"
#include "provision/naming.hpp"

namespace fota::cli {
namespace {

using provision::BootstrapEvent;

struct Options {
    std::string listen;
    std::string credentials;
    std::string bootstrap_credentials;
    std::string server;
    std::string identity_template = "{endpoint}";
    std::uint16_t short_id = 1;
    std::string lifetime = "1d";
    bool mint = false;
    unsigned count = 0;
};

void bind(CLI::App& app, Options& o) {
    app.add_option("--listen", o.listen, "ADDRESS:PORT to serve DTLS on; port 0 takes a free one")
        ->type_name("ADDR:PORT")
        ->required();
    app.add_option("--credentials", o.credentials, "JSON file of the keys that devices are given")
        ->type_name("F")
        ->required();
    app.add_option("--server", o.server, "the management server that devices are sent to")
        ->type_name("coaps://HOST:PORT")
        ->required();
    app.add_option("--bootstrap-credentials", o.bootstrap_credentials,
                   "JSON file of the keys that devices come with (default: those of --credentials)")
        ->type_name("F");
    app.add_flag("--mint", o.mint, "make keys for devices that --credentials does not have");
    app.add_option("--identity-template", o.identity_template, "DTLS identity of minted ones, made from {endpoint}")
        ->type_name("TEXT")
        ->capture_default_str();
    app.add_option("--short-id", o.short_id, "short server id, 1 to 65534")
        ->type_name("N")
        ->check(CLI::Range(1, 65534))
        ->capture_default_str();
    app.add_option("--lifetime", o.lifetime, "registration lifetime")->type_name("D")->capture_default_str();
    app.add_option("--count", o.count, "end after this many devices (default: at SIGINT or SIGTERM)")->type_name("N");
}

Failure misuse(std::string message, std::string hint) {
    return fail(Error(Errc::usage, std::move(message)).with("hint", std::move(hint)));
}

class Session {
  public:
    Session(Output& out, const Options& options) : out_(out), options_(options), clock_(io_.get_executor()) {}
    Result<> open();
    int run();

  private:
    Result<lwm2m::ServerAccount> account(const std::string& endpoint);
    void on_event(const BootstrapEvent& event);
    void result_of(const BootstrapEvent& event);

    Output& out_;
    const Options& options_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_, SIGINT, SIGTERM};
    adapters::SystemClock clock_;
    adapters::Credentials let_in_;
    std::chrono::seconds lifetime_{0};
    std::unique_ptr<adapters::UdpEndpoint> endpoint_;
    std::unique_ptr<provision::BootstrapServer> server_;
    std::map<std::string, bool> minted_;
    std::vector<nlohmann::json> devices_;
    std::vector<int> exits_;
};

Result<> Session::open() {
    if (!options_.server.starts_with("coaps://") || options_.server.size() < 10 || options_.server.size() > 255)
        return misuse(fmt::format("expected --server coaps://HOST:PORT, found \"{}\"", printable(options_.server)),
                      "devices are given a pre-shared key, which only coaps uses");
    TRY(const auto lifetime, parse_duration(options_.lifetime));
    lifetime_ = std::chrono::duration_cast<std::chrono::seconds>(lifetime);
    if (lifetime_.count() < 1 || lifetime_ > std::chrono::hours(24 * 365))
        return misuse(fmt::format("expected a lifetime of 1 s to 365 d, found {}", printable(options_.lifetime)),
                      "--lifetime 1d");
    TRY_VOID(
        let_in_.load(options_.bootstrap_credentials.empty() ? options_.credentials : options_.bootstrap_credentials));
    if (!options_.bootstrap_credentials.empty()) {
        TRY_VOID(CredentialsFile::open(options_.credentials));  // a bad file is known before the first device
    }
    provision::BootstrapConfig config;
    for (const auto& device : let_in_.devices()) config.identities[device.identity] = device.endpoint;
    config.account = [this](const std::string& endpoint) { return account(endpoint); };
    adapters::UdpEndpoint::Options network;
    network.listen = options_.listen;
    network.psk = [this](std::string_view identity) -> const Secret<Bytes>* {
        const auto* device = let_in_.find(identity);
        return device == nullptr ? nullptr : &device->key;
    };
    TRY(endpoint_, adapters::UdpEndpoint::open(io_.get_executor(), std::move(network)));
    server_ = std::make_unique<provision::BootstrapServer>(io_, *endpoint_, clock_, std::move(config));
    server_->on_event([this](const BootstrapEvent& event) { on_event(event); });
    return {};
}

Result<lwm2m::ServerAccount> Session::account(const std::string& endpoint) {
    // Read anew for each device: the file may have grown meanwhile.
    TRY(auto file, CredentialsFile::open(options_.credentials));
    const auto* device = file.find_endpoint(endpoint);
    if (device == nullptr) {
        if (!options_.mint)
            return fail(
                Error(Errc::credentials_unusable, fmt::format("expected {} in {}, found it is not there",
                                                              printable(endpoint), printable(options_.credentials)))
                    .with("endpoint", printable(endpoint)));
        TRY_VOID(check_endpoint_name(endpoint));
        TRY(const auto identity, provision::expand(options_.identity_template, {{"endpoint", endpoint}}));
        TRY(device, file.mint(endpoint, identity));
        TRY_VOID(file.save());
        minted_[endpoint] = true;
    }
    return lwm2m::ServerAccount{options_.server,   device->identity, device->key.clone(),
                                options_.short_id, lifetime_,        "U"};
}

void Session::on_event(const BootstrapEvent& event) {
    const auto name = printable(event.endpoint);
    switch (event.kind) {
        case BootstrapEvent::Kind::asked:
            out_.event("asked", {{"endpoint", name}, {"address", event.address}});
            out_.note(fmt::format("asked      {} from {}", name, event.address));
            return;
        case BootstrapEvent::Kind::step:
            out_.event("step", {{"endpoint", name}, {"step", event.step}});
            out_.note(fmt::format("step       {} · {}", name, event.step));
            return;
        case BootstrapEvent::Kind::refused:
            out_.event("refused", {{"endpoint", name}, {"address", event.address}, {"reason", event.error->text()}});
            out_.warn(fmt::format("refused    {} from {}: {}", name, event.address, event.error->text()));
            return;
        case BootstrapEvent::Kind::finished:
        case BootstrapEvent::Kind::failed:
            return result_of(event);
    }
}

void Session::result_of(const BootstrapEvent& event) {
    const auto name = printable(event.endpoint);
    const bool minted = minted_[event.endpoint];
    nlohmann::json fields{{"endpoint", name},
                          {"address", event.address},
                          {"outcome", event.error ? "failed" : "bootstrapped"},
                          {"minted", minted},
                          {"standing", event.standing}};
    if (event.error) fields["error"] = {{"code", errc_name(event.error->code())}, {"message", event.error->text()}};
    exits_.push_back(event.error ? exit_code(event.error->code()) : 0);
    fields["exit"] = exits_.back();
    out_.event("device-result", fields);
    if (event.error)
        out_.line(fmt::format("failed        {} · {}; {}", name, event.error->text(), event.standing));
    else
        out_.line(fmt::format("bootstrapped  {} · {} key", name, minted ? "minted" : "known"));
    devices_.push_back(std::move(fields));
    if (options_.count > 0 && devices_.size() >= options_.count) io_.stop();
}

int Session::run() {
    const auto address = endpoint_->local_address();
    const auto port = address.substr(address.rfind(':') + 1);
    out_.event("listening", {{"address", address}, {"port", std::stoi(port)}});
    out_.note(fmt::format("listen     coaps://{} · {} devices may come · server {}", address, let_in_.devices().size(),
                          printable(options_.server)));
    int signal = 0;
    signals_.async_wait([&](const boost::system::error_code& error, int number) {
        if (error) return;
        signal = number;
        io_.stop();
    });
    io_.run();
    const auto good = static_cast<std::size_t>(std::ranges::count(exits_, 0));
    nlohmann::json fields{{"devices", devices_}, {"done", good}, {"under_way", server_->active()}};
    if (signal != 0 && server_->active() > 0)
        out_.warn(fmt::format("warning    {} bootstraps were under way: those devices ask again", server_->active()));
    int exit = 0;
    if (good != exits_.size()) exit = good > 0 ? 11 : *std::ranges::min_element(exits_);
    return out_.result(exit == 0 ? "done" : "failed", std::move(fields), exit);
}

int run(Program& program, const Options& options) {
    Session session(program.out, options);
    if (auto opened = session.open(); !opened) return program.out.fail(opened.error());
    return session.run();
}

}  // namespace

void add_provision_bootstrap(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "bootstrap", "serve LwM2M bootstrap: give devices their server and its key",
                         bind, run);
}

}  // namespace fota::cli
