#!/usr/bin/env python3
"""What every command shares: help, misspellings, configuration and its origins, JSON, colours, readers that go away."""

import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from run_fotactl import Case, environment  # noqa: E402

ESCAPE = "\x1b["


class Help(Case):
    def test_version(self):
        run = self.run_fotactl("--version", expect=0)
        self.assertRegex(run.out, r"^fotactl \d+\.\d+\.\d+\n$")
        self.assertEqual(run.err, "")

    def test_help_names_commands_and_global_options(self):
        run = self.run_fotactl("--help", expect=0)
        for word in ("key", "image", "layout", "push", "sim", "config", "--json", "--verbose", "--quiet", "--no-color",
                     "--log-file", "--config", "--version"):
            self.assertIn(word, run.out)

    def test_help_of_a_command(self):
        run = self.run_fotactl("config", "show", "--help", expect=0)
        self.assertIn("origin", run.out)

    def test_help_of_a_group_names_all_its_commands_and_that_of_one_all_its_options(self):
        run = self.run_fotactl("image", "--help", expect=0)
        for word in ("sign", "verify", "show"):
            self.assertRegex(run.out, rf"(?m)^  {word}\b")
        # Options before the command's name do not hide it.
        self.assertIn("--pad-header", self.run_fotactl("image", "--no-color", "sign", "--help", expect=0).out)
        self.assertIn("--decrypt-with", self.run_fotactl("image", "verify", "--help", expect=0).out)

    def test_nothing_at_all_is_a_request_for_help(self):
        self.assertIn("--help", self.run_fotactl(expect=0).out)

    def test_a_group_alone_is_usage(self):
        run = self.run_fotactl("config", expect=2)
        self.assertIn("fotactl config --help", run.err)
        self.assertEqual(run.out, "")


class Misspelt(Case):
    def test_command_of_a_group(self):
        self.assertIn("did you mean verify?", self.run_fotactl("image", "verfy", expect=2).err)

    def test_command(self):
        run = self.run_fotactl("confg", expect=2)
        self.assertIn("confg", run.err)
        self.assertIn("did you mean config?", run.err)
        self.assertEqual(run.out, "")

    def test_command_in_a_group(self):
        self.assertIn("did you mean show?", self.run_fotactl("config", "shwo", expect=2).err)

    def test_nothing_near(self):
        run = self.run_fotactl("xylophone", expect=2)
        self.assertNotIn("did you mean", run.err)
        self.assertIn("--help", run.err)

    def test_option(self):
        run = self.run_fotactl("config", "show", "--no-colour", expect=2)
        self.assertIn("unknown option --no-colour for fotactl config show", run.err)
        self.assertIn("did you mean --no-color?", run.err)

    def test_json_shapes_even_this(self):
        for args in (("confg", "--json"), ("--json", "confg")):
            run = self.run_fotactl(*args, expect=2)
            self.assertEqual(len(run.events), 1, run)
            self.assertEqual((run.result["exit"], run.result["outcome"]), (2, "failed"))
            self.assertEqual(run.result["error"]["code"], "usage")
            self.assertIn("confg", run.result["error"]["message"])
            self.assertIn("did you mean config?", run.result["error"]["hints"])

    def test_foreign_bytes_do_not_reach_the_terminal(self):
        run = self.run_fotactl("pu\x1b[31msh", expect=2)
        self.assertNotIn("\x1b", run.err)


class Empty(Case):
    """A variable that is not set in a build must not turn into another meaning."""

    def test_values_of_options(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "key.pem", expect=0)
        self.write("payload.bin", b"\x5a" * 100)
        sign = ("image", "sign", "--key", "key.pem", "--version", "1.0.0", "--pad-header", "payload.bin", "out.bin")
        for option in ("--encrypt-to", "--security-counter", "--load-address", "--rom-fixed", "--boot-record", "--vid", "--cid",
                       "--manifest", "--hex-address", "--sig-out", "--slot-size", "--passphrase-file", "--passphrase-env",
                       "--log-file", "--config"):
            for words, sentence in (((option, ""), f"expected a value for {option}"), ((f"{option}=",), f"expected a value after {option}=, found none")):
                with self.subTest(words=words):
                    run = self.run_fotactl(*sign, *words, expect=2)
                    self.assertIn(sentence, run.err)
                    self.assertFalse((self.dir / "out.bin").exists())
        self.run_fotactl(*sign, "--custom-tlv", "0xa0", "", "--custom-tlv", "0xa1", "text", expect=0)

    def test_a_key_to_check_against(self):
        self.write("image.bin", b"no image")
        for command in (("image", "verify"), ("push", "--endpoint", "ep", "--dry-run"), ("serial", "update", "--port", "udp:localhost:1")):
            with self.subTest(command=command):
                run = self.run_json(*command, "--key", "", "image.bin", expect=2)
                self.assertIn("expected a value for --key, found an empty one", run.result["error"]["message"])
                run = self.run_json(*command, "image.bin", "--key=", expect=2)
                self.assertIn("expected a value after --key=, found none", run.result["error"]["message"])
                run = self.run_json(*command, "--key=", "image.bin", expect=2)
                self.assertIn("expected a value after --key=, found none", run.result["error"]["message"])

    def test_text_that_looks_like_an_open_option_is_a_value(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "key.pem", expect=0)
        self.write("payload.bin", b"\x5a" * 100)
        sign = ("image", "sign", "--key", "key.pem", "--version", "1.0.0", "--pad-header", "payload.bin", "app.bin")
        self.run_fotactl(*sign, "--custom-tlv", "0xa0", "--x=", expect=0)
        self.assertIn(b"--x=", (self.dir / "app.bin").read_bytes())
        bundle = ("bundle", "create", "--key", "key.pem", "--image", "app.bin")
        self.run_fotactl(*bundle, "--out", "a.bundle", "--note", "--x=", expect=0)
        # One that is no option of the command is named as such.
        self.assertIn("unknown option --x=", self.run_fotactl("config", "show", "--x=", expect=2).err)
        self.assertIn("unknown option --foo=", self.run_fotactl("serial", "shell", "--port", "udp:localhost:1", "echo", "--foo=",
                                                                expect=2).err)
        # Those of the command and of the ones above it are open, wherever they stand, and not taken for their cause.
        for words in (("--security-counter=", *sign[-2:]), (*sign[-2:], "--security-counter="), ("--log-file=", *sign[-2:]),
                      ("--no-such", "--vid=", *sign[-2:])):
            with self.subTest(words=words):
                self.assertRegex(self.run_fotactl(*sign[:-2], *words, expect=2).err, "expected a value after --[a-z-]+=, found none")

    def test_a_note_that_says_nothing_is_none(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "key.pem", expect=0)
        self.write("payload.bin", b"\x5a" * 100)
        self.run_fotactl("image", "sign", "--key", "key.pem", "--version", "1.0.0", "--pad-header", "payload.bin", "app.bin",
                         expect=0)
        create = ("create", "--key", "key.pem", "--image", "app.bin", "--out")
        self.run_fotactl("bundle", *create, "a.bundle", "--note", "", expect=0)
        self.run_fotactl("release", *create, "a.release", "--board", "nrf9160dk", "--soc", "nrf9160", "--notes", "", expect=0)
        self.assertIn("expected a value for --expires", self.run_fotactl("bundle", *create, "b.bundle", "--expires", "", expect=2).err)

    def test_words_behind_two_dashes_are_files(self):
        run = self.run_fotactl("image", "show", "--", "--key=", expect=3)
        self.assertIn("found No such file", run.err)


class Configuration(Case):
    def settings(self, *args, **options):
        result = self.run_json("config", "show", *args, expect=0, **options).result
        self.assertEqual((result["outcome"], result["exit"]), ("done", 0))
        return {each["name"]: (each["value"], each["origin"]) for each in result["settings"]}

    def test_defaults(self):
        settings = self.settings()
        self.assertEqual(settings["key"], (None, "default"))
        for name in ("credentials", "key", "layout", "listen", "profile", "state-dir"):
            self.assertIn(name, settings)

    def test_file_then_environment(self):
        self.write("fotactl.toml", '# ours\nkey = "release.pub.pem"\nlisten = "127.0.0.1:5684"\n')
        self.write(".config/fotactl/fotactl.toml", 'key = "of-the-user.pem"\nlayout = "build"\n')
        settings = self.settings(env={"FOTACTL_LISTEN": "127.0.0.1:9999"})
        self.assertEqual(settings["key"], ("release.pub.pem", "fotactl.toml:2"))
        self.assertEqual(settings["listen"], ("127.0.0.1:9999", "environment FOTACTL_LISTEN"))
        value, origin = settings["layout"]
        self.assertEqual(value, "build")
        self.assertTrue(origin.endswith(".config/fotactl/fotactl.toml:2"), origin)

    def test_named_file_replaces_the_others(self):
        self.write("fotactl.toml", 'key = "project.pem"\n')
        self.write("other.toml", 'layout = "build"\n')
        settings = self.settings("--config", "other.toml")
        self.assertEqual(settings["layout"], ("build", "other.toml:1"))
        self.assertEqual(settings["key"][1], "default")

    def test_state_dir_from_the_environment(self):
        settings = self.settings(env={"FOTACTL_STATE_DIR": "/var/lib/fota"})
        self.assertEqual(settings["state-dir"], ("/var/lib/fota", "environment FOTACTL_STATE_DIR"))

    def test_text_form_names_origins(self):
        self.write("fotactl.toml", 'key = "release.pub.pem"\n')
        run = self.run_fotactl("config", "show", expect=0)
        row = next(line for line in run.out.splitlines() if line.startswith("key "))
        self.assertIn("release.pub.pem", row)
        self.assertIn("fotactl.toml:1", row)

    def refused(self, text, *expected):
        self.write("fotactl.toml", text)
        run = self.run_json("config", "show", expect=3)
        self.assertEqual(run.result["error"]["code"], "config-invalid")
        for each in expected:
            self.assertIn(each, run.result["error"]["message"])

    def test_broken_toml_names_the_line(self):
        self.refused('key = "a.pem"\nlisten = = 3\n', "fotactl.toml:2")

    def test_unknown_setting_names_the_line(self):
        self.refused('\n\nkeys = "a.pem"\n', "fotactl.toml:3", "keys")

    def test_wrong_type_names_the_line(self):
        self.refused("key = 12\n", "fotactl.toml:1", "expected a string")

    def test_missing_named_file(self):
        run = self.run_json("config", "show", "--config", "absent.toml", expect=3)
        self.assertEqual(run.result["error"]["code"], "file-unreadable")
        self.assertIn("absent.toml", run.result["error"]["message"])
        self.assertTrue(run.result["error"]["hints"])

    def test_directory_as_file(self):
        self.assertEqual(self.run_json("config", "show", "--config", ".", expect=3).result["error"]["code"],
                         "file-unreadable")

    def test_log_file_that_cannot_be_written(self):
        self.write("plain", "")
        run = self.run_fotactl("config", "show", "--log-file", "plain/log", expect=3)
        self.assertIn("plain/log", run.err)


class Streams(Case):
    def test_json_writes_nothing_else(self):
        run = self.run_json("config", "show", expect=0)
        self.assertEqual(run.err, "")
        self.assertEqual(run.events[-1], run.result)

    def test_colours_on_a_terminal_only(self):
        self.assertNotIn(ESCAPE, self.run_fotactl("confg", expect=2).err)
        self.assertIn(ESCAPE, self.run_on_terminal("confg").out)

    def test_colours_declined(self):
        for args, env in ((("confg",), {"NO_COLOR": "1"}), (("confg",), {"TERM": "dumb"}), (("--no-color", "confg"), {})):
            run = self.run_on_terminal(*args, env=env)
            self.assertEqual(run.exit, 2)
            self.assertIn("confg", run.out)
            self.assertNotIn(ESCAPE, run.out, f"{args} {env}")

    def test_reader_that_goes_away(self):
        for args in ("--help", "config show", "config show --json", "confg"):
            command = f'"$0" {args} 2>&1 | head -n 1 >/dev/null; echo "${{PIPESTATUS[0]}}"'
            done = subprocess.run(["bash", "-c", command, self.command()[0]], cwd=self.dir, env=environment(self.dir),
                                  capture_output=True, text=True, timeout=60, check=True)
            self.assertIn(done.stdout.strip(), ("0", "2"), args)

    def test_streams_that_are_closed_or_full(self):
        for redirection in (">&-", "2>&-", ">&- 2>&- <&-", ">/dev/full 2>/dev/full"):
            for args, expected in (("config show --json", 0 if redirection == "2>&-" else 3), ("confg", 2)):
                done = subprocess.run(["bash", "-c", f'exec "$0" {args} {redirection}', self.command()[0]], cwd=self.dir,
                                      env=environment(self.dir), capture_output=True, timeout=60, check=False)
                self.assertEqual(done.returncode, expected, f"{args} {redirection}")

    def shell(self, line):
        done = subprocess.run(["bash", "-c", line, self.command()[0]], cwd=self.dir, env=environment(self.dir),
                              capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_a_report_that_cannot_be_written_is_no_success(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "k.pem", expect=0)
        self.write("payload.bin", bytes(100))
        self.run_fotactl("image", "sign", "--key", "k.pem", "--version", "1.0.0", "--pad-header", "payload.bin", "app.bin",
                         expect=0)
        for args in ("--help", "--version", "", "config show", "config show --json", "key show --key k.pem",
                     "key public --key k.pem", "image show --json app.bin", "image show app.bin", "image verify app.bin"):
            with self.subTest(args):
                code, _, said = self.shell(f'"$0" {args} >/dev/full')
                self.assertEqual(code, 3, said)
                self.assertEqual(len([line for line in said.splitlines() if line.startswith("error ")]), 1, said)
                self.assertIn("found No space left on device", said)
        code, _, said = self.shell('"$0" image verify --json payload.bin >/dev/full')
        self.assertEqual(code, 3, said)

    def test_a_reader_that_has_enough_hears_nothing(self):
        self.run_fotactl("key", "new", "--type", "ed25519", "--out", "k.pem", expect=0)
        self.write("payload.bin", bytes(300_000))
        self.run_fotactl("image", "sign", "--key", "k.pem", "--version", "1.0.0", "--pad-header", "payload.bin", "app.bin",
                         expect=0)
        sign = "image sign --key k.pem --version 1.0.0 --pad-header payload.bin -"
        for args, expected in (("image show app.bin", "0"), ("image show --json app.bin", "0"), ("config show", "0"),
                               (f"-q {sign}", "3"), ("imgtool version", "1")):
            with self.subTest(args):
                # The reader is gone before anything is written.
                line = f'(sleep 0.3; "$0" {args}; echo "$?" >code) | true; sleep 0.6; cat code'
                self.assertEqual(self.shell(line), (0, f"{expected}\n", ""), args)


if __name__ == "__main__":
    unittest.main()
