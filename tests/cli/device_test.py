"""fotactl device against fotactl sim over real sockets: any object, every exit code."""

import json
import os
import signal
import socket
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
sys.path.insert(0, os.path.dirname(__file__))
from push_test import ENDPOINT, Bench  # noqa: E402


class DeviceBench(Bench):
    image_bytes = 4096

    def device(self, verb, path, *rest, plain=True, expect=None, text=False, wait="30s"):
        auth = ["--insecure-plain"] if plain else ["--psk", f"{ENDPOINT}=id-{ENDPOINT}:@psk.hex"]
        run = self.run_fotactl if text else self.run_json
        return run("device", verb, ENDPOINT, path, *rest, "--listen", f"127.0.0.1:{self.port}", *auth, "--profile", "lan",
                   "--wait", wait, expect=expect, timeout=120)


class Device(DeviceBench):
    def test_reads_values_with_their_types(self):
        self.start_sim(plain=True)
        run = self.device("read", "/3/0/3", expect=0)
        self.assertEqual(run.result["value"], "1.0.0+0", run)
        self.assertEqual(run.result["values"], [{"path": "/3/0/3", "name": "Firmware Version", "type": "string",
                                                 "value": "1.0.0+0"}])
        jedec = self.device("read", "/26245/0/0", expect=0).result
        self.assertEqual((jedec["value"], jedec["values"][0]["type"]), ("c22817", "opaque"))
        size = self.device("read", "/26245/0/1", "--format", "tlv", expect=0).result
        self.assertEqual(size["value"], 8 << 20)
        instance = self.device("read", "/5/0", expect=0).result["values"]
        values = {each["path"]: each["value"] for each in instance}
        self.assertEqual((values["/5/0/3"], values["/5/0/8/0"], values["/5/0/9"]), (0, 0, 2))
        shown = self.device("read", "/5/0/3", text=True, expect=0)
        self.assertRegex(shown.out, r"^/5/0/3 +State +0 \(idle\)\n$")

    def test_probe_asks_the_flash_over_lwm2m(self):
        self.start_sim(plain=True)
        kept = self.dir / "probe.json"
        run = self.run_json("layout", "probe", "--endpoint", ENDPOINT, "--out", kept, "--listen",
                            f"127.0.0.1:{self.port}", "--insecure-plain", "--profile", "lan", "--wait", "30s", timeout=120)
        self.assertEqual((run.exit, run.result["jedec_id"], run.result["size"]), (0, "c2 28 17", 8 << 20), run)
        self.assertEqual(json.loads(kept.read_text())["bfp"], run.result["bfp"])

    def test_over_dtls(self):
        self.start_sim()
        run = self.device("read", "/3/0/1", plain=False, expect=0)
        self.assertEqual(run.result["value"], "nrf9160dk")

    def test_writes_and_reads_back(self):
        self.start_sim(plain=True)
        self.device("write", "/26245/0/10", "0", expect=0)
        self.device("write", "/1/0/1", "25", "--format", "tlv", expect=0)
        self.assertEqual(self.device("read", "/1/0/1", expect=0).result["value"], 25)

    def test_discovers_what_is_there(self):
        self.start_sim(plain=True)
        paths = [each["path"] for each in self.device("discover", "/", expect=0).result["links"]]
        self.assertEqual(paths, ["/1/0", "/3/0", "/5/0", "/26245/0"])
        links = self.device("discover", "/5", expect=0).result["links"]
        names = {each["path"]: each.get("name") for each in links}
        self.assertEqual((names["/5/0"], names["/5/0/3"]), ("Firmware Update", "State"))

    def test_executes_once(self):
        self.start_sim(plain=True)
        self.device("execute", "/3/0/4", expect=0)
        self.assertTrue(self.wait_for_event("reboot"))

    def test_observes_until_the_count(self):
        self.start_sim(plain=True)
        run = self.device("observe", "/1/0/1", "--count", "1", expect=0)
        told = [event for event in run.events if event["event"] == "value"]
        self.assertEqual([event["value"] for event in told], [20])
        self.assertEqual(run.result["notifications"], 1)

    def test_observing_ends_well_at_ctrl_c(self):
        self.start_sim(plain=True)
        process = self.start("device", "observe", ENDPOINT, "/5/0/3", "--json", "--listen", f"127.0.0.1:{self.port}",
                             "--insecure-plain", "--wait", "30s")
        for line in process.stdout:
            if json.loads(line)["event"] == "value":
                break
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
        last = json.loads(out.splitlines()[-1])
        self.assertEqual((process.returncode, last["outcome"], last["notifications"]), (0, "done", 1))

    def wait_for_event(self, name):
        import time
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.sim_events(name):
                return True
            time.sleep(0.1)
        return False


class List(DeviceBench):
    def listed(self, expect=0):
        return self.run_json("device", "list", "--state-dir", "state", expect=expect)

    def test_knows_what_updates_and_commands_have_met(self):
        self.assertEqual(self.listed().result["devices"], [])
        self.assertFalse((self.dir / "state").exists(), "a list writes nothing")
        self.start_sim(plain=True)
        self.device("read", "/3/0/3", "--state-dir", "state", expect=0)
        met, = self.listed().result["devices"]
        self.assertEqual((met["endpoint"], met["lifetime"], met["version"], met["outcome"]), (ENDPOINT, 20, None, None))
        self.assertRegex(met["last_contact"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.push("2.0.0.bin", "--state-dir", "state", plain=True, expect=0)
        run = self.listed()
        self.assertEqual([event["event"] for event in run.events], ["device", "result"])
        updated, = run.result["devices"]
        self.assertEqual((updated["version"], updated["to_version"], updated["outcome"], updated["step"]),
                         ("2.0.0+0", "2.0.0+0", "updated", None))
        shown = self.run_fotactl("device", "list", "--state-dir", "state", expect=0).out
        self.assertRegex(shown, rf"(?m)^ {ENDPOINT} +2\.0\.0\+0 +updated to 2\.0\.0\+0 +(just now|\d+ s ago)$")

    def test_reads_beside_an_update_that_runs(self):
        process = self.start(*self.arguments(), "--json")
        self.assertIn(b"listening", process.stdout.readline())
        self.assertEqual(self.run_json("device", "list", expect=0).result["devices"], [])

    def test_what_is_no_store_is_fourteen(self):
        (self.dir / "state").mkdir()
        (self.dir / "state" / "fotactl.db").write_bytes(b"not a database, and long enough to look like one" * 30)
        self.assertEqual(self.listed(expect=14).result["error"]["code"], "store-failed")


class Waiting(DeviceBench):
    def test_a_device_that_registers_and_says_no_more_is_given_up_in_time(self):
        register = bytes([0x41, 0x02, 0x12, 0x34, 0x77]) + b"\xb2rd" + b"\x11\x28"  # CON POST /rd, link-format
        for query in (f"ep={ENDPOINT}", "lt=60", "lwm2m=1.1"):
            lead = b"\x3d" if register.endswith(b"\x28") else b"\x0d"
            text = query.encode()
            register += lead + bytes([len(text) - 13]) + text if len(text) > 12 else \
                bytes([(lead[0] & 0xf0) | len(text)]) + text
        register += b"\xff</3/0>"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
            device.settimeout(0.2)
            process = self.start("device", "read", ENDPOINT, "/3/0/3", "--json", "--listen", f"127.0.0.1:{self.port}",
                                 "--insecure-plain", "--wait", "4s")
            self.assertIn(b"listening", process.stdout.readline())
            device.sendto(register, ("127.0.0.1", self.port))
            # It has 20 s for an answer, however little of the 4 s was left; without an end the message is sent again for
            # a minute.
            out, _ = process.communicate(timeout=45)
        events = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([event["event"] for event in events], ["registered", "result"])
        self.assertEqual((process.returncode, events[-1]["error"]["code"]), (6, "device-absent"))


class Refused(DeviceBench):
    def test_what_the_device_refuses_is_eight(self):
        self.start_sim(plain=True)
        for verb, path, rest, code in (("read", "/3/0/99", [], "4.04"), ("write", "/3/0/3", ["x"], "4.05"),
                                       ("execute", "/5/0/2", [], "4.05"), ("discover", "/77", [], "4.04"),
                                       ("read", "/5/0/0", [], "4.05"), ("observe", "/3/0/99", [], "4.04")):
            with self.subTest(verb=verb, path=path):
                run = self.device(verb, path, *rest, expect=8)
                self.assertEqual(run.result["error"]["code"], "device-refused", run)
                self.assertIn(code, run.result["error"]["message"])

    def test_what_makes_no_sense_is_two(self):
        for verb, path, rest in (("read", "3/0/3", []), ("read", "/3/0/x", []), ("read", "/3/0/3/0/1", []),
                                 ("write", "/3/0", ["1"]), ("write", "/1/0/1", ["soon"]), ("execute", "/3/0", []),
                                 ("write", "/3/0/3", ["x", "--type", "odd"]), ("read", "/3/0/3", ["--format", "odd"]),
                                 ("observe", "", []), ("discover", "/5/", [])):
            with self.subTest(verb=verb, path=path):
                run = self.device(verb, path, *rest, expect=2)
                self.assertEqual(run.result["error"]["code"], "usage", run)
                self.assertEqual(len(run.events), 1, run)

    def test_absent_is_six_and_refused_is_thirteen(self):
        run = self.device("read", "/3/0/3", wait="1s", expect=6)
        self.assertEqual(run.result["error"]["code"], "device-absent", run)
        self.assertIn("0 datagrams", run.result["error"]["message"])
        self.write("other.hex", "8f0e1d2c3b4a69788796a5b4c3d2e1f7", 0o600)
        self.start_sim()
        wrong = self.run_json("device", "read", ENDPOINT, "/3/0/3", "--listen", f"127.0.0.1:{self.port}", "--psk",
                              f"{ENDPOINT}=id-{ENDPOINT}:@other.hex", "--wait", "8s", expect=13)
        self.assertIn("wrong key", wrong.result["error"]["message"])


if __name__ == "__main__":
    unittest.main()
