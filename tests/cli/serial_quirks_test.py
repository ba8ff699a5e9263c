#!/usr/bin/env python3
"""fotactl serial update against the virtual board's SMP servers, over a pseudo-terminal and over UDP: every way a server or
a line was seen to differ, in the application and in MCUboot's recovery, and cables that are pulled."""

import concurrent.futures
import itertools
import json
import os
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from pty_bridge import PtyBridge  # noqa: E402
from run_fotactl import Case  # noqa: E402

# What concerns a console's bytes; datagrams have none.
OF_THE_LINE = {"smp-log-lines", "smp-log-in-line", "smp-corrupt", "smp-raw"}
# (quirk, starts in recovery): exit code, error code, what runs in the end. All others end updated.
ENDS = {("smp-no-images", False): (8, "device-refused", "1.0.0"), ("smp-no-images", True): (8, "not-proven", "2.0.0"),
        ("smp-revert", False): (9, "rolled-back", "1.0.0"), ("smp-refuse-confirm", False): (8, "device-refused", "2.0.0")}


class Bench(Case):
    size = 6 * 1024

    def setUp(self):
        super().setUp()
        self.run_fotactl("key", "new", "--type", "ecdsa-p256", "--out", "key.pem", expect=0)
        self.run_fotactl("key", "public", "--key", "key.pem", "--out", "key.pub.pem", expect=0)
        for version in ("1.0.0", "2.0.0"):
            self.write("app.bin", os.urandom(self.size))
            self.run_fotactl("image", "sign", "--key", "key.pem", "--version", version, "--pad-header", "app.bin",
                             f"{version}.bin", expect=0)

    def board(self, *quirks, where=("--pty", "tty")):
        """A board on a bench, and how it is reached."""
        words = [word for quirk in quirks for word in ("--quirk", quirk)]
        process = self.start("sim", "--json", "--image", "1.0.0.bin", "--key", "key.pub.pem", *where, *words)
        return process, json.loads(process.stdout.readline())["port"]

    def runs(self, process):
        """Ends the board; the version in its primary slot."""
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
        return json.loads(out.decode().splitlines()[-1])["running_version"]

    def update(self, port, *options, **how):
        return self.run_json("serial", "update", "2.0.0.bin", "--port", port, "--key", "key.pub.pem", *options, **how)


class EveryServer(Bench):
    def one(self, number, quirk, recovery, way):
        where = ("--pty", f"tty{number}") if way == "pty" else ("--smp-udp", "127.0.0.1:0")
        process, port = self.board(quirk, *(["smp-in-recovery"] if recovery else []), where=where)
        run = self.update(port, timeout=170)
        error = run.result.get("error", {}).get("code", "")
        return (run.exit, error, self.runs(process)), run

    def test_ends_as_it_should(self):
        listed = self.run_json("sim", "--quirk", "list", expect=0).result["quirks"]
        quirks = [each["name"] for each in listed if each["name"].startswith("smp-")]
        self.assertGreater(len(quirks), 25)
        cases = [each for each in itertools.product(quirks, (False, True), ("pty", "udp"))
                 if each[0] not in OF_THE_LINE or each[2] == "pty"]
        # Most of the time is spent waiting for boards that start.
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            ends = {case: pool.submit(self.one, number, *case) for number, case in enumerate(cases)}
        for (quirk, recovery, way), end in ends.items():
            with self.subTest(quirk=quirk, recovery=recovery, way=way):
                found, run = end.result()
                self.assertEqual(found, ENDS.get((quirk, recovery), (0, "", "2.0.0")), run)

    def test_messages_fit_a_datagram_although_the_buffer_is_longer(self):
        process, port = self.board(where=("--smp-udp", "127.0.0.1:0"))
        info = self.run_json("serial", "info", "--port", port, expect=0).result
        self.assertEqual(info["buffers"], {"count": 2, "size": 2048})
        run = self.update(port, expect=0)
        self.assertEqual(run.result["retransmissions"], 0, "a message longer than a datagram is lost")
        self.assertEqual(self.runs(process), "2.0.0")


class Cable(Bench):
    size = 40 * 1024

    def cable(self, *quirks, number=""):
        process, port = self.board(*quirks, where=("--pty", f"tty{number}"))
        bridge = PtyBridge(str(self.dir / port), self.dir / f"cable{number}")
        self.addCleanup(bridge.close)
        return process, bridge

    def start_update(self, *options, port="cable"):
        return self.start("serial", "update", "2.0.0.bin", "--port", port, "--key", "key.pub.pem", *options)

    def wait_for_half(self, update):
        for line in update.stdout:
            event = json.loads(line)
            if event["event"] == "progress" and event["bytes"] > event["total"] / 2:
                return event["bytes"]
        self.fail(f"the upload never came to its half: {update.stderr.read()}")

    def test_pulled_and_put_back_it_goes_on_where_it_was(self):
        for number, quirks in enumerate(((), ("smp-in-recovery",), ("smp-raw",), ("smp-log-lines",))):
            with self.subTest(quirks):
                board, bridge = self.cable(*quirks, number=number)
                update = self.start_update("--json", port=f"cable{number}")
                self.wait_for_half(update)
                bridge.unplug()
                time.sleep(1.5)
                bridge.plug()
                out, _ = update.communicate(timeout=120)
                events = [json.loads(line) for line in out.decode().splitlines()]
                result = events[-1]
                self.assertEqual((result["exit"], result["outcome"]), (0, "updated"), result)
                self.assertLess(result["bytes_sent"], self.size * 1.3)
                said = " ".join(event["text"] for event in events if event["event"] == "note")
                self.assertIn("waiting for the same device", said)
                self.assertIn("it is back after", said)
                self.assertEqual(self.runs(board), "2.0.0")

    def test_stopped_in_an_application_the_same_command_goes_on(self):
        board, _ = self.cable()
        update = self.start_update("--json")
        self.wait_for_half(update)
        update.send_signal(signal.SIGINT)
        out, _ = update.communicate(timeout=60)
        result = json.loads(out.decode().splitlines()[-1])
        self.assertEqual((result["exit"], result["error"]["code"]), (130, "interrupted"))
        self.assertIn("it goes on where it was", " ".join(result["error"]["hints"]))
        again = self.update("cable", timeout=120, expect=0).result
        self.assertEqual(again["outcome"], "updated")
        self.assertLess(again["bytes_sent"], self.size * 0.7)
        self.assertEqual(self.runs(board), "2.0.0")

    def test_stopped_in_recovery_it_is_said_that_the_board_does_not_start(self):
        board, _ = self.cable("smp-in-recovery")
        update = self.start_update("--json")
        self.wait_for_half(update)
        update.send_signal(signal.SIGTERM)
        out, _ = update.communicate(timeout=60)
        result = json.loads(out.decode().splitlines()[-1])
        self.assertEqual((result["exit"], result["error"]["code"]), (143, "terminated"))
        self.assertIn("overwritten in part and does not start", " ".join(result["error"]["hints"]))
        self.assertEqual(self.update("cable", timeout=120, expect=0).result["outcome"], "updated")
        self.assertEqual(self.runs(board), "2.0.0")

    def test_a_person_sees_how_far_it_is_and_a_pipe_gets_whole_lines(self):
        self.cable()
        words = ("serial", "update", "2.0.0.bin", "--port", "cable", "--key", "key.pub.pem")
        seen = self.run_on_terminal(*words, timeout=120)
        self.assertEqual(seen.exit, 0, seen)
        self.assertRegex(seen.out, "upload   \u2588+[^\n]* left")
        self.assertRegex(seen.out, r"100 %  4\d KiB/4\d KiB")
        self.assertIn("updated  1.0.0 -> 2.0.0", seen.out)
        self.run_fotactl("serial", "erase", "--port", "cable", expect=0)
        again = self.run_fotactl("serial", "upload", "1.0.0.bin", "--port", "cable", timeout=120, expect=0)
        self.assertNotIn("\x1b", again.out + again.err)
        tenths = [line for line in again.err.splitlines() if line.startswith("upload ")]
        self.assertIn(len(tenths), (10, 11), again)
        self.assertRegex(tenths[-1], "100 %")

    def test_a_board_that_falls_silent_is_told_with_what_to_do(self):
        board, _ = self.cable()
        update = self.start_update("--json", "--stall", "6s")
        self.wait_for_half(update)
        board.send_signal(signal.SIGSTOP)
        out, _ = update.communicate(timeout=60)
        board.send_signal(signal.SIGCONT)
        result = json.loads(out.decode().splitlines()[-1])
        self.assertEqual((result["exit"], result["error"]["code"]), (7, "transfer-stalled"))
        self.assertRegex(result["error"]["message"], "found no progress for .* after .* KiB")
        self.assertIn("run the same command again", result["error"]["hints"][0])


class Questions(Bench):
    def ask(self, *words, port="tty", **how):
        return self.run_json("serial", *words, "--port", port, **how)

    def test_are_answered_or_refused_in_words(self):
        self.board()
        self.assertEqual(self.ask("echo", "hello", expect=0).result["text"], "hello")
        self.assertIn(63, self.ask("groups", expect=0).result["groups"])
        self.assertEqual(self.ask("stat", expect=0).result["statistics"], ["smp_com"])
        self.assertEqual(self.ask("stat", "smp_com", expect=0).result["fields"], {"uploads": 0})
        self.assertEqual(self.ask("setting", "id/serial", expect=0).result["value"], b"NRF-0042".hex())
        self.assertEqual(self.ask("file", "/lfs1/log.txt", expect=0).result["size"], 1234)
        self.assertIn("Zephyr", self.ask("shell", "kernel", "version", expect=0).result["output"])
        for words, say in ((("stat", "none"), "there is no such group"), (("setting", "none"), "there is no such key"),
                           (("file", "none"), "there is no such file"), (("shell", "none"), "found -8")):
            refused = self.ask(*words, expect=8).result["error"]
            self.assertIn(say, refused["message"])
            self.assertTrue(refused["hints"])
        self.assertIn("--yes", self.ask("erase-storage", expect=2).result["error"]["message"])
        self.ask("erase-storage", "--yes", expect=0)

    def test_a_firmware_without_them_says_so(self):
        self.board("smp-no-optional")
        for words in (("echo", "x"), ("groups",), ("stat",), ("shell", "help")):
            refused = self.ask(*words, expect=8).result["error"]
            self.assertIn("this firmware cannot", refused["hints"][0])

    def test_into_the_bootloader_and_back(self):
        self.board()
        self.assertEqual(self.ask("reset", "--bootloader", expect=0).result["mode"], "recovery")
        self.assertEqual(self.ask("info", expect=0).result["mode"], "recovery")
        self.ask("reset", expect=0)
        time.sleep(2)
        self.assertEqual(self.ask("info", expect=0).result["mode"], "application")

    def test_a_firmware_that_keeps_no_boot_mode_is_told_with_the_button(self):
        self.board("smp-no-boot-mode")
        refused = self.ask("reset", "--bootloader", expect=8).result["error"]
        self.assertIn("its application again", refused["message"])
        self.assertIn("button", refused["hints"][1])


class Ports(Bench):
    def row(self, port):
        run = self.run_json("serial", "ports", "--port", port, expect=0, timeout=120)
        return next(event for event in run.events if event["event"] == "port")

    def modem(self, *quirks):
        words = [word for quirk in quirks for word in ("--quirk", quirk)]
        process = self.start("sim", "--json", "--modem", "modem", *words)
        self.assertEqual(json.loads(process.stdout.readline())["event"], "listening")
        return process

    def test_each_kind_of_answer_has_its_name(self):
        self.assertEqual(self.row(self.board()[1])["answers"], "application")
        recovery = self.row(self.board("smp-in-recovery", where=("--pty", "tty1"))[1])
        self.assertEqual((recovery["answers"], recovery["note"]), ("recovery", "an upload overwrites what runs"))
        for quirks, kind in (((), "at"), (("shell",), "at-shell"), (("log-lines",), "at"), (("silent",), "silent")):
            process = self.modem(*quirks)
            self.assertEqual(self.row("modem")["answers"], kind, quirks)
            process.terminate()
            process.wait()

    def test_one_that_another_program_has_is_told_with_its_name(self):
        _, port = self.board()
        holder = os.open(self.dir / port, os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, holder)
        row = self.row(port)
        self.assertEqual(row["answers"], "unavailable")
        self.assertIn(f"pid {os.getpid()}", row["note"])
        refused = self.run_json("serial", "info", "--port", port, expect=6).result["error"]
        self.assertIn(f"process {os.getpid()}", refused["message"])
        self.assertIn(f"kill {os.getpid()}", refused["hints"][0])


if __name__ == "__main__":
    unittest.main()
