"""Which topics a filter takes, as seen by a client."""

import pytest
from mqtt_bytes import DISCONNECT, SUBACK, V5, subscribe

# (filter, topics it matches, topics it does not)
TABLE = [
    ("a/b", ["a/b"], ["a", "a/b/c", "a/B", "/a/b", "a/b/"]),
    ("a/+", ["a/b", "a/"], ["a", "a/b/c"]),
    ("+/b", ["a/b", "/b"], ["b", "$a/b"]),
    ("+", ["a", "é"], ["a/b", "/a", "$a"]),
    ("a/#", ["a", "a/b", "a/b/c", "a/"], ["ab", "b/a"]),
    ("#", ["a", "a/b", "/"], ["$a", "$a/b"]),
    ("+/#", ["a", "a/b", "/"], ["$a/b"]),
    ("$a/#", ["$a/b", "$a"], ["a/b"]),
    ("$a/+/c", ["$a/b/c"], ["a/b/c"]),
    ("/", ["/"], ["a", "//"]),
    ("+/+", ["/", "a/b"], ["//", "a"]),
    ("a//b", ["a//b"], ["a/b"]),
    ("a/+/b", ["a//b", "a/x/b"], ["a/b"]),
    ("\ufeffa", ["\ufeffa"], ["a"]),  # a byte order mark is a character like others
    ("caf\u00e9", ["caf\u00e9"], ["cafe\u0301", "CAF\u00c9"]),  # no normalization
    ("x" * 65_535, ["x" * 65_535], ["x" * 65_534]),
    ("🚂/+/signal", ["🚂/7/signal"], ["🚃/7/signal"]),
]


# 5.0 [MQTT-1.5.4-3] [MQTT-3.3.2-3] [MQTT-4.7.1-1, -2] [MQTT-4.7.2-1] [MQTT-4.7.3-3, -4]
# 3.1.1 [MQTT-1.5.3-3] [MQTT-3.3.2-3] [MQTT-4.7.1-2, -3] [MQTT-4.7.2-1] [MQTT-4.7.3-3, -4]
@pytest.mark.parametrize("topic_filter,hits,misses", TABLE, ids=[t[0][:20] for t in TABLE])
def test_matches(broker, raw, topic_filter, hits, misses):
    publisher, subscriber = raw(broker.port), raw(broker.port)
    publisher.connect()
    subscriber.connect()
    assert subscriber.subscribe(topic_filter, "the/very/last") == [0, 0]
    for topic in [*misses, *hits]:
        publisher.publish(topic, b"x")
    publisher.publish("the/very/last", b"end")
    got = []
    while (message := subscriber.expect_message()).payload != b"end":
        got.append(message.topic)
    assert got == hits


# 5.0 [MQTT-4.7.1-1, -2] [MQTT-4.7.3-1] [MQTT-4.8.2-1]
# 3.1.1 [MQTT-4.7.1-2, -3] [MQTT-4.7.3-1]
@pytest.mark.parametrize("bad", ["a/#/b", "a#", "a/b#", "+a", "a+/b", "#/a", "$share/g",
                                 "$share//a"])
def test_invalid_filter_is_refused(broker, raw, bad):
    """A filter that no topic can match as written: 0x8F, or the connection goes (0x81, 0x82)."""
    client = raw(broker.port)
    client.connect()
    client.send(subscribe(V5, 1, bad))
    got = client.read()
    if got is None:
        return
    if got.kind == SUBACK:
        assert got.reasons(V5)[0] >= 0x80
    else:
        assert got.kind == DISCONNECT and got.reason(V5) in (0x81, 0x82, 0x8F)
        client.expect_closed()
