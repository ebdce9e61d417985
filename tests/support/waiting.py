"""Waiting for events with a deadline, and free ports."""

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


def free_ports(count):
    """Ports of 127.0.0.1 that nobody listens on, all different."""
    held = []
    try:
        for _ in range(count):
            held.append(socket.create_server(("127.0.0.1", 0)))
        return [s.getsockname()[1] for s in held]
    finally:
        for s in held:
            s.close()


def free_port():
    return free_ports(1)[0]


def can_connect(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False
