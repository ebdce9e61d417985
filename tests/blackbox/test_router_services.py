"""What clients ask a router for: workers' services, MMI, and the hub's own."""

import json
import socket
import threading

import pytest
import zmq
from harness import route
from mqtt_bytes import V5, V311, publish
from support.majordomo import Client, Worker
from support.waiting import PATIENCE, wait_until

WORK = route("work", "work/{id}", "encode", to="workers")


@pytest.fixture
def peers():
    """Makes clients and workers; all are closed at the end."""
    context = zmq.Context()
    kept = []

    def make(role, one, *arguments, **options):
        kept.append(role(context, one.address("workers"), *arguments, **options))
        return kept[-1]

    yield make
    context.destroy(linger=0)


@pytest.fixture(params=[(1, zmq.REQ), (1, zmq.DEALER), (2, zmq.DEALER)],
                ids=["mdp01-req", "mdp01-dealer", "mdp02"])
def client_of(request, peers):
    return lambda one: peers(Client, one, version=request.param[0], kind=request.param[1])


def start(gateway, **options):
    return gateway(endpoints={"workers": {"socket": "router", **options}}, routes=[WORK])


def test_a_client_and_a_worker_of_the_guide(gateway, peers, client_of):
    """Several frames there, several back; requests wait for a worker."""
    one = start(gateway)
    client = client_of(one)
    client.send(b"echo", b"a", b"", b"b")
    one.wait_metric(1, "trestle_zmq_requests_waiting", endpoint="workers")
    worker = peers(Worker, one, b"echo")
    assert worker.recv() == [b"a", b"", b"b"]
    worker.reply(b"c", b"d")
    assert client.recv() == (True, [b"c", b"d"])
    one.wait_metric(1, "trestle_zmq_requests_total", endpoint="workers", outcome="acked")


def test_jobs_for_a_service_that_no_worker_offers_are_told(gateway, raw, peers):
    """Also when the endpoint has workers, of other services."""
    one = start(gateway)
    peers(Worker, one, b"other")
    one.wait_metric(1, "trestle_zmq_workers", endpoint="workers")
    assert one.metric("trestle_route_jobs_without_worker", route="work") == 0
    device = raw(one.port)
    device.connect()
    device.publish("work/1", b"x", 1, packet_id=1)
    one.wait_metric(1, "trestle_route_jobs_without_worker", route="work")
    peers(Worker, one, b"encode").recv()
    one.wait_metric(0, "trestle_route_jobs_without_worker", route="work")


def test_partial_answers(gateway, peers):
    one = start(gateway)
    client, worker = peers(Client, one, version=2, kind=zmq.DEALER), peers(Worker, one, b"s",
                                                                           version=2)
    client.send(b"s", b"x")
    worker.recv()
    worker.partial(b"half")
    worker.reply(b"all")
    assert client.recv() == (False, [b"half"])
    assert client.recv() == (True, [b"all"])


def test_a_request_is_tried_again(gateway, peers):
    one = start(gateway)
    client, first = peers(Client, one), peers(Worker, one, b"s")
    client.send(b"s", b"x")
    assert first.recv() == [b"x"]
    first.close()
    second = peers(Worker, one, b"s")
    assert second.recv() == [b"x"]
    second.reply(b"y")
    assert client.recv() == (True, [b"y"])


def test_requests_that_nobody_takes(gateway, peers):
    one = start(gateway, max_requests=2, request_timeout_ms=300)
    clients = [peers(Client, one) for _ in range(3)]
    for client in clients:
        client.send(b"nobody", b"x")
    one.wait_metric(1, "trestle_zmq_requests_total", endpoint="workers", outcome="dropped")
    one.wait_metric(2, "trestle_zmq_requests_total", endpoint="workers", outcome="timed_out")
    assert one.metric("trestle_zmq_requests_waiting", endpoint="workers") == 0


def test_mmi(gateway, peers, client_of):
    one = start(gateway)
    peers(Worker, one, b"echo")
    one.wait_metric(1, "trestle_zmq_workers", endpoint="workers")
    client = client_of(one)
    assert client.ask(b"mmi.service", b"echo") == [b"200"]
    assert client.ask(b"mmi.service", b"mqtt.publish") == [b"200"]
    assert client.ask(b"mmi.service", b"nobody") == [b"404"]
    assert client.ask(b"mmi.unheard-of", b"x") == [b"501"]
    assert client.ask(b"mqtt.unheard-of", b"x") == [b"501"]


def test_reserved_names(gateway, peers):
    one = start(gateway)
    for name in (b"mqtt.publish", b"mmi.service"):
        with pytest.raises(ConnectionResetError):
            peers(Worker, one, name).recv(reconnect=False)
    assert one.metric("trestle_zmq_workers", endpoint="workers") == 0


def test_publish(gateway, raw, peers, client_of):
    one = start(gateway)
    device = raw(one.port)
    device.connect()
    device.subscribe("devices/7/#", qos=1)
    client = client_of(one)
    meta = json.dumps({"qos": 1, "content_type": "text/plain", "properties": [["a", "b"]]})
    assert client.ask(b"mqtt.publish", b"devices/7/do", meta.encode(), b"go") == [b"200"]
    got = device.expect_message()
    assert (got.topic, got.payload, got.qos) == ("devices/7/do", b"go", 1)
    assert "text/plain" in repr(got.props)
    assert client.ask(b"mqtt.publish", b"devices/8/do", b"", b"go") == [b"204"]
    # Its own route is not for what came from there, a circle: nobody gets it.
    assert client.ask(b"mqtt.publish", b"work/1", b"", b"job") == [b"204"]
    assert one.metric("trestle_route_matched_total", route="work") == 0
    for topic, meta in ((b"a/+", b""), (b"", b""), (b"\xff", b""), (b"a", b"no json"),
                        (b"a", b'{"qos":3}')):
        assert client.ask(b"mqtt.publish", topic, meta, b"x") == [b"400"]
    assert client.ask(b"mqtt.publish", b"a") == [b"400"]
    assert client.ask(b"mqtt.publish", b"$SYS/a", b"", b"x") == [b"403"]


def test_publish_that_is_too_large_or_refused(gateway, raw, peers):
    one = gateway(endpoints={"workers": {"socket": "router", "max_message_size": 1000},
                             "jobs": {"socket": "push"}},
                  routes=[route("jobs", "jobs/{id}", "j", to="jobs",
                                queue={"max_messages": 1, "when_full": "block", "block_ms": 50})])
    client = peers(Client, one)
    assert client.ask(b"mqtt.publish", b"a", b"", b"x" * 1000) == [b"413"]
    assert client.ask(b"mqtt.publish", b"jobs/1", b"", b"x") == [b"200"]
    assert client.ask(b"mqtt.publish", b"jobs/2", b"", b"x") == [b"503"]


@pytest.mark.parametrize("device_version", [V311, V5], ids=["v311", "v5"])
def test_request_to_a_device(gateway, raw, peers, client_of, device_version):
    """The gateway sets Response Topic and Correlation Data; 3.1.1 cannot see them."""
    one = start(gateway)
    client = client_of(one)
    assert client.ask(b"mqtt.request", b"devices/7/ask", b"", b"?") == [b"404"]
    device = raw(one.port, device_version)
    device.connect()
    device.subscribe("devices/7/ask")
    short = json.dumps({"timeout_ms": 200}).encode()
    assert client.ask(b"mqtt.request", b"devices/7/ask", short, b"?") == [b"408"]
    asked = device.expect_message()
    assert asked.payload == b"?"
    if device_version == V311:
        return
    answered = []

    def answer():
        question = device.expect_message()
        topic, data = question.props[0x08].decode(), question.props[0x09]
        wrong = b"\x09\x00\x05wrong"
        device.send(publish(V5, topic, b"not this", props=wrong))
        right = b"\x09" + len(data).to_bytes(2, "big") + data
        device.send(publish(V5, topic, b"42", props=right))
        device.send(publish(V5, topic, b"43", props=right))  # too late
        answered.append(topic)

    thread = threading.Thread(target=answer)
    thread.start()
    assert client.ask(b"mqtt.request", b"devices/7/ask", b"", b"?") == [b"200", b"42"]
    thread.join()
    assert answered
    # Nobody subscribed, another's answer, a second one.
    one.wait_metric(3, "trestle_messages_dropped_total", endpoint="workers", reason="no_subscriber")


def test_retained(gateway, raw, peers):
    one = start(gateway)
    device = raw(one.port)
    device.connect()
    wanted = {}
    for i in range(250):
        device.publish(f"state/{i:03}", b"%d" % i, 1, packet_id=i + 1, retain=True)
        wanted[b"state/%03d" % i] = b"%d" % i
    device.publish("other/1", b"no", 1, packet_id=300, retain=True)
    second = peers(Client, one, version=2, kind=zmq.DEALER)
    second.send(b"mqtt.retained", b"state/+")
    got = {}
    while (part := second.recv()) and not part[0]:
        topic, meta, payload = part[1]
        meta = json.loads(meta)
        assert meta["retain"] is True and "time" not in meta, "the store does not know it"
        assert got.setdefault(topic, payload) == payload
    assert part == (True, [b"200"]) and got == wanted
    first, got, more = peers(Client, one), {}, []
    for _ in range(3):
        status, place, *rest = first.ask(b"mqtt.retained", b"state/+", *more)
        for topic, _, payload in zip(*[iter(rest)] * 3, strict=True):
            assert topic not in got
            got[topic] = payload
        more = [place]
    assert status == b"200" and got == wanted
    assert first.ask(b"mqtt.retained", b"a/#/b") == [b"400"]
    assert first.ask(b"mqtt.retained", b"nothing/#") == [b"200", b""]
    assert first.ask(b"mqtt.retained", b"state/+", b"x" * 65_536) == [b"400"], "no topic is as long"
    first.send(b"mqtt.retained", b"state/+", b"\x00\xff//a place that never was")
    assert first.recv()[0]
    wait_until(lambda: one.running, "it runs on")


def test_clients_of_old_libraries(gateway, raw):
    """ZMTP 2.0 (RFC 15), by hand: libzmq does not tell whose connection it is."""
    one = start(gateway)
    device = raw(one.port)
    device.connect()
    device.subscribe("a/#", qos=1)
    with socket.create_connection(("127.0.0.1", one.port_of("workers")), timeout=PATIENCE) as link:
        link.sendall(b"\xff" + bytes(7) + b"\x01\x7f\x01\x05" + b"\0\0")  # DEALER, no name
        read = link.makefile("rb")

        def ask(*frames):
            frames = (b"", b"MDPC01", *frames)
            link.sendall(b"".join(bytes([i + 1 < len(frames), len(one)]) + one
                                  for i, one in enumerate(frames)))
            answer, more = [], True
            while more:
                flags, size = read.read(2)
                more = flags & 1
                answer.append(read.read(size))
            return answer[2:]

        read.read(12 + 2)  # the greeting
        assert ask(b"mqtt.publish", b"a/1", b'{"retain": true}', b"x") == [b"mqtt.publish", b"200"]
        assert device.expect_message().payload == b"x"
        assert ask(b"mqtt.retained", b"a/+")[1:4:2] == [b"200", b"a/1"]
        assert ask(b"mqtt.request", b"a/1", b'{"timeout_ms": 50}', b"x")[1:] == [b"408"]
