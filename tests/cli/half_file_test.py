#!/usr/bin/env python3
"""A program killed while it writes leaves the old file, or none: never half of the new one."""

import os
import pathlib
import resource
import signal
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.run_fotactl import Case, environment  # noqa: E402

OLD = b"the old file"


class HalfFile(Case):
    def run_limited(self, limit, restore_signals, *args):
        """With files limited to `limit` bytes: writing on is SIGXFSZ's death, or with that ignored an error."""
        return subprocess.run(self.command(*args), cwd=self.dir, env=environment(self.dir), capture_output=True,
                              restore_signals=restore_signals, check=False, timeout=60,
                              preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))

    def test_image_sign(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "key.pem", expect=0)
        self.write("payload.bin", b"\x5a" * 50000)
        args = ("image", "sign", "--key", "key.pem", "--version", "1.0.0", "--pad-header", "payload.bin", "out.bin")
        for limit in (0, 1, 4096, 50000):
            with self.subTest(limit=limit):
                self.write("out.bin", OLD)
                self.assertEqual(self.run_limited(limit, True, *args).returncode, -signal.SIGXFSZ)
                self.assertEqual((self.dir / "out.bin").read_bytes(), OLD)
                self.assertEqual(self.run_limited(limit, False, *args).returncode, 3)
                self.assertEqual((self.dir / "out.bin").read_bytes(), OLD)
        self.assertEqual(self.run_limited(100000, True, *args).returncode, 0)
        self.assertGreater((self.dir / "out.bin").stat().st_size, 50000)

    def test_intel_hex_that_is_written_in_pieces(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "key.pem", expect=0)
        self.write("payload.bin", b"\x5a" * 50000)
        args = ("image", "sign", "--key", "key.pem", "--version", "1.0.0", "--pad-header", "--hex-address", "0x10000",
                "payload.bin", "out.hex")
        for limit in (0, 4096, 40000, 130000):
            with self.subTest(limit=limit):
                self.write("out.hex", OLD)
                self.assertEqual(self.run_limited(limit, True, *args).returncode, -signal.SIGXFSZ)
                self.assertEqual((self.dir / "out.hex").read_bytes(), OLD)
                before = sorted(self.dir.iterdir())  # with what the killed one could not take away
                self.assertEqual(self.run_limited(limit, False, *args).returncode, 3)
                self.assertEqual((self.dir / "out.hex").read_bytes(), OLD)
                self.assertEqual(sorted(self.dir.iterdir()), before)
        self.assertEqual(self.run_limited(200000, True, *args).returncode, 0)
        self.assertTrue((self.dir / "out.hex").read_bytes().endswith(b":00000001FF\n"))

    def test_key_new(self):
        args = ("key", "new", "--type", "ecdsa-p256", "--out", "key.pem")
        for limit in (0, 10, 100):
            with self.subTest(limit=limit):
                self.assertEqual(self.run_limited(limit, True, *args).returncode, -signal.SIGXFSZ)
                self.assertFalse((self.dir / "key.pem").exists())
                self.assertEqual(self.run_limited(limit, False, *args).returncode, 3)
                self.assertFalse((self.dir / "key.pem").exists())
        self.assertEqual(self.run_limited(4096, True, *args).returncode, 0)

    def test_nothing_of_a_secret_is_left_by_a_killed_key_new(self):
        try:
            os.close(os.open(self.dir, os.O_TMPFILE | os.O_WRONLY, 0o600))
        except OSError:
            self.skipTest("the file system has no nameless files")
        args = ("key", "new", "--type", "ecdsa-p256", "--out", "key.pem")
        for limit in (10, 100):
            self.assertEqual(self.run_limited(limit, True, *args).returncode, -signal.SIGXFSZ)
            self.assertEqual(list(self.dir.iterdir()), [])
        self.assertEqual(self.run_limited(4096, True, *args).returncode, 0)
        self.assertEqual(stat.S_IMODE((self.dir / "key.pem").stat().st_mode), 0o600)
        key = (self.dir / "key.pem").read_bytes()
        self.assertEqual(self.run_limited(4096, True, *args).returncode, 3)
        self.assertEqual((self.dir / "key.pem").read_bytes(), key)

    def test_a_replaced_file_keeps_its_mode(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "key.pem", expect=0)
        self.write("payload.bin", b"\x5a" * 500)
        sign = ("image", "sign", "--key", "key.pem", "--version", "1.0.0", "--pad-header", "payload.bin", "out.bin")
        for mode in (0o640, 0o600, 0o664, 0o755):
            self.write("out.bin", OLD).chmod(mode)
            self.run_fotactl(*sign, expect=0)
            self.assertEqual(stat.S_IMODE((self.dir / "out.bin").stat().st_mode), mode)
        # A private key is its owner's alone, whoever could read what stood there.
        self.write("new.pem", OLD).chmod(0o644)
        self.run_fotactl("imgtool", "keygen", "-t", "ed25519", "-k", "new.pem", expect=0)
        self.assertEqual(stat.S_IMODE((self.dir / "new.pem").stat().st_mode), 0o600)


if __name__ == "__main__":
    unittest.main()
