// Runs a coroutine to its end on real sockets: no fixed sleeps, only a generous deadline.
#pragma once

#include <gtest/gtest.h>
#include <openssl/rand.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "adapters/udp_endpoint.hpp"

namespace fota::adapters::test {

using boost::asio::awaitable;

struct Loop {
    boost::asio::io_context io;

    template <class T>
    T run(awaitable<T> task) {
        std::optional<T> result;
        std::exception_ptr failure;
        boost::asio::co_spawn(io, std::move(task), [&](std::exception_ptr error, T value) {
            failure = error;
            if (!error) result = std::move(value);
            io.stop();
        });
        io.restart();
        io.run_for(std::chrono::seconds(40));
        if (failure) std::rethrow_exception(failure);
        if (!result) throw std::runtime_error("the coroutine did not end in time");
        return std::move(*result);
    }
};

inline Secret<Bytes> random_key() {
    Bytes key(16);
    RAND_bytes(key.data(), static_cast<int>(key.size()));
    return Secret<Bytes>(std::move(key));
}

/// Keys by identity, as the server sees them.
struct Keys {
    std::map<std::string, Secret<Bytes>, std::less<>> keys;

    ports::Credentials add(std::string identity) {
        auto key = random_key();
        ports::Credentials credentials{identity, key.clone()};
        keys.insert_or_assign(std::move(identity), std::move(key));
        return credentials;
    }
    PskLookup lookup() const {
        return [this](std::string_view identity) -> const Secret<Bytes>* {
            const auto found = keys.find(identity);
            return found == keys.end() ? nullptr : &found->second;
        };
    }
};

/// Answers every request with 2.05 and "METHOD /path".
inline coap::Answer echo(const coap::Message& request) {
    coap::Answer answer;
    answer.message.code = coap::Code::content;
    const auto text = coap::code_text(request.code) + " " + request.path();
    answer.message.payload = to_bytes(as_bytes(text));
    return answer;
}

inline std::unique_ptr<UdpEndpoint> open_server(Loop& loop, const Keys* keys, DtlsServer::Limits limits = {}) {
    UdpEndpoint::Options options;
    options.listen = "127.0.0.1:0";
    if (keys != nullptr) options.psk = keys->lookup();
    options.dtls = limits;
    auto server = UdpEndpoint::open(loop.io.get_executor(), std::move(options));
    if (!server) throw std::runtime_error(server.error().text());
    (*server)->on_request([](const ports::Peer&, const coap::Message& request) { return echo(request); });
    return std::move(*server);
}

}  // namespace fota::adapters::test
