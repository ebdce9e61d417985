"""What client libraries do most, with paho-mqtt and MQTT.js: every QoS, both versions, over TCP and
WebSocket."""

import foreign
import harness
import pytest
from foreign import Message, Will
from mqtt_bytes import V5
from support.waiting import PATIENCE


@pytest.fixture(scope="module", params=[3], ids=["3shards"])
def shards(request):
    return request.param


@pytest.fixture(scope="module")
def two_doors(shards, tmp_path_factory):
    with harness.make_gateway(tmp_path_factory.mktemp("foreign"), shards,
                              endpoints={"web": {"plugin": "websocket"}}) as gateway:
        yield gateway


@pytest.fixture(params=["tcp", "websockets"])
def address(two_doors, request):
    endpoint = "devices" if request.param == "tcp" else "web"
    return "127.0.0.1", two_doors.port_of(endpoint), request.param


@pytest.fixture(params=sorted(foreign.KINDS))
def client(address, version, request):
    """A function that makes clients of one kind; topics and ids are best begun with `client.own`,
    which no other test has."""
    made = []

    def make(name):
        made.append(foreign.KINDS[request.param](address, version, f"{make.own}-{name}"))
        return made[-1]

    make.own = f"{request.param}-{address[2]}-{version}-{request.node.originalname}"
    yield make
    for one in made:
        one.close()


def next_of(client):
    return client.inbox.get(timeout=PATIENCE)


def test_every_qos_in_order(client):
    receiver, sender = client("receiver"), client("sender")
    for one in (receiver, sender):
        assert one.connect() is False
    topics = [f"{client.own}/{i}" for i in range(3)]
    for qos in (0, 1, 2):
        assert receiver.subscribe(f"{client.own}/#", qos) == qos
        sender.count(topics, 500, qos)
        got = [next_of(receiver) for _ in range(500)]
        assert [(m.topic, int(m.payload), m.qos) for m in got] == [
            (topics[i % 3], i, qos) for i in range(500)]
    assert receiver.inbox.empty()


def test_retained(client):
    sender, late = client("sender"), client("late")
    sender.connect()
    late.connect()
    for qos in (0, 1, 2):
        topic = f"{client.own}/{qos}"
        sender.publish(topic, f"old {qos}", qos, retain=True)
        sender.publish(topic, f"new {qos}", qos, retain=True)
    assert late.subscribe(f"{client.own}/+", 2) == 2
    got = sorted(next_of(late) for _ in range(3))
    assert [(m.topic, m.payload, m.qos, m.retain) for m in got] == [
        (f"{client.own}/{qos}", f"new {qos}".encode(), qos, True) for qos in (0, 1, 2)]
    for qos in (0, 1, 2):
        sender.publish(f"{client.own}/{qos}", "", 1, retain=True)
        cleared = next_of(late)  # a live message like others
        assert (cleared.payload, cleared.retain) == (b"", False)
    again = client("again")
    again.connect()
    again.subscribe(f"{client.own}/+", 2)
    sender.publish(f"{client.own}/0", "live", 1)
    assert next_of(again).payload == b"live"


def test_will(client):
    watcher = client("watcher")
    watcher.connect()
    watcher.subscribe(f"{client.own}/will/#", 2)
    for qos in (0, 1, 2):
        mortal = client(f"mortal{qos}")
        mortal.connect(will=Will(f"{client.own}/will/{qos}", f"died {qos}", qos, False))
        mortal.cut()
        got = next_of(watcher)
        assert (got.topic, got.payload, got.qos) == (
            f"{client.own}/will/{qos}", f"died {qos}".encode(), qos)
    polite = client("polite")
    polite.connect(will=Will(f"{client.own}/will/x", "never", 1, False))
    polite.disconnect()
    watcher.publish(f"{client.own}/will/end", "end", 1)
    assert next_of(watcher).payload == b"end"


def test_session_with_queued_messages(client):
    sleeper, sender = client("sleeper"), client("sender")
    sender.connect()
    assert sleeper.connect(clean=False, expiry=600) is False
    sleeper.subscribe(f"{client.own}/q/#", 2)
    sleeper.disconnect()
    for i in range(30):
        sender.publish(f"{client.own}/q/{i % 2}", f"{i}", 1 + i % 2)
    sender.publish(f"{client.own}/q/0", "nobody waits for QoS 0", 0)
    sender.publish(f"{client.own}/q/0", "30", 1)  # behind it, so it has been handled
    assert sleeper.connect(clean=False, expiry=600) is True
    got = [next_of(sleeper) for _ in range(31)]
    for qos in (1, 2):  # each in order; MQTT.js shows a QoS 2 message at PUBREL only
        assert [int(m.payload) for m in got if m.qos == qos] == [
            i for i in range(31) if 1 + i % 2 == qos]
    sleeper.disconnect()
    assert sleeper.connect(clean=True) is False
    sender.publish(f"{client.own}/q/0", "to a session that is gone", 1)
    sleeper.subscribe(f"{client.own}/q/#", 1)
    sender.publish(f"{client.own}/q/0", "new", 1)
    assert next_of(sleeper).payload == b"new"


def test_large_payload(client):
    receiver, sender = client("receiver"), client("sender")
    receiver.connect()
    sender.connect()
    receiver.subscribe(f"{client.own}/big", 2)
    payload = bytes(range(256)) * 6_000  # 1.5 MB
    for qos in (0, 1, 2):
        sender.publish(f"{client.own}/big", payload, qos)
        got = next_of(receiver)
        assert got.qos == qos
        assert got.payload == payload


def test_shared_subscription(client):
    members = [client(f"member{i}") for i in range(2)]
    sender = client("sender")
    sender.connect()
    for one in members:
        one.connect()
        assert one.subscribe(f"$share/{client.own}/{client.own}/s", 1) == 1
    sender.count([f"{client.own}/s"], 100, 1)
    for one in members:  # what they have got comes before this
        one.subscribe(f"{client.own}/end/{one.client_id}", 1)
        sender.publish(f"{client.own}/end/{one.client_id}", "end", 1)
    got = []
    for one in members:
        mine = []
        while (message := next_of(one)).payload != b"end":
            mine.append(int(message.payload))
        assert mine == sorted(mine) and len(mine) >= 20
        got += mine
    assert sorted(got) == list(range(100))


@pytest.mark.parametrize("version", [V5], ids=["v5"])
def test_request_and_response(client):
    asker, worker = client("asker"), client("worker")
    asker.connect()
    worker.connect()
    asker.subscribe(f"{client.own}/answers", 1)
    worker.subscribe(f"{client.own}/jobs", 1)
    asker.publish(f"{client.own}/jobs", "2+3", 1, responseTopic=f"{client.own}/answers",
                  correlationData=b"\x00\x01\xff", contentType="text/sum",
                  payloadFormatIndicator=1, userProperties={"unit": "none", "who": "asker"})
    job = next_of(worker)
    assert job.props["contentType"] == "text/sum" and int(job.props["payloadFormatIndicator"]) == 1
    assert job.props["userProperties"] == {"unit": "none", "who": "asker"}
    worker.publish(job.props["responseTopic"], "5", 1,
                   correlationData=job.props["correlationData"])
    answer = next_of(asker)
    assert answer == Message(f"{client.own}/answers", b"5", 1, False,
                             {"correlationData": b"\x00\x01\xff"})


@pytest.mark.parametrize("client", ["mqttjs"], indirect=True)  # paho leaves aliases to its user
@pytest.mark.parametrize("version", [V5], ids=["v5"])
def test_topic_aliases_both_ways(client):
    """The library puts the topic in again before anybody sees the message."""
    receiver, sender = client("receiver"), client("sender")
    receiver.connect(aliases=10)
    sender.connect(aliases=10)
    topics = [f"{client.own}/a/topic/that/is/worth/an/alias/{i}" for i in range(4)]
    receiver.subscribe(f"{client.own}/a/#", 1)
    sender.count(topics, 200, 1)
    got = [next_of(receiver) for _ in range(200)]
    assert [(m.topic, int(m.payload)) for m in got] == [(topics[i % 4], i) for i in range(200)]
    assert any(not a["topic"] for a in receiver.aliases)
    assert max(a["alias"] for a in receiver.aliases) <= 10
    assert sum(not a["topic"] for a in sender.aliases_sent) > 100
