// The serial devices of this machine and the USB devices behind them, as the kernel's sysfs tells.
// Source: Linux Documentation/ABI/testing/sysfs-bus-usb.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fota::adapters {

struct UsbPort {
    std::string device;        ///< "/dev/ttyACM0"
    std::uint16_t vendor = 0;  ///< 0x1366: SEGGER, on every Nordic kit
    std::uint16_t product = 0;
    std::string serial;        ///< of the USB device, safe to print; "" where it has none
    std::string product_name;  ///< safe to print
    unsigned interface = 0;    ///< bInterfaceNumber: tells the ports of one device apart
};

/// Every serial device behind USB, by serial number, then interface, then name. `sys`: where sysfs is.
std::vector<UsbPort> usb_ports(const std::string& sys = "/sys");
/// The one with this device file, followed through links; nullopt for a port that is none of USB's.
std::optional<UsbPort> usb_port(const std::string& device, const std::string& sys = "/sys");
/// The same interface of the same USB device, under whatever name it has now. One without a serial number is found by
/// its old name only.
std::optional<UsbPort> find_again(const UsbPort& port, const std::string& sys = "/sys");

}  // namespace fota::adapters
