#!/usr/bin/env python3
"""The transcript in README.md is what scripts/demo prints: times, rates, hashes, ports and paths aside.

    tests/cli/demo_test.py             compare
    tests/cli/demo_test.py --update    run the demonstration and write its transcript into README.md
"""

import difflib
import os
import pathlib
import re
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from run_fotactl import PROGRAM, SOURCE, environment, on_terminal  # noqa: E402

README = SOURCE / "README.md"
BEGIN, END = "<!-- demo:begin -->", "<!-- demo:end -->"
SECONDS = 120

PROGRESS = re.compile(r"^(transfer|waiting|\s*\d+ ?%)")
NUMBER = r"\d[\d,]*(\.\d+)?"
# What differs from run to run, in the order in which it is masked.
MASKS = [
    (r"/\S*/fotactl-demo\.\w+", "<dir>"),
    (r"\b(127\.0\.0\.1|\[::\]|\[::1\]):\d+", r"\1:<port>"),
    (r"\b[0-9a-f]{4,}…[0-9a-f]{2,}\b", "<hash>"),
    (r"\b[0-9a-f]{16,}\b", "<hash>"),
    (rf"\b{NUMBER} (d|h|min|s|ms|µs)( {NUMBER} (h|min|s|ms))*\b", "<time>"),
    (r"\b\d\d:\d\d(:\d\d)?\b", "<time>"),
    (rf"\b{NUMBER} ([KM]iB|B|bytes)/s", "<rate>"),
    # An ECDSA signature in DER takes 70 to 72 bytes, and with it the image.
    (rf"\b{NUMBER} bytes\b", "<size>"),
    (r",? ?\b(\d+|no(ne|thing)?|never) (resent|resends?|retransmissions?)\b", ""),
]


def transcript(written):
    """The lines of a terminal as a reader would quote them. A progress bar is drawn many times: the last one stays."""
    lines = []
    for row in written.split("\n"):
        drawn = [text.rstrip() for text in re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", row).split("\r") if text.strip()]
        lines += drawn or [""]
    kept = []
    for line, following in zip(lines, lines[1:] + [""]):
        redrawn = PROGRESS.match(line) and PROGRESS.match(following)
        if not redrawn and not line.startswith("waiting"):
            kept.append(line)
    return "\n".join(kept).strip("\n").split("\n")


def masked(lines):
    done = []
    for line in lines:
        if PROGRESS.match(line):
            line = "transfer <progress>"
        for pattern, replacement in MASKS:
            line = re.sub(pattern, replacement, line)
        done.append(line)
    return done


def run_demo():
    with tempfile.TemporaryDirectory(prefix="fotactl-test-") as home:
        extra = {"FOTACTL": PROGRAM, "TERM": "xterm", "NO_COLOR": "1"}
        return on_terminal([str(SOURCE / "scripts" / "demo"), "--built"], cwd=home, env=environment(home, extra),
                           timeout=SECONDS, columns=110)


def readme_parts():
    text = README.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not begin or not end:
        raise AssertionError(f"expected {BEGIN} and {END} in README.md, found none")
    return before, inside, after


def readme_transcript():
    block = re.search(r"```\w*\n(.*?)```", readme_parts()[1], re.DOTALL)
    return block.group(1).rstrip("\n").split("\n") if block else []


class Demo(unittest.TestCase):
    def test_readme_shows_what_the_demo_prints(self):
        shown = readme_transcript()
        self.assertTrue(any(line.startswith("$ fotactl push") for line in shown),
                        "expected a transcript in README.md, found none: run tests/cli/demo_test.py --update")
        code, written = run_demo()
        self.assertEqual(code, 0, written)
        expected, found = masked(shown), masked(transcript(written))
        if expected != found:
            self.fail("README.md does not show what scripts/demo prints (tests/cli/demo_test.py --update writes it):\n" +
                      "\n".join(difflib.unified_diff(expected, found, "README.md", "scripts/demo", lineterm="")))


class Masks(unittest.TestCase):
    def test_what_varies_is_masked(self):
        one = ["image    2.0.0 · 364,747 bytes · ECDSA-P256 key 5b1f…9c",
               "device   urn:imei:351358811331351 from 127.0.0.1:49152 · runs 1.0.0",
               "transfer ███▌     61 %  222 KiB/356 KiB  1.9 KiB/s  01:11 left  rtt 268 ms  3 resent",
               "proven   2.0.0 runs, image hash 8d02…e1", "updated  1.0.0 -> 2.0.0 in 4 min 12 s · 713 blocks, 9 resent"]
        two = ["image    2.0.0 · 364,747 bytes · ECDSA-P256 key 0a0b…77",
               "device   urn:imei:351358811331351 from 127.0.0.1:50000 · runs 1.0.0",
               "transfer ██████   99 %  355 KiB/356 KiB  22 KiB/s  rtt 1 ms",
               "proven   2.0.0 runs, image hash 1111…22", "updated  1.0.0 -> 2.0.0 in 3 s · 713 blocks"]
        self.assertEqual(masked(one), masked(two))

    def test_what_matters_is_not(self):
        for line, other in (("updated  1.0.0 -> 2.0.0 in 3 s", "updated  1.0.0 -> 1.0.0 in 3 s"),
                            ("proven   2.0.0 runs", "rolled-back"), ("5", "4"),
                            ("error  qspi-driver-on-spi-flash   prj.conf:31", "error  qspi-driver-on-spi-flash   prj.conf:3"),
                            ("3 errors; 61 rules checked", "2 errors; 61 rules checked"),
                            ("updated  1.0.0 -> 2.0.0 · 713 blocks", "updated  1.0.0 -> 2.0.0 · 714 blocks")):
            self.assertNotEqual(masked([line]), masked([other]))

    def test_a_bar_is_one_line(self):
        written = "device x\n\r\x1b[Kwaiting 3 s\r\x1b[Ktransfer 1 %\r\x1b[Ktransfer 99 %\r\x1b[Kdone\n"
        self.assertEqual(transcript(written), ["device x", "transfer 99 %", "done"])


def update():
    code, written = run_demo()
    if code != 0:
        sys.exit(f"{written}\nscripts/demo ended with {code}; README.md is unchanged")
    before, _, after = readme_parts()
    block = "\n".join(transcript(written))
    temporary = README.with_suffix(".md.new")
    temporary.write_text(f"{before}{BEGIN}\n```console\n{block}\n```\n{END}{after}", encoding="utf-8")
    os.replace(temporary, README)


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        update()
    else:
        unittest.main()
