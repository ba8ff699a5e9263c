"""fotactl push --component mcuboot against fotactl sim: the package with two candidates, and the proof."""

import io
import json
import os
import random
import struct
import sys
import unittest
import zipfile

sys.path.insert(0, os.path.dirname(__file__))
from push_test import Bench  # noqa: E402

S0, S1 = 0x8200, 0x14200


class Bootloader(Bench):
    def candidate(self, version, address):
        """A bootloader as the nRF Connect SDK builds it: its firmware-info stands at 0x200."""
        code = bytearray(random.Random(address).randbytes(12 * 1024))
        struct.pack_into("<7I", code, 0x200, 0x281EE6DE, 0x8FCEBB4C, 0x3401, 0x40, len(code), version, address)
        name = f"candidate-{version}-{address:x}"
        self.write(f"{name}.bin", bytes(code))
        self.run_fotactl("image", "sign", "--key", "release.pem", "--version", "0.0.1", "--pad-header", f"{name}.bin",
                         f"{name}.signed.bin", expect=0)
        return (self.dir / f"{name}.signed.bin").read_bytes()

    def package(self, name, *images):
        files = [{"file": f"slot{i}.bin", "type": "mcuboot", "image_index": "0", "slot": str(i), "size": len(image)}
                 for i, image in enumerate(images)]
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("manifest.json", json.dumps({"format-version": 1, "files": files}))
            for entry, image in zip(files, images):
                archive.writestr(entry["file"], image)
        self.write(name, out.getvalue())

    def test_the_candidate_for_the_other_slot_is_proven_by_its_version(self):
        self.package("mcuboot.zip", self.candidate(2, S0), self.candidate(2, S1))
        self.start_sim("--quirk", "upgradable-bootloader")
        run = self.push("mcuboot.zip", "--component", "mcuboot", expect=0)
        self.assertEqual((run.result["outcome"], run.result["from_version"], run.result["running_version"]),
                         ("updated", "1", "2"), run)
        self.assertEqual(self.sim_events("swapped"), [])  # the application is the old one

    def test_a_package_that_is_no_pair_is_refused(self):
        only = self.candidate(2, S0)
        self.package("one.zip", only)
        self.package("twice.zip", only, only)
        self.package("application.zip", (self.dir / "2.0.0.bin").read_bytes(), only)
        for name in ("one.zip", "twice.zip", "application.zip"):
            run = self.push(name, "--component", "mcuboot")
            self.assertEqual((run.exit, run.result["error"]["code"]), (3, "image-malformed"), (name, run))
        run = self.push("one.zip", "--component", "bootloader")
        self.assertEqual(run.exit, 2, run)


if __name__ == "__main__":
    unittest.main()
