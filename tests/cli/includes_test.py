#!/usr/bin/env python3
"""The architecture as a test: which module may include which, and which library.

Link lists keep one module from calling another, but not from including its headers, and say nothing of header-only and
system libraries. So this reads every #include of lib/, cli/ and firmware/core and compares it with the table below, and
compares the link lists of lib/CMakeLists.txt with the same table. The table is the rule: a new edge is a decision about
the architecture and starts here.
"""

import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ.get("FOTACTL_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))

# module: (level, modules it may include, libraries it may include)
TABLE = {
    "core": (0, "", ""),
    "base": (0, "", "fmt libcrypto"),
    "image": (1, "base core", "openssl lzma libarchive nlohmann"),
    "flash": (1, "base core", ""),
    "coap": (1, "base", ""),
    "smp": (1, "base", "nlohmann boost-crc libcrypto"),
    "modem": (1, "base", ""),
    "layout": (2, "base core flash image", "yaml-cpp nlohmann"),
    "lwm2m": (2, "base coap", "nlohmann libcbor"),
    "release": (2, "base image", "libcrypto nlohmann"),
    "ports": (3, "base coap lwm2m smp", "asio"),
    "server": (4, "base coap lwm2m ports", "asio"),
    "update": (5, "base core flash image layout lwm2m smp release ports", "asio"),
    "provision": (5, "base coap lwm2m modem smp server ports", "nlohmann openssl asio"),
    "fleet": (6, "base image layout lwm2m release server update provision ports", "nlohmann spdlog asio"),
    "adapters": (6, "base coap smp image ports",
                 "spdlog nlohmann asio system libcoap openssl sqlite sqlitecpp libpq p11-kit"),
    "virtdev": (6, "core base flash image coap lwm2m smp modem ports", "nlohmann spdlog asio system"),
    "control": (7, "base fleet server update ports", "nlohmann beast asio openssl spdlog"),
    "cli": (8, "core base image flash coap smp modem layout lwm2m release ports server update provision fleet adapters"
               " virtdev control", "nlohmann spdlog asio system cli11 toml++"),
}
MODULES = {name: set(modules.split()) for name, (_, modules, _) in TABLE.items()}
# fmt is named by base alone and comes with it: whoever returns an Error formats a message.
LIBRARIES = {name: set(libraries.split()) | ({"fmt"} if "base" in modules.split() else set())
             for name, (_, modules, libraries) in TABLE.items()}

# Where a header belongs, by the beginning of its name; the first that fits decides.
HEADERS = [
    (r"fmt/", "fmt"),
    (r"openssl/(ssl|tls1|dtls1)\b", "openssl"),
    (r"openssl/", "libcrypto"),
    (r"nlohmann/", "nlohmann"),
    (r"yaml-cpp/", "yaml-cpp"),
    (r"spdlog/", "spdlog"),
    (r"boost/(asio|system)\b", "asio"),
    (r"boost/crc", "boost-crc"),
    (r"boost/beast", "beast"),
    (r"coap3/", "libcoap"),
    (r"SQLiteCpp/", "sqlitecpp"),
    (r"sqlite3\.h$", "sqlite"),
    (r"CLI/", "cli11"),
    (r"toml\+\+/", "toml++"),
    (r"lzma", "lzma"),
    (r"archive", "libarchive"),
    (r"cbor", "libcbor"),
    (r"libpq", "libpq"),
    (r"p11-kit/", "p11-kit"),
    # Pure modules open nothing, spawn nothing and log nothing: what would let them is a library of its own here.
    (r"(fstream|filesystem|iostream|thread|mutex|condition_variable|future|csignal|cstdio)$", "system"),
    (r"(sys|netinet|arpa|net|linux)/|(unistd|fcntl|termios|pty|poll|signal|spawn|dlfcn|dirent|netdb|pwd|grp|ifaddrs|time"
     r"|stdio)\.h$",
     "system"),
    # The C headers of a freestanding or nearly freestanding implementation, and the C++ standard library.
    (r"(stdint|stddef|stdbool|stdarg|limits|string|errno|inttypes)\.h$", "standard"),
    (r"[a-z_0-9]+$", "standard"),
]
# A library that brings another's headers with it.
BRINGS = {"openssl": {"libcrypto"}}

TARGETS = {
    "fmt::fmt": "fmt", "OpenSSL::Crypto": "libcrypto", "OpenSSL::SSL": "openssl", "yaml-cpp": "yaml-cpp",
    "nlohmann_json::nlohmann_json": "nlohmann", "spdlog::spdlog": "spdlog", "fotactl_libcoap": "libcoap",
    "LibLZMA::LibLZMA": "lzma", "fotactl_zip_reader": "libarchive", "SQLiteCpp": "sqlitecpp", "SQLite::SQLite3": "sqlite",
    "fotactl_asio": "asio", "PkgConfig::libcbor": "libcbor", "Boost::headers": "boost-crc",
}


def allowed_libraries(module):
    return LIBRARIES[module].union(*(BRINGS.get(library, set()) for library in LIBRARIES[module]), {"standard"})


def library_of(header):
    for pattern, library in HEADERS:
        if re.match(pattern, header):
            return library
    return None


def complaint(module, form, header, neighbours=()):
    """Why `module` may not have this #include, or None. `form` is '"' or '<'; `neighbours` are files of its own folder."""
    if form == '"':
        owner = header.split("/")[0]
        if "/" not in header:
            if header in neighbours and module == "core":
                return None
            return f'expected "module/{header}", found a name without its module'
        if owner not in TABLE:
            return f"expected a module of the table, found {owner}"
        if owner == module or owner in MODULES[module]:
            return None
        return f"{module} may use {' '.join(sorted(MODULES[module])) or 'no module'}, found {owner}"
    library = library_of(header)
    if library is None:
        return f"<{header}> belongs to no library of the table"
    if library in allowed_libraries(module):
        return None
    return f"{module} may use {' '.join(sorted(LIBRARIES[module])) or 'no library'}, found {library} (<{header}>)"


def includes(text):
    """(line, form, header) of each #include; a computed one comes with form '?', which nothing allows."""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*(?:(["<])([^">]+)[">]|(\S+))', line)
        if match:
            yield number, match.group(1) or "?", match.group(2) or match.group(3)


def violations(files):
    """`files`: (module, name, text, neighbours)."""
    found = []
    for module, name, text, neighbours in files:
        for line, form, header in includes(text):
            if form == "?":
                why = f"expected a header's name, found {header}"
            else:
                why = complaint(module, form, header, neighbours)
            if why:
                found.append(f"{name}:{line}: {why}")
    return found


def tree():
    folders = [("cli", SOURCE / "cli"), ("core", SOURCE / "firmware" / "core")]
    folders += [(path.name, path) for path in sorted((SOURCE / "lib").iterdir()) if path.is_dir()]
    for module, folder in folders:
        paths = [path for path in sorted(folder.rglob("*")) if path.suffix in (".h", ".hpp", ".c", ".cpp")]
        for path in paths:
            neighbours = {each.name for each in paths if each.parent == path.parent}
            yield module, str(path.relative_to(SOURCE)), path.read_text(encoding="utf-8"), neighbours


def link_rows(text):
    """module -> the link list of its row in lib/CMakeLists.txt"""
    text = re.sub(r"#.*", "", text)
    rows = re.findall(r"^fotactl_module\(\s*(\w+)\s*([^)]*)\)", text, re.MULTILINE)
    return {name: links.split() for name, links in rows}


def link_violations(rows):
    found = []
    for module, links in rows.items():
        if module not in TABLE:
            found.append(f"lib/CMakeLists.txt: {module} is not in the table")
            continue
        modules = {"core" if link == "firmware_core" else link.removeprefix("fota_")
                   for link in links if link == "firmware_core" or link.startswith("fota_")}
        expected = {name for name in MODULES[module] if name == "core" or name in rows}
        if modules != expected:
            found.append(f"lib/CMakeLists.txt: {module}: expected the modules {sorted(expected)}, found {sorted(modules)}")
        for link in links:
            if link == "firmware_core" or link.startswith("fota_"):
                continue
            library = TARGETS.get(link)
            if library is None or library not in allowed_libraries(module):
                found.append(f"lib/CMakeLists.txt: {module}: {link} is not among {sorted(LIBRARIES[module])}")
    return found


class Table(unittest.TestCase):
    def test_an_edge_leads_to_a_lower_level(self):
        for module, (level, modules, _) in TABLE.items():
            for other in modules.split():
                self.assertLess(TABLE[other][0], level, f"{module} -> {other}")

    def test_every_library_folder_has_a_row(self):
        folders = {path.name for path in (SOURCE / "lib").iterdir() if path.is_dir()}
        self.assertEqual(folders - set(TABLE), set())

    def test_includes_keep_to_the_table(self):
        files = list(tree())
        self.assertGreater(len(files), 20, "expected the project's sources, found few: the test looks in the wrong place")
        self.assertEqual(violations(files), [], "an edge that the table does not have")

    def test_cli11_comes_through_its_one_header(self):
        users = [str(path.relative_to(SOURCE)) for path in (SOURCE / "cli").rglob("*.?pp") if "<CLI/" in path.read_text("utf-8")]
        self.assertEqual(users, ["cli/cli11.hpp"], "which keeps sixty copies of CLI11's constants out of the program")

    def test_link_lists_are_the_table(self):
        rows = link_rows((SOURCE / "lib" / "CMakeLists.txt").read_text(encoding="utf-8"))
        self.assertIn("adapters", rows)
        self.assertEqual(link_violations(rows), [])


class CanFail(unittest.TestCase):
    """The checks above, on made-up sources that break each rule."""

    def one(self, module, line):
        return violations([(module, "made_up.cpp", f"// first\n{line}\n", {"near.h"})])

    def test_good_includes(self):
        for module, line in (("coap", '#include "base/bytes.hpp"'), ("coap", '#include "coap/message.hpp"'),
                             ("coap", "#include <vector>"), ("coap", "#include <fmt/format.h>"), ("core", '#include "near.h"'),
                             ("core", "#include <stdint.h>"), ("image", "#include <openssl/evp.h>"),
                             ("adapters", "#include <coap3/coap.h>"), ("cli", '#include "adapters/files.hpp"'),
                             ("server", "#include <boost/asio/awaitable.hpp>")):
            self.assertEqual(self.one(module, line), [], f"{module}: {line}")

    def test_bad_includes(self):
        for module, line in (("coap", '#include "lwm2m/path.hpp"'),          # upwards
                             ("update", '#include "coap/message.hpp"'),      # update never sees CoAP
                             ("update", '#include "adapters/files.hpp"'),
                             ("server", '#include "update/update.hpp"'),
                             ("virtdev", '#include "server/server.hpp"'),
                             ("core", '#include "base/bytes.hpp"'),
                             ("cli", "#include <coap3/coap.h>"),
                             ("cli", "#include <sqlite3.h>"),
                             ("coap", "  #  include <boost/asio.hpp>"),
                             ("layout", "#include <spdlog/spdlog.h>"),
                             ("base", "#include <SQLiteCpp/Database.h>"),
                             ("layout", "#include <filesystem>"),            # pure modules open nothing
                             ("image", "#include <unistd.h>"),
                             ("server", "#include <openssl/ssl.h>"),
                             ("image", "#include <spdlog/fmt/fmt.h>"),
                             ("server", "#include <yaml-cpp/yaml.h>"),
                             ("coap", "#include <zlib.h>"),                  # in no row at all
                             ("coap", '#include "message.hpp"'),             # without its module
                             ("coap", '#include "../base/bytes.hpp"'),
                             ("coap", '#include "lib/base/bytes.hpp"'),
                             ("coap", "#include SOME_MACRO")):
            found = self.one(module, line)
            self.assertEqual(len(found), 1, f"{module}: {line}: {found}")
            self.assertTrue(found[0].startswith("made_up.cpp:2: "), found)

    def test_bad_link_lists(self):
        good = {"base": ["fmt::fmt"], "coap": ["fota_base"]}
        self.assertEqual(link_violations(good), [])
        for module, links in (("coap", []), ("coap", ["fota_base", "fotactl_libcoap"]), ("base", ["fota_coap"]),
                              ("coap", ["fota_base", "unheard_of"]), ("new", ["fota_base"])):
            self.assertEqual(len(link_violations(good | {module: links})), 1, f"{module}: {links}")


if __name__ == "__main__":
    unittest.main()
