// What the virtual device's resources hold, and how a Read puts it: one resource, an instance, a whole object.
#include <algorithm>

#include "lwm2m/formats.hpp"
#include "lwm2m/value.hpp"
#include "virtdev/object_model.hpp"

namespace fota::virtdev {
namespace {

using coap::Code;
using coap::Format;
using lwm2m::Path;
using lwm2m::Value;
namespace advanced = lwm2m::advanced_firmware;

constexpr std::uint32_t number_of(Format format) {
    return static_cast<std::uint32_t>(format);
}

Value integer(std::int64_t number) {
    return number;
}
Value text(std::string_view value) {
    return std::string(value);
}
Value opaque(BytesView bytes) {
    return to_bytes(bytes);
}
template <class State>
Value number(State state) {
    return static_cast<std::int64_t>(state);
}

std::vector<Value> references(const std::vector<std::uint16_t>& instances) {
    std::vector<Value> out;
    for (const auto each : instances) out.emplace_back(lwm2m::ObjectReference{advanced::object, each});
    return out;
}

bool is_firmware(std::uint16_t object) {
    return object == lwm2m::firmware::object || object == advanced::object;
}

bool holds_several(const Path& resource) {
    if (is_firmware(resource.object) && resource.resource == 8) return true;
    if (resource.object == advanced::object && (resource.resource == 16 || resource.resource == 17)) return true;
    return resource == lwm2m::device::error_codes;
}

}  // namespace

std::vector<Value> ObjectModel::values(const Path& path) const {
    if (path == lwm2m::device::error_codes)  // none, or a low battery
        return quirks_.has(Quirk::weak_condition) ? std::vector{integer(1)} : std::vector<Value>{};
    if (path.resource == 8) {  // CoAP, and CoAP over DTLS
        if (quirks_.has(Quirk::pull_coap_only)) return {integer(0)};
        return {integer(0), integer(1)};
    }
    const bool modem = path.instance == advanced::modem;
    if (path.resource == 16) return references(modem ? modem_.linked() : firmware_.linked());
    return references(modem ? std::vector<std::uint16_t>{} : firmware_.conflicting());
}

Value ObjectModel::value(const Path& path) const {
    const auto resource = *path.resource;
    if (path.object == advanced::object && path.instance == advanced::modem) {
        if (resource == 1) return text("");
        if (resource == 3) return number(modem_.state());
        if (resource == 5) return number(modem_.result());
        if (resource == 7) return text(modem_.package_version());
        if (resource == 9) return integer(1);
        return text(resource == 14 ? "modem:nrf9160" : modem_.version());
    }
    if (path.object == advanced::object && resource == 14) return text("application");
    if (path.object == advanced::object && resource == 15) {
        auto version = firmware_version();
        std::ranges::replace(version, '+', '-');
        return text(version);
    }
    switch (path.object) {
        case 1:
            if (resource == 1) return integer(lifetime_.count());
            if (resource == 6) return true;
            if (resource == 7) return text("U");
            return integer(1);  // short server id
        case 3:
            if (resource == 0) return text("fotactl");
            if (resource == 1) return text("nrf9160dk");
            if (resource == 2) return text("virtual");
            if (resource == 3) return text(firmware_version());
            if (resource == 9) return integer(7);
            if (resource == 10) return integer(12);
            return text("U");
        case lwm2m::firmware::object:
        case advanced::object:
            if (resource == 1) return text(firmware_.package_uri());
            if (resource == 3) return number(firmware_.state());
            if (resource == 5) return number(firmware_.result());
            if (resource == 6) return text(firmware_.package_version().empty() ? "" : "application");
            if (resource == 7) return text(firmware_.package_version());
            if (resource == 11) return integer(severity_);
            if (resource == 13) return integer(max_defer_);
            if (resource == 14) return true;  // automatic upgrade
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

std::vector<lwm2m::Entry> ObjectModel::entries(const Path& path) const {
    std::vector<lwm2m::Entry> out;
    const auto add_resource = [&](const Path& resource) {
        if (!holds_several(resource)) {
            out.push_back({resource, value(resource)});
            return;
        }
        auto one = resource;
        one.resource_instance = 0;
        for (auto& each : values(resource)) {
            out.push_back({one, std::move(each)});
            ++*one.resource_instance;
        }
    };
    if (path.resource) {
        add_resource(path);
        return out;
    }
    for (const auto instance : path.instance ? std::vector{*path.instance} : instances(path.object))
        for (const auto id : resources({path.object, instance, {}})) {
            const auto resource = lwm2m::resource(path.object, instance, id);
            const auto kind = access(resource);
            if (kind == Access::read || kind == Access::read_write) add_resource(resource);
        }
    return out;
}

coap::Message ObjectModel::content(const Path& path, std::optional<std::uint32_t> accept) const {
    const auto all = entries(path);
    const bool one = path.resource && !holds_several(path);
    const bool bytes = one && std::holds_alternative<Bytes>(all.front().value);
    // Zephyr's text writer has no opaque values; a multiple resource has no text form at all (OMA LwM2M TS 1.1, 7.4.1).
    const auto plain = bytes ? Format::opaque : Format::text;
    const bool knows_senml = !quirks_.has(Quirk::lwm2m_1_0);
    auto format = Format::tlv;
    coap::Message message;
    if (quirks_.has(Quirk::senml_cbor_only)) {
        format = Format::senml_cbor;
    } else if (quirks_.has(Quirk::no_accept) || !accept || accept == number_of(Format::tlv)) {
        format = Format::tlv;
    } else if (one && accept == number_of(plain)) {
        format = plain;
    } else if (knows_senml && (accept == number_of(Format::senml_json) || accept == number_of(Format::senml_cbor))) {
        format = static_cast<Format>(*accept);
    } else {
        message.code = Code::not_acceptable;
        return message;
    }
    const auto payload = lwm2m::encode(format, path, all);
    message.code = payload ? Code::content : Code::internal_server_error;
    message.set_format(format);
    if (payload) message.payload = *payload;
    // A multiple resource without instances is there nevertheless.
    if (format == Format::tlv && path.resource && all.empty())
        message.payload = Bytes{0x80, static_cast<std::uint8_t>(*path.resource)};
    return message;
}

}  // namespace fota::virtdev
