"""What the options of an MQTT endpoint do: offers, limits, listeners, the $SYS topics."""

import socket
import struct
import time

import pytest
from mqtt_bytes import (CONNACK, CONNECT, PUBACK, PUBREC, SUBACK, V5, V311, RawClient, connect,
                        packet, properties, publish, read_properties, subscribe, text)
from support.waiting import PATIENCE, free_port, wait_until


def offers(connack):
    return read_properties(connack.body, 2)[0]


# --- what CONNACK says (3.2.2.3) ---

def test_defaults_are_announced(broker, raw):
    got = offers(raw(broker.port).connect("offers"))
    assert {k: got[k] for k in (0x25, 0x28, 0x29, 0x2A)} == {0x25: 1, 0x28: 1, 0x29: 1, 0x2A: 1}
    assert 0x24 not in got and 0x1A not in got


# 5.0 [MQTT-3.1.2-28] [MQTT-3.2.2-9, -10, -11] [MQTT-3.9.3-2]
def test_options_are_announced_and_kept(gateway, raw):
    one = gateway(endpoints={"devices": {
        "maximum_qos": 1, "wildcard_subscription_available": False, "server_keep_alive": 30,
        "receive_maximum": 7, "maximum_packet_size": 1000, "topic_alias_maximum": 3,
        "response_information": "answers/", "session_expiry_maximum": 100}})
    client = raw(one.port)
    got = offers(client.connect("c", props=b"\x19\x01\x11" + struct.pack(">I", 500)))
    assert got[0x24] == 1 and got[0x28] == 0 and got[0x13] == 30 and got[0x21] == 7
    assert got[0x27] == 1000 and got[0x22] == 3 and got[0x1A] == b"answers/" and got[0x11] == 100
    assert client.subscribe("a/+", "a/#", "a/b", qos=2) == [0xA2, 0xA2, 1]
    client.send(publish(V5, "a", b"x", 2, 1))
    client.expect_fault(0x9B)  # [MQTT-3.2.2-11]
    assert 0x1A not in offers(raw(one.port).connect("nobody asked"))
    large = raw(one.port)
    large.connect()
    large.send(publish(V5, "a", b"x" * 1000))
    large.expect_fault(0x95)


# 5.0 [MQTT-3.3.4-7]
def test_receive_maximum_counts_qos_2_until_pubrel(gateway, raw):
    one = gateway(endpoints={"devices": {"receive_maximum": 2}})
    client = raw(one.port)
    client.connect()
    for n in (1, 2):
        client.send(publish(V5, "a", b"x", 2, n))
        client.expect(PUBREC)
    client.send(b"\x62\x02\x00\x01")
    client.read()
    client.send(publish(V5, "a", b"x", 2, 3))
    client.expect(PUBREC)
    client.send(publish(V5, "a", b"x", 2, 4))
    client.expect_fault(0x93)


def test_full_server_names_another(gateway, raw):
    one = gateway(endpoints={"devices": {"max_connections": 1, "server_reference": "other:1883"}})
    raw(one.port).connect("first")
    second, third = raw(one.port), raw(one.port, V311)
    second.send(connect(V5, "second"))
    got = second.expect(CONNACK)
    assert got.reason(V5) == 0x9C and offers(got)[0x1C] == b"other:1883"
    third.send(connect(V311, "third"))
    assert third.expect(CONNACK).reason(V311) == 3


# --- limits ---

# 5.0 [MQTT-3.8.4-7]
# 3.1.1 [MQTT-3.8.4-5] [MQTT-3.9.3-2]
def test_refused_filters(gateway, raw, version):
    one = gateway(endpoints={"devices": {"refuse_filters": ["secret/#", "exact"]}})
    client = raw(one.port, version)
    client.connect("c")
    refused = ("secret/x", "secret/+/y", "secret", "exact", "$share/g/secret/a")
    assert client.subscribe(*refused) == [0x80] * 5
    assert client.subscribe("exact/x", "public/#", "+/x") == [0, 0, 0]


# 3.1.1 [MQTT-3.8.3-2]
def test_wildcards_switched_off_in_3_1_1(gateway, raw):
    one = gateway(endpoints={"devices": {"wildcard_subscription_available": False}})
    client = raw(one.port, V311)
    client.connect("c")
    assert client.subscribe("a/+", "#", "a/b") == [0x80, 0x80, 0]


# 5.0 [MQTT-3.1.2-29] [MQTT-3.9.2-1]
def test_reason_strings_only_when_wanted(gateway, raw):
    one = gateway(endpoints={"devices": {"refuse_filters": ["no"]}})
    for wanted in (0, 1):
        client = raw(one.port)
        client.connect(props=b"\x17" + bytes([wanted]))
        client.send(subscribe(V5, 1, "no"))
        props, _ = read_properties(client.expect(SUBACK).body, 2)
        assert (0x1F in props) == bool(wanted)
        client.send(publish(V5, "$SYS/x", b"", 1, 2))
        got = client.expect(PUBACK)
        assert got.reason(V5) == 0x87 and (len(got.body) > 4) == bool(wanted)


def test_topic_levels(gateway, raw, version):
    one = gateway(endpoints={"devices": {"max_topic_levels": 3}})
    client = raw(one.port, version)
    client.connect("c")
    too_many = 0x8F if version == V5 else 0x80
    assert client.subscribe("a/b/c", "a/b/c/d") == [0, too_many]
    assert client.subscribe("$share/g/x/y/z", "$share/g/x/y/z/#") == [0, too_many]
    client.publish("a/b/c", b"x")
    assert client.expect_message().payload == b"x"
    client.send(publish(version, "a/b/c/d", b"x"))
    client.expect_fault(0x90)


# 5.0 [MQTT-3.3.2-4]
def test_payload_format(gateway, raw):
    one = gateway(endpoints={"devices": {"check_payload_format": True}})
    client = raw(one.port)
    client.connect()
    assert client.publish("a", b"\xff", 1, 1, props=b"\x01\x01") == 0x99
    assert client.publish("a", b"\xff", 1, 2, props=b"\x01\x00") == 0x10
    assert client.publish("a", "ä".encode(), 1, 3, props=b"\x01\x01") == 0x10
    client.send(publish(V5, "a", b"\xff", 2, 4, props=b"\x01\x01"))
    assert client.expect(PUBREC).reason(V5) == 0x99
    client.send(publish(V5, "a", b"\xff", 0, props=b"\x01\x01"))
    client.ping()
    for payload, reason in ((b"\xff", 0x99), (b"text", 0)):
        mortal = raw(one.port)
        mortal.send(packet(CONNECT << 4, text("MQTT"), b"\x05\x06\0\0\0", text("w"),
                           properties(V5, b"\x01\x01"), text("will"), text(payload)))
        assert mortal.expect(CONNACK).reason(V5) == reason


# 5.0 [MQTT-3.2.2-10, -12]
def test_will_beyond_maximum_qos(gateway, raw):
    one = gateway(endpoints={"devices": {"maximum_qos": 0}})
    for qos, reason in ((2, 0x9B), (0, 0)):
        mortal = raw(one.port)
        mortal.send(packet(CONNECT << 4, text("MQTT"), bytes([5, 0x06 | qos << 3, 0, 0, 0]),
                           text("w"), b"\0", text("will"), text("x")))
        got = mortal.expect(CONNACK)
        assert got.reason(V5) == reason and (reason or offers(got)[0x24] == 0)
    assert mortal.subscribe("a", qos=2) == [0]


# 3.1.1 [MQTT-4.8.0-2]
def test_a_client_that_cannot_be_told_waits_longer_each_time(gateway, raw):
    """3.1.1 cannot say that a route is full: the connection is closed, the next CONNACK waits."""
    one = gateway(endpoints={"jobs": {"socket": "push"}}, routes=[
        {"name": "r", "mqtt": "job/{x}", "zmq": "{x}", "to": "jobs",
         "queue": {"max_messages": 1, "block_ms": 20}}])
    waited, sent = [], None
    for _ in range(3):
        client = raw(one.port, V311)
        client.connect("same")
        if sent is not None:
            waited.append(time.monotonic() - sent)  # the pause begins after it
        sent = time.monotonic()
        client.send(*(publish(V311, "job/x", b"x", 1, n) for n in range(1, 2000)))
        while client.read() is not None:
            pass
    other = raw(one.port, V311)
    began = time.monotonic()
    other.connect("other")
    assert time.monotonic() - began < waited[0]
    assert waited[0] >= 1 and waited[1] >= 2


# --- topic aliases towards the client (3.3.2.3.4) ---

# 5.0 [MQTT-3.1.2-26, -27] [MQTT-3.3.2-8, -11]
def test_aliases_only_as_many_as_the_client_allows(broker, raw):  # [MQTT-3.1.2-26], [-27]
    plain, asked, writer = (raw(broker.port) for _ in range(3))
    plain.connect("alias-plain")
    asked.connect("alias-asked", props=b"\x22\x00\x02")
    writer.connect("alias-writer")
    for c in (plain, asked):
        c.subscribe("alias/#")
    topics = [f"alias/{n % 5}" for n in range(100)] + ["alias/steady"] * 10
    for n, topic in enumerate(topics):
        writer.publish(topic, b"%d" % n)
    known, saved = {}, 0
    for n, topic in enumerate(topics):
        got = plain.expect_message()
        assert (got.topic, got.props) == (topic, {})
        got = asked.expect_message()
        alias = got.props.get(0x23, 0)
        assert 0 <= alias <= 2 and got.payload == b"%d" % n
        if got.topic:
            assert got.topic == topic
            if alias:
                known[alias] = topic
        else:
            assert known[alias] == topic
            saved += 1
    assert saved >= 8


def test_maximum_packet_size_holds_with_aliases(broker, raw):  # [MQTT-3.1.2-24]
    reader, writer = raw(broker.port), raw(broker.port)
    whole = len(publish(V5, "alias-size/t", b"x" * 20))
    reader.connect("alias-size", props=b"\x22\x00\x02\x27" + struct.pack(">I", whole))
    reader.subscribe("alias-size/t")
    writer.connect()
    for _ in range(4):
        writer.publish("alias-size/t", b"x" * 20)
        assert reader.expect_message().topic == "alias-size/t"
    writer.publish("alias-size/t", b"x" * 21)
    writer.ping()
    reader.ping()


# --- $SYS ---

# 5.0 [MQTT-4.7.2-1]
# 3.1.1 [MQTT-4.7.2-1]
def test_sys_topics(gateway, raw):
    one = gateway(hub={"sys_interval_s": 1})
    client = raw(one.port)
    client.connect("c")
    client.subscribe("#")
    client.ping()  # not selected by a wildcard at the front
    client.subscribe("$SYS/#", packet_id=2)
    said = {}

    def has_all():
        said.update((m.topic, m.payload.decode()) for m in [client.expect_message()])
        return (said.get("$SYS/broker/clients/connected") == "1" and
                said.get("$SYS/broker/subscriptions/count") == "2" and
                "$SYS/broker/load/messages/received/15min" in said)

    wait_until(has_all, lambda: str(said))
    assert said["$SYS/broker/version"].startswith("trestle version ")
    loads = ("connections", "sockets", "messages/received", "messages/sent", "bytes/received",
             "bytes/sent", "publish/received", "publish/sent", "publish/dropped")
    names = {
        "version", "uptime", "messages/received", "messages/sent", "messages/stored",
        "bytes/received", "bytes/sent", "heap/current", "heap/maximum", "retained messages/count",
        "subscriptions/count", "shared_subscriptions/count", "store/messages/count",
        "store/messages/bytes", *(f"publish/{what}/{way}" for what in ("messages", "bytes")
                                  for way in ("received", "sent")), "publish/messages/dropped",
        *(f"clients/{which}" for which in ("connected", "active", "disconnected", "inactive",
                                           "total", "maximum", "expired")),
        *(f"load/{what}/{minutes}min" for what in loads for minutes in (1, 5, 15))}
    assert set(said) == {f"$SYS/broker/{name}" for name in names}  # those of mosquitto 2.0
    assert int(said["$SYS/broker/heap/maximum"]) >= int(said["$SYS/broker/heap/current"]) > 1e6


def test_sys_topics_count_what_they_say(gateway, raw):
    one = gateway(hub={"sys_interval_s": 1})
    client, watcher = raw(one.port), raw(one.port)
    watcher.connect("watcher")
    client.connect("sys-1", props=b"\x11" + struct.pack(">I", 1))
    client.subscribe("$share/g/x")
    client.publish("nobody", b"12345", 1, 1)
    client.socket.close()  # its session expires
    wanted = {"clients/expired": 1, "shared_subscriptions/count": 0, "clients/connected": 1,
              "publish/messages/received": 1, "publish/messages/dropped": 1,
              "publish/bytes/received": len(publish(V5, "nobody", b"12345", 1, 1)),
              "messages/received": 5}  # CONNECT twice, SUBSCRIBE twice, PUBLISH
    watcher.subscribe(*(f"$SYS/broker/{name}" for name in wanted),
                      "$SYS/broker/load/sockets/1min")
    said = {}

    def as_wanted():
        got = watcher.expect_message()
        said[got.topic.removeprefix("$SYS/broker/")] = float(got.payload)
        return said.items() >= wanted.items() and said.get("load/sockets/1min", 0) > 0

    wait_until(as_wanted, lambda: str(said))


# 3.1.1 [MQTT-3.3.5-2]
def test_sys_topics_are_the_servers(gateway, raw, version):
    one = gateway(hub={"sys_interval_s": 0})
    client, watcher = raw(one.port, version), raw(one.port)
    client.connect("c")
    watcher.connect("w")
    watcher.subscribe("$SYS/#")
    refused = 0x87 if version == V5 else 0
    assert client.publish("$SYS/broker/version", b"x", 1, 1, retain=True) == refused
    client.publish("$SYS/broker/version", b"x")
    client.ping()
    watcher.ping()
    assert one.metric("trestle_messages_dropped_total", endpoint="devices", reason="acl") == 2
    assert one.metric("trestle_retained_messages") == 0


# --- listeners ---

# 5.0 [MQTT-4.2.0-1]
# 3.1.1 [MQTT-7.1.1-1]
def test_unix_ipv6_and_several(gateway, tmp_path):
    ports, path = (free_port(), free_port()), tmp_path / "mqtt.sock"
    gateway(endpoints={"devices": {"listen": [
        f"mqtt://127.0.0.1:{ports[0]}", f"mqtt://[::1]:{ports[1]}", f"mqtt+unix://{path}"]}})
    local = socket.socket(socket.AF_UNIX)
    local.settimeout(PATIENCE)
    local.connect(str(path))
    sockets = [socket.create_connection(("127.0.0.1", ports[0]), PATIENCE),
               socket.create_connection(("::1", ports[1]), PATIENCE), local]
    for n, one in enumerate(sockets):
        client = RawClient.__new__(RawClient)
        client.version, client.socket, client.buffer = V5, one, b""
        client.connect(f"listener-{n}")
        client.subscribe("x")
        client.publish("x", b"%d" % n)
        assert client.expect_message().payload == b"%d" % n
        one.close()


V2 = b"\r\n\r\n\0\r\nQUIT\n"
PROXY_HEADERS = {
    "v1": (b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 1883\r\n", "192.0.2.7:4711"),
    "v1-ipv6": (b"PROXY TCP6 2001:db8::7 ::1 4711 1883\r\n", "[2001:db8::7]:4711"),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1:"),
    "v2": (V2 + b"\x21\x11\x00\x0f\xc0\x00\x02\x07\xc0\x00\x02\x01\x12\x67\x07\x5b"
           b"\x04\x00\x00", "192.0.2.7:4711"),
    "v2-local": (V2 + b"\x20\x00\x00\x00", "127.0.0.1:"),
}


@pytest.mark.parametrize("kind", PROXY_HEADERS)
def test_proxy_protocol(gateway, kind):
    one = gateway(endpoints={"devices": {"proxy_protocol": True}})
    header, address = PROXY_HEADERS[kind]
    with RawClient(one.port) as client:
        for byte in header + connect(V5, "proxied"):
            client.send(bytes([byte]))
        assert client.expect(CONNACK).reason(V5) == 0
        client.send(b"\x00\x00")
        client.expect_fault(0x81)
    one.wait_log(f"{address}")
    assert f"{address}" in one.log() and "proxied" in one.log()


@pytest.mark.parametrize("bytes_", [connect(V5, "direct"), b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
                                    b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n", b"PROXY " + b"x" * 200,
                                    V2 + b"\x31\x11\x00\x00", V2 + b"\x21\x11\x00\x04abcd"])
def test_bad_proxy_headers(gateway, bytes_):
    one = gateway(endpoints={"devices": {"proxy_protocol": True}})
    with RawClient(one.port) as client:
        client.send(bytes_)
        client.expect_closed()
    one.wait_log("PROXY header")
