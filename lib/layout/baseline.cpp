#include "layout/baseline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "image/image.hpp"
#include "layout/check.hpp"

namespace fota::layout {
namespace {

using nlohmann::json;

constexpr std::size_t most_partitions = 1000;
constexpr std::size_t longest_name = 200;
constexpr std::array modes{std::pair{FOTA_BOOT_MOVE, "move"}, std::pair{FOTA_BOOT_OFFSET, "offset"},
                           std::pair{FOTA_BOOT_SCRATCH, "scratch"}, std::pair{FOTA_BOOT_OVERWRITE, "overwrite"}};

json slot_json(const Slot& slot) {
    return {{"address", slot.address}, {"size", slot.size}, {"device", slot.device}, {"external", slot.external}};
}

/// Takes values out of a document; the first one that does not fit is remembered.
class Taker {
  public:
    explicit Taker(const json& from, std::string what = {}) : from_(from), what_(std::move(what)) {}

    std::string text(const char* key, bool required = false) {
        const auto it = from_.find(key);
        if (it == from_.end() || it->is_null()) return missing(key, required, "");
        if (!it->is_string() || it->get_ref<const std::string&>().size() > longest_name)
            return wrong(key, fmt::format("a text of at most {} bytes", longest_name), "");
        return it->get<std::string>();
    }
    std::uint64_t number(const char* key, std::uint64_t most, bool required = true) {
        const auto it = from_.find(key);
        if (it == from_.end() || it->is_null()) return missing(key, required, std::uint64_t{0});
        if (!it->is_number_unsigned() || it->get<std::uint64_t>() > most)
            return wrong(key, fmt::format("a number up to {}", most), std::uint64_t{0});
        return it->get<std::uint64_t>();
    }
    bool flag(const char* key) {
        const auto it = from_.find(key);
        if (it == from_.end() || it->is_null()) return false;
        return it->is_boolean() ? it->get<bool>() : wrong(key, "true or false", false);
    }
    bool has(const char* key) const { return from_.contains(key) && !from_.at(key).is_null(); }
    template <class T>
    T wrong(const char* key, const std::string& expected, T instead) {
        if (!error_)
            error_ = Error(Errc::message_malformed,
                           fmt::format("expected {}{} to be {}, found something else", what_, key, expected));
        return instead;
    }
    std::optional<Error>& error() { return error_; }

  private:
    template <class T>
    T missing(const char* key, bool required, T instead) {
        return required ? wrong(key, "there", std::move(instead)) : instead;
    }
    const json& from_;
    std::string what_;
    std::optional<Error> error_;
};

constexpr std::uint64_t bits32 = std::numeric_limits<std::uint32_t>::max();

Result<Slot> slot_of(const json& document, const char* key) {
    const auto slots = document.find("slots");
    const auto it = slots == document.end() || !slots->is_object() ? document.end() : slots->find(key);
    if (slots == document.end() || !slots->is_object() || it == slots->end() || !it->is_object())
        return fail(Errc::message_malformed,
                    fmt::format("expected slots.{} in the baseline, found no such entry", key));
    Taker take(*it, fmt::format("slots.{}.", key));
    Slot out;
    out.address = take.number("address", bits32);
    out.size = take.number("size", bits32);
    out.device = take.text("device");
    out.external = take.flag("external");
    if (take.error()) return fail(std::move(*take.error()));
    if (out.size == 0)
        return fail(Errc::message_malformed, fmt::format("expected slots.{} to have a size, found 0", key));
    return out;
}

}  // namespace

bool prevents_downgrade(const Project& project) {
    for (const char* option :
         {"CONFIG_MCUBOOT_DOWNGRADE_PREVENTION", "CONFIG_MCUBOOT_DOWNGRADE_PREVENTION_SECURITY_COUNTER",
          "CONFIG_MCUBOOT_HARDWARE_DOWNGRADE_PREVENTION", "CONFIG_MCUBOOT_HW_DOWNGRADE_PREVENTION"})
        if (project.mcuboot.config.on(option)) return true;
    for (const char* option :
         {"SB_CONFIG_MCUBOOT_DOWNGRADE_PREVENTION", "SB_CONFIG_MCUBOOT_HARDWARE_DOWNGRADE_PREVENTION"})
        if (project.sysbuild.on(option)) return true;
    return false;
}

const Partition* Baseline::find(std::string_view partition) const {
    const auto it = std::ranges::find(partitions, partition, &Partition::name);
    return it == partitions.end() ? nullptr : &*it;
}

Result<Baseline> snapshot(const Project& project, const ImageFacts* image) {
    Baseline out;
    out.name = project.files->display_name("");
    if (project.board) {
        out.board = project.board->board;
        if (!project.board->revision.empty()) out.board += "@" + project.board->revision;
        if (!project.board->qualifiers.empty()) out.board += "/" + project.board->qualifiers;
    }
    out.sdk = project.sdk_version;
    TRY(out.slots, slots(project));
    for (auto* slot : {&out.slots.primary, &out.slots.secondary}) slot->device = device_path(slot->device);
    out.partitions = all_partitions(project);
    out.downgrade_prevention = prevents_downgrade(project);
    if (const auto* pad = out.find("mcuboot_pad")) out.header_size = static_cast<std::uint32_t>(pad->size);
    if (image != nullptr && image->walkable) {
        out.header_size = image->header_size;
        out.key_hash = image->key_hash;
        out.signature = image->signature_type;
        out.version = image->version;
        out.security_counter = image->security_counter;
    }
    if (out.key_hash.empty())
        if (const auto key = pinned_key(project)) {
            const auto hash = sha256(*key);
            out.key_hash.assign(hash.begin(), hash.end());
        }
    return out;
}

json to_json(const Baseline& baseline) {
    const auto mode = std::ranges::find(modes, baseline.slots.mode, [](const auto& pair) { return pair.first; });
    json out = {
        {"format", baseline_format},
        {"board", baseline.board},
        {"sdk", baseline.sdk},
        {"mode", mode->second},
        {"max_sectors", baseline.slots.max_sectors},
        {"limit", image_limit(baseline.slots)},
        {"slots", {{"primary", slot_json(baseline.slots.primary)}, {"secondary", slot_json(baseline.slots.secondary)}}},
        {"downgrade_prevention", baseline.downgrade_prevention}};
    auto& partitions = out["partitions"] = json::array();
    for (const auto& one : baseline.partitions)
        partitions.push_back(
            {{"name", one.name}, {"address", one.address}, {"size", one.size}, {"region", one.region}});
    if (baseline.header_size) out["header_size"] = *baseline.header_size;
    if (!baseline.key_hash.empty()) out["key_hash"] = to_hex(baseline.key_hash);
    if (baseline.signature) out["signature"] = *baseline.signature;
    if (baseline.version) out["version"] = baseline.version->full();
    if (baseline.security_counter) out["security_counter"] = *baseline.security_counter;
    return out;
}

Result<Baseline> parse_baseline(std::string_view text, std::string name) {
    const auto document = json::parse(text, nullptr, false);
    Baseline out;
    out.name = std::move(name);
    if (!document.is_object())
        return fail(Errc::message_malformed,
                    "expected a baseline file (fotactl layout baseline), found no JSON object");
    Taker take(document);
    if (const auto format = take.text("format"); format != baseline_format)
        return fail(Errc::message_malformed, fmt::format("expected a baseline of format {}, found {}", baseline_format,
                                                         format.empty() ? "none" : printable(format, 40)));
    out.board = take.text("board");
    out.sdk = take.text("sdk");
    const auto mode_name = take.text("mode", true);
    const auto mode = std::ranges::find(modes, mode_name, [](const auto& pair) { return std::string(pair.second); });
    if (mode == modes.end()) {
        take.wrong("mode", "move, offset, scratch or overwrite", 0);
    } else {
        out.slots.mode = mode->first;
    }
    out.slots.max_sectors = static_cast<std::uint32_t>(take.number("max_sectors", bits32));
    out.downgrade_prevention = take.flag("downgrade_prevention");
    if (take.has("header_size")) out.header_size = static_cast<std::uint32_t>(take.number("header_size", 0xffff));
    if (take.has("signature")) out.signature = static_cast<std::uint16_t>(take.number("signature", 0xffff));
    if (take.has("security_counter"))
        out.security_counter = static_cast<std::uint32_t>(take.number("security_counter", bits32));
    if (const auto hash = take.text("key_hash"); !hash.empty()) {
        const auto bytes = from_hex(hash);
        if (bytes && bytes->size() >= 32 && bytes->size() <= 64) {
            out.key_hash = *bytes;
        } else {
            take.wrong("key_hash", "a hash in hexadecimal", 0);
        }
    }
    if (take.error()) return fail(std::move(*take.error()));
    if (const auto version = take.text("version"); !version.empty()) {
        auto parsed = image::Version::parse(version);
        if (!parsed)
            return fail(Errc::message_malformed,
                        fmt::format("expected version to be such as 1.2.3+4, found {}", printable(version, 40)));
        out.version = *parsed;
    }
    TRY(out.slots.primary, slot_of(document, "primary"));
    TRY(out.slots.secondary, slot_of(document, "secondary"));
    const auto list = document.find("partitions");
    if (list != document.end() && list->is_array() && list->size() <= most_partitions)
        for (const auto& entry : *list) {
            if (!entry.is_object())
                return fail(Errc::message_malformed, "expected partitions to be objects, found something else");
            Taker part(entry, "partitions: ");
            Partition one;
            one.name = part.text("name", true);
            one.address = part.number("address", bits32);
            one.size = part.number("size", bits32);
            one.region = part.text("region", true);
            one.placed = true;
            if (part.error()) return fail(std::move(*part.error()));
            out.partitions.push_back(std::move(one));
        }
    return out;
}

}  // namespace fota::layout
