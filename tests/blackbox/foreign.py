"""Clients that others wrote, behind one face: paho-mqtt (Python) and MQTT.js (Node), both versions
of MQTT, over TCP and WebSocket. Every wait has a deadline."""

import base64
import json
import queue
import subprocess
import threading
from collections import namedtuple

import paho.mqtt.client as paho
from mqtt_bytes import V5
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from support.node import command
from support.waiting import PATIENCE

Message = namedtuple("Message", "topic payload qos retain props")
"""`props`: reason words of MQTT 5 in camel case as MQTT.js has them; user properties as a dict."""

Will = namedtuple("Will", "topic payload qos retain")


class QuickPaho(paho.Client):
    """Whose thread hears within 50 ms, not a second, that it is to end."""

    def loop_forever(self, timeout=0.05, *more, **options):
        return super().loop_forever(timeout, *more, **options)


class Paho:
    """One connection at a time; `connect` again for the next."""

    def __init__(self, address, version, client_id):
        self.address, self.version, self.client_id = address, version, client_id
        self.inbox, self.events, self.client = queue.Queue(), queue.Queue(), None

    def connect(self, clean=True, expiry=0, will=None, aliases=0):
        host, port, transport = self.address
        five = self.version == V5
        self.client = QuickPaho(client_id=self.client_id, transport=transport,
                                protocol=paho.MQTTv5 if five else paho.MQTTv311,
                                **({} if five else {"clean_session": clean}))
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *args: self.events.put(("subscribed", args[3]))
        self.client.on_message = self._message
        self.client.on_disconnect = lambda *args: self.events.put(("closed", None))
        if will:
            self.client.will_set(*will)
        more = {}
        if five:
            more = {"clean_start": clean, "properties": Properties(PacketTypes.CONNECT)}
            more["properties"].SessionExpiryInterval = expiry
            if aliases:
                more["properties"].TopicAliasMaximum = aliases
        self.client.connect(host, port, keepalive=60, **more)
        self.client.loop_start()
        return self._wait("connected")

    def _connected(self, _client, _user, flags, reason, _props=None):
        assert int(getattr(reason, "value", reason)) == 0
        self.events.put(("connected", bool(flags["session present"])))

    def _message(self, _client, _user, got):
        given = getattr(got, "properties", None)
        names = {"responseTopic": "ResponseTopic", "correlationData": "CorrelationData",
                 "contentType": "ContentType", "payloadFormatIndicator": "PayloadFormatIndicator"}
        props = {name: getattr(given, theirs) for name, theirs in names.items()
                 if hasattr(given, theirs)}
        if hasattr(given, "UserProperty"):
            props["userProperties"] = dict(given.UserProperty)
        self.inbox.put(Message(got.topic, got.payload, got.qos, bool(got.retain), props))

    def _wait(self, event):
        while True:
            name, value = self.events.get(timeout=PATIENCE)
            if name == event:
                return value

    def subscribe(self, topic_filter, qos):
        self.client.subscribe(topic_filter, qos)
        (granted,) = self._wait("subscribed")
        return int(getattr(granted, "value", granted))

    def publish(self, topic, payload, qos, retain=False, **props):
        """Returns when the message is acknowledged, or written at QoS 0."""
        given = None
        if props:
            given = Properties(PacketTypes.PUBLISH)
            for name, value in props.items():
                if name == "userProperties":
                    given.UserProperty = list(value.items())
                else:
                    setattr(given, name[0].upper() + name[1:], value)
        sent = self.client.publish(topic, payload, qos, retain, **({"properties": given} if given
                                                                  else {}))
        sent.wait_for_publish(PATIENCE)
        assert sent.is_published()

    def count(self, topics, to, qos):
        last = None
        for i in range(to):
            last = self.client.publish(topics[i % len(topics)], str(i), qos)
        last.wait_for_publish(PATIENCE)
        assert last.is_published()

    def cut(self):
        """Without DISCONNECT."""
        self.client.loop_stop()
        self.client.socket().close()

    def disconnect(self):
        self.client.disconnect()
        self._wait("closed")
        self.client.loop_stop()

    def close(self):
        if self.client is not None:
            self.client.loop_stop()


class Agent:
    """The process in which all MQTT.js clients live; one per test process, started when needed."""

    _running = None

    @classmethod
    def get(cls):
        if cls._running is None:
            cls._running = cls()
        return cls._running

    def __init__(self):
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(command("mqtt.mjs"), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.clients = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            got = json.loads(line)
            if client := self.clients.get(got["name"]):
                client.heard(got)

    def tell(self, command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()


class MqttJs:
    """The same, on a client of the agent."""

    def __init__(self, address, version, client_id):
        host, port, transport = address
        self.url = f"{'ws' if transport == 'websockets' else 'mqtt'}://{host}:{port}"
        self.version, self.client_id = version, client_id
        self.inbox, self.events = queue.Queue(), queue.Queue()
        self.aliases, self.aliases_sent = [], []
        self.agent = Agent.get()
        self.agent.clients[client_id] = self

    def heard(self, got):
        """An event; on the agent's thread."""
        if got["event"] == "message":
            props = got["properties"]
            if "correlationData" in props:
                props["correlationData"] = base64.b64decode(props["correlationData"])
            if "userProperties" in props:
                props["userProperties"] = dict(props["userProperties"])
            self.inbox.put(Message(got["topic"], base64.b64decode(got["payload"]), got["qos"],
                                   got["retain"], props))
        elif got["event"] == "alias":
            self.aliases.append(got)
        elif got["event"] == "alias_sent":
            self.aliases_sent.append(got)
        else:
            self.events.put(got)

    def _do(self, command, **more):
        self.agent.tell({"do": command, "name": self.client_id, **more})

    def _wait(self, event):
        while True:
            got = self.events.get(timeout=PATIENCE)
            assert got["event"] != "error", got
            if got["event"] == event:
                return got

    @staticmethod
    def _base64(payload):
        data = payload if isinstance(payload, bytes) else payload.encode()
        return base64.b64encode(data).decode()

    def connect(self, clean=True, expiry=0, will=None, aliases=0):
        five = self.version == V5
        options = {"protocolVersion": 5 if five else 4, "clientId": self.client_id, "clean": clean}
        if five:
            options["properties"] = {"sessionExpiryInterval": expiry}
            if aliases:
                options["properties"]["topicAliasMaximum"] = aliases
                options["autoAssignTopicAlias"] = True
        if will:
            options["will"] = {**will._asdict(), "payload": self._base64(will.payload)}
        self._do("connect", url=self.url, options=options)
        return self._wait("connected")["session"]

    def subscribe(self, topic_filter, qos):
        self._do("subscribe", filter=topic_filter, options={"qos": qos})
        (granted,) = self._wait("subscribed")["granted"]
        return granted

    def publish(self, topic, payload, qos, retain=False, **props):
        if "correlationData" in props:
            props["correlationData"] = self._base64(props["correlationData"])
        if "payloadFormatIndicator" in props:
            props["payloadFormatIndicator"] = bool(props["payloadFormatIndicator"])
        self._do("publish", topic=topic, payload=self._base64(payload),
                 options={"qos": qos, "retain": retain, **({"properties": props} if props else {})})
        self._wait("published")

    def count(self, topics, to, qos):
        self._do("count", topics=topics, **{"from": 0}, to=to, options={"qos": qos})
        self._wait("counted")

    def cut(self):
        self._do("cut")
        self._wait("closed")

    def disconnect(self):
        self._do("disconnect")
        self._wait("ended")

    def close(self):
        self._do("forget")
        self.agent.clients.pop(self.client_id)


KINDS = {"paho": Paho, "mqttjs": MqttJs}
