"""PUBLISH and SUBSCRIBE at QoS 0 and 1 between raw clients."""

import pytest
from mqtt_bytes import (PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, UNSUBACK, V5, V311, ack, publish,
                        read_publish, unsubscribe)


@pytest.fixture
def pair(broker, raw, version):
    """A connected publisher and subscriber."""
    publisher, subscriber = raw(broker.port, version), raw(broker.port, version)
    publisher.connect()
    subscriber.connect()
    return publisher, subscriber


# 5.0 [MQTT-3.8.4-8]
# 3.1.1 [MQTT-3.8.4-6]
@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("granted", [0, 1])
def test_lower_qos_wins(pair, qos, granted):
    publisher, subscriber = pair
    assert subscriber.subscribe("low/er", qos=granted) == [granted]
    publisher.publish("low/er", b"payload", qos, packet_id=7)
    got = subscriber.expect_message()
    assert (got.topic, got.payload, got.qos, got.dup, got.retain) == (
        "low/er", b"payload", min(qos, granted), 0, 0)
    if got.qos:
        subscriber.send(ack(PUBACK, got.packet_id))
    subscriber.ping()


# 5.0 [MQTT-4.6.0-5, -6]
# 3.1.1 [MQTT-4.6.0-5, -6]
def test_order_of_many(pair):
    publisher, subscriber = pair
    subscriber.subscribe("many/+", qos=0)
    publisher.send(*(publish(publisher.version, f"many/{i % 7}", b"%d" % i) for i in range(5000)))
    assert [int(subscriber.expect_message().payload) for i in range(5000)] == list(range(5000))


# 5.0 [MQTT-2.2.1-5] [MQTT-3.3.4-1] [MQTT-4.3.2-4] [MQTT-4.6.0-2, -5]
# 3.1.1 [MQTT-2.3.1-6] [MQTT-3.3.4-1] [MQTT-4.3.2-2] [MQTT-4.6.0-2, -6]
def test_order_of_many_at_qos_1(pair):
    """Deliveries and PUBACKs in order, though acknowledged late [MQTT-4.6.0-2]."""
    publisher, subscriber = pair
    subscriber.subscribe("many1/+", qos=1)
    publisher.send(*(publish(publisher.version, f"many1/{i % 7}", b"%d" % i, 1, i + 1)
                     for i in range(60)))
    acks = [publisher.expect(PUBACK).packet_id for i in range(60)]
    assert acks == list(range(1, 61))
    for i in range(60):
        got = subscriber.expect_message()
        assert int(got.payload) == i
        subscriber.send(ack(PUBACK, got.packet_id))


def test_payload_of_every_size(pair):
    """Where the remaining length grows by a byte, and beyond one read."""
    publisher, subscriber = pair
    subscriber.subscribe("size", qos=0)
    for size in (0, 1, 100, 113, 121, 127, 128, 16_370, 16_384, 65_536, 200_000):
        payload = bytes(i % 251 for i in range(size))
        publisher.publish("size", payload)
        assert subscriber.expect_message().payload == payload


def test_empty_payload_and_empty_levels(pair):
    publisher, subscriber = pair
    subscriber.subscribe("/+//#", qos=0)
    publisher.publish("/a//", b"")
    got = subscriber.expect_message()
    assert (got.topic, got.payload) == ("/a//", b"")


# 5.0 [MQTT-2.2.1-6] [MQTT-3.10.4-2, -4, -5, -6] [MQTT-3.11.3-1, -2]
# 3.1.1 [MQTT-2.3.1-7] [MQTT-3.10.4-2, -4, -6]
def test_unsubscribe(pair):
    publisher, subscriber = pair
    subscriber.subscribe("gone", "stays")
    subscriber.send(unsubscribe(subscriber.version, 9, "gone", "never/was"))
    got = subscriber.expect(UNSUBACK)
    assert got.packet_id == 9
    assert got.body[2:] == (b"\0\0\x11" if subscriber.version == V5 else b"")
    publisher.publish("gone", b"no")
    publisher.publish("stays", b"yes")
    assert subscriber.expect_message().payload == b"yes"


# 5.0 [MQTT-3.10.4-1, -5]
# 3.1.1 [MQTT-3.10.4-1, -5]
def test_unsubscribe_compares_characters(pair):
    """A filter that covers another, or is covered by it, is another filter."""
    publisher, subscriber = pair
    subscriber.subscribe("cmp/+", "cmp/#")
    subscriber.send(unsubscribe(subscriber.version, 2, "cmp/a", "cmp/+/", "CMP/+", "#"))
    assert subscriber.expect(UNSUBACK).packet_id == 2
    publisher.publish("cmp/a", b"x")
    assert subscriber.expect_message().payload == b"x"
    subscriber.ping()


# 5.0 [MQTT-3.10.4-3]
# 3.1.1 [MQTT-3.10.4-3]
def test_unsubscribe_completes_what_was_begun(pair):
    publisher, subscriber = pair
    version = publisher.version
    subscriber.subscribe("begun/+", qos=2)
    publisher.publish("begun/1", b"1", 1, packet_id=1)
    publisher.send(publish(version, "begun/2", b"2", 2, 2))
    one, two = subscriber.expect_message(), subscriber.expect_message()
    subscriber.send(unsubscribe(version, 3, "begun/+"))
    subscriber.expect(UNSUBACK)
    publisher.publish("begun/3", b"3")
    subscriber.send(ack(PUBACK, one.packet_id), ack(PUBREC, two.packet_id))
    assert subscriber.expect(PUBREL).packet_id == two.packet_id
    subscriber.send(ack(PUBCOMP, two.packet_id))
    subscriber.ping()


# 5.0 [MQTT-2.2.1-2] [MQTT-2.2.2-1] [MQTT-4.3.1-1]
# 3.1.1 [MQTT-2.3.1-5] [MQTT-4.3.1-1]
def test_bytes_of_a_qos_0_message(pair):
    """No packet id, and in version 5 a property length of 0."""
    publisher, subscriber = pair
    subscriber.subscribe("bytes")
    publisher.publish("bytes", b"payload")
    got = subscriber.expect(PUBLISH)
    assert got.flags == 0
    assert got.body == b"\0\5bytes" + (b"\0" if subscriber.version == V5 else b"") + b"payload"


# 5.0 [MQTT-2.2.1-6] [MQTT-3.8.4-1, -2, -5, -6, -7] [MQTT-3.9.3-1]
# 3.1.1 [MQTT-2.3.1-7] [MQTT-3.8.4-1, -2, -4, -5] [MQTT-3.9.3-1]
def test_many_filters_are_answered_in_their_order(pair):
    """As if they had come one after the other; the last of two that are the same counts."""
    publisher, subscriber = pair
    bad = 0x8F if subscriber.version == V5 else 0x80
    got = subscriber.subscribe(("m/0", 0), ("m/#/x", 1), ("m/1", 1), ("m/2", 2), ("m/2", 0))
    assert got == [0, bad, 1, 2, 0]
    for n in range(3):
        publisher.publish(f"m/{n}", b"x", 1, packet_id=n + 1)
    assert [subscriber.expect_message().qos for _ in range(3)] == [0, 1, 0]


# 5.0 [MQTT-3.8.4-3]
# 3.1.1 [MQTT-3.8.4-3]
def test_subscribing_again_replaces(pair):
    """[MQTT-3.8.4-3]: no second copy, and the new QoS."""
    publisher, subscriber = pair
    subscriber.subscribe("again", qos=1)
    subscriber.subscribe("again", qos=0, packet_id=2)
    publisher.publish("again", b"once", 1, packet_id=1)
    assert subscriber.expect_message().qos == 0
    subscriber.ping()


# 5.0 [MQTT-3.3.4-2, -3, -4]
def test_overlapping_subscriptions(broker, raw):
    """One copy at the highest QoS, with all subscription identifiers [MQTT-3.3.4-2, -3, -4]."""
    publisher, subscriber = raw(broker.port), raw(broker.port)
    publisher.connect()
    subscriber.connect()
    subscriber.subscribe("over/#", qos=0, packet_id=1, props=b"\x0b\x05")
    subscriber.subscribe("over/lap", qos=1, packet_id=2, props=b"\x0b\x06")
    subscriber.subscribe("over/+", qos=0, packet_id=3)
    publisher.publish("over/lap", b"x", 1, packet_id=1)
    copies = [subscriber.expect_message()]
    subscriber.send(ack(PUBACK, copies[0].packet_id))
    publisher.publish("over/end", b"end")
    while (got := subscriber.expect_message()).payload != b"end":
        copies.append(got)
    assert len(copies) == 1
    assert copies[0].qos == 1
    assert sorted(copies[0].props[0x0B]) == [5, 6]


# 3.1.1 [MQTT-3.3.5-1]
def test_overlapping_subscriptions_in_3_1_1(broker, raw):
    """One copy at the highest QoS."""
    client = raw(broker.port, V311)
    client.connect()
    client.subscribe(("over311/#", 0), ("over311/a", 2), ("over311/+", 1))
    client.send(publish(V311, "over311/a", b"x", 2, 1))
    kinds = {p.kind: p for p in (client.read(), client.read())}
    assert read_publish(kinds[PUBLISH], V311).qos == 2 and kinds[PUBREC].packet_id == 1
    client.ping()


# 5.0 [MQTT-3.8.3-3]
def test_no_local(broker, raw):
    """[MQTT-3.8.3-3]"""
    client = raw(broker.port)
    client.connect()
    client.subscribe(("own/#", 0x04))
    client.subscribe(("end", 0x00), packet_id=2)
    client.publish("own/words", b"not back")
    client.publish("end", b"end")
    assert client.expect_message().topic == "end"


def test_nobody_subscribes(broker, raw):
    """PUBACK 0x10 in version 5, a plain PUBACK in 3.1.1."""
    new, old = raw(broker.port, V5), raw(broker.port, V311)
    new.connect()
    old.connect()
    assert new.publish("nobody/cares", b"x", 1, packet_id=3) == 0x10
    old.send(publish(V311, "nobody/cares", b"x", 1, 3))
    assert old.expect(PUBACK).body == b"\x00\x03"


def test_between_versions(broker, raw):
    """A 3.1.1 client and a version 5 client hear each other; properties reach only version 5."""
    new, old = raw(broker.port, V5), raw(broker.port, V311)
    new.connect()
    old.connect()
    new.subscribe("bridge/#", packet_id=1)
    old.subscribe("bridge/#", packet_id=1)
    content_type = b"\x03\x00\x04text"
    new.publish("bridge/new", b"1", props=content_type)
    got = new.expect_message()
    assert got.props[0x03] == b"text"
    got = old.expect_message()
    assert (got.topic, got.payload) == ("bridge/new", b"1")
    old.publish("bridge/old", b"2")
    for client in (new, old):
        assert client.expect_message().payload == b"2"


# 5.0 [MQTT-3.3.2-4, -15, -16, -17, -18, -20]
def test_properties_pass_through(broker, raw):
    """All properties of a message, user properties in order [MQTT-3.3.2-17, -18]."""
    publisher, subscriber = raw(broker.port), raw(broker.port)
    publisher.connect()
    subscriber.connect()
    subscriber.subscribe("prop/s")
    pairs = [("b", "1"), ("a", "2"), ("b", "1")]
    props = (b"\x01\x01" + b"\x03\x00\x01c" + b"\x08\x00\x03r/t" + b"\x09\x00\x02\x00\xff"
             + b"".join(b"\x26\x00\x01%b\x00\x01%b" % (k.encode(), v.encode()) for k, v in pairs))
    publisher.publish("prop/s", b"text", props=props)
    got = subscriber.expect_message().props
    assert got[0x01] == 1 and got[0x03] == b"c" and got[0x08] == b"r/t"
    assert got[0x09] == b"\x00\xff"
    assert got[0x26] == [(k.encode(), v.encode()) for k, v in pairs]


# 5.0 [MQTT-3.3.2-6]
@pytest.mark.parametrize("seconds", [0, 1, 600])
def test_expiry_passes_through(broker, raw, seconds):
    """Less what the message has waited here: not more than it came with [MQTT-3.3.2-6]."""
    publisher, subscriber = raw(broker.port), raw(broker.port)
    publisher.connect()
    subscriber.connect()
    subscriber.subscribe("expiry/s")
    publisher.publish("expiry/s", b"x", props=b"\x02" + seconds.to_bytes(4, "big"))
    assert subscriber.expect_message().props[0x02] <= seconds


# 5.0 [MQTT-3.3.2-12]
def test_topic_alias_towards_the_server(broker, raw):
    """[MQTT-3.3.2-12]: the alias stands for the topic it was set with."""
    publisher, subscriber = raw(broker.port), raw(broker.port)
    publisher.connect()
    subscriber.connect()
    subscriber.subscribe("alias/#")
    publisher.publish("alias/one", b"1", props=b"\x23\x00\x01")
    publisher.publish("", b"2", props=b"\x23\x00\x01")
    publisher.publish("alias/two", b"3", props=b"\x23\x00\x01")
    publisher.publish("", b"4", props=b"\x23\x00\x01")
    got = [subscriber.expect_message() for _ in range(4)]
    assert [g.topic for g in got] == ["alias/one", "alias/one", "alias/two", "alias/two"]


# 5.0 [MQTT-3.3.4-9] [MQTT-4.3.2-3] [MQTT-4.9.0-1, -2]
def test_inflight_window_of_the_client(broker, raw):
    """No more than Receive Maximum unacknowledged deliveries [MQTT-3.3.4-9]."""
    publisher, subscriber = raw(broker.port), raw(broker.port)
    publisher.connect()
    subscriber.connect(props=b"\x21\x00\x03")
    subscriber.subscribe("window", qos=1)
    for i in range(6):
        publisher.publish("window", b"%d" % i, 1, packet_id=i + 1)
    first = [subscriber.expect_message() for _ in range(3)]
    subscriber.ping()  # nothing more has come
    subscriber.send(ack(PUBACK, first[0].packet_id))
    assert subscriber.expect_message().payload == b"3"
    subscriber.ping()
    subscriber.send(*(ack(PUBACK, m.packet_id) for m in first[1:]))
    assert [subscriber.expect_message().payload for _ in range(2)] == [b"4", b"5"]


def test_publish_to_self_in_one_write(broker, raw, version):
    """What a client sends itself comes back, whatever else is in the same read."""
    client = raw(broker.port, version)
    client.connect()
    client.subscribe("self")
    client.send(publish(version, "self", b"1"), publish(version, "self", b"2", 1, 5))
    kinds, payloads = [], []
    for _ in range(3):
        got = client.read()
        kinds.append(got.kind)
        if got.kind == PUBLISH:
            payloads.append(read_publish(got, version).payload)
    assert sorted(kinds) == [PUBLISH, PUBLISH, PUBACK]
    assert payloads == [b"1", b"2"]


def test_one_message_for_subscribers_of_all_kinds(broker, raw):
    """Connections that are sent the same bytes share them, each with a packet id of its own."""
    kinds = [(version, qos) for version in (V311, V5) for qos in (0, 1) for _ in range(3)]
    subscribers = []
    for number, (version, qos) in enumerate(kinds):
        one = raw(broker.port, version)
        one.connect()
        # Packet ids that differ from one to the next.
        one.subscribe(f"own/{number}", qos=1)
        one.subscribe("all/kinds", qos=qos)
        subscribers.append(one)
    publisher = raw(broker.port, V5)
    publisher.connect()
    for number in range(0, len(kinds), 2):
        publisher.publish(f"own/{number}", b"first", 1, packet_id=number + 1)
    for number, one in enumerate(subscribers):
        if number % 2 == 0:
            assert one.expect_message().payload == b"first"
    for payload in (b"", b"x" * 200, b"y" * 5000):
        publisher.publish("all/kinds", payload, 1, packet_id=100 + len(payload))
        for number, ((_, qos), one) in enumerate(zip(kinds, subscribers)):
            got = one.expect_message()
            assert (got.topic, got.payload, got.qos, got.retain) == ("all/kinds", payload, qos, 0)
            if qos:
                before = 1 if number % 2 == 0 else 0
                assert got.packet_id == before + (b"", b"x" * 200, b"y" * 5000).index(payload) + 1
