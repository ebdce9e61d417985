"""Workers that give themselves a routing id and come back under it, in every way."""

import pathlib
import signal
import subprocess
import sys

import pytest
import zmq
from harness import route
from mqtt_bytes import PUBACK, V5, publish
from support.majordomo import Worker

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "support/majordomo.py"
NAME = b"encoder-1"


@pytest.fixture
def start(gateway):
    def make(**options):
        rule = {**route("work", "work/{id}", "encode", to="workers"), "ack": "worker"}
        return gateway(endpoints={"workers": {"socket": "router", "heartbeat_ms": 300, **options}},
                       routes=[rule])
    return make


@pytest.fixture
def device(raw):
    def make(one):
        client = raw(one.port)
        client.connect()
        client.send(publish(V5, "work/1", b"x", 1, 1))
        return client
    return make


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_its_successor_is_heard(start, device, context, how):
    """A connection that was cut is known at once. One of a stopped process holds the name until its
    pings are missed; the successor hears nothing meanwhile and connects again, as the guide's
    workers do."""
    one = start()
    client = device(one)
    first = subprocess.Popen([sys.executable, PROGRAM, one.address("workers"), "encode", "60",
                              NAME.decode()])
    try:
        one.wait_metric(1, "trestle_route_in_flight", route="work")
        first.send_signal(how)
        second = Worker(context, one.address("workers"), b"encode", heartbeat=0.3, name=NAME)
        assert second.recv()[-1] == b"x"
        second.reply(b"")
        assert client.expect(PUBACK).reason(V5) == 0
        one.wait_metric(1, "trestle_zmq_workers", endpoint="workers")
    finally:
        first.kill()
        first.wait()


def test_one_that_comes_back_again_and_again(start, device, context):
    """Each time it has the job, and nobody takes it for a worker that says READY twice."""
    one = start(max_attempts=1000)
    client = device(one)
    for _ in range(20):
        worker = Worker(context, one.address("workers"), b"encode", heartbeat=0.3, name=NAME)
        assert worker.recv()[-1] == b"x"
        worker.socket.close(linger=0)
    worker = Worker(context, one.address("workers"), b"encode", heartbeat=0.3, name=NAME)
    assert worker.recv()[-1] == b"x"
    worker.reply(b"")
    assert client.expect(PUBACK).reason(V5) == 0
    assert one.metric("trestle_protocol_errors_total", endpoint="workers") == 0


def test_welcome_comes_first_each_time(start, device, context):
    """In Trestle's own protocol, too, though the job is waiting."""
    one = start(max_attempts=1000)
    client = device(one)

    def say_hello():
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, NAME)
        socket.rcvtimeo = 20_000
        socket.connect(one.address("workers"))
        socket.send_multipart([b"TRW1\x01\0\0\0\x01", b"encode"])
        if socket.poll(500):
            return socket
        socket.close(linger=0)  # it was there before the one before had gone
        return None

    for last in [False] * 12 + [True]:
        while (socket := say_hello()) is None:
            pass
        heads = [socket.recv_multipart()[0]]
        while heads[-1][4] != 0x82:
            heads.append(socket.recv_multipart()[0])  # perhaps a heartbeat before the job is there
        assert heads[0][4] == 0x81
        if last:
            socket.send(b"TRW1\x03" + heads[-1][5:13])
            assert client.expect(PUBACK).reason(V5) == 0
        socket.close(linger=1000 if last else 0)
    assert one.metric("trestle_protocol_errors_total", endpoint="workers") == 0
