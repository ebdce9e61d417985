"""SIGTERM while clients wait for answers of a router."""

import signal

import pytest
import zmq
from harness import route
from support.majordomo import Client, Worker
from support.waiting import wait_until

WORK = {**route("work", "work/{id}", "encode", to="workers"), "ack": "worker",
        "timeout_ms": 600_000}


@pytest.fixture
def start(gateway):
    def make(drain_ms):
        return gateway(endpoints={"workers": {"socket": "router"}, "others": {"socket": "router"}},
                       routes=[WORK, {**WORK, "name": "other", "mqtt": "other/{id}",
                                      "to": "others"}],
                       drain_timeout_ms=drain_ms)
    return make


def test_a_request_that_a_worker_is_at_is_waited_for(start, context):
    one = start(60_000)
    client, worker = Client(context, one.address("workers")), Worker(
        context, one.address("workers"), b"echo")
    client.send(b"echo", b"x")
    assert worker.recv() == [b"x"]
    one.signal(signal.SIGTERM)
    one.wait_log("draining")
    worker.reply(b"y")
    assert client.recv() == (True, [b"y"])
    one.stop()


def test_no_new_request_keeps_it_from_ending(start, context):
    one = start(60_000)
    worker = Worker(context, one.address("workers"), b"echo")
    client = Client(context, one.address("workers"), kind=zmq.DEALER)
    client.send(b"echo", b"first")
    assert worker.recv() == [b"first"]
    one.signal(signal.SIGTERM)
    # What no device can answer any more tells that the end has begun.
    wait_until(lambda: client.ask(b"mqtt.request", b"devices/1", b"", b"?") == [b"503"], "no end")
    client.send(b"echo", b"second")
    assert client.ask(b"mmi.service", b"echo") == [b"200"]  # it has read the second
    worker.reply(b"y")
    assert client.recv() == (True, [b"y"])
    one.stop()


def test_who_waits_for_a_device_is_told_at_once(start, raw, context):
    one = start(60_000)
    device = raw(one.port)
    device.connect()
    device.subscribe("devices/1")
    worker = Worker(context, one.address("workers"), b"encode")
    busy, client = (Client(context, one.address("workers")) for _ in range(2))
    busy.send(b"encode", b"x")  # what the end waits for
    assert worker.recv() == [b"x"]
    client.send(b"mqtt.request", b"devices/1", b"", b"?")
    assert device.expect_message().payload == b"?"
    one.signal(signal.SIGTERM)
    assert client.recv() == (True, [b"503"])
    assert client.ask(b"mqtt.request", b"devices/1", b"", b"?") == [b"503"]
    worker.reply(b"y")
    one.stop()


def test_what_is_not_done_in_time_is_answered(start, context):
    """The publish waits for a worker that never answers."""
    one = start(1000)
    worker = Worker(context, one.address("others"), b"encode")
    client = Client(context, one.address("workers"))
    client.send(b"mqtt.publish", b"other/1", b"", b"x")
    assert worker.recv()[-1] == b"x"
    one.signal(signal.SIGTERM)
    assert client.recv() == (True, [b"503"])
    one.stop()
