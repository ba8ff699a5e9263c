// The common objects as data: names, types and operations from the OMA object registry (version 1.2 of the core
// objects), 33629 from its vendor's definition, and our own 26245 (DESIGN.md section 8).
#include "lwm2m/registry.hpp"

#include <array>

namespace fota::lwm2m {
namespace {

using enum Type;
using enum Operations;
constexpr bool many = true;

constexpr std::array object_0{
    ResourceInfo{0, "LWM2M Server URI", string, not_remote},
    ResourceInfo{1, "Bootstrap-Server", boolean, not_remote},
    ResourceInfo{2, "Security Mode", integer, not_remote},
    ResourceInfo{3, "Public Key or Identity", opaque, not_remote},
    ResourceInfo{4, "Server Public Key", opaque, not_remote},
    ResourceInfo{5, "Secret Key", opaque, not_remote},
    ResourceInfo{6, "SMS Security Mode", integer, not_remote},
    ResourceInfo{7, "SMS Binding Key Parameters", opaque, not_remote},
    ResourceInfo{8, "SMS Binding Secret Key(s)", opaque, not_remote},
    ResourceInfo{9, "LwM2M Server SMS Number", string, not_remote},
    ResourceInfo{10, "Short Server ID", integer, not_remote},
    ResourceInfo{11, "Client Hold Off Time", integer, not_remote},
    ResourceInfo{12, "Bootstrap-Server Account Timeout", integer, not_remote},
    ResourceInfo{13, "Matching Type", unsigned_integer, not_remote},
    ResourceInfo{14, "SNI", string, not_remote},
    ResourceInfo{15, "Certificate Usage", unsigned_integer, not_remote},
    ResourceInfo{16, "DTLS/TLS Ciphersuite", unsigned_integer, not_remote, many},
    ResourceInfo{17, "OSCORE Security Mode", object_link, not_remote},
    ResourceInfo{18, "Groups To Use by Client", unsigned_integer, not_remote, many},
    ResourceInfo{19, "Signature Algorithms Supported by Server", unsigned_integer, not_remote, many},
    ResourceInfo{20, "Signature Algorithms To Use by Client", unsigned_integer, not_remote, many},
    ResourceInfo{21, "Signature Algorithm Certs Supported by Server", unsigned_integer, not_remote, many},
    ResourceInfo{22, "TLS 1.3 Features To Use by Client", unsigned_integer, not_remote},
    ResourceInfo{23, "TLS Extensions Supported by Server", unsigned_integer, not_remote},
    ResourceInfo{24, "TLS Extensions To Use by Client", unsigned_integer, not_remote},
    ResourceInfo{25, "Secondary LwM2M Server URI", string, not_remote, many},
    ResourceInfo{26, "MQTT Server", object_link, not_remote},
    ResourceInfo{27, "LwM2M COSE Security", object_link, not_remote, many},
    ResourceInfo{28, "RDS Destination Port", integer, not_remote},
    ResourceInfo{29, "RDS Source Port", integer, not_remote},
    ResourceInfo{30, "RDS Application ID", string, not_remote},
};

constexpr std::array object_1{
    ResourceInfo{0, "Short Server ID", integer, read},
    ResourceInfo{1, "Lifetime", integer, read_write},
    ResourceInfo{2, "Default Minimum Period", integer, read_write},
    ResourceInfo{3, "Default Maximum Period", integer, read_write},
    ResourceInfo{4, "Disable", none, execute},
    ResourceInfo{5, "Disable Timeout", integer, read_write},
    ResourceInfo{6, "Notification Storing When Disabled or Offline", boolean, read_write},
    ResourceInfo{7, "Binding", string, read_write},
    ResourceInfo{8, "Registration Update Trigger", none, execute},
    ResourceInfo{9, "Bootstrap-Request Trigger", none, execute},
    ResourceInfo{10, "APN Link", object_link, read_write},
    ResourceInfo{11, "TLS-DTLS Alert Code", unsigned_integer, read},
    ResourceInfo{12, "Last Bootstrapped", time, read},
    ResourceInfo{13, "Registration Priority Order", unsigned_integer, read},
    ResourceInfo{14, "Initial Registration Delay Timer", unsigned_integer, read_write},
    ResourceInfo{15, "Registration Failure Block", boolean, read},
    ResourceInfo{16, "Bootstrap on Registration Failure", boolean, read},
    ResourceInfo{17, "Communication Retry Count", unsigned_integer, read_write},
    ResourceInfo{18, "Communication Retry Timer", unsigned_integer, read_write},
    ResourceInfo{19, "Communication Sequence Delay Timer", unsigned_integer, read_write},
    ResourceInfo{20, "Communication Sequence Retry Count", unsigned_integer, read_write},
    ResourceInfo{21, "Trigger", boolean, read_write},
    ResourceInfo{22, "Preferred Transport", string, read_write},
    ResourceInfo{23, "Mute Send", boolean, read_write},
    ResourceInfo{24, "Alternate APN Links", object_link, read_write, many},
    ResourceInfo{25, "Supported Server Versions", string, read_write, many},
    ResourceInfo{26, "Default Notification Mode", integer, read_write},
    ResourceInfo{27, "Profile ID Hash Algorithm", unsigned_integer, read_write},
};

constexpr std::array object_2{
    ResourceInfo{0, "Object ID", integer, read},
    ResourceInfo{1, "Object Instance ID", integer, read},
    ResourceInfo{2, "ACL", integer, read_write, many},
    ResourceInfo{3, "Access Control Owner", integer, read_write},
};

constexpr std::array object_3{
    ResourceInfo{0, "Manufacturer", string, read},
    ResourceInfo{1, "Model Number", string, read},
    ResourceInfo{2, "Serial Number", string, read},
    ResourceInfo{3, "Firmware Version", string, read},
    ResourceInfo{4, "Reboot", none, execute},
    ResourceInfo{5, "Factory Reset", none, execute},
    ResourceInfo{6, "Available Power Sources", integer, read, many},
    ResourceInfo{7, "Power Source Voltage", integer, read, many},
    ResourceInfo{8, "Power Source Current", integer, read, many},
    ResourceInfo{9, "Battery Level", integer, read},
    ResourceInfo{10, "Memory Free", integer, read},
    ResourceInfo{11, "Error Code", integer, read, many},
    ResourceInfo{12, "Reset Error Code", none, execute},
    ResourceInfo{13, "Current Time", time, read_write},
    ResourceInfo{14, "UTC Offset", string, read_write},
    ResourceInfo{15, "Timezone", string, read_write},
    ResourceInfo{16, "Supported Binding and Modes", string, read},
    ResourceInfo{17, "Device Type", string, read},
    ResourceInfo{18, "Hardware Version", string, read},
    ResourceInfo{19, "Software Version", string, read},
    ResourceInfo{20, "Battery Status", integer, read},
    ResourceInfo{21, "Memory Total", integer, read},
    ResourceInfo{22, "ExtDevInfo", object_link, read, many},
};

constexpr std::array object_4{
    ResourceInfo{0, "Network Bearer", integer, read},
    ResourceInfo{1, "Available Network Bearer", integer, read, many},
    ResourceInfo{2, "Radio Signal Strength", integer, read},
    ResourceInfo{3, "Link Quality", integer, read},
    ResourceInfo{4, "IP Addresses", string, read, many},
    ResourceInfo{5, "Router IP Addresses", string, read, many},
    ResourceInfo{6, "Link Utilization", integer, read},
    ResourceInfo{7, "APN", string, read, many},
    ResourceInfo{8, "Cell ID", integer, read},
    ResourceInfo{9, "SMNC", integer, read},
    ResourceInfo{10, "SMCC", integer, read},
    ResourceInfo{11, "SignalSNR", integer, read},
    ResourceInfo{12, "LAC", integer, read},
    ResourceInfo{13, "Coverage Enhancement Level", integer, read},
};

constexpr std::array object_5{
    ResourceInfo{0, "Package", opaque, write},
    ResourceInfo{1, "Package URI", string, read_write},
    ResourceInfo{2, "Update", none, execute},
    ResourceInfo{3, "State", integer, read},
    ResourceInfo{5, "Update Result", integer, read},
    ResourceInfo{6, "PkgName", string, read},
    ResourceInfo{7, "PkgVersion", string, read},
    ResourceInfo{8, "Firmware Update Protocol Support", integer, read, many},
    ResourceInfo{9, "Firmware Update Delivery Method", integer, read},
    ResourceInfo{10, "Cancel", none, execute},
    ResourceInfo{11, "Severity", integer, read_write},
    ResourceInfo{12, "Last State Change Time", time, read},
    ResourceInfo{13, "Maximum Defer Period", unsigned_integer, read_write},
    ResourceInfo{14, "Automatic Upgrade at Download", boolean, read_write},
};

constexpr std::array object_6{
    ResourceInfo{0, "Latitude", floating, read}, ResourceInfo{1, "Longitude", floating, read},
    ResourceInfo{2, "Altitude", floating, read}, ResourceInfo{3, "Radius", floating, read},
    ResourceInfo{4, "Velocity", opaque, read},   ResourceInfo{5, "Timestamp", time, read},
    ResourceInfo{6, "Speed", floating, read},
};

constexpr std::array object_7{
    ResourceInfo{0, "SMS Tx Counter", integer, read},
    ResourceInfo{1, "SMS Rx Counter", integer, read},
    ResourceInfo{2, "Tx Data", integer, read},
    ResourceInfo{3, "Rx Data", integer, read},
    ResourceInfo{4, "Max Message Size", integer, read},
    ResourceInfo{5, "Average Message Size", integer, read},
    ResourceInfo{6, "Start", none, execute},
    ResourceInfo{7, "Stop", none, execute},
    ResourceInfo{8, "Collection Period", integer, read_write},
};

constexpr std::array object_9{
    ResourceInfo{0, "PkgName", string, read},
    ResourceInfo{1, "PkgVersion", string, read},
    ResourceInfo{2, "Package", opaque, write},
    ResourceInfo{3, "Package URI", string, write},
    ResourceInfo{4, "Install", none, execute},
    ResourceInfo{5, "Checkpoint", object_link, read},
    ResourceInfo{6, "Uninstall", none, execute},
    ResourceInfo{7, "Update State", integer, read},
    ResourceInfo{8, "Update Supported Objects", boolean, read_write},
    ResourceInfo{9, "Update Result", integer, read},
    ResourceInfo{10, "Activate", none, execute},
    ResourceInfo{11, "Deactivate", none, execute},
    ResourceInfo{12, "Activation State", boolean, read},
    ResourceInfo{13, "Package Settings", object_link, read_write},
    ResourceInfo{14, "User Name", string, write},
    ResourceInfo{15, "Password", string, write},
    ResourceInfo{16, "Status Reason", string, read},
    ResourceInfo{17, "Software Component Link", object_link, read, many},
    ResourceInfo{18, "Software Component tree length", integer, read},
};

constexpr std::array object_10{
    ResourceInfo{0, "SMSC address", string, read_write},
    ResourceInfo{1, "Disable radio period", integer, read_write},
    ResourceInfo{2, "Module activation code", string, read_write},
    ResourceInfo{3, "Vendor specific extensions", object_link, read},
    ResourceInfo{4, "PSM Timer", integer, read_write},
    ResourceInfo{5, "Active Timer", integer, read_write},
    ResourceInfo{7, "eDRX parameters for Iu mode", opaque, read_write},
    ResourceInfo{8, "eDRX parameters for WB-S1 mode", opaque, read_write},
    ResourceInfo{9, "eDRX parameters for NB-S1 mode", opaque, read_write},
    ResourceInfo{10, "eDRX parameters for A/Gb mode", opaque, read_write},
    ResourceInfo{11, "Activated Profile Names", object_link, read, many},
    ResourceInfo{12, "Supported Power Saving Modes", unsigned_integer, read},
    ResourceInfo{13, "Active Power Saving Modes", unsigned_integer, read_write},
    ResourceInfo{14, "Release Assistance Indication Usage", unsigned_integer, read_write},
};

constexpr std::array object_11{
    ResourceInfo{0, "Profile name", string, read_write},
    ResourceInfo{1, "APN", string, read_write},
    ResourceInfo{2, "Auto select APN by device", boolean, read_write},
    ResourceInfo{3, "Enable status", boolean, read_write},
    ResourceInfo{4, "Authentication Type", integer, read_write},
    ResourceInfo{5, "User Name", string, read_write},
    ResourceInfo{6, "Secret", string, read_write},
    ResourceInfo{7, "Reconnect Schedule", string, read_write},
    ResourceInfo{8, "Validity (MCC, MNC)", string, read_write, many},
    ResourceInfo{9, "Connection establishment time (1)", time, read, many},
    ResourceInfo{10, "Connection establishment result (1)", integer, read, many},
    ResourceInfo{11, "Connection establishment reject cause (1)", integer, read, many},
    ResourceInfo{12, "Connection end time (1)", time, read, many},
    ResourceInfo{13, "TotalBytesSent", integer, read},
    ResourceInfo{14, "TotalBytesReceived", integer, read},
    ResourceInfo{15, "IP address (2)", string, read_write, many},
    ResourceInfo{16, "Prefix length(2)", string, read_write, many},
    ResourceInfo{17, "Subnet mask (2)", string, read_write, many},
    ResourceInfo{18, "Gateway (2)", string, read_write, many},
    ResourceInfo{19, "Primary DNS address (2)", string, read_write, many},
    ResourceInfo{20, "Secondary DNS address (2)", string, read_write, many},
    ResourceInfo{21, "QCI (3)", integer, read},
    ResourceInfo{22, "Vendor specific extensions", object_link, read},
    ResourceInfo{23, "TotalPacketsSent", integer, read},
    ResourceInfo{24, "PDN Type", integer, read_write},
    ResourceInfo{25, "APN Rate Control", integer, read},
    ResourceInfo{26, "Serving PLMN Rate control", unsigned_integer, read_write},
    ResourceInfo{27, "Uplink Time Unit", unsigned_integer, read_write},
    ResourceInfo{28, "APN Rate Control for Exception Data", integer, read},
    ResourceInfo{29, "APN Exception Data Uplink Time Unit", unsigned_integer, read_write},
    ResourceInfo{30, "Supported RAT Types", unsigned_integer, read_write, many},
    ResourceInfo{31, "RDS Application ID", string, read_write, many},
    ResourceInfo{32, "RDS Destination Port", integer, read_write, many},
    ResourceInfo{33, "RDS Source Port", integer, read_write, many},
};

constexpr std::array object_19{
    ResourceInfo{0, "Data", opaque, read_write, many},       ResourceInfo{1, "Data Priority", integer, read_write},
    ResourceInfo{2, "Data Creation Time", time, read_write}, ResourceInfo{3, "Data Description", string, read_write},
    ResourceInfo{4, "Data Format", string, read_write},      ResourceInfo{5, "App ID", integer, read_write},
};

constexpr std::array object_21{
    ResourceInfo{0, "OSCORE Master Secret", opaque, not_remote},
    ResourceInfo{1, "OSCORE Sender ID", opaque, not_remote},
    ResourceInfo{2, "OSCORE Recipient ID", opaque, not_remote},
    ResourceInfo{3, "OSCORE AEAD Algorithm", integer, not_remote},
    ResourceInfo{4, "OSCORE HMAC Algorithm", integer, not_remote},
    ResourceInfo{5, "OSCORE Master Salt", opaque, not_remote},
    ResourceInfo{6, "OSCORE ID Context", opaque, not_remote},
};

constexpr std::array object_3303{
    ResourceInfo{5518, "Timestamp", time, read},
    ResourceInfo{5601, "Min Measured Value", floating, read},
    ResourceInfo{5602, "Max Measured Value", floating, read},
    ResourceInfo{5603, "Min Range Value", floating, read},
    ResourceInfo{5604, "Max Range Value", floating, read},
    ResourceInfo{5605, "Reset Min and Max Measured Values", none, execute},
    ResourceInfo{5700, "Sensor Value", floating, read},
    ResourceInfo{5701, "Sensor Units", string, read},
    ResourceInfo{5750, "Application Type", string, read_write},
    ResourceInfo{6042, "Measurement Quality Indicator", integer, read},
    ResourceInfo{6049, "Measurement Quality Level", integer, read},
    ResourceInfo{6050, "Fractional Timestamp", floating, read},
};

constexpr std::array object_3304{
    ResourceInfo{5518, "Timestamp", time, read},
    ResourceInfo{5601, "Min Measured Value", floating, read},
    ResourceInfo{5602, "Max Measured Value", floating, read},
    ResourceInfo{5603, "Min Range Value", floating, read},
    ResourceInfo{5604, "Max Range Value", floating, read},
    ResourceInfo{5605, "Reset Min and Max Measured Values", none, execute},
    ResourceInfo{5700, "Sensor Value", floating, read},
    ResourceInfo{5701, "Sensor Units", string, read},
    ResourceInfo{5750, "Application Type", string, read_write},
    ResourceInfo{6042, "Measurement Quality Indicator", integer, read},
    ResourceInfo{6049, "Measurement Quality Level", integer, read},
    ResourceInfo{6050, "Fractional Timestamp", floating, read},
};

constexpr std::array object_3313{
    ResourceInfo{5518, "Timestamp", time, read},
    ResourceInfo{5603, "Min Range Value", floating, read},
    ResourceInfo{5604, "Max Range Value", floating, read},
    ResourceInfo{5701, "Sensor Units", string, read},
    ResourceInfo{5702, "X Value", floating, read},
    ResourceInfo{5703, "Y Value", floating, read},
    ResourceInfo{5704, "Z Value", floating, read},
    ResourceInfo{5750, "Application Type", string, read_write},
    ResourceInfo{6042, "Measurement Quality Indicator", integer, read},
    ResourceInfo{6049, "Measurement Quality Level", integer, read},
    ResourceInfo{6050, "Fractional Timestamp", floating, read},
};

constexpr std::array object_3315{
    ResourceInfo{5518, "Timestamp", time, read},
    ResourceInfo{5601, "Min Measured Value", floating, read},
    ResourceInfo{5602, "Max Measured Value", floating, read},
    ResourceInfo{5603, "Min Range Value", floating, read},
    ResourceInfo{5604, "Max Range Value", floating, read},
    ResourceInfo{5605, "Reset Min and Max Measured Values", none, execute},
    ResourceInfo{5700, "Sensor Value", floating, read},
    ResourceInfo{5701, "Sensor Units", string, read},
    ResourceInfo{5750, "Application Type", string, read_write},
    ResourceInfo{6042, "Measurement Quality Indicator", integer, read},
    ResourceInfo{6049, "Measurement Quality Level", integer, read},
    ResourceInfo{6050, "Fractional Timestamp", floating, read},
};

constexpr std::array object_3342{
    ResourceInfo{5500, "Digital Input State", boolean, read},
    ResourceInfo{5501, "Digital Input Counter", integer, read},
    ResourceInfo{5518, "Timestamp", time, read},
    ResourceInfo{5750, "Application Type", string, read_write},
    ResourceInfo{5852, "On time", integer, read_write},
    ResourceInfo{5854, "Off Time", integer, read_write},
    ResourceInfo{6050, "Fractional Timestamp", floating, read},
};

constexpr std::array object_3347{
    ResourceInfo{5500, "Digital Input State", boolean, read},
    ResourceInfo{5501, "Digital Input Counter", integer, read},
    ResourceInfo{5518, "Timestamp", time, read},
    ResourceInfo{5750, "Application Type", string, read_write},
    ResourceInfo{6050, "Fractional Timestamp", floating, read},
};

constexpr std::array object_26245{
    ResourceInfo{0, "JEDEC ID", opaque, read},
    ResourceInfo{1, "Size", integer, read},
    ResourceInfo{2, "Erase Size", integer, read},
    ResourceInfo{3, "SFDP Basic Table", opaque, read},
    ResourceInfo{4, "Primary Slot Size", integer, read},
    ResourceInfo{5, "Secondary Slot Size", integer, read},
    ResourceInfo{6, "Bootloader Mode", string, read},
    ResourceInfo{7, "Running Image Hash", opaque, read},
    ResourceInfo{8, "Stored Package Hash", opaque, read},
    ResourceInfo{9, "Stored Package Bytes", integer, read},
    ResourceInfo{10, "Start Offset", integer, read_write},
};

constexpr std::array object_33629{
    ResourceInfo{0, "Package", opaque, write},
    ResourceInfo{1, "Package URI", string, read_write},
    ResourceInfo{2, "Update", none, execute},
    ResourceInfo{3, "State", integer, read},
    ResourceInfo{5, "Update Result", integer, read},
    ResourceInfo{6, "PkgName", string, read},
    ResourceInfo{7, "PkgVersion", string, read},
    ResourceInfo{8, "Firmware Update Protocol Support", integer, read, many},
    ResourceInfo{9, "Firmware Update Delivery Method", integer, read},
    ResourceInfo{10, "Cancel", none, execute},
    ResourceInfo{11, "Severity", integer, read_write},
    ResourceInfo{12, "Last State Change Time", time, read},
    ResourceInfo{13, "Maximum Defer Period", unsigned_integer, read_write},
    ResourceInfo{14, "Component Name", string, read},
    ResourceInfo{15, "Current Version", string, read},
    ResourceInfo{16, "Linked Instances", object_link, read, many},
    ResourceInfo{17, "Conflicting Instances", object_link, read, many},
};

constexpr std::array objects{
    ObjectInfo{0, "Security", object_0},
    ObjectInfo{1, "Server", object_1},
    ObjectInfo{2, "Access Control", object_2},
    ObjectInfo{3, "Device", object_3},
    ObjectInfo{4, "Connectivity Monitoring", object_4},
    ObjectInfo{5, "Firmware Update", object_5},
    ObjectInfo{6, "Location", object_6},
    ObjectInfo{7, "Connectivity Statistics", object_7},
    ObjectInfo{9, "Software Management", object_9},
    ObjectInfo{10, "Cellular Connectivity", object_10},
    ObjectInfo{11, "APN Connection Profile", object_11},
    ObjectInfo{19, "BinaryAppDataContainer", object_19},
    ObjectInfo{21, "OSCORE", object_21},
    ObjectInfo{3303, "Temperature", object_3303},
    ObjectInfo{3304, "Humidity", object_3304},
    ObjectInfo{3313, "Accelerometer", object_3313},
    ObjectInfo{3315, "Barometer", object_3315},
    ObjectInfo{3342, "On/Off switch", object_3342},
    ObjectInfo{3347, "Push button", object_3347},
    ObjectInfo{26245, "External Flash", object_26245},
    ObjectInfo{33629, "Advanced Firmware Update", object_33629},
};

}  // namespace

std::span<const ObjectInfo> known_objects() noexcept {
    return objects;
}

const ObjectInfo* find_object(std::uint16_t id) noexcept {
    for (const auto& object : objects)
        if (object.id == id) return &object;
    return nullptr;
}

const ResourceInfo* find_resource(const Path& path) noexcept {
    const auto* object = find_object(path.object);
    if (object == nullptr || !path.resource) return nullptr;
    for (const auto& resource : object->resources)
        if (resource.id == *path.resource) return &resource;
    return nullptr;
}

std::string path_name(const Path& path) {
    const auto* object = find_object(path.object);
    if (object == nullptr) return "";
    const auto* resource = find_resource(path);
    if (resource == nullptr) return path.resource ? "" : std::string(object->name);
    return std::string(object->name) + " / " + std::string(resource->name);
}

Type resource_type(const Path& path) noexcept {
    const auto* resource = find_resource(path);
    return resource == nullptr ? Type::none : resource->type;
}

}  // namespace fota::lwm2m
