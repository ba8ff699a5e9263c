#include "virtdev/smp_quirks.hpp"

#include <algorithm>
#include <array>

namespace fota::virtdev {

std::span<const SmpQuirkInfo> all_smp_quirks() {
    using enum SmpQuirk;
    static constexpr std::array<SmpQuirkInfo, static_cast<std::size_t>(count_)> table{{
        {log_lines, "smp-log-lines", "prints log lines between its SMP frames, and within them"},
        {log_in_line, "smp-log-in-line", "a log line without an end stands ahead of a frame"},
        {corrupt, "smp-corrupt", "the line damages a character in every fiftieth line of a frame, either way"},
        {lose_replies, "smp-lose-replies", "the line loses every twentieth reply"},
        {late_duplicates, "smp-late-duplicates", "sends every tenth reply again, later"},
        {raw_framing, "smp-raw", "its messages are raw, not lines of a console"},
        {no_parameters, "smp-no-params", "has no command that tells its buffer sizes (older servers)"},
        {small_buffer, "smp-small-buffer", "has buffers of 96 bytes"},
        {definite_maps, "smp-definite-maps", "answers with maps of definite length"},
        {in_recovery, "smp-in-recovery", "starts in MCUboot's recovery, as with its button held"},
        {version_1, "smp-version-1", "knows version 1 alone: rc, with a reason, in every answer"},
        {no_optional_commands, "smp-no-optional", "has neither echo nor info, bootloader info, groups and statistics"},
        {no_images, "smp-no-images", "the application does not manage images"},
        {no_image_check, "smp-no-match", "does not say at the end whether the hash matches"},
        {no_boot_mode, "smp-no-boot-mode", "a reset into the bootloader is a plain one: no boot mode is kept"},
        {slow_erase, "smp-slow-erase", "erases the whole slot before it answers the first piece: 20 s"},
        {reset_in_upload, "smp-reset-in-upload", "resets once in the middle of the first upload and forgets it"},
        {frugal_list, "smp-frugal-list", "leaves out of the image list what is false"},
        {self_confirm, "smp-self-confirm", "the new image confirms itself as it starts"},
        {refuse_confirm, "smp-refuse-confirm", "the new image refuses to be confirmed"},
        {revert, "smp-revert", "the new image resets before anybody can ask it"},
        {lost_test_answer, "smp-lost-test-answer", "the answer to the first test request is lost"},
        {lost_reset_answer, "smp-lost-reset-answer", "resets before the answer has left"},
        {wait_for_dfu, "smp-wait-for-dfu", "the bootloader waits half a second and takes any request for an update"},
        {recovery_state, "smp-recovery-state", "recovery tells the state of images, as applications do"},
        {recovery_no_hash, "smp-recovery-no-hash", "recovery lists images without their hash"},
        {recovery_two_buffers, "smp-recovery-window", "recovery keeps up with a window although it counts one buffer"},
        {recovery_decrypts, "smp-recovery-decrypts",
         "recovery decrypts the image after its last piece: the next answer takes 10 s"},
        {direct_upload, "smp-direct-upload", "recovery writes the slot that the image number says"},
    }};
    return table;
}

const SmpQuirkInfo* find_smp_quirk(std::string_view name) {
    const auto all = all_smp_quirks();
    const auto found = std::ranges::find(all, name, &SmpQuirkInfo::name);
    return found == all.end() ? nullptr : &*found;
}

}  // namespace fota::virtdev
