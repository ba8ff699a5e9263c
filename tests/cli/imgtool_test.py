"""fotactl imgtool beside what imgtool itself answered (tests/data/imgtool), byte for byte."""
import base64
import hashlib
import json
import os
import pathlib
import shlex
import stat
import subprocess
import sys
import time
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import run_fotactl  # noqa: E402

VECTORS = run_fotactl.DATA / "mcuboot"
MANIFEST = json.loads((VECTORS / "manifest.json").read_text())
RECORDED = json.loads((run_fotactl.DATA / "imgtool" / "recorded.json").read_text())
TYPES = ["rsa-2048", "rsa-3072", "ecdsa-p256", "ecdsa-p384", "ed25519", "x25519"]


class Case(run_fotactl.Case):
    def imgtool(self, *words, stdin=b"", cwd=VECTORS):
        return subprocess.run([run_fotactl.PROGRAM, "imgtool", *map(str, words)], input=stdin, capture_output=True, cwd=cwd,
                              env=run_fotactl.environment(self.dir), timeout=60, check=False)

    def ok(self, *words, **options):
        done = self.imgtool(*words, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout

    def signature_file(self, name):
        path = self.dir / f"{name}.sig"
        path.write_text(next(each["signature_b64"] for each in MANIFEST["images"] if each["name"] == name))
        return str(path)

    def one_sentence(self, done):
        lines = done.stderr.decode().strip().splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("Error: "), lines[0])
        return lines[0]


class Recorded(Case):
    """Every recorded command: exit code, standard output and the file it wrote."""

    def check(self, entry):
        command = entry["command"]
        words = list(command) if isinstance(command, list) else command.split()
        target = None
        for index, word in enumerate(words):
            if word.startswith("{out"):
                target = self.dir / word[1:-1]
                target.unlink(missing_ok=True)
                words[index] = str(target)
            elif word.endswith(".sig}"):
                words[index] = self.signature_file(word[1:-5])
        done = self.imgtool(*words)
        self.assertEqual(done.returncode, entry["exit"], done.stderr.decode())
        expected = bytes.fromhex(entry["stdout_hex"]) if "stdout_hex" in entry else entry["stdout"].encode()
        signs = words[0] in ("sign", "create")
        if entry["exit"] == 1 and (signs or not expected):  # where imgtool ends in a traceback
            self.one_sentence(done)
        if entry["exit"] == 0 or not signs:
            self.assertEqual(done.stdout, expected)
        if entry["exit"] == 2:
            self.assertTrue(done.stderr.decode().strip().splitlines()[-1].startswith("Error: "), done.stderr)
        if "file" in entry and entry["exit"] == 0:
            content = target.read_bytes()
            self.assertEqual(len(content), entry["file"]["size"])
            self.assertEqual(hashlib.sha256(content).hexdigest(), entry["file"]["sha256"])
        elif entry["exit"] == 2 and target is not None:
            self.assertFalse(target.exists())

    def check_all(self, *names):
        entries = [each for each in RECORDED
                   if (each["command"] if isinstance(each["command"], list) else each["command"].split())[0] in names]
        self.assertGreater(len(entries), 10)
        for entry in entries:
            with self.subTest(entry["command"]):
                self.check(entry)

    def test_keys(self):
        self.check_all("getpub", "getpubhash", "getpriv", "keyinfo", "keygen")

    def test_dumpinfo(self):
        self.check_all("dumpinfo")

    def test_verify(self):
        self.check_all("verify")

    def test_sign(self):
        self.check_all("sign", "create", "version", "singe", "--what")


class Vectors(Case):
    """The command of every vector as it was given, with its signature in place of the key."""

    def sign(self, image, fixed):
        words = shlex.split(image["command"].replace("(", "'(").replace(")", ")'").replace("''", "")
                            .replace("0x12a2  ", "0x12a2 '' "))[1:]
        out = self.dir / pathlib.Path(image["file"]).name
        words[-1] = str(out)
        signature = words.index("--sig-out") if "--sig-out" in words else None
        if signature is not None:
            words[signature + 1] = str(self.dir / "written.sig")
        if fixed and "-k" in words:
            key = words.index("-k")
            public = words[key + 1].replace(".pem", ".pub.pem")
            words[key:key + 2] = ["--fix-sig", self.signature_file(image["name"]), "--fix-sig-pubkey", public]
        self.ok(*words)
        return out.read_bytes()

    def test_bytes(self):
        for image in MANIFEST["images"]:
            with self.subTest(image["name"]):
                expected = bytearray((VECTORS / image["file"]).read_bytes())
                found = bytearray(self.sign(image, image["name"] != "ed25519-pure"))
                ranges = list(image["random_ranges"]) if image["name"].startswith(("enc-", "lzma")) else []
                if image["name"].startswith("lzma"):  # its hash covers one of two signatures, of which one can be given
                    ranges += [[tlv["value_off"], tlv["len"]] for area in image["parse"]["areas"] for tlv in area["tlvs"]
                               if tlv["type"] == "0x0010"]
                for offset, length in ranges:
                    for content in (expected, found):
                        content[offset:offset + length] = bytes(length)
                self.assertEqual(found, expected)

    def test_a_key_signs_what_verifies(self):
        for image in MANIFEST["images"]:
            if not image.get("key") or image["name"].startswith("enc-"):
                continue
            with self.subTest(image["name"]):
                self.sign(image, False)
                out = self.ok("verify", "-k", image["key"], self.dir / pathlib.Path(image["file"]).name)
                self.assertTrue(out.startswith(b"Image was correctly validated\n"))
                signature = base64.b64decode((self.dir / "written.sig").read_bytes(), validate=True)
                if not image["file"].endswith(".hex"):
                    self.assertIn(signature, (self.dir / pathlib.Path(image["file"]).name).read_bytes())


class Keys(Case):
    def test_new_keys_are_private_and_used(self):
        for word in TYPES:
            with self.subTest(word):
                path = self.dir / f"{word}.pem"
                self.ok("keygen", "-t", word, "-k", path)
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
                self.assertEqual(self.ok("keyinfo", "-k", path), b"private\n")
                self.assertIn(b"BEGIN PRIVATE KEY", path.read_bytes())

    def test_passphrase_comes_from_stdin_without_a_terminal(self):
        path = self.dir / "key.pem"
        self.ok("keygen", "-t", "ecdsa-p256", "-p", "-k", path, stdin=b"secret\nsecret\n")
        self.assertIn(b"BEGIN ENCRYPTED PRIVATE KEY", path.read_bytes())
        self.ok("getpub", "-k", path, stdin=b"secret\n")
        for stdin in (b"wrong\n", b"", b"\n"):
            done = self.imgtool("getpub", "-k", path, stdin=stdin)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.one_sentence(done)
        self.assertEqual(self.imgtool("keyinfo", "-k", path).returncode, 2)
        self.assertEqual(self.imgtool("keygen", "-t", "ed25519", "-p", "-k", path, stdin=b"a\nb\n").returncode, 1)

    def test_passphrase_is_asked_for_on_a_terminal(self):
        path = self.dir / "key.pem"
        self.ok("keygen", "-t", "ed25519", "-p", "-k", path, stdin=b"secret\nsecret\n")
        run = self.ask("secret\n", "imgtool", "keyinfo", "-k", path)
        self.assertEqual(run[0], 2)
        code, shown = self.ask("secret\n", "imgtool", "getpub", "-k", path)
        self.assertEqual(code, 0)
        self.assertIn("Enter key passphrase: ", shown)
        self.assertNotIn("secret", shown)

    def test_an_encrypted_key_signs_once_its_passphrase_was_typed(self):
        path = self.dir / "k.pem"
        self.ok("keygen", "-t", "ecdsa-p256", "-p", "-k", path, stdin=b"secret\nsecret\n")
        self.write("payload.bin", bytes(100))
        words = ("imgtool", "sign", "-k", path, "-v", "1.2.3", "-H", "0x200", "-S", "0x40000", "--pad-header",
                 "payload.bin", "out.bin")
        run = self.run_on_terminal(*words, answers=[("Enter key passphrase: ", "secret")])
        self.assertEqual(run.exit, 0, run)
        self.assertNotIn("secret", run.out)
        (self.dir / "out.bin").unlink()
        run = self.run_on_terminal(*words, answers=[("Enter key passphrase: ", "other")])
        self.assertEqual(run.exit, 1, run)
        self.assertFalse((self.dir / "out.bin").exists())

    def ask(self, answer, *words):
        """As run_on_terminal, with somebody at the keyboard."""
        script = ("import os, pty, sys\n"
                  "typed = False\n"
                  "def read(fd):\n"
                  "    global typed\n"
                  "    data = os.read(fd, 4096)\n"
                  "    if not typed and b'passphrase' in data:\n"
                  "        typed = True\n"
                  "        os.write(fd, sys.argv[1].encode())\n"
                  "    return data\n"
                  "sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read)))\n")
        done = subprocess.run([sys.executable, "-c", script, answer, *self.command(*words)], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60, check=False, env=run_fotactl.environment(self.dir))
        return done.returncode, done.stdout.decode()

    def test_minimal_p384_key_is_readable(self):
        text = self.ok("getpriv", "--minimal", "-k", "keys/p384.pem").decode()
        der = bytes(int(each, 16) for each in text.replace(",", " ").split() if each.startswith("0x"))
        (self.dir / "p384.der").write_bytes(der)
        whole = self.ok("getpub", "-e", "raw", "-k", "keys/p384.pem")
        self.assertEqual(self.ok("getpub", "-e", "raw", "-k", self.dir / "p384.der"), whole)


class BadInput(Case):
    def sign(self, *words):
        return self.imgtool("sign", "-H", "0x200", "--pad-header", "-S", "0x40000", "-v", "1", *words, "payload/app1k.bin",
                            self.dir / "out.bin")

    def test_keys_that_cannot_encrypt(self):
        self.ok("keygen", "-t", "ecdsa-p384", "-k", self.dir / "p384.pem")
        self.ok("keygen", "-t", "rsa-3072", "-k", self.dir / "rsa.pem")
        for name in ("p384.pem", "rsa.pem"):
            done = self.sign("-E", self.dir / name)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertFalse((self.dir / "out.bin").exists())

    def test_protected_area_is_limited(self):
        big = self.write("big", bytes(60000))
        done = self.sign("--custom-tlv-file", "0xa0", big, "--custom-tlv-file", "0xa1", big)
        self.assertIn(done.returncode, (1, 2))
        self.assertFalse((self.dir / "out.bin").exists())

    def test_warning_where_the_bootloader_is_stricter(self):
        done = self.imgtool("verify", "-k", "keys/p256.pem", "bad/flip-keyhash.bin")
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stderr.startswith(b"Warning: "), done.stderr)

    def test_own_configuration_is_left_out(self):
        self.write("fotactl.toml", "broken = [")
        self.assertEqual(self.ok("version", cwd=self.dir), b"2.4.0\n")

    def test_existing_file_survives_a_refusal(self):
        (self.dir / "out.bin").write_bytes(b"old")
        self.assertEqual(self.sign("-s", "4294967296").returncode, 1)
        self.assertEqual((self.dir / "out.bin").read_bytes(), b"old")


class LikeImgtool(Case):
    """What imgtool 2.4.0 was seen to answer, where this program was stricter or laxer."""

    BASE = ("-H", "0x200", "-S", "0x40000", "-v", "1.2.3")

    def sign(self, *words, out="out.bin", source="payload.bin", pad_header=True):
        (self.dir / out).unlink(missing_ok=True)
        self.ok("sign", *self.BASE, *(("--pad-header",) if pad_header else ()), *words, source, out, cwd=self.dir)
        return (self.dir / out).read_bytes()

    def setUp(self):
        super().setUp()
        self.write("payload.bin", bytes(range(256)))

    def record(self, address, data):
        body = bytes([len(data), address >> 8 & 0xff, address & 0xff, 0]) + data
        return f":{body.hex().upper()}{-sum(body) & 0xff:02X}\n"

    def test_a_given_signature_is_not_padded(self):
        signature = bytes.fromhex("30060201010201")+b"\x01"
        self.write("s.sig", base64.b64encode(signature))
        for extra in ((), ("--pad-sig",)):
            image = self.sign("--fix-sig", "s.sig", "--fix-sig-pubkey", VECTORS / "keys/p256.pub.pem", *extra)
            self.assertTrue(image.endswith(b"\x22\x00\x08\x00" + signature), image[-20:].hex())

    def test_what_is_said_of_a_key_is_nothing_without_one(self):
        self.assertEqual(self.sign("--public-key-format", "full"), self.sign())

    def test_the_smaller_maximum_alignment_lays_out_the_trailer(self):
        image = self.sign("--align", "16", "--max-align", "8", "--pad", "--confirm")
        self.assertEqual(len(image), 0x40000)
        self.assertEqual(image[-24:], b"\x01" + b"\xff" * 7 + bytes.fromhex("77c295f360d2ef7f3552500f2cb67980"))

    def test_addresses_matter_where_they_are_written(self):
        self.write("low.hex", self.record(0x100, b"\x5a" * 16) + ":00000001FF\n")
        flat = self.sign(source="low.hex")
        self.assertEqual(flat[0x200:0x210], b"\x5a" * 16)
        self.assertIn(b":1010", self.sign("-x", "0x1000", source="low.hex", out="out.hex"))
        done = self.imgtool("sign", *self.BASE, "--pad-header", "low.hex", "none.hex", cwd=self.dir)
        self.assertEqual(done.returncode, 1)
        self.one_sentence(done)
        self.assertIn(b"expected a payload at 0x200 or above, found 0x100", done.stderr)
        plain = self.sign()
        for unused in (("-x", "0x100000000"), ("-x", "-1"), ("-M", "-1"), ("-M", "0")):
            self.assertEqual(self.sign(*unused), plain, unused)
        padded = self.sign("--pad", "--overwrite-only")
        self.assertEqual(self.sign("--pad", "--overwrite-only", "-M", "-1"), padded)
        self.assertEqual(self.sign("--pad", "-M", "0"), self.sign("--pad"))
        for used in (("-x", "0x100000000"), ("-x", "-1")):
            done = self.imgtool("sign", *self.BASE, "--pad-header", *used, "payload.bin", "none.hex", cwd=self.dir)
            self.assertEqual(done.returncode, 1, used)
            self.one_sentence(done)
        self.assertFalse((self.dir / "none.hex").exists())

    def test_empty_words_are_words(self):
        image = self.sign("--boot-record", "")
        self.assertIn(bytes.fromhex("a5016004" "65312e322e33" "05" "5820") + bytes(32) +
                      bytes.fromhex("0666534841323536" "025820") + bytes(32), image)
        image = self.sign("--vid", "", "--cid", "")
        vendor = uuid.uuid5(uuid.NAMESPACE_DNS, "")
        self.assertIn(vendor.bytes, image)
        self.assertIn(uuid.uuid5(vendor, "").bytes, image)
        done = self.imgtool("sign", *self.BASE, "--pad-header", "--cid", "", "payload.bin", "none.bin", cwd=self.dir)
        self.assertEqual(done.returncode, 1)

    def test_a_compressed_image_is_not_told_from_a_padded_one_by_test(self):
        self.write("even.bin", b"\x5a" * 3000)
        words = ("-x", "0x1000", "--compression", "lzma2")
        made = {mode: self.sign(mode, *words, source="even.bin", out="out.hex") for mode in ("--pad", "--test", "--confirm")}
        self.assertEqual(made["--test"], made["--pad"])
        self.assertNotEqual(made["--confirm"], made["--pad"])
        self.assertNotEqual(self.sign("--test", *words[:2], source="even.bin", out="out.hex"),
                            self.sign("--pad", *words[:2], source="even.bin", out="out.hex"))

    def test_hex_without_data_is_an_empty_payload(self):
        self.write("empty.bin", b"")
        expected = self.sign(source="empty.bin")
        for text in (":00000001FF\n", ":00000001ff", "\r\n:00000001FF\r\n\r\n"):
            self.write("end.hex", text)
            self.assertEqual(self.sign(source="end.hex"), expected)
        done = self.imgtool("sign", *self.BASE, "--pad-header", "end.hex", "none.hex", cwd=self.dir)
        self.assertEqual(done.returncode, 2)
        # What stands behind the end record would be lost without a word.
        self.write("more.hex", self.record(0x1000, b"\1") + ":00000001FF\n" + self.record(0x2000, b"\2"))
        self.assertEqual(self.imgtool("sign", *self.BASE, "--pad-header", "more.hex", "none.bin", cwd=self.dir).returncode, 1)


# A devicetree as Zephyr writes it, of which imgtool of Nordic's tree takes vendor "nordicsemi.com" and class "nRF9160
# application": the image is linked for a part of its second partition, seen through the addresses of the flash.
DEVICETREE = """
/dts-v1/;
/ {
	#address-cells = < 0x1 >;
	#size-cells = < 0x1 >;
	chosen {
		zephyr,code-partition = &slot0_ns;
	};
	flash_controller: flash-controller@39000 {
		reg = < 0x39000 0x1000 >;
		#address-cells = < 0x1 >;
		#size-cells = < 0x1 >;
		ranges = < 0x0 0x800000 0x100000 >;
		flash0: flash@0 {
			reg = < 0x0 0x100000 >;
			#address-cells = < 0x1 >;
			#size-cells = < 0x1 >;
			ranges;
			partitions {
				compatible = "fixed-partitions";
				#address-cells = < 0x1 >;
				#size-cells = < 0x1 >;
				ranges;
				boot_partition: partition@0 {
					reg = < 0x0 0x10000 >;
				};
				slot0_partition: partition@10000 {
					reg = < 0x10000 0x60000 >;
				};
				slot1_partition: partition@70000 {
					reg = < 0x70000 0x60000 >;
				};
			};
		};
	};
	slot0_ns: partition@820000 {
		reg = < 0x820000 0x50000 >;
	};
	mcuboot: mcuboot {
		compatible = "nordic,mcuboot";
		partitions = < &boot_partition >;
		images {
			other {
				image-index = < 0x1 >;
				partitions = < &slot1_partition >;
				uuid-vid = "example.org";
				uuid-cid = "other";
			};
			app {
				image-index = < 0x0 >;
				partitions = < &slot1_partition &slot0_partition >;
				uuid-vid = "example.com", "nordicsemi.com";
				uuid-cid = "secondary", "nRF9160 application";
			};
		};
	};
};
"""


class EdtConfig(Case):
    BASE = ("sign", "-v", "1.0.0", "-H", "0x200", "-S", "0x60000", "--pad-header")

    def sign(self, *words, expect=0, devicetree=DEVICETREE):
        self.write("zephyr.dts", devicetree)
        self.write("payload.bin", b"\x01" * 3000)
        done = self.imgtool(*self.BASE, *words, "payload.bin", "out.bin", cwd=self.dir)
        self.assertEqual(done.returncode, expect, done.stderr)
        return (self.dir / "out.bin").read_bytes() if expect == 0 else self.one_sentence(done)

    def test_identifiers_of_the_partition_that_is_linked_for(self):
        given = self.sign("--vid", "nordicsemi.com", "--cid", "nRF9160 application")
        self.assertNotEqual(given, self.sign())
        self.assertEqual(self.sign("--edt-config", "zephyr.dts"), given)
        for other, words in (("other", ("--vid", "nordicsemi.com", "--cid", "other")),):
            self.assertEqual(self.sign("--edt-config", "zephyr.dts", "--cid", other), self.sign(*words))

    def test_a_pickle_stands_for_the_text_beside_it(self):
        (self.dir / "edt.pickle").write_bytes(b"\x80\x04.")
        self.assertEqual(self.sign("--edt-config", "edt.pickle"),
                         self.sign("--vid", "nordicsemi.com", "--cid", "nRF9160 application"))
        (self.dir / "elsewhere").mkdir()
        (self.dir / "elsewhere" / "edt.pickle").write_bytes(b"\x80\x04.")
        self.assertIn("expected zephyr.dts beside it", self.sign("--edt-config", "elsewhere/edt.pickle", expect=1))
        self.sign("--edt-config", "missing.pickle", expect=1)

    def test_the_bootloader_itself_has_none(self):
        text = DEVICETREE.replace("code-partition = &slot0_ns", "code-partition = &boot_partition")
        self.assertEqual(self.sign("--edt-config", "zephyr.dts", devicetree=text), self.sign())

    def test_what_imgtool_refuses(self):
        for old, new, sentence in (
                ("zephyr,code-partition", "zephyr,flash", "expected zephyr,code-partition in /chosen"),
                ("< &slot1_partition >", "< &slot0_partition >", "expected one image for the partition at 0x820000"),
                ("< &slot1_partition >", "< &slot7 >", "nodes of the devicetree"),
                ('uuid-vid = "example.com", "nordicsemi.com";', "", "app: "),
                ("/dts-v1/;", "/dts-v1/; {{{", "zephyr.dts")):
            with self.subTest(old=old, new=new):
                self.assertIn(sentence, self.sign("--edt-config", "zephyr.dts", expect=1,
                                                  devicetree=DEVICETREE.replace(old, new)))

    def test_translation_ends_where_no_range_has_the_address(self):
        # As edtlib: what the inner node does not map is not mapped by the ones above either.
        flash0, = [line for line in DEVICETREE.splitlines() if "flash0: flash@0" in line]
        inner = DEVICETREE[DEVICETREE.index(flash0):]
        inner = inner.replace("ranges;", "ranges = < 0x500000 0x0 0x1000 >;", 1)
        text = DEVICETREE[:DEVICETREE.index(flash0)] + inner
        self.assertEqual(self.sign("--edt-config", "zephyr.dts", devicetree=text), self.sign())
        # slot0_partition stays at 0x10000, which the one linked for then is in.
        text = text.replace("slot0_ns: partition@820000", "slot0_ns: partition@20000").replace("0x820000 ", "0x20000 ")
        self.assertEqual(self.sign("--edt-config", "zephyr.dts", devicetree=text),
                         self.sign("--vid", "nordicsemi.com", "--cid", "nRF9160 application"))

    def test_ends_beyond_64_bits(self):
        text = DEVICETREE.replace("< 0x1 >;\n\t#size-cells = < 0x1 >;\n\tchosen", "< 0x2 >;\n\t#size-cells = < 0x2 >;\n\tchosen")
        text = text.replace("partition@820000", "partition@fffffffffffff000")
        text = text.replace("< 0x820000 0x50000 >;\n\t};", """< 0xffffffff 0xfffff000 0x0 CODE >;
	};
	wide: partition@ffffffffffff0000 {
		reg = < 0xffffffff 0xffff0000 0x0 WIDE >;
	};""").replace("&slot1_partition &slot0_partition", "&slot1_partition &wide")
        given = self.sign("--vid", "nordicsemi.com", "--cid", "nRF9160 application")
        none = self.sign()
        # An end beyond the last address is no small number.
        for wide, code, expected in (("0xf800", "0x800", given), ("0xf800", "0x2000", none), ("0xf800", "0x20000", none),
                                     ("0x10000", "0x800", given), ("0x10000", "0x1000", given), ("0x10000", "0x1001", none)):
            with self.subTest(wide=wide, code=code):
                self.assertEqual(self.sign("--edt-config", "zephyr.dts",
                                           devicetree=text.replace("CODE", code).replace("WIDE", wide)), expected)

    def test_a_hostile_devicetree_takes_no_time(self):
        begun = time.monotonic()
        many = DEVICETREE.replace("ranges = < 0x0 0x800000 0x100000 >;",
                                  f"ranges = < {'0xfff00000 0x0 0x1 ' * 60000} 0x0 0x800000 0x100000 >;")
        self.sign("--edt-config", "zephyr.dts", devicetree=many)
        self.assertLess(time.monotonic() - begun, 5)
        lots = DEVICETREE.replace("&slot1_partition &slot0_partition", "&slot1_partition " * 100)
        self.assertIn("expected at most 64 partitions", self.sign("--edt-config", "zephyr.dts", expect=1, devicetree=lots))


class Shim(Case):
    def test_python_runs_it(self):
        shim = run_fotactl.SOURCE / "packaging" / "imgtool-shim" / "imgtool.py"
        for words, code in ((["version"], 0), (["sign", "-v"], 2)):
            done = subprocess.run([sys.executable, shim, *words], capture_output=True, timeout=60, check=False,
                                  env={**os.environ, "FOTACTL": run_fotactl.PROGRAM})
            self.assertEqual(done.returncode, code, done.stderr)
        done = subprocess.run([sys.executable, shim, "version"], capture_output=True, timeout=60, check=False,
                              env={**os.environ, "FOTACTL": "/nowhere"})
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"/nowhere", done.stderr)


if __name__ == "__main__":
    unittest.main()
