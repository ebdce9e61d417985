"""A worker and a client in Node, with zeromq.js, which brings a libzmq of its own."""

import subprocess

import pytest
from harness import route
from mqtt_bytes import PUBACK, V5, publish
from support.node import command
from support.waiting import PATIENCE


@pytest.fixture
def node():
    """Starts the program; whatever still runs is killed at the end."""
    started = []

    def run(*arguments):
        started.append(subprocess.Popen(command("majordomo.mjs", *arguments),
                                        stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_a_worker_and_a_client(gateway, raw, node):
    """Jobs that are acknowledged, requests to the service, and to MMI."""
    one = gateway(endpoints={"workers": {"socket": "router"}},
                  routes=[route("work", "work/{id}", "shout", to="workers", ack="worker")])
    device = raw(one.port)
    device.connect()
    node("worker", one.address("workers"), "shout")
    for i in range(20):
        device.send(publish(V5, "work/1", b"job", 1, i + 1))
    assert [device.expect(PUBACK).packet_id for _ in range(20)] == list(range(1, 21))
    asking = node("client", one.address("workers"), "shout", "hello", "again")
    assert asking.communicate(timeout=PATIENCE)[0].split() == ["HELLO", "AGAIN"]
    for name, status in ("shout", "200"), ("whisper", "404"):
        asking = node("client", one.address("workers"), "mmi.service", name)
        assert asking.communicate(timeout=PATIENCE)[0].strip() == status
