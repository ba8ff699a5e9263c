// A device as small as it can be and still be updated: it registers, sleeps, takes a package by Block1 into nothing (or
// into memory), reboots and reports the new version. For campaigns over more devices than there is room for boards, and
// where the time that a board takes to write its flash is not what is measured.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "coap/message.hpp"
#include "ports/clock.hpp"
#include "ports/coap_endpoint.hpp"

namespace fota::test {

class LightDevice {
  public:
    struct Config {
        std::string endpoint;
        std::string server = "server";
        std::string identity;
        Bytes key;
        std::chrono::seconds lifetime{86'400};
        Milliseconds awake{10'000};
        Milliseconds retry_pause{3'600'000};
        std::string old_version = "1.0.0";
        std::string new_version = "2.0.0";
        bool keeps_package = false;
    };

    LightDevice(ports::CoapEndpoint& end, ports::Clock& clock, Config config)
        : end_(end), clock_(clock), config_(std::move(config)), version_(config_.old_version) {
        end_.on_request([this](const ports::Peer&, const coap::Message& request) { return answer(request); });
    }

    boost::asio::awaitable<void> run(Instant first) {
        co_await clock_.sleep_until(first);
        while (!stopped_) {
            ports::Credentials credentials{config_.identity, Secret<Bytes>(Bytes(config_.key))};
            auto connecting = end_.connect(config_.server, std::move(credentials));
            auto connected = co_await std::move(connecting);
            bool lived = false;
            if (connected) {
                const auto peer = *connected;
                lived = co_await session(peer);
                end_.drop(peer);
            }
            // A reboot and a server that forgot it are followed at once; one that is silent is slept on.
            const auto again = clock_.now() + (lived ? Milliseconds(500) : config_.retry_pause);
            co_await pause_until(again);
        }
    }
    void stop() { stopped_ = true; }

  private:
    /// Whether it ended with a reason to come back at once.
    boost::asio::awaitable<bool> session(ports::Peer peer) {
        rebooting_.reset();
        auto request = coap::make_request(coap::Code::post, "/rd");
        for (const auto& query : {"ep=" + config_.endpoint, "lt=" + std::to_string(config_.lifetime.count()),
                                  std::string("lwm2m=1.1"), std::string("b=U"), std::string("Q")})
            request.add(coap::OptionNumber::uri_query, query);
        request.set_format(coap::Format::link);
        request.payload = to_bytes(as_bytes("</1/0>,</3/0>,</5/0>"));
        const auto registered = co_await exchange(peer, std::move(request));
        if (!registered || registered->message.code != coap::Code::created) co_return false;
        std::string location;
        for (const auto& part : registered->message.texts(coap::OptionNumber::location_path)) location += "/" + part;
        while (!stopped_) {
            const auto next = clock_.now() + config_.lifetime - std::chrono::seconds(10);
            while (!stopped_ && !rebooting_ && clock_.now() < next) {
                // Asleep nothing can happen to it: it looks again when it wakes. Awake it may be told to reboot.
                const bool asleep = clock_.now() - last_traffic_ > config_.awake;
                const auto look = asleep ? next : std::min(next, clock_.now() + Milliseconds(1'000));
                co_await pause_until(look);
            }
            if (stopped_) co_return false;
            if (rebooting_) {
                version_ = config_.new_version;
                state_ = 0;
                co_return true;
            }
            auto update = coap::make_request(coap::Code::post, location);
            const auto updated = co_await exchange(peer, std::move(update));
            if (!updated || updated->message.code != coap::Code::changed) co_return true;
        }
        co_return false;
    }

    boost::asio::awaitable<Result<coap::Reply>> exchange(ports::Peer peer, coap::Message message) {
        last_traffic_ = clock_.now();
        auto reply = co_await end_.exchange(std::move(peer), std::move(message), coap::Retry{});
        last_traffic_ = clock_.now();
        co_return reply;
    }
    /// In steps, so that a test can end it.
    boost::asio::awaitable<void> pause_until(Instant when) {
        while (!stopped_ && clock_.now() < when) {
            const auto step = std::min(when, clock_.now() + Milliseconds(6 * 3'600'000));
            co_await clock_.sleep_until(step);
        }
    }

    static coap::Answer reply(coap::Code code, const std::string& text = "") {
        coap::Answer out;
        out.message.code = code;
        if (code != coap::Code::content) return out;
        out.message.set_format(coap::Format::text);
        out.message.payload = to_bytes(as_bytes(text));
        return out;
    }
    coap::Answer answer(const coap::Message& request) {
        if (stopped_ || rebooting_ || clock_.now() - last_traffic_ > config_.awake)
            return {coap::Answer::Kind::silence, {}};
        last_traffic_ = clock_.now();
        const auto path = request.path();
        using coap::Code;
        if (request.code == Code::get) {
            if (path == "/3/0/3") return reply(Code::content, version_);
            if (path == "/5/0/3") return reply(Code::content, std::to_string(state_));
            if (path == "/5/0/5") return reply(Code::content, version_ == config_.new_version ? "1" : "0");
            if (path == "/5/0/9") return reply(Code::content, "1");
            return reply(Code::not_found);
        }
        if (path == "/5/0/1") {
            state_ = 0;
            return reply(Code::changed);
        }
        if (path == "/5/0/0") {
            const auto block = request.block1().value_or(coap::Block{});
            if (block.num != 0 && block.offset() > received_) return reply(Code::request_entity_incomplete);
            if (config_.keeps_package) {
                package_.resize(block.offset());
                append(package_, request.payload);
            }
            received_ = block.offset() + request.payload.size();
            state_ = block.more ? 1 : 2;
            auto out = reply(block.more ? Code::continue_ : Code::changed);
            out.message.set_block(coap::OptionNumber::block1, block);
            return out;
        }
        if (path == "/5/0/2" && state_ == 2) {
            state_ = 3;
            rebooting_ = clock_.now();
            return reply(Code::changed);
        }
        return reply(Code::method_not_allowed);
    }

    ports::CoapEndpoint& end_;
    ports::Clock& clock_;
    Config config_;
    std::string version_;
    int state_ = 0;
    std::uint64_t received_ = 0;
    Bytes package_;
    std::optional<Instant> rebooting_;
    Instant last_traffic_{};
    bool stopped_ = false;
};

}  // namespace fota::test
