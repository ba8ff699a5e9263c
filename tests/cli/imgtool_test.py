"""fotactl imgtool beside what imgtool itself answered (tests/data/imgtool), byte for byte."""
import base64
import hashlib
import json
import os
import pathlib
import shlex
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run_fotactl  # noqa: E402

VECTORS = run_fotactl.DATA / "mcuboot"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())
RECORDED = json.loads((run_fotactl.DATA / "imgtool" / "recorded.json").read_text())
TYPES = ["rsa-2048", "rsa-3072", "ecdsa-p256", "ecdsa-p384", "ed25519", "x25519"]


class Case(run_fotactl.Case):
    def imgtool(self, *words, stdin=b"", cwd=VECTORS):
        return subprocess.run([run_fotactl.PROGRAM, "imgtool", *map(str, words)], input=stdin, capture_output=True, cwd=cwd,
                              env=run_fotactl.environment(self.dir), timeout=60, check=False)

    def ok(self, *words, **options):
        done = self.imgtool(*words, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout

    def signature_file(self, name):
        path = self.dir / f"{name}.sig"
        path.write_text(next(each["signature_b64"] for each in MANIFEST["images"] if each["name"] == name))
        return str(path)

    def one_sentence(self, done):
        lines = done.stderr.decode().strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("Error: "), lines[0])


class Recorded(Case):
    """Every recorded command: exit code, standard output and the file it wrote."""

    def check(self, entry):
        command = entry["command"]
        words = list(command) if isinstance(command, list) else command.split()
        target = None
        for index, word in enumerate(words):
            if word.startswith("{out"):
                target = self.dir / word[1:-1]
                target.unlink(missing_ok=True)
                words[index] = str(target)
            elif word.endswith(".sig}"):
                words[index] = self.signature_file(word[1:-5])
        done = self.imgtool(*words)
        self.assertEqual(done.returncode, entry["exit"], done.stderr.decode())
        expected = bytes.fromhex(entry["stdout_hex"]) if "stdout_hex" in entry else entry["stdout"].encode()
        signs = words[0] in ("sign", "create")
        if entry["exit"] == 1 and (signs or not expected):  # where imgtool ends in a traceback
            self.one_sentence(done)
        if entry["exit"] == 0 or not signs:
            self.assertEqual(done.stdout, expected)
        if entry["exit"] == 2:
            self.assertTrue(done.stderr.decode().strip().splitlines()[-1].startswith("Error: "), done.stderr)
        if "file" in entry and entry["exit"] == 0:
            content = target.read_bytes()
            self.assertEqual(len(content), entry["file"]["size"])
            self.assertEqual(hashlib.sha256(content).hexdigest(), entry["file"]["sha256"])
        elif entry["exit"] == 2 and target is not None:
            self.assertFalse(target.exists())

    def check_all(self, *names):
        entries = [each for each in RECORDED
                   if (each["command"] if isinstance(each["command"], list) else each["command"].split())[0] in names]
        self.assertGreater(len(entries), 10)
        for entry in entries:
            with self.subTest(entry["command"]):
                self.check(entry)

    def test_keys(self):
        self.check_all("getpub", "getpubhash", "getpriv", "keyinfo", "keygen")

    def test_dumpinfo(self):
        self.check_all("dumpinfo")

    def test_verify(self):
        self.check_all("verify")

    def test_sign(self):
        self.check_all("sign", "create", "version", "singe", "--what")


class Vectors(Case):
    """The command of every vector as it was given, with its signature in place of the key."""

    def sign(self, image, fixed):
        words = shlex.split(image["command"].replace("(", "'(").replace(")", ")'").replace("''", "")
                            .replace("0x12a2  ", "0x12a2 '' "))[1:]
        out = self.dir / pathlib.Path(image["file"]).name
        words[-1] = str(out)
        signature = words.index("--sig-out") if "--sig-out" in words else None
        if signature is not None:
            words[signature + 1] = str(self.dir / "written.sig")
        if fixed and "-k" in words:
            key = words.index("-k")
            public = words[key + 1].replace(".pem", ".pub.pem")
            words[key:key + 2] = ["--fix-sig", self.signature_file(image["name"]), "--fix-sig-pubkey", public]
        self.ok(*words)
        return out.read_bytes()

    def test_bytes(self):
        for image in MANIFEST["images"]:
            with self.subTest(image["name"]):
                expected = bytearray((VECTORS / image["file"]).read_bytes())
                found = bytearray(self.sign(image, image["name"] != "ed25519-pure"))
                ranges = list(image["random_ranges"]) if image["name"].startswith(("enc-", "lzma")) else []
                if image["name"].startswith("lzma"):  # its hash covers one of two signatures, of which one can be given
                    ranges += [[tlv["value_off"], tlv["len"]] for area in image["parse"]["areas"] for tlv in area["tlvs"]
                               if tlv["type"] == "0x0010"]
                for offset, length in ranges:
                    for content in (expected, found):
                        content[offset:offset + length] = bytes(length)
                self.assertEqual(found, expected)

    def test_a_key_signs_what_verifies(self):
        for image in MANIFEST["images"]:
            if not image.get("key") or image["name"].startswith("enc-"):
                continue
            with self.subTest(image["name"]):
                self.sign(image, False)
                out = self.ok("verify", "-k", image["key"], self.dir / pathlib.Path(image["file"]).name)
                self.assertTrue(out.startswith(b"Image was correctly validated\n"))
                signature = base64.b64decode((self.dir / "written.sig").read_bytes(), validate=True)
                if not image["file"].endswith(".hex"):
                    self.assertIn(signature, (self.dir / pathlib.Path(image["file"]).name).read_bytes())


class Keys(Case):
    def test_new_keys_are_private_and_used(self):
        for word in TYPES:
            with self.subTest(word):
                path = self.dir / f"{word}.pem"
                self.ok("keygen", "-t", word, "-k", path)
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
                self.assertEqual(self.ok("keyinfo", "-k", path), b"private\n")
                self.assertIn(b"BEGIN PRIVATE KEY", path.read_bytes())

    def test_passphrase_comes_from_stdin_without_a_terminal(self):
        path = self.dir / "key.pem"
        self.ok("keygen", "-t", "ecdsa-p256", "-p", "-k", path, stdin=b"secret\nsecret\n")
        self.assertIn(b"BEGIN ENCRYPTED PRIVATE KEY", path.read_bytes())
        self.ok("getpub", "-k", path, stdin=b"secret\n")
        for stdin in (b"wrong\n", b"", b"\n"):
            done = self.imgtool("getpub", "-k", path, stdin=stdin)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.one_sentence(done)
        self.assertEqual(self.imgtool("keyinfo", "-k", path).returncode, 2)
        self.assertEqual(self.imgtool("keygen", "-t", "ed25519", "-p", "-k", path, stdin=b"a\nb\n").returncode, 1)

    def test_passphrase_is_asked_for_on_a_terminal(self):
        path = self.dir / "key.pem"
        self.ok("keygen", "-t", "ed25519", "-p", "-k", path, stdin=b"secret\nsecret\n")
        run = self.ask("secret\n", "imgtool", "keyinfo", "-k", path)
        self.assertEqual(run[0], 2)
        code, shown = self.ask("secret\n", "imgtool", "getpub", "-k", path)
        self.assertEqual(code, 0)
        self.assertIn("Enter key passphrase: ", shown)
        self.assertNotIn("secret", shown)

    def test_an_encrypted_key_signs_once_its_passphrase_was_typed(self):
        path = self.dir / "k.pem"
        self.ok("keygen", "-t", "ecdsa-p256", "-p", "-k", path, stdin=b"secret\nsecret\n")
        self.write("payload.bin", bytes(100))
        words = ("imgtool", "sign", "-k", path, "-v", "1.2.3", "-H", "0x200", "-S", "0x40000", "--pad-header",
                 "payload.bin", "out.bin")
        run = self.run_on_terminal(*words, answers=[("Enter key passphrase: ", "secret")])
        self.assertEqual(run.exit, 0, run)
        self.assertNotIn("secret", run.out)
        (self.dir / "out.bin").unlink()
        run = self.run_on_terminal(*words, answers=[("Enter key passphrase: ", "other")])
        self.assertEqual(run.exit, 1, run)
        self.assertFalse((self.dir / "out.bin").exists())

    def ask(self, answer, *words):
        """As run_on_terminal, with somebody at the keyboard."""
        script = ("import os, pty, sys\n"
                  "typed = False\n"
                  "def read(fd):\n"
                  "    global typed\n"
                  "    data = os.read(fd, 4096)\n"
                  "    if not typed and b'passphrase' in data:\n"
                  "        typed = True\n"
                  "        os.write(fd, sys.argv[1].encode())\n"
                  "    return data\n"
                  "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read)))\n")
        done = subprocess.run([sys.executable, "-c", script, answer, *self.command(*words)], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60, check=False, env=run_fotactl.environment(self.dir))
        return done.returncode, done.stdout.decode()

    def test_minimal_p384_key_is_readable(self):
        text = self.ok("getpriv", "--minimal", "-k", "keys/p384.pem").decode()
        der = bytes(int(each, 16) for each in text.replace(",", " ").split() if each.startswith("0x"))
        (self.dir / "p384.der").write_bytes(der)
        whole = self.ok("getpub", "-e", "raw", "-k", "keys/p384.pem")
        self.assertEqual(self.ok("getpub", "-e", "raw", "-k", self.dir / "p384.der"), whole)


class BadInput(Case):
    def sign(self, *words):
        return self.imgtool("sign", "-H", "0x200", "--pad-header", "-S", "0x40000", "-v", "1", *words, "payload/app1k.bin",
                            self.dir / "out.bin")

    def test_keys_that_cannot_encrypt(self):
        self.ok("keygen", "-t", "ecdsa-p384", "-k", self.dir / "p384.pem")
        self.ok("keygen", "-t", "rsa-3072", "-k", self.dir / "rsa.pem")
        for name in ("p384.pem", "rsa.pem"):
            done = self.sign("-E", self.dir / name)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertFalse((self.dir / "out.bin").exists())

    def test_protected_area_is_limited(self):
        big = self.write("big", bytes(60000))
        done = self.sign("--custom-tlv-file", "0xa0", big, "--custom-tlv-file", "0xa1", big)
        self.assertIn(done.returncode, (1, 2))
        self.assertFalse((self.dir / "out.bin").exists())

    def test_warning_where_the_bootloader_is_stricter(self):
        done = self.imgtool("verify", "-k", "keys/p256.pem", "bad/flip-keyhash.bin")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stderr.startswith(b"Warning: "), done.stderr)

    def test_own_configuration_is_left_out(self):
        self.write("fotactl.toml", "broken = [")
        self.assertEqual(self.ok("version", cwd=self.dir), b"2.4.0\n")

    def test_existing_file_survives_a_refusal(self):
        (self.dir / "out.bin").write_bytes(b"old")
        self.assertEqual(self.sign("-s", "4294967296").returncode, 1)
        self.assertEqual((self.dir / "out.bin").read_bytes(), b"old")


class Shim(Case):
    def test_python_runs_it(self):
        shim = run_fotactl.SOURCE / "packaging" / "imgtool-shim" / "imgtool.py"
        for words, code in ((["version"], 0), (["sign", "-v"], 2)):
            done = subprocess.run([sys.executable, shim, *words], capture_output=True, timeout=60, check=False,
                                  env={**os.environ, "FOTACTL": run_fotactl.PROGRAM})
            self.assertEqual(done.returncode, code, done.stderr)
        done = subprocess.run([sys.executable, shim, "version"], capture_output=True, timeout=60, check=False,
                              env={**os.environ, "FOTACTL": "/nowhere"})
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/nowhere", done.stderr)


if __name__ == "__main__":
    unittest.main()
