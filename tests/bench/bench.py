#!/usr/bin/python3
"""Mosquitto, mosquitto with a hand-written bridge, and Trestle in turn on the same work.

Run it by `./dev bench`. README.md says how to read what comes out.
"""

import argparse
import contextlib
import datetime
import fnmatch
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

import subjects
from report import print_report
from scenarios import FLOORS, JOBS, SCENARIOS, WORK

NOISE = 0.5  # cores that others used during a run; above it, the run is repeated once,
REPEATS_UNTIL = 240.0  # as long as the whole has not taken longer than this many seconds


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs per scenario (5)")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each run (1.5)")
    parser.add_argument("--quick", action="store_true", help="a few scenarios, one round")
    parser.add_argument("--only", metavar="PATTERN", action="append",
                        help="scenarios whose name contains this, or matches it with * and ?")
    parser.add_argument("--shards", type=int, default=1, help="shards of Trestle (1)")
    parser.add_argument("--v5", action="store_true", help="MQTT 5 instead of 3.1.1")
    parser.add_argument("--subjects", default="mosquitto,trestle", help="of these two")
    parser.add_argument("--no-floors", action="store_true", help="skip relay and bare ZeroMQ")
    parser.add_argument("--window", type=int, help="most deliveries outstanding (10,000); small "
                        "windows leave little to be done at once")
    parser.add_argument("--no-counts", action="store_true",
                        help="skip the runs that count allocations and system calls")
    parser.add_argument("--no-repeat", action="store_true", help="keep noisy runs")
    parser.add_argument("--list", action="store_true", help="only name the scenarios")
    parser.add_argument("--json", default=subjects.TOOLS / "results.json", help="where to write")
    return parser.parse_args()


def wanted(name, patterns):
    return not patterns or any(
        p.lower() in name.lower() or fnmatch.fnmatch(name.lower(), p.lower()) for p in patterns)


def build_tools():
    source = subjects.ROOT / "tests/bench/load"
    for command in (["cmake", "-G", "Ninja", "-S", source, "-B", subjects.TOOLS],
                    ["cmake", "--build", subjects.TOOLS]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"bench: cannot build the load generator:\n{done.stdout}{done.stderr}")


def result_of(command, seconds=120):
    """Runs a load program; its RESULT line as a dict. Losing messages is a result, not a
    failure."""
    command = [str(c) for c in command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"no end within {seconds} s"}
    found = re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)
    if not found:
        return {"error": (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1]}
    return json.loads(found.group(1))


def started(subject, scenario, args):
    return (subjects.trestle(scenario, args.shards) if subject == "trestle"
            else subjects.mosquitto(scenario))


def load(scenario, args, running, seconds):
    command = [subjects.TOOLS / "mqttload", *scenario.arguments(seconds, args.window),
               "--port", running.port, "--broker-pid", ",".join(map(str, running.pids)),
               *(["--v5"] if args.v5 else []), *running.load_flags]
    if scenario.bridge in ("pub", "push"):
        command += ["--pubs", 1]
    return result_of(command)


def run_once(subject, scenario, args):
    try:
        with started(subject, scenario, args) as running:
            return load(scenario, args, running, args.seconds)
    except (AssertionError, OSError, RuntimeError) as error:
        return {"error": str(error).strip()[:2000]}


def count_once(subject, scenario, args):
    """Allocations and system calls per message: of a long run less those of a short one, so that
    what connections and subscriptions need is not in it."""
    try:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="trestle-counts-"))
            with subjects.preloaded(folder):
                running = stack.enter_context(started(subject, scenario, args))
            samples = []
            for seconds in (0.2, 1.2):
                before = subjects.counts(folder, running.pids)
                run = load(scenario, args, running, seconds)
                after = subjects.counts(folder, running.pids)
                samples.append([run["delivered"], *(b - a for a, b in zip(before, after))])
    except (AssertionError, OSError, RuntimeError, KeyError):
        return {}
    messages, allocations, calls = (b - a for a, b in zip(*samples))
    if messages < 1000:
        return {}
    return {"allocations": max(allocations, 0) / messages, "system_calls": calls / messages}


def measure(subject, scenario, args):
    run = run_once(subject, scenario, args)
    noise = run.get("others_cores", 0) + run.get("steal_cores", 0)
    if noise > NOISE and time.monotonic() < args.repeats_until:
        again = run_once(subject, scenario, args)
        if again.get("others_cores", 9) + again.get("steal_cores", 0) < noise:
            return again
    return run


def medians(runs):
    good = [r for r in runs if "error" not in r]
    numbers = {k for r in good for k, v in r.items() if isinstance(v, (int, float))}
    out = {k: statistics.median(r[k] for r in good if k in r) for k in sorted(numbers)}
    for k in ("lost", "gaps", "repeated_or_reordered", "closed", "refused"):
        if k in out:
            out[k] = max(r.get(k, 0) for r in good)  # one loss in any round is a loss
    return out


def run_scenario(scenario, args, names):
    runs = {name: [] for name in names}
    for turn in range(min(scenario.rounds or args.rounds, args.rounds)):
        for name in names if turn % 2 == 0 else reversed(names):
            runs[name].append(measure(name, scenario, args))
    row = {"scenario": scenario.name, "command": scenario.command, "bridge": scenario.bridge,
           "goal": scenario.goal, "floor": scenario.floor,
           "runs": runs, "median": {n: medians(r) for n, r in runs.items()}}
    if not args.no_counts and scenario.timed:
        for name in names:
            row["median"][name].update(count_once(name, scenario, args))
    for name, its_runs in runs.items():
        for run in its_runs:
            if "error" in run:
                row.setdefault("errors", []).append(f"{name}: {run['error']}")
    return row


def run_floor(name, kind, flags, args):
    flags = [str(f) for f in flags]
    runs = []
    for _ in range(args.rounds):
        if kind == "zmq":
            runs.append(result_of(
                [subjects.TOOLS / "rawlimit", "zmq", "--messages", "500k", *flags]))
        else:
            with subjects.relay() as running:
                runs.append(result_of([
                    subjects.TOOLS / "mqttload", *flags, "--seconds", args.seconds,
                    "--port", running.port, "--broker-pid", running.pids[0]]))
    return {"floor": name, "runs": runs, "median": medians(runs)}


def run_work(name, flags, args):
    runs = []
    for _ in range(args.rounds):
        if flags[0] == "native":
            with subjects.full_router(JOBS, 64) as address:
                runs.append(result_of([subjects.TOOLS / "zmq_worker", "native", address, "work",
                                       JOBS, *flags[1:]]))
        else:
            runs.append(result_of([subjects.TOOLS / "zmq_worker", *flags]))
    return {"work": name, "runs": runs, "median": medians(runs)}


def machine():
    model = re.search(r"model name\s*:\s*(.*)", open("/proc/cpuinfo").read())
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=subjects.ROOT,
                            capture_output=True, text=True, check=False).stdout.strip()
    return {"cpu": model.group(1) if model else platform.machine(), "cores": os.cpu_count(),
            "kernel": platform.release(), "commit": commit,
            "date": datetime.datetime.now().isoformat(timespec="seconds")}


def main():
    args = options()
    if args.quick:
        args.rounds = 1
    chosen = [s for s in SCENARIOS
              if wanted(s.name, args.only) and (s.quick or args.only or not args.quick)]
    floors = [f for f in FLOORS if wanted(f[0], args.only)] if not args.no_floors else []
    work = [w for w in WORK if wanted(w[0], args.only)]
    if args.list:
        print(*(s.name for s in chosen), *("floor: " + f[0] for f in floors),
              *("work: " + w[0] for w in work), sep="\n")
        return 0
    if not chosen and not floors and not work:
        sys.exit("bench: no scenario has such a name; see --list")
    names = args.subjects.split(",")
    if not set(names) <= {"mosquitto", "trestle"}:
        sys.exit(f"bench: --subjects knows mosquitto and trestle, not {args.subjects}")
    if "trestle" in names and not subjects.Gateway({}, ".").program.exists():
        sys.exit("bench: the gateway is not built; ./dev build makes it")
    build_tools()

    results = {"machine": machine(), "rounds": args.rounds, "seconds": args.seconds,
               "mqtt": "5" if args.v5 else "3.1.1", "shards": args.shards, "rows": [], "floors": [],
               "work": []}
    begun = time.monotonic()
    args.repeats_until = 0 if args.no_repeat else begun + REPEATS_UNTIL
    for done, scenario in enumerate(chosen):
        print(f"[{done + 1}/{len(chosen)}] {scenario.name}", file=sys.stderr, flush=True)
        results["rows"].append(run_scenario(scenario, args, names))
    for floor in floors:
        print(f"[floor] {floor[0]}", file=sys.stderr, flush=True)
        results["floors"].append(run_floor(*floor, args))
    for name, flags in work:
        print(f"[work] {name}", file=sys.stderr, flush=True)
        results["work"].append(run_work(name, flags, args))
    results["took_s"] = round(time.monotonic() - begun, 1)
    with open(args.json, "w", encoding="utf-8") as out:
        json.dump(results, out, indent=1)
    print_report(results, names)
    print(f"\n{results['took_s']:.0f} s; every run is in {args.json}")
    return 1 if any("errors" in row for row in results["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
