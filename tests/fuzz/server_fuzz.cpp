// The registration interface and the package source against random peers: Registers, Updates and DELETEs, whole and in
// blocks, over identities and in clear, sessions that end, and Block2 requests of any size. A model beside it says what
// each answer may be: nobody speaks for another's endpoint, an id is good until it is replaced or deleted, a body is
// what was sent, a package is served to its owner alone and as it is, and nothing grows.
#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/asio_options.hpp"
#include "fuzz/lying_device.hpp"
#include "server/lwm2m_server.hpp"
#include "support/virtual_clock.hpp"

using namespace fota;
using namespace fota::test;
using coap::Code;
using coap::OptionNumber;

namespace {

/// Hands requests in and keeps nothing; the server has nobody to speak to.
class Socket final : public ports::CoapEndpoint {
  public:
    boost::asio::awaitable<Result<coap::Reply>> exchange(ports::Peer, coap::Message, coap::Retry) override {
        co_return fail(Errc::timed_out, "nobody is there");
    }
    void on_request(RequestHandler handler) override { request = std::move(handler); }
    void on_notify(NotifyHandler) override {}
    void on_gone(GoneHandler handler) override { gone = std::move(handler); }
    boost::asio::awaitable<Result<ports::Peer>> connect(std::string, ports::Credentials) override {
        co_return fail(Errc::timed_out, "nobody is there");
    }
    void abandon(ports::SessionId) override {}
    void drop(const ports::Peer&) override {}
    const ports::EndpointStatistics& statistics() const override { return statistics_; }
    std::string local_address() const override { return "192.0.2.1:5684"; }

    RequestHandler request;
    GoneHandler gone;

  private:
    ports::EndpointStatistics statistics_;
};

constexpr std::size_t sessions = 6;
constexpr std::size_t names = 4;

class Run {
  public:
    explicit Run(Bytestream& bytes) : bytes_(bytes), secure_(bytes.next() % 4 != 0) {
        server::ServerConfig config;
        if (secure_)
            for (std::size_t i = 0; i < names; ++i) config.identities["id-" + std::to_string(i)] = name(i);
        server_ = std::make_unique<server::LwM2mServer>(io_, socket_, clock_, std::move(config));
        for (std::size_t i = 0; i < image_.size(); ++i) image_[i] = static_cast<std::uint8_t>(i * 7);
        for (std::size_t i = 0; i < sessions; ++i) open(i);
        auto offered = server_->device(name(0)).offer({image_, "", Bytes(16, 0xab)});
        offer_ = std::move(*offered);
    }
    ~Run() { offer_.reset(); }

    void go(std::size_t steps) {
        for (std::size_t i = 0; i < steps; ++i) {
            const auto what = bytes_.next();
            const auto who = bytes_.next() % sessions;
            if (what < 90) {
                register_one(who, bytes_.next(), bytes_.next());
            } else if (what < 180) {
                update_or_delete(who, what >= 160);
            } else if (what < 235) {
                fetch(who);
            } else if (what < 245) {
                socket_.gone(peers_[who]);
                open(who);
            } else {
                clock_.at(clock_.now() + std::chrono::seconds(bytes_.next()), [] {});
                clock_.run_until([] { return false; });
            }
            check_growth();
        }
    }

  private:
    static std::string name(std::size_t i) { return "device-" + std::to_string(i); }

    void open(std::size_t who) {
        const auto identity = secure_ ? "id-" + std::to_string(bytes_.next() % (names + 1)) : std::string();
        peers_[who] = {ports::SessionId{next_session_++},
                       "10.0.0." + std::to_string(bytes_.next() % 3) + ":" + std::to_string(1000 + who), identity,
                       secure_};
        std::erase_if(parts_, [&](const auto& each) { return each.first.first == who; });
    }
    bool may_speak(std::size_t who, const std::string& endpoint) const {
        return !secure_ ||
               (peers_[who].identity.starts_with("id-") && endpoint == "device-" + peers_[who].identity.substr(3) &&
                peers_[who].identity != "id-" + std::to_string(names));
    }

    /// Adds a body, whole or as one part of a transfer. What the server must have assembled when it takes this part for
    /// the last: nullopt when it must not.
    std::optional<Bytes> put_body(std::size_t who, coap::Message& request, std::uint8_t form) {
        // Two links in sixteen bytes, so that parts fit together.
        static constexpr std::string_view list = "</1/0>,</123/0>,</1/0>,</123/0>,,";
        if (form % 3 != 0) {
            const auto count = form % 5;
            for (int i = 0; i < count; ++i) append(request.payload, as_bytes("</3/0>,"));
            return request.payload;
        }
        const std::pair key{who, request.path()};
        const auto known = parts_.find(key);
        const auto next = known == parts_.end() ? 0 : known->second.next;
        const auto lie = bytes_.next();
        const std::uint8_t szx = lie >= 240 ? lie % 8 : 0;
        const auto num = lie >= 200 ? lie % 4u : next;
        const bool more = lie % 3 != 0;
        const std::size_t size = lie >= 230 ? lie % 33 : more ? 16 : 7;
        request.payload = to_bytes(as_bytes(list.substr(0, size)));
        request.add_uint(OptionNumber::block1, num << 4 | (more ? 8u : 0u) | szx);
        if (lie == 255) {
            request.add_uint(OptionNumber::block1, 0);
            return std::nullopt;  // refused before anyone looks at the body
        }
        if (known != parts_.end() && known->second.last + std::chrono::seconds(247) <= clock_.now())
            parts_.erase(known);
        const bool begun = parts_.contains(key);
        const std::size_t whole = std::size_t{16} << szx;
        if (szx == 7 || (more && size != whole)) {
            parts_.erase(key);
            return std::nullopt;
        }
        if (num != 0 && !begun) return std::nullopt;
        auto& part = parts_[key];
        part.last = clock_.now();
        if (num == 0) part.body.clear();
        if (num * whole != part.body.size()) return std::nullopt;  // a copy, or a gap
        append(part.body, request.payload);
        part.next = num + 1;
        if (more) return std::nullopt;
        auto body = std::move(part.body);
        parts_.erase(key);
        return body;
    }

    void register_one(std::size_t who, std::uint8_t form, std::uint8_t which) {
        auto request = coap::make_request(Code::post, "/rd");
        const auto endpoint = name(which % names);
        request.add(OptionNumber::uri_query, "ep=" + endpoint);
        if (form % 7 == 1) request.add(OptionNumber::uri_query, "lwm2m=1.1");
        if (form % 7 == 2) request.add(OptionNumber::uri_query, "lwm2m=9");
        if (form % 7 == 3) request.add(OptionNumber::uri_query, "lt=x");
        const bool strange = form % 13 == 4;
        if (strange) request.options.push_back({9, Bytes{1}});
        const auto body = strange ? std::nullopt : put_body(who, request, form);
        const auto answer = socket_.request(peers_[who], request).message;
        if (answer.code != Code::created) return;
        if (form % 7 == 2 || form % 7 == 3 || strange) broken("a bad Register was taken");
        if (!may_speak(who, endpoint)) broken("someone registered another's endpoint");
        if (!body) broken("a Register was taken before it was whole");
        const auto location = answer.texts(OptionNumber::location_path);
        if (location.size() != 2 || location[0] != "rd" || ids_.contains(location[1])) broken("a bad location");
        std::erase_if(ids_, [&](const auto& each) { return each.second == endpoint; });
        ids_[location[1]] = endpoint;
        seen_.push_back(location[1]);
        const auto* known = server_->device(endpoint).registration();
        if (known == nullptr || known->session != peers_[who].session.value) broken("registered somewhere else");
        if (known->parameters.objects.size() != objects_in(*body)) broken("another body than was sent");
    }
    static std::size_t objects_in(BytesView body) {
        std::size_t count = 0;
        for (const auto byte : body) count += byte == '<';
        return count;
    }

    void update_or_delete(std::size_t who, bool ends) {
        if (seen_.empty()) return;
        const auto id = seen_[bytes_.next() % seen_.size()];
        auto request = coap::make_request(ends ? Code::del : Code::post, "/rd/" + id);
        const auto known = ids_.find(id);
        std::optional<Bytes> body = Bytes();
        const bool mine = known != ids_.end() && may_speak(who, known->second);
        const auto form = bytes_.next();
        // A part for an id that is not the sender's never gets as far as the bodies.
        if (!ends && mine && form % 2 == 0) body = put_body(who, request, form);
        const auto code = socket_.request(peers_[who], request).message.code;
        if (known == ids_.end() && code != Code::not_found) broken("an id was good after its end");
        if (known != ids_.end() && !mine && code != Code::forbidden) broken("someone spoke for another's registration");
        if (code == Code::changed && !body) broken("an Update was taken before it was whole");
        if (ends && mine) {
            if (code != Code::deleted) broken("a DELETE was refused");
            ids_.erase(known);
        }
    }

    void fetch(std::size_t who) {
        const auto lie = bytes_.next();
        auto request = coap::make_request(
            lie >= 250 ? Code::put : Code::get,
            "/fw/" + (lie % 8 == 7 ? std::string(32, 'c') : std::string("abababababababababababababababab")));
        const auto at = bytes_.next();
        if (lie % 4 != 0) request.add_uint(OptionNumber::block2, static_cast<std::uint32_t>(at) << 4 | (lie / 8 % 8u));
        const auto answer = socket_.request(peers_[who], request).message;
        if (answer.code != Code::content) return;
        if (lie >= 250 || lie % 8 == 7) broken("something else was served");
        if (!may_speak(who, name(0))) broken("a package was served to another");
        const auto block = answer.block2().value();
        const auto offset = static_cast<std::size_t>(block.offset());
        if (offset + answer.payload.size() > image_.size() || answer.payload.size() > block.size() ||
            !std::equal(answer.payload.begin(), answer.payload.end(), image_.begin() + static_cast<long>(offset)))
            broken("a block is not what is offered");
        if (block.more != (offset + answer.payload.size() < image_.size())) broken("the end is somewhere else");
    }

    void check_growth() const {
        const auto held = server_->held();
        if (held.registrations != ids_.size() || held.devices > names || held.sessions > sessions) broken("it grows");
        if (held.bodies > parts_.size()) broken("bodies grow");
    }

    struct Part {
        Bytes body;
        std::uint32_t next = 0;
        Instant last{};
    };

    Bytestream& bytes_;
    bool secure_;
    boost::asio::io_context io_;
    VirtualClock clock_{io_};
    Socket socket_;
    Bytes image_ = Bytes(700);
    std::unique_ptr<server::LwM2mServer> server_;
    std::unique_ptr<ports::Offer> offer_;
    std::array<ports::Peer, sessions> peers_;
    std::uint64_t next_session_ = 1;
    std::map<std::string, std::string> ids_;  ///< that are good, and whose they are
    std::vector<std::string> seen_;
    std::map<std::pair<std::size_t, std::string>, Part> parts_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytestream bytes(data, size);
    Run(bytes).go(std::min<std::size_t>(size / 2, 64));
    return 0;
}
