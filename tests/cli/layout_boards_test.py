"""fotactl layout boards: what is known of boards, and those that a user adds."""

import shutil
import tempfile
import unittest
from pathlib import Path

from layout_test import DATA, events, run


class Boards(unittest.TestCase):
    def setUp(self):
        self.home = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.home)
        self.folder = self.home / "fotactl" / "boards"
        self.folder.mkdir(parents=True)

    def test_those_built_in(self):
        names = [e["name"] for e in events(run("boards", "--json")) if e["event"] == "board"]
        for name in ("nrf9160dk", "nrf9161dk", "nrf9151dk", "thingy91", "thingy91x", "circuitdojo_feather"):
            self.assertIn(name, names)
        done = run("boards", "nrf9160dk")
        self.assertIn("label: mx25r64", done.stdout)
        self.assertEqual(run("boards", "nrf9160kd").returncode, 2)

    def test_a_board_of_ones_own(self):
        text = run("boards", "nrf9160dk").stdout.replace("name: nrf9160dk", "name: sensor_board") \
            .replace("max_frequency_hz: 8000000", "max_frequency_hz: 1000000")
        (self.folder / "sensor.yaml").write_text(text)
        project = self.home / "project"
        shutil.copytree(DATA / "thread-fixed", project)
        (project / "boards" / "nrf9160dk_nrf9160_ns.overlay").rename(
            project / "boards" / "sensor_board_nrf9160_ns.overlay")
        arguments = ("check", project, "--board", "sensor_board@1.0.0/nrf9160/ns", "--json")
        rules = [e.get("rule") for e in events(run(*arguments, home=self.home))]
        self.assertIn("spi-clock-above-board", rules)
        elsewhere = [e.get("rule") for e in events(run(*arguments, "--boards", self.folder))]
        self.assertEqual(elsewhere, rules)
        unknown = events(run(*arguments))[-1]
        self.assertGreater(unknown["rules"]["need_board"], 0)

    def test_a_faulty_file_is_named_with_its_line(self):
        (self.folder / "bad.yaml").write_text("name: a\nsoc: x\nflahs: {}\n")
        done = run("check", DATA / "thread-fixed", home=self.home)
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertIn("bad.yaml:3: expected a key of a board file, found flahs (did you mean flash?)", done.stderr)

    def test_a_folder_that_is_not_there(self):
        self.assertEqual(run("boards", "--boards", self.home / "none").returncode, 3)
        self.assertIn("fotactl/boards", run("check", "--help").stdout)


if __name__ == "__main__":
    unittest.main()
