"""Clients that others wrote: mosquitto_pub, mosquitto_sub and paho, QoS 0 and 1, both versions."""

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
        probe = raw(broker.port)
        probe.connect()
        # 0x10 means that nobody subscribes yet.
        while probe.publish(f"ready/{version}/{qos}", b"go", 1, packet_id=1) == 0x10:
            assert sub.poll() is None
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
