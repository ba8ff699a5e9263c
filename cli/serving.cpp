#include "cli/serving.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>

#include "base/text.hpp"
#include "base/unpredictable.hpp"
#include "ports/peer_identity.hpp"
#include "update/device_record.hpp"

namespace fota::cli {
namespace {

/// Anjay says nothing at all for 300 s after the last block of a push that was broken off; then, and with every client
/// over DTLS, what it sends in the session that ended with our process goes unanswered until it gives up, 93 s later
/// (RFC 7252, MAX_TRANSMIT_WAIT).
constexpr Milliseconds silence_after_a_break{400'000};

Result<std::unique_ptr<adapters::UdpEndpoint>> listen(boost::asio::io_context& io, const ListenJob& job) {
    adapters::UdpEndpoint::Options options;
    options.listen = job.listen;
    options.certificate = job.certificate;
    if (!job.plain)
        options.psk = [&job](std::string_view identity) -> const Secret<Bytes>* {
            const auto* device = job.credentials.find(identity);
            return device == nullptr ? nullptr : &device->key;
        };
    return adapters::UdpEndpoint::open(io.get_executor(), std::move(options));
}

}  // namespace

Result<std::unique_ptr<Serving>> Serving::open(const ListenJob& job) {
    std::unique_ptr<Serving> self(new Serving(job));
    TRY_VOID(adapters::create_state_directory(job.state_dir));
    TRY(auto lock, adapters::StateLock::acquire(job.state_dir));
    self->lock_ = std::move(lock);
    TRY(self->store_, adapters::SqliteStore::open(job.state_dir));
    return self;
}

Result<> Serving::start(boost::asio::io_context& io, ports::Clock& clock, Output& out) {
    server::ServerConfig config;
    config.profile = job_.profile;
    config.seed = seed_of_system();
    if (!job_.plain)
        for (const auto& device : job_.credentials.devices()) config.identities[device.identity] = device.endpoint;
    TRY(endpoint_, listen(io, job_));
    server_ = std::make_unique<server::LwM2mServer>(io, *endpoint_, clock, std::move(config));
    const auto address = endpoint_->local_address();
    const auto colon = address.rfind(':');
    int port = 0;
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
    out.event("listening", {{"address", address.substr(0, colon)}, {"port", port}});
    out.note(fmt::format("listen   {}://{}", job_.plain ? "coap" : "coaps", address));
    return {};
}

std::string Serving::what_arrived() const {
    const auto& statistics = endpoint_->statistics();
    const auto address = endpoint_->local_address();
    auto out = fmt::format("{} datagram{} on {}", statistics.datagrams, statistics.datagrams == 1 ? "" : "s",
                           address.substr(address.rfind(':') + 1));
    for (const auto& [reason, count] : statistics.refused) out += fmt::format(", {} × {}", count, reason);
    return out;
}

std::optional<std::string> Serving::refusal_of(const std::string& endpoint) const {
    if (const auto reason = server_->refusal(endpoint); !reason.empty()) return reason;
    const auto& refused = endpoint_->statistics().refused_identities;
    if (const auto it = refused.find(ports::certificate_identity(endpoint)); it != refused.end()) return it->second;
    for (const auto& device : job_.credentials.devices()) {
        if (device.endpoint != endpoint) continue;
        if (const auto it = refused.find(device.identity); it != refused.end()) return it->second;
    }
    return std::nullopt;
}

Error Serving::absence(const std::string& endpoint, const Error& absent) const {
    if (const auto reason = refusal_of(endpoint))
        return Error(Errc::authentication_failed,
                     fmt::format("expected {} to register, its handshake or identity was refused: {}",
                                 printable(endpoint), *reason));
    Error out(absent.code(), fmt::format("{} ({})", absent.text(), what_arrived()));
    const bool unmet = server_->device(endpoint).registration() == nullptr;
    return unmet && endpoint_->statistics().datagrams > 0 ? std::move(out).with("heard", "yes") : out;
}

Result<Serving::Patience> Serving::default_wait(const std::string& endpoint) {
    TRY(const auto facts, store_->facts(endpoint));
    const auto known = update::device_record(endpoint, facts);
    const bool unfinished = !known.step.empty();
    if (known.lifetime) {
        const auto usual = to_ms(*known.lifetime) * 11 / 10;
        return Patience{unfinished ? usual + silence_after_a_break : usual, unfinished};
    }
    if (isatty(STDERR_FILENO) == 1) return Patience{std::nullopt, unfinished};
    return fail(
        Error(Errc::usage, fmt::format("expected --wait, for {} was never seen and nobody watches this terminal",
                                       printable(endpoint)))
            .with("hint", "say how long to wait for the device: --wait 2h"));
}

void Serving::remember(const std::string& endpoint) {
    const auto* registration = server_->device(endpoint).registration();
    if (registration == nullptr) return;
    ports::Fact fact;
    fact.kind = update::registered_fact;
    fact.subject = endpoint;
    fact.fields["lifetime"] = std::to_string(registration->parameters.lifetime.count());
    // Only a convenience for the next run's default; an intent that cannot be written is reported where it matters.
    (void)store_->replace(std::move(fact), ports::Durability::relaxed);
}

}  // namespace fota::cli
