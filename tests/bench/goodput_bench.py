#!/usr/bin/env python3
"""512 KiB over loopback in blocks of 1,024 bytes, in clear and over DTLS with a pre-shared key: fotactl push beside
libcoap's coap-client to coap-server, in one run.

push goes to a device on libcoap that keeps the package in memory as coap-server does (goodput_device), so that both
receivers do the same; and to the virtual device, which programs a flash, reads it back and hashes it meanwhile.

Each round runs every contender once, in turn. For push it is the time from its first progress, before the first block
leaves, to its last, when the last one was acknowledged; for coap-client that of the whole PUT less that of one with a
single byte. So starting the process and the handshake count for neither, nor does what push alone does around the
blocks: writing its intent to the disk, and asking for State. The whole step, from "deliver" to "downloaded", is told
beside it.

  FOTACTL   the program (default: build/bin/fotactl); goodput_device is looked for beside it
  ROUNDS    rounds (default: 11)
"""
import json
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
FOTACTL = os.environ.get("FOTACTL", str(SOURCE / "build" / "bin" / "fotactl"))
DEVICE = str(pathlib.Path(FOTACTL).with_name("goodput_device"))
ROUNDS = int(os.environ.get("ROUNDS", "11"))
SIZE, KEY = 512 * 1024, "5f0e1d2c3b4a69788796a5b4c3d2e1f7"
SILENT = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def free_ports():
    """Two in a row: coap-server takes DTLS on the next one."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as first, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
                return port
            except (OSError, OverflowError):
                continue


def run(*command):
    subprocess.run(command, check=True, **SILENT)


def push(secure, flash):
    """Seconds of one delivery, to the virtual device and its flash or to the one that keeps the package in memory: of
    its blocks, and of the whole step."""
    port = free_ports()
    scheme, sim_key, push_key = ("coaps", ["--identity", "id", "--psk-file", "psk.hex"], ["--psk", "dev=id:@psk.hex"]) \
        if secure else ("coap", [], ["--insecure-plain"])
    if flash:
        device = [FOTACTL, "sim", "--endpoint", "dev", "--server", f"{scheme}://127.0.0.1:{port}", *sim_key,
                  "--image", "1.bin", "--key", "pub.pem"]
    else:
        device = [DEVICE, "dev", f"127.0.0.1:{port}", *(["id", KEY] if secure else [])]
    sim = subprocess.Popen(device, **SILENT)
    steps, progress = {}, []
    try:
        with tempfile.TemporaryDirectory() as state, subprocess.Popen(
                [FOTACTL, "push", "2.bin", "--endpoint", "dev", "--listen", f"127.0.0.1:{port}", *push_key, "--key",
                 "pub.pem", "--profile", "lan", "--block-size", "1024", "--wait", "30s", "--state-dir", state, "--json"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "step":
                    steps[event["step"]] = time.perf_counter()
                elif event["event"] == "progress":
                    progress.append((event["bytes"], event["total"], time.perf_counter()))
        if process.returncode != 0:
            sys.exit(f"expected push to succeed, found exit {process.returncode}")
    finally:
        sim.kill()
        sim.wait()
    (first, _, begin), (last, total, end) = progress[0], progress[-1]
    if first != 0 or last != total:
        sys.exit(f"expected progress from 0 to {total} bytes, found {first} to {last}")
    return end - begin, steps["downloaded"] - steps["deliver"]


def put(port, secure):
    """Seconds of one PUT of the file, less those of one byte."""
    uri = f"coaps://127.0.0.1:{port + 1}/" if secure else f"coap://127.0.0.1:{port}/"
    key = ["-k", KEY, "-u", "dev"] if secure else []

    def once(name):
        begin = time.perf_counter()
        run("coap-client-openssl", "-m", "put", "-b", "1024", *key, "-f", name, uri + name)
        return time.perf_counter() - begin

    return once("payload") - once("byte")


def main():
    libcoap = shutil.which("coap-client-openssl") and shutil.which("coap-server-openssl")
    directory = tempfile.mkdtemp()
    server = None
    try:
        os.chdir(directory)
        os.umask(0o077)
        pathlib.Path("psk.hex").write_text(KEY)
        pathlib.Path("payload").write_bytes(random.Random(1).randbytes(SIZE))
        pathlib.Path("byte").write_bytes(b"x")
        run(FOTACTL, "key", "new", "--type", "ecdsa-p256", "--out", "key.pem")
        run(FOTACTL, "key", "public", "--key", "key.pem", "--out", "pub.pem")
        for version, payload in (("1", "byte"), ("2", "payload")):
            run(FOTACTL, "image", "sign", "--key", "key.pem", "--version", f"{version}.0.0", "--pad-header", payload,
                f"{version}.bin")
        port = free_ports()
        if libcoap:
            server = subprocess.Popen(["coap-server-openssl", "-d", "10", "-A", "127.0.0.1", "-p", str(port), "-k", KEY,
                                       "-h", "hint"], **SILENT)
            time.sleep(1)
        else:
            print("# libcoap's programs are not installed (package libcoap3-bin): left out")
        for secure in (False, True):
            ours, flash, theirs = [], [], []
            for _ in range(ROUNDS):
                ours.append(push(secure, False))
                if libcoap:
                    theirs.append(put(port, secure))
                flash.append(push(secure, True))
            rates = [SIZE / 2**20 / statistics.median(each[0] for each in times) for times in (ours, flash)]
            step = SIZE / 2**20 / statistics.median(each[1] for each in ours)
            line = (f"{'DTLS' if secure else 'plain':<6} fotactl {rates[0]:6.2f} MiB/s (whole step {step:6.2f}), into flash "
                    f"{rates[1]:6.2f}")
            if theirs:
                other = SIZE / 2**20 / statistics.median(theirs)
                line += (f"   libcoap {other:6.2f}   ratio {rates[0] / other:5.2f} and {rates[1] / other:5.2f}   "
                         f"aim, at least equal: {'met' if rates[0] >= other else 'missed'}")
            print(line, flush=True)
    finally:
        if server:
            server.kill()
            server.wait()
        os.chdir("/")
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
