#include "adapters/usb_ports.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "base/text.hpp"

namespace fota::adapters {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_attribute = 256;

/// One line of an attribute file; "" when it cannot be read.
std::string attribute(const fs::path& file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    if (line.size() > longest_attribute) line.resize(longest_attribute);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.pop_back();
    return line;
}

std::uint16_t hexadecimal(const std::string& text) {
    std::uint16_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return value;
}

/// "/dev/ttyACM" and 10: ttyACM10 comes after ttyACM9.
std::pair<std::string, std::uint64_t> name_and_number(const std::string& device) {
    const auto digits = device.find_last_not_of("0123456789") + 1;
    std::uint64_t number = 0;
    std::from_chars(device.data() + digits, device.data() + device.size(), number);
    return {device.substr(0, digits), number};
}

/// From a tty's device upwards: the interface, then the USB device it belongs to.
std::optional<UsbPort> describe(const fs::path& entry) {
    std::error_code error;
    auto at = fs::canonical(entry / "device", error);
    if (error) return std::nullopt;
    UsbPort port;
    port.device = "/dev/" + entry.filename().string();
    for (; at.has_relative_path(); at = at.parent_path()) {
        if (const auto number = attribute(at / "bInterfaceNumber"); !number.empty())
            port.interface = hexadecimal(number);
        const auto vendor = attribute(at / "idVendor");
        if (vendor.empty()) continue;
        port.vendor = hexadecimal(vendor);
        port.product = hexadecimal(attribute(at / "idProduct"));
        port.serial = printable(attribute(at / "serial"));
        port.product_name = printable(attribute(at / "product"));
        return port;
    }
    return std::nullopt;
}

}  // namespace

std::vector<UsbPort> usb_ports(const std::string& sys) {
    std::vector<UsbPort> out;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(fs::path(sys) / "class/tty", error))
        if (auto port = describe(entry.path())) out.push_back(std::move(*port));
    // Devices without a serial number share an empty one: their ports then stand in the order of their numbers.
    std::ranges::sort(out, {}, [](const UsbPort& port) {
        const auto [name, number] = name_and_number(port.device);
        return std::tuple(port.serial, port.interface, name, number);
    });
    return out;
}

std::optional<UsbPort> usb_port(const std::string& device, const std::string& sys) {
    std::error_code error;
    const auto real = fs::canonical(device, error);
    const auto name = (error ? fs::path(device) : real).filename();
    return describe(fs::path(sys) / "class/tty" / name);
}

std::optional<UsbPort> find_again(const UsbPort& port, const std::string& sys) {
    for (auto& each : usb_ports(sys)) {
        const bool same = each.vendor == port.vendor && each.product == port.product && each.serial == port.serial &&
                          each.interface == port.interface;
        if (same && (!port.serial.empty() || each.device == port.device)) return each;
    }
    return std::nullopt;
}

}  // namespace fota::adapters
