#!/usr/bin/env python3
"""fotactl image sign: every option of imgtool's under this program's names, the same bytes, and what a slot refuses."""
import base64
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from run_fotactl import DATA, Case  # noqa: E402

VECTORS = DATA / "mcuboot"
KEYS = VECTORS / "keys"


class Sign(Case):
    def setUp(self):
        super().setUp()
        self.write("app.bin", random.Random(3).randbytes(9000))
        for name in ("ed25519", "p256", "rsa2048"):
            self.write(f"{name}.pem", (KEYS / f"{name}.pem").read_bytes(), 0o600)

    def sign(self, *options, key="ed25519.pem", payload="app.bin", expect=0, out="out.bin"):
        return self.run_json("image", "sign", "--key", key, "--version", "1.2.3+4", "--pad-header", *options, payload, out,
                             expect=expect)

    def refused(self, *options, expect=2, code="usage", **more):
        run = self.sign(*options, expect=expect, **more)
        self.assertEqual(run.result["error"]["code"], code, run)
        self.assertFalse((self.dir / "out.bin").exists())
        return run.result["error"]["message"]


class Options(Sign):
    def same(self, ours, theirs, expect=0, payload="app.bin"):
        """Ed25519 signs the same image with the same bytes, and each option makes another one than none."""
        self.sign(*ours, out="ours.bin", payload=payload)
        self.run_fotactl("imgtool", "sign", "-k", "ed25519.pem", "-v", "1.2.3+4", "-H", "0x200", "--pad-header", "-S",
                         "0x40000", "--align", "4", *theirs, payload, "theirs.bin", expect=expect)
        self.sign(out="bare.bin", payload=payload)
        made, imgtool, bare = ((self.dir / name).read_bytes() for name in ("ours.bin", "theirs.bin", "bare.bin"))
        self.assertTrue(made == imgtool, f"{ours} and imgtool's {theirs} differ")
        self.assertEqual(made == bare, not ours, f"{ours} changed nothing")

    def test_each_makes_the_image_imgtool_makes(self):
        self.write("value.bin", b"content of a file")
        slot = ("--slot-size", "0x40000", "--max-sectors", "128")
        for ours, theirs in (
                ((), ()),
                (("--boot-record", "NSPE"), ("--boot-record", "NSPE")),
                (("--security-counter", "auto"), ("-s", "auto")),
                (("--security-counter", "0x10"), ("-s", "16")),
                (("--dependency", "1, 2.0.0+7"), ("-d", "(1, 2.0.0+7)")),
                (("--dependency", "(0,primary,1.2.0)", "--dependency", "1,secondary,3"),
                 ("-d", "(0, primary, 1.2.0), (1, secondary, 3)")),
                (("--custom-tlv", "0xa0", "0xc0ffee", "--custom-tlv", "0xa1", "text"),
                 ("--custom-tlv", "0xa0", "0xc0ffee", "--custom-tlv", "0xa1", "text")),
                (("--custom-tlv-file", "0xb0", "value.bin"), ("--custom-tlv-file", "0xb0", "value.bin")),
                (("--vid", "acme.example", "--cid", "sensor"), ("--vid", "acme.example", "--cid", "sensor")),
                (("--pure",), ("--pure",)),
                (("--sha", "512"), ("--sha", "512")),
                (("--public-key-format", "full"), ("--public-key-format", "full")),
                (("--load-address", "0x20000000"), ("-L", "0x20000000")),
                (("--rom-fixed", "0x10000"), ("-F", "0x10000")),
                (("--non-bootable",), ("--non-bootable",)),
                (("--erased-value", "0"), ("-R", "0")),
                ((*slot, "--pad"), ("--pad",)),
                ((*slot, "--test"), ("--test",)),
                ((*slot, "--confirm", "--max-align", "16"), ("--confirm", "--max-align", "16")),
                ((*slot, "--pad", "--boot-mode", "overwrite"), ("--pad", "--overwrite-only"))):
            with self.subTest(ours):
                self.same(ours, theirs)
        self.write("twice.bin", 2 * (self.dir / "app.bin").read_bytes())  # random bytes alone get no smaller
        self.same(("--compress", "lzma2armthumb"), ("--compression", "lzma2armthumb"), payload="twice.bin")

    def test_all_at_once_in_the_order_the_bootloader_expects(self):
        self.sign("--security-counter", "3", "--boot-record", "A", "--dependency", "1,1.0.0", "--vid", "a.example",
                  "--cid", "b", "--custom-tlv", "0xa0", "x", "--manifest", DATA / "imgtool" / "manifests" / "hashes.yaml")
        shown = self.run_json("image", "show", "out.bin", expect=0).result
        self.assertEqual([each["type"] for each in shown["tlvs"] if each["protected"]],
                         [0x50, 0x60, 0x40, 0x74, 0x75, 0x76, 0xa0])
        self.run_json("image", "verify", "--key", KEYS / "ed25519.pub.pem", "out.bin", expect=0)

    def test_the_slot_of_a_dependency_is_shown(self):
        self.sign("--dependency", "1, secondary, 2.0.0")
        self.assertIn("image 1, slot secondary at least 2.0.0", self.run_fotactl("image", "show", "out.bin", expect=0).out)

    def test_the_signature_alone(self):
        self.sign("--sig-out", "sig", key="p256.pem")
        tlvs = self.run_json("image", "show", "out.bin", expect=0).result["tlvs"]
        signature = next(each["value"] for each in tlvs if each["name"] == "ECDSA")
        self.assertEqual(base64.b64decode((self.dir / "sig").read_text()).hex(), signature)

    def test_bad_input(self):
        for text in ("1", "1,", "1,2.0.0,", "256,1.0.0", "1,third,1.0.0", "1,primary", "(1,1.0.0", "-1,1.0.0", "1,256.0.0"):
            self.refused("--dependency", text)
        self.refused("--boot-record", "thirteen char")
        self.refused("--custom-tlv", "0x9f", "text")
        self.refused("--custom-tlv", "0xffff", "text")
        self.refused("--custom-tlv", "0x10000", "text")
        self.refused("--custom-tlv", "word", "text")
        self.refused("--custom-tlv", "0xa0", "0x123")
        self.refused("--custom-tlv", "0xa0", "a", "--custom-tlv", "160", "b")
        self.refused("--custom-tlv-file", "0xa0", "absent", expect=3, code="file-unreadable")
        self.write("long", bytes(66_000))
        self.assertIn("65535", self.refused("--custom-tlv-file", "0xa0", "long"))
        self.write("half", bytes(40_000))
        self.assertIn("protected", self.refused("--custom-tlv-file", "0xa0", "half", "--custom-tlv-file", "0xa1", "half"))
        self.assertIn("vendor", self.refused("--cid", "name"))
        self.refused("--rom-fixed", "0x10000", "--load-address", "0x20000000")
        self.refused("--load-address", "0x100000000")
        self.refused("--pure", "--sha", "256")
        self.refused("--pure", key="p256.pem", expect=3, code="key-unusable")
        self.refused("--sha", "512", key="p256.pem", expect=3, code="key-unusable")
        self.refused("--encrypt-hmac", "512")
        self.refused("--encrypt-hmac", "512", "--encrypt-to", KEYS / "p256-enc.pub.pem", key="p256.pem")
        self.refused("--save-enctlv")

    # MCUboot takes the end of the protected area for that of an empty TLV there, and allows no such type outside it.
    def test_an_empty_custom_tlv_at_the_end_would_not_boot(self):
        self.refused("--custom-tlv", "0xa0", "", expect=4, code="image-rejected")
        self.sign("--custom-tlv", "0xa0", "", "--custom-tlv", "0xa1", "x")


class Slot(Sign):
    """Every byte that lies in the slot counts: TLVs, wrapped keys, and the keys that the trailer keeps."""

    def limits(self, *options, key, slot, mode, sectors=128, trailing=0):
        """The largest payload that is taken is that whose image ends at the limit told."""
        arguments = ("--slot-size", slot, "--boot-mode", mode, "--max-sectors", sectors, *options)
        made = self.sign(*arguments, key=key).result
        rest = made["size"] - 9000
        for size, expect in ((made["limit"] - rest - trailing, 0), (made["limit"] - rest + 1 + trailing, 5)):
            self.write("big.bin", random.Random(4).randbytes(size))
            run = self.sign(*arguments, key=key, payload="big.bin", expect=expect, out="big.out")
            if expect:
                self.assertEqual(run.result["error"]["code"], "image-too-large")
                self.assertEqual((self.dir / "big.out").stat().st_size, last, "the old file stays")
            else:
                last = (self.dir / "big.out").stat().st_size
        return made["limit"]

    def test_of_each_mode(self):
        for mode, limit in (("move", 253952), ("offset", 253952), ("scratch", 260560), ("overwrite", 262104)):
            with self.subTest(mode):
                self.assertEqual(self.limits(key="rsa2048.pem", slot="256K", mode=mode), limit)
                self.assertEqual(self.limits("--custom-tlv", "0xa0", "x" * 3000, "--boot-record", "SPE", key="rsa2048.pem",
                                             slot="256K", mode=mode), limit)

    def test_of_encrypted_images(self):
        to = ("--encrypt-to", KEYS / "rsa2048-enc.pub.pem", "--encrypt-bits", "256")
        blocks = {"key": "rsa2048.pem", "slot": "256K", "trailing": 15}
        self.assertEqual(self.limits(*to, mode="scratch", **blocks), 260560 - 64)
        self.assertEqual(self.limits(*to, "--save-enctlv", mode="scratch", **blocks), 260560 - 512)
        self.assertEqual(self.limits(*to, mode="overwrite", **blocks), 262104)
        # A trailer that fills its last sector to 16 bytes needs one more for the keys.
        self.assertEqual(self.limits(key="rsa2048.pem", slot="0x160000", mode="move", sectors=336), 0x15e000)
        self.assertEqual(self.limits(*to, mode="move", sectors=336, **(blocks | {"slot": "0x160000"})), 0x15d000)
        shown = self.run_json("image", "show", "big.out", "--slot-size", "256K", expect=0).result["fits"]
        self.assertEqual([each["limit"] for each in shown if (each["slot_size"], each["mode"]) == (0x40000, "scratch")][0],
                         260560 - 64)

    def test_verify_counts_the_keys_as_the_bootloader_keeps_them(self):
        self.write("device.pem", (KEYS / "rsa2048-enc.pem").read_bytes(), 0o600)
        self.write("large.bin", random.Random(7).randbytes(259_200))
        made = self.sign("--encrypt-to", KEYS / "rsa2048-enc.pub.pem", key="rsa2048.pem", payload="large.bin").result["size"]
        self.assertTrue(260560 - 512 < made <= 260560 - 32, made)
        slot = ("--slot-size", "256K", "--max-sectors", "128")
        verify = ("image", "verify", "--key", KEYS / "rsa2048.pub.pem", "--decrypt-with", "device.pem", *slot, "out.bin")
        self.run_json(*verify, "--boot-mode", "scratch", expect=0)
        run = self.run_json(*verify, "--boot-mode", "scratch", "--save-enctlv", expect=5)
        self.assertEqual(run.result["error"]["code"], "image-too-large")
        self.assertIn("at most 260,048 bytes", run.result["error"]["message"])
        self.run_json(*verify, "--boot-mode", "overwrite", "--save-enctlv", expect=0)
        for options, limit in ((), 260560 - 32), (("--save-enctlv",), 260560 - 512):
            fits = self.run_json("image", "show", "out.bin", "--slot-size", "256K", *options, expect=0).result["fits"]
            self.assertEqual([each["limit"] for each in fits if (each["slot_size"], each["mode"]) == (0x40000, "scratch")][0],
                             limit)
        # Of an image in clear nothing is kept.
        self.sign(key="rsa2048.pem", payload="large.bin")
        verify = ("image", "verify", "--key", KEYS / "rsa2048.pub.pem", *slot, "--boot-mode", "scratch", "out.bin")
        self.run_json(*verify, "--save-enctlv", expect=0)

    def test_verify_knows_the_slot_too(self):
        self.write("large.bin", random.Random(6).randbytes(259_000))
        self.sign(key="p256.pem", payload="large.bin")
        verify = ("image", "verify", "--key", KEYS / "p256.pub.pem", "out.bin")
        self.run_json(*verify, expect=0)
        run = self.run_json(*verify, "--slot-size", "256K", expect=5)
        self.assertEqual(run.result["error"]["code"], "image-too-large")
        self.assertIn("imgtool would accept it", run.result["error"]["message"])
        self.run_json(*verify, "--slot-size", "256K", "--boot-mode", "overwrite", expect=0)
        self.run_json(*verify, "--slot-size", "nothing", expect=2)
        self.write("zeros.bin", bytes(270_000))
        self.sign("--compress", "lzma2", key="p256.pem", payload="zeros.bin")
        self.assertIn("no other decompresses", self.run_json(*verify, "--slot-size", "1M", expect=4).result["error"]["message"])
        self.run_json(*verify, "--slot-size", "1M", "--boot-mode", "overwrite", expect=0)
        run = self.run_json(*verify, "--slot-size", "256K", "--boot-mode", "overwrite", expect=5)
        self.assertIn("after decompression", run.result["error"]["message"])

    def test_of_compressed_images(self):
        self.write("zeros.bin", bytes(240_000) + random.Random(5).randbytes(5_000))
        compressed = ("--compress", "lzma2", "--slot-size", "256K", "--boot-mode")
        for mode in ("move", "offset", "scratch"):
            message = self.refused(*compressed, mode, payload="zeros.bin")
            self.assertIn("overwrite-only", message)
        self.assertTrue(self.sign(*compressed, "overwrite", payload="zeros.bin").result["compressed"])
        os.remove(self.dir / "out.bin")
        self.write("zeros.bin", bytes(270_000))
        message = self.refused(*compressed, "overwrite", payload="zeros.bin", expect=5, code="image-too-large")
        self.assertIn("after decompression", message)
        # What does not get smaller is not compressed, and may be swapped.
        self.assertFalse(self.sign(*compressed, "move").result["compressed"])


if __name__ == "__main__":
    unittest.main()
