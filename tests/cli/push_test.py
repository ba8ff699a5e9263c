"""fotactl push against fotactl sim over real sockets: proof, kills at any moment, lossy links, every exit code."""

import json
import os
import random
import signal
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from lossy_proxy import LossyProxy  # noqa: E402
from run_fotactl import Case  # noqa: E402

ENDPOINT = "urn:imei:351358811331351"
KEY = "5f0e1d2c3b4a69788796a5b4c3d2e1f7"
LONG = bool(os.environ.get("FOTACTL_LONG"))


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Bench(Case):
    """A key, two images and one virtual device."""

    image_bytes = 48 * 1024

    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.write("psk.hex", KEY, 0o600)
        payload = random.Random(7).randbytes(self.image_bytes)
        self.write("app.bin", payload)
        self.run_fotactl("key", "new", "--type", "ecdsa-p256", "--out", "release.pem", expect=0)
        self.run_fotactl("key", "public", "--key", "release.pem", "--out", "pub.pem", expect=0)
        for version in ("1.0.0", "2.0.0"):
            self.run_fotactl("image", "sign", "--key", "release.pem", "--version", version, "--pad-header", "app.bin",
                             f"{version}.bin", expect=0)
        self.sims = []

    def start_sim(self, *options, port=None, plain=False, endpoint=ENDPOINT, flash="flash"):
        scheme = "coap" if plain else "coaps"
        identity = [] if plain else ["--identity", f"id-{endpoint}", "--psk-file", "psk.hex"]
        log = open(self.dir / f"sim-{len(self.sims)}.log", "wb")
        self.addCleanup(log.close)
        sim = self.start("sim", "--json", "--endpoint", endpoint, "--server", f"{scheme}://127.0.0.1:{port or self.port}",
                         *identity, "--flash-dir", flash, "--image", "1.0.0.bin", "--key", "pub.pem", "--lifetime", "20",
                         *options, stdout=log, stderr=None)
        self.sims.append((sim, log.name))
        return sim

    def sim_events(self, name, index=-1):
        with open(self.sims[index][1], encoding="utf-8") as log:
            events = [json.loads(line) for line in log if line.endswith("\n")]
        return [event for event in events if event["event"] == name]

    def arguments(self, image="2.0.0.bin", *options, plain=False, endpoint=ENDPOINT):
        auth = ["--insecure-plain"] if plain else ["--psk", f"{endpoint}=id-{endpoint}:@psk.hex"]
        return ["push", image, "--endpoint", endpoint, "--listen", f"127.0.0.1:{self.port}", *auth, "--key", "pub.pem",
                "--wait", "60s", "--profile", "lan", *options]

    def push(self, *arguments, expect=None, timeout=240, **options):
        return self.run_json(*self.arguments(*arguments, **options), expect=expect, timeout=timeout)


class Push(Bench):
    def test_is_proven_then_already_installed(self):
        self.start_sim()
        run = self.push(expect=0)
        self.assertEqual(run.result["outcome"], "updated", run)
        self.assertEqual((run.result["from_version"], run.result["running_version"]), ("1.0.0+0", "2.0.0+0"))
        names = [event["event"] for event in run.events]
        self.assertEqual(names[0], "listening")
        for name in ("registered", "step", "device", "progress", "device-result"):
            self.assertIn(name, names)
        steps = [event["step"] for event in run.events if event["event"] == "step"]
        self.assertEqual(steps, ["await-device", "plan", "deliver", "downloaded", "execute", "await-return", "prove"])
        again = self.push(expect=0)
        self.assertEqual((again.result["outcome"], again.result["bytes_sent"]), ("already-installed", 0))
        self.assertEqual(len(self.sim_events("swapped")), 1)

    def test_returns_silently_from_the_same_port(self):
        self.start_sim("--quirk", "same-port")
        run = self.push(expect=0)
        self.assertEqual(run.result["outcome"], "updated")
        self.assertLess(run.result["seconds"], 20)

    def test_other_boards_swap_and_refuse_in_their_way(self):
        self.start_sim("--quirk", "boot-scratch", "--quirk", "boot-no-downgrade", "--quirk", "flash-w25q32jv")
        self.assertEqual(self.push(expect=0).result["outcome"], "updated")
        self.assertEqual((self.dir / "flash" / "external.bin").stat().st_size, 4 << 20)
        log = (self.dir / "sim-0.log").read_text(encoding="utf-8")
        self.assertEqual(len(self.sim_events("swapped")), 1, log)
        back = self.push("1.0.0.bin", "--allow-downgrade", "field return", expect=9)
        self.assertEqual(back.result["outcome"], "rolled-back", back)
        self.assertIn("downgrade prevention", back.result["error"]["message"])
        unknown = self.run_fotactl("sim", "--endpoint", ENDPOINT, "--server", "coap://127.0.0.1:5683", "--quirk",
                                   "flash-none", expect=2)
        self.assertIn("--quirk list", unknown.err)

    def test_a_terminal_gets_a_bar_and_no_json(self):
        self.start_sim()
        run = self.run_on_terminal(*self.arguments())
        self.assertEqual(run.exit, 0, run)
        for text in ("█", "100 %", "proven", "updated", "\x1b[1;32m"):
            self.assertIn(text, run.out)

    def test_two_devices_at_once(self):
        other = "urn:imei:351358811331352"
        self.write("psk2.hex", KEY[::-1], 0o600)
        self.start_sim()
        log = open(self.dir / "other.log", "wb")
        self.addCleanup(log.close)
        self.start("sim", "--json", "--endpoint", other, "--server", f"coaps://127.0.0.1:{self.port}", "--identity", "other",
                   "--psk-file", "psk2.hex", "--flash-dir", "flash2", "--image", "1.0.0.bin", stdout=log, stderr=None)
        run = self.push("2.0.0.bin", "--endpoint", other, "--psk", f"{other}=other:@psk2.hex", expect=0)
        self.assertEqual(run.result["outcome"], "done")
        self.assertEqual([each["outcome"] for each in run.result["devices"]], ["updated", "updated"])

    def test_what_is_refused_before_anything_is_sent(self):
        image = bytearray((self.dir / "2.0.0.bin").read_bytes())
        image[700] ^= 1
        self.write("tampered.bin", bytes(image))
        self.write("text.bin", b"no image at all")
        self.run_fotactl("key", "new", "--type", "ecdsa-p256", "--out", "other.pem", expect=0)
        cases = [
            (4, "image-rejected", self.arguments("tampered.bin")),
            (4, "key-mismatch", self.with_key("other.pem")),
            (3, "image-malformed", self.arguments("text.bin")),
            (3, "file-unreadable", self.arguments("absent.bin")),
            (2, "usage", [word for word in self.arguments() if word not in ("--key", "pub.pem")]),
            (2, "usage", self.arguments("2.0.0.bin", "--block-size", "100")),
            (2, "usage", self.arguments("2.0.0.bin", "--stall", "soon")),
        ]
        for code, name, arguments in cases:
            with self.subTest(arguments=arguments):
                run = self.run_json(*arguments, expect=code)
                self.assertEqual(run.result["error"]["code"], name, run)
                self.assertEqual(len(run.events), 1, run)

    def with_key(self, key):
        words = self.arguments()
        words[words.index("--key") + 1] = key
        return words

    def test_credentials_and_addresses(self):
        # Planted nowhere: the canary would find it in a file that all can read, which is what this one has to be.
        self.write("open.hex", "00112233445566778899aabbccddeeff", 0o644)
        self.run_json(*self.arguments()[:-4], "--psk", f"b=c:@open.hex", "--wait", "1s", expect=13)
        run = self.run_json("push", "2.0.0.bin", "--endpoint", ENDPOINT, "--listen", f"127.0.0.1:{self.port}", "--key", "pub.pem",
                            "--wait", "2s", expect=2)
        self.assertIn("--credentials", run.result["error"]["hints"][0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", self.port))
            run = self.push(expect=6)
            self.assertEqual(run.result["error"]["code"], "address-in-use")
        words = self.arguments()
        words[words.index("--wait") + 1] = "2s"
        run = self.run_json(*words, expect=6)
        self.assertEqual(run.result["outcome"], "absent")
        self.write("psk.hex", KEY[::-1], 0o600)
        self.start_sim()
        time.sleep(0.5)  # the sim has read its key by then
        self.write("psk.hex", KEY, 0o600)
        words[words.index("--wait") + 1] = "6s"
        run = self.run_json(*words, expect=13)
        self.assertEqual(run.result["outcome"], "absent")
        self.assertIn("wrong key", run.result["error"]["message"])

    def test_an_old_version_needs_a_reason(self):
        self.start_sim()
        self.push(expect=0)
        run = self.push("1.0.0.bin", expect=4)
        self.assertEqual((run.result["outcome"], run.result["bytes_sent"]), ("refused", 0))
        run = self.push("1.0.0.bin", "--allow-downgrade", "field return", expect=0)
        self.assertEqual(run.result["outcome"], "updated")

    def test_a_revert_is_exit_9(self):
        self.start_sim("--quirk", "revert-unseen")
        run = self.push("2.0.0.bin", timeout=300, expect=9)
        self.assertEqual(run.result["outcome"], "rolled-back")
        self.assertEqual(run.result["running_version"], "1.0.0+0")

    def test_signals_save_the_state(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(signal=number):
                process = self.start(*self.arguments(), "--json")
                self.assertIn(b"listening", process.stdout.readline())
                process.send_signal(number)
                out, _ = process.communicate(timeout=20)
                self.assertEqual(process.returncode, code)
                self.assertEqual(json.loads(out.splitlines()[-1])["outcome"], "interrupted")

    def test_one_state_directory_one_process(self):
        process = self.start(*self.arguments(), "--json")
        self.assertIn(b"listening", process.stdout.readline())
        run = self.push(expect=14)
        self.assertEqual(run.result["error"]["code"], "store-locked")
        self.assertIn(str(process.pid), run.result["error"]["message"])

    def test_dry_run_sends_nothing(self):
        run = self.push("2.0.0.bin", "--dry-run", expect=0)
        blocks = run.result["blocks"]
        self.assertEqual(blocks, -(-os.path.getsize(self.dir / "2.0.0.bin") // 512))
        self.assertGreater(run.result["billed_bytes"], os.path.getsize(self.dir / "2.0.0.bin"))

    def test_a_dry_run_tells_the_costs_of_the_method_that_was_asked_for(self):
        pushed = self.push("2.0.0.bin", "--dry-run", expect=0).result
        pulled = self.push("2.0.0.bin", "--dry-run", "--method", "pull", expect=0).result
        self.assertEqual(pulled["blocks"], pushed["blocks"])
        self.assertGreater(pulled["billed_bytes"], pushed["billed_bytes"])
        elsewhere = self.push("2.0.0.bin", "--dry-run", "--package-uri", "http://updates.example/2.bin", expect=0).result
        self.assertNotIn("billed_bytes", elsewhere)

    def test_a_simulator_that_shall_end_stays_until_the_update_is_proven(self):
        sim = self.start_sim("--once")
        self.assertEqual(self.push(expect=0).result["outcome"], "updated")
        self.assertEqual(sim.wait(timeout=30), 0)


class Waits(Bench):
    """What push says while a device keeps it waiting."""

    def seen(self, process, what):
        """Reads stderr up to the line with these words."""
        for line in process.stderr:
            if what in line:
                return True
        return False

    def test_an_update_that_was_left_open_is_told_and_waited_for_longer(self):
        sim = self.start_sim("--quirk", "silent-after-execute")
        first = self.start(*self.arguments())
        self.assertTrue(self.seen(first, b"for urn:imei:351358811331351 to install it and come back \xc2\xb7 last heard"))
        first.kill()
        first.wait()
        sim.kill()
        words = self.arguments()
        del words[words.index("--wait"):words.index("--wait") + 2]
        again = self.start(*words)
        self.assertTrue(self.seen(again, b"was left unfinished"))
        # The lifetime of 20 s and a tenth, and what a device may be silent after a break.
        self.assertTrue(self.seen(again, b"giving up in 6 min"))

    def test_a_device_that_comes_under_another_name_is_no_absent_one(self):
        self.start("sim", "--endpoint", "another", "--server", f"coaps://127.0.0.1:{self.port}", "--identity",
                   f"id-{ENDPOINT}", "--psk-file", "psk.hex", "--image", "1.0.0.bin")
        words = self.arguments()
        words[words.index("--wait") + 1] = "5s"
        run = self.run_json(*words, expect=13)
        self.assertIn("another name, another", run.result["error"]["message"])
        refused = [event for event in run.events if event["event"] == "refused"]
        self.assertEqual((refused[0]["endpoint"], refused[0]["reason"]), ("another", f"its identity belongs to {ENDPOINT}"))


class Pull(Bench):
    """The device fetches the package itself."""

    def test_is_proven_plain_and_over_dtls(self):
        for plain in (True, False):
            with self.subTest(plain=plain):
                self.port = free_port()
                self.start_sim(plain=plain, flash=f"flash-{plain}")
                run = self.push("2.0.0.bin", "--method", "pull", "--state-dir", f"state-{plain}", plain=plain, expect=0)
                size = os.path.getsize(self.dir / "2.0.0.bin")
                self.assertEqual((run.result["outcome"], run.result["bytes_sent"]), ("updated", size), run)
                self.assertEqual(run.result["blocks"], -(-size // 512))
                self.assertIn("progress", [event["event"] for event in run.events])

    def test_a_wildcard_gives_way_to_the_address_the_device_reaches(self):
        self.start_sim()
        words = self.arguments("2.0.0.bin", "--method", "pull")
        words[words.index("--listen") + 1] = f"0.0.0.0:{self.port}"
        run = self.run_fotactl(*words, expect=0, timeout=120)
        self.assertIn(f"fetches from coaps://127.0.0.1:{self.port}/fw/", run.err)

    def test_advertise_names_the_host(self):
        self.start_sim("--quirk", "pull-same-session")
        run = self.run_fotactl(*self.arguments("2.0.0.bin", "--method", "pull", "--advertise", "fota.example.com"), expect=0,
                               timeout=120)
        self.assertIn(f"coaps://fota.example.com:{self.port}/fw/", run.err)

    def test_a_device_that_only_takes_pushes_is_refused(self):
        self.start_sim("--quirk", "push-only")
        run = self.push("2.0.0.bin", "--method", "pull", expect=8)
        self.assertEqual((run.result["outcome"], run.result["bytes_sent"]), ("refused", 0))

    def test_a_scheme_the_device_does_not_fetch_is_refused(self):
        self.start_sim()
        run = self.push("2.0.0.bin", "--package-uri", "https://firmware.example.com/2.0.0.bin", expect=8)
        self.assertNotIn("warning", [event["event"] for event in run.events])
        self.assertEqual((run.result["outcome"], run.result["bytes_sent"]), ("refused", 0))
        self.assertIn("https", run.result["error"]["message"])

    def test_a_device_that_only_fetches_is_not_pushed_to(self):
        self.start_sim("--quirk", "pull-only")
        run = self.push("2.0.0.bin", "--method", "push", expect=8)
        self.assertEqual((run.result["outcome"], run.result["bytes_sent"]), ("refused", 0))
        self.assertIn("--method pull", run.result["error"]["message"])

    def test_a_query_in_the_uri_is_warned_of(self):
        # Nothing registers: what is said comes first.
        words = self.arguments("2.0.0.bin", "--package-uri", "coap://files.example.com/app.bin?v=2")
        words[words.index("--wait") + 1] = "1s"
        run = self.run_json(*words, expect=6)
        self.assertEqual([event["code"] for event in run.events if event["event"] == "warning"], ["package-uri-query"])
        run = self.run_fotactl(*words, expect=6)
        self.assertIn("without a query", run.err)

    def test_what_the_command_line_refuses(self):
        long_uri = "coap://firmware.example.com/" + "a" * 100
        for options in (("--method", "sideways"), ("--package-uri", long_uri), ("--package-uri", "ftp://x/y"),
                        ("--method", "push", "--package-uri", "coap://x/y"), ("--advertise", "a/b"),
                        ("--advertise", "x", "--package-uri", "coap://x/y")):
            with self.subTest(options=options):
                run = self.run_json(*self.arguments("2.0.0.bin", *options), expect=2)
                self.assertTrue(run.result["error"]["hints"], run)


class Kill(Bench):
    """kill -9 at any moment, then the same command."""

    def kill_and_repeat(self, delay, index):
        flash = f"flash-{index}"
        self.port = free_port()
        sim = self.start_sim(flash=flash)
        state = ("--state-dir", f"state-{index}")
        process = self.start(*self.arguments("2.0.0.bin", *state), "--json")
        try:
            process.wait(delay)
        except Exception:  # noqa: BLE001 - still running, as wanted
            process.kill()
        out = process.communicate()[0]
        told = any(b'"event":"result"' in line for line in out.splitlines())
        sent = max([json.loads(line)["bytes"] for line in out.splitlines() if line.startswith(b'{') and b'"progress"' in line
                    and line.endswith(b'}')], default=0)
        run = self.push("2.0.0.bin", *state, expect=0)
        if told:
            self.assertIn(run.result["outcome"], ("updated", "already-installed"), run)
        else:
            self.assertEqual(run.result["outcome"], "updated", f"killed after {delay} s\n{run}")
        self.assertEqual(len(self.sim_events("swapped")), 1)
        reboots = [event for event in self.sim_events("reboot")]
        self.assertEqual(len(reboots), 1, reboots)
        if sent > self.image_bytes // 2:
            self.assertLess(run.result["bytes_sent"], self.image_bytes // 2 + 16 * 1024, run)
        sim.kill()
        sim.wait()

    def test_at_any_moment(self):
        # A whole run takes about two seconds here; the moments cover waiting, transfer, Execute and the reboot.
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"seed {seed}", file=sys.stderr)
        moments = random.Random(seed)
        rounds = 40 if LONG else 10
        for index in range(rounds):
            delay = 0.02 + 2.6 * (index + moments.random()) / rounds
            with self.subTest(seed=seed, delay=round(delay, 3)):
                self.kill_and_repeat(delay, index)


class Lossy(Bench):
    """A tenth of the datagrams dropped each way."""

    image_bytes = 256 * 1024 - 1024

    def run_one(self, seed, plain, results):
        name = f"{'plain' if plain else 'dtls'}-{seed}"
        port = free_port()
        proxy = LossyProxy(port, 0.10, seed).start()
        try:
            self.start_sim(port=proxy.port, plain=plain, flash=f"flash-{name}")
            words = self.arguments("2.0.0.bin", "--state-dir", f"state-{name}", "--block-size", "1024", plain=plain)
            words[words.index("--listen") + 1] = f"127.0.0.1:{port}"
            run = self.run_json(*words, timeout=900)
            primary = (self.dir / f"flash-{name}" / "internal.bin").read_bytes()[0x10000:]
            results[name] = (run, primary.startswith((self.dir / "2.0.0.bin").read_bytes()), proxy.dropped)
        finally:
            proxy.stop()

    def check(self, seeds):
        jobs, results = [], {}
        for seed in seeds:
            for plain in (True, False):
                jobs.append(threading.Thread(target=self.run_one, args=(seed, plain, results)))
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
        self.assertEqual(len(results), len(jobs))
        for name, (run, identical, dropped) in results.items():
            with self.subTest(name):
                self.assertEqual(run.exit, 0, run)
                self.assertEqual(run.result["outcome"], "updated", run)
                self.assertTrue(identical, "the image in the primary slot is not the one that was sent")
                self.assertGreater(dropped, 20)

    def test_one_seed(self):
        self.check([1])

    @unittest.skipUnless(LONG, "scripts/test --long")
    def test_twenty_seeds(self):
        self.check(range(1, 11))
        self.check(range(11, 21))


if __name__ == "__main__":
    unittest.main()
