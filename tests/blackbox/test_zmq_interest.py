"""What subscribers of a `pub` endpoint ask for, and what becomes of what nobody wants."""

import json
import socket
import struct

import pytest
import zmq
from harness import join, route
from mqtt_bytes import PUBACK, PUBREC, V5, V311, publish
from support.gateway import run_program
from support.metrics import balance_of_route
from support.waiting import PATIENCE, wait_until
from support.zmtp import speak_zmtp

READINGS = route("readings", "sensors/{device}/temperature", "t.{device}.", to="out")


def start(gateway, **route_options):
    return gateway(endpoints={"out": {"socket": "pub"}}, routes=[{**READINGS, **route_options}])


def test_only_what_is_wanted_is_handed_over(gateway, raw, sockets):
    one = start(gateway)
    device = raw(one.port)
    device.connect()
    for i in range(100):
        device.publish(f"sensors/{i}/temperature", b"early", 1, packet_id=i + 1)
    one.wait_metric(100, "trestle_messages_dropped_total", endpoint="out", reason="no_subscriber")
    sub = sockets(zmq.SUB)
    sub.subscribe(b"t.7.")
    sub.connect(one.address("out"))
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    for i in range(100):
        device.publish(f"sensors/{i}/temperature", b"late", 1, packet_id=i + 1)
    assert sub.recv_multipart() == [b"t.7.", b"late"]
    one.wait_metric(1, "trestle_route_messages_total", route="readings", outcome="sent")
    one.wait_metric(199, "trestle_route_messages_total", route="readings", outcome="dropped")
    matched, accounted = balance_of_route(one.metrics(), "readings")
    assert matched == accounted == 200


def test_subscriptions_end_with_their_peers(gateway, raw, sockets):
    """Also with those that are cut off: what they had asked for is no longer wanted."""
    one = start(gateway)
    subs = [sockets(zmq.SUB) for _ in range(3)]
    for sub in subs:
        join(one, raw, sub_to(sub, one), b"t.", probe="sensors/probe/temperature")
        sub.subscribe(b"t.1.")
    one.wait_metric(2, "trestle_zmq_subscriptions", endpoint="out")
    one.wait_peers("out", 3)
    for sub in subs[:2]:
        sub.close()
    one.wait_peers("out", 1)
    assert one.metric("trestle_zmq_subscriptions", endpoint="out") == 2
    subs[2].unsubscribe(b"t.")
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    subs[2].close()
    one.wait_metric(0, "trestle_zmq_subscriptions", endpoint="out")
    one.wait_peers("out", 0)


def sub_to(sub, one):
    sub.connect(one.address("out"))
    return sub


@pytest.mark.parametrize("policy,answer", [("accept", 0), ("report", 0x10), ("refuse", 0x97)])
@pytest.mark.parametrize("qos", [1, 2])
def test_publishers_are_told(gateway, raw, sockets, policy, answer, qos):
    one = start(gateway, no_receiver=policy)
    device = raw(one.port)
    device.connect()

    def told(packet_id):
        device.send(publish(V5, "sensors/1/temperature", b"x", qos, packet_id))
        return device.expect(PUBACK if qos == 1 else PUBREC).reason(V5)

    assert told(1) == answer
    reader = raw(one.port)
    reader.connect()
    reader.subscribe("sensors/#")
    assert told(2) == answer
    sub = sub_to(sockets(zmq.SUB), one)
    join(one, raw, sub, b"t.", probe="sensors/probe/temperature")
    assert told(3) == 0
    assert sub.recv_multipart() == [b"t.1.", b"x"]
    outcome = "refused" if policy == "refuse" else "dropped"
    assert one.metric("trestle_route_messages_total", route="readings", outcome=outcome) >= 2
    matched, accounted = balance_of_route(one.metrics(), "readings")
    assert matched == accounted


def test_refusing_3_1_1(gateway, raw):
    """It has no way to say so but to close."""
    one = start(gateway, no_receiver="refuse")
    device = raw(one.port, V311)
    device.connect()
    device.send(publish(V311, "sensors/1/temperature", b"x", 1, 1))
    device.expect_closed()
    other = raw(one.port, V5)
    other.connect()
    other.send(publish(V5, "sensors/1/temperature", b"x", 1, 1))
    assert other.expect(PUBACK).reason(V5) == 0x97
    one.wait_metric(2, "trestle_route_messages_total", route="readings", outcome="refused")


def test_more_subscriptions_than_are_kept_track_of(gateway, raw, sockets):
    """Then everything is handed over, and subscribers get what they asked for all the same."""
    one = gateway(endpoints={"out": {"socket": "pub", "max_subscriptions": 10}}, routes=[READINGS])
    sub = sub_to(sockets(zmq.SUB), one)
    for i in range(20):
        sub.subscribe(b"t.%d." % i)
    join(one, raw, sub, b"t.probe.", probe="sensors/probe/temperature")
    device = raw(one.port)
    device.connect()
    for i in range(40):
        device.publish(f"sensors/{i}/temperature", b"x", 1, packet_id=i + 1)
    assert {sub.recv_multipart()[0] for _ in range(20)} == {b"t.%d." % i for i in range(20)}
    assert one.metric("trestle_zmq_subscriptions", endpoint="out") == 10


def speak_zmtp3(port):
    """A SUB that has heard that it may begin."""
    link = speak_zmtp(port, b"SUB")
    heard = b""
    while not heard.endswith(b"XPUB"):
        heard += link.recv(1000)
    return link


def speak_zmtp2(port):
    """A SUB of ZMTP 2.0 (RFC 15)."""
    link = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    link.sendall(b"\xff" + bytes(7) + b"\x01\x7f\x01\x02" + b"\0\0")
    return link


def say(link, *messages):
    """Messages as a subscriber's library sends them, also those that none would."""
    link.sendall(b"".join(b"\0" + bytes([len(one)]) + one for one in messages))


def send_one(device, payload):
    device.publish("sensors/1/temperature", payload, 1, packet_id=1)


@pytest.mark.parametrize("snapshot", [False, True])
@pytest.mark.parametrize("speak", [speak_zmtp3, speak_zmtp2])
def test_nobody_takes_back_what_another_has_asked_for(gateway, raw, sockets, speak, snapshot):
    one = start(gateway, snapshot=snapshot)
    sub = sub_to(sockets(zmq.SUB), one)
    join(one, raw, sub, b"t.", probe="sensors/probe/temperature")
    device = raw(one.port)
    device.connect()
    unheard = {"endpoint": "out", "reason": "no_subscriber"}
    before = one.metric("trestle_messages_dropped_total", **unheard)
    with speak(one.port_of("out")) as rude:
        say(rude, b"\0t.", b"\1t.", b"\0t.", b"\0t.", b"\0t.", b"\1mark")
        one.wait_metric(2, "trestle_zmq_subscriptions", endpoint="out")
        send_one(device, b"a")
        assert sub.recv_multipart() == [b"t.1.", b"a"]
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    send_one(device, b"b")
    assert sub.recv_multipart() == [b"t.1.", b"b"]
    assert one.metric("trestle_messages_dropped_total", **unheard) == before
    sub.unsubscribe(b"t.")
    one.wait_metric(0, "trestle_zmq_subscriptions", endpoint="out")


def test_subscribers_that_libzmq_does_not_name(gateway, raw):
    """Of ZMTP 2.0: what they ask for stays wanted until every connection there is has a name."""
    one = start(gateway)
    device = raw(one.port)
    device.connect()
    with speak_zmtp2(one.port_of("out")) as old, speak_zmtp3(one.port_of("out")) as new:
        say(old, b"\1t.1.", b"\1t.2.", b"\0t.2.")
        say(new, b"\1t.3.")
        one.wait_metric(3, "trestle_zmq_subscriptions", endpoint="out")
        with speak_zmtp2(one.port_of("out")) as rude:
            say(rude, b"\0t.1.", b"\1t.4.")
            one.wait_metric(4, "trestle_zmq_subscriptions", endpoint="out")
        send_one(device, b"to the old one")
        heard = b""
        while not heard.endswith(b"to the old one"):
            heard += old.recv(1000)
        old.close()
        one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")


def test_connections_that_come_and_go_leave_nothing(gateway, raw):
    """Each has asked and gone before much of it is seen; their descriptors are used anew."""
    one = start(gateway)
    with speak_zmtp3(one.port_of("out")) as lasting:
        say(lasting, b"\1t.")
        for i in range(200):
            with speak_zmtp3(one.port_of("out")) as brief:
                say(brief, b"\1t.", b"\1t.%d." % (i % 7), b"\0t.", b"\0t.")
        one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
        device = raw(one.port)
        device.connect()
        send_one(device, b"still wanted")
        one.wait_metric(1, "trestle_route_messages_total", route="readings", outcome="sent")
    one.wait_metric(0, "trestle_zmq_subscriptions", endpoint="out")
    one.wait_peers("out", 0)


def test_beyond_the_limit_of_subscriptions_and_back(gateway, raw, sockets):
    """When those who asked for too much have left, what nobody wants is not handed over again."""
    one = gateway(endpoints={"out": {"socket": "pub", "max_subscriptions": 1}},
                  routes=[{**READINGS, "snapshot": True}])
    device = raw(one.port)
    device.connect()
    subs = [sub_to(sockets(zmq.SUB), one) for _ in range(3)]
    for sub, prefix in zip(subs, (b"x", b"y", b"y"), strict=True):
        sub.subscribe(prefix)

    def is_handed_over():
        before = one.metric("trestle_route_messages_total", route="readings", outcome="sent")
        send_one(device, b"?")
        return before != one.metric("trestle_route_messages_total", route="readings",
                                    outcome="sent")

    wait_until(is_handed_over, "beyond the limit")
    for sub in subs:
        sub.close()
    wait_until(lambda: not is_handed_over(), "within it again")


def test_a_subscription_that_is_far_too_long(gateway, raw, sockets):
    """It costs its sender the connection, before libzmq has spent memory on it."""
    one = start(gateway)
    with speak_zmtp(one.port_of("out"), b"SUB") as greedy:
        one.wait_peers("out", 1)
        greedy.sendall(b"\x02" + struct.pack(">Q", 1_000_001) + b"\x01" + b"t" * 1000)
        while greedy.recv(1000):
            pass
    one.wait_peers("out", 0)
    sub = sub_to(sockets(zmq.SUB), one)
    join(one, raw, sub, b"t.", probe="sensors/probe/temperature")
    assert one.metric("trestle_zmq_subscriptions", endpoint="out") == 1


def test_a_terminator_makes_keys_exact(gateway, raw, sockets):
    one = gateway(endpoints={"out": {"socket": "pub", "terminator": "nul"},
                             "back": {"socket": "pull", "terminator": "nul"}},
                  routes=[route("r", "s/{n}", "sensor.{n}", to="out", source="back")])
    done = run_program("check", "--config", one.config_file)
    assert done.returncode == 0 and "sensor.10" not in done.stderr, done.stderr
    assert "sensor.7\\x00" in run_program("explain", "--config", one.config_file, "s/7").stdout
    sub = sub_to(sockets(zmq.SUB), one)
    join(one, raw, sub, b"sensor.1\0", probe="s/1")
    device = raw(one.port)
    device.connect()
    device.subscribe("s/#")
    device.publish("s/10", b"no")
    device.publish("s/1", b"yes")
    assert sub.recv_multipart() == [b"sensor.1\0", b"yes"]
    assert [device.expect_message().payload for _ in range(2)] == [b"no", b"yes"]
    worker = sockets(zmq.PUSH)
    worker.connect(one.address("back"))
    worker.send_multipart([b"sensor.1", b"not terminated"])
    worker.send_multipart([b"sensor.2\0", b"in"])
    message = device.expect_message()
    assert (message.topic, message.payload) == ("s/2", b"in")
    one.wait_metric(1, "trestle_messages_dropped_total", endpoint="back", reason="bad_frames")


@pytest.mark.parametrize("format_", ["topic_payload", "full"])
def test_a_slow_subscriber_can_tell_what_it_has_lost(gateway, raw, sockets, format_):
    """With a small send_hwm and large messages most are lost; the numbers say how many."""
    one = gateway(endpoints={"out": {"socket": "pub", "sequence": True, "send_hwm": 2,
                                     "format": format_}},
                  routes=[READINGS])
    sub = sub_to(sockets(zmq.SUB, rcvhwm=1, rcvbuf=4096), one)
    sub.subscribe(b"t.1.")
    one.wait_metric(1, "trestle_zmq_subscriptions", endpoint="out")
    device = raw(one.port)
    device.connect()
    total = 300
    for i in range(total):
        device.publish("sensors/1/temperature", b"x" * 200_000, 1, packet_id=i + 1)
    lost, got, last, epochs = 0, 0, 0, set()

    def read():
        nonlocal lost, got, last
        frames = sub.recv_multipart()
        if format_ == "full":
            epoch, number = json.loads(frames[1])["sequence"]
        else:
            epoch, number = struct.unpack(">QQ", frames[1])
        epochs.add(epoch)
        lost += number - last - 1
        got += 1
        last = number

    while sub.poll(300):
        read()

    def caught_up():
        """One more, now that there is room, shows the loss at the end."""
        nonlocal total
        device.publish("sensors/1/temperature", b"last", 1, packet_id=1)
        total += 1
        while sub.poll(200):
            read()
        return last == total

    wait_until(caught_up, lambda: f"{last} of {total}")
    assert len(epochs) == 1
    assert lost > 0 and lost + got == last
