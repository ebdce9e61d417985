"""Who takes part in the demo: foreign clients only, as their users would write them."""

import os
import random
import subprocess
import threading
from collections import Counter

import paho.mqtt.client as paho
import zmq

PATIENCE = 20


class Mqtt:
    """A paho client that counts what it publishes and what it hears."""

    def __init__(self, name, port, subscribe=(), qos=1, protocol=paho.MQTTv5, transport="tcp"):
        self.name, self.qos, self._v5 = name, qos, protocol == paho.MQTTv5
        self.published, self.heard = Counter(), Counter()
        self.last, self.latest = {}, ""
        self._up, self._waiting = threading.Event(), []
        self._filters = [(f, qos) for f in subscribe]
        self.client = paho.Client(client_id=name, protocol=protocol, transport=transport)
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self._up.set()
        self.client.on_message = self._message
        self.client.connect("127.0.0.1", port, keepalive=30)
        self.client.loop_start()
        if not self._up.wait(PATIENCE):
            raise RuntimeError(f"{name} cannot connect or subscribe")

    def _connected(self, client, *_):
        if not self._filters:
            self._up.set()
        elif self._v5:
            client.subscribe([(f, paho.SubscribeOptions(qos=q)) for f, q in self._filters])
        else:
            client.subscribe(self._filters)

    def _message(self, _client, _user, message):
        self.heard[message.topic] += 1
        self.latest = message.topic
        self.last[message.topic] = message.payload.decode(errors="replace")

    def publish(self, topic, payload):
        self._waiting.append(self.client.publish(topic, str(payload), self.qos))
        self.published[topic] += 1

    def wait_acknowledged(self):
        for message in self._waiting:
            message.wait_for_publish(PATIENCE)
            if not message.is_published():
                raise RuntimeError(f"{self.name}: a publish was not acknowledged in {PATIENCE} s")
        self._waiting.clear()

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


class Zmq(threading.Thread):
    """A ZeroMQ worker in a thread of its own: counts what arrives by key, and may answer."""

    def __init__(self, name, kind, address, prefix=None, on_message=None):
        super().__init__(name=name, daemon=True)
        self.heard, self.last, self.error = Counter(), {}, None
        self._on_message, self._stop_asked = on_message, threading.Event()
        self._context = zmq.Context()
        self._socket = self._context.socket(kind)
        self._socket.linger = 0
        if prefix is not None:
            self._socket.subscribe(prefix)
        self._socket.connect(address)
        self.start()

    def run(self):
        try:
            while not self._stop_asked.is_set():
                if self._socket.poll(50):
                    key, payload = (f.decode() for f in self._socket.recv_multipart())
                    self.heard[key] += 1
                    self.last[key] = payload
                    if self._on_message:
                        self._on_message(key, payload)
        except Exception as error:  # noqa: BLE001 - shown at the end of the demo
            self.error = error

    def leave(self):
        self._stop_asked.set()
        self.join(5)
        self._context.destroy(linger=0)


class Dispatcher:
    """Hears the trains by a SUB; sets a signal to red by a PUSH when one passes it, green
    behind it."""

    SIGNALS = {"signal-1": 3, "signal-2": 7}  # at which kilometre

    def __init__(self, telemetry, ingest):
        self._context = zmq.Context()
        self._push = self._context.socket(zmq.PUSH)
        self._push.linger = 1000
        self._push.connect(ingest)
        self.orders = Counter()
        self.ears = Zmq("dispatcher", zmq.SUB, telemetry, b"railway.train.", self._heard)

    def _heard(self, key, kilometre):
        for signal, place in self.SIGNALS.items():
            if int(kilometre) in (place, place + 1):
                verb = "red" if int(kilometre) == place else "green"
                order = f"commands.{signal}.{verb}"
                self._push.send_multipart([order.encode(), key.encode()])
                self.orders[order] += 1

    def leave(self):
        self.ears.leave()
        self._context.destroy(linger=1000)


class Listener:
    """mosquitto_sub, counting lines."""

    def __init__(self, port, *filters):
        command = ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-v"]
        for one in filters:
            command += ["-t", one]
        self.heard = Counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.heard[line.split(" ")[0]] += 1

    def leave(self):
        self.process.terminate()
        self.process.wait(5)
        self._reader.join(5)


def mosquitto_pub(port, topic, lines):
    """One message for each line, at QoS 1."""
    command = ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-q", "1", "-t", topic, "-l"]
    subprocess.run(command, input="".join(f"{line}\n" for line in lines), text=True, check=True,
                   timeout=PATIENCE)


class Machine:
    """This computer's own readings, from /proc."""

    def __init__(self):
        self._busy, self._all = self._ticks()

    @staticmethod
    def _ticks():
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(t) for t in file.readline().split()[1:]]
        return sum(ticks) - ticks[3] - ticks[4], sum(ticks)

    def readings(self):
        busy, whole = self._ticks()
        share = 100 * (busy - self._busy) / max(1, whole - self._all)
        self._busy, self._all = busy, whole
        with open("/proc/meminfo", encoding="ascii") as file:
            memory = {k: int(v.split()[0]) for k, v in (line.split(":") for line in file)}
        used = 100 * (1 - memory["MemAvailable"] / memory["MemTotal"])
        return {"load": f"{os.getloadavg()[0]:.2f}", "memory": f"{used:.1f} %",
                "cpu": f"{share:.0f} %"}


def axle_temperature():
    return f"{random.uniform(35, 60):.1f}"
