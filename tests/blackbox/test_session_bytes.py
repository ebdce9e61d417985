"""`hub.max_session_bytes`: what the sessions of all clients together hold of messages and wills."""

import struct

import pytest
from mqtt_bytes import CONNACK, V5, V311, disconnect, publish
from test_mqtt_wills import connect_with_will, delay, expiry

REFUSED = {V311: 3, V5: 0x97}
MOST = 1_000_000
FOR_QUEUES = MOST - MOST // 8
UNTOLD = 64 * 1024  # of each shard but the one that looks


@pytest.fixture
def held(gateway, shards):
    one = gateway(hub={"max_session_bytes": MOST, "sys_interval_s": 0})
    one.slack = (shards - 1) * UNTOLD
    return one


def come_with_will(client, name):
    """The reason in CONNACK, to a client whose will is large and waits for long."""
    lasts = client.version == V5
    client.send(connect_with_will(
        client.version, name, "will", b"x" * 60_000, clean=True,
        will_props=delay(100_000) if lasts else b"", props=expiry(100_000) if lasts else b""))
    reason = client.expect(CONNACK).reason(client.version)
    if reason:
        client.expect_closed()
    return reason


def test_wills_that_do_not_fit_are_refused(held, raw, version):
    """Of clients that are there, and in MQTT 5.0 of those that have left them behind."""
    clients = []
    for n in range(40):
        client = raw(held.port, version)
        if reason := come_with_will(client, f"mortal {n}"):
            break
        clients.append(client)
        if version == V5:
            client.socket.close()
    assert reason == REFUSED[version]
    assert MOST - 61_000 - held.slack < len(clients) * 60_000 < MOST + held.slack
    assert len(clients) * 60_000 < held.metric("trestle_session_bytes") <= MOST + held.slack
    held.wait_log("no room for the will")
    assert held.metric("trestle_mqtt_connects_refused_total", endpoint="devices",
                       reason="max_session_bytes") == 1
    assert held.metric("trestle_mqtt_connects_refused_total", endpoint="devices",
                       reason="max_sessions") == 0
    without = raw(held.port, version)
    without.connect("no will")
    without.ping()
    for n, client in enumerate(clients):
        if version == V5:  # whoever comes back has no will any more
            client = raw(held.port, version)
            client.connect(f"mortal {n}")
        client.send(disconnect(version))
        client.expect_closed()
    held.wait_metric(0, "trestle_session_bytes")
    assert come_with_will(raw(held.port, version), "again") == 0


def test_queues_of_many_who_are_away(held, raw):
    """Each is within its own limits, all together are within that of the hub."""
    names, each, payload = [f"away {n}" for n in range(30)], 20, b"x" * 10_000
    for name in names:
        client = raw(held.port)
        client.connect(name, props=expiry(100_000))
        client.subscribe(name, qos=1)
        client.send(disconnect(V5))
        client.expect_closed()
    publisher, reader = raw(held.port), raw(held.port)
    publisher.connect()
    for name in names:
        for n in range(each):
            publisher.publish(name, payload, qos=1, packet_id=n + 1)
    lost = held.wait_metric(lambda lost: lost > 0, "trestle_messages_dropped_total",
                            endpoint="devices", reason="queue_full")
    kept = held.metric("trestle_session_queue_messages", endpoint="devices")
    if not held.slack:
        assert lost + kept == len(names) * each
    assert FOR_QUEUES - 11_000 < held.metric("trestle_session_bytes") <= FOR_QUEUES + held.slack
    # Who reads goes on, also at QoS 1.
    reader.connect("reader")
    reader.subscribe("read", qos=1)
    publisher.send(publish(V5, "read", b"still", 1, 1))
    got = reader.expect_message()
    assert (got.payload, got.qos) == (b"still", 1)
    reader.send(b"\x40\x02" + struct.pack(">H", got.packet_id))
    for name in names:
        raw(held.port).connect(name, clean=True)
    held.wait_metric(0, "trestle_session_bytes")
