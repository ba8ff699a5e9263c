// The rules that compare a build with what is in the field.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "image/image.hpp"
#include "layout/baseline.hpp"
#include "layout/rules.hpp"

namespace fota::layout {
namespace {

constexpr std::string_view keep =
    "keep the addresses and sizes of the release that is in the field; without an updatable MCUboot (second-stage "
    "bootloader) other ones need a cable";

bool has_second_stage(const Baseline& one) {
    return one.find("b0") != nullptr && one.find("s0") != nullptr && one.find("s1") != nullptr;
}

std::string place(std::uint64_t address, std::uint64_t size, std::string_view region) {
    return fmt::format("{:#x} + {:#x} in {}", address, size, region);
}
std::string place(const Slot& slot) {
    return place(slot.address, slot.size, slot.external ? "external flash" : "internal flash");
}

void layout_drifted(const Baseline& before, const Baseline& after, Findings& findings) {
    const auto say = [&](std::string_view what, std::string expected, std::string found, Where where) {
        auto& f = findings.add(
            Severity::error, std::move(where),
            fmt::format("{} is not where the release in the field has it. The MCUboot out there keeps the addresses it "
                        "was built with: it would look in the wrong place.",
                        what));
        f.expected = std::move(expected);
        f.found = std::move(found);
        f.fix = keep;
    };
    const auto slot = [&](std::string_view what, const Slot& was, const Slot& is) {
        if (was.address != is.address || was.size != is.size || was.external != is.external)
            say(what, place(was), place(is), is.where);
    };
    slot("mcuboot_primary", before.slots.primary, after.slots.primary);
    slot("mcuboot_secondary", before.slots.secondary, after.slots.secondary);
    for (const char* name : {"mcuboot", "s0", "s1"}) {
        const auto* was = before.find(name);
        const auto* is = after.find(name);
        if (was == nullptr && is == nullptr) continue;
        // A devicetree layout has no partition of MCUboot's own inside s0; its absence on one side alone tells nothing
        // of s0 and s1, which are compared themselves.
        if (was != nullptr && is != nullptr && was->address == is->address && was->size == is->size &&
            was->external() == is->external())
            continue;
        const auto text = [](const Partition* one) {
            return one == nullptr ? std::string("none") : place(one->address, one->size, one->region);
        };
        say(name, text(was), text(is), is == nullptr ? Where{} : is->where);
    }
    if (before.slots.mode == after.slots.mode) return;
    auto& f = findings.add(Severity::error, {},
                           "MCUboot's swap mode is not that of the release in the field, whose MCUboot goes on with "
                           "its own: it places and reads images by that.");
    f.expected = boot_mode_name(before.slots.mode);
    f.found = boot_mode_name(after.slots.mode);
    f.fix = "keep the mode of the release that is in the field";
}

void secondary_moved(const Baseline& before, const Baseline& after, Findings& findings) {
    const auto& was = before.slots.secondary;
    const auto& is = after.slots.secondary;
    if (!was.external || !is.external || was.address == is.address) return;
    auto& f =
        findings.add(Severity::note, is.where,
                     "The external secondary slot has moved: an application in the field writes to the old place, "
                     "a new MCUboot reads at the new one.");
    f.expected = fmt::format("{:#x}", was.address);
    f.found = fmt::format("{:#x}", is.address);
    f.fix = "keep external addresses of shipped releases for ever";
}

void secondary_went_external(const Baseline& before, const Baseline& after, Findings& findings) {
    if (before.slots.secondary.external || !after.slots.secondary.external || has_second_stage(before)) return;
    auto& f = findings.add(Severity::note, after.slots.secondary.where,
                           "The secondary slot went from internal to external flash, and the MCUboot in the field "
                           "cannot be updated: it goes on looking in internal flash.");
    f.expected = "an updatable MCUboot (b0, s0, s1) in the release that is in the field";
    f.found = "none";
    f.fix = "reach these devices with a cable, or leave the slot where it is";
}

void app_start_moved(const Baseline& before, const Baseline& after, Findings& findings) {
    for (const char* name : {"app", "tfm_nonsecure"}) {
        const auto* was = before.find(name);
        const auto* is = after.find(name);
        if (was == nullptr || is == nullptr || was->address == is->address) continue;
        auto& f = findings.add(Severity::warning, is->where,
                               fmt::format("{} starts elsewhere than in the release in the field: images of either "
                                           "release do not run with the other's TF-M.",
                                           name));
        f.expected = fmt::format("{:#x}", was->address);
        f.found = fmt::format("{:#x}", is->address);
        f.fix = "keep the size of TF-M and of the header, or ship both together and never mix";
        return;  // the other follows from it
    }
    if (!before.header_size || !after.header_size || *before.header_size == *after.header_size) return;
    auto& f =
        findings.add(Severity::warning, {}, "The image header is of another size than the release's in the field.");
    f.expected = fmt::format("{:#x}", *before.header_size);
    f.found = fmt::format("{:#x}", *after.header_size);
    f.fix = "sign with the header size of the release that is in the field";
}

void key_changed(const Baseline& before, const Baseline& after, Findings& findings) {
    const auto say = [&](std::string expected, std::string found) {
        auto& f = findings.add(Severity::error, {},
                               "This is signed with another key than the MCUboot in the field trusts: it refuses the "
                               "image (\"Image in the secondary slot is not valid\").");
        f.expected = std::move(expected);
        f.found = std::move(found);
        f.fix = "sign with the key of the release that is in the field";
    };
    if (before.signature && after.signature && *before.signature != *after.signature) {
        say(image::tlv_name(*before.signature), image::tlv_name(*after.signature));
    } else if (!before.key_hash.empty() && before.key_hash.size() == after.key_hash.size() &&
               before.key_hash != after.key_hash) {
        say(short_hex(before.key_hash), short_hex(after.key_hash));
    }
}

void version_not_raised(const Baseline& before, const Baseline& after, Findings& findings) {
    const bool refused = before.downgrade_prevention || after.downgrade_prevention;
    const auto severity = refused ? Severity::error : Severity::warning;
    const std::string_view consequence =
        refused ? "MCUboot's downgrade prevention erases it" : "the fleet cannot tell old from new";
    if (before.version && after.version && *after.version <= *before.version) {
        auto& f = findings.add(
            severity, {}, fmt::format("The version is not above that of the release in the field: {}.", consequence));
        f.expected = fmt::format("more than {}", before.version->text());
        f.found = after.version->text();
        f.fix = "raise the version (CONFIG_MCUBOOT_IMGTOOL_SIGN_VERSION, or --version when signing)";
    }
    if (before.security_counter && after.version && after.security_counter.value_or(0) < *before.security_counter) {
        auto& f = findings.add(severity, {}, "The security counter is below that of the release in the field.");
        f.expected = fmt::format("at least {}", *before.security_counter);
        f.found = after.security_counter ? std::to_string(*after.security_counter) : "none";
        f.fix =
            "raise the counter (SB_CONFIG_MCUBOOT_HARDWARE_DOWNGRADE_PREVENTION_COUNTER_VALUE, or "
            "--security-counter when signing)";
    }
}

template <auto Compare>
void against_baseline(const Project& project, const Inputs& inputs, Findings& findings) {
    if (auto now = snapshot(project, inputs.image ? &*inputs.image : nullptr))
        Compare(*inputs.baseline, *now, findings);
}

/// What an image alone tells: no slots are needed to compare keys and versions.
Baseline of_image(const ImageFacts& image) {
    Baseline out;
    if (!image.walkable) return out;
    out.key_hash = image.key_hash;
    out.signature = image.signature_type;
    out.version = image.version;
    out.security_counter = image.security_counter;
    return out;
}

}  // namespace

const std::vector<DriftRule>& drift_rules() {
    static const std::vector<DriftRule> table{
        {"layout-drifted-from-baseline", layout_drifted},   {"key-not-in-mcuboot", key_changed},
        {"version-not-raised", version_not_raised},         {"app-start-moved", app_start_moved},
        {"secondary-moved-from-baseline", secondary_moved}, {"secondary-went-external", secondary_went_external}};
    return table;
}

std::vector<Finding> drift(const Baseline& before, const Baseline& after) {
    Findings findings;
    for (const auto& rule : drift_rules()) {
        findings.begin(std::string(rule.name));
        rule.apply(before, after, findings);
    }
    return in_order(std::move(findings.list()));
}

namespace rules {

void layout_drifted_from_baseline(const Project& p, const Inputs& i, Findings& f) {
    against_baseline<layout_drifted>(p, i, f);
}
void secondary_moved_from_baseline(const Project& p, const Inputs& i, Findings& f) {
    against_baseline<secondary_moved>(p, i, f);
}
void secondary_went_external(const Project& p, const Inputs& i, Findings& f) {
    against_baseline<layout::secondary_went_external>(p, i, f);
}
void app_start_moved(const Project& p, const Inputs& i, Findings& f) {
    against_baseline<layout::app_start_moved>(p, i, f);
}
void key_of_baseline(const Project&, const Inputs& i, Findings& f) {
    key_changed(*i.baseline, of_image(*i.image), f);
}
void version_not_raised(const Project& p, const Inputs& i, Findings& f) {
    auto now = of_image(*i.image);
    now.downgrade_prevention = prevents_downgrade(p);
    layout::version_not_raised(*i.baseline, now, f);
}

}  // namespace rules
}  // namespace fota::layout
