#!/usr/bin/python3
"""Instructions and allocations per message, counted by callgrind on fixed scenarios.

    instructions.py --program build/release/tests/per_message     compares with figures.json
    instructions.py ... --record                                  writes what it counts to it

The figures hold for one compiler: with another it says so and ends with status 77 (skipped).
Nothing is timed, so it does not matter what else the machine does.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FIGURES = pathlib.Path(__file__).with_name("instructions") / "figures.json"
TOLERANCE = 0.10
SKIPPED = 77


def count(program, scenario):
    """Per message: instructions, allocations."""
    with tempfile.TemporaryDirectory(prefix="trestle-instructions-") as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=measured",
             f"--callgrind-out-file={folder}/out", program, scenario],
            capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not collected:
        sys.exit(f"instructions: {scenario} failed:\n{done.stdout}{done.stderr}")
    run = json.loads(done.stdout.splitlines()[0])
    return {"instructions": round(int(collected.group(1)) / run["messages"], 1),
            "allocations": round(run["allocations"] / run["messages"], 2)}


def count_all(program):
    names = subprocess.run([program], capture_output=True, text=True, check=True).stdout.split()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(names, pool.map(lambda name: count(program, name), names)))


def compare(counted, recorded):
    """The scenarios whose figures are worse than what was recorded; prints all."""
    off = []
    for name, figures in counted.items():
        before = recorded.get(name, {})
        for what, value in figures.items():
            known = before.get(what)
            change = "new" if known is None else f"{value / known - 1:+.1%}" if known else ""
            print(f"{name:20s} {value:10,.2f} {what:14s} per message {change}")
            slack = max(TOLERANCE * (known or 0), 0.05)
            if known is None or value > known + slack:
                off.append(f"{name}: {value} {what}, recorded are {known}")
            elif value < known - slack:
                print("    better than on record: --record keeps it so")
    return off


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, type=pathlib.Path)
    parser.add_argument("--compiler", default="GNU 12.2.0 x86_64", help="what built it")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    if not shutil.which("valgrind"):
        print("instructions: valgrind is not installed")
        return SKIPPED
    recorded = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if not args.record and recorded.get("compiler") != args.compiler:
        print(f"instructions: built by {args.compiler}, recorded with {recorded.get('compiler')}: "
              "not comparable")
        return SKIPPED
    counted = count_all(args.program.resolve())
    off = compare(counted, recorded.get("per_message", {}))
    if args.record:
        record = {"compiler": args.compiler, "per_message": counted}
        FIGURES.write_text(json.dumps(record, indent=1) + "\n")
        return 0
    if off:
        print("\ninstructions: more than 10 % above what is recorded. Find out why; if it is worth "
              "it, record it\n(--record) and add a line to tests/bench/README.md.\n"
              + "\n".join(off))
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
