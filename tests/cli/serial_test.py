#!/usr/bin/env python3
"""fotactl serial against the virtual nRF9160 on a pseudo-terminal: looking, updating, and what goes wrong."""

import contextlib
import os
import pathlib
import sys
import threading
import time
import tty
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from run_fotactl import Case  # noqa: E402

# The basic flash parameter table of the MX25R6435F.
TABLE = ("e5 20 f1 ff ff ff ff 03 44 eb 08 6b 08 3b 04 bb ee ff ff ff ff ff 00 ff ff ff 00 ff 0c 20 0f 52 "
         "10 d8 00 ff 23 72 f5 00 82 ed 04 cc 44 83 68 44 30 b0 30 b0 f7 c4 d5 5c 00 be 29 ff f0 d0 ff ff")


class Serial(Case):
    def setUp(self):
        super().setUp()
        self.key, self.public = self.dir / "key.pem", self.dir / "key.pub.pem"
        self.run_ok("key", "new", "--type", "ecdsa-p256", "--out", self.key)
        self.run_ok("key", "public", "--key", self.key, "--out", self.public)
        self.old, self.new = self.image("1.0.0"), self.image("2.0.0")

    def run_ok(self, *args):
        run = self.run_fotactl(*args)
        self.assertEqual(run.exit, 0, run)
        return run

    def image(self, version):
        payload = self.write(f"{version}.bin", os.urandom(24 * 1024))
        out = self.dir / f"{version}.signed.bin"
        self.run_ok("image", "sign", "--key", self.key, "--version", version, "--pad-header", payload, out)
        return out

    def sim(self, *quirks):
        """A board without a server to register at: only its UART matters."""
        port = self.dir / "tty"
        words = [word for quirk in quirks for word in ("--quirk", quirk)]
        process = self.start("sim", "--endpoint", "urn:test", "--server", "coap://127.0.0.1:9", "--image", self.old,
                             "--key", self.public, "--pty", port, *words)
        self.addCleanup(lambda: (process.terminate(), process.wait(), process.stdout.close(), process.stderr.close()))
        for _ in range(200):
            if port.is_symlink():
                return port
            time.sleep(0.05)
        self.fail("the virtual device has no terminal")

    def test_looks_updates_and_is_already_installed(self):
        port = self.sim()
        info = self.run_fotactl("serial", "info", "--port", port, "--json").result
        self.assertEqual((info["mode"], info["buffers"]), ("application", {"count": 4, "size": 384}))
        first = self.run_fotactl("serial", "update", self.new, "--port", port, "--key", self.public, "--json")
        self.assertEqual((first.exit, first.result["outcome"]), (0, "updated"), first)
        self.assertEqual((first.result["from_version"], first.result["running_version"]), ("1.0.0", "2.0.0"))
        steps = [event["step"] for event in first.events if event["event"] == "step"]
        self.assertEqual(steps[:3], ["connect", "plan", "upload"])
        listed = self.run_fotactl("serial", "list", "--port", port, "--json").result["images"]
        self.assertEqual([(i["slot"], i["version"], i["confirmed"]) for i in listed][0], (0, "2.0.0", True))
        second = self.run_fotactl("serial", "update", self.new, "--port", port, "--key", self.public, "--json")
        self.assertEqual((second.exit, second.result["outcome"], second.result["bytes_sent"]),
                         (0, "already-installed", 0), second)

    def test_step_by_step(self):
        port = self.sim()
        self.run_ok("serial", "upload", self.new, "--port", port, "--key", self.public)
        listed = self.run_fotactl("serial", "list", "--port", port, "--json").result["images"]
        begin = next(i["hash"] for i in listed if i["slot"] == 1)[:8]
        self.run_ok("serial", "test", begin, "--port", port)
        self.run_ok("serial", "reset", "--port", port)
        time.sleep(2)
        self.run_ok("serial", "confirm", "--port", port)
        listed = self.run_fotactl("serial", "list", "--port", port, "--json").result["images"]
        self.assertEqual([(i["version"], i["confirmed"]) for i in listed if i["slot"] == 0], [("2.0.0", True)])
        self.run_ok("serial", "erase", "--port", port)
        listed = self.run_fotactl("serial", "list", "--port", port, "--json").result["images"]
        self.assertEqual([i["slot"] for i in listed], [0])

    def test_a_slot_that_no_server_has_is_refused(self):
        # Where counted up it would be the running one's number.
        for slot in ("16", "4294967295"):
            run = self.run_fotactl("serial", "upload", self.new, "--port", self.dir / "ttyNone", "--slot", slot)
            self.assertEqual(run.exit, 2, run)

    def test_another_slot_that_recovery_wrote_does_not_start_at_the_next_reset(self):
        port = self.sim("smp-in-recovery", "smp-direct-upload")
        for slot, starts in (("1", False), ("0", True)):
            run = self.run_fotactl("serial", "upload", self.new, "--port", port, "--key", self.public, "--slot", slot)
            self.assertEqual((run.exit, "starts at the next reset" in run.out), (0, starts), run)

    def test_noise_and_lost_replies_are_lived_with(self):
        port = self.sim("smp-lose-replies", "smp-version-1")
        run = self.run_fotactl("serial", "update", self.new, "--port", port, "--key", self.public, "--json")
        self.assertEqual((run.exit, run.result["outcome"]), (0, "updated"), run)

    def test_what_is_wrong_is_said_before_the_first_byte(self):
        port = self.sim()
        other = self.dir / "other.pem"
        self.run_ok("key", "new", "--type", "ecdsa-p256", "--out", other)
        wrong_key = self.run_fotactl("serial", "update", self.new, "--port", port, "--key", other, "--json")
        self.assertEqual(wrong_key.exit, 4, wrong_key)
        older = self.image("0.9.0")
        downgrade = self.run_fotactl("serial", "update", older, "--port", port, "--key", self.public, "--json")
        self.assertEqual((downgrade.exit, downgrade.result["error"]["code"]), (4, "downgrade-refused"), downgrade)
        none = self.run_fotactl("serial", "update", self.write("none.bin", b"no image"), "--port", port, "--json")
        self.assertEqual(none.exit, 3, none)
        listed = self.run_fotactl("serial", "list", "--port", port, "--json").result["images"]
        self.assertEqual([i["slot"] for i in listed], [0])

    def test_no_such_port_and_a_silent_one(self):
        absent = self.run_fotactl("serial", "info", "--port", self.dir / "ttyNone", "--json")
        self.assertEqual((absent.exit, absent.result["error"]["code"]), (6, "port-unavailable"), absent)
        silent = self.run_fotactl("serial", "info", "--port", "udp:127.0.0.1:9", "--json")
        self.assertEqual((silent.exit, silent.result["error"]["code"]), (6, "device-absent"), silent)
        self.assertNotIn("NMP", silent.out + silent.err)
        self.assertIn("serial ports", " ".join(silent.result["error"]["hints"]))

    def test_raw_framing_is_found_by_itself(self):
        port = self.sim("smp-raw")
        run = self.run_fotactl("serial", "update", self.new, "--port", port, "--key", self.public, "--json")
        self.assertEqual((run.exit, run.result["outcome"]), (0, "updated"), run)
        ports = self.run_fotactl("serial", "ports", "--port", port, "--json")
        self.assertEqual(next(e for e in ports.events if e["event"] == "port")["answers"], "application", ports)

    def test_a_server_without_images_is_looked_at_and_not_updated(self):
        port = self.sim("smp-no-images")
        info = self.run_fotactl("serial", "info", "--port", port, "--json")
        self.assertEqual((info.exit, info.result["manages_images"], info.result["buffers"]["count"]), (0, False, 4), info)
        self.assertIn("CONFIG_MCUMGR_GRP_IMG=y", self.run_fotactl("serial", "info", "--port", port).out)
        ports = self.run_fotactl("serial", "ports", "--port", port, "--json")
        self.assertIn("does not manage images", next(e for e in ports.events if e["event"] == "port")["note"], ports)
        for words in (("list",), ("test", "abcd"), ("update", self.new, "--key", self.public)):
            run = self.run_fotactl("serial", *words, "--port", port, "--json")
            self.assertEqual((run.exit, run.result["error"]["code"]), (8, "device-refused"), run)
            self.assertIn("expected an SMP server that manages images", run.result["error"]["message"])
            self.assertIn("CONFIG_MCUMGR_GRP_IMG=y", " ".join(run.result["error"]["hints"]))

    def test_probe_asks_the_flash_over_the_cable(self):
        port = self.sim()
        kept = self.dir / "probe.json"
        run = self.run_fotactl("layout", "probe", "--port", port, "--out", kept, "--json")
        self.assertEqual((run.exit, run.result["jedec_id"], run.result["size"]), (0, "c2 28 17", 8 << 20), run)
        self.assertIn("bfp", run.result)
        again = self.run_fotactl("layout", "probe", "--sfdp", kept, "--json").result
        self.assertEqual((again["jedec_id"], again["bfp"]), (run.result["jedec_id"], run.result["bfp"]))

    def test_probe_tells_the_part_that_is_there(self):
        run = self.run_fotactl("layout", "probe", "--port", self.sim("flash-w25q32jv"), "--json")
        self.assertEqual((run.exit, run.result["jedec_id"], run.result["size"]), (0, "ef 40 16", 4 << 20), run)

    def prints(self, text):
        """A board without an SMP server, which prints `text` again and again, as at every start."""
        board, line = os.openpty()
        tty.setraw(line)
        name = os.ttyname(line)
        os.close(line)  # a port that another process has open is refused
        over = threading.Event()

        def print_it():
            while not over.wait(0.3):
                with contextlib.suppress(OSError):  # nobody listens yet, or any more
                    os.write(board, text.encode())

        thread = threading.Thread(target=print_it)
        thread.start()
        self.addCleanup(lambda: (over.set(), thread.join(), os.close(board)))
        return name

    def test_probe_reads_what_a_board_prints(self):
        port = self.prints(f"mx25r64@0: SPI flash\r\njedec-id = [c2 28 17];\r\nsfdp-bfp = [{TABLE}];\r\n")
        run = self.run_fotactl("layout", "probe", "--port", port, "--wait", "8s", "--json")
        self.assertEqual((run.exit, run.result["jedec_id"], run.result["size"]), (0, "c2 28 17", 8 << 20), run)

    def test_probe_of_a_board_that_says_nothing_of_its_flash(self):
        run = self.run_fotactl("layout", "probe", "--port", self.prints("hello\r\n"), "--wait", "3s", "--json")
        self.assertEqual((run.exit, run.result["error"]["code"]), (6, "device-absent"), run)
        self.assertIn("bytes of other text", run.result["error"]["message"])
        self.assertIn("jesd216", " ".join(run.result["error"]["hints"]))

    def test_ports_tells_what_answers(self):
        port = self.sim()
        run = self.run_fotactl("serial", "ports", "--port", port, "--json")
        row = next(event for event in run.events if event["event"] == "port")
        self.assertEqual((row["answers"], row["text"]), ("application", "SMP (application 1.0.0)"), run)

    def test_ports_groups_by_the_usb_device(self):
        """A sysfs of two ports of one board, found by serial number and interface."""
        usb = self.dir / "sys/devices/usb1/1-2"
        for interface, tty in ((0, "ttyACM0"), (2, "ttyACM1")):
            folder = usb / f"1-2:1.{interface}" / "tty" / tty
            folder.mkdir(parents=True)
            (usb / f"1-2:1.{interface}" / "bInterfaceNumber").write_text(f"{interface:02x}\n")
            (folder / "device").symlink_to(usb / f"1-2:1.{interface}")
            link = self.dir / "sys/class/tty" / tty
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(folder)
        for name, value in (("idVendor", "1366"), ("idProduct", "1059"), ("serial", "000960011223"), ("product", "J-Link")):
            (usb / name).write_text(value + "\n")
        run = self.run_fotactl("serial", "ports", "--no-probe", "--sysfs", self.dir / "sys", "--json")
        self.assertEqual([(row["port"], row["usb_serial"], row["vendor"], row["interface"]) for row in run.result["ports"]],
                         [("/dev/ttyACM0", "000960011223", 0x1366, 0), ("/dev/ttyACM1", "000960011223", 0x1366, 2)])


if __name__ == "__main__":
    unittest.main()
