"""`max_sessions`: how many sessions may outlive their connections, on all shards together."""

import struct
import threading

import pytest
from mqtt_bytes import CONNACK, V5, V311, RawClient, connect, disconnect, packet


def expiry(seconds):
    return b"\x11" + struct.pack(">I", seconds)


REFUSED = {V311: 3, V5: 0x97}
LIMIT = 4


class Limited:
    """A gateway with room for few; `come` opens a client, whose session lasts unless it is told."""

    def __init__(self, gateway, raw):
        self.gateway, self.raw = gateway, raw

    def come(self, version, name, lasts=True, clean=False):
        """The client, and what CONNACK says: (reason, session present)."""
        one = self.raw(self.gateway.port, version)
        props = expiry(600 if lasts else 0) if version == V5 else b""
        one.send(connect(version, name, clean=clean or (version == V311 and not lasts),
                         props=props))
        got = one.expect(CONNACK)
        if got.reason(version):
            one.expect_closed()
        return one, got.reason(version), got.body[0]

    def fill(self, version):
        """Names that a hash spreads over the shards."""
        clients = {}
        for n in range(LIMIT):
            clients[f"held {n}"], reason, _ = self.come(version, f"held {n}")
            assert reason == 0
        return clients

    def leave(self, client):
        client.send(disconnect(client.version))
        client.expect_closed()

    def lasting(self, count):
        self.gateway.wait_metric(count, "trestle_mqtt_lasting_sessions", endpoint="devices")

    def refused(self):
        return self.gateway.metric("trestle_mqtt_connects_refused_total", endpoint="devices",
                                   reason="max_sessions")


@pytest.fixture
def limited(gateway, raw):
    return Limited(gateway(endpoints={"devices": {"max_sessions": LIMIT}}), raw)


def test_one_too_many_is_refused(limited, version):
    limited.fill(version)
    for n in range(6):  # on every shard
        _, reason, _ = limited.come(version, f"more {n}")
        assert reason == REFUSED[version]
    assert limited.refused() == 6
    assert limited.gateway.metric("trestle_protocol_errors_total", endpoint="devices") == 0
    limited.gateway.wait_log("no more sessions may outlive their connections")
    limited.lasting(LIMIT)
    client, reason, _ = limited.come(version, "passing", lasts=False, clean=True)
    assert reason == 0
    client.ping()


def test_known_sessions_go_on(limited, version):
    """Coming back, taking over and starting anew need no place but the one that they have."""
    clients = limited.fill(version)
    limited.leave(clients["held 0"])
    for name in ("held 0", "held 1"):  # one is away, one connected
        client, reason, present = limited.come(version, name)
        assert (reason, present) == (0, 1)
        client.ping()
    for name in ("held 2", "held 0"):
        client, reason, present = limited.come(version, name, clean=version == V5)
        assert (reason, present) == (0, version == V311)
        client.ping()
    limited.lasting(LIMIT)
    assert limited.come(version, "another")[1] == REFUSED[version]


def test_an_end_makes_room(limited, version):
    clients = limited.fill(version)
    limited.leave(clients["held 0"])
    assert limited.come(version, "another")[1] == REFUSED[version]
    # Away, and ended by a clean start of a session that does not last.
    limited.come(version, "held 0", lasts=False, clean=True)
    limited.lasting(LIMIT - 1)
    assert limited.come(version, "another")[1] == 0
    limited.lasting(LIMIT)
    assert limited.come(version, "held 0")[1] == REFUSED[version]


def test_a_refusal_changes_nothing(limited, version):
    """The one who is connected under that id stays, and keeps what it has."""
    limited.fill(version)
    there, reason, _ = limited.come(version, "passing", lasts=False, clean=True)
    assert reason == 0
    there.subscribe("still/there")
    assert limited.come(version, "passing")[1] == REFUSED[version]
    there.publish("still/there", b"x")
    assert there.expect_message().payload == b"x"


def test_expiry_in_disconnect(limited):
    """It may make a lasting session last longer at the limit, or end it; never make one last."""
    clients = limited.fill(V5)
    clients["held 0"].send(packet(0xE0, b"\x00", b"\x05", expiry(60_000)))
    clients["held 0"].expect_closed()
    limited.lasting(LIMIT)
    _, reason, present = limited.come(V5, "held 0")
    assert (reason, present) == (0, 1)
    passing, _, _ = limited.come(V5, "passing", lasts=False)
    passing.send(packet(0xE0, b"\x00", b"\x05", expiry(600)))
    passing.expect_fault(0x82)
    clients["held 1"].send(packet(0xE0, b"\x00", b"\x05", expiry(0)))
    clients["held 1"].expect_closed()
    limited.lasting(LIMIT - 1)
    assert limited.come(V5, "another")[1] == 0


def test_a_session_that_need_not_last_any_more(limited):
    """It goes on without expiry: its place is free at once, and it ends with its connection."""
    clients = limited.fill(V5)
    clients["held 0"].subscribe("kept")
    limited.leave(clients["held 0"])
    going, reason, present = limited.come(V5, "held 0", lasts=False)
    assert (reason, present) == (0, 1)
    limited.lasting(LIMIT - 1)
    assert limited.come(V5, "another")[1] == 0
    going.publish("kept", b"x")
    assert going.expect_message().payload == b"x"
    limited.leave(going)
    limited.lasting(LIMIT)
    assert limited.come(V5, "held 0", lasts=False)[2] == 0


def test_expired_sessions_make_room(limited):
    clients = limited.fill(V5)
    clients["held 0"].send(packet(0xE0, b"\x00", b"\x05", expiry(1)))
    clients["held 0"].expect_closed()
    limited.lasting(LIMIT - 1)
    assert limited.come(V5, "another")[1] == 0


def test_many_at_once(limited):
    """From all sides at the same time: exactly as many as may be."""
    port, answers, lock = limited.gateway.port, [], threading.Lock()
    start = threading.Barrier(8)

    def come(first):
        clients = [RawClient(port, V5) for _ in range(6)]
        start.wait()
        for n, one in enumerate(clients):
            one.send(connect(V5, f"crowd {first} {n}", clean=False, props=expiry(600)))
        got = [one.expect(CONNACK).reason(V5) for one in clients]
        for one in clients:
            one.socket.close()
        with lock:
            answers.extend(got)

    threads = [threading.Thread(target=come, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [0] * LIMIT + [0x97] * (48 - LIMIT)
    limited.lasting(LIMIT)


def test_another_server_is_named(gateway, raw):
    one = Limited(gateway(endpoints={"devices": {"max_sessions": 1,
                                                 "server_reference": "other:1883"}}), raw)
    assert one.come(V5, "first")[1] == 0
    assert one.come(V5, "second")[1] == 0x9C
    assert one.come(V311, "third")[1] == 3
    assert one.refused() == 2
