"""Limits of one connection: slow, oversized and too many. Each costs only its own connection."""

import time

import pytest
from mqtt_bytes import (CONNACK, UNSUBACK, V5, connect, ping, publish, subscribe, text, u16,
                        unsubscribe)
from support.waiting import wait_until


@pytest.fixture
def strict(gateway):
    return gateway(endpoints={"devices": {
        "connect_timeout_ms": 600, "maximum_packet_size": 2000, "max_connections": 8,
        "receive_maximum": 5}})


def test_connect_byte_by_byte_times_out(strict, raw, version):
    """A CONNECT that never ends is closed when its time is up, however busily it arrives."""
    client = raw(strict.port, version)
    begun = time.monotonic()
    client.socket.settimeout(0.05)
    for byte in connect(version, "x" * 1500)[:-1]:
        client.send(bytes([byte]))
        try:
            if client.socket.recv(100) == b"":
                break
        except TimeoutError:
            continue
        except ConnectionResetError:
            break
    else:
        pytest.fail("the whole CONNECT was waited for")
    assert 0.4 < time.monotonic() - begun < 15


def test_slow_connect_in_time_is_fine(strict, raw, version):
    client = raw(strict.port, version)
    for byte in connect(version, "slow"):
        client.send(bytes([byte]))
    assert client.expect(CONNACK).reason(version) == 0


def test_silent_connection_times_out(strict, raw):
    client = raw(strict.port)
    client.expect_closed()


# 5.0 [MQTT-3.2.2-15]
def test_announced_maximum_packet_size(strict, raw):
    """CONNACK says it; a larger packet is refused by its header alone [MQTT-3.2.2-15]."""
    client = raw(strict.port)
    got = client.connect()
    assert b"\x27\x00\x00\x07\xd0" in got.body
    client.send(b"\x30" + b"\xff\xff\x7f")  # header only
    client.expect_fault(0x95)


# 5.0 [MQTT-3.2.2-15]
def test_largest_packet_that_fits(strict, raw, version):
    client = raw(strict.port, version)
    client.connect()
    client.subscribe("fits")
    packet = publish(version, "fits", b"x" * 1900)
    packet = publish(version, "fits", b"x" * (1900 + 2000 - len(packet)))
    assert len(packet) == 2000
    client.send(packet)
    assert len(client.expect_message().payload) >= 1990
    client.send(publish(version, "fits", b"x" * 2000))
    client.expect_fault(0x95)


# 5.0 [MQTT-3.1.2-24, -25]
def test_packet_too_large_for_a_subscriber(strict, raw):
    """A subscriber's own maximum: dropped for it alone, and counted [MQTT-3.1.2-25]."""
    small, large, publisher = (raw(strict.port) for _ in range(3))
    small.connect(props=b"\x27\x00\x00\x00\x40")  # 64 bytes
    large.connect()
    publisher.connect()
    small.subscribe("size/#")
    large.subscribe("size/#")
    publisher.publish("size/a", b"x" * 100)
    publisher.publish("size/a", b"short")
    assert small.expect_message().payload == b"short"
    assert len(large.expect_message().payload) == 100
    strict.wait_metric(1, "trestle_messages_dropped_total", endpoint="devices", reason="too_large")


# 5.0 [MQTT-3.1.4-2]
def test_connection_limit(strict, raw):
    clients = [raw(strict.port) for _ in range(8)]
    for client in clients:
        client.connect()
    extra = raw(strict.port)
    extra.send(connect(V5, "one too many"))
    got = extra.read()
    if got is not None:  # 0x89 server busy, 0x97 quota exceeded, 0x9F rate exceeded
        assert got.kind == CONNACK and got.reason(V5) in (0x88, 0x89, 0x97, 0x9F)
        extra.expect_closed()
    extra.socket.close()
    clients[0].ping()
    clients[0].socket.close()

    def admitted():
        later = raw(strict.port)
        later.send(connect(V5, "later"))
        answer = later.read()
        if answer is None or answer.reason(V5):
            later.socket.close()
        return answer is not None and answer.reason(V5) == 0

    wait_until(admitted, "nobody is let in where one has left", every=0.1)


def test_granted_receive_maximum(strict, raw):
    client = raw(strict.port)
    got = client.connect()
    assert b"\x21\x00\x05" in got.body


def test_slow_reader_harms_nobody(gateway, raw):
    """A client that stops reading loses its own messages, counted; its neighbour gets all."""
    one = gateway(endpoints={"devices": {"max_queued_messages": 1000}})
    stuck, reader, publisher = (raw(one.port) for _ in range(3))
    for client in (stuck, reader):
        client.connect()
        client.subscribe("flood/#")
    publisher.connect()
    payload = b"x" * 10_000
    for block in range(40):
        publisher.send(*(publish(V5, "flood/a", payload) for _ in range(100)))
        for _ in range(100):
            assert len(reader.expect_message().payload) == 10_000
    one.wait_metric(lambda v: v > 0, "trestle_messages_dropped_total", endpoint="devices",
                    reason="queue_full")


# 5.0 [MQTT-3.1.2-22]
# 3.1.1 [MQTT-3.1.2-24]
def test_answers_to_one_that_reads_nothing(gateway, raw, version):
    """They do not fill the memory: nothing is read from it either, and keep alive ends it."""
    one = gateway()
    deaf = raw(one.port, version)
    deaf.connect(keep_alive=1)
    with pytest.raises(ConnectionError):
        for _ in range(128):
            deaf.socket.sendall(ping() * (1 << 19))
    one.wait_metric(0, "trestle_connections", endpoint="devices")


def test_half_open_and_reset(strict, raw):
    """Peers that vanish in every way leave nothing behind."""
    for data in (b"", b"\x10", connect(V5, "gone")[:9], connect(V5, "gone"),
                 connect(V5, "gone") + b"\x30\x7f" + text("a") + u16(0)):
        client = raw(strict.port)
        client.send(data)
        client.socket.close()
    strict.wait_metric(0, "trestle_connections", endpoint="devices")


# 5.0 [MQTT-3.8.4-6]
def test_many_filters_in_one_subscribe(gateway, raw):
    one = gateway()
    client = raw(one.port)
    client.connect()
    filters = [f"f/{i}" for i in range(2000)]
    client.send(subscribe(V5, 1, *filters))
    assert client.expect(9).reasons(V5) == [0] * 2000
    client.publish("f/1999", b"x")
    assert client.expect_message().topic == "f/1999"
    wait_until(lambda: one.metric("trestle_subscriptions") == 2000, "subscriptions are not counted")


def test_answer_larger_than_the_client_takes(strict, raw):
    client = raw(strict.port)
    client.connect(props=b"\x27\x00\x00\x00\x64")
    client.send(subscribe(V5, 1, *(f"f/{i}" for i in range(100))))
    client.expect_fault(0x95)


def test_subscriptions_of_one_client(gateway, raw, version):
    """One too many is refused, alone; those that are there can be changed and make room."""
    one = gateway(endpoints={"devices": {"max_subscriptions": 2}})
    client = raw(one.port, version)
    client.connect("c")
    refused = 0x97 if version == V5 else 0x80
    assert client.subscribe("a", "b", "c") == [0, 0, refused]
    assert client.subscribe("b", qos=1) == [1]
    client.send(unsubscribe(version, 2, "a"))
    client.expect(UNSUBACK)
    assert client.subscribe("c", "d") == [0, refused]


def test_shared_subscriptions_of_one_client(gateway, raw, version):
    one = gateway(endpoints={"devices": {"max_shared_subscriptions": 2}})
    client = raw(one.port, version)
    client.connect("c")
    refused = 0x97 if version == V5 else 0x80
    assert client.subscribe("$share/1/a", "$share/2/a", "$share/3/a", "a") == [0, 0, refused, 0]
    assert client.subscribe("$share/2/a", qos=1) == [1]
    client.send(unsubscribe(version, 2, "a", "$share/1/a"))
    client.expect(UNSUBACK)
    assert client.subscribe("$share/3/a", "$share/4/a") == [0, refused]


def test_bytes_of_one_clients_filters(gateway, raw, version):
    """Of many levels there are few; what is given up makes room."""
    one = gateway(endpoints={"devices": {"max_subscription_bytes": 2000}})
    client = raw(one.port, version)
    client.connect("c")
    refused = 0x97 if version == V5 else 0x80
    deep = "/+" * 9  # 10 levels
    assert client.subscribe("1" + deep, "2" + deep, "a/b", "a") == [0, refused, 0, refused]
    assert client.subscribe("1" + deep, qos=1) == [1]
    client.send(unsubscribe(version, 2, "1" + deep))
    client.expect(UNSUBACK)
    assert client.subscribe("2" + deep, "1" + deep) == [0, refused]


def test_refused_subscriptions_are_counted(gateway, raw, version):
    """By the reason, each filter of a packet for itself."""
    one = gateway(endpoints={"devices": {
        "max_subscriptions": 3, "max_shared_subscriptions": 1, "max_subscription_bytes": 4000,
        "refuse_filters": ["secret/#"], "max_topic_levels": 15}})
    client = raw(one.port, version)
    client.connect("c")
    wanted = ["a", "secret/1", "secret/#", "$share/1/b", "$share/2/b", "a/#/b", "x/" * 15 + "x",
              "y" * 4000, "c", "d", "e", "f", "a"]
    granted = client.subscribe(*wanted)
    assert [filter for filter, code in zip(wanted, granted) if code < 0x80] == [
        "a", "$share/1/b", "c", "a"]
    name = "trestle_subscriptions_refused_total"
    seen = one.metrics()
    assert {reason: seen.value(name, endpoint="devices", reason=reason) for reason in (
        "max_subscriptions", "max_shared_subscriptions", "max_subscription_bytes",
        "refuse_filters", "filter", "packet_id")} == {
            "max_subscriptions": 3, "max_shared_subscriptions": 1, "max_subscription_bytes": 1,
            "refuse_filters": 2, "filter": 2, "packet_id": 0}
