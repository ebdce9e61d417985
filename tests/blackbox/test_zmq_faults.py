"""ZeroMQ peers that hang, die, stop or come in masses: each harms itself alone."""

import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys

import pytest
import zmq
from harness import join, route
from mqtt_bytes import PUBACK, V5, publish
from support.metrics import balance_of_route
from support.waiting import PATIENCE, TimedOut, wait_until
from support.zmtp import reset, speak_zmtp

READINGS = route("readings", "sensors/{device}/value", "v.{device}.", to="out")
JOBS = route("jobs", "job/{n}", "job.{n}", to="jobs")

PEER = """
import sys, zmq
kind, address, mode = sys.argv[1:]
socket = zmq.Context().socket(getattr(zmq, kind))
socket.rcvhwm, socket.rcvbuf = 1, 4096
if kind == "SUB":
    socket.subscribe(b"")
socket.connect(address)
print("connected", flush=True)
while mode == "read":
    socket.recv_multipart()
    print("got", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def process():
    """A function that starts a peer in a process of its own; it dies at the end of the test."""
    started = []

    def start(kind, address, mode="idle"):
        one = subprocess.Popen([sys.executable, "-c", PEER, kind, address, mode], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(one)
        assert one.stdout.readline() == "connected\n"
        return one

    yield start
    for one in started:
        one.kill()
        one.wait()
        one.stdin.close()
        one.stdout.close()


def balanced(one, name):
    matched, accounted = balance_of_route(one.metrics(), name)
    return matched == accounted


def flood(device, topic, count, payload):
    """QoS 1 in windows of 100, all acknowledged."""
    for begin in range(0, count, 100):
        device.send(*(publish(V5, topic, payload, 1, i + 1) for i in range(100)))
        for _ in range(100):
            assert device.expect(PUBACK).reason(V5) == 0


def memory_kib(one):
    status = pathlib.Path(f"/proc/{one.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def descriptors(one):
    return len(os.listdir(f"/proc/{one.process.pid}/fd"))


def device_of(one, raw):
    device = raw(one.port)
    device.connect()
    return device


# The address sanitizer keeps up to 256 MB of what was freed out of use (quarantine_size_mb), so
# that memory grows with what passes, not with what is held.
@pytest.mark.not_under("address")
def test_a_subscriber_that_never_reads(gateway, raw, sockets, process):
    """It loses messages, nobody else does; what it may hold is bounded by send_hwm."""
    one = gateway(endpoints={"out": {"socket": "pub", "send_hwm": 100}}, routes=[READINGS])
    process("SUB", one.address("out"))
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    device = device_of(one, raw)
    payload = b"x" * 20_000
    flood(device, "sensors/1/value", 500, payload)
    before = memory_kib(one)
    flood(device, "sensors/1/value", 3000, payload)  # 60 MB
    assert memory_kib(one) - before < 20_000
    good = sockets(zmq.SUB, rcvhwm=0)
    good.connect(one.address("out"))
    join(one, raw, good, b"v.", probe="sensors/probe/value")
    for _ in range(20):
        device.publish("sensors/2/value", payload, 1, packet_id=1)
        assert good.recv_multipart() == [b"v.2.", payload]
    assert one.metric("trestle_route_messages_total", route="readings", outcome="dropped") == 0
    wait_until(lambda: balanced(one, "readings"), "the books")


@pytest.mark.parametrize("kind,endpoint", [("SUB", "out"), ("PULL", "jobs")])
def test_a_stopped_process(gateway, raw, sockets, process, kind, endpoint):
    """SIGSTOP with an open socket: pings go unanswered, and it no longer counts as a peer."""
    one = gateway(endpoints={"out": {"socket": "pub", "heartbeat_ms": 200},
                             "jobs": {"socket": "push", "heartbeat_ms": 200, "send_hwm": 1}},
                  routes=[READINGS, JOBS])
    stopped = process(kind, one.address(endpoint), "read")
    one.wait_peers(endpoint, 1)
    stopped.send_signal(signal.SIGSTOP)
    one.wait_peers(endpoint, 0)
    device = device_of(one, raw)
    other = sockets(getattr(zmq, kind))
    if kind == "SUB":
        other.subscribe(b"v.1.")
    other.connect(one.address(endpoint))
    one.wait_peers(endpoint, 1)
    if kind == "SUB":
        one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
        device.publish("sensors/1/value", b"x", 1, packet_id=1)
        assert other.recv_multipart() == [b"v.1.", b"x"]
    else:
        for n in range(10):
            device.publish(f"job/{n}", b"x", 1, packet_id=1)
        assert [other.recv_multipart()[0] for _ in range(10)] == [b"job.%d" % n for n in range(10)]
    stopped.send_signal(signal.SIGCONT)  # libzmq connects again by itself
    one.wait_peers(endpoint, 2)


def test_a_worker_that_takes_its_time_loses_nothing(gateway, raw, sockets):
    """It reads nothing for longer than a ping and the wait for its answer take where there are
    pings (5 s and 15 s), with more before it than its queue and the sockets' buffers hold."""
    one = gateway(endpoints={"jobs": {"socket": "push"}}, routes=[JOBS])
    worker = sockets(zmq.PULL, rcvhwm=1, rcvbuf=4096)
    worker.connect(one.address("jobs"))
    one.wait_peers("jobs", 1)
    device = device_of(one, raw)
    total = 3000
    for n in range(0, total, 100):
        device.send(*(publish(V5, f"job/{n + i}", b"x" * 5000, 1, i + 1) for i in range(100)))
        for _ in range(100):
            device.expect(PUBACK)
    assert one.metric("trestle_route_queue_messages", route="jobs") > 0
    with pytest.raises(TimedOut):
        wait_until(lambda: one.metric("trestle_zmq_peers", endpoint="jobs") == 0, "it is cut off",
                   seconds=24, every=1)
    for n in range(total):
        assert worker.recv_multipart()[0] == b"job.%d" % n
    wait_until(lambda: balanced(one, "jobs"), "the books")


def test_a_worker_killed_at_work(gateway, raw, process):
    """What it loses is bounded: its own queue, send_hwm, and what the kernel holds in between."""
    one = gateway(endpoints={"jobs": {"socket": "push", "send_hwm": 1}}, routes=[JOBS])
    worker = process("PULL", one.address("jobs"), "read")
    one.wait_peers("jobs", 1)
    device = device_of(one, raw)
    size, total = 100_000, 200
    for n in range(0, total, 100):
        device.send(*(publish(V5, f"job/{n + i}", b"x" * size, 1, i + 1) for i in range(100)))
        for _ in range(100):
            device.expect(PUBACK)
    for _ in range(20):
        assert worker.stdout.readline() == "got\n"
    os.kill(worker.pid, signal.SIGSTOP)  # it reads no more
    worker.send_signal(signal.SIGKILL)
    done = 20 + worker.stdout.read().count("got")
    one.wait_peers("jobs", 0)
    sent = one.metric("trestle_route_messages_total", route="jobs", outcome="sent")
    kernel = 8_000_000 // size
    assert sent - done <= 1 + 1 + 1 + kernel
    second = process("PULL", one.address("jobs"), "read")
    for _ in range(int(total - sent)):
        assert second.stdout.readline() == "got\n"
    one.wait_metric(total, "trestle_route_messages_total", route="jobs", outcome="sent")
    assert balanced(one, "jobs")


def test_peers_that_connect_again_and_again(gateway, raw, sockets):
    one = gateway(endpoints={"out": {"socket": "pub"}, "jobs": {"socket": "push"},
                             "in": {"socket": "pull"}},
                  routes=[READINGS, JOBS, route("in", "in/{x}", "in.{x}", source="in")])
    kinds = {zmq.SUB: "out", zmq.PULL: "jobs", zmq.PUSH: "in"}
    before = descriptors(one)
    for n in range(60):
        for kind, endpoint in kinds.items():
            peer = sockets(kind)
            if kind == zmq.SUB:
                peer.subscribe(b"v.%d" % n)
            peer.connect(one.address(endpoint))
            if n % 3 == 0:
                wait_until(lambda e=endpoint: one.metric("trestle_zmq_peers", endpoint=e) > 0, "in")
            peer.close()
    for endpoint in kinds.values():
        one.wait_peers(endpoint, 0)
    one.wait_metric(0, "trestle_zmq_subscriptions", endpoint="out")
    wait_until(lambda: descriptors(one) <= before + 5, lambda: f"{before} -> {descriptors(one)}")


def test_connections_that_say_nothing_are_no_peers(gateway, raw):
    one = gateway(endpoints={"out": {"socket": "pub", "handshake_timeout_ms": 300}},
                  routes=[READINGS])
    links = [socket.create_connection(("127.0.0.1", one.port_of("out")), timeout=PATIENCE)
             for _ in range(20)]
    links[0].sendall(b"\xff\0\0\0\0\0\0\0\1\x7f")
    for link in links:
        while link.recv(100):
            pass
        link.close()
    assert one.metric("trestle_zmq_peers", endpoint="out") == 0


# As in test_router_faults.py: UBSan's check of types needs two descriptors for a pipe.
@pytest.mark.not_under("undefined")
def test_no_descriptors_left(gateway, raw, sockets):
    """Those who are connected go on; when descriptors are free again, others get in."""
    one = gateway(endpoints={"out": {"socket": "pub", "handshake_timeout_ms": 60_000}},
                  routes=[READINGS])
    sub = sockets(zmq.SUB)
    sub.connect(one.address("out"))
    join(one, raw, sub, b"v.", probe="sensors/probe/value")
    device = device_of(one, raw)
    wait_until(lambda: one.metrics_text(), "metrics")
    used = max(map(int, os.listdir(f"/proc/{one.process.pid}/fd"))) + 1
    _, hard = resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, (used + 10, hard))
    links = [socket.create_connection(("127.0.0.1", one.port_of("out")), timeout=PATIENCE)
             for _ in range(60)]
    wait_until(lambda: descriptors(one) >= used + 9 or
               len(os.listdir(f"/proc/{one.process.pid}/fd")) >= used, "used up")
    for n in range(50):
        device.publish("sensors/1/value", b"%d" % n, 1, packet_id=1)
        assert sub.recv_multipart() == [b"v.1.", b"%d" % n]
    for link in links:
        link.close()
    late = sockets(zmq.SUB)
    late.connect(one.address("out"))
    join(one, raw, late, b"v.", probe="sensors/probe/value")


def test_a_thousand_frames(gateway, raw, sockets):
    one = gateway(endpoints={"in": {"socket": "pull"}, "out": {"socket": "pub"}},
                  routes=[route("in", "in/{x}", "in.{x}", source="in"), READINGS])
    device = device_of(one, raw)
    device.subscribe("in/#")
    push, upstream = sockets(zmq.PUSH), sockets(zmq.XSUB)
    push.connect(one.address("in"))
    push.send_multipart([b"in.1"] + [b"x"] * 999)
    push.send_multipart([b"in.2", b"fine"])
    assert device.expect_message().payload == b"fine"
    one.wait_metric(1, "trestle_messages_dropped_total", endpoint="in", reason="bad_frames")
    upstream.connect(one.address("out"))
    upstream.send_multipart([b"\x02"] * 1000)
    upstream.send(b"\x01v.")
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    assert one.metric("trestle_protocol_errors_total", endpoint="out") == 1


@pytest.mark.parametrize("kind,socket_kind,message", [
    (b"PUSH", "pull", b"in.1"), (b"DEALER", "router", b"x"), (b"SUB", "pub", b"\x01v.")])
def test_resets_behind_a_ping(gateway, kind, socket_kind, message):
    """Libzmq stops the whole process when that happens to a pipe that is full, if it is let."""
    one = gateway(endpoints={"peers": {"socket": socket_kind, "receive_hwm": 1}}, routes=[])
    frame = b"\0" + bytes([len(message)]) + message
    for _ in range(200):
        link = speak_zmtp(one.port_of("peers"), kind, minor=1)
        link.sendall(frame * (8000 // len(frame)) + b"\x04\x07\x04PING\0\0")
        reset(link)
    last = speak_zmtp(one.port_of("peers"), kind, minor=1)
    one.wait_metric(1, "trestle_zmq_peers", endpoint="peers")
    last.close()
    one.wait_metric(0, "trestle_zmq_peers", endpoint="peers")
