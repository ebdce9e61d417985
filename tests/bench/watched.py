#!/usr/bin/python3
"""What it costs to be looked at: the same work with nobody looking, and with the dashboard's
requests and a live tail of everything. CPU per message of the gateway, medians of alternating
rounds.

    tests/bench/watched.py [--rounds 5] [--seconds 2] [--only PATTERN]
"""

import argparse
import contextlib
import http.client
import statistics
import subprocess
import sys
import time
import urllib.parse

import bench
import subjects
from scenarios import SCENARIOS

# As the page does: path, and seconds between two requests. The panels that only one tab shows too.
ASKED = (("stats", 1), ("history", 1), ("endpoints", 5), ("routes", 5), ("sessions?limit=50", 3),
         ("workers?limit=50", 3))
TAIL = "tail?filter=%23&rate=50"


def look(admin):
    """Asks what the dashboard asks, until killed; in a process of its own, which is not counted."""
    where = urllib.parse.urlsplit(admin)
    tail = http.client.HTTPConnection(where.hostname, where.port)
    tail.request("GET", f"/api/v1/{TAIL}")
    stream = tail.getresponse()
    assert stream.status == 200, stream.status
    page = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    due = {path: 0.0 for path, _ in ASKED}
    told = False
    while True:
        for path, seconds in ASKED:
            if time.monotonic() < due[path]:
                continue
            due[path] = time.monotonic() + seconds
            page.request("GET", f"/api/v1/{path}")
            answer = page.getresponse()
            assert answer.status == 200, (path, answer.status)
            answer.read()
        assert stream.read1(65536), "the tail has ended"
        if not told:
            print("looking", flush=True)
            told = True


@contextlib.contextmanager
def watchers(admin, looked_at):
    if not looked_at:
        yield
        return
    with subprocess.Popen([sys.executable, __file__, "--look", admin],
                          stdout=subprocess.PIPE) as process:
        try:
            process.stdout.readline()  # it has started: that is not what is measured
            yield
            assert process.poll() is None, "the watcher has ended"
        finally:
            process.kill()


def run_once(scenario, seconds, looked_at):
    with subjects.trestle(scenario) as running, watchers(running.admin, looked_at):
        command = [subjects.TOOLS / "mqttload", *scenario.arguments(seconds), "--port",
                   running.port, "--broker-pid", ",".join(map(str, running.pids)),
                   *running.load_flags]
        if scenario.bridge in ("pub", "push"):
            command += ["--pubs", 1]
        return bench.result_of(command)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--look", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.look:
        return look(args.look)
    if not (subjects.TOOLS / "mqttload").exists():
        bench.build_tools()
    for scenario in (s for s in SCENARIOS if s.quick and bench.wanted(s.name, args.only)):
        costs = {False: [], True: []}
        for turn in range(args.rounds):
            for looked_at in (False, True) if turn % 2 == 0 else (True, False):
                run = run_once(scenario, args.seconds, looked_at)
                if "error" in run:
                    sys.exit(f"{scenario.name}: {run['error']}")
                costs[looked_at].append(run["broker_cpu_s_per_M"])
        alone, watched = (statistics.median(costs[x]) for x in (False, True))
        print(f"{scenario.name:40} {alone:7.3f} {watched:7.3f} s per million  "
              f"{(watched / alone - 1) * 100:+5.1f} %", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
