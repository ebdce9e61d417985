"""The books balance to the message, whoever comes and goes.

Publishers send through every kind of endpoint while subscribers and workers appear and vanish,
some in
the middle of a packet, some without acknowledging. When all is quiet, every copy that matching made
has exactly one fate, and what the clients saw agrees with it.
"""

import random
import threading

import pytest
import zmq
from harness import route
from mqtt_bytes import PUBACK, PUBLISH, V5, V311, RawClient, ack, publish, read_publish
from support.metrics import balance_of_route, balance_of_sessions
from support.waiting import wait_until

ENDPOINTS = {
    "devices": {"max_queued_messages": 200, "max_inflight": 10},
    "web": {"plugin": "websocket"},
    "telemetry": {"socket": "pub"},
    "jobs": {"socket": "push"},
    "scarce": {"socket": "push"},
    "ingest": {"socket": "pull"},
}
ROUTES = [
    route("telemetry", "load/{id}/{kind}", "load.{id}.{kind}", to="telemetry"),
    route("jobs", "load/{id}/job", "job.{id}", to="jobs"),
    route("scarce", "load/{id}/job", "scarce.{id}", to="scarce",
          queue={"max_messages": 50, "when_full": "drop_oldest"}),
    route("refusing", "refuse/{id}", "refuse.{id}", to="scarce",
          queue={"max_messages": 20, "when_full": "block", "block_ms": 100}),
    route("ingest", "load/{id}/in", "in.{id}", source="ingest"),
]


class Worker(threading.Thread):
    """A thread whose failure fails the test."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.error = work, None
        self.start()

    def run(self):
        try:
            self.work()
        except BaseException as error:  # noqa: BLE001 - handed to the test below
            self.error = error

    def result(self):
        self.join(90)
        assert not self.is_alive(), "does not end"
        if self.error:
            raise self.error


def publisher(port, version, number, messages):
    """Publishes at QoS 0 and 1 in turn, in windows of 10; counts nothing itself."""
    with RawClient(port, version) as client:
        client.connect(f"publisher{number}")
        waiting = 0
        for i in range(messages):
            qos = i % 2
            kind = ("job", "reading")[i % 3 == 0]
            client.send(publish(version, f"load/{number}/{kind}", b"%d" % i, qos, i % 60_000 + 1))
            waiting += qos
            if waiting == 10:
                for _ in range(waiting):
                    client.expect(PUBACK)
                waiting = 0
        for _ in range(waiting):
            client.expect(PUBACK)
        client.ping()


def restless_subscriber(port, seed, stop):
    """Connects, reads a little, acknowledges some of it, leaves in different ways."""
    dice = random.Random(seed)
    while not stop.is_set():
        version = dice.choice([V311, V5])
        with RawClient(port, version) as client:
            client.connect(f"restless{seed}")
            client.subscribe("load/#", qos=dice.choice([0, 1]))
            for _ in range(dice.randrange(200)):
                client.socket.settimeout(0.2)
                try:
                    got = client.read()
                except TimeoutError:
                    break
                if got is None:
                    break
                message = read_publish(got, version) if got.kind == PUBLISH else None
                if message and message.qos and dice.random() < 0.9:
                    client.send(ack(PUBACK, message.packet_id))
            how = dice.randrange(3)
            if how == 0:
                client.send(b"\xe0\x00")
            elif how == 1:
                client.send(b"\x30\x7f\x00\x04")  # gone within a packet


def restless_worker(context, address, kind, seed, stop):
    dice = random.Random(seed)
    while not stop.is_set():
        socket = context.socket(kind)
        socket.linger = 0
        if kind == zmq.SUB:
            socket.subscribe(b"load.")
        socket.connect(address)
        for _ in range(dice.randrange(300)):
            if not socket.poll(100):
                break
            socket.recv_multipart()
        socket.close()


@pytest.fixture
def restless(context):
    """A function that starts a restless thread; they end before their context."""
    stop, threads = threading.Event(), []

    def start(work, *arguments):
        threads.append(Worker(lambda: work(*arguments, stop)))

    def end():
        stop.set()
        for thread in threads:
            thread.result()

    start.end = end
    yield start
    stop.set()
    for thread in threads:
        thread.join(10)


def test_books_balance_while_clients_come_and_go(gateway, context, restless):
    one = gateway(endpoints=ENDPOINTS, routes=ROUTES)
    for seed in range(4):
        restless(restless_subscriber, one.port, seed)
    kinds = ((zmq.SUB, "telemetry"), (zmq.PULL, "jobs"), (zmq.PULL, "scarce"))
    for seed, (kind, endpoint) in enumerate(kinds):
        restless(restless_worker, context, one.address(endpoint), kind, seed)
    publishers = [Worker(lambda n=n: publisher(one.port, (V311, V5)[n % 2], n, 1500))
                  for n in range(4)]
    push = context.socket(zmq.PUSH)
    push.sndtimeo = 15_000
    push.connect(one.address("ingest"))
    for i in range(1000):
        push.send_multipart([b"in.%d" % (i % 9), b"%d" % i])
        if i % 10 == 0:
            push.send_multipart([b"nonsense", b"x"])
            push.send_multipart([b"in.1"])
    for worker in publishers:
        worker.result()
    restless.end()
    one.wait_metric(0, "trestle_connections", endpoint="devices")

    # The last of each kind that the PUSH socket had sent.
    for reason in ("no_route", "bad_frames"):
        one.wait_metric(100, "trestle_messages_dropped_total", endpoint="ingest", reason=reason)
    one.wait_metric(7000, "trestle_route_matched_total", route="telemetry")
    metrics = one.metrics()
    assert metrics.value("trestle_messages_received_total", endpoint="devices") == 6000
    jobs = sum(1 for i in range(1500) if i % 3) * 4
    assert metrics.value("trestle_route_matched_total", route="jobs") == jobs
    assert metrics.value("trestle_route_matched_total", route="scarce") == jobs
    wait_balanced(one)


def test_books_balance_when_routes_refuse(gateway, raw, context):
    """Refused copies are told to their publisher and counted once."""
    one = gateway(endpoints=ENDPOINTS, routes=ROUTES)
    client = raw(one.port)
    client.connect()
    answers = []
    for start in range(0, 60, 10):
        client.send(*(publish(V5, "refuse/me", b"x", 1, i + 1) for i in range(start, start + 10)))
        answers += [client.expect(PUBACK).reason(V5) for _ in range(10)]
    assert answers == [0] * 20 + [0x97] * 40
    metrics = one.metrics()
    assert metrics.value("trestle_route_messages_total", route="refusing", outcome="refused") == 40
    assert metrics.value("trestle_route_queue_messages", route="refusing") == 20
    wait_balanced(one)


def test_deliveries_agree_with_the_books(gateway, raw, sockets):
    """What foreign ends counted equals what the metrics say."""
    # Room for all: how far the reader falls behind is the machine's affair.
    devices = {**ENDPOINTS["devices"], "max_queued_messages": 600}
    one = gateway(endpoints={**ENDPOINTS, "devices": devices}, routes=ROUTES)
    reader, worker = raw(one.port, V311), sockets(zmq.PULL)
    reader.connect()
    reader.subscribe("load/#", qos=1)
    worker.connect(one.address("jobs"))
    source = Worker(lambda: publisher(one.port, V5, 1, 600))
    seen = {0: 0, 1: 0}
    for _ in range(600):
        message = reader.expect_message()
        seen[message.qos] += 1
        if message.qos:
            reader.send(ack(PUBACK, message.packet_id))
    source.result()
    reader.ping()
    for _ in range(400):
        worker.recv_multipart()
    one.wait_metric(300, "trestle_session_messages_total", endpoint="devices", outcome="acked")
    metrics = one.metrics()
    assert seen == {0: 300, 1: 300}
    value = metrics.value
    assert value("trestle_session_messages_total", endpoint="devices", outcome="sent") == 300
    assert metrics.value("trestle_messages_sent_total", endpoint="devices", qos=1) == 300
    assert metrics.value("trestle_route_messages_total", route="jobs", outcome="sent") == 400
    wait_balanced(one)


def wait_balanced(one):
    """All books of the gateway, at rest."""
    def unbalanced():
        metrics = one.metrics()
        books = {r["name"]: balance_of_route(metrics, r["name"]) for r in ROUTES if "to" in r}
        books |= {e: balance_of_sessions(metrics, e) for e in ("devices", "web")}
        return {name: book for name, book in books.items() if book[0] != book[1]}

    wait_until(lambda: not unbalanced(),
               lambda: f"(matched, accounted for) of {unbalanced()}\n{one.metrics_text()}", 10)
