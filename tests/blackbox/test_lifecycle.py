"""Start, reload and end: SIGTERM, SIGHUP, probes."""

import json
import signal
import time
import urllib.error
import urllib.request

import pytest
import zmq
from harness import make_gateway, route
from mqtt_bytes import DISCONNECT, V5, V311, RawClient
from support.gateway import run_program
from support.waiting import can_connect, wait_until

JOBS = route("jobs", "job/{id}", "job.{id}", to="jobs")
PUSH = {"jobs": {"socket": "push"}}


def test_sigterm_says_goodbye(gateway, raw):
    """0x8B to version 5 clients, a plain close to 3.1.1; exit 0."""
    one = gateway()
    new, old = raw(one.port, V5), raw(one.port, V311)
    new.connect()
    old.connect()
    one.signal(signal.SIGTERM)
    assert new.expect(DISCONNECT).reason(V5) == 0x8B
    new.expect_closed()
    old.expect_closed()
    assert one.wait() == 0


def test_sigterm_with_nobody_there(gateway):
    one = gateway()
    begun = time.monotonic()
    one.stop()
    assert time.monotonic() - begun < 4, "waited for nothing"


def test_sigint_ends_too(gateway):
    one = gateway()
    one.signal(signal.SIGINT)
    assert one.wait() == 0


def test_signals_until_the_very_end_do_not_change_its_status(gateway):
    one = gateway()
    while one.running:
        one.signal(signal.SIGTERM)
    assert one.wait() == 0


def test_what_is_left_at_the_end_is_counted_and_logged(gateway, raw):
    """Jobs that no worker fetched within drain_timeout_ms: dropped{shutdown}, in the log."""
    one = gateway(endpoints=PUSH, routes=[JOBS], drain_timeout_ms=300)
    device = raw(one.port)
    device.connect()
    for i in range(7):
        assert device.publish(f"job/{i}", b"x", 1, packet_id=i + 1) == 0
    one.signal(signal.SIGTERM)
    assert one.wait() == 0
    log = one.log()
    assert "shutdown" in log and "7" in log


def test_drain_delivers_to_a_worker(gateway, raw, sockets):
    """What is queued when SIGTERM comes still goes to a worker that is there in time."""
    one = gateway(endpoints=PUSH, routes=[JOBS], drain_timeout_ms=15_000)
    device = raw(one.port)
    device.connect()
    for i in range(50):
        assert device.publish(f"job/{i}", b"%d" % i, 1, packet_id=i + 1) == 0
    worker = sockets(zmq.PULL)
    worker.connect(one.address("jobs"))
    assert worker.recv_multipart()[1] == b"0"
    one.signal(signal.SIGTERM)
    assert [int(worker.recv_multipart()[1]) for _ in range(49)] == list(range(1, 50))
    assert one.wait() == 0


def test_not_ready_while_draining(gateway, raw):
    """While it drains, new clients are turned away and /readyz is not 200."""
    one = gateway(endpoints=PUSH, routes=[JOBS], drain_timeout_ms=3000)
    device = raw(one.port)
    device.connect()
    assert device.publish("job/1", b"x", 1, packet_id=1) == 0
    one.signal(signal.SIGTERM)
    wait_until(lambda: one.get("/readyz")[0] != 200, "still ready")
    wait_until(lambda: not can_connect(one.port), "still listens")
    assert one.wait() == 0


def test_restart_on_the_same_ports(shards, tmp_path):
    """Five times in a row with connected clients: no 'address in use'."""
    one = make_gateway(tmp_path, shards, endpoints=PUSH, routes=[JOBS])
    for _ in range(5):
        with one, RawClient(one.port) as client:
            client.connect()


def test_probes(gateway):
    one = gateway()
    assert one.get("/healthz")[0] == 200
    assert one.get("/readyz")[0] == 200
    assert one.get("/no/such/path")[0] == 404
    assert run_program("health", "--config", one.config_file).returncode == 0
    one.stop()
    assert run_program("health", "--config", one.config_file).returncode == 1


class TestReload:
    """SIGHUP changes routes and drops no connection; a faulty file changes nothing."""

    @pytest.fixture
    def running(self, gateway, raw, sockets):
        one = gateway(endpoints=PUSH, routes=[JOBS])
        device, worker = raw(one.port), sockets(zmq.PULL)
        device.connect()
        worker.connect(one.address("jobs"))
        return one, device, worker

    @staticmethod
    def reload(one, routes=None, text=None, success=True):
        result = "ok" if success else "failed"
        before = one.metric("trestle_config_reloads_total", result=result)
        if text is None:
            one.write_config({**one.config, "routes": routes})
        else:
            one.config_file.write_text(text)
        one.signal(signal.SIGHUP)
        one.wait_metric(before + 1, "trestle_config_reloads_total", result=result)
        assert one.metric("trestle_config_last_reload_successful") == success

    def test_new_route(self, running):
        one, device, worker = running
        assert device.publish("extra/1", b"x", 1, packet_id=1) == 0x10
        self.reload(one, [JOBS, route("extra", "extra/{id}", "extra.{id}", to="jobs")])
        assert device.publish("extra/1", b"y", 1, packet_id=2) == 0
        assert worker.recv_multipart() == [b"extra.1", b"y"]
        device.ping()

    def test_removed_route(self, running):
        one, device, worker = running
        self.reload(one, [])
        assert device.publish("job/1", b"x", 1, packet_id=1) == 0x10
        device.ping()

    def test_changed_route(self, running):
        one, device, worker = running
        assert device.publish("job/1", b"old", 1, packet_id=1) == 0
        self.reload(one, [{**JOBS, "zmq": "work.{id}"}])
        assert device.publish("job/2", b"new", 1, packet_id=2) == 0
        assert worker.recv_multipart() == [b"job.1", b"old"]
        assert worker.recv_multipart() == [b"work.2", b"new"]

    @pytest.mark.parametrize("text", ["{", '{"endpoints": {"devices": {"plugin": "pigeon"}}}'],
                             ids=["cut", "fault"])
    def test_bad_file_changes_nothing(self, running, text):
        one, device, worker = running
        self.reload(one, text=text, success=False)
        assert device.publish("job/3", b"still", 1, packet_id=1) == 0
        assert worker.recv_multipart() == [b"job.3", b"still"]
        assert one.config_file.name in one.log()

    def test_what_needs_a_restart_is_said(self, running):
        one, device, worker = running
        config = {**one.config, "shards": one.config["shards"] + 1}
        one.config_file.write_text(json.dumps(config))
        one.signal(signal.SIGHUP)
        one.wait_log("needs a restart")
        device.ping()


def test_admin_token(gateway):
    """With admin.token, /metrics needs it; the probes do not."""
    one = gateway(arguments=["--set", "admin.token=secret"])

    def status(path, **headers):
        request = urllib.request.Request(one.admin + path, headers=headers)
        try:
            return urllib.request.urlopen(request, timeout=5).status
        except urllib.error.HTTPError as refusal:
            return refusal.code

    assert status("/metrics") == 401
    assert status("/metrics", Authorization="Bearer wrong!") == 401
    assert status("/metrics", Authorization="Bearer secret") == 200
    assert status("/healthz") == 200 and status("/readyz") == 200
