"""The companion firmware's source tree under `fotactl layout check`: clean as it is, and each of the settings it turns on
breaks a rule when it is taken away."""

import pathlib
import re
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from run_fotactl import SOURCE, Case  # noqa: E402

APP = SOURCE / "firmware" / "app"
BOARDS = ["nrf9160dk@1.0.0/nrf9160/ns", "nrf9161dk/nrf9161/ns", "nrf9151dk/nrf9151/ns"]

MCUBOOT = "sysbuild/mcuboot.conf"
STATIC = "pm_static.yml"
APP_OVERLAY = "boards/nrf9160dk_nrf9160_ns.overlay"
MCUBOOT_OVERLAY = "sysbuild/mcuboot/boards/nrf9160dk_nrf9160.overlay"
FLASH_OKAY = '&mx25r64 {\n    status = "okay";'

# file, text that is there, text in its place, rule, severity
BROKEN = [
    ("prj.conf", "CONFIG_SPI_NOR=y", "CONFIG_SPI_NOR=y\nCONFIG_NORDIC_QSPI_NOR=y", "qspi-driver-on-spi-flash", "error"),
    ("prj.conf", "CONFIG_SPI=y\n", "", "app-spi-nor-disabled", "error"),
    ("prj.conf", "CONFIG_SPI_NOR=y\n", "CONFIG_SPI_NOR=n\n", "app-spi-nor-disabled", "error"),
    ("prj.conf", "CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n", "", "spi-nor-page-size-not-4096", "warning"),
    ("prj.conf", "CONFIG_COAP_INIT_ACK_TIMEOUT_MS=4000", "CONFIG_COAP_INIT_ACK_TIMEOUT_MS=2000", "erase-stalls-ack",
     "warning"),
    ("prj.conf", "CONFIG_LWM2M_SECURITY_KEY_SIZE=33", "CONFIG_LWM2M_SECURITY_KEY_SIZE=16", "psk-settings", "warning"),
    ("prj.conf", "CONFIG_LWM2M_FIRMWARE_UPDATE_OBJ_SUPPORT=y", "CONFIG_LWM2M_FIRMWARE_UPDATE_OBJ_SUPPORT=n",
     "update-object-mismatch", "warning"),
    ("boards/nrf9160dk_nrf9160_ns.conf", "CONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32\n", "", "spi-ram-buffer-too-small",
     "warning"),
    (MCUBOOT, "CONFIG_SPI=y\n", "", "mcuboot-spi-nor-disabled", "error"),
    (MCUBOOT, "CONFIG_SPI_NOR=y\n", "CONFIG_SPI_NOR=n\n", "mcuboot-spi-nor-disabled", "error"),
    (MCUBOOT, "CONFIG_SPI_NOR=y\n", "CONFIG_SPI_NOR=y\nCONFIG_NORDIC_QSPI_NOR=y\n", "qspi-driver-on-spi-flash", "error"),
    (MCUBOOT, "CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n", "", "spi-nor-page-size-not-4096", "error"),
    (MCUBOOT, "CONFIG_MULTITHREADING=y\n", "", "mcuboot-without-multithreading", "note"),
    (MCUBOOT, "CONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32\n", "", "spi-ram-buffer-too-small", "warning"),
    (MCUBOOT, "CONFIG_BOOT_MAX_IMG_SECTORS=256\n", "", "max-img-sectors-too-small", "error"),
    (STATIC, "  end_address: 0x10000\n  region: flash_primary\n  size: 0x10000",
     "  end_address: 0xc000\n  region: flash_primary\n  size: 0xc000", "mcuboot-partition-too-small", "error"),
    (STATIC, "  end_address: 0xe8000\n  region: external_flash\n  size: 0xe8000",
     "  end_address: 0xe0000\n  region: external_flash\n  size: 0xe0000", "slot-sizes-differ", "error"),
    (STATIC, "  address: 0x0\n  device: DT_CHOSEN(nordic_pm_ext_flash)\n  end_address: 0xe8000",
     "  address: 0x200\n  device: DT_CHOSEN(nordic_pm_ext_flash)\n  end_address: 0xe8200", "slot-not-erase-aligned",
     "error"),
    (STATIC, "  address: 0x0\n  device: DT_CHOSEN(nordic_pm_ext_flash)\n  end_address: 0xe8000",
     "  address: 0x7f0000\n  device: DT_CHOSEN(nordic_pm_ext_flash)\n  end_address: 0x8d8000", "region-exceeds-device",
     "error"),
    (APP_OVERLAY, "nordic,pm-ext-flash = &mx25r64;", "", "pm-ext-flash-not-chosen-app", "error"),
    (APP_OVERLAY, FLASH_OKAY, "&mx25r64 {", "app-spi-nor-disabled", "error"),
    (APP_OVERLAY, FLASH_OKAY, FLASH_OKAY + " spi-max-frequency = <80000000>;", "spi-clock-above-board", "warning"),
    (APP_OVERLAY, FLASH_OKAY, FLASH_OKAY + " size = <8388608>;", "flash-size-in-bytes-not-bits", "error"),
    (MCUBOOT_OVERLAY, "nordic,pm-ext-flash = &mx25r64;", "", "pm-ext-flash-not-chosen-mcuboot", "error"),
    (MCUBOOT_OVERLAY, 'status = "okay";', "", "flash-node-disabled-in-mcuboot", "error"),
    ("sysbuild.conf", 'SB_CONFIG_BOOT_SIGNATURE_KEY_FILE="\\${APP_DIR}/release.pem"', "", "development-key", "warning"),
    ("sysbuild.conf", "SB_CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y",
     "CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y", "option-in-wrong-conf-file", "warning"),
    ("CMakeLists.txt", "nrf9160dk@1.0.0/nrf9160/ns", "nrf9160dk@0.7.0/nrf9160/ns", "board-revision-without-flash",
     "error"),
]


class FirmwareApp(Case):
    def check(self, tree, *options):
        run = self.run_json("layout", "check", tree, *options)
        return run, [event for event in run.events if event["event"] == "finding"]

    def copy(self):
        target = self.dir / "app"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(APP, target)
        return target

    def test_no_error_and_no_warning_for_any_of_its_boards(self):
        for options in [[], *(["--board", board] for board in BOARDS)]:
            with self.subTest(options=options):
                run, findings = self.check(APP, *options)
                self.assertEqual(run.exit, 0, run)
                self.assertEqual([f for f in findings if f["severity"] != "note"], [], run)

    def test_the_default_board_is_the_kit_with_flash(self):
        run = self.run_fotactl("layout", "check", APP, expect=0)
        self.assertIn("nRF9160-DK @1.0.0 (nrf9160/ns)", run.out)

    def test_each_setting_is_needed(self):
        for file, there, instead, rule, severity in BROKEN:
            with self.subTest(file=file, taken=there, rule=rule):
                tree = self.copy()
                text = (tree / file).read_text()
                self.assertEqual(text.count(there), 1, f"expected it once in {file}")
                (tree / file).write_text(text.replace(there, instead))
                run, findings = self.check(tree)
                self.assertIn((rule, severity), [(f["rule"], f["severity"]) for f in findings], run)
                self.assertEqual(run.exit, 5 if any(f["severity"] == "error" for f in findings) else 0, run)

    def test_what_boards_of_mcuboot_choose_is_not_overruled(self):
        # sysbuild/mcuboot.conf is merged after sysbuild/mcuboot/boards, and SFDP's three modes are one choice.
        boards = list((APP / "sysbuild" / "mcuboot" / "boards").glob("*.conf"))
        self.assertTrue(any("CONFIG_SPI_NOR_SFDP_" in board.read_text() for board in boards))
        self.assertNotIn("CONFIG_SPI_NOR_SFDP_", (APP / MCUBOOT).read_text())

    def test_a_published_key_is_one_under_every_spelling(self):
        entry = (APP / "sysbuild" / "CMakeLists.txt").read_text()
        pattern = re.search(r'KEY_FILE}" MATCHES "([^"]+)"', entry).group(1)
        for name in ("root-ec-p256.pem", "root-rsa-2048.pem", "root-ed25519.pem", "/sdk/bootloader/mcuboot/root-ec-p256.pem"):
            self.assertRegex(name, pattern)
        for name in ("release.pem", "/home/root-ec/release.pem", "grassroot-ec.pem"):
            self.assertNotRegex(name, pattern)

    def test_an_overlay_under_another_name_is_noticed(self):
        tree = self.copy()
        (tree / APP_OVERLAY).rename(tree / "boards" / "nrf9160dk_nrf9160_ns_1_0_0.overlay")
        run, findings = self.check(tree)
        self.assertIn("overlay-not-picked-up", [f["rule"] for f in findings])
        self.assertEqual(run.exit, 5, run)


if __name__ == "__main__":
    unittest.main()
