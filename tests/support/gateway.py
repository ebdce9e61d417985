"""One running gateway: its config file, its process, its log, its metrics."""

import json
import os
import pathlib
import re
import signal
import subprocess
import urllib.error
import urllib.request

from .metrics import parse_metrics
from .waiting import PATIENCE, TimedOut, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("TRESTLE_BUILD", ROOT / "build/release")).absolute()
PROGRAM = BUILD / "bin/trestle"


def sanitizers():
    """Those that the build was made with: {"address", "undefined"}, {"thread"} or none."""
    cache = BUILD / "CMakeCache.txt"
    found = cache.exists() and re.search(r"^TRESTLE_SANITIZE:\w+=(.+)", cache.read_text(), re.M)
    return set(found[1].split(",")) if found else set()


SANITIZER_REPORT = re.compile(
    r"(ERROR|WARNING): (Address|Leak|Thread|Memory)Sanitizer|runtime error:|Assertion .* failed")


def sanitizer_environment():
    """Stops at the first report; libzmq is not built with the thread sanitizer, so its threads are
    not seen by it."""
    env = dict(os.environ)
    suppressions = ROOT / "tests/support/tsan.supp"
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=66")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1:exitcode=66")
    env.setdefault("TSAN_OPTIONS", f"exitcode=66:halt_on_error=1:suppressions={suppressions}")
    return env


def run_program(*arguments, timeout=PATIENCE, **more):
    """Runs `trestle` to its end; gives returncode, stdout, stderr as text."""
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, env={**sanitizer_environment(), **more.pop("env", {})},
                          **more)


class Gateway:
    """Starts on enter (or start()), must end with status 0 on stop()."""

    def __init__(self, config, folder, arguments=(), program=PROGRAM):
        self.config = config
        self.folder = pathlib.Path(folder)
        self.config_file = self.folder / "trestle.json"
        self.log_file = self.folder / "trestle.log"
        self.arguments = list(map(str, arguments))
        self.program = program
        self.environment = {}  # beside that of the tests
        self.process = None
        self.admin = config.get("admin", {}).get("listen", "")

    def write_config(self, config=None):
        if config is not None:
            self.config = config
        self.config_file.write_text(json.dumps(self.config, indent=2))

    def start(self, ready=True, seconds=PATIENCE):
        self.write_config()
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "serve", "--config", self.config_file, *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={**sanitizer_environment(), **self.environment})
        if ready:
            wait_until(self._ready_or_dead, lambda: "not ready; log:\n" + self.log(), seconds)
        return self

    def _ready_or_dead(self):
        if self.process.poll() is not None:
            raise TimedOut(f"ended with {self.process.returncode}; log:\n{self.log()}")
        return self.get("/readyz")[0] == 200

    # --- what it says ---

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def wait_log(self, text, seconds=PATIENCE):
        wait_until(lambda: text in self.log(), lambda: f"no {text!r} in log:\n{self.log()}",
                   seconds)

    def get(self, path, timeout=5):
        """(status, text); status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(self.admin + path, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except (OSError, ValueError):
            return 0, ""

    def metrics_text(self):
        status, text = self.get("/metrics")
        assert status == 200, f"/metrics answers {status}: {text}"
        return text

    def metrics(self):
        return parse_metrics(self.metrics_text())

    def metric(self, name, **labels):
        return self.metrics().value(name, **labels)

    def wait_metric(self, expected, name, seconds=PATIENCE, **labels):
        """Waits until the metric equals `expected`, or expected(value) holds."""
        seen = []

        def good():
            seen[:] = [self.metric(name, **labels)]
            return expected(seen[0]) if callable(expected) else seen[0] == expected

        wait_until(good, lambda: f"{name}{labels} is {seen[0]:g}, expected {expected}; log:\n"
                                 + self.log()[-3000:], seconds, every=0.03)
        return seen[0]

    # --- how it ends ---

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=PATIENCE):
        """The exit status; kills and complains when it does not end by itself."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimedOut(f"did not end within {seconds} s; log:\n{self.log()}") from None

    def stop(self, seconds=PATIENCE):
        """SIGTERM; it must end with status 0. Safe to call again."""
        if self.process is None:
            return
        if self.running:
            self.signal(signal.SIGTERM)
        status = self.wait(seconds)
        assert status == 0, f"ended with {status}; log:\n{self.log()}"

    def kill(self):
        if self.running:
            self.process.kill()
            self.process.wait()

    def check_log(self):
        report = SANITIZER_REPORT.search(self.log())
        assert not report, f"sanitizer report:\n{self.log()[report.start():][:8000]}"

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
        finally:
            self.kill()
        if kind is None:
            self.check_log()
