#include "layout/boot_log.hpp"

#include <algorithm>
#include <array>

#include "layout/board.hpp"
#include "layout/text.hpp"

namespace fota::layout {
namespace {

constexpr std::size_t most_observations = 500;
constexpr std::size_t most_of_a_line = 300;

struct Pattern {
    Sign sign;
    std::string_view first;
    std::string_view also{};  ///< "" or a second text that the line must hold
};

/// In lower case; the first match of a line decides.
constexpr std::array patterns{
    Pattern{Sign::slot_not_in_map, "failed to open flash area", ": -2,"},
    Pattern{Sign::slot_not_ready, "failed to open flash area", ": -19"},
    Pattern{Sign::sectors_unreadable, "failed reading sectors"},
    Pattern{Sign::sectors_incompatible, "not a compatible amount of sectors"},
    Pattern{Sign::sectors_too_many, "more sectors than allowed"},
    Pattern{Sign::sector_layout_differs, "not same sector layout"},
    Pattern{Sign::write_sizes_differ, "slot write sizes are not compatible"},
    Pattern{Sign::scratch_too_small, "not all sectors fit inside scratch"},
    Pattern{Sign::primary_invalid, "image in the primary slot is not valid"},
    Pattern{Sign::secondary_invalid, "image in the secondary slot is not valid"},
    Pattern{Sign::nothing_bootable, "unable to find bootable image"},
    Pattern{Sign::no_room_to_swap, "not enough free space to run swap"},
    Pattern{Sign::no_room_to_swap, "bytes but only", "required"},
    Pattern{Sign::no_room_to_swap, "image size bigger than designated area"},
    Pattern{Sign::id_mismatch, "device id", "does not match config"},
    Pattern{Sign::id_read_failed, "jedec id read failed"},
    Pattern{Sign::dpd_exit_failed, "failed to exit dpd"},
    Pattern{Sign::sfdp_invalid, "sfdp magic", "invalid"},
    Pattern{Sign::sfdp_invalid, "sfdp read failed"},
    Pattern{Sign::four_byte_failed, "unable to enter 4-byte mode"},
    Pattern{Sign::size_mismatch, "device size", "mismatch"},
    Pattern{Sign::page_incompatible, "layout page", "not compatible"},
    Pattern{Sign::page_incompatible, "flash_layout_page_size incompatible"},
    Pattern{Sign::protection_stuck, "bp clear failed"},
    Pattern{Sign::fprotect_failed, "protect mcuboot flash failed"},
    Pattern{Sign::built_for_other_place, "built for offset"},
    Pattern{Sign::built_for_other_place, "reset address of image in secondary slot is not in the primary slot"},
    Pattern{Sign::built_for_other_place, "is not designated for the primary slot"},
    Pattern{Sign::wrong_bootloader_slot, "image in slot is for wrong s0/s1 image"},
    Pattern{Sign::version_too_low, "insufficient version in secondary slot"},
    Pattern{Sign::version_too_low, "erased due to downgrade prevention"},
    Pattern{Sign::version_too_low, "security counter value", "lower than"},
    Pattern{Sign::version_too_low, "security counter update failed"},
    Pattern{Sign::header_in_first_sector, "secondary header magic detected in first sector"},
    Pattern{Sign::undefined_device, "undefined reference to", "__device_dts_ord_"},
    Pattern{Sign::undefined_label, "undefined node label"},
    Pattern{Sign::alignment_error, "partition alignment error"},
    Pattern{Sign::alignment_error, "not aligned on spu region size"},
    Pattern{Sign::gaps, "incorrect amount of gaps"},
    Pattern{Sign::gaps, "error when inspecting", "invalid address"},
    Pattern{Sign::reserved_name, "found partition named external_flash"},
    Pattern{Sign::bad_magic, "bad image magic"},
    Pattern{Sign::bad_magic, "invalid image header magic"},
    Pattern{Sign::trailer_magic_bad, "magic=bad"},
    Pattern{Sign::trailer_write_failed, "flash write failed", "rc: -5"},
    Pattern{Sign::trailer_write_failed, "boot_request_upgrade", "-5"},
    Pattern{Sign::trailer_write_failed, "boot_write_magic", "-5"},
    Pattern{Sign::swap_resumed, "swap", "resum"},
    Pattern{Sign::swap_resumed, "swap", "interrupted"},
    Pattern{Sign::reverted, "swap type: revert"},
    Pattern{Sign::device_for_area, "failed to get device for area"},
    Pattern{Sign::file_too_big, "requested file too big to fit in flash"},
    Pattern{Sign::modem_active, "+cme error: 518"},
    Pattern{Sign::handshake_failed, "handshake", "fail"},
    Pattern{Sign::handshake_failed, "handshake", "error"},
};

/// Lower case, without escape sequences and other control characters.
std::string plain(std::string_view line) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (c == '\x1b') {  // CSI: up to a letter
            while (i + 1 < line.size() && line[i + 1] != '\x1b') {
                ++i;
                if ((line[i] >= 'a' && line[i] <= 'z') || (line[i] >= 'A' && line[i] <= 'Z')) break;
            }
        } else if (c == '\t') {
            out += ' ';
        } else if (static_cast<unsigned char>(c) >= 0x20) {
            out += c;
        }
    }
    return out;
}

std::string lower(std::string text) {
    for (auto& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

/// Three hexadecimal bytes after `key`: "device id 00 00 00".
std::optional<flash::JedecId> id_after(std::string_view line, std::string_view key) {
    const auto at = line.find(key);
    if (at == std::string_view::npos) return std::nullopt;
    return flash::parse_jedec_id(trim(line.substr(at + key.size())).substr(0, 8));
}

std::string version_after(std::string_view line, std::string_view key) {
    const auto at = line.find(key);
    if (at == std::string_view::npos) return "";
    auto rest = line.substr(at + key.size());
    if (rest.starts_with('v')) rest.remove_prefix(1);
    return std::string(rest.substr(0, std::min<std::size_t>(rest.find_first_of(" *\"'"), 40)));
}

/// "3.1.0" of "3.1.0-6c6e5b32496e".
std::string release_of(const std::string& version) {
    return version.substr(0, version.find('-'));
}

bool is_fault(std::string_view line) {
    constexpr std::array words{"hard fault",   "hardfault",          "secure fault", "securefault", "bus fault",
                               "busfault",     "mpu fault",          "ramaccerr",    "spu fault",   "flashaccerr",
                               "periphaccerr", "zephyr fatal error", "fatal error: "};
    return std::ranges::any_of(words, [&](const char* word) { return line.find(word) != std::string_view::npos; });
}

/// Digits of an IMEI in "imei: 358811331351351", `+cgsn: "358811331351351"` and the like, or "".
std::string imei_in(std::string_view line) {
    constexpr std::string_view answer = "+cgsn:";  // of AT+CGSN=1
    auto at = line.find(answer);
    std::size_t length = answer.size();
    if (at == std::string_view::npos) {
        at = line.find("imei");
        length = 4;
    }
    if (at == std::string_view::npos) return "";
    std::string digits;
    for (const char c : line.substr(at + length)) {
        if (c >= '0' && c <= '9') {
            digits += c;
        } else if (!digits.empty() || (c != ' ' && c != ':' && c != '=' && c != '"')) {
            break;
        }
    }
    return digits.size() == 15 ? digits : "";
}

/// Facts that several lines tell together.
class Reader {
  public:
    explicit Reader(BootLog& log) : log_(log) {}

    void line(unsigned number, std::string_view raw) {
        const auto text = plain(raw);
        const auto low = lower(text);
        banner(number, text, low);
        faults(number, text, low);
        for (const auto& [sign, first, also] : patterns)
            if (low.find(first) != std::string::npos && (also.empty() || (low + ",").find(also) != std::string::npos)) {
                saw(sign, number, text);
                break;
            }
        if (low.find("overflowed") != std::string::npos && low.find("region") != std::string::npos &&
            low.find("flash") != std::string::npos && (linking_mcuboot_ || low.find("mcuboot") != std::string::npos))
            saw(Sign::bootloader_overflows, number, text);
        if (low.find("mcuboot") != std::string::npos) linking_mcuboot_ = true;
        if (!log_.answered && low.find("does not match config") != std::string::npos) {
            log_.answered = id_after(low, "device id ");
            log_.configured = id_after(low, "config ");
        }
        swap_state(number, text, low);
        modem(number, text, low);
    }

    void end() {
        end_boot();
        if (first_boot_not_ready_ != 0 && later_boot_ready_)
            saw(Sign::only_after_power_on, first_boot_not_ready_, not_ready_text_);
        if (pull_line_ != 0 && tags_listed_ && !ca_tag_) saw(Sign::ca_missing, pull_line_, pull_text_);
        if (!imei_.empty() && name_line_ != 0 && name_text_.find(imei_) == std::string::npos)
            saw(Sign::endpoint_not_imei, name_line_, name_text_);
        if (cid_line_ != 0 && compare_revisions(modem_, "1.3.5").value_or(0) < 0)
            saw(Sign::cid_on_old_modem, cid_line_, cid_text_);
        if (const auto* resumed = log_.first(Sign::swap_resumed)) {
            for (const auto& one : log_.observations)
                if (one.line > resumed->line &&
                    (one.sign == Sign::primary_invalid || one.sign == Sign::secondary_invalid)) {
                    saw(Sign::swap_resumed_invalid, one.line, one.text);
                    break;
                }
        }
        std::ranges::stable_sort(log_.observations, {}, &Observation::line);
    }

  private:
    void saw(Sign sign, unsigned number, std::string_view text) {
        if (log_.observations.size() >= most_observations) return;
        log_.observations.push_back({sign, number, std::string(trim(text).substr(0, most_of_a_line))});
        if (sign != Sign::slot_not_ready) return;
        not_ready_ = true;
        if (log_.boots <= 1 && first_boot_not_ready_ == 0) {
            first_boot_not_ready_ = number;
            not_ready_text_ = text;
        }
    }

    void end_boot() {
        later_boot_ready_ = later_boot_ready_ || (log_.boots > 1 && jumped_ && !not_ready_);
        jumped_ = faulted_ = not_ready_ = false;
    }

    void banner(unsigned number, const std::string& text, const std::string& low) {
        const bool booting = low.find("booting mcuboot") != std::string::npos;
        if (booting || low.find("starting bootloader") != std::string::npos) {
            // One boot prints the banner first and "Starting bootloader" a few lines later.
            const bool same_boot = !booting && banner_line_ != 0 && number <= banner_line_ + 6 && !jumped_;
            if (!same_boot) {
                if (faulted_) saw(Sign::fault_loop, number, text);
                end_boot();
                ++log_.boots;
            }
            banner_line_ = number;
        }
        if (const auto found = version_after(low, "booting mcuboot "); !found.empty()) log_.mcuboot_version = found;
        if (const auto found = version_after(low, "using nrf connect sdk "); !found.empty())
            log_.sdk_version = release_of(found);
    }

    void faults(unsigned number, const std::string& text, const std::string& low) {
        if (low.find("jumping to the first image slot") != std::string::npos) {
            jumped_ = true;
            jump_line_ = number;
        } else if (jumped_ && number <= jump_line_ + 12 && !faulted_ && is_fault(low)) {
            faulted_ = true;
            saw(Sign::fault_after_jump, number, text);
        }
    }

    /// MCUboot has no line for a swap that goes on after a reset; it tells from where it read the swap's status
    /// (bootutil's swap_status_source). With scratch, "primary slot" is also what a device says that never swapped: its
    /// trailer is not good then.
    void swap_state(unsigned number, const std::string& text, const std::string& low) {
        if (low.find("primary image: magic=") != std::string::npos)
            mid_swap_ = low.find("magic=good") != std::string::npos && low.find("copy_done=0x3") != std::string::npos;
        if (low.find("boot source: scratch") != std::string::npos ||
            (mid_swap_ && low.find("boot source: primary slot") != std::string::npos))
            saw(Sign::swap_resumed, number, text);
    }

    void modem(unsigned number, const std::string& text, const std::string& low) {
        if (low.find("%cmng: ") != std::string::npos || low.find("at%cmng=1") != std::string::npos) {
            tags_listed_ = true;
            ca_tag_ = ca_tag_ || low.find("16842753") != std::string::npos;
        }
        const bool secure_uri = low.find("coaps://") != std::string::npos || low.find("https://") != std::string::npos;
        if (secure_uri && pull_line_ == 0 &&
            (low.find("download") != std::string::npos || low.find("package") != std::string::npos)) {
            pull_line_ = number;
            pull_text_ = text;
        }
        if (imei_.empty() && low.find("urn:imei:") == std::string::npos) imei_ = imei_in(low);
        if (name_line_ == 0 && (low.find("endpoint") != std::string::npos || low.find("rd?ep=") != std::string::npos) &&
            low.find("imei:") == std::string::npos) {
            name_line_ = number;
            name_text_ = text;
        } else if (name_line_ == 0 && low.find("urn:imei:") != std::string::npos) {
            name_line_ = number;
            name_text_ = text;
        }
        if (const auto at = low.find("mfw_nrf9"); at != std::string::npos)
            if (const auto dash = low.find('_', at + 8); dash != std::string::npos)
                modem_ = low.substr(dash + 1, low.find_first_not_of("0123456789.", dash + 1) - dash - 1);
        if (cid_line_ == 0 && (low.find("dtls_cid") != std::string::npos || low.find("dtls cid") != std::string::npos ||
                               low.find("connection id") != std::string::npos)) {
            cid_line_ = number;
            cid_text_ = text;
        }
    }

    BootLog& log_;
    unsigned banner_line_ = 0, jump_line_ = 0;
    bool mid_swap_ = false;
    bool jumped_ = false, faulted_ = false, linking_mcuboot_ = false;
    unsigned first_boot_not_ready_ = 0;
    bool not_ready_ = false, later_boot_ready_ = false;
    std::string not_ready_text_;
    bool tags_listed_ = false, ca_tag_ = false;
    unsigned pull_line_ = 0, name_line_ = 0, cid_line_ = 0;
    std::string pull_text_, name_text_, cid_text_, imei_, modem_;
};

}  // namespace

const Observation* BootLog::first(Sign sign) const {
    const auto it = std::ranges::find(observations, sign, &Observation::sign);
    return it == observations.end() ? nullptr : &*it;
}

BootLog read_boot_log(std::string_view text, std::string name) {
    BootLog log;
    log.name = std::move(name);
    Reader reader(log);
    for_each_line(text, [&](unsigned number, std::string_view line) {
        log.lines = number;
        reader.line(number, line.substr(0, 4096));
    });
    reader.end();
    return log;
}

}  // namespace fota::layout
