"""MQTT to ZeroMQ: devices publish, workers receive by pyzmq."""

import json
import time

import pytest
import zmq
from harness import join, receive_all, route
from mqtt_bytes import PUBACK, V5, publish
from support.waiting import wait_until

READINGS = route("readings", "sensors/{site}/{device}/temperature", "temperature.{site}.{device}",
                 to="telemetry")


def test_sub_by_prefix(gateway, raw, sockets):
    """A SUB gets the keys that begin with its prefix, and no other."""
    one = gateway(endpoints={"telemetry": {"socket": "pub"}}, routes=[READINGS])
    sub = sockets(zmq.SUB)
    sub.connect(one.address("telemetry"))
    join(one, raw, sub, b"temperature.north.", probe="sensors/north/probe/temperature")
    device = raw(one.port)
    device.connect()
    device.publish("sensors/south/1/temperature", b"no")
    device.publish("sensors/north/1/humidity", b"no")
    device.publish("sensors/north/1/temperature/x", b"no")
    device.publish("sensors/north/1/temperature", b"21.5")
    assert sub.recv_multipart() == [b"temperature.north.1", b"21.5"]


def test_two_subscribers_both_get_it(gateway, raw, sockets):
    one = gateway(endpoints={"telemetry": {"socket": "pub"}}, routes=[READINGS])
    subs = [sockets(zmq.SUB) for _ in range(2)]
    for sub in subs:
        sub.connect(one.address("telemetry"))
        join(one, raw, sub, b"", probe="sensors/a/probe/temperature")
    one.wait_peers("telemetry", 2)
    device = raw(one.port)
    device.connect()
    device.publish("sensors/b/2/temperature", b"7", 1, packet_id=1)
    for sub in subs:
        while (got := sub.recv_multipart())[0] != b"temperature.b.2":
            assert got[0].endswith(b".probe")
        assert got[1] == b"7"


JOBS = route("jobs", "video/{id}/uploaded", "encode.{id}", to="jobs")


@pytest.mark.parametrize("qos", [0, 1])
def test_jobs_before_any_worker(gateway, raw, sockets, version, qos):
    """They wait, bounded, and go in order to the first worker."""
    one = gateway(endpoints={"jobs": {"socket": "push"}}, routes=[JOBS])
    device = raw(one.port, version)
    device.connect()
    for i in range(200):
        assert device.publish(f"video/{i}/uploaded", b"%d" % i, qos, packet_id=i + 1) in (0, None)
    one.wait_metric(200, "trestle_route_queue_messages", route="jobs")
    worker = sockets(zmq.PULL)
    worker.connect(one.address("jobs"))
    assert [int(f[1]) for f in receive_all(worker, 200)] == list(range(200))
    one.wait_metric(200, "trestle_route_messages_total", route="jobs", outcome="sent")
    assert one.metric("trestle_route_queue_messages", route="jobs") == 0


def test_two_workers_share(gateway, raw, sockets):
    """Every job reaches exactly one worker, and both work."""
    one = gateway(endpoints={"jobs": {"socket": "push"}}, routes=[JOBS])
    workers = [sockets(zmq.PULL) for _ in range(2)]
    for worker in workers:
        worker.connect(one.address("jobs"))
    one.wait_peers("jobs", 2)
    device = raw(one.port)
    device.connect()
    for i in range(300):
        device.publish(f"video/{i}/uploaded", b"%d" % i)
    poller, got = zmq.Poller(), {0: [], 1: []}
    for worker in workers:
        poller.register(worker, zmq.POLLIN)
    deadline = time.monotonic() + 20
    while sum(map(len, got.values())) < 300:
        assert time.monotonic() < deadline, {k: len(v) for k, v in got.items()}
        for worker, _ in poller.poll(100):
            got[workers.index(worker)].append(int(worker.recv_multipart()[1]))
    assert sorted(got[0] + got[1]) == list(range(300))
    assert len(got[0]) > 50 and len(got[1]) > 50
    assert got[0] == sorted(got[0]) and got[1] == sorted(got[1])


def test_worker_that_comes_back(gateway, raw, sockets):
    """Jobs wait while the only worker is away."""
    one = gateway(endpoints={"jobs": {"socket": "push"}}, routes=[JOBS])
    device = raw(one.port)
    device.connect()
    for turn in range(3):
        worker = sockets(zmq.PULL)
        worker.connect(one.address("jobs"))
        one.wait_peers("jobs", 1)
        device.publish(f"video/{turn}/uploaded", b"now")
        assert worker.recv_multipart() == [b"encode.%d" % turn, b"now"]
        worker.close()
        one.wait_peers("jobs", 0)


def test_connect_mode(gateway, raw, sockets):
    """The gateway connects to a worker that binds; before that, jobs wait."""
    worker = sockets(zmq.PULL)
    port = worker.bind_to_random_port("tcp://127.0.0.1")
    one = gateway(endpoints={"jobs": {"socket": "push", "connect": [f"tcp://127.0.0.1:{port}"]}},
                  routes=[JOBS])
    device = raw(one.port)
    device.connect()
    device.publish("video/9/uploaded", b"x", 1, packet_id=1)
    assert worker.recv_multipart() == [b"encode.9", b"x"]


@pytest.mark.parametrize("options,frames", [
    ({"format": "topic_payload"}, [b"encode.7", b"body"]),
    ({"format": "single", "separator": " "}, [b"encode.7 body"]),
    ({"format": "single", "separator": "::"}, [b"encode.7::body"]),
    ({"format": "payload"}, [b"body"]),
], ids=["topic_payload", "single", "single2", "payload"])
def test_formats(gateway, raw, sockets, options, frames):
    one = gateway(endpoints={"jobs": {"socket": "push", **options}}, routes=[JOBS])
    worker = sockets(zmq.PULL)
    worker.connect(one.address("jobs"))
    device = raw(one.port)
    device.connect()
    device.publish("video/7/uploaded", b"body")
    assert worker.recv_multipart() == frames


def test_format_full(gateway, raw, sockets):
    """[key][meta][payload]; the payload is the last frame, meta a JSON object."""
    one = gateway(endpoints={"jobs": {"socket": "push", "format": "full"}}, routes=[JOBS])
    worker = sockets(zmq.PULL)
    worker.connect(one.address("jobs"))
    device = raw(one.port)
    device.connect("camera7")
    device.publish("video/7/uploaded", b"\x00\xff", 1, packet_id=1,
                   props=b"\x03\x00\x04h264" + b"\x26\x00\x01k\x00\x01v")
    key, meta, payload = worker.recv_multipart()
    meta = json.loads(meta)
    assert (key, payload) == (b"encode.7", b"\x00\xff")
    assert meta["qos"] == 1
    assert "camera7" in meta.values()
    assert "h264" in json.dumps(meta) and '"k"' in json.dumps(meta)


def test_large_payload(gateway, raw, sockets):
    one = gateway(endpoints={"jobs": {"socket": "push"}}, routes=[JOBS])
    worker = sockets(zmq.PULL)
    worker.connect(one.address("jobs"))
    device = raw(one.port)
    device.connect()
    payload = bytes(range(256)) * 2000
    device.publish("video/1/uploaded", payload, 1, packet_id=1)
    assert worker.recv_multipart() == [b"encode.1", payload]


def test_exclude(gateway, raw, sockets):
    one = gateway(endpoints={"jobs": {"socket": "push"}},
                  routes=[{**JOBS, "exclude": ["video/secret/#"]}])
    worker = sockets(zmq.PULL)
    worker.connect(one.address("jobs"))
    device = raw(one.port)
    device.connect()
    assert device.publish("video/secret/uploaded", b"no", 1, packet_id=1) == 0x10
    assert device.publish("video/1/uploaded", b"yes", 1, packet_id=2) == 0
    assert worker.recv_multipart() == [b"encode.1", b"yes"]


def test_overlapping_routes_deliver_once(gateway, raw, sockets):
    """Two routes to one endpoint with the same key: one copy."""
    one = gateway(endpoints={"jobs": {"socket": "push"}},
                  routes=[route("some", "a/{x}", "k.{x}", to="jobs"),
                          route("all", "a/{rest...}", "k.{rest...}", to="jobs")])
    worker = sockets(zmq.PULL)
    worker.connect(one.address("jobs"))
    device = raw(one.port)
    device.connect()
    device.publish("a/1", b"1")
    device.publish("a/2", b"2")
    assert [f[-1] for f in receive_all(worker, 2)] == [b"1", b"2"]


def test_route_and_subscriber_both_get_it(gateway, raw, sockets):
    one = gateway(endpoints={"jobs": {"socket": "push"}}, routes=[JOBS])
    worker = sockets(zmq.PULL)
    worker.connect(one.address("jobs"))
    device, watcher = raw(one.port), raw(one.port)
    device.connect()
    watcher.connect()
    watcher.subscribe("video/#")
    device.publish("video/5/uploaded", b"x")
    assert worker.recv_multipart() == [b"encode.5", b"x"]
    assert watcher.expect_message().topic == "video/5/uploaded"


class TestFullQueue:
    """No worker: ten messages fit, then the policy decides."""

    @staticmethod
    def start(gateway, **queue):
        return gateway(endpoints={"jobs": {"socket": "push"}},
                       routes=[{**JOBS, "queue": {"max_messages": 10, **queue}}])

    @staticmethod
    def work(one, sockets, count):
        worker = sockets(zmq.PULL)
        worker.connect(one.address("jobs"))
        got = [int(f[1]) for f in receive_all(worker, count)]
        one.wait_metric(count, "trestle_route_messages_total", route="jobs", outcome="sent")
        return got

    @pytest.mark.parametrize("policy,kept", [("drop_oldest", range(5, 15)),
                                             ("drop_newest", range(10))])
    @pytest.mark.parametrize("qos", [0, 1])
    def test_drop(self, gateway, raw, sockets, policy, kept, qos):
        one = self.start(gateway, when_full=policy)
        device = raw(one.port)
        device.connect()
        for i in range(15):
            device.publish(f"video/{i}/uploaded", b"%d" % i, qos, packet_id=i + 1)
        one.wait_metric(5, "trestle_route_messages_total", route="jobs", outcome="dropped")
        one.wait_metric(5, "trestle_messages_dropped_total", endpoint="jobs", reason="queue_full")
        assert self.work(one, sockets, 10) == list(kept)

    def test_qos_0_drops_oldest_by_default(self, gateway, raw, sockets):
        one = self.start(gateway)
        device = raw(one.port)
        device.connect()
        for i in range(12):
            device.publish(f"video/{i}/uploaded", b"%d" % i)
        one.wait_metric(2, "trestle_route_messages_total", route="jobs", outcome="dropped")
        assert self.work(one, sockets, 10) == list(range(2, 12))

    def test_block_refuses_after_its_time(self, gateway, raw, sockets):
        """0x97 after block_ms in version 5; the connection lives on."""
        one = self.start(gateway, when_full="block", block_ms=400)
        device = raw(one.port)
        device.connect()
        for i in range(10):
            assert device.publish(f"video/{i}/uploaded", b"%d" % i, 1, packet_id=i + 1) == 0
        begun = time.monotonic()
        assert device.publish("video/10/uploaded", b"10", 1, packet_id=11) == 0x97
        assert time.monotonic() - begun > 0.35
        device.ping()
        one.wait_metric(1, "trestle_route_messages_total", route="jobs", outcome="refused")
        assert self.work(one, sockets, 10) == list(range(10))

    def test_block_lets_go_when_a_worker_comes(self, gateway, raw, sockets):
        """A PUBACK that was withheld arrives once there is room; reading never stopped."""
        one = self.start(gateway, when_full="block", block_ms=20_000)
        device = raw(one.port, V5)
        device.connect()
        for i in range(10):
            assert device.publish(f"video/{i}/uploaded", b"%d" % i, 1, packet_id=i + 1) == 0
        device.send(publish(V5, "video/10/uploaded", b"10", 1, 11))
        device.ping()
        assert self.work(one, sockets, 11) == list(range(11))
        assert device.expect(PUBACK).packet_id == 11

    def test_bytes_bound_the_queue_too(self, gateway, raw, sockets):
        one = gateway(endpoints={"jobs": {"socket": "push"}},
                      routes=[{**JOBS, "queue": {"max_bytes": 5000, "when_full": "drop_newest"}}])
        device = raw(one.port)
        device.connect()
        for i in range(10):
            device.publish(f"video/{i}/uploaded", b"%04d" % i + b"x" * 996)
        one.wait_metric(lambda v: v >= 5, "trestle_route_messages_total", route="jobs",
                        outcome="dropped")
        kept = one.metric("trestle_route_queue_messages", route="jobs")
        assert 2 <= kept <= 5


def test_blocked_route_harms_nobody(gateway, raw):
    """While one client waits for a full route, others publish and subscribe as ever."""
    one = gateway(endpoints={"jobs": {"socket": "push"}},
                  routes=[{**JOBS, "queue": {"max_messages": 1, "when_full": "block"}}])
    waiting, other = raw(one.port), raw(one.port)
    waiting.connect()
    other.connect()
    assert waiting.publish("video/1/uploaded", b"", 1, packet_id=1) == 0
    waiting.send(publish(V5, "video/2/uploaded", b"", 1, 2))
    other.subscribe("free/#")
    for i in range(100):
        other.publish("free/x", b"%d" % i)
        assert other.expect_message().payload == b"%d" % i
    wait_until(lambda: one.metric("trestle_route_in_flight", route="jobs")
               + one.metric("trestle_route_queue_messages", route="jobs") == 2, "not waiting")
