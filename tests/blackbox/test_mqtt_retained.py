"""Retained messages: what a new subscription gets (MQTT 5.0, 3.3.1.3 and 3.8.3.1)."""

import struct

import pytest
from mqtt_bytes import (CONNECT, PUBACK, PUBLISH, SUBACK, V5, V311, packet, publish, read_publish,
                        subscribe, text)
from support.waiting import wait_until


def collect(client, count):
    return [client.expect_message() for _ in range(count)]


@pytest.fixture
def clients(broker, raw):
    def make(version=V5, client_id="", **more):
        client = raw(broker.port, version)
        if version == V311 and not client_id:
            more.setdefault("clean", True)
        client.connect(client_id, **more)
        return client
    return make


def clear(client, *topics):
    for topic in topics:
        client.publish(topic, b"", 1, 99, retain=True)


# 5.0 [MQTT-3.3.1-5, -6, -7]
# 3.1.1 [MQTT-3.3.1-5, -6, -8, -9, -10, -11]
def test_set_replace_clear(clients, version):
    topic = f"ret/basic/{version}"
    writer, reader = clients(version), clients(version)
    for n, payload in enumerate((b"first", b"second")):
        writer.publish(topic, payload, 1, n + 1, retain=True)
    reader.subscribe(topic, qos=1)
    got = reader.expect_message()
    assert (got.payload, got.retain, got.qos) == (b"second", 1, 1)
    clear(writer, topic)
    live = reader.expect_message()
    assert (live.payload, live.retain) == (b"", 0)  # goes out as any message
    late = clients(version)
    late.subscribe(topic)
    late.ping()  # nothing is there


# 5.0 [MQTT-3.3.1-8] [MQTT-3.8.4-4]
# 3.1.1 [MQTT-3.3.1-7, -12] [MQTT-3.8.4-3]
def test_a_message_without_the_flag_leaves_it_alone(clients, version):
    topic = f"ret/alone/{version}"
    writer, reader = clients(version), clients(version)
    writer.publish(topic, b"kept", 1, 1, retain=True)
    writer.publish(topic, b"passes", 1, 2)
    writer.publish(topic, b"", 1, 3)
    reader.subscribe(topic)
    assert reader.expect_message().payload == b"kept"
    writer.publish(topic, b"newer at QoS 0", retain=True)
    assert reader.expect_message().retain == 0
    reader.subscribe(topic)  # once more: what is retained is sent again, at what is granted now
    got = reader.expect_message()
    assert (got.payload, got.retain, got.qos) == (b"newer at QoS 0", 1, 0)
    writer.publish(topic, b"", retain=True)
    reader.expect_message()


# 5.0 [MQTT-3.3.1-12, -13]
def test_live_messages_carry_no_retain_flag_unless_asked(clients):  # [MQTT-3.3.1-12], [-13]
    writer, plain, asked = clients(), clients(), clients()
    plain.subscribe("ret/rap")
    asked.subscribe(("ret/rap", 0x08))
    writer.publish("ret/rap", b"x", 1, 1, retain=True)
    assert plain.expect_message().retain == 0
    assert asked.expect_message().retain == 1
    writer.publish("ret/rap", b"x", 1, 2)
    assert asked.expect_message().retain == 0
    clear(writer, "ret/rap")


# 5.0 [MQTT-3.3.1-9, -10, -11] [MQTT-3.8.4-4]
def test_retain_handling(clients):  # [MQTT-3.3.1-9], [-10], [-11]
    writer, reader = clients(), clients()
    writer.publish("ret/rh", b"x", 1, 1, retain=True)
    reader.subscribe(("ret/rh", 0x20))  # 2: never
    reader.ping()
    reader.subscribe(("ret/rh", 0x10))  # 1: if new, and it is not
    reader.ping()
    reader.subscribe(("ret/rh", 0x00))  # 0: always
    assert reader.expect_message().retain == 1
    other = clients()
    other.subscribe(("ret/rh", 0x10))
    assert other.expect_message().payload == b"x"
    clear(writer, "ret/rh")


def test_shared_subscriptions_get_none(clients):
    writer, reader = clients(), clients()
    writer.publish("ret/shared", b"x", 1, 1, retain=True)
    assert reader.subscribe("$share/g/ret/shared") == [0]
    reader.ping()
    clear(writer, "ret/shared")


# 5.0 [MQTT-3.3.4-3] [MQTT-3.8.4-8]
def test_qos_is_the_lower_one_and_identifiers_are_told(clients):
    writer, reader = clients(), clients()
    writer.publish("ret/qos", b"x", 1, 1, retain=True)
    reader.subscribe("ret/qos", qos=2, props=b"\x0b\x07")
    got = reader.expect_message()
    assert got.qos == 1 and got.props == {0x0B: 7}
    clear(writer, "ret/qos")


# 5.0 [MQTT-3.3.2-5, -6]
def test_message_expiry(clients):
    writer = clients()
    writer.publish("ret/exp/long", b"x", 1, 1, retain=True, props=b"\x02" + struct.pack(">I", 500))
    writer.publish("ret/exp/short", b"x", 1, 2, retain=True, props=b"\x02" + struct.pack(">I", 1))

    def only_one():
        reader = clients()
        reader.send(subscribe(V5, 1, "ret/exp/+"))
        reader.expect(SUBACK)
        reader.send(b"\xc0\x00")
        got = []
        while (p := reader.read()).kind == PUBLISH:
            got.append(read_publish(p, V5))
        return [m for m in got if m.topic == "ret/exp/long"] == got and got

    (left,) = wait_until(only_one, "the message with 1 s of life stays")
    assert 490 <= left.props[2] <= 500
    clear(writer, "ret/exp/long")


# 5.0 [MQTT-3.8.3-3]
def test_no_local_holds_for_retained_too(clients):
    me = clients(client_id="retained-no-local")
    me.publish("ret/nl", b"x", 1, 1, retain=True)
    me.subscribe(("ret/nl", 0x04))
    me.ping()
    other = clients()
    other.subscribe(("ret/nl", 0x04))
    assert other.expect_message().payload == b"x"
    clear(me, "ret/nl")


# 5.0 [MQTT-3.3.1-9]
@pytest.mark.parametrize("qos", [0, 1])
def test_a_large_set_arrives_whole_beside_other_work(gateway, raw, qos):
    one = gateway(endpoints={"devices": {"max_queued_messages": 50}})
    writer, reader, bystander = raw(one.port), raw(one.port), raw(one.port)
    for c in (writer, reader, bystander):
        c.connect(props=b"\x21\x00\x14" if c is reader else b"")  # Receive Maximum 20
    count = 3000
    writer.send(*(publish(V5, f"large/{n}", b"x%d" % n, retain=True, qos=1, packet_id=n % 1000 + 1)
                  for n in range(count)))
    for _ in range(count):
        writer.expect(PUBACK)
    reader.send(subscribe(V5, 1, "large/#", qos=qos))
    reader.expect(SUBACK)
    bystander.ping()
    seen = set()
    while len(seen) < count:
        got = reader.expect_message()
        assert got.retain == 1 and got.topic not in seen
        seen.add(got.topic)
        if qos:
            reader.send(b"\x40\x02" + struct.pack(">H", got.packet_id))
    reader.ping()
    assert one.metric("trestle_messages_dropped_total", reason="queue_full") == 0
    assert one.metric("trestle_retained_messages") >= count


def test_limit(gateway, raw):
    one = gateway(hub={"max_retained_messages": 2, "sys_interval_s": 0})
    client, old = raw(one.port), raw(one.port, V311)
    client.connect()
    old.connect("old")
    client.subscribe("lim/#")
    assert client.publish("other", b"x", 1, 1, retain=True) == 0x10
    assert client.publish("other2", b"x", 1, 2, retain=True) == 0x10
    client.send(publish(V5, "lim/3", b"x", 1, 3, retain=True))
    kinds = {p.kind: p for p in (client.read(), client.read())}
    assert kinds[PUBACK].reason(V5) == 0x97
    assert read_publish(kinds[PUBLISH], V5).payload == b"x"  # delivered all the same
    old.publish("lim/4", b"x", 1, 4, retain=True)  # is acknowledged: 3.1.1 cannot be told
    one.wait_metric(2, "trestle_retained_messages")
    assert one.metric("trestle_retained_refused_total") == 2


# 5.0 [MQTT-3.2.2-13, -14]
def test_switched_off(gateway, raw):
    one = gateway(endpoints={"devices": {"retain_available": False}}, hub={"sys_interval_s": 0})
    client = raw(one.port)
    connack = client.connect()
    assert b"\x25\x00" in connack.body  # Retain Available 0
    client.send(publish(V5, "a", b"x", retain=True))
    client.expect_fault(0x9A)  # [MQTT-3.2.2-14]
    assert one.metric("trestle_retained_messages") == 0
    will = raw(one.port)
    will.send(packet(CONNECT << 4, text("MQTT"), b"\x05\x26\x00\x00\x00", text("will"), b"\x00",
                     text("w"), text("x")))
    refused = will.read()
    assert refused.reason(V5) == 0x9A  # [MQTT-3.2.2-13]
