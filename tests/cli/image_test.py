"""fotactl key and fotactl image, as scripts and people run them."""
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile
import unittest
import zipfile

FOTACTL = os.environ["FOTACTL"]
DATA = pathlib.Path(os.environ["FOTACTL_SOURCE_DIR"]) / "tests" / "data" / "mcuboot"
MANIFEST = json.loads((DATA / "manifest.json").read_text())
TYPES = ["ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "ed25519"]


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)

    def path(self, name):
        return str(self.dir / name)

    def run_tool(self, *arguments, stdin=b"", env=None):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("FOTACTL_")}
        environment.update(env or {})
        return subprocess.run([FOTACTL, *map(str, arguments)], input=stdin, capture_output=True, cwd=self.dir,
                              env=environment, timeout=120)

    def ok(self, *arguments, **options):
        done = self.run_tool(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout

    def result(self, *arguments, exit=0, **options):
        done = self.run_tool(*arguments, "--json", **options)
        self.assertEqual(done.returncode, exit, done.stdout.decode() + done.stderr.decode())
        last = json.loads(done.stdout.decode().strip().splitlines()[-1])
        self.assertEqual((last["event"], last["exit"]), ("result", exit))
        return last

    def refused(self, exit, code, *arguments, **options):
        last = self.result(*arguments, exit=exit, **options)
        self.assertEqual(last["error"]["code"], code, last)
        return last["error"]["message"]

    def secret_copy(self, name):
        target = self.path(name)
        shutil.copyfile(DATA / "keys" / name, target)
        os.chmod(target, 0o600)
        return target


class Keys(Case):
    def test_every_type_is_made_shown_and_written(self):
        for word in TYPES + ["x25519"]:
            with self.subTest(word):
                key = self.path(word + ".pem")
                made = self.result("key", "new", "--type", word, "--out", key)
                self.assertEqual(stat.S_IMODE(os.stat(key).st_mode), 0o600)
                self.assertTrue(pathlib.Path(key).read_text().startswith("-----BEGIN PRIVATE KEY-----"))
                shown = self.result("key", "show", "--key", key)
                self.assertEqual(shown["type"], word)
                self.assertEqual(shown["sha256"], made["sha256"])
                self.assertIsNone(shown["development_key"])
                sha256 = self.ok("key", "public", "--key", key, "--format", "sha256").decode().strip()
                self.assertEqual(sha256, made["sha256"])
                self.ok("key", "public", "--key", key, "--out", self.path("pub.pem"))
                self.assertEqual(self.result("key", "show", "--key", self.path("pub.pem"))["sha256"], made["sha256"])

    def test_formats_of_the_public_half(self):
        key = DATA / "keys" / "p256.pem"
        der = self.ok("key", "public", "--key", key, "--format", "der")
        self.assertEqual(self.ok("key", "public", "--key", key).decode(), (DATA / "keys" / "p256.pub.pem").read_text())
        octets = ", ".join(f"0x{each:02x}" for each in der)
        for form, head in (("c", "const unsigned char ecdsa_pub_key[] = {"), ("rust", "static ECDSA_PUB_KEY: &[u8] = &[")):
            text = self.ok("key", "public", "--key", key, "--format", form).decode()
            self.assertIn(head, text)
            self.assertEqual(", ".join(re.findall("0x[0-9a-f]{2}", text)), octets)
        self.assertIn("ecdsa_pub_key_len = 91;", self.ok("key", "public", "--key", key, "--format", "c").decode())

    def test_an_existing_key_is_never_replaced(self):
        key = self.path("key.pem")
        self.ok("key", "new", "--type", "ed25519", "--out", key)
        before = pathlib.Path(key).read_text()
        self.assertIn("exists already", self.refused(3, "file-unwritable", "key", "new", "--type", "ed25519", "--out", key))
        self.assertEqual(pathlib.Path(key).read_text(), before)
        self.assertEqual(os.listdir(self.dir), ["key.pem"])

    def test_passphrase_from_file_and_environment(self):
        secret = self.path("secret")
        with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as stream:
            stream.write("correct horse\n")
        key = self.path("key.pem")
        self.ok("key", "new", "--type", "ecdsa-p256", "--out", key, "--passphrase-file", secret)
        self.assertIn("ENCRYPTED", pathlib.Path(key).read_text())
        self.ok("key", "show", "--key", key, "--passphrase-env", "PW", env={"PW": "correct horse"})
        self.refused(13, "credentials-unusable", "key", "show", "--key", key, "--passphrase-env", "PW", env={"PW": "wrong"})
        self.assertIn("--passphrase-file", self.refused(2, "usage", "key", "show", "--key", key))
        self.refused(2, "usage", "key", "show", "--key", key, "--passphrase-env", "UNSET_VARIABLE")
        os.chmod(secret, 0o644)
        self.refused(13, "credentials-unusable", "key", "show", "--key", key, "--passphrase-file", secret)

    def test_bad_input(self):
        self.refused(3, "file-unreadable", "key", "show", "--key", self.path("absent"))
        self.refused(3, "file-unreadable", "key", "show", "--key", self.dir)
        self.refused(3, "key-unusable", "key", "show", "--key", DATA / "img" / "p256-4k.bin")
        self.refused(2, "usage", "key", "new", "--type", "rsa-1024", "--out", self.path("k"))
        self.refused(2, "usage", "key", "new", "--type", "ed25519")
        self.refused(3, "file-unwritable", "key", "new", "--type", "ed25519", "--out", self.path("no/such/dir.pem"))


class Sign(Case):
    payload = DATA / "payload" / "p4k.bin"

    def sign(self, *more, key="p256.pem", version="1.2.3+4", out="out.bin"):
        if not (self.dir / key).exists():
            self.secret_copy(key)
        return ["image", "sign", "--key", self.path(key), "--version", version, "--pad-header", *more, self.payload, self.path(out)]

    def test_deterministic_images_are_the_references(self):
        self.ok(*self.sign("--slot-size", "0x40000", key="ed25519.pem", version="1.2.3"))
        self.assertEqual((self.dir / "out.bin").read_bytes(), (DATA / "img" / "ed25519-4k.bin").read_bytes())

    def test_every_type_signs_and_verifies(self):
        for key in ("p256", "p384", "rsa2048", "rsa3072", "ed25519"):
            with self.subTest(key):
                self.ok(*self.sign("--deterministic", key=key + ".pem", out="a.bin"))
                self.ok(*self.sign("--deterministic", key=key + ".pem", out="b.bin"))
                self.assertEqual((self.dir / "a.bin").read_bytes(), (self.dir / "b.bin").read_bytes())
                public = DATA / "keys" / (key + ".pub.pem")
                done = self.result("image", "verify", "--key", public, self.path("a.bin"))
                self.assertEqual((done["signature"], done["version"]), ("valid", "1.2.3+4"))

    def test_says_what_it_made(self):
        text = self.ok(*self.sign("--slot-size", "0xe8000")).decode()
        self.assertRegex(text, r"image    1\.2\.3\+4 · 4,7\d\d bytes · ECDSA-P256 key e734…fb · "
                               r"fits 0xe8000 swap-move \(limit 937,984\)\n")

    def test_pipes(self):
        key = self.secret_copy("ed25519.pem")
        image = self.ok("image", "sign", "--key", key, "--version", "1.2.3", "--pad-header", "-", "-",
                        stdin=self.payload.read_bytes())
        self.assertEqual(image, (DATA / "img" / "ed25519-4k.bin").read_bytes())
        self.assertIn(b"valid", self.ok("image", "verify", "-", stdin=image))

    def test_options_reach_the_image(self):
        self.ok(*self.sign("--security-counter", "auto", "--slot-size", "64K", "--confirm", "--align", "16"))
        shown = self.result("image", "show", self.path("out.bin"))
        self.assertEqual(shown["size"], 65536)
        counter = next(each for each in shown["tlvs"] if each["name"] == "SEC_CNT")
        self.assertEqual((counter["value"], counter["protected"]), ("03000201", True))
        self.assertEqual((self.dir / "out.bin").read_bytes()[-16:].hex(), "10002de15d29410b8d77679c110f1f8a")

    def test_a_key_others_can_read_is_refused(self):
        command = self.sign()
        os.chmod(self.path("p256.pem"), 0o640)
        message = self.refused(13, "credentials-unusable", *command)
        self.assertIn("mode 0640", message)
        self.assertFalse((self.dir / "out.bin").exists())

    def test_too_large_for_the_slot(self):
        (self.dir / "big.bin").write_bytes(bytes(260_000 - 662))
        arguments = self.sign("--slot-size", "256K")
        arguments[-2] = self.path("big.bin")
        (self.dir / "out.bin").write_bytes(b"old")
        message = self.refused(5, "image-too-large", *arguments)
        self.assertIn("253,952", message)
        self.assertIn("imgtool would accept it", message)
        self.assertEqual((self.dir / "out.bin").read_bytes(), b"old")
        self.ok(*arguments[:-2], "--boot-mode", "overwrite", *arguments[-2:])

    def test_encrypted_images_are_judged_with_the_devices_key(self):
        pairs = [("p256", "p256-enc", 128), ("rsa2048", "rsa2048-enc", 256), ("ed25519", "x25519-enc", 256)]
        for key, device, bits in pairs:
            with self.subTest(device):
                made = self.result(*self.sign("--encrypt-to", DATA / "keys" / (device + ".pub.pem"), "--encrypt-bits", bits,
                                              key=key + ".pem"))
                self.assertTrue(made["encrypted"])
                verify = ["image", "verify", "--key", DATA / "keys" / (key + ".pub.pem"), self.path("out.bin")]
                refused = self.result(*verify, exit=4)
                self.assertIn("--decrypt-with", json.dumps(refused))
                private = self.secret_copy(device + ".pem")
                done = self.result(*verify, "--decrypt-with", private)
                self.assertEqual((done["signature"], done["encrypted"]), ("valid", True))
                self.refused(4, "key-mismatch", *verify, "--decrypt-with", self.secret_copy("p256-b.pem"))
                os.chmod(private, 0o644)
                self.refused(13, "credentials-unusable", *verify, "--decrypt-with", private)

    def test_encryption_that_no_bootloader_has_is_refused(self):
        recipient = DATA / "keys" / "p256-enc.pub.pem"
        for key, to in (("p256.pem", "p384.pub.pem"), ("p384.pem", "p256-enc.pub.pem"), ("rsa2048.pem", "rsa3072.pub.pem"),
                        ("p256.pem", "x25519-enc.pub.pem"), ("ed25519.pem", "ed25519.pub.pem")):
            with self.subTest((key, to)):
                self.refused(3, "key-unusable", *self.sign("--encrypt-to", DATA / "keys" / to, key=key))
        self.assertIn("--deterministic", self.refused(2, "usage", *self.sign("--deterministic", "--encrypt-to", recipient)))
        self.refused(2, "usage", *self.sign("--encrypt-to", recipient, "--encrypt-bits", "192"))
        self.refused(2, "usage", *self.sign("--encrypt-bits", "256"))
        self.refused(3, "file-unreadable", *self.sign("--encrypt-to", self.path("absent")))
        self.assertFalse((self.dir / "out.bin").exists())

    def test_compressed(self):
        for how in ("lzma2", "lzma2armthumb"):
            command = self.sign("--compress", how, key="ed25519.pem")
            command[-2] = DATA / "payload" / "t24k.bin"
            self.assertTrue(self.result(*command)["compressed"])
            self.assertLess((self.dir / "out.bin").stat().st_size, 16_000)
            done = self.result("image", "verify", "--key", DATA / "keys" / "ed25519.pub.pem", self.path("out.bin"))
            self.assertEqual((done["signature"], done["compressed"]), ("valid", True))
        # Random bytes cannot be compressed.
        done = self.result(*self.sign("--compress", "lzma2", key="ed25519.pem"))
        self.assertFalse(done["compressed"])

    def test_intel_hex_in_and_out(self):
        payload = DATA / "payload" / "h4k.hex"
        key = self.secret_copy("p256.pem")
        command = ["image", "sign", "--key", key, "--version", "1.0.0", "--pad-header"]
        self.ok(*command, payload, self.path("out.hex"))
        text = (self.dir / "out.hex").read_text()
        self.assertTrue(text.startswith(":020000040001F9\n:100000003DB8F396"), text[:60])
        done = self.result("image", "verify", "--key", DATA / "keys" / "p256.pub.pem", self.path("out.hex"))
        self.assertEqual((done["signature"], done["version"]), ("valid", "1.0.0+0"))
        self.ok(*command, payload, self.path("out.bin"))
        self.assertEqual((self.dir / "out.bin").read_bytes()[:4].hex(), "3db8f396")
        self.ok(*command, "--hex-address", "0xc200", self.payload, self.path("at.hex"))
        self.assertIn(":10C200003DB8F396", (self.dir / "at.hex").read_text())
        self.assertIn("--hex-address", self.refused(2, "usage", *command, self.payload, self.path("no.hex")))
        self.assertFalse((self.dir / "no.hex").exists())
        (self.dir / "bad.hex").write_text(payload.read_text().replace(":00000001FF", ":00000001FE"))
        self.assertIn("checksum FF, found FE", self.refused(3, "image-malformed", *command, self.path("bad.hex"),
                                                            self.path("no.hex")))

    def test_bad_input(self):
        self.refused(2, "usage", *self.sign(version="256.0.0"))
        self.refused(2, "usage", *self.sign("--security-counter", "4294967296"))
        self.refused(2, "usage", *self.sign("--align", "3"))
        self.refused(2, "usage", *self.sign("--slot-size", "0"))
        self.refused(2, "usage", *self.sign("--pad"))
        self.refused(3, "key-unusable", *self.sign(key="p256.pub.pem"))
        self.refused(3, "key-unusable", *self.sign(key="x25519-enc.pem"))
        without = [each for each in self.sign() if each != "--pad-header"]
        self.assertIn("--pad-header", self.refused(3, "image-malformed", *without))
        self.assertEqual([each for each in os.listdir(self.dir) if each.endswith(".tmp") or each == "out.bin"], [])


class VerifyAndShow(Case):
    # What cannot be walked within the file ends with 3, all else the bootloader refuses with 4.
    malformed = {"zero-length", "short-31", "header-only", "trunc-mid-payload", "trunc-in-sig", "flip-magic", "hdr-size-ffff",
                 "img-size-wrap", "img-size-plus1", "prot-total-ffff", "tlv-total-minus1"}

    def test_bad_images(self):
        for each in MANIFEST["bad"]:
            with self.subTest(each["name"]):
                key = DATA / each["key"].replace(".pem", ".pub.pem")
                booted = each["bootloader_secondary"]["result"] == "UPDATED_TEST"
                expected = 0 if booted else 3 if each["name"] in self.malformed else 4
                done = self.result("image", "verify", "--key", key, DATA / each["file"], exit=expected)
                if expected:
                    self.assertEqual(done["outcome"], "refused" if expected == 4 else "failed")
                    self.assertRegex(done["error"]["message"], "expected .*, found ")
                    self.assertNotRegex(done["error"]["message"], r"\.$")

    def test_without_a_key(self):
        done = self.result("image", "verify", DATA / "img" / "p256-4k.bin")
        self.assertEqual(done["signature"], "unchecked")
        self.refused(4, "image-rejected", "image", "verify", DATA / "bad" / "flip-payload-mid.bin")

    def test_an_unsigned_image_is_to_be_signed(self):
        (self.dir / "payload.bin").write_bytes(os.urandom(4096))
        self.ok("imgtool", "sign", "--version", "1.0.0", "--header-size", "0x200", "--pad-header", "--slot-size",
                "0x10000", "payload.bin", "unsigned.bin")
        done = self.result("image", "verify", "--key", DATA / "keys" / "p256.pub.pem", "unsigned.bin", exit=4)
        self.assertEqual(done["error"]["code"], "signature-invalid", done)
        self.assertIn("fotactl image sign", " ".join(done["error"]["hints"]))

    def test_show_equals_the_manifest(self):
        for each in MANIFEST["images"]:
            with self.subTest(each["name"]):
                shown = self.result("image", "show", DATA / each["file"])
                parse = each["parse"]
                self.assertEqual(shown["header"]["magic"], 0x96F3B83D)
                self.assertEqual(shown["header"]["version"], parse["header"]["version"])
                self.assertEqual(shown["header"]["image_size"], parse["header"]["img_size"])
                self.assertEqual(shown["header"]["header_size"], parse["header"]["hdr_size"])
                self.assertEqual(shown["header"]["protected_tlv_size"], parse["header"]["protect_tlv_size"])
                self.assertEqual(shown["header"]["flags"], int(parse["header"]["flags"], 0))
                if not each["file"].endswith(".hex"):
                    self.assertEqual(shown["size"], each["size"])
                expected = [(int(tlv["type"], 0), tlv["len"], tlv["value"]) for area in parse["areas"] for tlv in area["tlvs"]]
                self.assertEqual([(tlv["type"], tlv["length"], tlv["value"]) for tlv in shown["tlvs"]], expected)

    def test_the_fingerprint_of_a_key_is_that_of_its_images(self):
        pathlib.Path(self.path("payload.bin")).write_bytes(bytes(100))
        for word in TYPES:
            with self.subTest(word):
                made = self.ok("key", "new", "--type", word, "--out", self.path(word)).decode()
                half = self.ok("key", "public", "--key", self.path(word), "--out", self.path("pub.pem")).decode()
                self.ok("image", "sign", "--key", self.path(word), "--version", "1.0.0", "--pad-header",
                        self.path("payload.bin"), self.path("app.bin"))
                image = self.ok("image", "show", self.path("app.bin")).decode()
                name = re.search(r"key ([0-9a-f]{4}…[0-9a-f]{2})", image).group(1)
                for said in (made, half):
                    self.assertIn(f" {name} ", said)
                self.assertEqual(self.result("key", "public", "--key", self.path(word), "--out", self.path("pub.pem"))["key_hash"],
                                 self.result("image", "show", self.path("app.bin"))["key_hash"])

    def test_show_for_people(self):
        text = self.ok("image", "show", DATA / "img" / "p256-seccnt-auto.bin").decode()
        self.assertRegex(text, r"image    1\.2\.3 · 1,700 bytes · ECDSA-P256 key e734…fb\n")
        self.assertRegex(text, r"tlv      0x0050 SEC_CNT +4 protected 16908291\n")
        self.assertRegex(text, r"0xe8000 +yes 937,984")

    def test_show_names_the_key_among_those_given(self):
        pub = {name: DATA / "keys" / f"{name}.pub.pem" for name in ("p256", "p384", "rsa2048", "ed25519")}
        every = [word for path in pub.values() for word in ("--key", path)]
        for name, image in (("p256", "p256-4k"), ("p384", "p384-4k"), ("rsa2048", "rsa2048-4k"), ("ed25519", "ed25519-4k"),
                            ("ed25519", "ed25519-sha512"), ("p256", "p256-fullpub")):
            with self.subTest(image):
                shown = self.result("image", "show", *every, DATA / "img" / f"{image}.bin")
                self.assertEqual(shown["signed_by"], str(pub[name]))
                self.assertEqual([(each["named"], each["signature"]) for each in shown["keys"]],
                                 [(True, "valid") if each == name else (False, "none") for each in pub])
                text = self.ok("image", "show", *every, DATA / "img" / f"{image}.bin").decode()
                self.assertRegex(text, rf"(?m)^key +{re.escape(str(pub[name]))} .* · signature valid$")
        other = self.result("image", "show", "--key", pub["p384"], DATA / "img" / "p256-4k.bin")
        self.assertIsNone(other["signed_by"])
        self.assertIn("none of the 1 given signed it",
                      self.ok("image", "show", "--key", pub["p384"], DATA / "img" / "p256-4k.bin").decode())
        # Its name alone proves nothing.
        image = bytearray((DATA / "img" / "p256-4k.bin").read_bytes())
        image[-1] ^= 1
        pathlib.Path(self.path("forged.bin")).write_bytes(image)
        forged = self.result("image", "show", *every, self.path("forged.bin"))
        self.assertIsNone(forged["signed_by"])
        self.assertEqual(forged["keys"][0]["signature"], "invalid")
        self.assertIn("signature not valid", self.ok("image", "show", *every, self.path("forged.bin")).decode())
        self.assertNotIn("keys", self.result("image", "show", DATA / "img" / "p256-4k.bin"))
        self.refused(3, "file-unreadable", "image", "show", "--key", "none.pem", DATA / "img" / "p256-4k.bin")

    def test_dfu_packages_are_read_in_place(self):
        image = (DATA / "img" / "p256-4k.bin").read_bytes()

        def package(name, file="app_update.bin", content=image, size=len(image)):
            manifest = {"format-version": 0, "name": "app", "files": [
                {"type": "application", "image_index": "0", "size": size, "file": "app_update.bin"}]}
            with zipfile.ZipFile(self.path(name), "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(file, content)
                archive.writestr("manifest.json", json.dumps(manifest))
            return self.path(name)

        good = package("dfu_application.zip")
        done = self.result("image", "verify", "--key", DATA / "keys" / "p256.pub.pem", good)
        self.assertEqual((done["signature"], done["size"]), ("valid", len(image)))
        self.assertEqual(self.result("image", "show", good)["hash"], self.result("image", "show", DATA / "img" / "p256-4k.bin")["hash"])
        self.assertIn(b"valid", self.ok("image", "verify", "-", stdin=pathlib.Path(good).read_bytes()))
        self.refused(3, "image-malformed", "image", "verify", package("up.zip", file="../app_update.bin"))
        self.refused(3, "image-malformed", "image", "verify", package("size.zip", size=1))
        self.refused(3, "image-malformed", "image", "verify", package("payload.zip", content=b"\0" * len(image)))
        cut = self.path("cut.zip")
        pathlib.Path(cut).write_bytes(pathlib.Path(good).read_bytes()[:-40])
        self.refused(3, "image-malformed", "image", "verify", cut)

    def test_files_that_are_none(self):
        for command in ("verify", "show"):
            self.refused(3, "file-unreadable", "image", command, self.path("absent"))
            self.refused(3, "file-unreadable", "image", command, self.dir)
        self.assertIn("--help", self.run_tool("image", "verify").stderr.decode())
        self.refused(2, "usage", "image", "verify")


if __name__ == "__main__":
    unittest.main()
