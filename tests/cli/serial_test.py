#!/usr/bin/env python3
"""fotactl serial against the virtual nRF9160 on a pseudo-terminal: looking, updating, and what goes wrong."""

import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from run_fotactl import Case  # noqa: E402


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
