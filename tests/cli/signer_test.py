#!/usr/bin/env python3
"""Keys that are not files: a PKCS#11 token (SoftHSM2) and external signing commands."""

import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.run_fotactl import Case, environment  # noqa: E402

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN = "2468013579"
TYPES = {"p256": "EC:prime256v1", "p384": "EC:secp384r1", "r2048": "rsa:2048", "r3072": "rsa:3072",
         "ed": "EC:edwards25519"}
PAYLOAD = bytes(range(256)) * 40
SIGN = ("--version", "1.2.3", "--pad-header", "payload.bin", "signed.bin")


@unittest.skipUnless(shutil.which("softhsm2-util") and shutil.which("pkcs11-tool") and os.path.exists(MODULE),
                     "softhsm2 and opensc are not installed")
class Token(Case):
    """One token with a key of each type, all of them on it at once."""

    def setUp(self):
        super().setUp()
        (self.dir / "tokens").mkdir()
        conf = self.write("softhsm2.conf", f"directories.tokendir = {self.dir}/tokens\nlog.level = ERROR\n")
        self.env = {"SOFTHSM2_CONF": str(conf)}
        self.tool("softhsm2-util", "--init-token", "--free", "--label", "release", "--pin", PIN, "--so-pin", PIN)
        self.write("payload.bin", PAYLOAD)
        self.write("pin", PIN + "\n", 0o600)

    def tool(self, *command):
        subprocess.run(command, env=environment(self.dir, self.env), check=True, capture_output=True, timeout=120)

    def make(self, name, label=None, number=None):
        number = number or f"{list(TYPES).index(name) + 1:02x}"
        self.tool("pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN, "--keypairgen", "--key-type", TYPES[name],
                  "--id", number, "--label", label or name)

    def uri(self, path, query=""):
        return f"pkcs11:token=release;{path}?module-path={MODULE}{query}"

    def sign(self, uri, *more, expect, env=None):
        run = self.run_json("image", "sign", "--key", uri, *more, *SIGN, env=self.env | (env or {}), expect=expect)
        if expect != 0:
            self.assertFalse((self.dir / "signed.bin").exists(), run)
        self.assertNotIn(PIN, run.out + run.err)
        return run

    def test_every_key_type_signs_what_its_public_key_verifies(self):
        for name in TYPES:
            self.make(name)
        for name in TYPES:
            with self.subTest(name):
                self.sign(self.uri(f"object={name}"), "--passphrase-file", "pin", expect=0)
                self.run_fotactl("key", "public", "--key", self.uri(f"object={name}"), "--out", f"{name}.pem",
                                 env=self.env, expect=0)
                run = self.run_json("image", "verify", "--key", f"{name}.pem", "signed.bin", expect=0)
                self.assertEqual(run.result["signature"], "valid")
                other = "p384" if name == "p256" else "p256"
                self.run_fotactl("image", "verify", "--key", self.uri(f"object={other}"), "signed.bin", env=self.env,
                                 expect=4)

    def test_the_pin_comes_from_a_file_the_environment_a_descriptor_or_the_uri(self):
        self.make("ed")
        self.sign(self.uri("object=ed", "&pin-source=file:pin"), expect=0)
        self.sign(self.uri("object=ed"), "--passphrase-env", "TOKEN_PIN", env={"TOKEN_PIN": PIN}, expect=0)
        with open(self.dir / "pin", "rb") as pin:
            done = subprocess.run(
                self.command("image", "sign", "--key", self.uri("object=ed"), "--passphrase-fd", pin.fileno(), *SIGN),
                cwd=self.dir, env=environment(self.dir, self.env), pass_fds=[pin.fileno()], capture_output=True,
                check=False, timeout=60)
        self.assertEqual(done.returncode, 0)

    def test_a_build_that_calls_imgtool_signs_with_it_too(self):
        for name in ("p256", "r2048", "ed"):
            self.make(name)
            uri = self.uri(f"object={name}", "&pin-source=file:pin")
            words = ["sign", "-k", uri, "-v", "1.2.3", "-H", "0x200", "-S", "0x40000", "--pad-header", "--align", "4"]
            for layout in ([], ["--sig-out", "image.sig"]):
                run = self.run_fotactl("imgtool", *words, *layout, "payload.bin", "image.bin", env=self.env, expect=0)
                self.assertNotIn(PIN, run.out + run.err)
            self.run_fotactl("imgtool", "getpub", "-k", uri, "-e", "pem", "-o", "pub.pem", env=self.env, expect=0)
            self.run_json("image", "verify", "--key", "pub.pem", "image.bin", expect=0)
            self.run_fotactl("imgtool", "verify", "-k", uri, "image.bin", env=self.env, expect=0)
            # The signature by itself makes the same image on a machine that has no token.
            self.run_fotactl("imgtool", *words[:1], *words[3:], "--fix-sig", "image.sig", "--fix-sig-pubkey", "pub.pem",
                             "payload.bin", "again.bin", expect=0)
            self.assertEqual((self.dir / "again.bin").read_bytes(), (self.dir / "image.bin").read_bytes())
        run = self.run_fotactl("imgtool", "sign", "-k", self.uri("object=p256"), *words[3:], "payload.bin", "none.bin",
                               env=self.env, expect=2)
        self.assertIn("PIN", run.err)
        self.run_fotactl("imgtool", "sign", "-k", self.uri("object=none", "&pin-source=pin"), *words[3:], "payload.bin",
                         "none.bin", env=self.env, expect=1)
        self.run_fotactl("imgtool", "getpriv", "-k", uri, env=self.env, expect=2)
        self.assertFalse((self.dir / "none.bin").exists())

    def test_keys_of_one_token_sign_and_encrypt_at_once(self):
        for name in ("p256", "r2048"):
            self.make(name)
            uri = self.uri(f"object={name}", "&pin-source=file:pin")
            words = ("-v", "1.2.3", "-H", "0x200", "-S", "0x40000", "--pad-header", "payload.bin", "image.bin")
            self.run_fotactl("imgtool", "sign", "-k", uri, "-E", uri, *words, env=self.env, expect=0)
            run = self.run_fotactl("imgtool", "verify", "-k", uri, "image.bin", env=self.env, expect=1)
            self.assertIn("invalid hash", run.out)  # of what is encrypted, as imgtool has it
            self.sign(self.uri(f"object={name}"), "--passphrase-file", "pin", "--encrypt-to", uri, expect=0)

    def test_imgtool_asks_for_the_pin_on_a_terminal(self):
        self.make("p256")
        words = ("imgtool", "sign", "-k", self.uri("object=p256"), "-v", "1.2.3", "-H", "0x200", "-S", "0x40000",
                 "--pad-header", "payload.bin", "image.bin")
        run = self.run_on_terminal(*words, env=self.env, answers=[("PIN of the token: ", PIN)])
        self.assertEqual(run.exit, 0, run)
        self.assertNotIn(PIN, run.out)
        self.assertTrue((self.dir / "image.bin").exists())
        (self.dir / "image.bin").unlink()
        run = self.run_on_terminal(*words, env=self.env, answers=[("PIN of the token: ", "1111111111")])
        self.assertEqual(run.exit, 1, run)
        self.assertIn("expected the PIN of the token", run.out)
        # Without a terminal nobody is asked, and what comes through a pipe is no answer.
        run = self.run_fotactl(*words, env=self.env, expect=2)
        self.assertIn("pin-source", run.err)
        self.assertFalse((self.dir / "image.bin").exists())

    def test_a_wrong_or_missing_pin(self):
        self.make("p256")
        self.write("wrong", "1111111111", 0o600)
        run = self.sign(self.uri("object=p256"), "--passphrase-file", "wrong", expect=13)
        self.assertIn('expected the PIN of the token "release", found another', run.result["error"]["message"])
        self.sign(self.uri("object=p256"), expect=2)
        # Not the PIN itself, which may stand nowhere that others can read: the file is refused before it is tried.
        self.write("open", "9753108642", 0o644)
        self.sign(self.uri("object=p256", "&pin-source=open"), expect=13)

    def test_a_pin_in_the_uri_is_refused(self):
        run = self.sign(self.uri("object=p256", "&pin-value=9753108642"), expect=2)
        self.assertIn("whoever lists the processes", run.result["error"]["message"])
        self.assertNotIn("9753108642", run.out + run.err)

    def test_what_is_missing_or_twice_there(self):
        self.make("p256", label="same", number="21")
        self.make("p256", label="same", number="22")
        pin = ("--passphrase-file", "pin")
        self.assertIn("found 2", self.sign(self.uri("object=same"), *pin, expect=3).result["error"]["message"])
        self.sign(self.uri("object=same;id=%22"), *pin, expect=0)
        (self.dir / "signed.bin").unlink()
        self.assertIn("found none", self.sign(self.uri("object=other"), *pin, expect=3).result["error"]["message"])
        self.sign(f"pkcs11:token=other;object=same?module-path={MODULE}", *pin, expect=3)
        self.sign("pkcs11:object=same?module-path=/no/such/module.so", *pin, expect=3)
        self.sign("pkcs11:object=same?module-path=payload.bin", *pin, expect=3)
        self.sign("pkcs11:object=same;object=same", *pin, expect=2)
        self.sign("pkcs11:colour=red", *pin, expect=2)

    def test_imgtool_keyinfo_knows_that_a_token_shows_the_public_half(self):
        self.make("p256")
        run = self.run_fotactl("imgtool", "keyinfo", "-k", self.uri("object=p256"), env=self.env, expect=0)
        self.assertEqual(run.out, "public\n")
        run = self.run_fotactl("imgtool", "keyinfo", "-k", self.uri("object=p256"), "--require", "private", env=self.env,
                               expect=2)
        self.assertIn("pin-source", run.err)

    def test_imgtool_keyinfo_calls_a_key_private_that_the_uri_signs_with(self):
        self.make("p256")
        uri = self.uri("object=p256", "&pin-source=file:pin")
        run = self.run_fotactl("imgtool", "keyinfo", "-k", uri, "--require", "private", env=self.env, expect=0)
        self.assertEqual(run.out, "private\n")
        self.run_fotactl("imgtool", "keyinfo", "-k", uri, "--require", "public", env=self.env, expect=2)

    def test_deterministic_is_for_ed25519_alone(self):
        self.make("p256")
        self.make("ed")
        self.sign(self.uri("object=p256"), "--passphrase-file", "pin", "--deterministic", expect=2)
        self.sign(self.uri("object=ed"), "--passphrase-file", "pin", "--deterministic", expect=0)


class ExternalSigner(Case):
    def setUp(self):
        super().setUp()
        self.write("payload.bin", PAYLOAD)

    def key(self, kind):
        self.run_fotactl("key", "new", "--type", kind, "--out", "private.pem", expect=0)
        self.run_fotactl("key", "public", "--key", "private.pem", "--out", "public.pem", expect=0)

    def sign(self, command, *more, expect):
        run = self.run_json("image", "sign", "--key", "public.pem", "--sign-with", command, *more, *SIGN, expect=expect)
        self.assertEqual((self.dir / "signed.bin").exists(), expect == 0, run)
        return run

    def test_an_empty_command_is_not_none(self):
        self.key("ecdsa-p256")
        for words in (("--sign-with", ""), ("--sign-with", "  ")):
            run = self.run_fotactl("image", "sign", "--key", "private.pem", *words, *SIGN, expect=2)
            self.assertIn("--sign-with", run.err)
            self.assertFalse((self.dir / "signed.bin").exists())

    def test_an_empty_command_does_not_take_the_next_word(self):
        self.key("ecdsa-p256")
        self.write("signer", "#!/bin/sh\ntouch called\n", 0o700)
        run = self.run_fotactl("image", "sign", "--key", "private.pem", "--sign-with=", "./signer", *SIGN, expect=2)
        self.assertIn("expected a value after --sign-with=, found none", run.err)
        self.assertFalse((self.dir / "called").exists())
        self.assertFalse((self.dir / "signed.bin").exists())

    def test_openssl_signs_the_digest(self):
        self.key("ecdsa-p256")
        self.sign("openssl pkeyutl -sign -inkey private.pem", expect=0)
        self.run_fotactl("image", "verify", "--key", "public.pem", "signed.bin", expect=0)

    def test_openssl_signs_with_pss(self):
        self.key("rsa-2048")
        self.sign("openssl pkeyutl -sign -inkey private.pem -pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pss "
                  "-pkeyopt rsa_pss_saltlen:32", expect=0)
        self.run_fotactl("image", "verify", "--key", "public.pem", "signed.bin", expect=0)

    def test_ed25519_gets_the_message(self):
        self.key("ed25519")
        self.sign("sh -c 'cat > message && openssl pkeyutl -sign -rawin -in message -inkey private.pem'", expect=0)
        self.assertEqual(len((self.dir / "message").read_bytes()), 32)

    def test_answers_that_are_no_signature_by_this_key(self):
        self.key("ecdsa-p256")
        self.sign("cat", expect=4)
        self.run_fotactl("key", "new", "--type", "ecdsa-p256", "--out", "other.pem", expect=0)
        self.sign("openssl pkeyutl -sign -inkey other.pem", expect=4)

    def test_commands_that_fail(self):
        self.key("ecdsa-p256")
        for command, code, found in (("false", 3, "found 1"), ("true", 3, "found nothing"), ("yes", 3, "found more"),
                                     ("/no/such/program", 3, "No such file"), ("sh -c 'kill -9 $$'", 3, "signal 9"),
                                     ("'open", 2, "open one"), ("' '", 3, "No such file")):
            with self.subTest(command):
                self.assertIn(found, self.sign(command, expect=code).result["error"]["message"])

    def test_a_command_that_does_not_end_is_stopped(self):
        self.key("ecdsa-p256")
        run = self.sign("sleep 60", "--sign-timeout", "300ms", expect=3)
        self.assertIn("still runs", run.result["error"]["message"])

    def test_no_shell_sees_the_command(self):
        self.key("ecdsa-p256")
        self.sign("false; touch made", expect=3)
        self.assertFalse((self.dir / "made").exists())

    def test_deterministic_is_refused(self):
        self.key("ecdsa-p256")
        self.sign("openssl pkeyutl -sign -inkey private.pem", "--deterministic", expect=2)


if __name__ == "__main__":
    unittest.main()
