#!/usr/bin/env python3
"""imgtool.py for builds that run imgtool by Python: hands its arguments to `fotactl imgtool`.

The program is the one named by $FOTACTL, else the fotactl of $PATH, else that of the package this file belongs to
(PREFIX/bin/fotactl for PREFIX/share/fotactl/imgtool.py).
"""
import os
import pathlib
import shutil
import sys


def program():
    named = os.environ.get("FOTACTL")
    if named:
        return named
    beside = pathlib.Path(__file__).resolve().parents[2] / "bin" / "fotactl"
    return shutil.which("fotactl") or str(beside)


if __name__ == "__main__":
    found = program()
    try:
        os.execv(found, [found, "imgtool", *sys.argv[1:]])
    except OSError as error:
        sys.exit(f"imgtool.py: expected to run {found}, found: {error.strerror}")
