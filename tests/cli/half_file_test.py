#!/usr/bin/env python3
"""A program killed while it writes leaves the old file, or none: never half of the new one."""

import pathlib
import resource
import signal
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

    def test_key_new(self):
        args = ("key", "new", "--type", "ecdsa-p256", "--out", "key.pem")
        for limit in (0, 10, 100):
            with self.subTest(limit=limit):
                self.assertEqual(self.run_limited(limit, True, *args).returncode, -signal.SIGXFSZ)
                self.assertFalse((self.dir / "key.pem").exists())
                self.assertEqual(self.run_limited(limit, False, *args).returncode, 3)
                self.assertFalse((self.dir / "key.pem").exists())
        self.assertEqual(self.run_limited(4096, True, *args).returncode, 0)


if __name__ == "__main__":
    unittest.main()
