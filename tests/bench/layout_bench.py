#!/usr/bin/env python3
"""Checking a build tree of usual size, as a whole process, beside what starting the program alone takes.

The tree is the tests' finished build, its files filled up to the sizes of a real one: 2,300 lines of .config and 1,000
lines of zephyr.dts, for the application and for MCUboot. Each round runs both contenders in turn.

  FOTACTL   the program (default: build/bin/fotactl)
  ROUNDS    rounds (default: 31)
"""
import os
import pathlib
import statistics
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
os.environ.setdefault("FOTACTL", str(SOURCE / "build" / "bin" / "fotactl"))
os.environ.setdefault("FOTACTL_SOURCE_DIR", str(SOURCE))
sys.path.insert(0, str(SOURCE / "tests" / "cli"))
from layout_test import WithBuild  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "31"))
MOST_MS = 40  # what the project aims at
CONFIG_LINES, NODES = 2300, 90


def node(number):
    return (f"/ {{ soc {{ filler_{number}: serial@{0x50000 + 0x1000 * number:x} {{\n\tcompatible = \"nordic,nrf-uarte\";\n"
            f"\treg = <{0x50000 + 0x1000 * number:#x} 0x1000>;\n\tinterrupts = <{number} 1>;\n\tstatus = \"disabled\";\n"
            "\tcurrent-speed = <115200>;\n\tpinctrl-0 = <&spi3>;\n\tpinctrl-names = \"default\", \"sleep\";\n"
            "\tzephyr,pm-device-runtime-auto;\n}; }; };\n")


def fill(build):
    for image in ("app", "mcuboot"):
        with open(build / image / "zephyr" / ".config", "a") as config:
            config.writelines(f"CONFIG_FILLER_{i}=y\n" if i % 3 else f"# CONFIG_FILLER_{i} is not set\n"
                              for i in range(CONFIG_LINES))
        with open(build / image / "zephyr" / "zephyr.dts", "a") as tree:
            tree.writelines(node(i) for i in range(NODES))


def once(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - begin)


def main():
    WithBuild.setUpClass()
    try:
        fill(WithBuild.build)
        fotactl = os.environ["FOTACTL"]
        check = [fotactl, "layout", "check", WithBuild.build, "--image", WithBuild.directory / "1.0.0.bin"]
        commands = {"layout check of a build": check, "fotactl --version": [fotactl, "--version"]}
        times = {name: [] for name in commands}
        for _ in range(ROUNDS):
            for name, command in commands.items():
                times[name].append(once(command))
        for name, each in times.items():
            print(f"{name:<26}{statistics.median(each):8.1f} ms (from {min(each):.1f} to {max(each):.1f})")
        median = statistics.median(times["layout check of a build"])
        print(f"aim: a build tree checked in under {MOST_MS} ms, found {median:.1f} ms: "
              + ("met" if median < MOST_MS else "missed"))
    finally:
        WithBuild.doClassCleanups()


if __name__ == "__main__":
    main()
