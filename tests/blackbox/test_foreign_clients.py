"""Clients that others wrote: mosquitto_pub, mosquitto_sub, mosquitto_rr and paho, both versions.

More of libraries is in test_foreign_libraries.py."""

import contextlib
import queue
import subprocess

import paho.mqtt.client as paho
import pytest
from mqtt_bytes import V5
from support.waiting import PATIENCE


def paho_client(port, version, client_id, transport="tcp", **options):
    """A connected client and the queue of messages it gets."""
    client = paho.Client(client_id=client_id, transport=transport,
                         protocol=paho.MQTTv5 if version == V5 else paho.MQTTv311, **options)
    inbox, up = queue.Queue(), queue.Queue()
    client.on_connect = lambda c, u, flags, rc, props=None: up.put(int(getattr(rc, "value", rc)))
    client.on_subscribe = lambda *args: up.put("subscribed")
    client.on_message = lambda c, u, message: inbox.put(message)
    client.connect("127.0.0.1", port, keepalive=30)
    client.loop_start()
    assert up.get(timeout=PATIENCE) == 0
    client.events = up
    return client, inbox


@pytest.fixture
def paho_pair(broker, version):
    made = []

    def make(client_id):
        made.append(paho_client(broker.port, version, client_id)[0:2])
        return made[-1]

    yield make
    for client, _ in made:
        client.disconnect()
        client.loop_stop()


# 3.1.1 [MQTT-7.0.0-2]
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_paho(paho_pair, qos):
    receiver, inbox = paho_pair("receiver")
    sender, _ = paho_pair("sender")
    receiver.subscribe("paho/#", qos)
    assert receiver.events.get(timeout=PATIENCE) == "subscribed"
    last = None
    for i in range(300):
        last = sender.publish(f"paho/{i % 3}", f"{i}", qos)
    last.wait_for_publish(PATIENCE)
    got = [inbox.get(timeout=PATIENCE) for _ in range(300)]
    assert [int(m.payload) for m in got] == list(range(300))
    assert {m.qos for m in got} == {qos}


def wait_for_subscriber(probe, topic, process):
    """Until a message "go" has been taken; it is the only one that the subscriber gets of these."""
    probe.connect()
    while probe.publish(topic, b"go", 1, packet_id=1) == 0x10:  # nobody subscribes yet
        assert process.poll() is None


# 3.1.1 [MQTT-7.0.0-2]
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mosquitto_clients(broker, raw, version, qos):
    """mosquitto_sub takes what mosquitto_pub sends line by line."""
    common = ["-h", "127.0.0.1", "-p", str(broker.port), "-V", "5" if version == V5 else "311",
              "-q", str(qos)]
    topic = f"tools/{version}/{qos}"
    with subprocess.Popen(
            ["mosquitto_sub", *common, "-t", f"{topic}/+", "-t", f"ready/{version}/{qos}",
             "-C", "51", "-v"], stdout=subprocess.PIPE, text=True) as sub:
        wait_for_subscriber(raw(broker.port), f"ready/{version}/{qos}", sub)
        lines = "".join(f"{i}\n" for i in range(50))
        subprocess.run(["mosquitto_pub", *common, "-t", f"{topic}/x", "-l"], input=lines, text=True,
                       timeout=PATIENCE, check=True)
        out, _ = sub.communicate(timeout=PATIENCE)
    assert out.splitlines() == [f"ready/{version}/{qos} go", *(f"{topic}/x {i}" for i in range(50))]
    assert sub.returncode == 0


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_mosquitto_clients_of_3_1(broker, qos):
    """The old MQIsdp, as devices in the field still speak it; and over a retained message."""
    common = ["-h", "127.0.0.1", "-p", str(broker.port), "-V", "31", "-t", f"old/{qos}",
              "-q", str(qos)]
    for payload in ("kept", ""):
        subprocess.run(["mosquitto_pub", *common, "-r", "-m", payload], timeout=PATIENCE,
                       check=True)
        if payload:
            done = subprocess.run(["mosquitto_sub", *common, "-i", "old", "-C", "1", "-F", "%r %p"],
                                  timeout=PATIENCE, check=True, capture_output=True, text=True)
            assert done.stdout == "1 kept\n"


def test_mosquitto_pub_to_nobody(broker, version):
    done = subprocess.run(
        ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(broker.port), "-V",
         "5" if version == V5 else "311", "-q", "1", "-t", "nobody", "-m", "x"],
        timeout=PATIENCE, check=False, capture_output=True)
    assert done.returncode == 0


@contextlib.contextmanager
def tool(name, broker, version, *arguments, **more):
    """Starts one of mosquitto's programs; at the end it is gone."""
    with subprocess.Popen(
            [name, "-h", "127.0.0.1", "-p", str(broker.port), "-V",
             "5" if version == V5 else "311", *map(str, arguments)],
            stdout=subprocess.PIPE, **more) as process:
        try:
            yield process
        finally:
            process.kill()


def run_tool(*arguments, **more):
    with tool(*arguments, **more) as process:
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    return out


def test_mosquitto_retained_and_large(broker, version, tmp_path):
    payload = bytes(range(256)) * 5_000
    (tmp_path / "payload").write_bytes(payload)
    topic = f"large/{version}"
    run_tool("mosquitto_pub", broker, version, "-t", topic, "-q", 2, "-r", "-f",
             tmp_path / "payload")
    got = run_tool("mosquitto_sub", broker, version, "-t", topic, "-q", 2, "-C", 1, "-N")
    assert got == payload
    run_tool("mosquitto_pub", broker, version, "-t", topic, "-q", 1, "-r", "-n")


def test_mosquitto_session_resumes(broker, version):
    """`-E` leaves after the subscription; the second time the same id finds what has come."""
    topic, own = f"resume/{version}", ["-i", f"resumer{version}", "-c", "-q", "2", "-t"]
    expiry = ["-x", "600"] if version == V5 else []
    run_tool("mosquitto_sub", broker, version, *own, topic, *expiry, "-E")
    for i in range(20):
        run_tool("mosquitto_pub", broker, version, "-t", topic, "-q", 1 + i % 2, "-m", i)
    got = run_tool("mosquitto_sub", broker, version, *own, topic, *expiry, "-C", 20)
    numbers = [int(line) for line in got.split()]
    for parity in (0, 1):  # each QoS in order; the program shows QoS 2 at PUBREL only
        assert [n for n in numbers if n % 2 == parity] == list(range(parity, 20, 2))


def test_mosquitto_will(broker, raw, version):
    topic = f"will/{version}"
    watcher = raw(broker.port)
    watcher.connect()
    watcher.subscribe(f"{topic}/+", qos=2)
    with tool("mosquitto_sub", broker, version, "-t", f"ready/{topic}", "--will-topic",
              f"{topic}/x", "--will-payload", "died", "--will-qos", 2) as mortal:
        wait_for_subscriber(raw(broker.port), f"ready/{topic}", mortal)
        mortal.kill()
        got = watcher.expect_message()
        assert (got.topic, got.payload, got.qos) == (f"{topic}/x", b"died", 2)


def test_mosquitto_asks_and_answers(broker, raw):
    worker = raw(broker.port)
    worker.connect()
    worker.subscribe("rr/jobs", qos=1)
    with tool("mosquitto_rr", broker, V5, "-t", "rr/jobs", "-e", "rr/answers", "-q", 1, "-m", "2+3",
              "-D", "publish", "correlation-data", "abc") as asker:
        job = worker.expect_message()
        assert job.payload == b"2+3" and job.props[0x08] == b"rr/answers"
        assert job.props[0x09] == b"abc"
        worker.publish("rr/answers", b"5", props=b"\x09\x00\x03abc")
        out, _ = asker.communicate(timeout=PATIENCE)
    assert out == b"5\n"


def test_mosquitto_topic_alias_and_user_properties(broker, raw):
    got = raw(broker.port)
    got.connect()
    got.subscribe("aliased/topic", qos=0)
    run_tool("mosquitto_pub", broker, V5, "-t", "aliased/topic", "--repeat", 5, "-m", "x",
             "-D", "publish", "topic-alias", 3, "-D", "publish", "user-property", "a", "1",
             "-D", "publish", "user-property", "a", "2")
    for _ in range(5):
        one = got.expect_message()
        assert one.topic == "aliased/topic" and one.props[0x26] == [(b"a", b"1"), (b"a", b"2")]


def test_mosquitto_shares_a_subscription(broker, raw, version):
    """Each message to one of two programs. So few that neither has its Receive Maximum (20) open:
    then they take turns, however slow they are."""
    topic, sender = f"share/{version}", raw(broker.port)
    sender.connect()
    with contextlib.ExitStack() as members:
        both = []
        for name in ("one", "other"):
            ready = f"ready/{topic}/{name}"
            both.append(members.enter_context(tool(
                "mosquitto_sub", broker, version, "-t", ready, "-t", f"$share/{version}/{topic}",
                "-q", 1, "-C", 11)))
            wait_for_subscriber(raw(broker.port), ready, both[-1])
        for i in range(20):
            assert sender.publish(topic, f"{i}".encode(), 1, packet_id=1) == 0
        got = []
        for one in both:
            out, _ = one.communicate(timeout=PATIENCE)
            ready, *mine = out.split()
            assert ready == b"go"
            got += map(int, mine)
        assert sorted(got) == list(range(20))
