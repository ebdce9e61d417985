"""What is measured: each subject starts fresh for every run and names its processes."""

import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from support.gateway import Gateway  # noqa: E402
from support.waiting import can_connect, free_ports, wait_until  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "build/bench"

# Minimal, and with no limit that would make it lose a message of any scenario.
MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
log_type error
set_tcp_nodelay true
max_queued_messages 0
max_queued_bytes 0
max_inflight_messages 100
"""

# How mqttload is told where the ZeroMQ side of a scenario is.
RECEIVER = {"pub": "--zmq-sub", "push": "--zmq-pull", "pull": "--zmq-push"}


@contextlib.contextmanager
def preloaded(folder):
    """What is started meanwhile counts its allocations and system calls into the folder."""
    changed = {"LD_PRELOAD": str(TOOLS / "libcounts.so"), "TRESTLE_COUNTS": str(folder)}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def counts(folder, pids):
    """Of these processes together: allocations, system calls."""
    found = [struct.unpack("QQ", pathlib.Path(folder, str(pid)).read_bytes()) for pid in pids]
    return [sum(numbers) for numbers in zip(*found)]


class Running:
    """Started processes: where to send the load, and whose CPU counts."""

    def __init__(self, port, pids, load_flags=(), admin=""):
        self.port, self.pids, self.load_flags = port, pids, list(load_flags)
        self.admin = admin


@contextlib.contextmanager
def program(*command, log):
    """A process that is gone afterwards."""
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log,
                               stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def listening(*command, port, folder):
    """A process that accepts on `port`."""
    log_path = pathlib.Path(folder) / f"{pathlib.Path(command[0]).name}.log"
    with log_path.open("w") as log, program(*command, log=log) as process:
        def up():
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended: {log_path.read_text()}")
            return can_connect(port)
        wait_until(up, f"{command[0]} does not listen on {port}", every=0.02)
        yield process


@contextlib.contextmanager
def mosquitto(scenario):
    """Debian's broker; for scenarios with ZeroMQ, the hand-written bridge beside it."""
    port, zmq_port = free_ports(2)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="trestle-bench-"))
        config = pathlib.Path(folder, "mosquitto.conf")
        config.write_text(MOSQUITTO.format(port=port))
        broker = stack.enter_context(
            listening("mosquitto", "-c", config, port=port, folder=folder))
        if not scenario.bridge:
            yield Running(port, [broker.pid])
            return
        mode = {"pub": "out", "push": "out-push", "pull": "in"}[scenario.bridge]
        address = f"tcp://127.0.0.1:{zmq_port}"
        bridge = stack.enter_context(listening(
            TOOLS / "mqtt_zmq_bridge", mode, "127.0.0.1", port, address, port=zmq_port,
            folder=folder))
        yield Running(port, [broker.pid, bridge.pid], [RECEIVER[scenario.bridge], address])


def trestle_config(scenario, port, zmq_port, admin_port, shards):
    config = {
        "endpoints": {"devices": {"plugin": "mqtt", "listen": [f"mqtt://127.0.0.1:{port}"]}},
        "routes": [],
        "admin": {"listen": f"http://127.0.0.1:{admin_port}"},
        "shards": shards,
        "log": {"level": "warning", "format": "text"},
    }
    if scenario.bridge:
        zmq = {"plugin": "zmq", "socket": scenario.bridge, "bind": [f"tcp://127.0.0.1:{zmq_port}"]}
        # As roomy as the bridge's sockets: the flow's own window is what bounds it.
        zmq["receive_hwm" if scenario.bridge == "pull" else "send_hwm"] = 1_000_000
        config["endpoints"]["work"] = zmq
        route = {"name": "bench", "mqtt": "bench/{rest...}", "zmq": "bench/{rest...}"}
        route["from" if scenario.bridge == "pull" else "to"] = "work"
        if scenario.bridge == "pull":
            route["qos"] = 0
        config["routes"].append(route)
    return config


@contextlib.contextmanager
def trestle(scenario, shards=1):
    port, zmq_port, admin_port = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="trestle-bench-") as folder:
        config = trestle_config(scenario, port, zmq_port, admin_port, shards)
        with Gateway(config, folder) as gateway:
            flags = []
            if scenario.bridge:
                flags = [RECEIVER[scenario.bridge], f"tcp://127.0.0.1:{zmq_port}"]
            yield Running(port, [gateway.process.pid], flags, gateway.admin)


@contextlib.contextmanager
def full_router(jobs, size):
    """A router endpoint with so many jobs in its queue; yields its address."""
    port, zmq_port, admin_port = free_ports(3)
    config = {
        "endpoints": {
            "devices": {"plugin": "mqtt", "listen": [f"mqtt://127.0.0.1:{port}"]},
            "workers": {"plugin": "zmq", "socket": "router", "body": "payload",
                        "bind": [f"tcp://127.0.0.1:{zmq_port}"]}},
        "routes": [{"name": "work", "mqtt": "bench/work", "zmq": "work", "to": "workers",
                    "queue": {"max_messages": jobs, "max_bytes": 1 << 30}}],
        "admin": {"listen": f"http://127.0.0.1:{admin_port}"},
        "log": {"level": "warning", "format": "text"},
    }
    with tempfile.TemporaryDirectory(prefix="trestle-bench-") as folder:
        with Gateway(config, folder) as gateway, socket.create_connection(
                ("127.0.0.1", port)) as publisher:
            publisher.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00")
            one = b"\x00\x0abench/work" + b"x" * size
            batch = (b"\x30" + bytes([len(one)]) + one) * 1000
            for _ in range(jobs // 1000):
                publisher.sendall(batch)
            gateway.wait_metric(jobs, "trestle_route_queue_messages", route="work")
            yield f"tcp://127.0.0.1:{zmq_port}"


@contextlib.contextmanager
def relay():
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="trestle-bench-") as folder, listening(
            TOOLS / "rawlimit", "relay", "--port", port, port=port, folder=folder) as process:
        yield Running(port, [process.pid])
