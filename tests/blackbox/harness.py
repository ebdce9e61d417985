"""Gateways made to order, and the conversations that tests repeat."""

import contextlib
import pathlib
import subprocess

import zmq

from support.gateway import Gateway
from support.waiting import PATIENCE, can_connect, free_ports, wait_until


class TestGateway(Gateway):
    """Adds what tests ask of it: addresses by endpoint, and clients' usual waits."""

    __test__ = False
    expected_to_fail = False

    def address(self, endpoint):
        entry = self.config["endpoints"][endpoint]
        return (entry.get("bind") or entry.get("listen"))[0]

    @property
    def port(self):
        return self.port_of("devices")

    def port_of(self, endpoint):
        return int(self.address(endpoint).rsplit(":", 1)[1].split("/")[0])

    def wait_peers(self, endpoint, count):
        """Waits for ZeroMQ peers; a SUB's subscription may still be on its way."""
        self.wait_metric(count, "trestle_zmq_peers", endpoint=endpoint)

    def fail(self):
        """This gateway is killed by the test: its end is not checked."""
        self.expected_to_fail = True


def make_gateway(folder, shards=1, endpoints=None, routes=(), arguments=(), admin_extra=None,
                 **top):
    """A gateway with one MQTT endpoint `devices`, plus the endpoints given by name.

    An endpoint given as a dict without addresses gets one on a free port: `{"socket": "pub"}` is a
    ZeroMQ endpoint that binds. `devices={...}` among the endpoints adds options
    to the MQTT endpoint; `admin_extra` adds to `admin`.
    """
    wanted = {"devices": {}, **(endpoints or {})}
    free = iter(free_ports(len(wanted) + 1))
    made = {}
    for name, given in wanted.items():
        entry, port = dict(given), next(free)
        entry.setdefault("plugin", "zmq" if "socket" in entry else "mqtt")
        if entry["plugin"] == "zmq":
            if "connect" not in entry:
                entry.setdefault("bind", [f"tcp://127.0.0.1:{port}"])
        else:
            scheme = "ws" if entry["plugin"] == "websocket" else entry["plugin"]
            entry.setdefault("listen", [f"{scheme}://127.0.0.1:{port}"])
        made[name] = entry
    config = {"endpoints": made, "routes": list(routes),
              "admin": {"listen": f"http://127.0.0.1:{next(free)}", **(admin_extra or {})},
              "shards": shards,
              "log": {"level": "info", "format": "text"}, **top}
    return TestGateway(config, folder, arguments)


def route(name="r", mqtt="a/{x}", key="a.{x}", to=None, source=None, **more):
    """One route; `source` is its `from`."""
    ends = {k: v for k, v in (("to", to), ("from", source)) if v}
    return {"name": name, "mqtt": mqtt, "zmq": key, **ends, **more}


class Peer:
    """Another broker, for tests that only speak MQTT."""

    def __init__(self, port):
        self.port = port


@contextlib.contextmanager
def mosquitto(folder):
    (port,) = free_ports(1)
    config = pathlib.Path(folder, "mosquitto.conf")
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    with subprocess.Popen(["mosquitto", "-c", config], stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: can_connect(port), "mosquitto does not listen")
            yield Peer(port)
        finally:
            process.terminate()


def receive_all(socket, count):
    """`count` messages, each a list of frames."""
    return [socket.recv_multipart() for _ in range(count)]


def join(gateway, raw, sub, prefix, *, probe):
    """Makes sure that a SUB socket's subscription has reached the gateway: publishes `probe` (a
    topic whose key begins with `prefix`) until it arrives, then empties the socket."""
    sub.setsockopt(zmq.SUBSCRIBE, prefix)
    client = raw(gateway.port)
    client.connect()

    def heard():
        client.publish(probe, b"probe")
        return sub.poll(50)

    wait_until(heard, f"subscription {prefix!r} takes no effect", PATIENCE)
    client.publish(probe, b"last probe")
    while sub.recv_multipart()[-1] != b"last probe":
        pass
    client.send(b"\xe0\x00")
    client.expect_closed()
