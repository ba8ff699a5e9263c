#!/usr/bin/env python3
"""fotactl release: create, show, verify; a release pushed over the network and installed over a cable; bundles."""

import base64
import json
import os
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from push_test import Bench as PushBench  # noqa: E402
from run_fotactl import Case  # noqa: E402
from serial_test import Serial as SerialCase  # noqa: E402

LATER = "2099-01-01T00:00:00Z"


def payload_of(path):
    part = json.loads(path.read_text())["payload"]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def baseline(size=0xE8000):
    """What `layout baseline` writes, as far as the slots go."""
    slots = {name: {"address": address, "size": size, "device": name, "external": name == "secondary"}
             for name, address in (("primary", 0x10000), ("secondary", 0))}
    return json.dumps({"format": "fotactl-baseline/1", "board": "nrf9160dk@1.0.0/nrf9160/ns", "mode": "move",
                       "max_sectors": 256, "slots": slots})


class Release(Case):
    def setUp(self):
        super().setUp()
        for kind in ("ecdsa-p256", "ed25519", "rsa-2048"):
            self.run_fotactl("key", "new", "--type", kind, "--out", f"{kind}.pem", expect=0)
            self.run_fotactl("key", "public", "--key", f"{kind}.pem", "--out", f"{kind}.pub.pem", expect=0)
        self.write("app.bin", os.urandom(20_000))
        self.run_fotactl("image", "sign", "--key", "ecdsa-p256.pem", "--version", "2.0.0+5", "--pad-header", "app.bin",
                         "app-2.0.0.bin", expect=0)

    def create(self, *options, key="ed25519.pem", image="app-2.0.0.bin", out="app.release", expect=0):
        return self.run_json("release", "create", "--image", image, "--key", key, "--out", out, *options, expect=expect)

    def verify(self, *options, key="ed25519.pub.pem", release="app.release", expect=0):
        return self.run_json("release", "verify", release, "--key", key, *options, expect=expect)

    def test_says_what_the_image_says_and_what_it_was_told(self):
        self.create("--board", "nrf9160dk", "--soc", "nrf9160", "--min-version", "1.0.0", "--max-version", "1.9",
                    "--expires", LATER, "--notes", "press SW3")
        shown = self.run_json("release", "show", "app.release", expect=0).result
        image = self.run_json("image", "show", "app-2.0.0.bin", expect=0).result
        release = shown["release"]
        self.assertEqual(shown["signature"], "unchecked")
        self.assertEqual((release["version"], release["size"]), ("2.0.0+5", image["size"]))
        self.assertEqual((release["image_hash"], release["key_hash"]), (image["hash"], image["key_hash"]))
        self.assertEqual((release["board"], release["min_version"], release["max_version"], release["expires"]),
                         ("nrf9160dk", "1.0.0+0", "1.9.0+0", LATER))
        self.assertEqual(release, payload_of(self.dir / "app.release"))
        self.assertIn("press SW3", self.run_fotactl("release", "show", "app.release", expect=0).out)

    def test_is_verified_by_its_key_with_its_image_until_it_expires(self):
        for key in ("ed25519", "ecdsa-p256"):
            self.create(key=f"{key}.pem")
            run = self.verify("--image", "app-2.0.0.bin", key=f"{key}.pub.pem")
            self.assertEqual((run.result["signature"], run.result["image"]), ("good", "good"))
            other = "ecdsa-p256" if key == "ed25519" else "ed25519"
            refused = self.verify(key=f"{other}.pub.pem", expect=4).result
            self.assertEqual((refused["outcome"], refused["error"]["code"]), ("refused", "key-mismatch"))
            self.assertIn("expected a document signed with the key", refused["error"]["message"])
            self.assertIn("release show app.release", refused["error"]["hints"][0])
        self.create("--expires", "1s")
        time.sleep(1.1)
        self.assertEqual(self.verify(expect=4).result["error"]["code"], "policy-refused")
        self.create()
        changed = bytearray((self.dir / "app-2.0.0.bin").read_bytes())
        changed[900] ^= 1
        self.write("changed.bin", bytes(changed))
        self.assertEqual(self.verify("--image", "changed.bin", expect=4).result["error"]["code"], "image-rejected")

    def test_a_changed_or_foreign_file(self):
        self.create()
        document = json.loads((self.dir / "app.release").read_text())
        raw = json.dumps(payload_of(self.dir / "app.release") | {"board": "any"}, sort_keys=True, separators=(",", ":"))
        document["payload"] = base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")
        self.write("changed.release", json.dumps(document))
        self.assertEqual(self.verify(release="changed.release", expect=4).result["error"]["code"], "signature-invalid")
        for name, content in (("empty", b""), ("text", b"no release"), ("image", os.urandom(500)), ("json", b"{}"),
                              ("cut", (self.dir / "app.release").read_bytes()[:100])):
            self.write(name, content)
            self.verify(release=name, expect=3)
            self.run_json("release", "show", name, expect=3)
        self.verify(release="absent", expect=3)

    def test_what_is_not_signed(self):
        self.create(key="rsa-2048.pem", expect=3)
        self.create(image="app.bin", expect=3)
        self.create("--min-version", "2.0.0", "--max-version", "1.0.0", expect=3)
        self.create("--min-version", "x", expect=2)
        self.create("--expires", "tomorrow", expect=2)
        self.create("--notes", "n" * 5000, expect=3)
        self.create("--board", "a b", expect=3)
        self.assertFalse((self.dir / "app.release").exists())

    def refused(self, *options, expect, **what):
        """One sentence, and nothing was written."""
        before = {path.name: path.read_bytes() for path in self.dir.iterdir() if path.is_file()}
        run = self.create(*options, expect=expect, **what)
        self.assertEqual({path.name: path.read_bytes() for path in self.dir.iterdir() if path.is_file()}, before)
        return run.result["error"]["message"]

    def test_an_image_that_no_bootloader_takes_is_not_released(self):
        image = bytearray((self.dir / "app-2.0.0.bin").read_bytes())
        image[0x300] ^= 1
        self.write("bad-hash.bin", bytes(image))
        self.assertIn("expected the SHA256 of the content", self.refused(image="bad-hash.bin", expect=4))
        self.assertIn("expected a signature by an Ed25519 key", self.refused("--image-key", "ed25519.pub.pem", expect=4))
        self.create("--image-key", "ecdsa-p256.pub.pem")
        # A signature is not looked at without its key; the key of the release may be it.
        image = bytearray((self.dir / "app-2.0.0.bin").read_bytes())
        image[-1] ^= 1
        self.write("bad-signature.bin", bytes(image))
        self.create(image="bad-signature.bin")
        for options, key in (((), "ecdsa-p256.pem"), (("--image-key", "ecdsa-p256.pub.pem"), "ed25519.pem")):
            (self.dir / "app.release").unlink(missing_ok=True)
            self.assertIn("expected a valid signature", self.refused(*options, key=key, image="bad-signature.bin", expect=4))

    def test_what_is_expired_already_is_not_released(self):
        for time_given in ("2020-01-01T00:00:00Z", "1970-01-01T00:00:00Z"):
            self.assertIn("expected --expires in the future", self.refused("--expires", time_given, expect=2))

    def test_what_is_read_is_not_written_over(self):
        (self.dir / "link.bin").symlink_to("app-2.0.0.bin")
        for options, out in (((), "app-2.0.0.bin"), ((), "./app-2.0.0.bin"), ((), "link.bin"), ((), "ed25519.pem"),
                             (("--sbom", "app-2.0.0.bin"), "app.release"), (("--sbom", "app.release"), "app.release"),
                             (("--sbom", str(self.dir / "app.release")), "app.release"),
                             (("--sbom", "ed25519.pem"), "app.release")):
            with self.subTest(options=options, out=out):
                self.assertIn("give it a name of its own", self.refused(*options, out=out, expect=2))

    def test_the_image_lies_beside_the_release(self):
        run = self.run_fotactl("release", "create", "--image", "-", "--key", "ed25519.pem", "--out", "app.release",
                               stdin=(self.dir / "app-2.0.0.bin").read_bytes(), expect=2)
        self.assertIn("save the image first", run.err)
        (self.dir / "sub").mkdir()
        self.assertIn("write the release to x.rel", self.refused(out="sub/x.rel", expect=2))
        (self.dir / "sub" / "app-2.0.0.bin").write_bytes(b"another")
        self.refused(out="sub/x.rel", expect=2)
        (self.dir / "sub" / "app-2.0.0.bin").write_bytes((self.dir / "app-2.0.0.bin").read_bytes())
        self.create(out="sub/x.rel")
        self.create(out="./y.rel")
        self.create(out=str(self.dir / "z.rel"))

    def test_a_bill_of_materials_is_reproducible(self):
        def created(*options, env=None):
            self.run_json("release", "create", "--image", "app-2.0.0.bin", "--key", "ed25519.pem", "--out", "app.release",
                          "--sbom", "app.spdx.json", *options, env=env, expect=0)
            return json.loads((self.dir / "app.spdx.json").read_text())["creationInfo"]["created"]

        self.assertEqual(created(env={"SOURCE_DATE_EPOCH": "1700000000"}), "2023-11-14T22:13:20Z")
        self.assertEqual(created("--deterministic", env={"SOURCE_DATE_EPOCH": "1700000000"}), "2023-11-14T22:13:20Z")
        self.assertEqual(created("--deterministic"), "1970-01-01T00:00:00Z")
        self.assertGreater(created(), "2024")
        run = self.run_fotactl("release", "create", "--image", "app-2.0.0.bin", "--key", "ed25519.pem", "--out", "x",
                               "--sbom", "y", env={"SOURCE_DATE_EPOCH": "yesterday"}, expect=2)
        self.assertIn("SOURCE_DATE_EPOCH", run.err)

    def test_nothing_follows_the_document(self):
        self.create()
        release = (self.dir / "app.release").read_bytes()
        for tail in (b"\0", b"\0{}", b"\0\xff" * 100, b"{}", b"x"):
            self.write("tail.release", release + tail)
            self.verify(release="tail.release", expect=3)
            self.run_json("release", "show", "tail.release", expect=3)
        self.write("tail.release", release + b"\n \n")
        self.verify(release="tail.release")

    def test_the_same_release_has_the_same_bytes(self):
        self.create("--deterministic", key="ecdsa-p256.pem")
        first = (self.dir / "app.release").read_bytes()
        self.create("--deterministic", key="ecdsa-p256.pem")
        self.assertEqual((self.dir / "app.release").read_bytes(), first)

    def test_a_bill_of_materials(self):
        self.create("--sbom", "app.spdx.json")
        sbom = json.loads((self.dir / "app.spdx.json").read_text())
        package = sbom["packages"][0]
        self.assertEqual((sbom["spdxVersion"], package["versionInfo"]), ("SPDX-2.3", "2.0.0+5"))
        self.assertEqual(package["checksums"][0]["checksumValue"], payload_of(self.dir / "app.release")["sha256"])


class PushRelease(PushBench):
    def release(self, *options, name="r.release", key="release.pem"):
        self.run_fotactl("release", "create", "--image", "2.0.0.bin", "--key", key, "--out", name, *options, expect=0)
        return name

    def test_is_proven_by_its_own_key_and_by_the_images(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "lead.pem", expect=0)
        self.start_sim()
        release = self.release("--board", "nrf9160dk", "--min-version", "1.0.0", "--max-version", "1.9.9", "--expires",
                               LATER, key="lead.pem")
        run = self.push(release, "--release-key", "lead.pem", expect=0)
        self.assertEqual((run.result["outcome"], run.result["running_version"]), ("updated", "2.0.0+0"))
        again = self.push(self.release(), expect=0)
        self.assertEqual(again.result["outcome"], "already-installed")

    def test_what_a_release_forbids_is_refused_before_anything_is_sent(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "lead.pem", expect=0)
        refused = lambda *a: self.push(*a, "--dry-run", expect=4).result["error"]["code"]  # noqa: E731
        self.assertEqual(refused(self.release(key="lead.pem")), "key-mismatch")
        expired = self.release("--expires", "1s")
        time.sleep(1.1)
        self.assertEqual(refused(expired), "policy-refused")
        release = self.release()
        (self.dir / "2.0.0.bin").write_bytes((self.dir / "1.0.0.bin").read_bytes())
        self.assertEqual(refused(release), "image-rejected")
        (self.dir / "2.0.0.bin").unlink()
        self.push(release, "--dry-run", expect=3)
        self.push("1.0.0.bin", "--release-key", "lead.pem", "--dry-run", expect=2)

    def test_it_fits_the_slots_it_was_made_for_alone(self):
        self.write("shipped.json", baseline())
        self.write("moved.json", baseline(0xE7000))
        self.write("small.json", baseline(0x8000))
        release = self.release("--layout", "shipped.json")
        self.assertEqual(payload_of(self.dir / release)["board"], "nrf9160dk")
        self.push(release, "--layout", "shipped.json", "--dry-run", expect=0)
        moved = self.push(release, "--layout", "moved.json", "--dry-run", expect=5)
        self.assertEqual(moved.result["error"]["code"], "layout-failed")
        small = self.push("2.0.0.bin", "--layout", "small.json", "--dry-run", expect=5)
        self.assertEqual(small.result["error"]["code"], "image-too-large")
        other = self.release("--board", "thingy91")
        self.assertEqual(self.push(other, "--layout", "shipped.json", "--dry-run", expect=4).result["error"]["code"],
                         "board-mismatch")
        self.run_json("release", "create", "--image", "2.0.0.bin", "--key", "release.pem", "--out", "x", "--layout",
                      "shipped.json", "--board", "thingy91", expect=4)

    def test_the_device_decides_by_board_and_version(self):
        self.start_sim()
        for options, code in ((("--board", "thingy91"), "board-mismatch"), (("--max-version", "0.9.9"), "policy-refused"),
                              (("--min-version", "1.0.1"), "policy-refused")):
            run = self.push(self.release(*options), expect=4)
            self.assertEqual((run.result["outcome"], run.result["error"]["code"], run.result["bytes_sent"]),
                             ("refused", code, 0), run)


class SerialBench(SerialCase):
    """Only what stands here is run: the tests of the base class have their own file."""


for name in [each for each in dir(SerialCase) if each.startswith("test_")]:
    setattr(SerialBench, name, None)


class SerialRelease(SerialBench):
    def setUp(self):
        super().setUp()
        self.lead = self.dir / "lead.pem"
        self.run_ok("key", "new", "--type", "ed25519", "--out", self.lead)
        self.run_ok("key", "public", "--key", self.lead, "--out", self.dir / "lead.pub.pem")

    def release(self, *options, name="r.release"):
        self.run_ok("release", "create", "--image", self.new, "--key", self.key, "--out", name, *options)
        return name

    def bundle(self, *options, devices="urn:test\nurn:other\n", name="b.bundle"):
        self.write("devices.txt", devices)
        self.run_ok("bundle", "create", "--out", name, "--key", self.lead, "--image", self.new, "--devices", "devices.txt",
                    *options)
        return name

    def update(self, what, port, *options, expect, endpoint=None):
        words = ("--bundle-key", "lead.pub.pem", "--endpoint", endpoint) if endpoint else ()
        return self.run_json("serial", "update", what, "--port", port, "--key", self.public, *words, *options,
                             expect=expect).result

    def test_a_release_over_the_cable(self):
        port = self.sim()
        for options, code in ((("--board", "thingy91"), "board-mismatch"), (("--max-version", "0.9.9"), "policy-refused"),
                              (("--expires", "1s"), "policy-refused")):
            release = self.release(*options)
            time.sleep(1.1 if "1s" in options else 0)
            self.assertEqual(self.update(release, port, expect=4)["error"]["code"], code)
        listed = self.run_json("serial", "list", "--port", port, expect=0).result["images"]
        self.assertEqual([each["slot"] for each in listed], [0])
        done = self.update(self.release("--min-version", "1.0.0", "--max-version", "1.0.0"), port, expect=0)
        self.assertEqual((done["outcome"], done["running_version"]), ("updated", "2.0.0"))

    def test_a_bundle_is_installed_and_its_result_reaches_the_inventory(self):
        port = self.sim()
        bundle = self.bundle("--release", self.release("--max-version", "1.9.9"), "--note", "press SW3")
        done = self.update(bundle, port, expect=0, endpoint="urn:test")
        self.assertEqual(done["outcome"], "updated")
        again = self.update(bundle, port, expect=0, endpoint="urn:test")
        self.assertEqual(again["outcome"], "already-installed")
        lines = [json.loads(line) for line in (self.dir / "b.bundle.results").read_text().splitlines()]
        self.assertEqual([(line["endpoint"], line["outcome"]) for line in lines],
                         [("urn:test", "updated"), ("urn:test", "already-installed")])
        with open(self.dir / "b.bundle.results", "a", encoding="utf-8") as results:
            results.write('{"format":1,"endpoint":"urn:te')
        merge = ("bundle", "results", "b.bundle.results", "--state-dir", "state")
        merged = self.run_json(*merge, expect=0)
        self.assertEqual((merged.result["added"], merged.result["known"], merged.result["unreadable"]), (2, 0, 1))
        self.assertEqual([event["endpoint"] for event in merged.events if event["event"] == "device"], ["urn:test"] * 2)
        once_more = self.run_json(*merge, expect=0).result
        self.assertEqual((once_more["added"], once_more["known"]), (0, 2))
        # A torn line does not swallow the next result.
        self.update(bundle, port, expect=0, endpoint="urn:test")
        self.assertEqual(self.run_json(*merge, expect=0).result["added"], 1)

    def test_results_of_a_laptop_with_a_key_are_refused_when_they_were_altered(self):
        port = self.sim()
        self.run_ok("key", "new", "--type", "ed25519", "--out", "laptop.pem")
        self.run_ok("key", "public", "--key", "laptop.pem", "--out", "laptop.pub.pem")
        bundle = self.bundle()
        for outcome in ("updated", "already-installed", "already-installed"):
            done = self.update(bundle, port, "--results-key", "laptop.pem", expect=0, endpoint="urn:test")
            self.assertEqual(done["outcome"], outcome)
        kept = (self.dir / "b.bundle.results").read_text()
        first, second, third = kept.splitlines()

        def merge(text, *options, expect):
            self.write("handed-in.results", text)
            run = self.run_json("bundle", "results", "handed-in.results", "--state-dir", "state", *options, expect=expect)
            return run.result

        key = ("--key", "laptop.pub.pem")

        def altered(line, old, new):
            document = json.loads(line)
            payload = base64.urlsafe_b64decode(document["payload"] + "=" * (-len(document["payload"]) % 4)).decode()
            self.assertIn(old, payload)
            document["payload"] = base64.urlsafe_b64encode(payload.replace(old, new).encode()).decode().rstrip("=")
            return json.dumps(document)

        unsigned = base64.urlsafe_b64decode(json.loads(second)["payload"] + "==").decode()
        for lines, code in (([altered(first, '"updated"', '"rolled-back"'), second, third], "signature-invalid"),
                            ([first, third], "signature-invalid"), ([second, third], "signature-invalid"),
                            ([second, first, third], "signature-invalid"), ([first, first, second], "signature-invalid"),
                            ([first, "half a li", second, third], "signature-invalid"),
                            ([first, second, unsigned], "policy-refused")):
            refused = merge("\n".join(lines) + "\n", *key, expect=4)
            self.assertEqual(refused["error"]["code"], code, lines)
            self.assertTrue(refused["error"]["hints"])
        self.run_ok("key", "new", "--type", "ed25519", "--out", "other.pem")
        self.assertEqual(merge(kept, "--key", "other.pem", expect=4)["error"]["code"], "key-mismatch")
        self.assertFalse((self.dir / "state" / "fotactl.db").exists(), "nothing of a refused file is merged")

        merged = merge(kept, *key, expect=0)
        self.assertEqual((merged["added"], merged["signature"]), (3, "good"))
        self.assertEqual(merge(kept, expect=0)["signature"], "unchecked")
        # What a full disk cut is vouched for by the line after it, and passed over where it is the last.
        with open(self.dir / "b.bundle.results", "a", encoding="utf-8") as results:
            results.write('{"payload":"eyJ')
        torn = (self.dir / "b.bundle.results").read_text()
        self.assertEqual(merge(torn, *key, expect=0)["unreadable"], 1)
        self.update(bundle, port, "--results-key", "laptop.pem", expect=0, endpoint="urn:test")
        merged = merge((self.dir / "b.bundle.results").read_text(), *key, expect=0)
        self.assertEqual((merged["added"], merged["known"], merged["unreadable"]), (1, 3, 1))

    def test_results_of_a_laptop_without_a_key_are_said_to_be_unsigned(self):
        port = self.sim()
        run = self.run_fotactl("serial", "update", self.bundle(), "--port", port, "--key", self.public, "--bundle-key",
                               "lead.pub.pem", "--endpoint", "urn:test", expect=0)
        self.assertIn("not signed", run.err)
        merge = ("bundle", "results", "b.bundle.results", "--state-dir", "state")
        self.run_json(*merge, "--key", "lead.pub.pem", expect=4)
        merged = self.run_fotactl(*merge, expect=0)
        self.assertIn("1 result without a signature", merged.err)
        self.assertEqual(self.run_json(*merge, expect=0).result["signature"], "none")
        # A key of the laptop that others can read is known before the device is touched.
        (self.dir / "lead.pem").chmod(0o644)
        self.update("b.bundle", "nothing-is-opened", "--results-key", "lead.pem", expect=13, endpoint="urn:test")

    def test_what_a_bundle_forbids(self):
        port = self.dir / "nothing-is-opened"
        bundle = self.bundle()
        self.assertEqual(self.update(bundle, port, expect=4, endpoint="urn:stranger")["error"]["code"], "policy-refused")
        self.update(bundle, port, "--bundle-key", "lead.pub.pem", expect=2)
        self.assertEqual(self.update(bundle, port, "--endpoint", "urn:test", expect=4)["error"]["code"], "key-mismatch")
        self.update(self.new, port, expect=2, endpoint="urn:test")
        self.run_ok("release", "create", "--image", self.old, "--key", self.key, "--out", "old.release")
        other = self.bundle("--release", "old.release")
        self.assertEqual(self.update(other, port, expect=4, endpoint="urn:test")["error"]["code"], "image-rejected")
        self.write("small.json", baseline(0x4000))
        self.assertEqual(self.update(self.bundle("--layout", "small.json"), port, expect=5,
                                     endpoint="urn:test")["error"]["code"], "image-too-large")
        bundle = self.bundle("--expires", "1s")
        time.sleep(1.1)
        self.assertEqual(self.update(bundle, port, expect=4, endpoint="urn:test")["error"]["code"], "policy-refused")
        self.assertFalse((self.dir / "b.bundle.results").exists())
        self.write("none.results", "no results\n")
        self.run_json("bundle", "results", "none.results", "--state-dir", "state", expect=3)


del PushBench, SerialCase

if __name__ == "__main__":
    unittest.main()
