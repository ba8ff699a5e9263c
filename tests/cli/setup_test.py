#!/usr/bin/env python3
"""scripts/setup against a made-up apt: nothing missing, lists that are not there yet, a Boost that is in the way."""

import os
import pathlib
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ.get("FOTACTL_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))

DPKG_QUERY = """#!/bin/bash
shift 3   # -W -f FORMAT
for package; do [[ " $ABSENT " == *" $package "* ]] || printf 'ii %s ' "$package"; done
[[ -z $ABSENT ]]
"""
APT_GET = """#!/bin/bash
echo "$*" >>"$CALLS"
case " $* " in
    *" update "*) touch "$LISTS" ;;
    *" install "*)
        [[ -e $LISTS ]] || { echo "E: Unable to locate package"; exit 100; }
        [[ " $* " == *" -s "* ]] && for package in $REMOVES; do echo "Remv $package [1.0] []"; done ;;
esac
exit 0
"""
SUDO = """#!/bin/bash
echo "sudo $*" >>"$CALLS"
[[ $1 == -n ]] && shift
exec "$@"
"""


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="fotactl-test-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        self.lists, self.calls = self.dir / "lists", self.dir / "calls"
        self.lists.touch()
        self.calls.touch()
        for name, text in (("dpkg-query", DPKG_QUERY), ("apt-get", APT_GET), ("sudo", SUDO)):
            (self.dir / name).write_text(text)
            (self.dir / name).chmod(0o755)

    def setup(self, *args, absent="", removes=""):
        env = dict(os.environ, PATH=f"{self.dir}:{os.environ['PATH']}", ABSENT=absent, REMOVES=removes,
                   LISTS=str(self.lists), CALLS=str(self.calls))
        done = subprocess.run([SOURCE / "scripts" / "setup", *args], env=env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stderr

    def installs(self):
        """Packages of the calls that really install."""
        calls = [line for line in self.calls.read_text().splitlines() if " install " in line and " -s " not in line
                 and not line.startswith("sudo")]
        return [line.split("--no-install-recommends ")[1] for line in calls]

    def test_nothing_missing_calls_nobody(self):
        code, said = self.setup()
        self.assertEqual(code, 0, said)
        self.assertIn("nothing is missing", said)
        self.assertEqual(self.calls.read_text(), "")

    def test_only_what_is_missing(self):
        code, said = self.setup(absent="cmake libcli11-dev")
        self.assertEqual(code, 0, said)
        self.assertEqual(self.installs(), ["cmake libcli11-dev"])
        self.assertIn("cmake libcli11-dev", said)
        self.assertNotIn(" update", self.calls.read_text())

    def test_check_changes_nothing(self):
        code, said = self.setup("--check", absent="cmake")
        self.assertEqual(code, 1)
        self.assertIn("missing: cmake", said)
        self.assertEqual(self.calls.read_text(), "")

    def test_lists_are_updated_where_packages_are_unknown(self):
        self.lists.unlink()
        code, said = self.setup(absent="cmake")
        self.assertEqual(code, 0, said)
        self.assertIn("updating", said)
        self.assertEqual(self.installs(), ["cmake"])

    def test_another_boost_gives_way_and_that_is_said(self):
        code, said = self.setup(absent="libboost1.81-dev", removes="libboost-dev libboost1.74-dev")
        self.assertEqual(code, 0, said)
        self.assertIn("this removes: libboost-dev libboost1.74-dev", said)
        self.assertEqual(self.installs(), ["libboost1.81-dev"])

    def test_other_packages_are_not_removed_unasked(self):
        code, said = self.setup(absent="libboost1.81-dev", removes="libboost-dev libleatherman-dev")
        self.assertEqual(code, 1)
        self.assertIn("libleatherman-dev", said)
        self.assertIn("scripts/setup --remove", said)
        self.assertEqual(self.installs(), [])
        code, said = self.setup("--remove", absent="libboost1.81-dev", removes="libboost-dev libleatherman-dev")
        self.assertEqual(code, 0, said)
        self.assertEqual(self.installs(), ["libboost1.81-dev"])

    def test_unknown_word(self):
        self.assertEqual(self.setup("--chekc")[0], 2)


if __name__ == "__main__":
    unittest.main()
