"""Workers and clients that fail a router in every way: nothing crashes, nothing starves, the books
balance."""

import json
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import sys

import pytest
import zmq
from harness import route
from mqtt_bytes import PUBACK, V5, publish
from support.majordomo import Client, Worker
from support.metrics import balance_of_route
from support.waiting import wait_until

WORK = {**route("work", "work/{id}", "encode", to="workers"), "ack": "worker"}
PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "support/majordomo.py"


@pytest.fixture
def start(gateway):
    def make(**options):
        options = {"socket": "router", "heartbeat_ms": 300, **options}
        return gateway(endpoints={"workers": options}, routes=[WORK])
    return make


@pytest.fixture
def program():
    """Workers as processes: they hold a job for so many seconds."""
    started = []

    def run(one, seconds=0):
        started.append(subprocess.Popen(
            [sys.executable, PROGRAM, one.address("workers"), "encode", str(seconds)]))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def still_works(one, raw, context):
    """A job passes, and the books balance."""
    device = raw(one.port)
    device.connect()
    device.send(publish(V5, "work/1", b"sound", 1, 1))
    worker = Worker(context, one.address("workers"), b"encode", heartbeat=0.1)
    while (body := worker.recv())[-1] != b"sound":
        worker.reply(b"")
    worker.reply(b"")
    assert device.expect(PUBACK).reason(V5) == 0
    wait_until(lambda: len(set(balance_of_route(one.metrics(), "work"))) == 1,
               lambda: f"{balance_of_route(one.metrics(), 'work')}")
    assert one.running


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_is_killed_or_stopped(start, raw, context, program, how):
    """A cut connection shows at once, a stopped process by its pings."""
    one = start()
    device = raw(one.port)
    device.connect()
    process = program(one, seconds=60)
    one.wait_metric(1, "trestle_zmq_workers", endpoint="workers")
    device.send(publish(V5, "work/1", b"x", 1, 1))
    one.wait_metric(1, "trestle_route_in_flight", route="work")
    process.send_signal(how)
    second = Worker(context, one.address("workers"), b"encode", heartbeat=0.2)
    assert second.recv()[-1] == b"x"
    second.reply(b"")
    assert device.expect(PUBACK).reason(V5) == 0


def test_a_worker_that_comes_and_goes(start, raw, context):
    """Each that has a job when it goes costs the job one attempt."""
    one = start(max_attempts=1000)
    device = raw(one.port)
    device.connect()
    device.send(publish(V5, "work/1", b"x", 1, 1))
    for i in range(100):
        dealer = context.socket(zmq.DEALER)
        dealer.connect(one.address("workers"))
        dealer.send_multipart([b"", b"MDPW01", b"\x01", b"encode"])
        if i % 10 == 0:
            while dealer.recv_multipart()[2] != b"\x02":
                pass
        dealer.close(linger=50)
    worker = Worker(context, one.address("workers"), b"encode", heartbeat=0.1)
    _, meta, payload = worker.recv()
    assert payload == b"x" and 10 < json.loads(meta)["attempt"] <= 101
    worker.reply(b"")
    assert device.expect(PUBACK).reason(V5) == 0
    worker.close()
    still_works(one, raw, context)
    one.wait_metric(lambda n: n <= 1, "trestle_zmq_workers", endpoint="workers")


def test_replies_that_are_not_its_own(start, raw, context):
    """Twice, another's, and made-up tags: void, and the job goes on."""
    one = start()
    device = raw(one.port)
    device.connect()
    thief, owner = (Worker(context, one.address("workers"), service, heartbeat=0.1)
                    for service in (b"other", b"encode"))
    device.send(publish(V5, "work/1", b"x", 1, 1))
    assert owner.recv()[-1] == b"x"
    for tag in (owner.reply_to, b"0" * 16, b"no tag"):
        thief.reply(b"stolen", tag=tag)
    one.wait_metric(lambda n: n >= 2, "trestle_protocol_errors_total", endpoint="workers")
    device.ping()  # no PUBACK
    owner.reply(b"")
    owner.reply(b"")
    assert device.expect(PUBACK).packet_id == 1
    assert one.metric("trestle_route_messages_total", route="work", outcome="acked") == 1
    owner.close()
    still_works(one, raw, context)


def test_a_flood_of_ready(start, raw, context):
    """Each second READY sends the worker away, and the job that it had comes back."""
    one = start(max_attempts=1000)
    dealer = context.socket(zmq.DEALER)
    dealer.connect(one.address("workers"))
    for _ in range(20_000):
        dealer.send_multipart([b"", b"MDPW01", b"\x01", b"encode"])
    still_works(one, raw, context)
    assert one.metric("trestle_zmq_workers", endpoint="workers") <= 2
    assert one.log().count("warn") < 30


@pytest.mark.parametrize("frames", [[b""] * 1000, [b"", b"MDPW01", b"\x03"] + [b"x"] * 1000,
                                    [b"", b"MDPC01", b"s", *[b"x"] * 1000], [b"\xff" * 100],
                                    [b"", b"MDPW01", b"\x01", b"s" * 256],
                                    [b"", b"MDPW01"], [b"TRW1"], [b"TRW9\x01"]],
                         ids=["empty", "reply", "request", "junk", "name", "short", "head",
                              "version"])
def test_nonsense(start, raw, context, frames):
    one = start()
    dealer = context.socket(zmq.DEALER)
    dealer.connect(one.address("workers"))
    dealer.send_multipart(frames)
    one.wait_metric(lambda n: n >= 1, "trestle_protocol_errors_total", endpoint="workers")
    still_works(one, raw, context)


def test_a_huge_frame(start, raw, context):
    """Far above max_message_size it ends the connection unread; a little above it is dropped."""
    one = start(max_message_size=100_000)
    for size in (110_000, 50_000_000):
        dealer = context.socket(zmq.DEALER)
        dealer.connect(one.address("workers"))
        dealer.send_multipart([b"", b"MDPC01", b"encode", b"x" * size])
    one.wait_metric(1, "trestle_messages_dropped_total", endpoint="workers", reason="too_large")
    still_works(one, raw, context)


@pytest.mark.parametrize("protocol", ["mdp", "trestle"])
def test_an_answer_that_is_too_large(start, raw, context, protocol):
    """The worker is sent away, and the job comes back; the answer has one fate."""
    one = start(max_message_size=100_000)
    device = raw(one.port)
    device.connect()
    device.send(publish(V5, "work/1", b"x", 1, 1))
    if protocol == "mdp":
        worker = Worker(context, one.address("workers"), b"encode")
        assert worker.recv()[-1] == b"x"
        worker.reply(b"y" * 110_000)
    else:
        worker = context.socket(zmq.DEALER)
        worker.connect(one.address("workers"))
        worker.send_multipart([b"TRW1\x01" + struct.pack(">I", 1), b"encode"])
        while (head := worker.recv_multipart()[0])[4] != 0x82:
            pass
        worker.send_multipart([b"TRW1\x04" + head[5:13], b"y" * 110_000])
    one.wait_metric(0, "trestle_zmq_workers", endpoint="workers")
    still_works(one, raw, context)
    assert device.expect(PUBACK).reason(V5) == 0
    dropped = one.metrics().by("reason", "trestle_messages_dropped_total", endpoint="workers")
    assert {reason: n for reason, n in dropped.items() if n} == {"too_large": 1}


def test_a_stolen_name(start, raw, context):
    """The second peer of one name is not heard; it takes nothing from the first."""
    one = start()
    device = raw(one.port)
    device.connect()
    first = context.socket(zmq.DEALER)
    first.setsockopt(zmq.IDENTITY, b"me")
    first.rcvtimeo = 20_000
    first.connect(one.address("workers"))
    first.send_multipart([b"", b"MDPW01", b"\x01", b"encode"])
    one.wait_metric(1, "trestle_zmq_workers", endpoint="workers")
    thief = context.socket(zmq.DEALER)
    thief.setsockopt(zmq.IDENTITY, b"me")
    thief.connect(one.address("workers"))
    for _ in range(10):
        thief.send_multipart([b"", b"MDPW01", b"\x01", b"encode"])
    one.wait_peers("workers", 2)
    device.send(publish(V5, "work/1", b"x", 1, 1))
    while (frames := first.recv_multipart())[2] != b"\x02":
        pass
    assert frames[-1] == b"x"
    first.send_multipart([b"", b"MDPW01", b"\x03", frames[3], b"", b""])
    assert device.expect(PUBACK).packet_id == 1
    assert not thief.poll(100)


def test_a_name_that_libzmq_would_give(start, raw, context):
    """libzmq 4.3.4 stops the process when a peer has taken the number that is next; they cannot be
    guessed."""
    one = start()
    kept = []
    for number in range(0x6b8b4567, 0x6b8b4567 + 50):
        dealer = context.socket(zmq.DEALER)
        dealer.setsockopt(zmq.IDENTITY, b"\0" + struct.pack(">I", number))
        dealer.connect(one.address("workers"))
        kept.append(dealer)
    one.wait_peers("workers", 50)
    still_works(one, raw, context)


def test_a_client_that_never_reads(start, raw, context):
    """What waits for it is bounded; the worker and others go on."""
    one = start(send_hwm=10)
    deaf = context.socket(zmq.DEALER)
    deaf.setsockopt(zmq.RCVHWM, 1)
    deaf.setsockopt(zmq.RCVBUF, 4096)
    deaf.connect(one.address("workers"))
    worker = Worker(context, one.address("workers"), b"echo", heartbeat=0.1)
    for _ in range(300):
        deaf.send_multipart([b"", b"MDPC01", b"echo", b"x"])
    for _ in range(300):
        worker.recv()
        worker.reply(b"y" * 50_000)
    one.wait_metric(300, "trestle_zmq_requests_total", endpoint="workers", outcome="acked")
    assert one.metric("trestle_messages_dropped_total", endpoint="workers",
                      reason="no_subscriber") > 100
    assert Client(context, one.address("workers")).ask(b"mmi.service", b"echo") == [b"200"]
    still_works(one, raw, context)


def test_a_publisher_that_never_reads(start, context):
    """It is not told what became of its publishes; that is counted, and they are published."""
    one = start(send_hwm=1)
    deaf = context.socket(zmq.DEALER)
    deaf.rcvhwm, deaf.rcvbuf, deaf.linger = 1, 4096, 0
    deaf.connect(one.address("workers"))
    untold = {"endpoint": "workers", "reason": "no_subscriber"}
    topic = "$SYS/not for it"  # refused: nothing else is counted
    while one.metric("trestle_messages_dropped_total", **untold) == 0:
        for _ in range(5000):
            deaf.send_multipart([b"TRW1\x08" + bytes(8), topic.encode(), b"", b"x"])
    assert Client(context, one.address("workers")).ask(b"mmi.service", b"nobody") == [b"404"]


def test_the_port_is_taken(gateway):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError, match=str(port)):
            gateway(endpoints={"workers": {"socket": "router",
                                           "bind": [f"tcp://127.0.0.1:{port}"]}}, routes=[WORK])


# UBSan checks the type of an object that it meets for the first time by a pipe (pipe2), through
# which it reads its memory: without descriptors that fails, and sound objects are reported.
@pytest.mark.not_under("undefined")
def test_descriptors_run_out(start, raw, context):
    """More connections than descriptors: those that are there work on, and when some close, new
    ones come in again."""
    one = start()
    worker = Worker(context, one.address("workers"), b"encode", heartbeat=0.1)
    device = raw(one.port)
    device.connect()
    one.wait_peers("workers", 1)
    one.wait_metric(1, "trestle_zmq_workers", endpoint="workers")
    used = len(os.listdir(f"/proc/{one.process.pid}/fd"))
    _, most = resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, (used + 10, most))
    host, port = one.address("workers").removeprefix("tcp://").split(":")
    crowd = [socket.create_connection((host, int(port))) for _ in range(30)]
    device.send(publish(V5, "work/1", b"x", 1, 1))
    assert worker.recv()[-1] == b"x"
    worker.reply(b"")
    assert device.expect(PUBACK).packet_id == 1
    for one_of_them in crowd:
        one_of_them.close()
    resource.prlimit(one.process.pid, resource.RLIMIT_NOFILE, (used + 100, most))
    worker.close()
    still_works(one, raw, context)


def test_who_misses_part_of_an_answer_gets_no_end_of_it(start, context):
    """Or it would take what it has for the whole; what is left out is counted."""
    one = start(send_hwm=10)
    worker = Worker(context, one.address("workers"), b"encode", version=2, heartbeat=0.1)
    client = context.socket(zmq.DEALER)
    client.rcvhwm, client.rcvbuf, client.linger = 1, 4096, 0
    client.connect(one.address("workers"))
    client.send_multipart([b"MDPC02", b"\x01", b"encode", b"go"])
    assert worker.recv() == [b"go"]
    sent = 0
    lost = lambda: one.metric("trestle_messages_dropped_total", endpoint="workers",  # noqa: E731
                              reason="no_subscriber")
    while lost() == 0:
        for _ in range(100):
            worker.partial(b"%06d" % sent + b"x" * 4000)
            sent += 1
    kept = []
    while client.poll(500):
        kept.append(client.recv_multipart()[1:4:2])
    worker.reply(b"the end")
    one.wait_metric(1, "trestle_zmq_requests_total", endpoint="workers", outcome="acked")
    while client.poll(500):
        kept.append(client.recv_multipart()[1:4:2])
    assert [kind for kind, _ in kept] == [b"\x02"] * len(kept)
    assert [int(body[:6]) for _, body in kept] == list(range(len(kept)))
    one.wait_metric(sent + 1 - len(kept), "trestle_messages_dropped_total", endpoint="workers",
                    reason="no_subscriber")


def test_a_pipe_too_small_for_the_window_costs_no_worker(start, raw, context):
    """It is given what fits, and more as it answers."""
    one = start(send_hwm=20)
    worker = context.socket(zmq.DEALER)
    worker.linger = 0
    worker.connect(one.address("workers"))
    worker.send_multipart([b"TRW1\x01" + struct.pack(">I", 500), b"encode"])
    device = raw(one.port)
    device.connect()
    jobs = 300
    device.send(*(publish(V5, f"work/{i}", b"%d" % i, 1, i + 1) for i in range(jobs)))
    done = set()
    while len(done) < jobs:
        head, *body = worker.recv_multipart()
        if head[4] == 0x82:
            assert head[13:] == b"\0\0\0\1", "the first attempt"
            done.add(body[-1])
            worker.send(b"TRW1\x03" + head[5:13])
        else:
            worker.send(b"TRW1\x09")
    for _ in range(jobs):
        assert device.expect(PUBACK).reason(V5) == 0
