#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "image/image.hpp"
#include "image/key.hpp"
#include "layout/rules.hpp"
#include "layout/text.hpp"

namespace fota::layout::rules {
namespace {

struct SignatureOption {
    std::string_view option;
    std::uint16_t tlv;
};
/// MCUboot's options and what they accept (boot/zephyr/Kconfig).
constexpr std::array signature_options{SignatureOption{"CONFIG_BOOT_SIGNATURE_TYPE_ECDSA_P256", image::tlv::ecdsa},
                                       SignatureOption{"CONFIG_BOOT_SIGNATURE_TYPE_ED25519", image::tlv::ed25519},
                                       SignatureOption{"CONFIG_BOOT_SIGNATURE_TYPE_RSA", image::tlv::rsa2048}};

std::optional<std::uint16_t> wanted_signature(const Project& project) {
    for (const auto& [option, tlv] : signature_options)
        if (project.mcuboot.config.on(option))
            return tlv == image::tlv::rsa2048 &&
                           project.mcuboot.config.number("CONFIG_BOOT_SIGNATURE_TYPE_RSA_LEN", 2048) == 3072
                       ? image::tlv::rsa3072
                       : tlv;
    return std::nullopt;
}

/// Looks for words in the sources of a project, bounded in files, directories, bytes and depth.
class Search {
  public:
    Search(const FileTree& files, std::span<const std::string_view> words) : files_(files), words_(words) {}

    /// One of the words is in a source below `directory`, or there is too much to read: nothing is claimed then.
    bool found(const std::string& directory, unsigned depth = 0) {
        for (const auto& entry : files_.list(directory)) {
            const auto path = join(directory, entry.name);
            if (entry.is_directory) {
                // A build's copies, tests and other people's code decide nothing; src was read before the rest.
                static constexpr std::array<std::string_view, 6> passed{"build", "tests", "doc",
                                                                        "docs",  "src",   "boards"};
                const bool skip = entry.name.starts_with('.') ||
                                  (depth == 0 && directory.empty() &&
                                   std::ranges::find(passed, std::string_view(entry.name)) != passed.end());
                if (skip || depth >= 8) continue;
                // A tree of directories without sources takes as long to walk as one with them.
                if (++directories_ > most_directories || found(path, depth + 1)) return true;
                continue;
            }
            const std::string_view name = entry.name;
            static constexpr std::array<std::string_view, 6> endings{".c", ".cpp", ".cc", ".h", ".hpp", ".rs"};
            if (std::ranges::none_of(endings, [&](std::string_view ending) { return name.ends_with(ending); }))
                continue;
            if (count_ >= most_files || bytes_ >= most_bytes) return true;
            const auto text = read_text(files_, path, 1U << 20);
            ++count_;
            if (!text) continue;
            bytes_ += text->size();
            for (const auto word : words_)
                if (text->find(word) != std::string::npos) return true;
        }
        return false;
    }
    std::size_t count() const noexcept { return count_; }

  private:
    static constexpr std::size_t most_files = 3000;
    static constexpr std::size_t most_directories = 3000;
    static constexpr std::size_t most_bytes = 24U << 20;
    const FileTree& files_;
    std::span<const std::string_view> words_;
    std::size_t count_ = 0;
    std::size_t directories_ = 0;
    std::size_t bytes_ = 0;
};

/// The setting that has MCUboot take encrypted images; nullptr when none is on.
const Setting* encryption_setting(const Project& project) {
    const auto* setting = project.mcuboot.config.find("CONFIG_BOOT_ENCRYPT_IMAGE");
    if (setting == nullptr) setting = project.sysbuild.find("SB_CONFIG_BOOT_ENCRYPTION");
    return setting != nullptr && setting->value == "y" ? setting : nullptr;
}

}  // namespace

void full_modem_image_for_app(const Project&, const Inputs& inputs, Findings& findings) {
    if (inputs.image->what != "a full modem firmware") return;
    auto& f = findings.add(Severity::error, {inputs.image->name, 0},
                           "This is a full modem firmware (CBOR 84 d2), not an application image.");
    f.expected = "an MCUboot image";
    f.found = inputs.image->what;
    f.fix = "send it to the modem's instance, not to the application's";
}

void image_not_signed(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto& facts = *inputs.image;
    if (facts.walkable && (facts.signature_type || (project.tree == Tree::build && project.mcuboot.config_readable &&
                                                    !wanted_signature(project))))
        return;
    auto& f = findings.add(Severity::error, {facts.name, 0},
                           facts.walkable ? "The image carries no signature; MCUboot refuses it."
                                          : "MCUboot refuses this file: it is no image with a header that it knows.");
    f.expected = "a signed MCUboot image (zephyr.signed.bin)";
    f.found = facts.walkable ? "no signature" : facts.what;
    f.fix =
        "upload <application>/zephyr/zephyr.signed.bin of the build, or sign: fotactl image sign --key KEY --version "
        "1.2.3 IN OUT";
}

void image_larger_than_secondary(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto layout = slots(project);
    if (!layout || inputs.image->size <= layout->secondary.size) return;
    auto& f = findings.add(Severity::error, {inputs.image->name, 0},
                           "The image is larger than the secondary slot: the download fails.");
    f.expected = fmt::format("at most {} bytes", with_thousands(layout->secondary.size));
    f.found = with_thousands(inputs.image->size);
    f.fix = "enlarge both slots, or shrink the image";
}

void image_exceeds_swap_limit(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto layout = slots(project);
    const auto& facts = *inputs.image;
    if (!layout || !facts.walkable) return;
    const std::uint64_t limit = image_limit(*layout);
    if (facts.end <= limit) return;
    // imgtool counts 128 sectors, does not round its trailer up and keeps no sector for the move.
    const fota_slot_geometry assumed{1, 1, page_size, 128, write_size};
    const auto accepted = layout->primary.size -
                          std::min<std::uint64_t>(layout->primary.size, fota_trailer_size(FOTA_BOOT_MOVE, &assumed));
    auto& f = findings.add(
        Severity::error, {facts.name, 0},
        fmt::format(
            "The image does not leave MCUboot the room it needs to swap ({}, {} sectors): {}.",
            boot_mode_name(layout->mode), layout->max_sectors,
            facts.end <= accepted
                ? fmt::format(
                      "imgtool accepts up to {} bytes in this slot and signs it without a word, the device refuses it",
                      with_thousands(accepted))
                : std::string("the device refuses it")));
    f.expected = fmt::format("at most {} bytes", with_thousands(limit));
    f.found = with_thousands(facts.end);
    f.fix = "shrink the image, or enlarge both slots";
}

void key_not_in_mcuboot(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto& facts = *inputs.image;
    if (!facts.walkable) return;
    if (inputs.baseline) key_of_baseline(project, inputs, findings);
    if (project.tree == Tree::source || !project.mcuboot.config_readable) return;
    const auto wanted = wanted_signature(project);
    if (wanted && facts.signature_type && *wanted != *facts.signature_type) {
        auto& f = findings.add(Severity::error, {facts.name, 0},
                               "The image is signed with another kind of key than MCUboot was built for.");
        f.expected = image::tlv_name(*wanted);
        f.found = image::tlv_name(*facts.signature_type);
        f.fix = "one key file and type for both: SB_CONFIG_BOOT_SIGNATURE_KEY_FILE and SB_CONFIG_BOOT_SIGNATURE_TYPE_…";
        return;
    }
    const auto key = pinned_key(project);
    if (!key || facts.key_hash.size() != 32) return;
    const auto hash = sha256(*key);
    if (std::ranges::equal(hash, facts.key_hash)) return;
    auto& f = findings.add(Severity::error, {facts.name, 0},
                           "The image is signed with a key that this MCUboot does not hold.");
    f.expected = short_hex(hash);
    f.found = short_hex(facts.key_hash);
    f.fix = "sign with the key whose public half is in mcuboot/zephyr/autogen-pubkey.c";
}

void development_key(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto published = [](std::string_view path) {
        const auto name = base_name(path);
        return name.starts_with("root-") && name.ends_with(".pem");
    };
    const auto say = [&](Where where, std::string found) {
        auto& f = findings.add(
            Severity::warning, std::move(where),
            "MCUboot trusts a published development key: anyone can sign an update that these devices install.");
        f.expected = "a key of your own";
        f.found = std::move(found);
        f.fix =
            "fotactl key new --type ecdsa-p256 --out release.pem, and in sysbuild.conf:\n  "
            "SB_CONFIG_BOOT_SIGNATURE_KEY_FILE=\"/path/to/release.pem\"";
    };
    if (inputs.image && !inputs.image->key_hash.empty())
        if (const auto name = image::development_key_name(inputs.image->key_hash); !name.empty())
            say({inputs.image->name, 0}, std::string(name));
    constexpr std::string_view option = "SB_CONFIG_BOOT_SIGNATURE_KEY_FILE";
    if (project.tree == Tree::source) {
        if (!project.sysbuild.on("SB_CONFIG_BOOTLOADER_MCUBOOT")) return;
        const auto* setting = project.sysbuild.find(option);
        if (setting == nullptr || setting->value.empty()) {
            say(project.sysbuild.find("SB_CONFIG_BOOTLOADER_MCUBOOT")->where,
                "no key file, so root-ec-p256.pem by default");
        } else if (published(setting->value)) {
            say(setting->where, std::string(base_name(setting->value)));
        }
        return;
    }
    const auto* setting = project.mcuboot.config.find("CONFIG_BOOT_SIGNATURE_KEY_FILE");
    if (setting != nullptr && published(setting->value)) say(setting->where, std::string(base_name(setting->value)));
}

void reset_vector_outside_primary(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto layout = slots(project);
    if (!layout || !inputs.image->reset_vector) return;
    const std::uint64_t vector = *inputs.image->reset_vector;
    const auto within = [&](std::uint64_t from, std::uint64_t to) { return vector >= from && vector < to; };
    if (within(layout->primary.address, layout->primary.end())) return;
    for (const char* name : {"s0", "s1"})
        if (const auto* one = project.partition(name); one != nullptr && within(one->address, one->end())) return;
    auto& f = findings.add(Severity::error, {inputs.image->name, 0},
                           "The image was linked for another place: its reset vector points outside the primary slot.");
    f.expected = fmt::format("{:#x} to {:#x}", layout->primary.address, layout->primary.end());
    f.found = fmt::format("{:#x}", vector);
    f.fix = "build the image with this layout";
}

void wrong_slot_mcuboot_update(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto* s0 = project.partition("s0");
    const auto* s1 = project.partition("s1");
    if (s0 == nullptr || s1 == nullptr || !inputs.image->reset_vector) return;
    // The build names its candidates signed_by_mcuboot_and_b0_mcuboot.bin (s0) and
    // signed_by_mcuboot_and_b0_s1_image.bin.
    const auto name = base_name(inputs.image->name);
    const bool for_s1 = name.find("s1_image") != std::string_view::npos;
    const bool for_s0 =
        name.find("s0_image") != std::string_view::npos || name.find("b0_mcuboot") != std::string_view::npos;
    if (for_s0 == for_s1) return;
    const std::uint64_t vector = *inputs.image->reset_vector;
    const auto* wanted = for_s1 ? s1 : s0;
    const auto* other = for_s1 ? s0 : s1;
    if (vector < other->address || vector >= other->end()) return;
    auto& f = findings.add(Severity::error, {inputs.image->name, 0},
                           fmt::format("This MCUboot update is named for {} and linked for {}: it would not run there.",
                                       wanted->name, other->name));
    f.expected = fmt::format("a reset vector within {:#x} to {:#x}", wanted->address, wanted->end());
    f.found = fmt::format("{:#x}", vector);
    f.fix = "send the candidate that was built for the slot which is not in use";
}

void image_never_confirmed(const Project& project, const Inputs&, Findings& findings) {
    // An update that is requested as permanent needs no confirmation.
    static constexpr std::array<std::string_view, 5> words{"boot_write_img_confirmed", "boot_set_confirmed",
                                                           "lwm2m_init_image", "updatehub_confirm",
                                                           "BOOT_UPGRADE_PERMANENT"};
    const auto any_on = [&](std::initializer_list<const char*> options) {
        return std::ranges::any_of(options, [&](const char* option) { return project.app.config.on(option); });
    };
    // Libraries that confirm by themselves: MCUmgr on command, nRF Cloud's job once it is validated, Golioth once it is
    // connected, Mender once the artifact is committed, hawkBit as it starts.
    if (any_on({"CONFIG_MCUMGR_GRP_IMG", "CONFIG_MCUMGR_CMD_IMG_MGMT", "CONFIG_NRF_CLOUD_MQTT", "CONFIG_NRF_CLOUD_FOTA",
                "CONFIG_NRF_CLOUD_FOTA_POLL", "CONFIG_GOLIOTH_FW_UPDATE", "CONFIG_MENDER_MCU_CLIENT",
                "CONFIG_HAWKBIT"}))
        return;
    if (!project.external() && !project.sysbuild.on("SB_CONFIG_BOOTLOADER_MCUBOOT") &&
        !project.app.config.on("CONFIG_BOOTLOADER_MCUBOOT"))
        return;
    if (boot_mode(project) == FOTA_BOOT_OVERWRITE) return;  // there is no old image to go back to
    // A bootloader alone, with nothing that could bring an update: there is nothing to confirm.
    if ((!project.external() || project.external_by_board()) &&
        !any_on({"CONFIG_DFU_TARGET", "CONFIG_FOTA_DOWNLOAD", "CONFIG_LWM2M", "CONFIG_UPDATEHUB"})) {
        // The image manager alone brings nothing; the application's own code may use it.
        static constexpr std::array<std::string_view, 4> storing{"boot_request_upgrade", "flash_img_", "stream_flash_",
                                                                 "dfu_target_"};
        if (!any_on({"CONFIG_IMG_MANAGER", "CONFIG_MCUBOOT_IMG_MANAGER", "CONFIG_STREAM_FLASH"}) ||
            !Search(*project.files, storing).found("src"))
            return;
    }
    Search search(*project.files, words);
    if (search.found("src") || search.count() == 0 || search.found("")) return;
    auto& f =
        findings.add(Severity::warning, {"src", 0},
                     "Nothing in the sources confirms a new image: MCUboot reverts to the old one at the next reset.");
    f.expected = "boot_write_img_confirmed() or lwm2m_init_image()";
    f.found = "neither";
    f.fix = "call boot_write_img_confirmed() once the new image has reached the server";
}

void merged_hex_has_external(const Project& project, const Inputs&, Findings& findings) {
    if (!project.files->is_file("merged.hex")) return;
    const auto text = read_text(*project.files, "merged.hex", 8U << 20);
    if (!text) {  // 1 MiB of internal flash makes less than 3 MiB of text
        auto& f = findings.add(Severity::note, {"merged.hex", 0},
                               "merged.hex was not read to its end: " + text.error().message());
        f.expected = "a file that holds internal flash alone, under 3 MiB";
        f.found = "more, or no text";
        f.fix = "flash the internal part only";
        return;
    }
    bool said = false;
    for_each_line(*text, [&](unsigned line, std::string_view raw) {
        // ":02000004hhhhcc": extended linear address; internal flash lies below 0x10000000.
        if (said || raw.size() < 13 || !raw.starts_with(":02000004")) return;
        const auto high = from_hex(raw.substr(9, 4));
        if (!high || (*high)[0] < 0x10 || (*high)[0] >= 0xff) return;
        said = true;
        auto& f = findings.add(Severity::note, {"merged.hex", line},
                               "merged.hex has records of external flash, which a debugger cannot write over SPI.");
        f.expected = "addresses below 0x10000000";
        f.found = "0x" + to_hex(*high) + "0000";
        f.fix = "flash the internal part only";
    });
}

void external_image_readable(const Project& project, const Inputs&, Findings& findings) {
    if (encryption_setting(project) != nullptr) return;
    const auto* asked = project.sysbuild.find("SB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY");
    auto& f =
        findings.add(Severity::note, asked == nullptr ? Where{} : asked->where,
                     "Images lie unencrypted in the external flash: whoever has the device can read the firmware with "
                     "a clip on the part.");
    f.expected = "image encryption, where the firmware is a secret";
    f.found = "none";
    f.fix = "SB_CONFIG_BOOT_ENCRYPTION=y in sysbuild.conf, and fotactl image sign --encrypt-to PUB";
}

void swap_plaintext_on_bus(const Project& project, const Inputs&, Findings& findings) {
    const auto* setting = encryption_setting(project);
    if (setting == nullptr) return;
    auto& f = findings.add(Severity::note, setting->where,
                           "With encrypted images MCUboot still moves plain text over the flash's bus while it swaps.");
    f.expected = "a threat model that accepts this";
    f.found = "image encryption with an external secondary slot";
    f.fix = "assess whether the bus can be probed";
}

}  // namespace fota::layout::rules
