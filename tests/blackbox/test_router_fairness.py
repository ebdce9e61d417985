"""No client of a router takes the place of the others, and none waits for what has gone."""

import json
import struct
import sys

import zmq
from harness import route
from mqtt_bytes import V5, publish
from support.gateway import ROOT
from support.majordomo import Client, Worker
from support.waiting import wait_until

sys.path.insert(0, str(ROOT / "plugins/zmq/examples"))
from native_worker import ACK, DELIVER, Worker as NativeWorker  # noqa: E402

WORK = route("work", "work/{id}", "encode", to="workers")
SHORT = json.dumps({"timeout_ms": 50}).encode()
A_DAY = json.dumps({"timeout_ms": 86_400_000}).encode()


def start(gateway, **options):
    return gateway(endpoints={"workers": {"socket": "router", **options}}, routes=[WORK])


def client_of(one, context, **options):
    return Client(context, one.address("workers"), kind=zmq.DEALER, **options)


def silent_device(one, raw):
    device = raw(one.port)
    device.connect()
    device.subscribe("silent")
    return device


def test_requests_that_nobody_takes_leave_room_for_others(gateway, context):
    one = start(gateway, max_requests=100, max_requests_per_client=10)
    greedy, modest = client_of(one, context), client_of(one, context)
    worker = Worker(context, one.address("workers"), b"echo")
    for _ in range(100):
        greedy.send(b"nobody", b"x")
    assert greedy.ask(b"mmi.service", b"nobody") == [b"404"]  # all have been read
    modest.send(b"echo", b"hello")
    assert worker.recv() == [b"hello"]
    worker.reply(b"yes")
    assert modest.recv() == (True, [b"yes"])
    assert one.metric("trestle_zmq_requests_waiting", endpoint="workers") == 10
    assert one.metric("trestle_zmq_requests_total", endpoint="workers", outcome="dropped") == 90


def test_bytes_of_one_client(gateway, context):
    one = start(gateway, max_request_bytes=100_000, max_request_bytes_per_client=50_000)
    greedy, modest = client_of(one, context), client_of(one, context)
    worker = Worker(context, one.address("workers"), b"echo")
    for _ in range(10):
        greedy.send(b"nobody", b"x" * 20_000)
    assert greedy.ask(b"mmi.service", b"nobody") == [b"404"]
    assert one.metric("trestle_zmq_requests_waiting", endpoint="workers") == 2
    modest.send(b"echo", b"y" * 20_000)
    assert worker.recv() == [b"y" * 20_000]


def test_places_come_back_with_the_answers(gateway, context):
    one = start(gateway, max_requests_per_client=2)
    client, worker = client_of(one, context), Worker(context, one.address("workers"), b"echo")
    for round_ in range(3):
        for number in range(3):
            client.send(b"echo", b"%d" % number)
        one.wait_metric(round_ + 1, "trestle_zmq_requests_total", endpoint="workers",
                        outcome="dropped")
        for number in range(2):
            assert worker.recv() == [b"%d" % number]
            worker.reply(b"%d" % number)
            assert client.recv() == (True, [b"%d" % number])


def test_round_trips_leave_room_for_publishes_and_for_others(gateway, raw, context):
    one = start(gateway, max_requests=100, max_requests_per_client=10)
    silent_device(one, raw)
    greedy, modest = client_of(one, context), client_of(one, context)
    for _ in range(100):
        greedy.send(b"mqtt.request", b"silent", A_DAY, b"?")
    for _ in range(90):
        assert greedy.recv() == (True, [b"503"])
    assert modest.ask(b"mqtt.publish", b"a", b"", b"x") == [b"204"]
    assert greedy.ask(b"mqtt.publish", b"a", b"", b"x") == [b"204"]
    assert modest.ask(b"mqtt.request", b"silent", SHORT, b"?") == [b"408"]


def test_round_trips_of_a_lost_connection_are_forgotten(gateway, raw, context):
    one = start(gateway, max_requests=1)
    device = silent_device(one, raw)
    first, second = client_of(one, context), client_of(one, context)
    first.send(b"mqtt.request", b"silent", A_DAY, b"first")
    question = device.expect_message()
    assert second.ask(b"mqtt.request", b"silent", A_DAY, b"second") == [b"503"]
    first.socket.close()
    wait_until(lambda: second.ask(b"mqtt.request", b"silent", SHORT, b"?") == [b"408"],
               "its place is not free")
    data = question.props[0x09]
    props = b"\x09" + len(data).to_bytes(2, "big") + data
    device.send(publish(V5, question.props[0x08].decode(), b"too late", 1, 9, props=props))
    assert second.ask(b"mqtt.publish", b"silent", b"", b"x") == [b"200"]


def test_questions_of_those_who_leave_at_once_take_no_place(gateway, raw, context):
    one = start(gateway, max_requests=20, max_requests_per_client=20)
    device = silent_device(one, raw)
    for _ in range(20):
        client = client_of(one, context)
        client.send(b"mqtt.request", b"silent", A_DAY, b"?")
        client.socket.close(linger=10_000)
    for _ in range(20):
        device.expect_message()
    last = client_of(one, context)

    def all_are_free():
        for _ in range(20):
            last.send(b"mqtt.request", b"silent", SHORT, b"?")
        return {last.recv()[1][0] for _ in range(20)} == {b"408"}

    wait_until(all_are_free, "somebody who has gone holds a place")


def test_the_longest_time_for_an_answer(gateway, raw, context):
    one = start(gateway, request_timeout_ms=100, max_request_timeout_ms=100)
    silent_device(one, raw)
    assert client_of(one, context).ask(b"mqtt.request", b"silent", A_DAY, b"?") == [b"408"]


def test_a_message_names_no_more_jobs_than_a_window_has(gateway, raw, context):
    one = start(gateway, max_window=4)
    worker = NativeWorker(context, one.address("workers"), b"encode", window=4)
    device = raw(one.port)
    device.connect()
    for i in range(4):
        device.publish("work/1", b"x", 1, packet_id=i + 1)
    tags = []
    while len(tags) < 4:
        head = worker.socket.recv_multipart()[0]
        if head[4] == DELIVER:
            tags.append(head[5:13])
    errors = one.metric("trestle_protocol_errors_total", endpoint="workers")
    worker.send(ACK, tags[0] * 4 + b"".join(tags[1:]))
    one.wait_metric(3, "trestle_route_in_flight", route="work")
    one.wait_metric(errors + 2, "trestle_protocol_errors_total", endpoint="workers")
    worker.send(ACK, b"".join(tags[1:]) + struct.pack(">Q", 0))
    one.wait_metric(0, "trestle_route_in_flight", route="work")
