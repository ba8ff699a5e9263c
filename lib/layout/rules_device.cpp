// Rules that look at a device: a boot log, a probe, the id of the part that is fitted.
#include <fmt/format.h>

#include "layout/rules.hpp"

namespace fota::layout::rules {
namespace {

bool on_dk(const Project& project) {
    return project.board && project.board->board == "nrf9160dk";
}

Where line_of(const Inputs& inputs, const Observation& seen) {
    return {inputs.log->name, seen.line};
}

/// A finding at the first line of the log that tells `sign`; nullptr when none does.
Finding* from_log(const Inputs& inputs, Findings& findings, Sign sign, Severity severity, std::string message,
                  std::string expected, std::string fix) {
    const auto* seen = inputs.log ? inputs.log->first(sign) : nullptr;
    if (seen == nullptr) return nullptr;
    auto& f = findings.add(severity, line_of(inputs, *seen), std::move(message));
    f.expected = std::move(expected);
    f.found = seen->text;
    f.fix = std::move(fix);
    return &f;
}

/// Where the id of the fitted part was read.
Where id_source(const Inputs& inputs) {
    if (inputs.flash_part) return {};
    if (inputs.probe && inputs.probe->id) return {inputs.probe->name, 0};
    if (inputs.log)
        if (const auto* seen = inputs.log->first(Sign::id_mismatch)) return line_of(inputs, *seen);
    return {};
}

}  // namespace

void flash_not_routed(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto id = fitted_part(inputs);
    if (!id || !flash::is_silent(*id)) return;
    auto& f = findings.add(Severity::error, id_source(inputs),
                           "Nothing answers on the flash's data line: the flash is not connected to the SiP, not "
                           "selected, or has no power.");
    f.expected = "a JEDEC id such as c2 28 17";
    f.found = flash::jedec_text(*id);
    f.fix =
        on_dk(project)
            ? "program the kit's board controller (nRF52840, SW10 to nRF52) with its firmware 2.0.1, which routes the "
              "flash to the nRF9160; then switch the kit off and on"
            : "check chip select, wiring and power of the flash";
}

void dk_without_external_flash(const Project& project, const Inputs& inputs, Findings& findings) {
    const auto id = fitted_part(inputs);
    if (!on_dk(project) || !id || !flash::is_silent(*id)) return;
    auto& f = findings.add(Severity::note, id_source(inputs),
                           "An nRF9160-DK before 0.14.0 has no external flash at all; the label on the kit tells.");
    f.expected = "a kit of revision 0.14.0 or later";
    f.found = flash::jedec_text(*id);
    f.fix = "read the revision on the kit's label";
}

void spim_not_released(const Project& project, const Inputs& inputs, Findings& findings) {
    if (project.mcuboot.config_readable && !project.mcuboot.config.empty() && !project.mcuboot.config.on("CONFIG_SPI"))
        return;
    from_log(
        inputs, findings, Sign::fault_after_jump, Severity::warning,
        "The application faults right after MCUboot, which used SPI, jumped to it: MCUboot may leave the SPI "
        "peripheral running, and the SPU stops its access to RAM.",
        "a running application",
        "build with an nRF Connect SDK whose MCUboot releases its peripherals before it jumps (sdk-mcuboot PR 606)");
}

void tfm_protects_secondary_seen(const Project&, const Inputs& inputs, Findings& findings) {
    if (!inputs.log || !inputs.log->sdk_version.starts_with("2.0.")) return;
    from_log(inputs, findings, Sign::fault_loop, Severity::warning,
             "TF-M of nRF Connect SDK 2.0 tries to protect the external secondary slot and faults in a loop.",
             "nRF Connect SDK 2.1 or later", "build with a later nRF Connect SDK");
}

void flash_stuck_seen(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(
        inputs, findings, Sign::dpd_exit_failed, Severity::warning,
        "The flash did not wake from deep power-down: it was left there before a warm reset, or the time to wake is "
        "too short.",
        "a flash that answers",
        "switch power off and on to confirm; then set t-exit-dpd as the datasheet says (ns), "
        "CONFIG_SPI_NOR_IDLE_IN_DPD=n, or wire reset-gpios");
}

void not_ready_on_cold_boot(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::only_after_power_on, Severity::note,
             "The flash was not ready in the first boot and was in a later one: after power-on the driver asks before "
             "the flash can answer.",
             "a flash that is ready when MCUboot asks",
             "delay the start (CONFIG_BOOT_DELAY), or supply the flash before the SiP");
}

void protection_seen(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::protection_stuck, Severity::warning,
             "The driver cannot clear the flash's block protection: erasing and writing have no effect.",
             "BP bits that can be cleared", "drive the write-protect pin (wp-gpios, hold-gpios), see has-lock");
    if (!inputs.probe || inputs.probe->protection() == 0) return;
    auto& f = findings.add(Severity::warning, {inputs.probe->name, 0},
                           "The flash's status register protects blocks: erasing and writing them has no effect.");
    f.expected = "BP bits clear";
    f.found = fmt::format("status {:#04x}", *inputs.probe->status);
    f.fix = "clear the BP bits; drive the write-protect pin (wp-gpios) while doing so";
}

void mcuboot_overflow_seen(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::bootloader_overflows, Severity::error,
             "MCUboot does not fit its partition: with the SPI NOR driver 48 KiB are too little.", "at least 0xd000",
             "add to sysbuild/mcuboot.conf:\n  CONFIG_PM_PARTITION_SIZE_MCUBOOT=0x10000");
}

void fprotect_seen(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::fprotect_failed, Severity::error,
             "MCUboot protects itself in blocks of the SPU and stops when the length up to the primary slot is no "
             "multiple of one.",
             "mcuboot_primary on a multiple of 0x8000",
             "start mcuboot_primary on a boundary of the block (0x10000), or set CONFIG_FPROTECT=n knowingly");
}

void undefined_device_seen(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(
        inputs, findings, Sign::undefined_device, Severity::error,
        "An image refers to a device that has no driver in it: the flash node is enabled, its driver or SPI is not.",
        "the driver enabled in that image",
        "enable CONFIG_SPI and CONFIG_SPI_NOR in that image, or disable the flash node there");
}

void trailer_write_seen(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::trailer_write_failed, Severity::warning,
             "Writing the slot trailer failed: SPI's DMA cannot read constants from flash, and the RAM buffer that "
             "stands in is too small. The update is stored and never swapped in.",
             "CONFIG_SPI_NRFX_RAM_BUFFER_SIZE of at least 32",
             "add to prj.conf and sysbuild/mcuboot.conf:\n  CONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32");
}

void write_sizes_seen(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::write_sizes_differ, Severity::error,
             "MCUboot refuses slots whose write blocks do not match.",
             "write-block-size of at most 4 on the external flash, as the internal flash has",
             "write-block-size = <4>; (or 1) on the external flash");
}

void image_placed_for_other_mode(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(
        inputs, findings, Sign::header_in_first_sector, Severity::warning,
        "MCUboot swaps by offset and wants an update one sector into the secondary slot; this one was stored at its "
        "start, as for the other modes.",
        "an image one sector (4096 bytes) into the slot",
        "build the application with the mode MCUboot has (SB_CONFIG_MCUBOOT_MODE_SWAP_USING_OFFSET), so that it "
        "stores updates where MCUboot looks");
}

void stale_image_in_secondary(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::trailer_magic_bad, Severity::note,
             "The trailer of a slot holds neither MCUboot's magic nor erased bytes: something older lies there.",
             "an erased trailer", "erase the whole secondary slot once, then update again");
}

void external_write_corrupted(const Project&, const Inputs& inputs, Findings& findings) {
    if (!inputs.image || !inputs.image->intact) return;
    from_log(inputs, findings, Sign::secondary_invalid, Severity::warning,
             "The image that was sent verifies here and is not valid in the slot: it was damaged on its way into the "
             "external flash.",
             "the bytes that were sent",
             "lower spi-max-frequency, set CONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32, and compare "
             "what the slot holds with what was sent");
}

void swap_interrupted(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::swap_resumed_invalid, Severity::note,
             "A swap was interrupted and went on after the reset; what it left is not valid.",
             "a supply that lasts through the swap", "look at brown-outs while the flash is erased and written");
}

void psk_settings_seen(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(
        inputs, findings, Sign::handshake_failed, Severity::warning,
        "The DTLS handshake fails: identity and key in the modem are not those of the server, or lie under another "
        "tag.",
        "identity urn:imei:<IMEI> and a hexadecimal key under the server's tag (35724861)",
        "write both again with the modem at AT+CFUN=4: fotactl provision modem");
}

void credentials_while_modem_active(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::modem_active, Severity::warning,
             "The modem refuses to write credentials while it is active.", "AT+CFUN=4 (or 0) before AT%CMNG",
             "AT+CFUN=4, write the credentials, AT+CFUN=1");
}

void pull_without_ca(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::ca_missing, Severity::note,
             "The client downloads over coaps or https with the certificates under tag 16842753, and the modem lists "
             "none there: it does not even offer these protocols.",
             "a CA certificate under tag 16842753",
             "AT%CMNG=0,16842753,0,\"<certificate>\" with the modem at AT+CFUN=4");
}

void endpoint_not_imei(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::endpoint_not_imei, Severity::note,
             "The device registers under another name than the one its IMEI makes: server and credentials may wait for "
             "the other.",
             "urn:imei:<IMEI>", "use the name that the server knows, in device and credentials");
}

void modem_too_old_for_cid(const Project&, const Inputs& inputs, Findings& findings) {
    from_log(inputs, findings, Sign::cid_on_old_modem, Severity::warning,
             "DTLS connection ids are in use, and the modem firmware is too old for them.",
             "modem firmware 1.3.5 or later", "update the modem firmware, or set CONFIG_LWM2M_CLIENT_UTILS_DTLS_CID=n");
}

}  // namespace fota::layout::rules
