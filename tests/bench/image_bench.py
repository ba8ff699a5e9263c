#!/usr/bin/env python3
"""Signing, verifying and converting images, as whole processes: fotactl beside openssl and imgtool, in one run.

Each round runs every contender once, in turn, so that what else the machine does hits all of them alike. Told are the
median of the wall-clock times and the peak of resident memory.

  FOTACTL   the program (default: build/bin/fotactl)
  IMGTOOL   the command of imgtool, with arguments if it has some (default: imgtool on PATH; left out where there is none)
  ROUNDS    rounds (default: 21)
"""
import os
import pathlib
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
FOTACTL = [os.environ.get("FOTACTL", str(SOURCE / "build" / "bin" / "fotactl"))]
ROUNDS = int(os.environ.get("ROUNDS", "21"))
SIZES = {"400 KiB": 400 * 1024, "1 MiB": 1024 * 1024}
PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]
KINDS = {"P-256": ("ecdsa-p256", []), "RSA-2048": ("rsa-2048", PSS)}
# What the project aims at.
MOST_OF_OPENSSL, LEAST_OF_IMGTOOL, MOST_KIB = 1.3, 15, 12 * 1024


def imgtool_command():
    if "IMGTOOL" in os.environ:
        return shlex.split(os.environ["IMGTOOL"])
    found = shutil.which("imgtool")
    return [found] if found else None


def code_like(size):
    """Bytes that compress about as well as Thumb code: common halfwords among random ones."""
    source = random.Random(size)
    common = [source.randbytes(4) for _ in range(400)]
    return b"".join(source.choice(common) if source.random() < 0.75 else source.randbytes(4) for _ in range(size // 4))


def intel_hex(image, base=0x10000):
    def record(kind, offset, data):
        body = bytes([len(data), offset >> 8, offset & 0xff, kind]) + data
        return ":" + (body + bytes([-sum(body) & 0xff])).hex().upper() + "\n"

    lines = []
    for at in range(0, len(image), 16):
        if (base + at) & 0xffff == 0:
            lines.append(record(4, 0, (base + at >> 16).to_bytes(2, "big")))
        lines.append(record(0, (base + at) & 0xffff, image[at:at + 16]))
    return "".join(lines) + record(1, 0, b"")


def once(command):
    """Milliseconds of one run that must succeed."""
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0), (os.POSIX_SPAWN_DUP2, 1, 2)]
    begin = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=silent)
    _, status = os.waitpid(pid, 0)
    elapsed = 1000 * (time.perf_counter() - begin)
    if status != 0:
        sys.exit(f"expected success, found status {status} of: {shlex.join(command)}")
    return elapsed


def peak(command):
    """KiB, told by a parent that is small itself: ru_maxrss begins at what the process had before exec. 0: unknown."""
    if shutil.which("time") is None:
        return 0
    done = subprocess.run(["time", "-f", "%M", *command], capture_output=True, text=True, check=True)
    return int(done.stderr.strip().splitlines()[-1])


def run(*command):
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


def operations(imgtool):
    """(operation, {contender: command}), after what they need was made in the current directory."""
    for size, count in SIZES.items():
        pathlib.Path(f"{size}.bin").write_bytes(code_like(count))
        pathlib.Path(f"{size}.hex").write_text(intel_hex(pathlib.Path(f"{size}.bin").read_bytes()))
    yield "--version", {"fotactl": [*FOTACTL, "--version"], "openssl": ["openssl", "version"],
                        "imgtool": [*imgtool, "version"]}

    def sign(key, source, target, *options):
        return {"fotactl": [*FOTACTL, "image", "sign", "--key", key, "--version", "1.2.3", "--pad-header", *options, source,
                            target],
                "imgtool": [*imgtool, "sign", "-k", key, "-v", "1.2.3", "-H", "0x200", "--pad-header", "-S", "0x200000",
                            "--align", "4", *[each.replace("--compress", "--compression") for each in options], source,
                            "imgtool-" + target]}

    for kind, (word, options) in KINDS.items():
        key, public = f"{word}.pem", f"{word}.pub.pem"
        run(*FOTACTL, "key", "new", "--type", word, "--out", key)
        run(*FOTACTL, "key", "public", "--key", key, "--out", public)
        for size in SIZES:
            source = f"{size}.bin"
            yield f"sign {kind} {size}", sign(key, source, f"{word} {size}.bin") | {
                "openssl": ["openssl", "dgst", "-sha256", "-sign", key, *options, "-out", f"{word} {size}.sig", source]}
        for size in SIZES:
            image = f"{word} {size}.bin"
            yield f"verify {kind} {size}", {
                "fotactl": [*FOTACTL, "image", "verify", "--key", public, image],
                "openssl": ["openssl", "dgst", "-sha256", "-verify", public, *options, "-signature", f"{word} {size}.sig",
                            f"{size}.bin"],
                "imgtool": [*imgtool, "verify", "-k", public, image]}
    for size in SIZES:
        yield f"hex to hex P-256 {size}", sign("ecdsa-p256.pem", f"{size}.hex", f"{size} out.hex")
        yield f"lzma2armthumb P-256 {size}", sign("ecdsa-p256.pem", f"{size}.bin", f"{size} out.bin", "--compress",
                                                  "lzma2armthumb")


def main():
    imgtool = imgtool_command()
    if imgtool is None:
        print("# imgtool: not on PATH and no $IMGTOOL, left out")
    else:
        version = subprocess.run([*imgtool, "version"], capture_output=True, text=True, check=True).stdout.strip()
        print(f"# imgtool {version}")
    print(f"# {subprocess.run(['openssl', 'version'], capture_output=True, text=True, check=True).stdout.strip()}; "
          f"{ROUNDS} rounds; median in ms, peak in KiB; openssl signs and verifies the payload's bytes alone\n")
    print(f"{'operation':<28}{'fotactl':>9}{'peak':>8}{'openssl':>9}{'ratio':>7}{'imgtool':>9}{'ratio':>7}")
    worst = {"openssl": 0.0, "imgtool": float("inf"), "peak": 0, "peak at": ""}
    for name, contenders in operations(imgtool or ["imgtool"]):
        if imgtool is None:
            del contenders["imgtool"]
        most = peak(contenders["fotactl"])
        times = {each: [] for each in contenders}
        for turn in range(ROUNDS + 1):
            for contender, command in contenders.items():
                elapsed = once(command)
                if turn > 0:  # the first one reads the files into memory
                    times[contender].append(elapsed)
        ours = statistics.median(times["fotactl"])
        line = f"{name:<28}{ours:>9.1f}{most or '-':>8}"
        if most > worst["peak"]:
            worst["peak"], worst["peak at"] = most, name
        for contender in ("openssl", "imgtool"):
            if contender not in times:
                line += f"{'-':>9}{'-':>7}"
                continue
            theirs = statistics.median(times[contender])
            ratio = ours / theirs if contender == "openssl" else theirs / ours
            line += f"{theirs:>9.1f}{ratio:>7.2f}"
            if contender == "imgtool":
                worst["imgtool"] = min(worst["imgtool"], ratio)
            elif name.startswith("sign"):
                worst["openssl"] = max(worst["openssl"], ratio)
        print(line, flush=True)

    def aim(text, met):
        print(f"aim: {text}: {'met' if met else 'missed'}")

    print()
    aim(f"sign in at most {MOST_OF_OPENSSL} times openssl's time, found {worst['openssl']:.2f} at worst",
        worst["openssl"] <= MOST_OF_OPENSSL)
    if imgtool is not None:
        aim(f"at least {LEAST_OF_IMGTOOL} times faster than imgtool, found {worst['imgtool']:.1f} at worst",
            worst["imgtool"] >= LEAST_OF_IMGTOOL)
    if worst["peak"]:
        aim(f"a peak below {MOST_KIB} KiB, found {worst['peak']} at worst ({worst['peak at']})", worst["peak"] < MOST_KIB)
    else:
        print("# GNU time is not installed: peaks were not measured")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="fotactl-bench-") as folder:
        FOTACTL[0] = str(pathlib.Path(FOTACTL[0]).resolve())
        os.chdir(folder)
        main()
