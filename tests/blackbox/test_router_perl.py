"""A worker in another language, with another binding of libzmq (Perl, ZMQ::FFI)."""

import pathlib
import subprocess

from harness import route
from mqtt_bytes import PUBACK, PUBLISH, V5, publish, read_publish

PROGRAM = pathlib.Path(__file__).resolve().parents[1] / "support/majordomo_worker.pl"


def test_a_worker_in_perl(gateway, raw):
    """Jobs with acknowledgements, and a request with its answer."""
    one = gateway(endpoints={"workers": {"socket": "router"}},
                  routes=[route("work", "work/{id}", "shout", to="workers", ack="worker")])
    with subprocess.Popen(["perl", PROGRAM, one.address("workers"), "shout"]) as worker:
        try:
            device = raw(one.port)
            device.connect()
            for i in range(20):
                device.send(publish(V5, "work/1", b"job", 1, i + 1))
            assert [device.expect(PUBACK).packet_id for _ in range(20)] == list(range(1, 21))
            device.subscribe("answers")
            device.send(publish(V5, "work/1", b"hello", 1, 30, props=b"\x08\x00\x07answers"))
            got = {packet.kind: packet for packet in (device.read(), device.read())}
            assert read_publish(got[PUBLISH], V5).payload == b"HELLO"
            assert got[PUBACK].packet_id == 30
        finally:
            worker.kill()
