"""An image is taken in every form and by every command: binary, Intel HEX, and the package a build leaves."""
import json
import os
import pathlib
import sys
import time
import unittest
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from run_fotactl import DATA, Case  # noqa: E402

ENDPOINT = "urn:imei:351358811331351"
LAYOUT = DATA / "layout" / "thread-fixed"


class Forms(Case):
    def setUp(self):
        super().setUp()
        self.write("app.bin", bytes(range(256)) * 160)
        self.run_fotactl("key", "new", "--type", "ecdsa-p256", "--out", "key.pem", expect=0)
        self.run_fotactl("key", "public", "--key", "key.pem", "--out", "pub.pem", expect=0)
        for version in ("1.0.0", "2.0.0"):
            self.sign(version, f"{version}.bin")
        self.image = (self.dir / "2.0.0.bin").read_bytes()
        self.hexadecimal("2.0.0.hex", self.image)
        self.package("dfu.zip", {"app.bin": self.image})
        self.package("hex.zip", {"app.hex": (self.dir / "2.0.0.hex").read_bytes()})
        self.forms = ["2.0.0.bin", "2.0.0.hex", "dfu.zip", "hex.zip"]

    def sign(self, version, out):
        self.run_fotactl("image", "sign", "--key", "key.pem", "--version", version, "--pad-header", "app.bin", out,
                         expect=0)

    def hexadecimal(self, name, image):
        def record(kind, offset, data):
            body = bytes([len(data), offset >> 8, offset & 0xff, kind]) + data
            return ":" + (body + bytes([-sum(body) & 0xff])).hex().upper() + "\n"

        lines = [record(4, 0, b"\0\1")]
        lines += [record(0, at, image[at:at + 16]) for at in range(0, len(image), 16)]
        self.write(name, "".join(lines + [record(1, 0, b"")]))

    def package(self, name, files, **facts):
        entries = [{"type": "application", "image_index": str(facts.get(file, 0)), "file": file} for file in files]
        with zipfile.ZipFile(self.dir / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for file, content in files.items():
                archive.writestr(file, content)
            archive.writestr("manifest.json", json.dumps({"format-version": 0, "files": entries}))

    def push(self, image, **options):
        return self.run_json("push", image, "--endpoint", ENDPOINT, "--key", "pub.pem", "--dry-run", **options)

    def test_shown_and_verified(self):
        shown = {form: self.run_json("image", "show", form, expect=0).result["hash"] for form in self.forms}
        self.assertEqual(len(set(shown.values())), 1, shown)
        for form in self.forms:
            self.run_json("image", "verify", "--key", "pub.pem", form, expect=0)

    def test_pushed(self):
        blocks = {form: self.push(form, expect=0).result["blocks"] for form in self.forms}
        self.assertEqual(set(blocks.values()), {-(-len(self.image) // 512)}, blocks)

    def test_of_several_images_the_application_is_taken(self):
        self.package("two.zip", {"net.bin": b"another core's image", "app.bin": self.image}, **{"net.bin": 1})
        self.assertEqual(self.push("two.zip", expect=0).result["blocks"], -(-len(self.image) // 512))
        self.package("both.zip", {"slot0.bin": self.image, "slot1.bin": self.image})
        message = self.push("both.zip", expect=3).result["error"]["message"]
        for part in ("slot0.bin", "slot1.bin", "unpack it"):
            self.assertIn(part, message)

    def test_broken_wrappings(self):
        (self.dir / "cut.zip").write_bytes((self.dir / "dfu.zip").read_bytes()[:-30])
        (self.dir / "cut.hex").write_bytes((self.dir / "2.0.0.hex").read_bytes()[:-30])
        for form in ("cut.zip", "cut.hex"):
            self.push(form, expect=3)
            self.run_json("sim", "--endpoint", ENDPOINT, "--server", "coap://127.0.0.1:9", "--image", form, expect=3)
            self.run_json("serial", "update", form, "--port", "none", expect=3)
            run = self.run_json("layout", "check", LAYOUT, "--image", form, expect=5)
            self.assertIn("image-not-signed", [event.get("rule") for event in run.events])

    def test_checked_against_a_layout(self):
        def rules(form):
            run = self.run_json("layout", "check", LAYOUT, "--image", form)
            return run.exit, sorted(event["rule"] for event in run.events if event["event"] == "finding")

        expected = rules("2.0.0.bin")
        self.assertNotIn("image-not-signed", expected[1])
        for form in self.forms[1:]:
            self.assertEqual(rules(form), expected, form)
        for form in self.forms:
            self.run_json("layout", "show", LAYOUT, "--image", form, expect=0)

    def test_in_the_primary_slot_of_a_device_and_over_its_cable(self):
        self.hexadecimal("1.0.0.hex", (self.dir / "1.0.0.bin").read_bytes())
        process = self.start("sim", "--endpoint", ENDPOINT, "--server", "coap://127.0.0.1:9", "--image", "1.0.0.hex",
                             "--key", "pub.pem", "--flash-dir", "flash", "--pty", "tty")
        deadline = time.monotonic() + 20
        while not (self.dir / "tty").is_symlink():
            self.assertLess(time.monotonic(), deadline, "the virtual device has no terminal")
            time.sleep(0.05)
        flash = pathlib.Path(self.dir, "flash", "internal.bin").read_bytes()
        old = (self.dir / "1.0.0.bin").read_bytes()
        self.assertEqual(flash[0x10000:0x10000 + len(old)], old)
        run = self.run_json("serial", "update", "dfu.zip", "--port", "tty", "--key", "pub.pem", expect=0)
        self.assertEqual((run.result["outcome"], run.result["to_version"]), ("updated", "2.0.0"), run)
        process.terminate()
        process.wait()


if __name__ == "__main__":
    unittest.main()
