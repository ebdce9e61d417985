"""Messages on their way while connections come and go: what is pending is joined, not repeated."""

import struct

import pytest
import zmq
from mqtt_bytes import (PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, UNSUBACK, V5, V311, ack, publish,
                        subscribe, unsubscribe)
from support.waiting import PATIENCE

LASTING = b"\x11" + struct.pack(">I", 600)


@pytest.fixture
def jobs(gateway, raw):
    """A route whose queue holds one message, with nobody who takes it: more must wait."""
    one = gateway(endpoints={"jobs": {"socket": "push"}}, routes=[
        {"name": "r", "mqtt": "job/{x}", "zmq": "{x}", "to": "jobs",
         "queue": {"max_messages": 1, "block_ms": 60_000}}])
    filler = raw(one.port)
    filler.connect("filler")
    assert filler.publish("job/filler", b"filler", 1, 1) == 0
    return one


@pytest.fixture
def device(jobs, raw):
    def come(version, clean=False, name="device"):
        one = raw(jobs.port, version)
        got = one.connect(name, clean=clean, props=LASTING if version == V5 else b"")
        return one, got.body[0]
    return come


def work(jobs, sockets, count):
    """A worker appears: what it gets, in order, once nothing is left waiting."""
    worker = sockets(zmq.PULL)
    worker.connect(jobs.address("jobs"))
    got = [worker.recv_multipart()[-1] for _ in range(count)]
    jobs.wait_metric(0, "trestle_route_queue_messages", route="r")
    assert not worker.poll(100)
    return got


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("qos", [1, 2])
def test_sent_again_in_a_resumed_session_joins(jobs, device, sockets, version, qos, times):
    """[MQTT-4.4.0-1]: one job, however often the device comes back while it waits."""
    client, _ = device(version)
    client.send(publish(version, "job/a", b"first", qos, 5))
    client.ping()
    for _ in range(times):
        client.socket.close()
        client, present = device(version)
        assert present == 1
        client.send(publish(version, "job/a", b"first", qos, 5, dup=True))
        client.ping()  # not answered yet
    assert jobs.metric("trestle_route_queue_messages", route="r") == 2
    assert work(jobs, sockets, 2) == [b"filler", b"first"]
    got = client.expect(PUBACK if qos == 1 else PUBREC)
    assert (got.packet_id, got.reason(version)) == (5, 0)
    if qos == 2:
        client.send(ack(PUBREL, 5))
        assert client.expect(PUBCOMP).reason(version) == 0
    client.ping()


@pytest.mark.parametrize("qos", [1, 2])
def test_answered_while_it_was_away(jobs, device, sockets, version, qos):
    """The outcome is kept for the device: still one job."""
    client, _ = device(version)
    client.send(publish(version, "job/a", b"first", qos, 5))
    client.ping()
    client.socket.close()
    assert work(jobs, sockets, 2) == [b"filler", b"first"]
    client, _ = device(version)
    client.send(publish(version, "job/a", b"first", qos, 5, dup=True))
    assert client.expect(PUBACK if qos == 1 else PUBREC).packet_id == 5
    assert jobs.metric("trestle_route_matched_total", route="r") == 2


def test_a_clean_start_makes_a_new_job(jobs, device, sockets, version):
    client, _ = device(version)
    client.send(publish(version, "job/a", b"first", 1, 5))
    client.ping()
    client.socket.close()
    client, present = device(version, clean=True)
    assert present == 0
    client.send(publish(version, "job/a", b"again", 1, 5, dup=True))
    client.ping()
    assert work(jobs, sockets, 3) == [b"filler", b"first", b"again"]
    assert client.expect(PUBACK).packet_id == 5


def test_the_job_runs_though_its_publisher_never_returns(jobs, device, sockets, version):
    client, _ = device(version, clean=True)
    client.send(publish(version, "job/a", b"first", 1, 5))
    client.ping()
    client.socket.close()
    jobs.wait_metric(1, "trestle_connections", endpoint="devices")
    assert work(jobs, sockets, 2) == [b"filler", b"first"]


def test_without_dup_it_is_another_message(jobs, device, sockets, version):
    """A device that has forgotten what it sent begins again with its packet ids."""
    client, _ = device(version)
    client.send(publish(version, "job/a", b"first", 1, 1))
    client.ping()
    client.socket.close()
    client, _ = device(version)
    client.send(publish(version, "job/a", b"other", 1, 1))
    client.ping()
    assert work(jobs, sockets, 3) == [b"filler", b"first", b"other"]
    assert client.expect(PUBACK).packet_id == 1
    client.ping()


@pytest.mark.parametrize("qos", [1, 2])
def test_sent_again_over_the_same_connection(jobs, device, sockets, version, qos):
    client, _ = device(version)
    client.send(*(publish(version, "job/a", b"first", qos, 5, dup=n > 0) for n in range(3)))
    client.ping()
    assert work(jobs, sockets, 2) == [b"filler", b"first"]
    assert client.expect(PUBACK if qos == 1 else PUBREC).packet_id == 5
    client.ping()


def test_packet_id_in_use(jobs, device, sockets):
    """[MQTT-2.2.1-3]: 0x91 for whoever uses an id that is not free, in its place in the order."""
    client, _ = device(V5)
    client.send(publish(V5, "job/a", b"first", 1, 5), publish(V5, "job/a", b"other", 1, 5),
                publish(V5, "job/a", b"other", 2, 5), subscribe(V5, 5, "a", "b"),
                unsubscribe(V5, 5, "a", "b"))
    got = client.expect(PUBREC)
    assert (got.packet_id, got.reason(V5)) == (5, 0x91)
    assert client.expect(SUBACK).reasons(V5) == [0x91, 0x91]
    assert client.expect(UNSUBACK).reasons(V5) == [0x91, 0x91]
    assert work(jobs, sockets, 2) == [b"filler", b"first"]
    assert [client.expect(PUBACK).reason(V5) for _ in range(2)] == [0, 0x91]
    assert client.subscribe("a", packet_id=5) == [0]


def test_packet_id_of_qos_2_is_in_use_until_pubrel(broker, raw):
    client = raw(broker.port)
    client.connect()
    client.send(publish(V5, "in/use", b"x", 2, 7))
    client.expect(PUBREC)
    assert client.publish("in/use", b"x", 1, packet_id=7) == 0x91
    assert client.subscribe("in/use", packet_id=7) == [0x91]
    client.send(ack(PUBREL, 7))
    assert client.expect(PUBCOMP).reason(V5) == 0
    assert client.subscribe("in/use", packet_id=7) == [0]


def test_packet_id_in_use_ends_a_3_1_1_connection(jobs, device):
    """[MQTT-2.3.1-2], [MQTT-4.8.0-1]: that version has no word for it."""
    for second in (publish(V311, "job/a", b"other", 1, 5), subscribe(V311, 5, "a"),
                   unsubscribe(V311, 5, "a")):
        client, _ = device(V311, clean=True)
        client.send(publish(V311, "job/a", b"first", 1, 5), second)
        client.expect_closed()


def test_reading_stops_at_max_inflight(gateway, raw, sockets):
    """3.1.1 has no Receive Maximum: beyond `max_inflight` nothing more is read, and keep alive
    rests."""
    one = gateway(endpoints={"jobs": {"socket": "push"}, "devices": {"max_inflight": 3}}, routes=[
        {"name": "r", "mqtt": "job/{x}", "zmq": "{x}", "to": "jobs",
         "queue": {"max_messages": 1, "block_ms": 60_000}}])
    client = raw(one.port, V311)
    client.connect("c", keep_alive=1)
    client.publish("job/a", b"0", 1, packet_id=1)
    client.send(*(publish(V311, "job/a", b"%d" % n, 1, n + 1) for n in range(1, 20)))
    one.wait_metric(4, "trestle_route_matched_total", route="r")
    client.socket.settimeout(2)
    with pytest.raises(TimeoutError):
        client.read()  # neither an answer nor the end: keep alive is over by now
    client.socket.settimeout(PATIENCE)
    assert one.metric("trestle_route_matched_total", route="r") == 4
    worker = sockets(zmq.PULL)
    worker.connect(one.address("jobs"))
    assert [worker.recv_multipart()[-1] for _ in range(20)] == [b"%d" % n for n in range(20)]
    assert [client.expect(PUBACK).packet_id for _ in range(19)] == list(range(2, 21))
    client.ping()
