"""Messages on their way while connections come and go: what is pending is joined, not repeated."""

import struct
import time

import pytest
import zmq
from mqtt_bytes import (PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, V5, V311, ack,
                        disconnect, packet, properties, publish, subscribe, unsubscribe)
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


# 5.0 [MQTT-4.3.3-10]
# 3.1.1 [MQTT-2.3.1-3] [MQTT-4.3.3-2]
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
    jobs.wait_metric(1, "trestle_connections", endpoint="devices")  # else it is answered there
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


# 5.0 [MQTT-2.2.1-3] [MQTT-4.6.0-2]
def test_packet_id_in_use(jobs, device, sockets):
    """[MQTT-2.2.1-3]: 0x91 for whoever uses an id that is not free, in its place in the order."""
    client, _ = device(V5)
    client.send(publish(V5, "job/a", b"first", 1, 5), publish(V5, "job/a", b"other", 1, 5),
                publish(V5, "job/a", b"other", 2, 5), subscribe(V5, 5, "a", "b"),
                unsubscribe(V5, 5, "a", "b"))
    got = client.expect(PUBREC)
    assert (got.packet_id, got.reason(V5)) == (5, 0x91)
    assert client.expect(SUBACK).reasons(V5) == [0x91, 0x91]
    assert jobs.metric("trestle_subscriptions_refused_total", endpoint="devices",
                       reason="packet_id") == 2
    assert client.expect(UNSUBACK).reasons(V5) == [0x91, 0x91]
    assert work(jobs, sockets, 2) == [b"filler", b"first"]
    assert [client.expect(PUBACK).reason(V5) for _ in range(2)] == [0, 0x91]
    assert client.subscribe("a", packet_id=5) == [0]


# 5.0 [MQTT-2.2.1-3]
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


# 3.1.1 [MQTT-2.3.1-2] [MQTT-4.8.0-1]
def test_packet_id_in_use_ends_a_3_1_1_connection(jobs, device):
    """[MQTT-2.3.1-2], [MQTT-4.8.0-1]: that version has no word for it."""
    for second in (publish(V311, "job/a", b"other", 1, 5), subscribe(V311, 5, "a"),
                   unsubscribe(V311, 5, "a")):
        client, _ = device(V311, clean=True)
        client.send(publish(V311, "job/a", b"first", 1, 5), second)
        client.expect_closed()


@pytest.mark.parametrize("refused", ["$SYS/x", "job/a"])
def test_refusals_that_wait_for_their_turn_count_too(gateway, raw, refused):
    """Behind an answer that is withheld nothing piles up: 0x93 beyond Receive Maximum."""
    one = gateway(endpoints={"jobs": {"socket": "push"}, "devices": {"receive_maximum": 5}},
                  routes=[{"name": "r", "mqtt": "job/{x}", "zmq": "{x}", "to": "jobs",
                           "queue": {"max_messages": 1, "block_ms": 60_000}}])
    client = raw(one.port)
    client.connect()
    assert client.publish("job/a", b"queued", 1, packet_id=1) == 0
    client.send(publish(V5, "job/a", b"waits", 1, 2))
    client.send(*(publish(V5, refused, b"", 1, 2) for _ in range(4)))
    client.ping()
    client.send(publish(V5, refused, b"", 1, 2))
    client.expect_fault(0x93)


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


# --- the life of a session ---

def lasting(version, seconds=600):
    return b"\x11" + struct.pack(">I", seconds) if version == V5 else b""


@pytest.fixture
def client(broker, raw):
    def come(name="", version=V5, clean=False, props=None):
        one = raw(broker.port, version)
        props = lasting(version) if props is None else props
        one.present = one.connect(name, clean=clean or not name, props=props).body[0]
        return one
    return come


# 5.0 [MQTT-3.1.2-5, -6, -23] [MQTT-3.1.3-2] [MQTT-3.1.4-4] [MQTT-3.2.2-3] [MQTT-4.5.0-1]
# 3.1.1 [MQTT-3.1.2-4, -5] [MQTT-3.1.3-2] [MQTT-3.1.4-3] [MQTT-3.2.2-2, -3] [MQTT-4.1.0-1, -2]
# 3.1.1 [MQTT-4.5.0-1]
def test_what_comes_while_it_is_away(client, version):
    """QoS 1 and 2 wait in their order, QoS 0 does not; subscriptions stay."""
    name, topic, writer = f"away-{version}", f"away/{version}", client(version=version)
    reader = client(name, version)
    assert reader.present == 0
    reader.subscribe(topic, qos=2)
    reader.send(disconnect(version))
    reader.expect_closed()
    for n in range(6):
        qos = (1, 0, 2)[n % 3]
        writer.send(publish(version, topic, b"%d" % n, qos, n + 1))
        if qos:
            writer.read()
    reader = client(name, version)
    assert reader.present == 1
    got = [reader.expect_message() for _ in range(4)]
    assert [(m.payload, m.qos, m.dup) for m in got] == [
        (b"0", 1, 0), (b"2", 2, 0), (b"3", 1, 0), (b"5", 2, 0)]
    writer.publish(topic, b"live")
    assert reader.expect_message().payload == b"live"


# 5.0 [MQTT-3.1.2-4] [MQTT-3.1.4-4] [MQTT-3.2.2-2]
# 3.1.1 [MQTT-3.1.2-6] [MQTT-3.1.4-3] [MQTT-3.2.2-1]
def test_clean_start_forgets(client, version):
    name, topic, writer = f"clean-{version}", f"clean/{version}", client(version=version)
    reader = client(name, version)
    reader.subscribe(topic, qos=2)
    writer.publish(topic, b"unanswered", 1, packet_id=1)
    reader.expect_message()
    reader.send(publish(version, "nobody", b"", 2, 5))
    reader.expect(PUBREC)
    reader.socket.close()
    writer.publish(topic, b"queued", 1, packet_id=2)
    reader = client(name, version, clean=True)
    assert reader.present == 0
    writer.publish(topic, b"unheard", 1, packet_id=3)
    reader.ping()
    reader.send(ack(PUBREL, 5))
    assert reader.expect(PUBCOMP).reason(version) == (0x92 if version == V5 else 0)


# 3.1.1 [MQTT-3.1.2-6]
def test_a_clean_session_is_not_kept(client, version):
    name = f"short-{version}"
    one = client(name, version, clean=True, props=b"")
    one.subscribe("short", qos=1)
    one.send(disconnect(version))
    one.expect_closed()
    assert client(name, version, props=b"").present == 0


# 3.1.1 [MQTT-3.1.2-7]
def test_retained_messages_outlive_the_session(client, version):
    name, topic = f"keeper-{version}", f"kept/{version}"
    one = client(name, version, clean=True, props=b"")
    one.publish(topic, b"x", 1, packet_id=1, retain=True)
    one.send(disconnect(version))
    one.expect_closed()
    late = client()
    late.subscribe(topic)
    assert late.expect_message().payload == b"x"
    late.publish(topic, b"", retain=True)


# 5.0 [MQTT-3.1.2-23] [MQTT-4.1.0-1, -2]
def test_a_session_ends_when_it_expires(client, broker):
    """It is kept while the connection is open, however short its expiry [MQTT-4.1.0-1]."""
    one = client("expires", props=lasting(V5, 1))
    one.subscribe("expires", qos=1)
    time.sleep(1.2)
    one.send(publish(V5, "expires", b"here", 1, 1))
    assert {one.read().kind, one.read().kind} == {PUBACK, PUBLISH}
    one.send(disconnect(V5))
    one.expect_closed()
    time.sleep(1.2)
    assert client("expires").present == 0


def test_expiry_that_was_asked_for_may_be_changed(gateway, raw):
    """Also where the server grants none: only a CONNECT that asks for none forbids it."""
    one = gateway(endpoints={"devices": {"session_expiry_maximum": 0}})
    for asked in (500, 0):
        client = raw(one.port)
        client.connect("c", props=lasting(V5, asked))
        client.send(packet(0xE0, b"\0", properties(V5, lasting(V5, 100))))
        if asked:
            client.expect_closed()
        else:
            client.expect_fault(0x82)


# 5.0 [MQTT-4.1.0-2]
def test_expiry_given_at_disconnect(client):
    one = client("changes", props=lasting(V5, 600))
    one.send(packet(0xE0, b"\0", properties(V5, lasting(V5, 0))))
    one.expect_closed()
    assert client("changes").present == 0


# 5.0 [MQTT-3.3.2-5, -6]
def test_message_expiry_counts_in_the_queue(client):
    """[MQTT-3.3.2-5], [MQTT-3.3.2-6]: gone when it is over, else what is left of it."""
    reader, writer = client("patient"), client()
    reader.subscribe("patient", qos=1)
    reader.send(disconnect(V5))
    reader.expect_closed()
    begun = time.monotonic()
    for n, life in enumerate((1, 100)):
        writer.publish("patient", b"%d" % life, 1, packet_id=n + 1,
                       props=b"\x02" + struct.pack(">I", life))
    time.sleep(1.2)
    got = client("patient").expect_message()
    waited = time.monotonic() - begun  # at most; 1.2 at least, of which whole seconds count
    assert got.payload == b"100" and 100 - int(waited) <= got.props[2] <= 99


# 5.0 [MQTT-3.1.2-5]
def test_subscriptions_stay_as_they_were(client):
    """Options and identifiers are part of the session."""
    one, writer = client("options"), client()
    one.subscribe(("options/#", 0x0E), props=b"\x0b\x2a")  # QoS 2, no local, as published
    one.socket.close()
    one = client("options")
    one.publish("options/own", b"", 1, packet_id=1)
    writer.publish("options/a", b"x", 1, packet_id=1, retain=True)
    got = one.expect_message()
    assert (got.topic, got.qos, got.retain, got.props) == ("options/a", 1, 1, {0x0B: 42})
    writer.publish("options/a", b"", 1, packet_id=2, retain=True)


# 5.0 [MQTT-3.3.2-7]
def test_topic_aliases_are_the_connections(client):
    """[MQTT-3.3.2-7]: a new connection knows none, in both directions."""
    one, writer = client("aliases", props=lasting(V5) + b"\x22\x00\x0a"), client()
    one.subscribe("aliases/topic")
    one.publish("nobody/cares", b"", props=b"\x23\x00\x01")
    for _ in range(2):
        writer.publish("aliases/topic", b"x")
    assert [one.expect_message().topic for _ in range(2)] == ["aliases/topic", ""]
    one.socket.close()
    one = client("aliases", props=lasting(V5) + b"\x22\x00\x0a")
    writer.publish("aliases/topic", b"x")
    assert one.expect_message().topic == "aliases/topic"
    one.send(publish(V5, "", b"", props=b"\x23\x00\x01"))
    one.expect_fault(0x82)


# 5.0 [MQTT-3.3.2-12]
def test_every_alias_up_to_the_maximum(client):
    one = client()
    one.subscribe("every/#")
    most = 64
    for alias in range(1, most + 1):
        one.publish(f"every/{alias}", b"", props=b"\x23" + struct.pack(">H", alias))
        one.publish("", b"", props=b"\x23" + struct.pack(">H", alias))
        assert [one.expect_message().topic for _ in range(2)] == [f"every/{alias}"] * 2


# 5.0 [MQTT-3.2.2-18]
def test_no_aliases_where_none_are_allowed(gateway, raw):
    one = raw(gateway(endpoints={"devices": {"topic_alias_maximum": 0}}).port)
    one.connect()
    one.send(publish(V5, "a", b"", props=b"\x23\x00\x01"))
    one.expect_fault(0x94)
