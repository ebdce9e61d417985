#!/usr/bin/python3
"""The table of plugins/mqtt/CONFORMANCE.md, held against the specifications and the tests.

    tests/tidy/conformance.py [ROOT]     prints what does not hold; exit 1 if there is anything

Every normative statement of MQTT 5.0 and 3.1.1 has its row, once and in order; every test that a
row names exists; and each test carries the tags of the rows that name it, and no others, in
comments above it:

    # 5.0 [MQTT-3.1.2-11, -12] [MQTT-4.7.0-1]
    # 3.1.1 [MQTT-3.1.2-13]
"""

import pathlib
import re
import sys

TABLE = "plugins/mqtt/CONFORMANCE.md"
# How many statements each section has; they count from 1, but where a range is given.
SECTIONS = {
    "5.0": {
        "1.5.4": 3, "1.5.5": 1, "1.5.7": 1, "2.1.3": 1, "2.2.1": range(2, 7), "2.2.2": 1,
        "3.1.0": 2, "3.1.2": 30, "3.1.3": 12, "3.1.4": 6, "3.2.0": 2, "3.2.2": 22, "3.3.1": 13,
        "3.3.2": 20, "3.3.4": 10, "3.4.2": 3, "3.5.2": 3, "3.6.1": 1, "3.6.2": 3, "3.7.2": 3,
        "3.8.1": 1, "3.8.3": 5, "3.8.4": 8, "3.9.2": 2, "3.9.3": 2, "3.10.1": 1, "3.10.3": 2,
        "3.10.4": 6, "3.11.2": 2, "3.11.3": 2, "3.12.4": 1, "3.14.0": 1, "3.14.1": 1, "3.14.2": 4,
        "3.14.4": 3, "3.15.1": 1, "3.15.2": 3, "4.1.0": 2, "4.2.0": 1, "4.3.1": 1, "4.3.2": 5,
        "4.3.3": 13, "4.4.0": 2, "4.5.0": 2, "4.6.0": 6, "4.7.0": 1, "4.7.1": 2, "4.7.2": 1,
        "4.7.3": 4, "4.8.2": 6, "4.9.0": 3, "4.12.0": 7, "4.12.1": 2, "4.13.1": 1, "4.13.2": 1,
        "6.0.0": 4},
    "3.1.1": {
        "1.5.3": 3, "2.2.2": 2, "2.3.1": 7, "3.1.0": 2, "3.1.2": 24, "3.1.3": 11, "3.1.4": 5,
        "3.2.0": 1, "3.2.2": 6, "3.3.1": 12, "3.3.2": 3, "3.3.4": 1, "3.3.5": 2, "3.6.1": 1,
        "3.8.1": 1, "3.8.3": 4, "3.8.4": 6, "3.9.3": 2, "3.10.1": 1, "3.10.3": 2, "3.10.4": 6,
        "3.12.4": 1, "3.14.1": 1, "3.14.4": 3, "4.1.0": 2, "4.3.1": 1, "4.3.2": 2, "4.3.3": 2,
        "4.4.0": 1, "4.5.0": 2, "4.6.0": 6, "4.7.1": 3, "4.7.2": 1, "4.7.3": 4, "4.8.0": 2,
        "6.0.0": 4, "7.0.0": 2, "7.1.1": 1, "7.1.2": 1},
}
HEADING = re.compile(r"## MQTT (5\.0|3\.1\.1)$")
ROW = re.compile(r"\| (\S+) \| ([^|]+) \| ([^|]+) \|$")
TAG = re.compile(r"\[MQTT-(\d+\.\d+\.\d+-\d+)\]")
TEST = re.compile(r"`([\w/]+\.(?:py|cpp))::([\w.]+)(?:\[(\w+)\])?`")
TAG_LINE = re.compile(r"# (5\.0|3\.1\.1)((?: \[[^\]]+\])+)$")


def statements(version):
    for section, numbers in SECTIONS[version].items():
        numbers = numbers if isinstance(numbers, range) else range(1, numbers + 1)
        yield from (f"{section}-{n}" for n in numbers)


def rows(text):
    """(line number, version, tag cell, what shows it) of each row."""
    version = None
    for number, line in enumerate(text.split("\n"), 1):
        if heading := HEADING.match(line):
            version = heading.group(1)
        elif line.startswith("## "):
            version = None
        elif version and line.startswith("| [") and (row := ROW.match(line)):
            yield number, version, row.group(1), row.group(3)


def expand(line):
    """The tags of one comment line: "# 5.0 [MQTT-3.1.2-11, -12]"."""
    for group in re.findall(r"\[MQTT-(\d+\.\d+\.\d+)-([^\]]+)\]", line):
        for number in group[1].split(", "):
            yield f"{group[0]}-{number.lstrip('-')}"


def tags_above(source, name):
    """{version: tags} of the comments above a function of a Python file; None: no such one."""
    lines = source.split("\n")
    at = next((i for i, line in enumerate(lines) if line.startswith(f"def {name}(")), None)
    if at is None:
        return None
    found = {"5.0": set(), "3.1.1": set()}
    while at > 0 and lines[at - 1].strip():
        at -= 1
        if tag_line := TAG_LINE.match(lines[at]):
            found[tag_line.group(1)] |= set(expand(lines[at]))
    return found


def check_test(root, file, name, parameter):
    """(sentence or None, {version: tags} or None when the test is no Python function)."""
    path = root / "tests" / (f"blackbox/{file}" if file.endswith(".py") else file)
    if not path.is_file():
        return f"there is no {path.relative_to(root)}", None
    source = path.read_text(encoding="utf-8")
    if file.endswith(".cpp"):
        suite, _, case = name.partition(".")
        there = re.search(rf"TEST(_F|_P)?\({suite}, {case}\)", source)
        return (None if there else f"{file} has no test {name}"), None
    tags = tags_above(source, name)
    if tags is None:
        return f"{file} has no function {name}", None
    if parameter and f'"{parameter}"' not in source and f'"{parameter}-v' not in source:
        return f"{file} has no case {parameter}", None
    return None, tags


def breaches(root):
    table = root / TABLE
    if not table.is_file():
        yield 0, "there is no such file"
        return
    wanted, carried, listed = {}, {}, {"5.0": [], "3.1.1": []}
    for number, version, cell, shown in rows(table.read_text(encoding="utf-8")):
        tag = TAG.fullmatch(cell)
        if not tag:
            yield number, f"{cell} is not of the form [MQTT-3.1.2-22]"
            continue
        listed[version].append(tag.group(1))
        tests = TEST.findall(shown)
        if not tests and not shown.strip().startswith("none:"):
            yield number, "names no test, and does not say why"
        for file, name, parameter in tests:
            fault, tags = check_test(root, file, name, parameter)
            if fault:
                yield number, fault
            elif tags is not None:
                carried[file, name] = tags
                wanted.setdefault((file, name), {"5.0": set(), "3.1.1": set()})[version].add(
                    tag.group(1))
    for version, tags in listed.items():
        right = list(statements(version))
        if tags != right:
            odd = next((a, b) for a, b in zip([*tags, None], [*right, None]) if a != b)
            yield 0, f"MQTT {version}: has {odd[0]} where {odd[1]} is next in the specification"
    for (file, name), tags in wanted.items():
        for version in tags:
            if odd := sorted(tags[version] ^ carried[file, name][version]):
                yield 0, f"{file}::{name}: table and test differ in {version} {', '.join(odd)}"


def main():
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else (
        pathlib.Path(__file__).resolve().parents[2])
    found = list(breaches(root))
    for number, what in found:
        print(f"{TABLE}:{number}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
