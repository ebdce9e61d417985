"""Devices that come and go while workers have their jobs ("ack": "worker")."""

import json
import struct

import pytest
import zmq
from harness import route
from mqtt_bytes import PUBACK, PUBREC, V5, publish
from support.majordomo import Worker

WORK = route("work", "work/{id}", "encode", to="workers", ack="worker")
LASTING = b"\x11" + struct.pack(">I", 600)


@pytest.fixture
def one(gateway):
    return gateway(endpoints={"workers": {"socket": "router"}}, routes=[WORK])


@pytest.fixture
def worker(one):
    context = zmq.Context()
    yield Worker(context, one.address("workers"), b"encode")
    context.destroy(linger=0)


@pytest.fixture
def device(one, raw):
    def come(version, clean=False):
        client = raw(one.port, version)
        client.connect("device", clean=clean, props=LASTING if version == V5 else b"")
        return client
    return come


def acked(one, count):
    one.wait_metric(count, "trestle_route_messages_total", route="work", outcome="acked")
    assert one.metric("trestle_route_matched_total", route="work") == count


@pytest.mark.parametrize("qos,answer", [(1, PUBACK), (2, PUBREC)])
def test_sent_again_it_joins_the_job(one, worker, device, version, qos, answer):
    """Whether the worker has it or it waits, it is one job, and its outcome reaches the device."""
    client = device(version)
    client.send(publish(version, "work/1", b"first", qos, 1),
                publish(version, "work/2", b"second", qos, 2))
    key, meta, payload = worker.recv()
    assert payload == b"first"
    for _ in range(2):
        client.socket.close()
        client = device(version)
        client.send(publish(version, "work/1", b"first", qos, 1, dup=True),
                    publish(version, "work/2", b"second", qos, 2, dup=True))
        client.ping()
    worker.reply(b"")
    assert client.expect(answer).packet_id == 1
    assert worker.recv()[-1] == b"second"
    worker.reply(b"")
    assert client.expect(answer).packet_id == 2
    acked(one, 2)


def test_done_while_the_device_was_away(one, worker, device, version):
    client = device(version)
    client.send(publish(version, "work/1", b"x", 1, 1))
    assert worker.recv()[-1] == b"x"
    client.socket.close()
    one.wait_metric(0, "trestle_connections", endpoint="devices")
    worker.reply(b"")
    acked(one, 1)
    client = device(version)
    client.send(publish(version, "work/1", b"x", 1, 1, dup=True))
    assert client.expect(PUBACK).reason(version) == 0
    acked(one, 1)


def test_a_clean_start_makes_a_new_job_with_a_new_id(one, worker, device, version):
    ids = []
    for _ in range(2):
        client = device(version, clean=True)
        client.send(publish(version, "work/1", b"x", 1, 1, dup=bool(ids)))
        ids.append(json.loads(worker.recv()[1])["id"])
        worker.reply(b"")
        assert client.expect(PUBACK).packet_id == 1
    assert ids[0] != ids[1]
    client.send(publish(version, "work/1", b"x", 1, 2))
    assert worker.recv()[-1] == b"x"
    client = device(version, clean=True)  # while the first one's job is with the worker
    client.send(publish(version, "work/1", b"again", 1, 2, dup=True))
    client.ping()
    worker.reply(b"")
    assert worker.recv()[-1] == b"again"
    worker.reply(b"")
    assert client.expect(PUBACK).packet_id == 2
    client.ping()
    acked(one, 4)


def test_the_job_runs_though_the_device_never_returns(one, worker, device, version):
    client = device(version, clean=True)
    client.send(publish(version, "work/1", b"x", 1, 1))
    client.ping()
    client.socket.close()
    one.wait_metric(0, "trestle_connections", endpoint="devices")
    assert worker.recv()[-1] == b"x"
    worker.reply(b"")
    acked(one, 1)
