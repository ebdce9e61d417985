"""Waiting for events with a deadline, and free ports."""

import itertools
import os
import socket
import time

PATIENCE = 20.0  # seconds; generous, as a sanitizer build on a busy machine is slow


class TimedOut(AssertionError):
    """What was waited for did not happen."""


def wait_until(condition, what, seconds=PATIENCE, every=0.01):
    """The first true value of condition(); raises TimedOut with `what` (text or callable)."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimedOut(f"after {seconds:g} s: {what() if callable(what) else what}")
        time.sleep(every)


def _port_numbers():
    """Below the range from which the system gives ports to clients; each of the test processes
    that run side by side (pytest-xdist numbers them) has a part of its own."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 10_000 + worker % 10 * 2_000
    start = os.getpid() % 2_000
    return itertools.cycle(first + (start + i) % 2_000 for i in range(2_000))


_numbers = _port_numbers()


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on, all different."""
    found = []
    for number in itertools.islice(_numbers, 2_000):
        try:
            socket.create_server(("127.0.0.1", number), reuse_port=False).close()
        except OSError:
            continue
        found.append(number)
        if len(found) == count:
            return found
    raise TimedOut(f"no {count} free ports")


def free_port():
    return free_ports(1)[0]


def can_connect(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False
