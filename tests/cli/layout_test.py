"""fotactl layout check, as a person and as a script see it."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

FOTACTL = os.environ["FOTACTL"]
DATA = Path(os.environ["FOTACTL_SOURCE_DIR"]) / "tests" / "data" / "layout"


def run(*arguments):
    return subprocess.run([FOTACTL, "layout", *map(str, arguments)], capture_output=True, text=True, timeout=60)


def events(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


class Check(unittest.TestCase):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def tree(self, name="thread-fixed"):
        target = self.directory / "project"
        shutil.copytree(DATA / name, target)
        return target

    def test_the_threads_project_fails_with_both_causes(self):
        done = run("check", DATA / "thread", "--json")
        self.assertEqual(done.returncode, 5, done.stderr)
        *findings, result = events(done)
        self.assertEqual([f["rule"] for f in findings[:2]], ["qspi-driver-on-spi-flash", "mcuboot-spi-nor-disabled"])
        self.assertEqual(findings[0]["where"], {"file": "prj.conf", "line": 31})
        self.assertEqual(findings[1]["where"], {"file": "sysbuild/mcuboot.conf", "line": 1})
        for finding in findings:
            self.assertEqual(set(finding), {"event", "rule", "severity", "message", "expected", "found", "where", "fix"})
            self.assertEqual(finding["event"], "finding")
        self.assertIn("CONFIG_SPI_NOR=y", findings[1]["fix"])
        self.assertEqual(result["event"], "result")
        self.assertEqual(result["outcome"], "refused")
        self.assertEqual(result["exit"], 5)
        self.assertEqual(result["errors"], sum(f["severity"] == "error" for f in findings))
        self.assertEqual(result["warnings"], sum(f["severity"] == "warning" for f in findings))
        self.assertEqual(result["error"]["code"], "layout-failed")

    def test_a_person_reads_cause_place_and_fix(self):
        done = run("check", DATA / "thread")
        self.assertEqual(done.returncode, 5)
        self.assertIn("nRF9160-DK @1.0.0 (nrf9160/ns)", done.stdout)
        self.assertRegex(done.stdout, r"error    qspi-driver-on-spi-flash +prj\.conf:31\n")
        self.assertRegex(done.stdout, r"error    mcuboot-spi-nor-disabled +sysbuild/mcuboot\.conf:1\n")
        self.assertIn("fix: add to sysbuild/mcuboot.conf:\n                CONFIG_SPI=y\n", done.stdout)
        self.assertRegex(done.stdout, r"3 errors.*; \d+ rules checked, \d+ need a build \(west build\)")
        self.assertEqual(done.stderr, "")

    def test_the_corrected_project_passes(self):
        done = run("check", DATA / "thread-fixed", "--json")
        self.assertEqual(done.returncode, 0, done.stdout)
        result = events(done)[-1]
        self.assertEqual((result["outcome"], result["errors"], result["warnings"]), ("done", 0, 0))

    def test_warnings_alone_pass(self):
        project = self.tree()
        with open(project / "prj.conf", "a") as conf:
            conf.write("SB_CONFIG_MISPLACED=y\n")
        done = run("check", project, "--json")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(events(done)[-1]["warnings"], 1)

    def test_crlf_and_byte_order_mark_are_normal(self):
        project = self.tree()
        for path in project.rglob("*"):
            if path.is_file() and path.suffix in (".conf", ".yml", ".overlay"):
                path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n").rstrip(b"\r\n"))
        self.assertEqual(run("check", project).returncode, 0)

    def test_what_is_no_project_is_one_sentence_and_exit_3(self):
        (self.directory / "empty").mkdir()
        for path in (self.directory / "empty", self.directory / "none", DATA / "thread" / "prj.conf"):
            done = run("check", path)
            self.assertEqual(done.returncode, 3, path)
            self.assertEqual(done.stdout, "")
            self.assertIn("expected", done.stderr.splitlines()[0])
        result = events(run("check", self.directory / "empty", "--json"))[-1]
        self.assertEqual((result["exit"], result["outcome"], result["error"]["code"]), (3, "failed", "file-unreadable"))

    def test_an_unreadable_file_is_a_finding(self):
        project = self.tree()
        (project / "pm_static.yml").write_bytes(b"mcuboot: {address: 0,\n size: [\n")
        done = run("check", project, "--json")
        self.assertEqual(done.returncode, 5)
        self.assertEqual(events(done)[0]["rule"], "input-unreadable")

    def test_links_out_of_the_tree_are_not_followed(self):
        project = self.tree()
        (self.directory / "outside.yml").write_text((project / "pm_static.yml").read_text())
        (project / "pm_static.yml").unlink()
        (project / "pm_static.yml").symlink_to(self.directory / "outside.yml")
        result = events(run("check", project, "--json"))[-1]
        self.assertGreater(result["rules"]["need_build"], 0)
        self.assertEqual(result["exit"], 0)

    def test_board_and_flash_part(self):
        project = self.tree()
        (project / "CMakePresets.json").unlink()
        done = run("check", project, "--board", "nrf9160dk@0.9.0/nrf9160/ns", "--json")
        self.assertIn("board-revision-without-flash", [e.get("rule") for e in events(done)])
        done = run("check", DATA / "thread-fixed", "--flash-part", "W25Q32JV", "--json")
        self.assertEqual([e["rule"] for e in events(done) if e.get("severity") == "error"], ["jedec-id-mismatch"])
        self.assertEqual(run("check", DATA / "thread-fixed", "--flash-part", "c2 28 17").returncode, 0)
        self.assertEqual(run("check", DATA / "thread-fixed", "--flash-part", "MX25R6435").returncode, 2)
        self.assertEqual(run("check", DATA / "thread-fixed", "--board", "a b").returncode, 2)

    def test_an_image_that_is_none(self):
        image = self.directory / "dfu_application.zip"
        image.write_bytes(b"PK\x03\x04 and more")
        done = run("check", DATA / "thread-fixed", "--image", image, "--json")
        self.assertEqual(done.returncode, 5)
        self.assertIn("image-not-signed", [e.get("rule") for e in events(done)])
        self.assertEqual(run("check", DATA / "thread-fixed", "--image", self.directory / "none").returncode, 3)

    def test_any_bytes_as_any_file(self):
        for path in sorted((DATA / "thread").rglob("*")):
            if not path.is_file():
                continue
            project = self.tree("thread")
            (project / path.relative_to(DATA / "thread")).write_bytes(os.urandom(5000))
            self.assertIn(run("check", project).returncode, (0, 3, 5), path)
            shutil.rmtree(project)


if __name__ == "__main__":
    unittest.main()
