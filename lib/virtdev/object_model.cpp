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
namespace advanced = lwm2m::advanced_firmware;

constexpr std::size_t most_observations = 16;

constexpr std::uint32_t number_of(Format format) {
    return static_cast<std::uint32_t>(format);
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
    : board_(board), quirks_(quirks), lifetime_(lifetime), firmware_(board, quirks), modem_(quirks) {
    firmware_.set_companion(modem_);
}

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
    const auto* format = quirks_.has(Quirk::senml_cbor_only) ? "112" : "11542";
    std::string out = quirks_.has(Quirk::lwm2m_1_0) ? "" : fmt::format("</>;ct={},", format);
    if (!root.empty()) out = fmt::format("<{}>;rt=\"oma.lwm2m\";ct={},", root, format);
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

std::vector<std::uint16_t> ObjectModel::instances(std::uint16_t object) const {
    if (resources({object, std::uint16_t{0}, {}}).empty()) return {};
    if (object == advanced::object) return {advanced::application, advanced::modem};
    return {0};
}

std::vector<std::uint16_t> ObjectModel::resources(const Path& path) const {
    const auto instance = path.instance.value_or(std::uint16_t{0});
    const bool has_advanced = quirks_.has(Quirk::advanced_object);
    if (instance > (path.object == advanced::object ? advanced::modem : 0)) return {};
    switch (path.object) {
        case 1:
            return {0, 1, 6, 7, 8};
        case 3:
            if (quirks_.has(Quirk::weak_condition)) return {0, 1, 2, 3, 4, 9, 10, 11, 16};
            return {0, 1, 2, 3, 4, 11, 16};
        case lwm2m::firmware::object:
            if (has_advanced) return {};
            if (upgrades_itself(quirks_)) return {0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 13, 14};
            if (quirks_.has(Quirk::firmware_1_1)) return {0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 13};
            return {0, 1, 2, 3, 5, 6, 7, 8, 9};
        case advanced::object: {
            if (!has_advanced) return {};
            std::vector<std::uint16_t> out{0, 1, 2, 3, 5, 7, 9, 14, 15};
            if (instance == advanced::application) out = {0, 1, 2, 3, 5, 6, 7, 8, 9, 14, 15};
            if (names_instances(quirks_)) out.insert(out.end(), {16, 17});
            return out;
        }
        case 26245:
            if (quirks_.has(Quirk::no_external_flash_object)) return {};
            if (quirks_.has(Quirk::upgradable_bootloader)) return {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
            return {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
        default:
            return {};
    }
}

ObjectModel::Access ObjectModel::access(const Path& path) const {
    if (!path.resource || path.resource_instance) return Access::absent;
    const auto known = resources(path);
    if (std::find(known.begin(), known.end(), *path.resource) == known.end()) return Access::absent;
    if (path == lwm2m::resource(1, 0, 1) || path == lwm2m::external_flash::start_offset) return Access::read_write;
    if (path == lwm2m::resource(1, 0, 8) || path == lwm2m::device::reboot) return Access::execute;
    if (path.object != lwm2m::firmware::object && path.object != advanced::object) return Access::read;
    const lwm2m::FirmwareObject object{path.object, *path.instance};
    if (path == object.package()) return Access::write;
    if (path == object.package_uri() || path == object.severity() || path == object.max_defer())
        return Access::read_write;
    if (path == object.update() || path == object.cancel()) return Access::execute;
    return Access::read;
}

Reaction ObjectModel::read(const Path& path, const coap::Message& request) {
    Reaction reaction;
    reaction.answer.message = content(path, request.uint_option(coap::OptionNumber::accept));
    const auto observe = request.uint_option(coap::OptionNumber::observe);
    if (!observe || quirks_.has(Quirk::no_observe) || reaction.answer.message.code != Code::content) return reaction;
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

Reaction ObjectModel::discover(const Path& path) const {
    auto reaction = Reaction::reply(Code::content);
    auto& message = reaction.answer.message;
    message.set_format(Format::link);
    std::string text = path.instance ? "" : fmt::format("</{}>,", path.object);
    for (const auto instance : path.instance ? std::vector{*path.instance} : instances(path.object)) {
        text += fmt::format("</{}/{}>,", path.object, instance);
        for (const auto resource : resources({path.object, instance, {}}))
            text += fmt::format("</{}/{}/{}>,", path.object, instance, resource);
    }
    text.pop_back();
    message.payload = to_bytes(as_bytes(text));
    return reaction;
}

Reaction ObjectModel::write(const Path& path, const coap::Message& request) {
    const lwm2m::FirmwareObject object{path.object, *path.instance};
    if (path.object == advanced::object && path.instance == advanced::modem) {
        if (path == object.package()) return modem_.write_package(request);
        return modem_.write_uri(request.payload);
    }
    const bool firmware = path.object == lwm2m::firmware::object || path.object == advanced::object;
    if (firmware && path == object.package()) return firmware_.write_package(request);
    if (firmware && path == object.package_uri()) {
        if (request.format() && request.format() != number_of(Format::text))
            return Reaction::reply(Code::unsupported_content_format);
        return firmware_.write_uri(request.payload);
    }
    const auto number = written_integer(path, request);
    if (!number) return Reaction::reply(Code::bad_request);
    if (path == lwm2m::external_flash::start_offset) return firmware_.write_start_offset(*number);
    if (*number < 0 || *number > std::numeric_limits<std::int32_t>::max()) return Reaction::reply(Code::bad_request);
    if (firmware && path == object.severity()) {
        if (*number > 2) return Reaction::reply(Code::bad_request);
        severity_ = *number;
        return Reaction::reply(Code::changed);
    }
    if (firmware && path == object.max_defer()) {
        max_defer_ = *number;
        firmware_.limit_deferral(max_defer_);
        return Reaction::reply(Code::changed);
    }
    lifetime_ = std::chrono::seconds(*number);
    auto reaction = Reaction::reply(Code::changed);
    reaction.afterwards = Afterwards::update;
    return reaction;
}

Reaction ObjectModel::execute(const Path& path, BytesView arguments) {
    const lwm2m::FirmwareObject object{path.object, *path.instance};
    if (path.object == advanced::object && path.instance == advanced::modem) return modem_.execute();
    const bool firmware = path.object == lwm2m::firmware::object || path.object == advanced::object;
    if (firmware && path == object.update()) return firmware_.execute(as_text(arguments));
    if (firmware && path == object.cancel()) return firmware_.cancel();
    auto reaction = Reaction::reply(Code::changed);
    reaction.afterwards = path == lwm2m::device::reboot ? Afterwards::reboot : Afterwards::update;
    return reaction;
}

Reaction ObjectModel::dispatch(const coap::Message& request) {
    const auto path = Path::parse(request.path());
    if (!path || resources(*path).empty()) return Reaction::reply(Code::not_found);
    const bool get = request.code == Code::get;
    if (get && request.uint_option(coap::OptionNumber::accept) == number_of(Format::link)) return discover(*path);
    if (!path->resource) return get ? read(*path, request) : Reaction::reply(Code::method_not_allowed);
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
            if (request.code == Code::post) return execute(*path, request.payload);
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
