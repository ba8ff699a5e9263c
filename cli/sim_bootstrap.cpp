#include "cli/sim_bootstrap.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <chrono>
#include <csignal>

#include "virtdev/bootstrap_client.hpp"

namespace fota::cli {
namespace {

using namespace std::chrono_literals;

boost::asio::awaitable<Result<SimAccount>> ask(ports::CoapEndpoint& endpoint, ports::Clock& clock,
                                               const std::string& name, const std::string& server,
                                               const ports::Credentials& credentials) {
    for (;;) {
        virtdev::BootstrapClientConfig config;
        config.endpoint = name;
        config.server = server;
        config.credentials = {credentials.identity, credentials.key.clone()};
        config.retry = {.ack_timeout = 1s, .max_retransmit = 2};
        virtdev::BootstrapClient client(endpoint, clock, std::move(config));
        auto done = co_await client.run();
        if (done) {
            for (const auto& [instance, resources] : client.outcome().security) {
                if (!resources.contains(0)) continue;
                SimAccount account;
                account.server = std::string(as_text(resources.at(0)));
                account.credentials.identity = std::string(as_text(resources.at(3)));
                account.credentials.key = Secret<Bytes>(resources.at(5));
                co_return account;
            }
            co_return fail(Errc::not_proven, "expected a server account after the bootstrap, found none");
        }
        if (done.error().code() == Errc::cancelled) co_return fail(std::move(done.error()));
        const auto awake = co_await clock.sleep_until(clock.now() + 1s);
        if (!awake) co_return fail(Errc::cancelled, "the bootstrap was cancelled");
    }
}

}  // namespace

Result<SimAccount> sim_bootstrap(boost::asio::io_context& io, ports::CoapEndpoint& endpoint, ports::Clock& clock,
                                 const std::string& name, const std::string& server,
                                 const ports::Credentials& credentials) {
    boost::asio::cancellation_signal stop;
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (!error) stop.emit(boost::asio::cancellation_type::terminal);
    });
    Result<SimAccount> account = fail(Errc::cancelled, "the bootstrap was cancelled");
    boost::asio::co_spawn(
        io, ask(endpoint, clock, name, server, credentials),
        boost::asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr failure, Result<SimAccount> result) {
            signals.cancel();
            io.stop();
            if (!failure) account = std::move(result);
        }));
    io.run();
    io.restart();
    return account;
}

}  // namespace fota::cli
