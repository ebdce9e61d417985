"""Shared subscriptions (MQTT 5.0, 4.8.2)."""

import collections
import struct

import pytest
from mqtt_bytes import (PINGRESP, PUBACK, PUBLISH, PUBREC, V5, V311, ack, disconnect, packet, ping,
                        properties, publish, read_publish, subscribe)
from support.waiting import wait_until

LASTING = b"\x11" + struct.pack(">I", 600)


@pytest.fixture
def client(broker, raw):
    def make(client_id="", version=V5, **more):
        one = raw(broker.port, version)
        one.connect(client_id, **more)
        return one
    return make


def drain(one, acknowledge=True):
    """Everything that is there now."""
    got = []
    one.send(ping())
    while (p := one.read()).kind != PINGRESP:
        assert p.kind == PUBLISH, p
        got.append(read_publish(p, one.version))
        if acknowledge and got[-1].qos == 1:
            one.send(ack(PUBACK, got[-1].packet_id))
    return got


def send(writer, topic, count, qos=1, start=0):
    for n in range(start, start + count):
        writer.send(publish(V5, topic, b"%d" % n, qos, n % 60000 + 1))
    if qos == 1:
        for _ in range(count):
            assert writer.expect(PUBACK).reason(V5) in (0, 0x10)


def gather(members, count):
    """Until `count` messages have come; by member."""
    got = collections.defaultdict(list)

    def more():
        for name, one in members.items():
            got[name] += [m.payload for m in drain(one)]
        return sum(map(len, got.values())) >= count

    wait_until(more, lambda: f"{ {k: len(v) for k, v in got.items()} } of {count}")
    return got


# 5.0 [MQTT-4.8.2-3]
def test_exactly_one_gets_each_and_fairly(client):
    members = {n: client(f"sh-fair-{n}") for n in range(4)}
    for one in members.values():
        assert one.subscribe("$share/g/sh/fair/+", qos=1) == [1]
    writer = client("sh-fair-writer")
    for n in range(100):  # different topics must not all begin with the same member
        send(writer, f"sh/fair/{n}", 1, start=n)
    got = gather(members, 100)
    assert sorted(int(p) for ps in got.values() for p in ps) == list(range(100))
    assert {len(ps) for ps in got.values()} == {25}


# 5.0 [MQTT-4.8.2-3]
def test_groups_and_plain_subscriptions_each_get_theirs(client):
    a, b, plain, writer = (client() for _ in range(4))
    a.subscribe("$share/one/sh/groups")
    b.subscribe("$share/two/sh/groups", qos=1)
    plain.subscribe("sh/groups")
    a.subscribe("sh/groups", packet_id=2)
    send(writer, "sh/groups", 1)
    assert [len(gather({0: c}, n)[0]) for c, n in ((a, 2), (b, 1), (plain, 1))] == [2, 1, 1]


def test_members_who_are_away_are_passed_over(client):
    here, away = client("sh-here"), client("sh-away", props=LASTING)
    for one in (here, away):
        one.subscribe("$share/g/sh/away", qos=1)
    away.send(disconnect(V5))
    away.expect_closed()
    writer = client()
    send(writer, "sh/away", 20)
    assert len(gather({0: here}, 20)[0]) == 20


def test_a_full_window_is_passed_over(client):
    slow = client("sh-slow", props=b"\x21\x00\x02")  # Receive Maximum 2
    quick = client("sh-quick")
    for one in (slow, quick):
        one.subscribe("$share/g/sh/window", qos=1)
    writer = client()
    send(writer, "sh/window", 30)
    got = gather({0: quick}, 28)[0]
    stuck = drain(slow, acknowledge=False)
    assert len(stuck) == 2 and len(got) == 28


def test_unacknowledged_qos_1_moves_when_the_session_ends(client):  # [MQTT-4.8.2-5]
    leaver, stayer = client("sh-leaver", props=b"\x21\x00\x05"), client("sh-stayer")
    leaver.subscribe("$share/g/sh/move", qos=1)
    writer = client()
    send(writer, "sh/move", 12)
    first = wait_until(lambda: drain(leaver, acknowledge=False), "nothing comes")
    assert len(first) == 5
    stayer.subscribe("$share/g/sh/move", qos=1)
    leaver.socket.close()  # no session expiry: the session ends
    got = gather({0: stayer}, 12)[0]
    assert sorted(map(int, got)) == list(range(12))


def test_the_last_member_takes_its_messages_along(client):
    one = client("sh-last")
    one.subscribe("$share/g/sh/last", qos=1)
    writer = client()
    send(writer, "sh/last", 3)
    one.socket.close()
    late = client()
    late.subscribe("$share/g/sh/last", qos=1)
    assert drain(late) == []


# 5.0 [MQTT-4.8.2-4]
def test_sent_qos_2_stays_with_its_member(client):
    first, second = client("sh-q2-a", props=LASTING), client("sh-q2-b")
    first.subscribe("$share/g/sh/q2", qos=2)
    writer = client()
    writer.send(publish(V5, "sh/q2", b"x", 2, 1))
    writer.expect(PUBREC)
    (got,) = wait_until(lambda: drain(first), "delivered")
    second.subscribe("$share/g/sh/q2", qos=2)
    first.socket.close()
    again = wait_until(lambda: reconnect(client, "sh-q2-a"), "sent again to the same member")
    assert (again.payload, again.dup, again.packet_id) == (b"x", 1, got.packet_id)
    second.ping()


# 5.0 [MQTT-4.8.2-5]
def test_sent_qos_2_does_not_move_when_the_session_ends(client):
    first, second = client("sh-q2-c"), client("sh-q2-d")
    first.subscribe("$share/g/sh/q2/end", qos=2)
    writer = client()
    writer.send(publish(V5, "sh/q2/end", b"x", 2, 1))
    writer.expect(PUBREC)
    wait_until(lambda: drain(first), "delivered")
    second.subscribe("$share/g/sh/q2/end", qos=2)
    first.send(disconnect(V5))  # and with it its session
    first.expect_closed()
    second.ping()


def reconnect(client, name):
    one = client(name, clean=False, props=LASTING)
    return one.expect_message()


# 5.0 [MQTT-4.8.2-6]
def test_refused_is_discarded(client, gateway, raw):
    one = gateway()
    a, b, writer = raw(one.port), raw(one.port), raw(one.port)
    for c in (a, b, writer):
        c.connect()
    a.subscribe("$share/g/x", qos=1)
    send(writer, "x", 1)
    got = a.expect_message()
    b.subscribe("$share/g/x", qos=1)
    a.send(ack(PUBACK, got.packet_id, 0x83))
    a.ping()
    a.socket.close()
    one.wait_metric(1, "trestle_session_messages_total", endpoint="devices", outcome="refused")
    one.wait_metric(2, "trestle_connections")
    b.ping()  # nothing has moved


# 5.0 [MQTT-4.8.2-1, -2]
@pytest.mark.parametrize("filter_", ["$share/g", "$share//x", "$share/g+/x", "$share/g/"])
def test_malformed(client, filter_):
    one = client()
    assert one.subscribe(filter_) == [0x8F]


# 5.0 [MQTT-3.8.3-4]
def test_no_local_is_an_error(client):
    one = client()
    one.send(subscribe(V5, 1, ("$share/g/x", 0x04)))
    one.expect_fault(0x82)


def test_unsubscribe_and_identifiers(client):
    one, writer = client(), client()
    one.subscribe("$share/g/sh/unsub", qos=1, props=b"\x0b\x09")
    send(writer, "sh/unsub", 1)
    assert one.expect_message().props == {0x0B: 9}
    one.send(packet(0xA2, b"\x00\x02", properties(V5), b"\x00\x11$share/g/sh/unsub"))
    assert one.read().reasons(V5) == [0]
    assert writer.publish("sh/unsub", b"x", 1, 9) == 0x10


def test_works_in_3_1_1_too(client):
    a, b = client("sh-311-a", V311), client("sh-311-b", V311)
    for one in (a, b):
        one.subscribe("$share/g/sh/311", qos=1)
    send(client(), "sh/311", 10)
    got = gather({0: a, 1: b}, 10)
    assert len(got[0]) == len(got[1]) == 5


def test_switched_off(gateway, raw):
    one = gateway(endpoints={"devices": {"shared_subscription_available": False}})
    client = raw(one.port)
    assert b"\x2a\x00" in client.connect().body
    assert client.subscribe("$share/g/x") == [0x9E]


@pytest.mark.parametrize("qos", [0, 1])
def test_no_message_is_lost_or_doubled_while_members_come_and_go(client, qos):
    writer, constant = client(), client("sh-churn-constant")
    constant.subscribe("$share/g/sh/churn", qos=qos)
    got = []
    for round_ in range(10):
        passing = client(f"sh-churn-{round_}")
        passing.subscribe("$share/g/sh/churn", qos=qos)
        send(writer, "sh/churn", 20, qos, start=round_ * 20)
        writer.ping()
        if qos == 0:  # what it has been sent is its own
            got += [m.payload for m in wait_until(lambda: drain(passing), "its share")]
        passing.send(disconnect(V5))
        while (p := passing.read()) is not None:
            if qos == 0:
                got.append(read_publish(p, V5).payload)
    got += sum(gather({0: constant}, 200 - len(got)).values(), [])
    assert sorted(map(int, got)) == list(range(200))
