#!/usr/bin/python3
"""House rules as a test: what a compiler does not see and a reviewer forgets.

    tests/tidy/tidy.py [ROOT]     prints every breach as path:line: sentence; exit 1 if there is one
"""

import pathlib
import re
import subprocess
import sys

MAX_LINES, MAX_COLUMNS = 499, 100
CHECKED = {".cpp", ".h", ".py"}

# Which rooms each room may include from, besides itself.
ROOMS = {
    "src/core": set(),
    "src/plugin_api": {"core"},
    "src/runtime": {"core", "plugin_api"},
    "src/store": {"core", "plugin_api"},
    "src/server": {"core", "plugin_api", "runtime", "store"},
    "src/cli": {"core", "plugin_api", "runtime", "store", "server"},
}
PLUGIN_ROOMS = {"core", "plugin_api"}
# The core has no sockets, threads, JSON or files.
NOT_IN_CORE = re.compile(r"<(thread|fstream|filesystem|iostream|regex|sys/socket\.h|netinet/.*|"
                         r"nlohmann/.*|boost/asio.*|boost/beast.*|zmq.*)>")
NOWHERE = re.compile(r"<(regex|iostream|bits/.*)>")

INCLUDE = re.compile(r'^\s*#\s*include\s+(<[^>]+>|"[^"]+")')
# [MQTT-3.1.2-22]; a second tag in the same brackets may be short: [MQTT-4.6.0-2, -3]
TAG = re.compile(r"\[MQTT-\d[^\]]*\]")
TAG_FORM = re.compile(r"\[MQTT-\d+\.\d+\.\d+-\d+(, (-\d+|MQTT-\d+\.\d+\.\d+-\d+))*\]")
# Spelt in two parts, so that this file keeps its own rule.
UNDONE = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


def room_of(path):
    """(name of the room, rooms it may include), or (None, None) outside all rooms."""
    parts = path.parts
    if parts[0] == "src" and len(parts) > 2 and (room := "/".join(parts[:2])) in ROOMS:
        return parts[1], ROOMS[room] | {parts[1]}
    if parts[0] == "plugins" and len(parts) > 2:
        return parts[1], PLUGIN_ROOMS | {parts[1]}
    return None, None


def in_program(path):
    """The program itself may print."""
    return path.parts[:2] in (("src", "cli"), ("src", "main.cpp"))


def check_includes(path, lines):
    room, allowed = room_of(path)
    known = {r.split("/")[1] for r in ROOMS} | {"mqtt", "zmq", "websocket"}
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        what = match.group(1)
        if NOWHERE.match(what) and path.parts[0] in ("src", "plugins") and not in_program(path):
            yield number, f"includes {what}, which is too heavy or not portable"
        if room is None:
            continue
        if room == "core" and NOT_IN_CORE.match(what):
            yield number, f"core includes {what}; it has no sockets, threads, JSON or files"
        target = what[1:-1].split("/")[0]
        if what[0] == '"' and "/" in what and target in known and target not in allowed:
            yield number, f"{room} may not include from {target}"
        if what[0] == '"' and ".." in what:
            yield number, f"{what} leaves its room by a path"


def check_header(lines):
    if not lines or not lines[0].startswith("//"):
        yield 1, "a header opens with a comment: what it is, who owns it, which thread, what fails"
    if "#pragma once" not in lines:
        yield 1, "#pragma once is missing"


def check_text(lines):
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_COLUMNS:
            yield number, f"{len(line)} columns; {MAX_COLUMNS} are allowed"
        if line != line.rstrip():
            yield number, "blanks at the end of the line"
        if "\t" in line:
            yield number, "a tab"
        if UNDONE.search(line):
            yield number, "unfinished work is not left in a comment"
        for tag in TAG.findall(line):
            if not TAG_FORM.fullmatch(tag):
                yield number, f"{tag} is not of the form [MQTT-3.1.2-22]"


def breaches(root, path):
    lines = (root / path).read_text(encoding="utf-8").split("\n")
    if lines[-1] == "":
        lines.pop()
    else:
        yield len(lines), "no newline at the end of the file"
    if len(lines) > MAX_LINES:
        yield len(lines), f"{len(lines)} lines; a file stays under 500"
    yield from check_text(lines)
    if path.suffix == ".h":
        yield from check_header(lines)
    if path.suffix in (".h", ".cpp"):
        yield from check_includes(path, lines)


def files(root):
    """What git knows, and what it would know after `git add`."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=root,
        capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        names = listing.stdout.splitlines()
    else:  # a source archive
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]
    for name in sorted(set(names)):
        path = pathlib.Path(name)
        if path.suffix in CHECKED and path.parts[0] != "build" and (root / path).is_file():
            yield path


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    root = root if root.is_dir() else root.parents[2]
    found = [(p, n, what) for p in files(root) for n, what in breaches(root, p)]
    for path, number, what in found:
        print(f"{path}:{number}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
