"""ZeroMQ to MQTT: workers send by pyzmq, devices receive. What is wrong with a message is
counted by
its reason, and disturbs nothing."""

import pytest
import zmq
from harness import route
from mqtt_bytes import PUBACK, ack
from support.waiting import wait_until

COMMANDS = route("commands", "devices/{id}/command", "command.{id}", source="ingest")


@pytest.fixture
def commands(gateway, sockets, raw):
    """(gateway, a connected PUSH socket, a device subscribed to its commands at QoS 1)."""

    def start(rule=COMMANDS, **endpoint):
        one = gateway(endpoints={"ingest": {"socket": "pull", **endpoint}}, routes=[rule])
        worker, device = sockets(zmq.PUSH), raw(one.port)
        worker.connect(one.address("ingest"))
        device.connect()
        device.subscribe("devices/#", "weird/#", qos=1)
        return one, worker, device

    return start


def heard(device):
    got = device.expect_message()
    if got.qos:
        device.send(ack(PUBACK, got.packet_id))
    return got


def test_pull_to_device(commands):
    """From ZeroMQ, messages have QoS 1 unless the route says otherwise."""
    _, worker, device = commands()
    worker.send_multipart([b"command.7", b"stop"])
    got = heard(device)
    assert (got.topic, got.payload, got.qos, got.retain) == ("devices/7/command", b"stop", 1, 0)


def test_order_and_books(commands):
    one, worker, device = commands()
    for i in range(2000):
        worker.send_multipart([b"command.%d" % (i % 5), b"%d" % i])
    assert [int(heard(device).payload) for _ in range(2000)] == list(range(2000))
    one.wait_metric(2000, "trestle_messages_received_total", endpoint="ingest")


def test_qos_of_the_route(commands):
    _, worker, device = commands({**COMMANDS, "qos": 0})
    worker.send_multipart([b"command.7", b"x"])
    assert heard(device).qos == 0


def test_sub_endpoint(gateway, sockets, raw):
    """A SUB endpoint connects to somebody's PUB and asks for what its routes need."""
    feed = sockets(zmq.XPUB)
    port = feed.bind_to_random_port("tcp://127.0.0.1")
    one = gateway(endpoints={"feed": {"socket": "sub", "connect": [f"tcp://127.0.0.1:{port}"]}},
                  routes=[route("feed", "feed/{x}", "news.{x}", source="feed")])
    assert feed.recv() == b"\x01news."
    device = raw(one.port)
    device.connect()
    device.subscribe("feed/+", qos=0)
    feed.send_multipart([b"other.1", b"no"])
    feed.send_multipart([b"news.1", b"yes"])
    got = device.expect_message()
    assert (got.topic, got.payload) == ("feed/1", b"yes")


def test_sub_endpoint_that_binds(gateway, sockets, raw):
    """Publishers connect to us; what is sent after the subscription has reached them arrives."""
    one = gateway(endpoints={"feed": {"socket": "sub"}},
                  routes=[route("feed", "feed/{x}", "news.{x}", source="feed")])
    feed, device = sockets(zmq.XPUB), raw(one.port)
    feed.connect(one.address("feed"))
    assert feed.recv() == b"\x01news."
    device.connect()
    device.subscribe("feed/+", qos=0)
    feed.send_multipart([b"news.5", b"x"])
    assert device.expect_message().topic == "feed/5"


@pytest.mark.parametrize("options,frames", [
    ({"format": "topic_payload"}, [b"command.7", b"body"]),
    ({"format": "single", "separator": " "}, [b"command.7 body"]),
    ({"format": "full"}, [b"command.7", b"{}", b"body"]),
], ids=["topic_payload", "single", "full"])
def test_formats(commands, options, frames):
    _, worker, device = commands(**options)
    worker.send_multipart(frames)
    got = heard(device)
    assert (got.topic, got.payload) == ("devices/7/command", b"body")


def test_single_splits_at_the_first_separator(commands):
    _, worker, device = commands(format="single", separator=" ")
    worker.send(b"command.7 two words  ")
    assert heard(device).payload == b"two words  "


def test_format_payload_has_a_fixed_topic(commands):
    _, worker, device = commands(route("all", "devices/all/command", "command", source="ingest"),
                                 format="payload")
    worker.send(b"everybody")
    got = heard(device)
    assert (got.topic, got.payload) == ("devices/all/command", b"everybody")


BAD = [
    ("one_frame", [b"command.7"], "bad_frames"),
    ("three_frames", [b"command.7", b"a", b"b"], "bad_frames"),
    ("many_frames", [b"command.7"] + [b"x"] * 50, "bad_frames"),
    ("one_empty_frame", [b""], "bad_frames"),
    ("empty_key", [b"", b"x"], None),
    ("no_template", [b"other.7", b"x"], "no_route"),
    ("key_goes_on", [b"command.7.8\n.", b"x"], None),
    ("empty_capture", [b"command.", b"x"], "no_route"),
    ("not_utf8", [b"command.\xff\xfe", b"x"], "bad_key"),
    ("plus", [b"command.a+b", b"x"], "bad_key"),
    ("hash", [b"command.#", b"x"], "bad_key"),
    ("nul", [b"command.a\x00b", b"x"], "bad_key"),
    ("slash", [b"command.a/b", b"x"], None),
    ("long_key", [b"command." + b"x" * 70_000, b"x"], None),
]


@pytest.mark.parametrize("frames,reason", [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_message_is_counted(commands, frames, reason):
    """By its reason where one is fixed, by any reason otherwise; the next message arrives."""
    one, worker, device = commands()
    worker.send_multipart(frames)
    worker.send_multipart([b"command.7", b"good"])
    labels = {"reason": reason} if reason else {}
    if reason is None and frames[0].startswith(b"command.7"):
        topic = heard(device).topic  # a dot in the last capture is allowed one way
        assert topic in ("devices/7.8\n./command", "devices/7/command")
        if topic != "devices/7/command":
            assert heard(device).payload == b"good"
            return
    else:
        assert heard(device).payload == b"good"
    one.wait_metric(1, "trestle_messages_dropped_total", endpoint="ingest", **labels)


def test_frame_beyond_the_limit(commands, sockets):
    """A frame over max_message_size costs its sender the connection; others go on."""
    one, worker, device = commands(max_message_size=1000)
    rude = sockets(zmq.PUSH)
    rude.connect(one.address("ingest"))
    rude.send_multipart([b"command.1", b"x" * 5000])
    worker.send_multipart([b"command.2", b"fine"])
    assert heard(device).topic == "devices/2/command"


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 64, b"\x00" * 64,
    b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x00NULL" + b"\xff" * 100], ids=range(4))
def test_peer_that_speaks_no_zeromq(commands, raw, garbage):
    one, worker, device = commands()
    stranger = raw(one.port_of("ingest"))
    stranger.send(garbage)
    worker.send_multipart([b"command.2", b"fine"])
    assert heard(device).payload == b"fine"


def test_nobody_subscribes_is_counted(gateway, sockets):
    one = gateway(endpoints={"ingest": {"socket": "pull"}}, routes=[COMMANDS])
    worker = sockets(zmq.PUSH)
    worker.connect(one.address("ingest"))
    worker.send_multipart([b"command.7", b"x"])
    one.wait_metric(1, "trestle_messages_dropped_total", reason="no_subscriber")


def test_full_meta_sets_the_message(commands):
    """meta of `full`: QoS may be lowered or raised, user properties pass."""
    _, worker, device = commands(format="full")
    worker.send_multipart([b"command.7", b'{"qos": 0}', b"x"])
    assert heard(device).qos == 0


@pytest.mark.parametrize("meta", [b"", b"{", b"[]", b'{"qos": 9}', b'"x"', b"\xff", b"{" * 100_000],
                         ids=["empty", "cut", "array", "qos9", "string", "not_utf8", "deep"])
def test_bad_meta_is_counted(commands, meta):
    one, worker, device = commands(format="full")
    worker.send_multipart([b"command.7", meta, b"x"])
    worker.send_multipart([b"command.7", b"{}", b"good"])
    assert heard(device).payload == b"good"
    wait_until(lambda: one.metric("trestle_messages_dropped_total", endpoint="ingest",
                                  reason="bad_frames") == 1, "not counted as bad_frames")
