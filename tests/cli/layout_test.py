"""fotactl layout, as a person and as a script see it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from xml.etree import ElementTree

FOTACTL = os.environ["FOTACTL"]
DATA = Path(os.environ["FOTACTL_SOURCE_DIR"]) / "tests" / "data" / "layout"


def run(*arguments, home=None, stdin=None):
    """`home` is the user's configuration directory, so that no test sees the real one."""
    environment = dict(os.environ, XDG_CONFIG_HOME=str(home or "/nonexistent"))
    return subprocess.run([FOTACTL, "layout", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env=environment, input=stdin)


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

    def threads_build(self):
        """The thread's sources with their build directory inside, as west leaves them."""
        project = self.tree("thread")
        shutil.copytree(DATA / "thread-build", project / "build")
        for path in (project / "build").rglob("*"):
            if path.is_file():
                path.write_text(path.read_text().replace("/ws/sensor-node", str(project)))
        return project

    def test_the_threads_build_fails_with_both_causes(self):
        project = self.threads_build()
        done = run("check", project / "build", "--json")
        self.assertEqual(done.returncode, 5, done.stderr)
        *findings, result = events(done)
        self.assertEqual([f["rule"] for f in findings[:2]], ["qspi-driver-on-spi-flash", "mcuboot-spi-nor-disabled"])
        self.assertEqual(findings[0]["where"], {"file": str(project / "prj.conf"), "line": 31})
        self.assertEqual(findings[1]["where"]["file"], "mcuboot/zephyr/.config")
        self.assertEqual((project / "build/mcuboot/zephyr/.config").read_text().splitlines()
                         [findings[1]["where"]["line"] - 1], "# CONFIG_SPI is not set")
        self.assertTrue(findings[1]["fix"].startswith("add to sysbuild/mcuboot.conf:\n  CONFIG_SPI=y\n"))
        self.assertEqual((result["exit"], result["rules"]["need_build"]), (5, 0))

        log = self.directory / "boot.log"
        log.write_text("W: Cannot upgrade: not a compatible amount of sectors\n"
                       "E: Image in the primary slot is not valid!\n")
        explained = events(run("explain-log", log, project / "build", "--json"))
        standing = {e["rule"]: e["standing"] for e in explained if e["event"] == "cause"}
        self.assertEqual(standing.get("qspi-driver-on-spi-flash"), "confirmed")
        self.assertEqual(standing["mcuboot-spi-nor-disabled"], "confirmed")

        read = run("check", project / "build").stdout
        self.assertIn("nRF9160-DK @1.0.0 (nrf9160/ns) · nRF Connect SDK 3.1.0 build", read)
        for word in ("the nRF9160 has no QSPI peripheral", "MCUboot's own configuration lacks the driver",
                     "not a compatible amount of sectors", "calls the good primary image invalid"):
            self.assertIn(word, " ".join(read.split()))

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


class WithBuild(unittest.TestCase):
    """A finished build of the corrected project, and an image signed for it."""

    @classmethod
    def setUpClass(cls):
        cls.directory = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.build = cls.directory / "build"
        flash = (
            '/ { chosen { nordic,pm-ext-flash = &mx25r64; }; soc { peripheral@40000000 { spi3: spi@b000 { '
            'compatible = "nordic,nrf-spim"; status = "okay"; cs-gpios = <&gpio0 10 1>, <&gpio0 25 1>;\n'
            'mx25r64: mx25r6435f@1 { compatible = "jedec,spi-nor"; reg = <1>; status = "okay"; '
            'spi-max-frequency = <8000000>; jedec-id = [c2 28 17]; size = <67108864>; '
            'has-dpd; t-exit-dpd = <35000>; }; }; }; }; };\n')
        driver = ("CONFIG_SPI=y\nCONFIG_SPI_NOR=y\nCONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n"
                  "CONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32\nCONFIG_PM_EXTERNAL_FLASH_HAS_DRIVER=y\n")
        subprocess.run([FOTACTL, "key", "new", "--type", "ecdsa-p256", "--out", cls.directory / "k.pem"], check=True,
                       capture_output=True)
        public = subprocess.run([FOTACTL, "key", "public", "--key", cls.directory / "k.pem", "--format", "c"],
                                check=True, capture_output=True, text=True).stdout
        files = {
            "domains.yaml": "default: app\ndomains:\n  - name: app\n  - name: mcuboot\n",
            "zephyr/.config": "SB_CONFIG_BOOTLOADER_MCUBOOT=y\nSB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=y\n",
            "partitions.yml": (DATA / "thread-fixed" / "pm_static.yml").read_text(),
            "build_info.yml": "cmake:\n  board:\n    name: nrf9160dk\n    qualifiers: nrf9160/ns\n    revision: 1.0.0\n",
            "app/zephyr/.config": driver,
            "app/zephyr/zephyr.dts": flash,
            "app/zephyr/include/generated/ncs_version.h": '#define NCS_VERSION_STRING "3.1.0"\n',
            "mcuboot/zephyr/.config": driver + "CONFIG_MULTITHREADING=y\nCONFIG_BOOT_MAX_IMG_SECTORS=256\n"
                                               "CONFIG_BOOT_SWAP_USING_MOVE=y\n"
                                               "CONFIG_BOOT_SIGNATURE_TYPE_ECDSA_P256=y\n"
                                               'CONFIG_BOOT_SIGNATURE_KEY_FILE="/keys/k.pem"\n',
            "mcuboot/zephyr/zephyr.dts": flash,
            "mcuboot/zephyr/autogen-pubkey.c": public,
        }
        for name, text in files.items():
            path = cls.build / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (cls.directory / "app.bin").write_bytes(bytes(4) + (0x18201).to_bytes(4, "little") + bytes(40000))
        for version in ("1.0.0", "1.1.0"):
            subprocess.run([FOTACTL, "image", "sign", "--key", cls.directory / "k.pem", "--version", version,
                            "--header-size", "0x200", "--pad-header", "--align", "4", "--slot-size", "0xe8000",
                            cls.directory / "app.bin", cls.directory / f"{version}.bin"], check=True,
                           capture_output=True)

    def changed(self, name, old, new):
        """A copy of the build with one text changed in one file."""
        target = Path(tempfile.mkdtemp(dir=self.directory)) / "build"
        shutil.copytree(self.build, target)
        text = (target / name).read_text()
        self.assertIn(old, text)
        (target / name).write_text(text.replace(old, new))
        return target

    def baseline(self):
        out = self.directory / "shipped.json"
        done = run("baseline", self.build, "--image", self.directory / "1.0.0.bin", "--out", out)
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        return out


class Build(WithBuild):
    def test_a_good_build_and_its_image_pass(self):
        done = run("check", self.build, "--image", self.directory / "1.0.0.bin", "--json")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual([e for e in events(done) if e.get("severity") in ("error", "warning")], [])


class Baseline(WithBuild):
    def test_what_ships_in_one_file(self):
        document = json.loads(self.baseline().read_text())
        self.assertEqual(document["format"], "fotactl-baseline/1")
        for name in ("slots", "partitions", "key_hash", "version"):
            self.assertIn(name, document)
        self.assertEqual(document["version"], "1.0.0+0")

    def test_the_document_is_in_the_result_line(self):
        done = run("baseline", self.build, "--image", self.directory / "1.0.0.bin", "--out", "-", "--json")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(events(done)[-1]["format"], "fotactl-baseline/1")

    def test_what_is_no_signed_image_writes_nothing(self):
        out = self.directory / "none.json"
        done = run("baseline", self.build, "--image", self.directory / "app.bin", "--out", out)
        self.assertEqual(done.returncode, 3)
        self.assertFalse(out.exists())
        self.assertEqual(run("baseline", self.build, "--out", out).returncode, 2)

    def test_check_against_it(self):
        shipped = self.baseline()
        good = run("check", self.build, "--baseline", shipped, "--image", self.directory / "1.1.0.bin", "--json")
        self.assertEqual(good.returncode, 0, good.stdout)
        same = run("check", self.build, "--baseline", shipped, "--image", self.directory / "1.0.0.bin", "--json")
        self.assertIn("version-not-raised", [e.get("rule") for e in events(same)])
        broken = self.directory / "broken.json"
        broken.write_text(shipped.read_text()[:40])
        self.assertEqual(run("check", self.build, "--baseline", broken).returncode, 3)


class Diff(WithBuild):
    def test_no_drift(self):
        for before in (self.build, self.baseline()):
            done = run("diff", before, self.build)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn("no drift", done.stdout)

    def test_a_moved_slot_is_an_error(self):
        moved = self.changed("partitions.yml", "address: 0x0\n  device", "address: 0x1000\n  device") \
            if "address: 0x0\n  device" in (self.build / "partitions.yml").read_text() else None
        self.assertIsNotNone(moved)
        text = (moved / "partitions.yml").read_text().replace("end_address: 0xe8000", "end_address: 0xe9000")
        (moved / "partitions.yml").write_text(text)
        done = run("diff", self.baseline(), moved, "--json")
        self.assertEqual(done.returncode, 5, done.stdout)
        *findings, result = events(done)
        self.assertIn("layout-drifted-from-baseline", [f["rule"] for f in findings if f["severity"] == "error"])
        self.assertEqual((result["outcome"], result["exit"]), ("refused", 5))

    def test_another_mode_is_an_error(self):
        other = self.changed("mcuboot/zephyr/.config", "SWAP_USING_MOVE", "SWAP_USING_OFFSET")
        done = run("diff", self.build, other)
        self.assertEqual(done.returncode, 5)
        self.assertIn("layout-drifted-from-baseline", done.stdout)

    def test_what_cannot_be_read(self):
        self.assertEqual(run("diff", self.build, self.directory / "none").returncode, 3)
        self.assertEqual(run("diff", self.build).returncode, 2)


THREADS_LOG = """*** Booting MCUboot v2.1.0-dev-2b69d93e75bc ***
*** Using nRF Connect SDK v3.1.0-6c6e5b32496e ***
I: Starting bootloader
W: Cannot upgrade: not a compatible amount of sectors
E: Image in the primary slot is not valid!
E: Unable to find bootable image
"""


class ExplainLog(WithBuild):
    def test_the_threads_log(self):
        done = run("explain-log", "-", "--json", stdin=THREADS_LOG)
        self.assertEqual(done.returncode, 0, done.stderr)
        *causes, result = events(done)
        self.assertEqual(causes[0]["rule"], "mcuboot-spi-nor-disabled")
        self.assertEqual([c["standing"] for c in causes if c["rule"] == "key-not-in-mcuboot"], ["unlikely"])
        self.assertIn("layout fault", result["summary"])
        self.assertEqual(result["lines"][0]["line"], 4)

    def test_with_the_tree_the_cause_has_a_place(self):
        done = run("explain-log", "-", DATA / "thread", stdin=THREADS_LOG)
        self.assertEqual(done.returncode, 0)
        self.assertIn("mcuboot-spi-nor-disabled  confirmed: sysbuild/mcuboot.conf:1", done.stdout)
        good = run("explain-log", "-", self.build, "--json", stdin=THREADS_LOG)
        self.assertIn("mcuboot-spi-nor-disabled", events(good)[-1]["ruled_out"])

    def test_a_log_that_says_nothing_and_one_that_is_not_there(self):
        self.assertEqual(run("explain-log", "-", stdin="hello\n").returncode, 0)
        self.assertEqual(run("explain-log", self.directory / "none").returncode, 3)
        self.assertEqual(run("explain-log").returncode, 2)

    def test_any_bytes(self):
        noise = self.directory / "noise"
        noise.write_bytes(os.urandom(100_000))
        self.assertIn(run("explain-log", noise).returncode, (0, 3))


TABLE = ("e5 20 f1 ff ff ff ff 03 44 eb 08 6b 08 3b 04 bb ee ff ff ff ff ff 00 ff ff ff 00 ff 0c 20 0f 52 10 d8 00 ff")


class Probe(WithBuild):
    def probe(self, text):
        out = self.directory / "probe.json"
        done = run("probe", "--sfdp", "-", "--out", out, stdin=text)
        self.assertEqual(done.returncode, 0, done.stderr)
        return out, done.stdout

    def test_a_recording_becomes_a_probe_file(self):
        out, text = self.probe(f"jedec-id = [c2 28 17];\nsfdp-bfp = [{TABLE}];\n")
        self.assertIn("MX25R6435F", text)
        self.assertIn("size = <67108864>;", text)
        self.assertEqual(json.loads(out.read_text())["format"], "fotactl-probe/1")
        self.assertEqual(run("check", self.build, "--probe", out).returncode, 0)

    def test_a_part_that_is_not_the_devicetrees(self):
        out, _ = self.probe("jedec-id = [ef 40 16];\n")
        done = run("check", self.build, "--probe", out, "--json")
        self.assertEqual(done.returncode, 5)
        self.assertIn("jedec-id-mismatch", [e.get("rule") for e in events(done)])
        silent, text = self.probe("jedec-id = [00 00 00];\n")
        self.assertIn("nothing answers", text)
        done = run("check", self.build, "--probe", silent, "--json")
        self.assertIn("flash-not-routed", [e.get("rule") for e in events(done)])

    def test_what_is_no_recording(self):
        done = run("probe", "--sfdp", "-", stdin="hello\n")
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertEqual(run("probe").returncode, 2)


class Show(WithBuild):
    def test_the_map_on_a_terminal(self):
        done = run("show", self.build)
        self.assertEqual(done.returncode, 0, done.stderr)
        for text in ("internal flash", "external flash MX25R6435F (spi3, CS P0.25)", "0x010000", "mcuboot_primary",
                     "mcuboot_secondary", "an image may take", "free"):
            self.assertIn(text, done.stdout)

    def test_how_full_the_slot_is(self):
        result = events(run("show", self.build, "--image", self.directory / "1.0.0.bin", "--json"))[-1]
        internal, external = result["devices"]
        primary = next(area for area in internal["areas"] if area["name"] == "mcuboot_primary")
        self.assertEqual(primary["size"], 0xE8000)
        self.assertEqual(primary["limit"], 0xE6000)
        self.assertEqual(primary["used"], (self.directory / "1.0.0.bin").stat().st_size)
        self.assertEqual(external["size"], 8 << 20)
        self.assertEqual(sum(area["size"] for area in internal["areas"]), internal["size"])

    def test_as_a_picture(self):
        out = self.directory / "map.svg"
        self.assertEqual(run("show", self.build, "--svg", out).returncode, 0)
        root = ElementTree.parse(out).getroot()
        self.assertTrue(root.tag.endswith("svg"))
        text = " ".join(t.text or "" for t in root.iter() if t.tag.endswith("text"))
        for name in ("mcuboot_primary", "mcuboot_secondary", "MX25R6435F", "free"):
            self.assertIn(name, text)
        self.assertIn("<svg", run("show", self.build, "--svg", "-").stdout)

    def test_the_frame_stays_straight_in_a_large_part(self):
        large = self.changed("app/zephyr/zephyr.dts", "size = <67108864>", "size = <268435456>")
        done = run("show", large)
        external = done.stdout[done.stdout.index("external flash"):].splitlines()[1:]
        corners = [next(i for i, c in enumerate(line) if c in "┌├│└") for line in external if line]
        self.assertEqual((set(corners), external[0][:10]), ({11}, "0x00000000"), done.stdout)

    def test_a_tree_without_a_layout(self):
        tree = self.directory / "tree"
        tree.mkdir(exist_ok=True)
        (tree / "prj.conf").write_text("CONFIG_GPIO=y\n")
        done = run("show", tree)
        self.assertEqual((done.returncode, done.stdout), (3, ""))


class Hostile(WithBuild):
    """Any file of a tree may be what someone made to exhaust the reader: findings or 3, soon, in bounded memory."""

    MOST_KIB = 64 * 1024

    def measured(self, *arguments):
        # A child's peak counts what its parent held when it forked: a small process of its own measures.
        program = ("import os, subprocess, sys\n"
                   "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
                   "_, status, usage = os.wait4(child.pid, 0)\n"
                   "print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, usage.ru_utime)\n")
        done = subprocess.run([sys.executable, "-c", program, FOTACTL, "layout", *map(str, arguments)],
                              capture_output=True, text=True, check=True, timeout=120)
        code, kib, seconds = done.stdout.split()
        return int(code), int(kib), float(seconds)

    def test_time_and_memory_are_bounded(self):
        bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 5000))
        hostile = {
            "partitions.yml": (bomb, "[" * 2_000_000, "a: 1\n" * 400_000, "? " * 100_000),
            "app/zephyr/zephyr.dts": ("/ { " + "a { " * 500_000, "/ { x = <" + "1 " * 1_000_000 + ">; };",
                                      "/ { " + "".join(f"n{i} {{ }};" for i in range(150_000)) + " };"),
            "mcuboot/zephyr/.config": ("CONFIG_" + "A" * 2_000_000, "".join(f"CONFIG_A{i}=y\n" for i in range(130_000))),
            "merged.hex": (":02000004" * 1_000_000, "\n" * 30_000_000),
            "app/build.ninja": ("imgtool sign --slot-size 1\n" * 600_000, "x" * 30_000_000),
            "build_info.yml": ("{" * 200_000,),
            "regions.yml": (bomb, "external_flash: {size: 0x" + "f" * 1_000_000 + "}"),
        }
        for name, texts in hostile.items():
            for number, text in enumerate(texts):
                with self.subTest(file=name, number=number):
                    target = Path(tempfile.mkdtemp(dir=self.directory)) / "build"
                    shutil.copytree(self.build, target)
                    (target / name).write_text(text)
                    code, kib, seconds = self.measured("check", target)
                    shutil.rmtree(target.parent)
                    self.assertIn(code, (0, 3, 5))
                    self.assertLess(kib, self.MOST_KIB)
                    self.assertLess(seconds, 10)

    def test_a_long_log(self):
        log = self.directory / "long.log"
        log.write_text("E: Image in the primary slot is not valid!\n" * 350_000)
        code, kib, seconds = self.measured("explain-log", log)
        self.assertEqual(code, 0)
        self.assertLess(kib, self.MOST_KIB)
        self.assertLess(seconds, 10)


if __name__ == "__main__":
    unittest.main()
