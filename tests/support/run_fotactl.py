"""Runs the built program for the tests under tests/cli: streams, exit code, JSON lines, a terminal.

The program is the one named by $FOTACTL (ctest sets it), else build/bin/fotactl. It never sees the user's configuration or
state: each call gets an environment of its own.
"""

import base64
import errno
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time
import unittest

SOURCE = pathlib.Path(os.environ.get("FOTACTL_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
PROGRAM = os.environ.get("FOTACTL", str(SOURCE / "build" / "bin" / "fotactl"))
DATA = SOURCE / "tests" / "data"


def environment(home, extra=None):
    """The caller's environment without anything that configures fotactl, with its home in `home`."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("FOTACTL", "XDG_")) and name not in ("NO_COLOR", "TERM")}
    kept.update({"HOME": str(home), "XDG_CONFIG_HOME": str(pathlib.Path(home, ".config")),
                 "XDG_STATE_HOME": str(pathlib.Path(home, ".state")), "LC_ALL": "C.UTF-8"})
    kept.update(extra or {})
    return kept


class Run:
    """What one call of the program left behind."""

    def __init__(self, args, exit_code, out, err):
        self.args, self.exit, self.out, self.err = args, exit_code, out, err

    @property
    def events(self):
        """Every line of stdout as JSON; fails on a line that is none."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def result(self):
        """The last line of stdout, which with --json is the result."""
        last = self.events[-1]
        assert last["event"] == "result", f"expected the result as the last line, found {last}"
        return last

    def __repr__(self):
        return f"{' '.join(map(str, self.args))}: exit {self.exit}\n--- stdout\n{self.out}--- stderr\n{self.err}"


class Canaries:
    """Planted secrets, looked for in everything the program writes: output, errors, logs, reports, arguments.

    Whatever a test writes with mode 0600 is planted (keys as hexadecimal text, passphrases, PINs), and so is every key that
    the program itself adds to a credentials file.
    """

    def __init__(self, folder):
        self.folder, self.secrets, self.homes = folder, set(), set()

    def plant(self, content, path):
        """Takes the secrets out of a file's content; `path` is where they may stand."""
        self.homes.add(path)
        text = content.decode("utf-8", "replace")
        if text.startswith("-----BEGIN "):
            self.secrets.update(line for line in text.splitlines() if len(line) >= 40 and not line.startswith("-----"))
            return
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if isinstance(document, dict):
            devices = document.get("devices")
            for device in devices if isinstance(devices, list) else []:
                if isinstance(device, dict) and isinstance(device.get("psk"), str) and len(device["psk"]) >= 8:
                    self.secrets.add(device["psk"])
        elif len(text.strip()) >= 8:
            self.secrets.add(text.strip())

    def harvest(self):
        """Plants what the program wrote for its owner's eyes alone."""
        for path in self.folder.glob("*.json"):
            if path.is_file() and path.stat().st_mode & 0o077 == 0:
                self.plant(path.read_bytes(), path)

    def forms(self):
        """Each secret as it may show: as text, and where it is hexadecimal in upper case and as bytes in base64."""
        for secret in self.secrets:
            yield secret
            if re.fullmatch(r"([0-9a-fA-F]{2})+", secret):
                yield secret.upper()
                yield secret.lower()
                raw = bytes.fromhex(secret)
                yield base64.b64encode(raw).decode().rstrip("=")
                yield base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def check(self, where, text):
        for form in self.forms():
            assert form not in text, f"a planted secret stands in {where}:\n{text[:2000]}"

    def check_files(self):
        """No file but those a secret was written to has it."""
        self.harvest()
        for path in self.folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path not in self.homes and path.stat().st_size < 1 << 20:
                self.check(str(path), path.read_bytes().decode("utf-8", "replace"))


class Case(unittest.TestCase):
    """A test with a temporary directory, in which the program runs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="fotactl-test-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        self.canaries = Canaries(self.dir)
        self.addCleanup(self.canaries.check_files)

    def write(self, name, content, mode=0o644):
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        if mode & 0o077 == 0:
            self.canaries.plant(path.read_bytes(), path)
        return path

    def command(self, *args):
        command = [PROGRAM, *map(str, args)]
        self.canaries.check("the arguments, which everyone on the machine can read", " ".join(command))
        return command

    def checked(self, run):
        self.canaries.harvest()
        self.canaries.check(f"the output of {' '.join(map(str, run.args))}", run.out + run.err)
        return run

    def run_fotactl(self, *args, env=None, stdin=None, timeout=60, expect=None):
        """Runs to the end; `expect` is the exit code that the test relies on."""
        done = subprocess.run(self.command(*args), cwd=self.dir, env=environment(self.dir, env), input=stdin,
                              stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True,
                              timeout=timeout, check=False)
        run = self.checked(Run(args, done.returncode, done.stdout.decode("utf-8", "replace"),
                               done.stderr.decode("utf-8", "replace")))
        if expect is not None:
            self.assertEqual(run.exit, expect, run)
        return run

    def run_json(self, *args, **options):
        return self.run_fotactl(*args, "--json", **options)

    def run_on_terminal(self, *args, env=None, timeout=60, columns=100, answers=()):
        """As run_fotactl, with a terminal as stdin, stdout and stderr; everything written stands in `out`.

        `answers`: pairs of a question and what is typed once it was asked.
        """
        code, out = on_terminal(self.command(*args), cwd=self.dir,
                                env=environment(self.dir, {"TERM": "xterm-256color"} | (env or {})), timeout=timeout,
                                columns=columns, answers=answers)
        return self.checked(Run(args, code, out, ""))

    def start(self, *args, env=None, **streams):
        """Starts the program and leaves it running; it is killed at the end of the test if it still runs."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        process = subprocess.Popen(self.command(*args), cwd=self.dir, env=environment(self.dir, env), **options)
        self.addCleanup(reap, process)
        return process


def reap(process):
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


def on_terminal(command, cwd, env, timeout, columns=100, answers=()):
    """Runs `command` under a pseudo-terminal; returns exit code and all that was written, with plain line ends."""
    pid, master = pty.fork()
    if pid == 0:
        try:
            os.chdir(cwd)
            os.execvpe(command[0], command, env)
        finally:
            os._exit(127)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    written, deadline = b"", time.monotonic() + timeout
    waiting, seen = list(answers), 0
    try:
        while True:
            if waiting and waiting[0][0].encode() in written[seen:]:
                seen = len(written)
                os.write(master, waiting.pop(0)[1].encode() + b"\n")
            if not select.select([master], [], [], max(0.0, deadline - time.monotonic()))[0]:
                os.kill(pid, signal.SIGKILL)
                raise TimeoutError(f"{command} still runs after {timeout} s; it wrote {written[-2000:]!r}")
            try:
                chunk = os.read(master, 65536)
            except OSError as error:  # the other side is closed
                if error.errno != errno.EIO:
                    raise
                chunk = b""
            if not chunk:
                break
            written += chunk
    finally:
        os.close(master)
        _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), written.decode("utf-8", "replace").replace("\r\n", "\n")
