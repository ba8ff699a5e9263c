#!/usr/bin/env python3
"""The program as a file: what is mapped and bound before it does anything, and that nobody can tell where."""

import os
import pathlib
import re
import subprocess
import unittest

FOTACTL = os.environ.get("FOTACTL", str(pathlib.Path(__file__).resolve().parents[2] / "build" / "bin" / "fotactl"))


def readelf(*options):
    return subprocess.run(["readelf", "-W", *options, FOTACTL], capture_output=True, text=True, check=True).stdout


def debian():
    try:
        text = pathlib.Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return None
    return re.search(r'^VERSION_ID="?12"?$', text, re.MULTILINE) if re.search(r"^ID=debian$", text, re.MULTILINE) else None


class ProgramFile(unittest.TestCase):
    def test_libraries_of_cxx_are_linked_in_together_or_not_at_all(self):
        needed = re.findall(r"\(NEEDED\).*\[(\S+)\]", readelf("-d"))
        self.assertTrue(any(each.startswith("libc.so") for each in needed), needed)
        # One shared library of C++ brings a second copy of the C++ library with it.
        found = [each for each in needed if re.match(r"lib(stdc\+\+|gcc_s|fmt|spdlog|tomlplusplus)\.so", each)]
        if debian():
            self.assertEqual(found, [], "expected none of them on Debian 12, whose releases cli/linked_in knows")
        elif any(re.match(r"lib(fmt|spdlog|tomlplusplus)", each) for each in found):
            self.assertTrue(any(each.startswith("libstdc++") for each in found), found)

    def test_it_stays_position_independent_and_seals_what_was_relocated(self):
        self.assertRegex(readelf("-h"), r"Type:\s+DYN ")
        self.assertIn("GNU_RELRO", readelf("-l"))

    def test_relative_relocations_are_packed(self):
        if not debian():
            self.skipTest("the linker may not be able to")
        self.assertIn("(RELR)", readelf("-d"))


if __name__ == "__main__":
    unittest.main()
