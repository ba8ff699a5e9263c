// A device that mostly does what it should, and otherwise what the bytes say; and what has to hold whatever it says.
// Shared by the programs that fuzz updates. Once the bytes are used up it is honest, so that every run ends.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <optional>
#include <string>

#include "coap/message_layer.hpp"
#include "update/decide.hpp"
#include "update/types.hpp"

namespace fota::test {

[[noreturn]] inline void broken(const char* what) {
    std::fprintf(stderr, "invariant: %s\n", what);
    std::abort();
}

class Bytestream {
  public:
    Bytestream(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    /// 0, which is an honest answer, once there are no more.
    std::uint8_t next() { return position_ < size_ ? data_[position_++] : 0; }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t position_ = 0;
};

/// What is to be installed. A body of a few blocks has a first, a middle and a last one, as one of thousands has.
struct SmallImage {
    Bytes bytes = Bytes(400, 0x5a);
    Bytes hash = Bytes(32, 0x11);
    update::Target target() const {
        update::Target out;
        out.image = bytes;
        out.hash = hash;
        out.end = bytes.size();
        out.version = {2, 0, 0, 0};
        return out;
    }
};

/// Policies of an update that ends within minutes of virtual time; `shape` chooses among them.
inline update::Policy shaped_policy(std::uint8_t shape) {
    using namespace std::chrono_literals;
    update::Policy policy;
    policy.wait = 5min;
    policy.stall = 1min;
    policy.return_deadline = 3min;
    if (shape % 4 == 1) policy.soak = 5min;
    if (shape % 8 == 3) policy.method = update::Method::pull;
    if (shape % 16 == 5) policy.package_uri = "http://files.example/app.bin";
    if (shape % 32 == 7) policy.expect_version = "odd";
    policy.block_size = shape >= 128 ? 64 : 128;
    return policy;
}

class LyingDevice {
  public:
    LyingDevice(Bytestream& bytes, const SmallImage& image) : bytes_(bytes), image_(image) {}

    /// Called when it is about to reboot.
    std::function<void()> on_reboot;

    /// What a registration lists, and the query that names its version; `form` chooses.
    static std::string links(std::uint8_t form) {
        std::string out = "</1/0>,</3/0>";
        if (form % 7 != 6) out += form % 11 == 3 ? ",</5>;ver=1.2,</5/0>" : ",</5/0>";
        if (form % 4 == 3) out += ",</33629/0>,</33629/1>";
        if (form % 4 == 2) out += ",</26245/0>";
        return out;
    }

    coap::Answer answer(const coap::Message& request) {
        return answer({request.code, request.path(), request.payload, request.block1()});
    }
    struct Request {
        coap::Code code;
        std::string path;
        BytesView payload;
        std::optional<coap::Block> block1;
    };
    coap::Answer answer(const Request& request) {
        using coap::Code;
        const auto lie = bytes_.next();
        if (lie >= 250) return {coap::Answer::Kind::silence, {}};
        if (lie >= 225) return error(lie);
        const bool honest = lie < 180;
        const auto path = request.path.starts_with("/33629/0/") ? "/5/0/" + request.path.substr(9) : request.path;
        if (request.code == Code::get) return read(path, honest);
        if (path == "/5/0/0" && request.code == Code::put) return block(request);
        if (path == "/5/0/1" && request.code == Code::put) {
            state_ = request.payload.empty() ? 0 : 1;
            fetches_ = 0;
            return reply(Code::changed);
        }
        if (path == "/5/0/2" && request.code == Code::post) {
            if (told_state_ != 2) broken("Execute was sent although State was not 2");
            if (state_ != 2) return reply(Code::method_not_allowed);
            install(honest);
            return reply(Code::changed);
        }
        if (path == "/3/0/4") reboot();
        return reply(Code::changed);
    }

    /// Success is only ever said of a device that said so itself.
    void judge(const update::Report& report, const update::Target& target, const update::Policy& policy) const {
        const bool success =
            report.outcome == update::Outcome::updated || report.outcome == update::Outcome::already_installed;
        if (!success) return;
        update::DeviceFacts told;
        told.version = told_version_;
        told.running_hash = told_hash_;
        if (update::what_runs(told, target, policy) == update::Running::target) return;
        // One that listed no object of ours when it was asked last was judged by its version alone.
        told.running_hash.reset();
        if (!report.proven_by_hash && update::what_runs(told, target, policy) == update::Running::target) return;
        broken("success without proof");
    }

  private:
    static coap::Answer reply(coap::Code code) {
        coap::Answer out;
        out.message.code = code;
        return out;
    }
    static coap::Answer content(const std::string& text) {
        auto out = reply(coap::Code::content);
        out.message.set_format(coap::Format::text);
        out.message.payload = to_bytes(as_bytes(text));
        return out;
    }
    coap::Answer error(std::uint8_t lie) {
        using coap::Code;
        static constexpr Code codes[] = {Code::service_unavailable,
                                         Code::not_found,
                                         Code::request_entity_incomplete,
                                         Code::internal_server_error,
                                         Code::method_not_allowed,
                                         Code::request_entity_too_large,
                                         Code::changed,
                                         Code::continue_,
                                         Code::content,
                                         Code::bad_request};
        auto out = reply(codes[bytes_.next() % std::size(codes)]);
        // An answer without a value tells nothing, whatever its code.
        if (out.message.code == Code::content) out.message.code = Code::not_found;
        if (lie % 2 == 0)
            out.message.set_block(coap::OptionNumber::block1,
                                  {bytes_.next() % 8u, lie % 4 == 0, static_cast<std::uint8_t>(lie % 7)});
        return out;
    }
    void reboot() {
        state_ = 0;
        if (on_reboot) on_reboot();
    }
    void install(bool well) {
        runs_target_ = well;
        result_ = well ? 1 : 8;
        reboot();
    }

    coap::Answer read(const std::string& path, bool honest) {
        using coap::Code;
        if (path == "/5/0/3") {
            // What it was told to fetch is there when it is asked for the third time.
            if (fetches_ && state_ == 1 && ++*fetches_ == 3) state_ = 2;
            told_state_ = honest ? state_ : bytes_.next() % 5;
            return content(std::to_string(*told_state_));
        }
        if (path == "/5/0/5") return content(std::to_string(honest ? result_ : bytes_.next() % 16));
        if (path == "/3/0/3" || path == "/5/0/15") {
            static constexpr const char* versions[] = {"1.0.0", "2.0.0", "2.0.0-7", "", "odd", "3.0.0", "v2.0.0+0"};
            const std::string version =
                honest ? (runs_target_ ? "2.0.0+0" : "1.0.0+0") : versions[bytes_.next() % std::size(versions)];
            // Where both are asked, the component's own version counts when it tells one.
            if (path == "/3/0/3" || !version.empty()) told_version_ = version;
            return content(version);
        }
        if (path == "/5/0/14") {
            automatic_ = bytes_.next() % 2 == 1;
            return content(automatic_ ? "1" : "0");
        }
        if (path == "/26245/0/7") {
            auto out = reply(Code::content);
            out.message.set_format(coap::Format::opaque);
            Bytes hash = runs_target_ ? image_.hash : Bytes(32, 0x22);
            if (!honest)
                hash =
                    bytes_.next() % 2 == 0 ? Bytes() : Bytes(32, static_cast<std::uint8_t>(0x10 + bytes_.next() % 3));
            told_hash_ = hash;
            out.message.payload = hash;
            return out;
        }
        if (path.starts_with("/26245/0/"))
            return honest ? reply(Code::not_found) : content(std::to_string(bytes_.next() * 16));
        return honest ? reply(Code::not_found) : content(std::string(bytes_.next() % 9, 'x'));
    }

    coap::Answer block(const Request& request) {
        using coap::Code;
        fetches_.reset();
        const auto at = request.block1.value_or(coap::Block{});
        if (request.payload.size() == 1 && !at.more && at.num == 0) {
            state_ = 0;
            return reply(Code::changed);
        }
        state_ = at.more ? 1 : 2;
        auto out = reply(at.more ? Code::continue_ : Code::changed);
        out.message.set_block(coap::OptionNumber::block1, at);
        if (!at.more && automatic_) install(true);
        return out;
    }

    Bytestream& bytes_;
    const SmallImage& image_;
    std::int64_t state_ = 0;
    std::int64_t result_ = 0;
    bool runs_target_ = false;
    bool automatic_ = false;
    std::optional<int> fetches_;  ///< it fetches by itself, and was asked for State so often meanwhile
    // What it told last; the engine knows nothing else.
    std::optional<std::int64_t> told_state_;
    std::string told_version_;
    std::optional<Bytes> told_hash_;
};

}  // namespace fota::test
