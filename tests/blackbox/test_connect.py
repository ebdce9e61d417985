"""CONNECT, PINGREQ, DISCONNECT, and what ends a connection."""

import time

import pytest
from mqtt_bytes import (CONNACK, DISCONNECT, PINGRESP, V5, V311, connect, disconnect, ping, publish,
                        read_properties)


def test_connect_ping_disconnect(broker, raw, version):
    client = raw(broker.port, version)
    got = client.connect("someone")
    assert got.body[0] == 0  # no session present
    client.ping()
    client.send(disconnect(version))
    client.expect_closed()


def test_packets_in_one_write_are_answered_in_order(broker, raw, version):
    client = raw(broker.port, version)
    client.send(connect(version, "eager"), ping(), ping(), disconnect(version))
    client.expect(CONNACK)
    client.expect(PINGRESP)
    client.expect(PINGRESP)
    client.expect_closed()


def test_assigned_client_id(broker, raw):
    """[MQTT-3.1.3-7] and the property 18 of CONNACK; two clients get different ones."""
    ids = []
    for _ in range(2):
        got = raw(broker.port).connect("")
        ids.append(read_properties(got.body, 2)[0][0x12])
    assert all(ids) and ids[0] != ids[1]


def test_empty_client_id_needs_clean_session(broker, raw):
    """[MQTT-3.1.3-8] of 3.1.1: return code 2, then closed."""
    client = raw(broker.port, V311)
    client.connect("", clean=False, reason=2)
    client.expect_closed()


def test_unknown_protocol_level(broker, raw, version):
    """[MQTT-3.1.2-2] of 3.1.1: return code 1; of 5: reason 0x84 if anything."""
    client = raw(broker.port, version)
    client.send(connect(version, "future", level=9))
    got = client.read()
    if got is not None:
        assert got.kind == CONNACK and got.body[1] in (1, 0x84)
        client.expect_closed()


@pytest.mark.parametrize("first", [ping(), publish(V311, "a", b"x"), disconnect(V311)],
                         ids=["ping", "publish", "disconnect"])
def test_first_packet_is_not_connect(broker, raw, first):
    """[MQTT-3.1.0-1]"""
    client = raw(broker.port, V311)
    client.send(first)
    client.expect_closed()


def test_second_connect(broker, raw, version):
    """[MQTT-3.1.0-2]"""
    client = raw(broker.port, version)
    client.connect("twice")
    client.send(connect(version, "twice"))
    client.expect_fault(0x82)


def test_keep_alive_time_out(broker, raw, version):
    """[MQTT-3.1.2-22]: one and a half times the keep alive, 0x8D in version 5."""
    client = raw(broker.port, version)
    client.connect("sleepy", keep_alive=1)
    begun = time.monotonic()
    client.expect_fault(0x8D)
    assert 1.2 < time.monotonic() - begun


def test_ping_keeps_alive(broker, raw, version):
    client = raw(broker.port, version)
    client.connect("awake", keep_alive=1)
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        client.ping()
        time.sleep(0.3)


def test_take_over(broker, raw, version):
    """[MQTT-3.1.4-3]: the older connection of a client id goes, with 0x8E in version 5."""
    first = raw(broker.port, version)
    first.connect("popular")
    second = raw(broker.port, version)
    second.connect("popular")
    first.expect_fault(0x8E)
    second.ping()


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
