"""While it drains: who asks is answered, who hurries is heard, and the time is kept."""

import json
import signal
import socket
import time

import pytest
import zmq
from admin_api import Api
from harness import route
from slow_reader import SlowReader, flood
from support.gateway import run_program
from support.majordomo import Worker
from support.waiting import PATIENCE, can_connect, wait_until

FOREVER = 3_600_000
JOBS = 24  # of a megabyte: more than sockets hold
ENDPOINTS = {"web": {"plugin": "websocket", "json": {"max_write_buffer": 65536}},
             "jobs": {"socket": "push", "send_hwm": 1, "heartbeat_ms": 0},
             "workers": {"socket": "router"}}
ROUTES = [route("jobs", "job/{id}", "job.{id}", to="jobs"),
          route("work", "work/{id}", "encode", to="workers")]


def reader(one, raw):
    """A client that a goodbye cannot reach, as it reads nothing."""
    client = raw(one.port)
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.connect("reader")
    client.subscribe("flood/#")
    flood(one, raw)
    return client


def json_reader(one, raw):
    client = SlowReader(one, [{"op": "subscribe", "id": 1, "filter": "flood/#"}])
    assert json.loads(client.frame()[1])["ok"]
    flood(one, raw)
    return client


def idle_puller(one, raw):
    """A worker that takes no jobs, but might."""
    worker = zmq.Context.instance().socket(zmq.PULL)
    worker.set(zmq.LINGER, 0)
    worker.set(zmq.RCVHWM, 1)
    worker.set(zmq.RCVBUF, 65536)
    worker.set(zmq.RCVTIMEO, int(PATIENCE * 1000))
    worker.connect(one.address("jobs"))
    one.wait_peers("jobs", 1)
    device = raw(one.port)
    device.connect()
    for i in range(JOBS):
        assert device.publish("job/1", b"x" * 1_000_000, 1, packet_id=i + 1) == 0
    assert one.metric("trestle_route_queue_messages", route="jobs") > 0
    return worker


def take_all(one, worker):
    """The worker works at last; the gateway has nothing left, and ends."""
    for _ in range(JOBS):
        worker.recv_multipart()
    assert one.wait() == 0
    assert "dropped, shutdown" not in one.log()


def busy_worker(one, raw):
    """A worker that does not end its job."""
    worker = Worker(zmq.Context.instance(), one.address("workers"), b"encode")
    device = raw(one.port)
    device.connect()
    assert device.publish("work/1", b"x", 1, packet_id=1) == 0
    assert worker.recv()[-1] == b"x"
    return worker.socket


HOLD_UPS = [reader, json_reader, idle_puller, busy_worker]


@pytest.fixture
def draining(gateway, raw):
    """A function that starts a gateway and has it drain; somebody holds it up."""
    held = []

    def begin(hold_up, drain_timeout_ms=FOREVER, tell=lambda one: one.signal(signal.SIGTERM)):
        one = gateway(endpoints=ENDPOINTS, routes=ROUTES, drain_timeout_ms=drain_timeout_ms)
        held.append(hold_up(one, raw))
        one.told_at = time.monotonic()
        tell(one)
        wait_until(lambda: one.get("/readyz")[0] != 200, "is still ready")
        return one, held[-1]

    yield begin
    for client in held:
        getattr(client, "socket", client).close()


def test_who_asks_is_answered(draining):
    one, worker = draining(idle_puller)
    assert one.get("/healthz") == (200, "ok\n")
    assert one.get("/readyz") == (503, "draining\n")
    assert run_program("health", "--config", one.config_file).returncode == 1
    wait_until(lambda: not can_connect(one.port), "still listens")
    one.wait_metric(0, "trestle_connections", endpoint="devices")
    assert one.metric("trestle_route_queue_messages", route="jobs") > 0
    api = Api(one)
    assert len(api.get("/endpoints")["items"]) == 4 and len(api.get("/routes")["items"]) == 2
    assert api.get("/clients")["items"] == []
    for path in ("/sessions", "/subscriptions", "/retained", "/workers", "/config", "/stats"):
        api.get(path)
    assert api.ask("POST", "/drain", 202) == {"draining": True}
    for path, body in (("/reload", None), ("/publish", {"topic": "a", "payload": "x"})):
        assert "draining" in api.ask("POST", path, 503, body=body)["detail"]
    take_all(one, worker)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("hold_up", HOLD_UPS)
def test_a_second_signal_ends_it_at_once(draining, hold_up, number):
    one, _ = draining(hold_up)
    one.signal(number)
    assert one.wait() == 0
    assert "told a second time" in one.log()
    if hold_up in (idle_puller, busy_worker):
        assert "could not be delivered in time: dropped, shutdown" in one.log()


def test_a_signal_after_the_api_is_no_hurry(draining):
    one, worker = draining(idle_puller, tell=lambda one: Api(one).ask("POST", "/drain", 202))
    one.signal(signal.SIGTERM)
    one.wait_log("draining already")
    assert one.get("/readyz") == (503, "draining\n")
    take_all(one, worker)


@pytest.mark.parametrize("hold_up", HOLD_UPS)
def test_the_deadline_is_kept(draining, hold_up):
    one, _ = draining(hold_up, drain_timeout_ms=700)
    assert one.wait() == 0
    assert time.monotonic() - one.told_at > 0.5, "did not wait for anybody"


def test_reload_is_refused(draining):
    one, worker = draining(idle_puller)
    one.write_config({**one.config, "routes": []})
    one.signal(signal.SIGHUP)
    one.wait_log("reload ignored: the gateway is draining")
    assert len(json.loads(one.get("/api/v1/routes")[1])["items"]) == 2
    take_all(one, worker)
