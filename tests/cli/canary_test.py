"""The search for planted secrets, which every test of the command line makes, finds them in every form."""

import base64
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from run_fotactl import Case, Run  # noqa: E402

PSK = "8c1f0a7b6d5e4c3b2a19080706f5e4d3"


class Canary(Case):
    def test_every_form_is_found_in_every_stream(self):
        self.write("psk.hex", PSK + "\n", 0o600)
        for form in (PSK, PSK.upper(), base64.b64encode(bytes.fromhex(PSK)).decode()):
            for out, err in ((f"x{form}y", ""), ("", f"x{form}y")):
                with self.assertRaises(AssertionError):
                    self.checked(Run(("push",), 0, out, err))
        self.checked(Run(("push",), 0, "8c1f…d3", ""))
        with self.assertRaises(AssertionError):
            self.command("push", "--psk", PSK)

    def test_passphrases_keys_and_credentials_are_planted(self):
        self.write("pass", "correct horse\n", 0o600)
        self.write("fleet.json", f'{{"devices": [{{"endpoint": "a", "identity": "a", "psk": "{PSK}"}}]}}', 0o600)
        body = base64.b64encode(bytes(range(48))).decode()
        self.write("key.pem", f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n", 0o600)
        for secret in ("correct horse", PSK, body):
            with self.assertRaises(AssertionError):
                self.canaries.check("a stream", f"it is {secret}")

    def test_files_that_others_may_read_are_searched(self):
        self.write("psk.hex", PSK, 0o600)
        log = self.write("run.log", f"key {PSK}\n")
        with self.assertRaises(AssertionError):
            self.canaries.check_files()
        log.unlink()
        self.canaries.check_files()

    def test_what_the_program_mints_is_planted_as_well(self):
        self.run_json("provision", "device", "--endpoint", "a", "--credentials", "fleet.json", "--log-file", "run.log", "-v",
                      expect=0)
        self.assertEqual(len(self.canaries.secrets), 1)
        with self.assertRaises(AssertionError):
            self.checked(Run((), 0, self.canaries.secrets.copy().pop(), ""))


if __name__ == "__main__":
    unittest.main()
