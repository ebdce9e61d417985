"""Random but legal scenarios: what clients do, from a seed alone, and what each of them sees of it.

Every step waits for its end (an acknowledgement, or a round trip with every client), so that what
is seen depends on the broker's rules and not on timing. What the specification leaves open, and
what mosquitto 2.0.11 does against it, is not asked for or taken out of what is compared; it is said
where.
"""

import random
from collections import Counter

from mqtt_bytes import (CONNACK, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK,
                        UNSUBACK, V5, V311, RawClient, ack, number, packet, ping, properties,
                        publish, read_publish, subscribe, text, u16, unsubscribe)

TOPICS = ["a", "a/b", "a/b/c", "a//c", "b", "b/b", "/a", "c/x/y/z", "$own/a"]
FILTERS = ["#", "a/#", "+/b", "a/+", "a/b", "a", "+", "+/+", "/+", "a//c", "a/+/c", "b/#", "$own/#",
           "c/x/y/z", "c/+/+/#", "+/#"]
# Of these clients with no others, as mosquitto 2.0.11 sends a copy for each of overlapping filters.
SHARED = ["$share/g/s/one", "$share/h/s/#", "$share/g/s/+"]
SHARED_TOPIC = "s/one"
SHARERS = 2
CLIENTS = 5


def matches(topic_filter, topic):
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("#", "+"):
        return False
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[:len(wanted)] if len(levels) >= len(wanted) else levels
    return len(wanted) == len(levels) and all(w in ("+", l) for w, l in zip(wanted, levels))


class Actor:
    """One client id; connected or not."""

    def __init__(self, port, name, version):
        self.port, self.name, self.version = port, name, version
        self.raw = None
        self.inbox = []  # what the current step has brought
        self.next_id = 1
        self.subscriptions = set()

    @property
    def online(self):
        return self.raw is not None

    def new_id(self):
        self.next_id = self.next_id % 60_000 + 1
        return self.next_id

    def connect(self, clean, expiry, will):
        self.raw = RawClient(self.port, self.version)
        flags = 2 if clean else 0
        tail, props = b"", b""
        if self.version == V5:
            props = b"\x11" + expiry.to_bytes(4, "big")
        if will:
            topic, payload, qos, retain = will
            flags |= 4 | qos << 3 | retain << 5
            tail = properties(self.version) + text(topic) + text(payload)
        self.raw.send(packet(0x10, text("MQTT"), bytes([self.version, flags]), u16(0),
                             properties(self.version, props), text(self.name), tail))
        return self.wait(CONNACK).body[0] & 1

    def wait(self, kind, packet_id=None):
        """The next packet of this kind; messages that come first are taken and acknowledged."""
        while True:
            got = self.raw.read()
            self.take(got)
            if got.kind == kind and (packet_id is None or got.packet_id == packet_id):
                return got

    def take(self, got):
        assert got is not None, f"{self.name}: closed"
        if got.kind == PUBLISH:
            message = read_publish(got, self.version)
            self.inbox.append(message)
            if message.qos:
                self.raw.send(ack(PUBACK if message.qos == 1 else PUBREC, message.packet_id))
        elif got.kind == PUBREL:
            self.raw.send(ack(PUBCOMP, got.packet_id))

    def wait_message(self, topic):
        while not any(message.topic == topic for message in self.inbox):
            self.take(self.raw.read())

    def settle(self):
        """Round trips: all that was on its way has come, and its handshakes are through."""
        for _ in range(3):
            self.raw.send(ping())
            self.wait(PINGRESP)

    def publish(self, topic, payload, qos, retain, props):
        packet_id = self.new_id() if qos else 0
        self.raw.send(publish(self.version, topic, payload, qos, packet_id, retain, props=props))
        if qos == 1:
            self.wait(PUBACK, packet_id)
        if qos == 2:
            self.wait(PUBREC, packet_id)
            self.raw.send(ack(PUBREL, packet_id))
            self.wait(PUBCOMP, packet_id)

    def subscribe(self, topic_filter, options, identifier):
        props = b"\x0b" + number(identifier) if identifier and self.version == V5 else b""
        packet_id = self.new_id()
        self.raw.send(subscribe(self.version, packet_id, (topic_filter, options), props=props))
        self.subscriptions.add(topic_filter)
        return self.wait(SUBACK, packet_id).reasons(self.version)

    def unsubscribe(self, topic_filter):
        packet_id = self.new_id()
        self.raw.send(unsubscribe(self.version, packet_id, topic_filter))
        self.subscriptions.discard(topic_filter)
        return self.wait(UNSUBACK, packet_id).reasons(self.version) if self.version == V5 else []

    def leave(self, politely):
        if politely:
            self.raw.send(packet(0xE0))
            self.raw.expect_closed()
        self.raw.socket.close()
        self.raw = None


class Play:
    """One scenario against one broker. `seen` is what it showed, step by step, comparable."""

    def __init__(self, port, seed):
        self.random = random.Random(seed)
        self.port, self.seed = port, seed
        versions = [V5] * SHARERS
        versions += [self.random.choice([V311, V5]) for _ in range(CLIENTS - SHARERS)]
        self.actors = [Actor(port, f"play{seed}-{i}", one) for i, one in enumerate(versions)]
        self.watcher = Actor(port, f"play{seed}-watcher", V5)
        self.sharers = set(self.actors[:SHARERS])
        self.actors.append(self.watcher)
        self.lasting = {}  # actor: whether its session outlives the connection
        self.flags = {}  # of (actor, filter): "no local" and "retain as published"
        self.number = 0
        self.seen = []

    def run(self, steps):
        self.watcher.connect(True, 0, None)
        self.watcher.subscribe("wills/#", 1, 0)
        try:
            for _ in range(steps):
                self.step()
            self.clean_up()
        finally:
            for one in self.actors:
                if one.online:
                    one.raw.socket.close()
        return self.seen

    def pick(self, options):
        return self.random.choice(options)

    def step(self):
        actor = self.pick(self.actors[:CLIENTS])
        deed = self.random.random()
        if not actor.online:
            said = self.come(actor)
        elif deed < 0.55:
            said = self.speak(actor)
        elif deed < 0.80:
            said = self.listen(actor)
        elif deed < 0.87 and actor.subscriptions:
            topic_filter = self.pick(sorted(actor.subscriptions))
            said = ["unsubscribe", topic_filter, actor.unsubscribe(topic_filter)]
        else:
            said = self.go(actor)
        self.note(actor, said)

    def come(self, actor):
        clean = self.random.random() < 0.4
        lasting = self.random.random() < 0.6
        if actor.version == V311:
            lasting = not clean
        self.number += 1
        will = (f"wills/{actor.name}", f"{self.number}", self.random.randrange(3), 0)
        present = actor.connect(clean, 3600 if lasting else 0, will)
        if not present:
            actor.subscriptions.clear()
        self.lasting[actor] = lasting
        return ["connect", clean, lasting, present]

    def go(self, actor):
        politely = self.random.random() < 0.5
        # mosquitto 2.0.11 also chooses members that are away, and drops what it then may drop.
        for topic_filter in sorted(actor.subscriptions):
            if topic_filter.startswith("$share/"):
                actor.unsubscribe(topic_filter)
        actor.leave(politely)
        # The will tells that the broker has noticed; when others get it, nobody's answer tells.
        if not politely:
            self.watcher.wait_message(f"wills/{actor.name}")
        if not self.lasting[actor]:
            actor.subscriptions.clear()
        return ["leave", politely]

    def speak(self, actor):
        self.number += 1
        topic = SHARED_TOPIC if self.random.random() < 0.15 else self.pick(TOPICS)
        # mosquitto 2.0.11 sends retained messages to shared subscriptions, against section 4.8.2.
        retain = self.random.random() < 0.25 and topic != SHARED_TOPIC
        qos = self.random.randrange(3)
        payload = b"" if retain and self.random.random() < 0.3 else f"{self.number}".encode()
        props = b""
        if actor.version == V5 and self.random.random() < 0.4:
            props = (b"\x01\x01" + b"\x03" + text("text/plain") + b"\x08" + text("answers")
                     + b"\x09" + text("data") + b"\x26" + text("k") + text("v")
                     + b"\x26" + text("k") + text("w"))
        actor.publish(topic, payload, qos, retain, props)
        return ["publish", topic, payload.decode(), qos, retain]

    def listen(self, actor):
        options, identifier = self.random.randrange(3), 0
        topic_filter = self.pick(SHARED if actor in self.sharers else FILTERS)
        if actor.version == V5:
            identifier = self.pick([0, 1, 200, 20_000])
            if not topic_filter.startswith("$share/"):
                # mosquitto 2.0.11 keeps these two flags when a subscription is replaced, against
                # [MQTT-3.8.4-3]: so a client asks for a filter with the same ones always.
                flags = self.flags.setdefault((actor, topic_filter), self.pick([0, 4, 8, 12]))
                # It also sends a client's own retained messages in spite of "no local"
                # [MQTT-3.8.3-3]: these are not asked for.
                options |= flags | (2 if flags & 4 else self.pick([0, 1, 2])) << 4
        return ["subscribe", topic_filter, options, identifier,
                actor.subscribe(topic_filter, options, identifier)]

    def note(self, actor, said):
        for one in [actor, *self.actors]:  # the publisher first: then all are served
            if one.online:
                one.settle()
        step = [actor.name.rsplit("-", 1)[1], said]
        shared = Counter()
        for one in self.actors:
            mine = set()
            if one in self.sharers:
                shared.update(message.payload for message in one.inbox)
            else:
                mine = {self.shown(one, message) for message in one.inbox
                        if one is self.watcher or not message.topic.startswith("wills/")}
            one.inbox.clear()
            if mine:
                step.append([one.name.rsplit("-", 1)[1], sorted(mine, key=repr)])
        # Which member of a group it is, is the broker's choice.
        step.append(["shared", sorted(shared.items())])
        self.seen.append(step)

    @staticmethod
    def shown(one, message):
        """Of overlapping subscriptions mosquitto 2.0.11 takes any one's QoS and identifier, where
        the highest QoS [MQTT-3.3.4-2] and all identifiers are asked for."""
        if sum(matches(f, message.topic) for f in one.subscriptions) > 1:
            return message.topic, message.payload.decode(), "overlapping"
        props = {k: v for k, v in sorted(message.props.items()) if k != 0x23}
        return message.topic, message.payload.decode(), message.qos, message.retain, repr(props)

    def clean_up(self):
        """Retained messages and sessions are gone for the next scenario."""
        for one in self.actors:
            if one.online:
                one.leave(True)
        last = Actor(self.port, f"play{self.seed}-last", V311)
        last.connect(True, 0, None)
        for topic in [*TOPICS, SHARED_TOPIC]:
            last.publish(topic, b"", 1, True, b"")
        last.leave(True)
        for one in self.actors:
            one.connect(True, 0, None)
            one.leave(True)
