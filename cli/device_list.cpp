// fotactl device list: the devices that the state directory knows, and how each one's newest update stands. Listens to
// nothing, and reads beside an update that runs.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "adapters/sqlite_store.hpp"
#include "base/text.hpp"
#include "cli/device.hpp"
#include "release/timestamp.hpp"
#include "update/device_record.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string state_dir;
};

using update::DeviceRecord;

nlohmann::json row(const DeviceRecord& device) {
    const auto text = [](const std::string& value) {
        return value.empty() ? nlohmann::json() : nlohmann::json(printable(value));
    };
    nlohmann::json out{{"endpoint", printable(device.endpoint)},
                       {"version", text(device.version)},
                       {"to_version", text(device.to_version)},
                       {"outcome", text(device.outcome)},
                       {"step", text(device.step)},
                       {"last_contact", nullptr},
                       {"lifetime", nullptr}};
    if (device.last_contact) out["last_contact"] = release::timestamp_text(*device.last_contact);
    if (device.lifetime) out["lifetime"] = device.lifetime->count();
    return out;
}

/// "updated to 2.0.0", "transfer to 2.0.0, unfinished", "-"
std::string update_text(const DeviceRecord& device) {
    const bool open = device.outcome.empty();
    const auto& word = open ? device.step : device.outcome;
    if (word.empty()) return "-";
    auto out = printable(word);
    if (!device.to_version.empty()) out += " to " + printable(device.to_version);
    return open ? out + ", unfinished" : out;
}

std::string contact_text(const DeviceRecord& device, std::chrono::system_clock::time_point now) {
    if (!device.last_contact) return "never";
    const auto ago = std::chrono::floor<std::chrono::seconds>(now - *device.last_contact);
    if (ago.count() < 0) return release::timestamp_text(*device.last_contact);
    if (ago.count() == 0) return "just now";
    return human_duration(ago) + " ago";
}

void show(Output& out, const std::vector<DeviceRecord>& devices) {
    const auto now = std::chrono::system_clock::now();
    std::vector<std::array<std::string, 4>> rows{{"endpoint", "version", "newest update", "last contact"}};
    for (const auto& device : devices)
        rows.push_back({printable(device.endpoint), device.version.empty() ? "-" : printable(device.version),
                        update_text(device), contact_text(device, now)});
    std::array<std::size_t, 3> widths{};
    for (const auto& each : rows)
        for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], each[i].size());
    for (const auto& each : rows)
        out.line(fmt::format(" {:<{}}  {:<{}}  {:<{}}  {}", each[0], widths[0], each[1], widths[1], each[2], widths[2],
                             each[3]));
}

Result<std::vector<DeviceRecord>> known_devices(const std::filesystem::path& directory) {
    TRY(const auto store, adapters::SqliteStore::open_to_read(directory));
    std::vector<DeviceRecord> out;
    if (store == nullptr) return out;
    TRY(const auto endpoints, store->subjects());
    for (const auto& endpoint : endpoints) {
        TRY(const auto facts, store->facts(endpoint));
        out.push_back(update::device_record(endpoint, facts));
    }
    return out;
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto directory = program.config.state_dir(options.state_dir).text;
    const auto devices = known_devices(directory);
    if (!devices) return out.fail(devices.error());
    auto rows = nlohmann::json::array();
    for (const auto& device : *devices) {
        rows.push_back(row(device));
        out.event("device", rows.back());
    }
    if (devices->empty()) {
        out.line(fmt::format("no device is known in {}: the first update or device command brings one",
                             printable(directory)));
    } else {
        show(out, *devices);
    }
    return out.result("done", {{"devices", rows}});
}

}  // namespace

void add_device_list(CLI::App& group, Program& program) {
    add_command<Options>(
        group, program, "list", "the devices the state directory knows, and how their newest update stands",
        [](CLI::App& app, Options& o) {
            app.add_option("--state-dir", o.state_dir, "where the journal is kept")->type_name("D");
        },
        run);
}

}  // namespace fota::cli
