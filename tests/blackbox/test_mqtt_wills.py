"""Wills (MQTT 5.0, 3.1.2.5 and 3.1.3.2)."""

import struct
import time

import pytest
from mqtt_bytes import CONNACK, CONNECT, DISCONNECT, V5, disconnect, packet, properties, text, u16


def connect_with_will(version, client_id, topic, payload=b"gone", clean=True, keep_alive=0, qos=0,
                      retain=False, will_props=b"", props=b""):
    flags = 0x04 | (2 if clean else 0) | qos << 3 | retain << 5
    return packet(CONNECT << 4, text("MQTT"), bytes([version, flags]), u16(keep_alive),
                  properties(version, props), text(client_id), properties(version, will_props),
                  text(topic), text(payload))


def delay(seconds):
    return b"\x18" + struct.pack(">I", seconds)


def expiry(seconds):
    return b"\x11" + struct.pack(">I", seconds)


@pytest.fixture
def watcher(broker, raw):
    client = raw(broker.port)
    client.connect()
    return client


@pytest.fixture
def mortal(broker, raw):
    def make(version, *args, **more):
        client = raw(broker.port, version)
        client.send(connect_with_will(version, *args, **more))
        assert client.expect(CONNACK).reason(version) == 0
        return client
    return make


# 5.0 [MQTT-3.1.2-7, -8]
# 3.1.1 [MQTT-3.1.2-8]
def test_closed_without_disconnect(watcher, mortal, version):
    watcher.subscribe(f"will/close/{version}", qos=2)
    mortal(version, "w1", f"will/close/{version}", qos=1).socket.close()
    got = watcher.expect_message()
    assert (got.payload, got.qos, got.retain) == (b"gone", 1, 0)


# 5.0 [MQTT-3.1.2-10]
# 3.1.1 [MQTT-3.1.2-10, -12]
def test_published_once(watcher, mortal, raw, broker, version):
    """It is gone when it has been published: the next connection has none of its own."""
    watcher.subscribe("will/once")
    mortal(version, f"w20-{version}", "will/once").socket.close()
    assert watcher.expect_message().payload == b"gone"
    again = raw(broker.port, version)
    again.connect(f"w20-{version}")
    again.socket.close()
    late = raw(broker.port, version)
    late.connect(f"w20-{version}")  # after the end of the connection before
    watcher.ping()


# 5.0 [MQTT-3.1.2-10] [MQTT-3.14.4-3]
# 3.1.1 [MQTT-3.1.2-10] [MQTT-3.14.4-3]
def test_disconnect_drops_it(watcher, mortal, version):
    watcher.subscribe("will/bye")
    client = mortal(version, "w2", "will/bye")
    client.send(disconnect(version))
    client.expect_closed()
    watcher.ping()


# 5.0 [MQTT-3.14.4-3]
def test_disconnect_with_will(watcher, mortal):
    watcher.subscribe("will/0x04")
    mortal(V5, "w3", "will/0x04").send(disconnect(V5, 4))
    assert watcher.expect_message().payload == b"gone"


# 5.0 [MQTT-3.1.2-8]
# 3.1.1 [MQTT-3.1.2-8]
def test_protocol_error_and_keep_alive(watcher, mortal, version):
    watcher.subscribe(f"will/error/{version}/+")
    mortal(version, "w4", f"will/error/{version}/bad").send(b"\x00\x00")
    assert watcher.expect_message().topic.endswith("bad")
    mortal(version, "w5", f"will/error/{version}/silent", keep_alive=1)
    assert watcher.expect_message().topic.endswith("silent")  # [MQTT-3.1.2-22]


# 5.0 [MQTT-3.1.2-8]
# 3.1.1 [MQTT-3.1.2-8]
def test_take_over(watcher, mortal, version):
    watcher.subscribe(f"will/over/{version}")
    first = mortal(version, f"w6-{version}", f"will/over/{version}")
    mortal(version, f"w6-{version}", "will/other")
    assert watcher.expect_message().payload == b"gone"
    first.expect_fault(0x8E)


# 5.0 [MQTT-3.1.3-10]
def test_properties_go_with_it(watcher, mortal):
    watcher.subscribe("will/props")
    application = (b"\x01\x01" + b"\x03" + text("text/plain") + b"\x08" + text("answer/here") +
                   b"\x09" + text(b"\x00\xff") + b"\x26" + text("k") + text("1") +
                   b"\x26" + text("k") + text("2"))
    mortal(V5, "w7", "will/props",
           will_props=application + b"\x02" + struct.pack(">I", 50)).socket.close()
    got = watcher.expect_message().props
    assert got[1] == 1 and got[3] == b"text/plain" and got[8] == b"answer/here"
    assert got[9] == b"\x00\xff" and got[0x26] == [(b"k", b"1"), (b"k", b"2")]
    assert 49 <= got[2] <= 50  # counted from the publication on


# 5.0 [MQTT-3.1.2-15]
def test_retained_will(watcher, mortal):
    mortal(V5, "w8", "will/retained", retain=True).socket.close()
    watcher.subscribe(("will/retained", 0x08))
    assert watcher.expect_message().retain == 1
    watcher.publish("will/retained", b"", retain=True)


# 5.0 [MQTT-3.1.2-8]
def test_delay_waits(watcher, mortal):
    watcher.subscribe("will/delay")
    client = mortal(V5, "w9", "will/delay", props=expiry(60), will_props=delay(1))
    began = time.monotonic()
    client.socket.close()
    assert watcher.expect_message().payload == b"gone"
    assert time.monotonic() - began >= 0.9


# 5.0 [MQTT-3.1.3-9]
def test_delay_is_cancelled_by_a_new_connection(watcher, mortal, raw, broker):
    watcher.subscribe("will/cancel/+")
    mortal(V5, "w10", "will/cancel/first", props=expiry(60), will_props=delay(1),
           clean=False).socket.close()
    again = mortal(V5, "w10", "will/cancel/second", props=expiry(60), will_props=delay(2),
                   clean=False)
    began = time.monotonic()
    again.socket.close()
    assert watcher.expect_message().topic == "will/cancel/second"
    assert time.monotonic() - began >= 1.9


# 5.0 [MQTT-3.1.2-8]
def test_the_end_of_the_session_comes_first(watcher, mortal, broker, raw):
    watcher.subscribe("will/end/+")
    mortal(V5, "w11", "will/end/expiry", props=expiry(1), will_props=delay(3600)).socket.close()
    assert watcher.expect_message().topic == "will/end/expiry"
    mortal(V5, "w12", "will/end/none", will_props=delay(3600)).socket.close()
    assert watcher.expect_message().topic == "will/end/none"
    mortal(V5, "w13", "will/end/clean", props=expiry(60), will_props=delay(3600)).socket.close()
    fresh = raw(broker.port)
    fresh.connect("w13", clean=True)
    assert watcher.expect_message().topic == "will/end/clean"


def test_expiry_changed_in_disconnect(watcher, mortal):
    watcher.subscribe("will/changed")
    client = mortal(V5, "w14", "will/changed", props=expiry(60), will_props=delay(3600))
    client.send(packet(DISCONNECT << 4, b"\x04", properties(V5, expiry(0))))
    assert watcher.expect_message().payload == b"gone"


def test_not_on_the_servers_topics(broker, raw, version):
    client = raw(broker.port, version)
    client.send(connect_with_will(version, "w15", "$SYS/broker/version"))
    assert client.expect(CONNACK).reason(version) in (5, 0x87)
    client.expect_closed()
