"""CONNECT, PINGREQ, DISCONNECT, and what ends a connection."""

import string
import struct
import time

import pytest
from mqtt_bytes import (CONNACK, DISCONNECT, PINGRESP, V5, V311, connect, disconnect, packet, ping,
                        properties, publish, read_properties, text, u16)

LASTING = b"\x11" + struct.pack(">I", 600)


# 5.0 [MQTT-3.1.4-5] [MQTT-3.2.2-1] [MQTT-3.12.4-1] [MQTT-4.12.0-6]
# 3.1.1 [MQTT-3.1.4-4] [MQTT-3.12.4-1]
def test_connect_ping_disconnect(broker, raw, version):
    client = raw(broker.port, version)
    got = client.connect("someone")
    assert got.body[0] == 0  # no session present
    client.ping()
    client.send(disconnect(version))
    client.expect_closed()


# 5.0 [MQTT-3.2.0-1]
# 3.1.1 [MQTT-3.2.0-1]
def test_packets_in_one_write_are_answered_in_order(broker, raw, version):
    client = raw(broker.port, version)
    client.send(connect(version, "eager"), ping(), ping(), disconnect(version))
    client.expect(CONNACK)
    client.expect(PINGRESP)
    client.expect(PINGRESP)
    client.expect_closed()


# 5.0 [MQTT-3.1.3-6, -7] [MQTT-3.2.2-16]
def test_assigned_client_id(broker, raw):
    """[MQTT-3.1.3-7] and the property 18 of CONNACK; two clients get different ones."""
    ids = []
    for _ in range(2):
        got = raw(broker.port).connect("")
        ids.append(read_properties(got.body, 2)[0][0x12])
    assert all(ids) and ids[0] != ids[1]


# 3.1.1 [MQTT-3.1.3-7, -8, -9] [MQTT-3.2.2-5]
def test_empty_client_id_needs_clean_session(broker, raw):
    """[MQTT-3.1.3-8] of 3.1.1: return code 2, then closed."""
    client = raw(broker.port, V311)
    client.connect("", clean=False, reason=2)
    client.expect_closed()


# 5.0 [MQTT-3.1.2-2]
# 3.1.1 [MQTT-3.1.2-2] [MQTT-3.2.2-4, -5]
@pytest.mark.parametrize("level", [0, 3, 6, 9, 0x84])
def test_unknown_protocol_level(broker, raw, version, level):
    """Return code 1 in 3.1.1, reason 0x84 in 5, each in its own form as the CONNECT has it."""
    client = raw(broker.port, version if level > 5 else V311)
    client.send(connect(version, "future", level=level))
    got = client.expect(CONNACK)
    assert got.body[1] == (0x84 if client.version == V5 else 1)
    client.expect_closed()


# 5.0 [MQTT-3.1.0-1] [MQTT-3.14.0-1]
# 3.1.1 [MQTT-3.1.0-1]
@pytest.mark.parametrize("first", [ping(), publish(V311, "a", b"x"), disconnect(V311)],
                         ids=["ping", "publish", "disconnect"])
def test_first_packet_is_not_connect(broker, raw, first):
    """[MQTT-3.1.0-1]"""
    client = raw(broker.port, V311)
    client.send(first)
    client.expect_closed()


# 5.0 [MQTT-3.1.0-2] [MQTT-3.2.0-2]
# 3.1.1 [MQTT-3.1.0-2]
def test_second_connect(broker, raw, version):
    """[MQTT-3.1.0-2]"""
    client = raw(broker.port, version)
    client.connect("twice")
    client.send(connect(version, "twice"))
    client.expect_fault(0x82)


# 5.0 [MQTT-3.1.2-22] [MQTT-3.2.2-22]
# 3.1.1 [MQTT-3.1.2-24]
def test_keep_alive_time_out(broker, raw, version):
    """[MQTT-3.1.2-22]: one and a half times the keep alive, 0x8D in version 5."""
    client = raw(broker.port, version)
    client.connect("sleepy", keep_alive=1)
    begun = time.monotonic()
    client.expect_fault(0x8D)
    assert 1.2 < time.monotonic() - begun


# 5.0 [MQTT-3.1.2-22]
# 3.1.1 [MQTT-3.1.2-24]
def test_ping_keeps_alive(broker, raw, version):
    client = raw(broker.port, version)
    client.connect("awake", keep_alive=1)
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        client.ping()
        time.sleep(0.3)


# 5.0 [MQTT-3.1.3-2] [MQTT-3.1.4-3]
# 3.1.1 [MQTT-3.1.3-2] [MQTT-3.1.4-2]
def test_take_over(broker, raw, version):
    """[MQTT-3.1.4-3]: the older connection of a client id goes, with 0x8E in version 5."""
    first = raw(broker.port, version)
    first.connect("popular")
    second = raw(broker.port, version)
    second.connect("popular")
    first.expect_fault(0x8E)
    second.ping()


# 5.0 [MQTT-3.1.4-3]
# 3.1.1 [MQTT-3.1.4-2]
def test_take_over_chain(broker, raw):
    """Many connections of one id, made at once: exactly one is left."""
    clients = [raw(broker.port, V5) for _ in range(20)]
    for client in clients:
        client.send(connect(V5, "contested"))
    for client in clients:
        client.expect(CONNACK)
    winners = 0
    for client in clients:
        client.send(ping())
        winners += _alive(client)
    assert winners == 1


def _alive(client):
    got = client.read()
    if got is None:
        return 0
    if got.kind == DISCONNECT:
        assert got.reason(V5) == 0x8E
        return 0
    assert got.kind == PINGRESP
    return 1


# --- client ids, users, sessions ---

# 5.0 [MQTT-1.5.4-3] [MQTT-3.1.3-5]
# 3.1.1 [MQTT-1.5.3-3] [MQTT-3.1.3-5]
@pytest.mark.parametrize("client_id", [
    *string.digits, *string.ascii_letters, string.ascii_lowercase[:23], string.digits * 2 + "aZ0",
    "with/any+char#acter \u00e9\ufeff", "x" * 65_535])
def test_client_ids(broker, raw, version, client_id):
    """[MQTT-3.1.3-5] asks for 1 to 23 letters and digits; any other text is taken too."""
    raw(broker.port, version).connect(client_id)


# 5.0 [MQTT-3.1.3-7]
def test_assigned_client_id_is_a_client_id(broker, raw):
    """The session is found again under it."""
    client = raw(broker.port)
    got = client.connect("", props=LASTING)
    name = read_properties(got.body, 2)[0][0x12].decode()
    client.send(disconnect(V5))
    client.expect_closed()
    assert raw(broker.port).connect(name, clean=False).body[0] == 1


# 3.1.1 [MQTT-3.1.3-6]
def test_empty_client_id_in_3_1_1(broker, raw):
    clients = [raw(broker.port, V311) for _ in range(2)]
    for client in clients:
        client.connect("")
    for client in clients:  # they are two
        client.ping()


# 5.0 [MQTT-3.1.3-1, -3]
# 3.1.1 [MQTT-3.1.3-1, -3]
def test_user_and_password_are_read_in_their_order(broker, raw, version):
    """Client id, will, user, password: the will is what stood in its place."""
    watcher = raw(broker.port)
    watcher.connect()
    watcher.subscribe("connect/will")
    client = raw(broker.port, version)
    client.send(packet(0x10, text("MQTT"), bytes([version, 0xC6]), u16(0), properties(version),
                       text("payload-order"), properties(version), text("connect/will"),
                       text("the will"), text("user"), text(b"\x00pass\xff")))
    assert client.expect(CONNACK).reason(version) == 0
    client.socket.close()
    assert watcher.expect_message().payload == b"the will"


def test_password_without_user_is_for_version_5(broker, raw):
    client = raw(broker.port)
    client.send(packet(0x10, text("MQTT"), b"\x05\x42\0\0\0", text("x"), text("pw")))
    assert client.expect(CONNACK).reason(V5) == 0


# 5.0 [MQTT-3.1.2-9, -12, -14, -15]
# 3.1.1 [MQTT-3.1.2-9, -14, -16, -17]
@pytest.mark.parametrize("flags", [0x06, 0x0E, 0x16, 0x26, 0x2E, 0x36])
def test_every_will_qos_and_retain(broker, raw, version, flags):
    watcher = raw(broker.port)
    watcher.connect()
    watcher.subscribe("connect/qos", qos=2)
    client = raw(broker.port, version)
    client.send(packet(0x10, text("MQTT"), bytes([version, flags]), u16(0), properties(version),
                       text("x"), properties(version), text("connect/qos"), text("bye")))
    assert client.expect(CONNACK).reason(version) == 0
    client.socket.close()
    got = watcher.expect_message()
    assert (got.qos, got.retain) == (flags >> 3 & 3, 0)
    late = raw(broker.port)
    late.connect()
    late.subscribe("connect/qos")
    if flags & 0x20:
        assert late.expect_message().retain == 1
        late.publish("connect/qos", b"", retain=True)
        assert late.expect_message().payload == b""
    late.ping()


def test_mqisdp(broker, raw):
    """MQTT 3.1, as older devices speak it."""
    client, other = raw(broker.port, V311), raw(broker.port)
    client.send(connect(V311, "old", name="MQIsdp", level=3))
    assert client.expect(CONNACK).body == b"\0\0"
    other.connect()
    assert client.subscribe("mqisdp", qos=2) == [2]
    other.publish("mqisdp", b"x", props=b"\x03\x00\x01t")
    assert client.expect_message().payload == b"x"
    nameless = raw(broker.port, V311)
    nameless.send(connect(V311, "", name="MQIsdp", level=3))
    nameless.expect(CONNACK)
    nameless.expect_closed()


# 5.0 [MQTT-3.1.4-2] [MQTT-3.2.2-7] [MQTT-4.12.0-1, -4]
def test_authentication_method_is_refused(broker, raw):
    """None is configured: 0x8C, and AUTH is never sent [MQTT-4.12.0-1]."""
    client = raw(broker.port)
    client.send(connect(V5, "auth", props=b"\x15" + text("SCRAM-SHA-1") + b"\x16" + text("data")))
    assert client.expect(CONNACK).reason(V5) == 0x8C
    client.expect_closed()


# 5.0 [MQTT-3.1.4-6]
# 3.1.1 [MQTT-3.1.4-5]
def test_nothing_is_done_after_a_refusal(broker, raw, version):
    watcher = raw(broker.port)
    watcher.connect()
    watcher.subscribe("connect/after")
    client = raw(broker.port, version)
    client.send(connect(version, "x", flags=0x03), publish(version, "connect/after", b"no"),
                connect(version, "x"), publish(version, "connect/after", b"no"))
    while (got := client.read()) is not None:
        assert got.kind == CONNACK and got.reason(version) != 0
    watcher.ping()


# 5.0 [MQTT-3.2.0-1, -2]
# 3.1.1 [MQTT-3.2.0-1]
def test_connack_comes_first(broker, raw, version):
    """Before what waits in the session, and once."""
    client, writer = raw(broker.port, version), raw(broker.port)
    client.connect(f"first-{version}", clean=False, props=LASTING if version == V5 else b"")
    client.subscribe("connect/first", qos=1)
    client.socket.close()
    writer.connect()
    writer.publish("connect/first", b"waits", 1, packet_id=1)
    client = raw(broker.port, version)
    assert client.connect(f"first-{version}", clean=False).body[0] == 1
    assert client.expect_message().payload == b"waits"
    client.ping()


def test_first_packet_is_bounded(gateway, raw, version):
    """A stranger cannot make the server hold more than `max_connect_packet_size`."""
    one = gateway(endpoints={"devices": {"max_connect_packet_size": 1000}})
    fits, large = raw(one.port, version), raw(one.port, version)
    fits.connect("x" * 900)
    fits.subscribe("t")
    fits.publish("t", b"y" * 5000)  # only the first
    assert len(fits.expect_message().payload) == 5000
    large.send(connect(version, "x" * 1000)[:20])
    large.expect_closed()
