"""Trestle's own worker protocol, by the example that its description shows."""

import json
import struct
import subprocess
import sys
import threading

import pytest
import zmq
from harness import route
from mqtt_bytes import PUBACK, V5, publish
from support.bundle_worker import DELIVER_MANY, RELEASE, BundleWorker
from support.gateway import ROOT
from support.metrics import balance_of_route
from support.waiting import wait_until

EXAMPLES = ROOT / "plugins/zmq/examples"
sys.path.insert(0, str(EXAMPLES))
from native_worker import (  # noqa: E402
    ACK, BYE, CLOSE, DELIVER, HEARTBEAT, NACK, REPLY, WELCOME, Worker)

WORK = route("work", "work/{id}", "encode", to="workers")


def start(gateway, **options):
    return gateway(endpoints={"workers": {"socket": "router", "body": "payload", **options}},
                   routes=[{**WORK, "ack": "worker"}])


@pytest.fixture
def worker():
    context = zmq.Context()

    def make(one, kind=Worker, **options):
        made = kind(context, one.address("workers"), b"encode", **options)
        made.socket.rcvtimeo = 20_000
        return made

    yield make
    context.destroy(linger=0)


def send_jobs(device, count, first=1):
    for i in range(count):
        device.send(publish(V5, f"work/{i}", b"%d" % (first + i), 1, first + i))


def take(one, count):
    """The next jobs: [(tag, attempt, payload)]."""
    jobs = []
    while len(jobs) < count:
        head, *body = one.socket.recv_multipart()
        if head[4] == DELIVER:
            jobs.append((*struct.unpack_from(">QI", head, 5), body[-1]))
    return jobs


def test_window_and_grouped_acks(gateway, raw, worker):
    one = start(gateway)
    device = raw(one.port)
    device.connect()
    send_jobs(device, 25)
    w = worker(one, window=10)
    assert w.socket.recv_multipart()[0][4] == WELCOME
    jobs = take(w, 10)
    assert [j[2] for j in jobs] == [b"%d" % i for i in range(1, 11)]
    one.wait_metric(10, "trestle_route_in_flight", route="work")
    assert not w.socket.poll(100)
    for tag, _, _ in jobs[:5]:
        w.acknowledge(tag)  # the fifth sends them all
    assert [device.expect(PUBACK).packet_id for _ in range(5)] == [1, 2, 3, 4, 5]
    more = take(w, 5)
    w.send(0x02, struct.pack(">I", 1))
    for tag, _, _ in jobs[5:] + more:
        w.acknowledge(tag)
    w.flush()
    assert [device.expect(PUBACK).packet_id for _ in range(10)] == list(range(6, 16))
    assert len(take(w, 1)) == 1
    one.wait_metric(1, "trestle_route_in_flight", route="work")
    w.send(BYE)
    one.wait_metric(10, "trestle_route_queue_messages", route="work")
    wait_until(lambda: len(set(balance_of_route(one.metrics(), "work"))) == 1, "books")


@pytest.mark.parametrize("body", ["payload", "full"])
def test_several_jobs_in_one_message(gateway, raw, worker, body):
    """Only for a worker that has asked for that; a job that comes alone comes as ever."""
    one = start(gateway, body=body)
    device = raw(one.port)
    device.connect()
    send_jobs(device, 25)
    one.wait_metric(25, "trestle_route_queue_messages", route="work")
    w = worker(one, BundleWorker, window=21, bundle=10)
    heads, jobs = [], []
    while len(jobs) < 21:
        head, *frames = w.socket.recv_multipart()
        heads.append(head[4])
        jobs += w.jobs_in(head, frames)
    assert [h for h in heads if h != HEARTBEAT + 0x80] == [WELCOME, DELIVER_MANY, DELIVER_MANY,
                                                           DELIVER]
    assert [frames[-1] for _, _, frames in jobs] == [b"%d" % i for i in range(1, 22)]
    assert {len(frames) for _, _, frames in jobs} == {{"payload": 1, "full": 3}[body]}
    w.send(0x02, struct.pack(">I", 0))
    w.send(ACK, struct.pack(">21Q", *(tag for tag, _, _ in jobs)))
    assert [device.expect(PUBACK).packet_id for _ in range(21)] == list(range(1, 22))
    one.wait_metric(4, "trestle_route_queue_messages", route="work")


def test_what_is_released_has_not_been_tried(gateway, raw, worker):
    one = start(gateway, max_attempts=2)
    device = raw(one.port)
    device.connect()
    send_jobs(device, 1)
    w = worker(one)
    for _ in range(5):
        (tag, attempt, _), = take(w, 1)
        assert attempt == 1
        w.send(RELEASE, struct.pack(">Q", tag))
    (tag, _, _), = take(w, 1)
    w.send(ACK, struct.pack(">Q", tag))
    assert device.expect(PUBACK).reason(V5) == 0


def test_the_delay_of_a_nack_is_bounded(gateway, raw, worker):
    one = start(gateway, max_nack_delay_ms=100)
    device = raw(one.port)
    device.connect()
    send_jobs(device, 1)
    w = worker(one)
    (tag, _, _), = take(w, 1)
    w.send(NACK, struct.pack(">QIB", tag, 0xffffffff, 0))
    (tag, attempt, _), = take(w, 1)
    assert attempt == 2


def test_bytes_with_workers_are_bounded(gateway, raw, worker):
    """However many jobs the windows would hold."""
    one = start(gateway, max_in_flight_bytes=100_000)
    device = raw(one.port)
    device.connect()
    for i in range(5):
        device.send(publish(V5, f"work/{i}", b"x" * 30_000, 1, i + 1))
    one.wait_metric(5, "trestle_route_queue_messages", route="work")
    w = worker(one)
    jobs = take(w, 3)
    one.wait_metric(3, "trestle_route_in_flight", route="work")
    assert one.metric("trestle_route_queue_messages", route="work") == 2
    w.send(ACK, struct.pack(">3Q", *(tag for tag, _, _ in jobs)))
    assert len(take(w, 2)) == 2


def test_nack_extend_and_reply(gateway, raw, worker):
    one = start(gateway, lease_ms=1000, max_attempts=10)
    device = raw(one.port)
    device.connect()
    device.subscribe("answers")
    send_jobs(device, 1)
    w = worker(one)
    (tag, attempt, _), = take(w, 1)
    w.send(NACK, struct.pack(">QIB", tag, 200, 0))
    (tag, attempt, _), = take(w, 1)
    assert attempt == 2
    for _ in range(25):
        assert not w.socket.poll(100) or w.socket.recv_multipart()[0][4] != DELIVER
        w.send(0x07, struct.pack(">Q", tag))  # EXTEND
    assert one.metric("trestle_zmq_leases_expired_total", endpoint="workers") == 0
    w.send(NACK, struct.pack(">QIB", tag, 0, 1), b"unreadable")
    assert device.expect(PUBACK).reason(V5) == 0x83
    ask = b"\x08\x00\x07answers"
    device.send(publish(V5, "work/9", b"?", 1, 2, props=ask))
    (tag, _, _), = take(w, 1)
    w.send(REPLY, struct.pack(">Q", tag), b"!")
    got = [device.read() for _ in range(2)]  # PUBACK and the answer
    assert b"!" in b"".join(g.body for g in got)


@pytest.mark.parametrize("said,told", [(b"unreadable", "unreadable"), (None, "refused by a worker"),
                                       (b"", "refused by a worker"),
                                       (b"\xff no text", "refused by a worker"),
                                       (b"x" * 65_536, "refused by a worker")],
                         ids=["text", "nothing", "empty", "bytes", "long"])
def test_a_dead_letter_says_why(gateway, raw, worker, said, told):
    """In the worker's words, when a user property can hold them."""
    one = gateway(endpoints={"workers": {"socket": "router"}},
                  routes=[{**WORK, "ack": "worker", "dead_letter": "dead/work"}])
    device, watcher = raw(one.port), raw(one.port)
    device.connect()
    watcher.connect()
    watcher.subscribe("dead/work")
    own = b"\x26\x00\x04mine\x00\x03yes"
    device.send(publish(V5, "work/1", b"x", 1, 1, props=own))
    w = worker(one)
    while (frames := w.socket.recv_multipart())[0][4] != DELIVER:
        pass
    w.send(NACK, frames[0][5:13] + struct.pack(">IB", 0, 1), *([] if said is None else [said]))
    letter = watcher.expect_message()
    assert letter.payload == b"x"
    assert [(name.decode(), value.decode()) for name, value in letter.props[0x26]] == [
        ("mine", "yes"), ("trestle-status", "422"), ("trestle-reason", told),
        ("trestle-attempts", "1"), ("trestle-topic", "work/1"),
        ("trestle-id", json.loads(frames[2])["id"])]
    assert device.expect(PUBACK).reason(V5) == 0x83


def test_publish_with_acknowledgement(gateway, raw, worker):
    one = start(gateway)
    device = raw(one.port)
    device.connect()
    device.subscribe("devices/#")
    w = worker(one)
    w.socket.recv_multipart()
    w.send(0x08, struct.pack(">Q", 77), b"devices/1", json.dumps({"qos": 1}).encode(), b"go")
    (head,) = w.socket.recv_multipart()
    assert head[4] == 0x88 and struct.unpack_from(">QH", head, 5) == (77, 200)
    assert device.expect_message().payload == b"go"
    w.send(0x08, struct.pack(">Q", 78), b"bad/+", b"", b"go")
    assert struct.unpack_from(">QH", w.socket.recv_multipart()[0], 5) == (78, 400)


def test_nonsense_is_closed(gateway, raw, worker):
    one = start(gateway)
    w = worker(one)
    assert w.socket.recv_multipart()[0][4] == WELCOME
    w.send(0x7f)
    assert w.socket.recv_multipart()[0][4] == CLOSE
    w.send(HEARTBEAT)  # nobody that it knows
    assert w.socket.recv_multipart()[0][4] == CLOSE
    w.hello()
    assert w.socket.recv_multipart()[0][4] == WELCOME
    one.wait_metric(1, "trestle_zmq_workers", endpoint="workers")


def test_the_example_says_that_it_lives(context):
    """Also while it waits for a job and hears its gateway's heartbeats all the time."""
    gateway = context.socket(zmq.ROUTER)
    gateway.rcvtimeo = 20_000
    gateway.bind("tcp://127.0.0.1:*")
    address = gateway.getsockopt_string(zmq.LAST_ENDPOINT)
    program = subprocess.Popen([sys.executable, EXAMPLES / "native_worker.py", address, "encode"])
    try:
        peer, hello, _ = gateway.recv_multipart()
        assert hello[4] == 0x01
        gateway.send_multipart([peer, b"TRW1\x81" + struct.pack(">III", 200, 30_000, 100)])
        for _ in range(100):
            gateway.send_multipart([peer, b"TRW1\x89"])
            if gateway.poll(50):
                break
        assert gateway.recv_multipart(zmq.NOBLOCK) == [peer, b"TRW1\x09"]
    finally:
        program.kill()
        program.wait()


def test_the_example_as_a_program(gateway, raw):
    one = start(gateway)
    device = raw(one.port)
    device.connect()
    send_jobs(device, 300)
    program = subprocess.Popen([sys.executable, EXAMPLES / "native_worker.py",
                                one.address("workers"), "encode"], stdout=subprocess.PIPE)
    try:
        reader = threading.Thread(target=program.stdout.read)
        reader.start()
        for i in range(300):
            assert device.expect(PUBACK).packet_id == i + 1
    finally:
        program.kill()
        program.wait()
        reader.join()
