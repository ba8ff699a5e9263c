// Ports and the USB devices behind them, on a sysfs made for the test.
#include "adapters/usb_ports.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace fota::adapters {
namespace {

namespace fs = std::filesystem;

class UsbPorts : public testing::Test {
  protected:
    UsbPorts() : sys(fs::temp_directory_path() / ("fotactl-sys-" + std::to_string(::getpid()))) {
        fs::remove_all(sys);
        fs::create_directories(sys / "class/tty");
    }
    ~UsbPorts() override { fs::remove_all(sys); }

    static void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text << "\n"; }

    /// A port of a USB device: where it is plugged in, its serial number, the interface.
    void plug(const std::string& tty, const std::string& place, const std::string& serial, unsigned interface = 0) {
        const auto device = sys / "devices/usb1" / place;
        const auto function = device / (place + ":1." + std::to_string(interface));
        fs::create_directories(function / "tty" / tty);
        write(device / "idVendor", "1366");
        write(device / "idProduct", "1059");
        write(device / "product", "J-Link");
        if (!serial.empty()) write(device / "serial", serial);
        write(function / "bInterfaceNumber", "0" + std::to_string(interface));
        fs::create_symlink(function, function / "tty" / tty / "device");
        fs::create_symlink(function / "tty" / tty, sys / "class/tty" / tty);
    }
    void unplug(const std::string& tty) { fs::remove(sys / "class/tty" / tty); }

    std::vector<std::string> names() const {
        std::vector<std::string> out;
        for (const auto& port : usb_ports(sys.string())) out.push_back(port.device);
        return out;
    }
    fs::path sys;
};

TEST_F(UsbPorts, StandByBoardThenInterfaceAndAreSortedByNumberNotByText) {
    plug("ttyACM10", "1-1", "000960000001", 2);
    plug("ttyACM9", "1-1", "000960000001", 0);
    plug("ttyACM1", "1-2", "000960000000", 0);
    EXPECT_EQ(names(), (std::vector<std::string>{"/dev/ttyACM1", "/dev/ttyACM9", "/dev/ttyACM10"}));
    plug("ttyUSB10", "1-3", "");
    plug("ttyUSB9", "1-4", "");
    EXPECT_EQ(names(), (std::vector<std::string>{"/dev/ttyUSB9", "/dev/ttyUSB10", "/dev/ttyACM1", "/dev/ttyACM9",
                                                 "/dev/ttyACM10"}));
}

TEST_F(UsbPorts, ABoardThatComesBackUnderAnotherNameIsFoundByItsSerialNumberAndInterface) {
    plug("ttyACM0", "1-1", "000960000001", 0);
    plug("ttyACM1", "1-1", "000960000001", 2);
    const auto before = usb_port("/dev/ttyACM1", sys.string());
    ASSERT_TRUE(before);
    EXPECT_EQ(before->interface, 2u);
    EXPECT_EQ(before->serial, "000960000001");
    unplug("ttyACM0");
    unplug("ttyACM1");
    EXPECT_FALSE(find_again(*before, sys.string()));
    plug("ttyACM1", "1-2", "000960000099", 2);  // another board has taken the name
    EXPECT_FALSE(find_again(*before, sys.string()));
    plug("ttyACM4", "1-3", "000960000001", 0);
    plug("ttyACM5", "1-3", "000960000001", 2);
    const auto again = find_again(*before, sys.string());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->device, "/dev/ttyACM5");
}

TEST_F(UsbPorts, WithoutASerialNumberOnlyTheOldNameWillDo) {
    plug("ttyUSB0", "1-1", "");
    const auto before = usb_port("/dev/ttyUSB0", sys.string());
    ASSERT_TRUE(before);
    unplug("ttyUSB0");
    plug("ttyUSB1", "1-2", "");
    EXPECT_FALSE(find_again(*before, sys.string())) << "it may be any board";
    plug("ttyUSB0", "1-3", "");
    EXPECT_TRUE(find_again(*before, sys.string()));
}

TEST_F(UsbPorts, WhatIsNoUsbDeviceIsNone) {
    fs::create_directories(sys / "class/tty/ttyS0/device");
    EXPECT_TRUE(usb_ports(sys.string()).empty());
    EXPECT_FALSE(usb_port("/dev/ttyS0", sys.string()));
    EXPECT_TRUE(usb_ports((sys / "nowhere").string()).empty());
}

}  // namespace
}  // namespace fota::adapters
