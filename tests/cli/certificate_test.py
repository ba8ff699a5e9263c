#!/usr/bin/env python3
"""Devices with X.509 certificates: fotactl push against openssl's DTLS client, which nobody here wrote."""

import json
import os
import pathlib
import select
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, os.path.dirname(__file__))
from push_test import ENDPOINT, Bench  # noqa: E402

OTHER = "urn:imei:350457790000000"


def registration(endpoint):
    """CoAP (RFC 7252): CON POST /rd?ep=...&lt=60&lwm2m=1.0&b=U with a list of objects."""
    out = bytearray([0x41, 0x02, 0x12, 0x34, 0x77])
    last = 0
    for number, value in ((11, b"rd"), (12, b"\x28"), (15, b"ep=" + endpoint.encode()), (15, b"lt=60"),
                          (15, b"lwm2m=1.0"), (15, b"b=U")):
        delta, last = number - last, number
        out.append(delta << 4 | min(len(value), 13))
        if len(value) >= 13:
            out.append(len(value) - 13)
        out += value
    return bytes(out) + b"\xff</1/0>,</3/0>,</5/0>"


class Certificates(Bench):
    image_bytes = 4096

    def setUp(self):
        super().setUp()
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     "ca.key", "-out", "ca.pem", "-subj", "/CN=factory", "-days", "2")
        self.issue("server", "gateway")
        self.issue("device", ENDPOINT)
        os.chmod(self.dir / "server.key", 0o600)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.dir, check=True, capture_output=True, timeout=60)

    def issue(self, name, common_name):
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={common_name}")
        self.openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                     "-out", f"{name}.pem", "-days", "2")

    def push(self, *options, endpoint=ENDPOINT, wait="20s"):
        process = self.start("push", "2.0.0.bin", "--endpoint", endpoint, "--listen", f"127.0.0.1:{self.port}",
                             "--certificate", "server.pem", "--certificate-key", "server.key", "--client-ca", "ca.pem",
                             "--key", "pub.pem", "--wait", wait, "--profile", "lan", "--json", *options)
        self.assertEqual(json.loads(process.stdout.readline())["event"], "listening")
        return process

    def client(self, endpoint, certificate="device"):
        client = subprocess.Popen(["openssl", "s_client", "-dtls1_2", "-connect", f"127.0.0.1:{self.port}", "-quiet",
                                   "-cert", f"{certificate}.pem", "-key", f"{certificate}.key", "-CAfile", "ca.pem",
                                   "-verify_return_error"], cwd=self.dir, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (client.kill(), client.wait(), client.stdin.close(), client.stdout.close()))
        client.stdin.write(registration(endpoint))
        client.stdin.flush()
        return client

    def test_a_device_registers_with_its_certificate(self):
        process = self.push()
        client = self.client(ENDPOINT)
        events = (json.loads(line) for line in process.stdout)
        first = next(event for event in events if event["event"] != "step")
        self.assertEqual((first["event"], first["endpoint"]), ("registered", ENDPOINT), first)
        # CoAP 2.01, with the message id and token of the request, through the same session.
        self.assertTrue(select.select([client.stdout], [], [], 30)[0], "no answer")
        self.assertEqual(client.stdout.read(5), bytes([0x61, 0x41, 0x12, 0x34, 0x77]))

    def test_a_certificate_speaks_for_its_own_endpoint_alone(self):
        process = self.push(endpoint=OTHER, wait="15s")
        self.client(OTHER)
        out, _ = process.communicate(timeout=60)
        result = json.loads(out.strip().splitlines()[-1])
        self.assertEqual((result["outcome"], result["exit"]), ("absent", 13), result)
        self.assertIn("its certificate names", json.dumps(result))

    def test_a_stranger_with_a_certificate_of_another_factory(self):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     "stranger.key", "-out", "stranger.pem", "-subj", f"/CN={ENDPOINT}", "-days", "2")
        process = self.push(wait="15s")
        self.client(ENDPOINT, "stranger")
        out, _ = process.communicate(timeout=60)
        result = json.loads(out.strip().splitlines()[-1])
        self.assertEqual(result["outcome"], "absent", result)
        self.assertIn("trusted", json.dumps(result))

    def test_what_is_refused_before_a_port_is_opened(self):
        base = ["push", "2.0.0.bin", "--endpoint", ENDPOINT, "--listen", f"127.0.0.1:{self.port}", "--key", "pub.pem",
                "--wait", "1s", "--certificate", "server.pem"]
        self.assertEqual(self.run_json(*base).exit, 2)
        whole = [*base, "--certificate-key", "server.key", "--client-ca", "ca.pem"]
        self.assertEqual(self.run_json(*whole, "--insecure-plain").exit, 2)
        os.chmod(self.dir / "server.key", 0o644)
        self.assertEqual(self.run_json(*whole).exit, 13)
        os.chmod(self.dir / "server.key", 0o600)
        other = [*base, "--certificate-key", "device.key", "--client-ca", "ca.pem"]
        os.chmod(self.dir / "device.key", 0o600)
        self.assertEqual(self.run_json(*other).exit, 13)


if __name__ == "__main__":
    unittest.main()
