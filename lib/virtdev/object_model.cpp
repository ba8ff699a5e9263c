#include "virtdev/object_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "lwm2m/value.hpp"

namespace fota::virtdev {
namespace {

using coap::Code;
using coap::Format;
using lwm2m::Path;

constexpr std::size_t most_observations = 16;

constexpr std::uint32_t number_of(Format format) {
    return static_cast<std::uint32_t>(format);
}

/// TLV integers take 1, 2, 4 or 8 bytes, big endian (OMA LwM2M TS 1.1, appendix C).
Bytes tlv_integer(std::int64_t value) {
    std::size_t size = 8;
    if (value >= -0x80 && value <= 0x7f)
        size = 1;
    else if (value >= -0x8000 && value <= 0x7fff)
        size = 2;
    else if (value >= std::numeric_limits<std::int32_t>::min() && value <= std::numeric_limits<std::int32_t>::max())
        size = 4;
    Bytes out;
    for (auto i = size; i-- > 0;)
        out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i)));
    return out;
}

std::optional<std::int64_t> parse_integer(BytesView bytes) {
    const auto text = as_text(bytes);
    std::int64_t value = 0;
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

std::optional<std::int64_t> written_integer(const Path& path, const coap::Message& request) {
    if (request.format() == number_of(Format::tlv)) {
        const auto value = lwm2m::integer_value(path, request.format(), request.payload);
        return value ? std::optional(*value) : std::nullopt;
    }
    return parse_integer(request.payload);
}

}  // namespace

ObjectModel::ObjectModel(Board& board, QuirkSet quirks, std::chrono::seconds lifetime)
    : board_(board), quirks_(quirks), lifetime_(lifetime), firmware_(board, quirks), modem_(quirks) {}

void ObjectModel::after_boot(const BootResult& boot) {
    observations_.clear();
    unfinished_read_.clear();
    firmware_.after_boot(boot);
    modem_.after_boot();
}

std::string ObjectModel::firmware_version() const {
    if (!board_.running()) return "";
    if (quirks_.has(Quirk::version_fixed)) return "1.0.0+0";
    const auto& version = board_.running()->header.version;
    if (quirks_.has(Quirk::version_odd)) return fmt::format("release {}/{}", version.major, version.minor);
    auto text = version_text(version);
    if (quirks_.has(Quirk::version_dash)) std::replace(text.begin(), text.end(), '+', '-');
    return text;
}

std::string ObjectModel::links() const {
    const std::string root = quirks_.has(Quirk::alternate_root) ? "/lwm2m" : "";
    std::string out = quirks_.has(Quirk::lwm2m_1_0) ? "" : "</>;ct=11542,";
    if (!root.empty()) out = fmt::format("<{}>;rt=\"oma.lwm2m\";ct=11542,", root);
    std::vector<std::string> paths{"/1/0>", "/3/0>"};
    if (quirks_.has(Quirk::advanced_object)) {
        paths.insert(paths.end(), {"/33629/0>", "/33629/1>"});
    } else {
        if (upgrades_itself(quirks_)) {
            paths.emplace_back("/5>;ver=1.2");
        } else if (quirks_.has(Quirk::firmware_1_1)) {
            paths.emplace_back("/5>;ver=1.1");
        }
        paths.emplace_back("/5/0>");
    }
    if (!quirks_.has(Quirk::no_external_flash_object)) paths.emplace_back("/26245/0>");
    for (const auto& path : paths)
        out += fmt::format("{}<{}{}", out.empty() || out.ends_with(',') ? "" : ",", root, path);
    return out;
}

std::vector<std::uint16_t> ObjectModel::resources(std::uint16_t object) const {
    switch (object) {
        case 1:
            return {0, 1, 6, 7, 8};
        case 3:
            if (quirks_.has(Quirk::weak_condition)) return {0, 1, 2, 3, 4, 9, 10, 11, 16};
            return {0, 1, 2, 3, 4, 11, 16};
        case 5:
            if (upgrades_itself(quirks_)) return {0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 13, 14};
            if (quirks_.has(Quirk::firmware_1_1)) return {0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 13};
            return {0, 1, 2, 3, 5, 6, 7, 8, 9};
        case 26245:
            if (quirks_.has(Quirk::no_external_flash_object)) return {};
            if (quirks_.has(Quirk::upgradable_bootloader)) return {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
            return {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        default:
            return {};
    }
}

ObjectModel::Access ObjectModel::access(const Path& path) const {
    if (path.instance != 0 || !path.resource || path.resource_instance) return Access::absent;
    const auto known = resources(path.object);
    if (std::find(known.begin(), known.end(), *path.resource) == known.end()) return Access::absent;
    if (path == lwm2m::resource(1, 0, 1) || path == lwm2m::firmware::package_uri ||
        path == lwm2m::external_flash::start_offset)
        return Access::read_write;
    if (path == lwm2m::FirmwareObject{}.severity() || path == lwm2m::FirmwareObject{}.max_defer())
        return Access::read_write;
    if (path == lwm2m::firmware::package) return Access::write;
    if (path == lwm2m::resource(1, 0, 8) || path == lwm2m::device::reboot || path == lwm2m::firmware::update ||
        path == lwm2m::FirmwareObject{}.cancel())
        return Access::execute;
    return Access::read;
}

ObjectModel::Value ObjectModel::value(const Path& path) const {
    using Kind = Value::Kind;
    const auto text = [](std::string_view s) { return Value{Kind::text, 0, to_bytes(as_bytes(s))}; };
    const auto integer = [](std::int64_t n) { return Value{Kind::integer, n, {}}; };
    const auto opaque = [](BytesView b) { return Value{Kind::opaque, 0, to_bytes(b)}; };
    const auto resource = *path.resource;
    switch (path.object) {
        case 1:
            if (resource == 1) return integer(lifetime_.count());
            if (resource == 6) return integer(1);
            if (resource == 7) return text("U");
            return integer(1);  // short server id
        case 3:
            if (resource == 0) return text("fotactl");
            if (resource == 1) return text("nrf9160dk");
            if (resource == 2) return text("virtual");
            if (resource == 3) return text(firmware_version());
            if (resource == 9) return integer(7);
            if (resource == 10) return integer(12);
            if (resource == 11)  // error codes: none, or a low battery
                return {Kind::integers, 0, quirks_.has(Quirk::weak_condition) ? Bytes{1} : Bytes{}};
            return text("U");
        case 5:
            if (resource == 1) return text(firmware_.package_uri());
            if (resource == 3) return integer(static_cast<std::int64_t>(firmware_.state()));
            if (resource == 5) return integer(static_cast<std::int64_t>(firmware_.result()));
            if (resource == 6) return text(firmware_.package_version().empty() ? "" : "application");
            if (resource == 7) return text(firmware_.package_version());
            if (resource == 8)  // CoAP, and CoAP over DTLS
                return {Kind::integers, 0, quirks_.has(Quirk::pull_coap_only) ? Bytes{0} : Bytes{0, 1}};
            if (resource == 11) return integer(severity_);
            if (resource == 13) return integer(max_defer_);
            if (resource == 14) return integer(1);  // automatic upgrade
            return integer(quirks_.has(Quirk::pull_only) ? 0 : quirks_.has(Quirk::push_only) ? 1 : 2);
        default:
            break;
    }
    const auto& flash = board_.external();
    const auto& package = board_.package();
    const auto& config = board_.bootloader().config();
    switch (resource) {
        case 0:
            return opaque(flash.part().jedec_id);
        case 1:
            return integer(flash.size());
        case 2:
            return integer(flash.part().erase_types.front().size);
        case 3:
            return opaque(flash.part().bfp);
        case 4:
            return integer(config.primary_size);
        case 5:
            return integer(config.secondary_size);
        case 6:
            return text(swap_mode_name(config.mode));
        case 7:
            return opaque(board_.running() ? BytesView(board_.running()->hash) : BytesView());
        case 8:
            return opaque(package.digest());
        case 9:
            return integer(package.stored());
        case 11:
            return integer(firmware_.bootloader_version());
        case 12:
            return integer(firmware_.bootloader_slot());
        default:
            return integer(firmware_.start_offset());
    }
}

coap::Message ObjectModel::content(const Path& path, std::optional<std::uint32_t> accept) const {
    const auto v = value(path);
    coap::Message message;
    message.code = Code::content;
    const bool several = v.kind == Value::Kind::integers;
    const auto plain = v.kind == Value::Kind::opaque ? Format::opaque : Format::text;
    // Zephyr's text writer has no opaque values; a multiple resource has no text form at all (OMA LwM2M TS 1.1, 7.4.1).
    if (accept == number_of(plain) && !several && !quirks_.has(Quirk::no_accept)) {
        message.set_format(plain);
        message.payload = v.kind == Value::Kind::integer ? to_bytes(as_bytes(std::to_string(v.number))) : v.bytes;
        return message;
    }
    if (!accept || accept == number_of(Format::tlv) || quirks_.has(Quirk::no_accept)) {
        message.set_format(Format::tlv);
        message.payload =
            lwm2m::tlv_resource(*path.resource, v.kind == Value::Kind::integer ? tlv_integer(v.number) : v.bytes);
        if (several) {
            Bytes instances;
            for (std::size_t i = 0; i < v.bytes.size(); ++i)
                append(instances, Bytes{0x41, static_cast<std::uint8_t>(i), v.bytes[i]});
            message.payload = lwm2m::tlv_resource(*path.resource, instances);
            message.payload[0] = static_cast<std::uint8_t>((message.payload[0] & 0x3f) | 0x80);
        }
        return message;
    }
    message.code = Code::not_acceptable;
    return message;
}

Reaction ObjectModel::read(const Path& path, const coap::Message& request) {
    Reaction reaction;
    reaction.answer.message = content(path, request.uint_option(coap::OptionNumber::accept));
    const auto observe = request.uint_option(coap::OptionNumber::observe);
    if (!observe || reaction.answer.message.code != Code::content) return reaction;
    if (*observe == 1) {
        observations_.erase(request.token);
    } else if (*observe == 0 && (observations_.size() < most_observations || observations_.contains(request.token))) {
        observations_[request.token] = {path, 0, reaction.answer.message};
        reaction.answer.message.add_uint(coap::OptionNumber::observe, 0);
    }
    return reaction;
}

std::vector<coap::Message> ObjectModel::notifications() {
    std::vector<coap::Message> out;
    for (auto& [token, observation] : observations_) {
        auto message = content(observation.path, observation.last.format());
        if (message.payload == observation.last.payload) continue;
        observation.last = message;
        message.token = token;
        message.add_uint(coap::OptionNumber::observe, ++observation.sequence);
        out.push_back(std::move(message));
    }
    return out;
}

Reaction ObjectModel::read_instance(const Path& path, const coap::Message& request) const {
    const auto accept = request.uint_option(coap::OptionNumber::accept);
    if (accept && accept != number_of(Format::tlv)) return Reaction::reply(Code::not_acceptable);
    auto reaction = Reaction::reply(Code::content);
    auto& message = reaction.answer.message;
    message.set_format(Format::tlv);
    for (const auto resource : resources(path.object)) {
        const auto one = lwm2m::resource(path.object, *path.instance, resource);
        const auto kind = access(one);
        if (kind != Access::read && kind != Access::read_write) continue;
        append(message.payload, content(one, number_of(Format::tlv)).payload);
    }
    return reaction;
}

Reaction ObjectModel::discover(const Path& path) const {
    auto reaction = Reaction::reply(Code::content);
    auto& message = reaction.answer.message;
    message.set_format(Format::link);
    std::string text =
        path.instance ? fmt::format("</{}/0>", path.object) : fmt::format("</{0}>,</{0}/0>", path.object);
    for (const auto resource : resources(path.object)) text += fmt::format(",</{}/0/{}>", path.object, resource);
    message.payload = to_bytes(as_bytes(text));
    return reaction;
}

Reaction ObjectModel::write(const Path& path, const coap::Message& request) {
    if (path == lwm2m::firmware::package) return firmware_.write_package(request);
    if (path == lwm2m::firmware::package_uri) {
        if (request.format() && request.format() != number_of(Format::text))
            return Reaction::reply(Code::unsupported_content_format);
        return firmware_.write_uri(request.payload);
    }
    const auto number = written_integer(path, request);
    if (!number) return Reaction::reply(Code::bad_request);
    if (path == lwm2m::external_flash::start_offset) return firmware_.write_start_offset(*number);
    if (*number < 0 || *number > std::numeric_limits<std::int32_t>::max()) return Reaction::reply(Code::bad_request);
    if (path == lwm2m::FirmwareObject{}.severity()) {
        if (*number > 2) return Reaction::reply(Code::bad_request);
        severity_ = *number;
        return Reaction::reply(Code::changed);
    }
    if (path == lwm2m::FirmwareObject{}.max_defer()) {
        max_defer_ = *number;
        firmware_.limit_deferral(max_defer_);
        return Reaction::reply(Code::changed);
    }
    lifetime_ = std::chrono::seconds(*number);
    auto reaction = Reaction::reply(Code::changed);
    reaction.afterwards = Afterwards::update;
    return reaction;
}

Reaction ObjectModel::execute(const Path& path) {
    if (path == lwm2m::firmware::update) return firmware_.execute();
    if (path == lwm2m::FirmwareObject{}.cancel()) return firmware_.cancel();
    auto reaction = Reaction::reply(Code::changed);
    reaction.afterwards = path == lwm2m::device::reboot ? Afterwards::reboot : Afterwards::update;
    return reaction;
}

/// Object 33629: its instance 0 is object 5 under another number, with a version of its own.
std::optional<Reaction> ObjectModel::advanced(Path& path, const coap::Message& request) {
    const bool named = path.object == lwm2m::advanced_firmware::object;
    if (!quirks_.has(Quirk::advanced_object)) return std::nullopt;
    if (!named) return path.object == 5 ? std::optional(Reaction::reply(Code::not_found)) : std::nullopt;
    if (path.instance == lwm2m::advanced_firmware::modem && path.resource)
        return modem_.handle(*path.resource, request);
    if (path.resource == 14 || path.resource == 15) {
        auto version = firmware_version();
        std::ranges::replace(version, '+', '-');
        auto reaction = Reaction::reply(Code::content);
        reaction.answer.message.set_format(Format::text);
        reaction.answer.message.payload = to_bytes(as_bytes(path.resource == 14 ? "application" : version));
        return reaction;
    }
    path.object = 5;
    return std::nullopt;
}

Reaction ObjectModel::dispatch(const coap::Message& request) {
    auto path = Path::parse(request.path());
    if (path) {
        if (auto answered = advanced(*path, request)) return std::move(*answered);
    }
    if (!path || resources(path->object).empty() || path->instance.value_or(0) != 0)
        return Reaction::reply(Code::not_found);
    const bool get = request.code == Code::get;
    if (get && request.uint_option(coap::OptionNumber::accept) == number_of(Format::link)) return discover(*path);
    if (!path->resource) {
        if (!get || !path->instance) return Reaction::reply(Code::method_not_allowed);
        return read_instance(*path, request);
    }
    switch (access(*path)) {
        case Access::absent:
            return Reaction::reply(Code::not_found);
        case Access::read:
            if (get) return read(*path, request);
            break;
        case Access::write:
            if (request.code == Code::put) return write(*path, request);
            break;
        case Access::read_write:
            if (get) return read(*path, request);
            if (request.code == Code::put) return write(*path, request);
            break;
        case Access::execute:
            if (request.code == Code::post) return execute(*path);
            break;
    }
    return Reaction::reply(Code::method_not_allowed);
}

Reaction ObjectModel::below_root(const coap::Message& request) {
    if (quirks_.has(Quirk::busy_during_push) && firmware_.receiving() &&
        request.path() != lwm2m::firmware::package.text())
        return Reaction::reply(Code::service_unavailable);
    if (!quirks_.has(Quirk::reads_in_blocks)) return dispatch(request);
    if (!unfinished_read_.empty() && (request.code != Code::get || request.path() != unfinished_read_))
        return Reaction::reply(Code::service_unavailable);
    return in_parts(request, dispatch(request));
}

Reaction ObjectModel::in_parts(const coap::Message& request, Reaction whole) {
    constexpr std::uint8_t szx_16 = 0;
    auto& message = whole.answer.message;
    if (request.code != Code::get || message.code != Code::content) return whole;
    auto block = request.block2().value_or(coap::Block{0, false, szx_16});
    block.szx = szx_16;
    const auto offset = static_cast<std::size_t>(block.offset());
    if (offset > 0 && offset >= message.payload.size()) return Reaction::reply(Code::bad_option);
    const auto rest = to_bytes(BytesView(message.payload).subspan(offset));
    block.more = rest.size() > block.size();
    unfinished_read_ = block.more ? request.path() : "";
    if (offset == 0 && !block.more) return whole;
    message.payload = to_bytes(BytesView(rest).first(std::min<std::size_t>(rest.size(), block.size())));
    message.set_block(coap::OptionNumber::block2, block);
    return whole;
}

Reaction ObjectModel::handle(const coap::Message& request) {
    if (!quirks_.has(Quirk::alternate_root)) return below_root(request);
    const std::string root = "/lwm2m";
    const auto path = request.path();
    if (!path.starts_with(root + "/")) return Reaction::reply(Code::not_found);
    auto inner = request;
    inner.remove(coap::OptionNumber::uri_path);
    inner.set_path(path.substr(root.size()));
    return below_root(inner);
}

}  // namespace fota::virtdev
