"""fotactl provision: keys into the credentials file, into a modem on a pseudo-terminal, batches and signed reports."""

import base64
import concurrent.futures
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from run_fotactl import PROGRAM, SOURCE, Case, environment, reap  # noqa: E402

IMEI = "351358811331351"
ENDPOINT = f"urn:imei:{IMEI}"


class Bench(Case):
    """A credentials file and fake modems on pseudo-terminals."""

    def start_modem(self, *quirks, name="modem", imei=IMEI):
        options = [argument for quirk in quirks for argument in ("--quirk", quirk)]
        process = self.start("sim", "--json", "--modem", name, "--imei", imei, *options)
        listening = json.loads(process.stdout.readline())
        self.assertEqual(listening["event"], "listening")
        return process

    def stored(self, process):
        """Ends the modem; what it holds."""
        process.send_signal(signal.SIGTERM)
        lines, _ = process.communicate(timeout=30)
        result = json.loads(lines.decode().splitlines()[-1])
        return result["functionality"], {(entry["sec_tag"], entry["type"]) for entry in result["stored"]}

    def provision(self, *options, port="modem", **how):
        return self.run_json("provision", "modem", "--port", port, "--credentials", "fleet.json", *options, **how)

    def fleet(self):
        path = self.dir / "fleet.json"
        return json.loads(path.read_text())["devices"] if path.exists() else []


class Device(Bench):
    def device(self, endpoint=ENDPOINT, *options, **how):
        return self.run_json("provision", "device", "--endpoint", endpoint, "--credentials", "fleet.json", *options, **how)

    def test_a_key_is_minted_and_kept(self):
        run = self.device(expect=0)
        self.assertEqual((run.result["outcome"], run.result["endpoint"], run.result["identity"]),
                         ("minted", ENDPOINT, ENDPOINT))
        (device,) = self.fleet()
        self.assertRegex(device["psk"], "^[0-9a-f]{32}$")
        self.assertNotIn(device["psk"], run.out + run.err)
        self.assertEqual(stat.S_IMODE((self.dir / "fleet.json").stat().st_mode), 0o600)
        again = self.device(expect=0)
        self.assertEqual(again.result["outcome"], "already-there")
        self.assertEqual(self.fleet(), [device])

    def test_what_else_stands_in_the_file_is_kept(self):
        self.write("fleet.json", json.dumps({"note": "ours", "devices": [
            {"endpoint": "a", "identity": "a", "psk": "8c1f0a7b6d5e4c3b2a19080706f5e4d3", "site": "north"}]}), 0o600)
        self.device(expect=0)
        document = json.loads((self.dir / "fleet.json").read_text())
        self.assertEqual((document["note"], document["devices"][0]["site"]), ("ours", "north"))
        self.assertEqual(len(document["devices"]), 2)

    def test_duplicates_and_open_files_are_refused(self):
        self.device("a", "--identity-template", "shared", expect=0)
        before = (self.dir / "fleet.json").read_bytes()
        twice = self.device("b", "--identity-template", "shared", expect=13)
        self.assertIn("shared", twice.result["error"]["message"])
        self.device("a", expect=13)  # another identity for the same endpoint
        self.device("bad name", expect=2)
        self.device("c", "--identity-template", "{nonsense}", expect=2)
        self.assertEqual((self.dir / "fleet.json").read_bytes(), before)
        (self.dir / "fleet.json").chmod(0o644)
        self.assertIn("chmod 600", " ".join(self.device("c", expect=13).result["error"]["hints"]))
        self.assertEqual((self.dir / "fleet.json").read_bytes(), before)

    def test_two_at_once_lose_nothing(self):
        names = [f"device-{index}" for index in range(8)]
        running = [self.start("provision", "device", "--endpoint", name, "--credentials", "fleet.json") for name in names]
        for process in running:
            self.assertEqual(process.wait(timeout=60), 0)
        self.assertEqual(sorted(device["endpoint"] for device in self.fleet()), names)
        self.assertEqual(len({device["psk"] for device in self.fleet()}), 8)


class Modem(Bench):
    def test_from_blank_to_provisioned(self):
        modem = self.start_modem()
        run = self.provision(expect=0)
        result = run.result
        self.assertEqual(result["outcome"], "provisioned", run)
        self.assertEqual((result["imei"], result["endpoint"], result["identity"], result["minted"]),
                         (IMEI, ENDPOINT, ENDPOINT, True))
        self.assertEqual([line["state"] for line in result["credentials"]], ["written", "written"])
        self.assertEqual(self.provision(expect=0).result["outcome"], "already-provisioned")
        functionality, stored = self.stored(modem)
        self.assertEqual(functionality, 1)
        self.assertEqual(stored, {(35724861, 4), (35724861, 3)})
        (device,) = self.fleet()
        self.assertNotIn(device["psk"], run.out + run.err)

    def test_for_a_person_behind_a_shell(self):
        self.start_modem("shell", "log-lines")
        run = self.run_fotactl("provision", "modem", "--port", "modem", "--credentials", "fleet.json", expect=0)
        self.assertIn("AT in a shell", run.out)
        self.assertIn("PSK identity written, pre-shared key written", run.out)
        self.assertNotIn(self.fleet()[0]["psk"], run.out + run.err)

    def test_templates(self):
        self.start_modem()
        run = self.provision("--endpoint-template", "nrf-{imei}", "--identity-template", "{endpoint}-{iccid}", expect=0)
        self.assertEqual(run.result["endpoint"], f"nrf-{IMEI}")
        self.assertEqual(run.result["identity"], f"nrf-{IMEI}-8947080012345678901")

    def test_every_refusal_in_words_with_its_exit_code(self):
        for quirk, code, words in (("store-full", 8, "store is full"), ("low-voltage", 8, "voltage"), ("cme-518", 8, "offline"),
                                   ("cme-514", 8, "no access"), ("corrupts", 8, "another SHA-256"),
                                   ("refuses-restore", 8, "not restored"), ("no-at-in-shell", 6, "without the command")):
            with self.subTest(quirk):
                modem = self.start_modem(quirk)
                run = self.provision(expect=code)
                self.assertIn(words, run.result["error"]["message"])
                self.assertTrue(run.result["error"]["hints"], run)
                if quirk == "store-full":
                    self.assertIn("in sec tag 35724861 now: PSK identity written, pre-shared key not written",
                                  run.result["error"]["message"])
                self.stored(modem)

    def test_other_credentials_are_left_alone_unless_asked(self):
        self.start_modem()
        self.provision(expect=0)
        (self.dir / "fleet.json").unlink()
        refused = self.provision(expect=4)
        self.assertEqual(refused.result["outcome"], "refused")
        self.assertIn("nothing was changed", refused.result["error"]["message"])
        self.assertIn("--replace", " ".join(refused.result["error"]["hints"]))
        self.assertEqual(self.provision("--replace", expect=0).result["outcome"], "provisioned")

    def test_the_wrong_device_is_left_alone(self):
        modem = self.start_modem()
        run = self.provision("--imei", "351358811339999", expect=4)
        self.assertIn(IMEI, run.result["error"]["message"])
        self.assertEqual(self.stored(modem), (1, set()))
        self.assertEqual(self.fleet(), [])

    def test_known_only(self):
        self.start_modem()
        self.provision("--known-only", expect=13)
        self.assertEqual(self.fleet(), [])

    def test_sample_keys_and_long_keys_never_reach_a_modem(self):
        modem = self.start_modem()
        for psk in ("000102030405060708090a0b0c0d0e0f", "8c1f0a7b6d5e4c3b2a19080706f5e4d3" * 2 + "aa"):
            self.write("fleet.json", json.dumps({"devices": [{"endpoint": ENDPOINT, "identity": ENDPOINT, "psk": psk}]}), 0o600)
            self.assertNotIn(psk, repr(self.provision(expect=13)))
        self.assertEqual(self.stored(modem), (1, set()))

    def test_silence_an_absent_port_and_misuse(self):
        self.provision(port="nowhere", expect=6)
        self.run_json("provision", "modem", "--credentials", "fleet.json", expect=2)
        self.start_modem()
        self.run_json("provision", "modem", "--port", "modem", expect=2)
        self.provision("--sec-tag", "4294967292", expect=2)
        self.provision("--report", "r.json", expect=2)

    def test_interrupted_it_brings_the_modem_back(self):
        modem = self.start_modem("slow-offline")
        process = self.start("provision", "modem", "--json", "--port", "modem", "--credentials", "fleet.json")
        for line in process.stdout:
            if json.loads(line).get("step", "").startswith("taking the modem offline"):
                break
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=90)
        result = json.loads(out.decode().splitlines()[-1])
        self.assertEqual((process.returncode, result["error"]["code"]), (130, "interrupted"))
        self.assertEqual(self.stored(modem), (1, set()))

    def test_a_key_made_in_the_modem(self):
        self.start_modem()
        run = self.run_json("provision", "modem", "--port", "modem", "--generate-key", "--subject", "CN={imei}", "--csr-out",
                            "{imei}.csr", "--sec-tag", "7", expect=0)
        self.assertEqual(run.result["csr_file"], f"{IMEI}.csr")
        self.assertTrue((self.dir / f"{IMEI}.csr").read_text().startswith("-----BEGIN CERTIFICATE REQUEST-----"))
        ca = self.write("ca.pem", "-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----\r\n")
        run = self.run_json("provision", "modem", "--port", "modem", "--root-ca", ca, "--sec-tag", "7", expect=0)
        self.assertEqual([line["state"] for line in run.result["credentials"]], ["written"])


class EveryModem(Bench):
    # Exit code and a word of the message; all others end provisioned. "deaf-in-write" costs five minutes of real silence and
    # stands in the scenario tests.
    ENDS = {"no-at-in-shell": (6, "without the command"), "silent": (6, "silence"), "store-full": (8, "full"),
            "corrupts": (8, "another SHA-256"), "no-list": (8, "no access"), "refuses-offline": (8, "go offline"),
            "refuses-restore": (8, "not restored"), "low-voltage": (8, "voltage"), "restarts-in-write": (8, "restarted")}

    def one(self, quirk):
        self.start_modem(quirk, name=f"modem-{quirk}")
        return self.run_json("provision", "modem", "--port", f"modem-{quirk}", "--credentials", f"{quirk}.json", timeout=170)

    def test_every_quirk_on_a_terminal(self):
        listed = self.run_json("sim", "--modem", "m", "--quirk", "list", expect=0).result["quirks"]
        quirks = [each["name"] for each in listed if each["name"] not in ("cme-N", "deaf-in-write")]
        self.assertGreater(len(quirks), 20)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            ends = {quirk: pool.submit(self.one, quirk) for quirk in quirks}
        for quirk, end in ends.items():
            with self.subTest(quirk):
                run = end.result()
                code, word = self.ENDS.get(quirk, (0, ""))
                self.assertEqual(run.exit, code, run)
                if code:
                    self.assertIn(word, run.result["error"]["message"])
                    self.assertTrue(run.result["error"]["hints"], run)
                else:
                    self.assertEqual(run.result["outcome"], "provisioned")

    def test_a_template_with_the_sims_number_and_no_sim(self):
        self.start_modem("no-sim")
        run = self.provision("--identity-template", "{endpoint}-{iccid}", expect=8)
        self.assertIn("insert a SIM", " ".join(run.result["error"]["hints"]))
        self.assertEqual(self.fleet(), [])

    def test_every_number_of_a_refusal_is_told_in_words(self):
        """+CME ERROR 513 to 528: what it means in the message, what to do in a hint, nothing half done left unsaid."""
        def one(number):
            self.start_modem(f"cme-{number}", name=f"modem-{number}")
            return self.run_json("provision", "modem", "--port", f"modem-{number}", "--credentials", f"{number}.json")

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            ends = {number: pool.submit(one, number) for number in range(513, 529)}
        for number, end in ends.items():
            with self.subTest(number):
                run = end.result()
                self.assertEqual(run.exit, 8, run)
                self.assertIn("credentials were not changed", run.result["error"]["message"])
                self.assertNotRegex(run.result["error"]["message"], "found OK")
                self.assertTrue(run.result["error"]["hints"], run)


class Batch(Bench):
    def setUp(self):
        super().setUp()
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "station.pem", expect=0)
        self.run_fotactl("key", "public", "--key", "station.pem", "--out", "station.pub.pem", expect=0)

    def batch(self, rows, **how):
        self.write("devices.csv", rows)
        return self.run_json("provision", "modem", "--credentials", "fleet.json", "--batch", "devices.csv", "--report",
                             "report.json", "--report-key", "station.pem", **how)

    def test_one_line_per_device_and_a_signed_report(self):
        self.start_modem(name="m0")
        self.start_modem("low-voltage", name="m1", imei="351358811331369")
        self.start_modem("shell", name="m2", imei="351358811331377")
        run = self.batch('port,imei,label\r\nm0,351358811331351,"rack 1, top"\r\nm1,,\r\nm2,,\r\nnowhere,,\r\n', expect=11)
        rows = [event for event in run.events if event["event"] == "device-result"]
        self.assertEqual([(row["port"], row["outcome"], row["exit"]) for row in rows],
                         [("m0", "provisioned", 0), ("m1", "failed", 8), ("m2", "provisioned", 0), ("nowhere", "failed", 6)])
        self.assertEqual((run.result["done"], run.result["of"]), (2, 4))

        shown = self.run_json("provision", "report", "report.json", "--key", "station.pub.pem", expect=0)
        devices = shown.result["report"]["devices"]
        self.assertEqual([device["outcome"] for device in devices], [row["outcome"] for row in rows])
        self.assertEqual(devices[0]["label"], "rack 1, top")
        for device in self.fleet():
            self.assertNotIn(device["psk"], json.dumps(devices))

        report = json.loads((self.dir / "report.json").read_text())
        payload = report["payload"]
        text = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()
        changed = text.replace("provisioned", "improvised!", 1)
        report["payload"] = base64.urlsafe_b64encode(changed.encode()).decode().rstrip("=")
        self.write("changed.json", json.dumps(report))
        self.run_json("provision", "report", "changed.json", "--key", "station.pub.pem", expect=4)
        self.write("none.json", "{}")
        self.run_json("provision", "report", "none.json", "--key", "station.pub.pem", expect=3)

    def test_bad_lists_cost_no_device_anything(self):
        modem = self.start_modem(name="m0")
        for rows in ("port\n", "port,nonsense\nm0,1\n", "port,imei\nm0\n", 'port\n"m0\n', "imei\n1\n", "port,sec_tag\nm0,x\n"):
            self.batch(rows, expect=3)
        self.run_fotactl("key", "new", "--type", "rsa-2048", "--out", "other.pem", expect=0)
        self.write("devices.csv", "port\nm0\n")
        self.run_json("provision", "modem", "--credentials", "fleet.json", "--batch", "devices.csv", "--report", "report.json",
                      "--report-key", "other.pem", expect=3)
        self.assertEqual(self.stored(modem), (1, set()))


class Bootstrap(Bench):
    """A factory-fresh virtual device over loopback: bootstrap, then an update from the server it was sent to."""

    def free_port(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    def setUp(self):
        super().setUp()
        self.run_fotactl("provision", "device", "--endpoint", ENDPOINT, "--credentials", "factory.json", expect=0)
        (device,) = json.loads((self.dir / "factory.json").read_text())["devices"]
        self.write("factory.hex", device["psk"], 0o600)
        self.write("app.bin", os.urandom(2000))
        self.run_fotactl("key", "new", "--type", "ecdsa-p256", "--out", "release.pem", expect=0)
        self.run_fotactl("key", "public", "--key", "release.pem", "--out", "pub.pem", expect=0)
        for version in ("1.0.0", "2.0.0"):
            self.run_fotactl("image", "sign", "--key", "release.pem", "--version", version, "--pad-header", "app.bin",
                             f"{version}.bin", expect=0)

    def serve(self, *options):
        self.port = self.free_port()
        process = self.start("provision", "bootstrap", "--json", "--listen", "127.0.0.1:0", "--credentials", "fleet.json",
                             "--bootstrap-credentials", "factory.json", "--server", f"coaps://127.0.0.1:{self.port}", *options)
        listening = json.loads(process.stdout.readline())
        self.assertEqual(listening["event"], "listening")
        return process, listening["port"]

    def start_sim(self, port, endpoint=ENDPOINT):
        log = open(self.dir / "sim.log", "wb")
        self.addCleanup(log.close)
        return self.start("sim", "--json", "--endpoint", endpoint, "--bootstrap", f"coaps://127.0.0.1:{port}", "--identity",
                          ENDPOINT, "--psk-file", "factory.hex", "--image", "1.0.0.bin", "--lifetime", "20", stdout=log)

    def test_a_fresh_device_gets_its_server_and_is_updated_from_there(self):
        server, port = self.serve("--mint", "--count", "1")
        self.start_sim(port)
        out, _ = server.communicate(timeout=60)
        lines = [json.loads(line) for line in out.decode().splitlines()]
        self.assertEqual((server.returncode, lines[-1]["done"]), (0, 1), lines)
        result = next(line for line in lines if line["event"] == "device-result")
        self.assertEqual((result["outcome"], result["endpoint"], result["minted"]), ("bootstrapped", ENDPOINT, True))
        (device,) = self.fleet()
        (factory,) = json.loads((self.dir / "factory.json").read_text())["devices"]
        self.assertNotEqual(device["psk"], factory["psk"])
        self.canaries.harvest()
        self.canaries.check("the bootstrap server's output", out.decode())
        pushed = self.run_json("push", "2.0.0.bin", "--endpoint", ENDPOINT, "--credentials", "fleet.json", "--listen",
                               f"127.0.0.1:{self.port}", "--key", "pub.pem", "--wait", "60s", "--profile", "lan", timeout=120,
                               expect=0)
        self.assertEqual(pushed.result["outcome"], "updated")

    def test_devices_it_has_no_key_for_and_strangers_are_refused(self):
        server, port = self.serve()
        self.start_sim(port)
        line = self.next(server, "refused")
        self.assertIn("not there", line["reason"])
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.wait(timeout=30), 0)
        self.assertEqual(self.fleet(), [])
        server, port = self.serve("--mint")
        self.start_sim(port, endpoint="urn:imei:351358811339999")
        self.assertIn(ENDPOINT, self.next(server, "refused")["reason"])
        self.assertEqual(self.fleet(), [])

    def next(self, process, event):
        for line in process.stdout:
            if (found := json.loads(line))["event"] == event:
                return found
        self.fail(f"no {event}")

    def test_misuse(self):
        base = ("provision", "bootstrap", "--listen", "127.0.0.1:0", "--credentials", "factory.json")
        self.run_json(*base, "--server", "coap://127.0.0.1", expect=2)
        self.run_json(*base, "--server", "coaps://127.0.0.1", "--lifetime", "0", expect=2)
        (self.dir / "factory.json").chmod(0o640)
        self.run_json(*base, "--server", "coaps://127.0.0.1", expect=13)


class Bundle(Case):
    def test_carries_files_and_refuses_what_is_changed_old_or_for_others(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "lead.pem", expect=0)
        self.run_fotactl("key", "public", "--key", "lead.pem", "--out", "lead.pub.pem", expect=0)
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "other.pem", expect=0)
        image = self.write("app.bin", os.urandom(50_000)).read_bytes()
        self.write("baseline.json", '{"version": 1}')
        self.write("devices.txt", "# north\nurn:imei:1\nurn:imei:2\n")
        create = ("bundle", "create", "--out", "b.bundle", "--key", "lead.pem", "--image", "app.bin", "--layout",
                  "baseline.json", "--devices", "devices.txt")
        self.run_json(*create, "--note", "press SW3", expect=0)
        opened = self.run_json("bundle", "open", "b.bundle", "--key", "lead.pub.pem", "--into", "laptop", "--endpoint",
                               "urn:imei:2", expect=0)
        self.assertEqual((opened.result["devices"], opened.result["note"]), (["urn:imei:1", "urn:imei:2"], "press SW3"))
        self.assertEqual((self.dir / "laptop" / "app.bin").read_bytes(), image)
        self.run_json("bundle", "open", "b.bundle", "--key", "lead.pub.pem", "--endpoint", "urn:imei:3", expect=4)
        self.run_json("bundle", "open", "b.bundle", "--key", "other.pem", expect=4)
        text = (self.dir / "b.bundle").read_text()
        self.write("cut.bundle", text[: len(text) // 2])
        self.run_json("bundle", "open", "cut.bundle", "--key", "lead.pub.pem", "--into", "no", expect=3)
        self.assertFalse((self.dir / "no").exists())
        self.run_json(*create, "--expires", "1s", expect=0)
        deadline = time.monotonic() + 20
        while (run := self.run_json("bundle", "open", "b.bundle", "--key", "lead.pub.pem")).exit == 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.2)
        self.assertEqual((run.exit, run.result["error"]["code"]), (4, "policy-refused"))

    def test_keys_do_not_travel(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "lead.pem", expect=0)
        self.run_fotactl("provision", "device", "--endpoint", "a", "--credentials", "fleet.json", expect=0)
        self.write("app.bin", "x")
        self.run_json("bundle", "create", "--out", "b.bundle", "--key", "lead.pem", "--image", "app.bin", "--devices",
                      "fleet.json", expect=3)
        self.run_json("bundle", "create", "--out", "b.bundle", "--key", "lead.pem", expect=3)


class Station(Bench):
    """scripts/bench-station against fake modems that are plugged in and out."""

    def test_plug_provision_label_next(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "station.pem", expect=0)
        station = subprocess.Popen(
            [sys.executable, str(SOURCE / "scripts" / "bench-station"), "--port", "modem", "--credentials", "fleet.json",
             "--out", "out", "--report-key", "station.pem", "--label", 'echo "$IMEI $ENDPOINT" >> labels', "--count", "3"],
            cwd=self.dir, env=environment(self.dir, {"FOTACTL": PROGRAM}), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
        self.addCleanup(reap, station)

        def wait_for(beginning):
            for line in station.stdout:
                if line.startswith(beginning):
                    return
            self.fail(f"the station ended without {beginning}: {station.stderr.read()}")

        for number, quirks in enumerate(((), ("low-voltage",), ("shell",)), 1):
            wait_for("plug in")
            modem = self.start_modem(*quirks, imei=f"35135881133{number:04}")
            wait_for(f"{number} ")
            self.stored(modem)  # ends it, which unplugs it
        out, err = station.communicate(timeout=60)
        self.assertEqual(station.returncode, 11, out + err)
        self.assertIn("voltage", err)
        records = [json.loads(line) for line in (self.dir / "out" / "results.ndjson").read_text().splitlines()]
        self.assertEqual([record["done"] for record in records], [True, False, True])
        self.assertEqual((self.dir / "labels").read_text().split(),
                         [word for number in (1, 3) for word in (f"35135881133{number:04}",
                                                                 f"urn:imei:35135881133{number:04}")])
        self.assertEqual(len(list((self.dir / "out").glob("device-*.json"))), 3)


if __name__ == "__main__":
    unittest.main()
