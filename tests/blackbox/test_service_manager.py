"""What systemd is told (Type=notify), and when: a socket of the test's own in its place."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from harness import make_gateway, route
from mqtt_bytes import RawClient
from support.gateway import sanitizer_environment
from support.waiting import PATIENCE, wait_until

F_SETPIPE_SZ = 1031


class Manager:
    """systemd's end of the socket."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(PATIENCE)

    def next(self, *, but_alive=True):
        """The next message, as a dict; those that only say that it is alive are passed over."""
        while True:
            lines = self.socket.recv(4096).decode().splitlines()
            said = dict(line.split("=", 1) for line in lines)
            if said != {"WATCHDOG": "1"} or not but_alive:
                return said

    def is_fed_within(self, seconds):
        self.socket.settimeout(seconds)
        try:
            return self.next(but_alive=False) == {"WATCHDOG": "1"}
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(PATIENCE)

    def forget(self):
        """Drops what has been said so far."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(4096):
                pass
        except BlockingIOError:
            pass
        self.socket.settimeout(PATIENCE)


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "path" else f"@trestle-{os.getpid()}"
    one = Manager(name)
    yield one
    one.socket.close()


@pytest.fixture
def service(manager, tmp_path):
    """A gateway that was given the socket, not started."""
    one = make_gateway(tmp_path, endpoints={"jobs": {"socket": "push"}}, drain_timeout_ms=1234)
    one.environment = {"NOTIFY_SOCKET": manager.name}
    yield one
    one.kill()


def test_ready_reload_stop(manager, service):
    service.start(ready=False)
    assert manager.next()["READY"] == "1"
    assert service.get("/readyz")[0] == 200, "said ready, and was not"

    before = time.monotonic_ns() // 1000
    service.signal(signal.SIGHUP)
    said = manager.next()
    assert said["RELOADING"] == "1"
    assert before <= int(said["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
    said = manager.next()
    assert said["READY"] == "1" and said["STATUS"] == "ready"

    service.write_config({**service.config, "routes": [route("x", to="nobody")]})
    service.signal(signal.SIGHUP)
    assert manager.next()["RELOADING"] == "1"
    said = manager.next()
    assert said["READY"] == "1" and "refused" in said["STATUS"]

    service.signal(signal.SIGTERM)
    said = manager.next()
    assert said["STOPPING"] == "1"
    assert int(said["EXTEND_TIMEOUT_USEC"]) >= 1_234_000, "longer than it may drain"
    assert service.wait() == 0


def test_reload_by_the_api_is_told_too(manager, service):
    service.start(ready=False)
    assert manager.next()["READY"] == "1"
    for routes, status, says in (([], 200, "ready"),
                                 ([route("x", to="nobody")], 409, "ready; reload refused")):
        service.write_config({**service.config, "routes": routes})
        request = urllib.request.Request(service.admin + "/api/v1/reload", method="POST")
        with contextlib.suppress(urllib.error.HTTPError):
            assert urllib.request.urlopen(request, timeout=PATIENCE).status == status == 200
        assert manager.next()["RELOADING"] == "1"
        said = manager.next()
        assert said["READY"] == "1" and said["STATUS"] == says
    service.stop()


def test_watchdog_is_fed_while_it_drains(manager, service):
    """For longer than the watchdog allows: a client that does not read holds it up."""
    service.environment.update(WATCHDOG_USEC="400000")
    service.config["drain_timeout_ms"] = 3_600_000
    service.start()
    with RawClient(service.port) as reader, RawClient(service.port) as writer:
        reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        reader.connect()
        reader.subscribe("flood/#")
        writer.connect()
        for i in range(16):
            writer.publish("flood/x", b"x" * 1_000_000, 1, packet_id=i + 1)
        manager.forget()  # a socket that nobody reads holds ten of them, and loses what comes then
        service.signal(signal.SIGTERM)
        while "STOPPING" not in manager.next():
            pass
        times = []
        for _ in range(5):
            assert manager.is_fed_within(PATIENCE)
            times.append(time.monotonic())
        assert service.running and times[-1] - times[0] < 4 * 0.4, "later than it allows"
    assert service.wait() == 0


def test_a_start_that_fails_is_never_called_ready(manager, service):
    with socket.create_server(("127.0.0.1", service.port)):
        service.start(ready=False)
        assert service.wait() == 1
    manager.socket.settimeout(0.01)
    with pytest.raises(TimeoutError):
        manager.next()


def test_watchdog_is_fed_in_time(manager, service):
    service.environment.update(WATCHDOG_USEC="400000")
    service.start()
    manager.next()
    times = []
    for _ in range(5):
        assert manager.is_fed_within(PATIENCE)
        times.append(time.monotonic())
    assert times[-1] - times[0] < 4 * 0.4, "later than the watchdog allows"
    service.stop()


def test_watchdog_meant_for_another_process(manager, service):
    service.environment.update(WATCHDOG_USEC="40000", WATCHDOG_PID="1")
    service.start()
    assert manager.next()["READY"] == "1"
    assert not manager.is_fed_within(0.3)
    service.stop()


@pytest.mark.parametrize("name", ["", "/nowhere/notify", "relative", "@", "/" + 200 * "x"])
def test_no_manager_is_fine(tmp_path, name):
    one = make_gateway(tmp_path)
    one.environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "x"}
    with one:
        one.signal(signal.SIGHUP)
        one.wait_metric(1, "trestle_config_reloads_total", result="ok")


@pytest.mark.parametrize("manager", ["path"], indirect=True)
def test_a_shard_that_hangs_starves_the_watchdog(manager, service):
    """A log that nobody reads stalls the shard that writes to it. The main thread goes on; it must
    not say that all is well."""
    service.environment.update(WATCHDOG_USEC="200000")
    service.config["log"] = {"level": "debug"}
    service.write_config()
    read, write = os.pipe()
    fcntl.fcntl(write, F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(
        [service.program, "serve", "--config", service.config_file], stdout=write,
        env={**sanitizer_environment(), **service.environment})
    os.close(write)
    try:
        manager.next()
        clients = []

        def starved():
            client = RawClient(service.port)
            clients.append(client)
            client.send(b"\x10\x7f" + b"x" * 127)
            manager.forget()
            return not manager.is_fed_within(0.5)

        wait_until(starved, "the pipe never filled up")

        def unready():
            status, reasons = service.get("/readyz")
            return status == 503 and "shard 0 has not run for" in reasons

        wait_until(unready, "ready, though its shard hangs")
        assert service.metrics().value("trestle_event_loop_lag_seconds") > 4
        os.set_blocking(read, False)

        def fed_again():
            try:
                os.read(read, 65536)
            except BlockingIOError:
                pass
            return manager.is_fed_within(0.2)

        wait_until(fed_again, "not fed after the log was read")
        for client in clients:
            client.socket.close()
    finally:
        process.kill()
        process.wait()
        os.close(read)
