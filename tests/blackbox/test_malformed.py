"""Malformed packets: bytes in, and the reason that the server gives before it closes.

Each costs its own connection and nothing else."""

import pytest
from mqtt_bytes import (CONNACK, DISCONNECT, PUBACK, PUBREL, V5, V311, ack, connect, disconnect,
                        packet, properties, publish, subscribe, text, u16, unsubscribe)

BAD_UTF8, NUL, SURROGATE = b"\xc3\x28", b"a\x00b", b"\xed\xa0\x80"


def both(name, make, *reason):
    """A row for each version; `make` gets the version."""
    return [pytest.param(v, make(v), *reason, id=f"{name}-{'v5' if v == V5 else 'v311'}")
            for v in (V311, V5)]


def v5(name, data, *reason):
    return [pytest.param(V5, data, *reason, id=f"{name}-v5")]


AFTER_CONNECT = [
    *both("reserved_type_0", lambda v: b"\x00\x00", 0x81),
    *both("length_of_five_bytes", lambda v: b"\x30\xff\xff\xff\xff\x7f", 0x81),
    *both("length_not_the_shortest", lambda v: b"\xc0\x80\x00", 0x81),
    *both("publish_qos_3", lambda v: packet(0x36, text("a"), u16(1), properties(v)), 0x81),
    *both("publish_dup_at_qos_0", lambda v: packet(0x38, text("a"), properties(v)), 0x81),
    *both("publish_packet_id_0", lambda v: publish(v, "a", b"x", 1, 0), 0x81),
    *both("publish_topic_too_long_for_packet", lambda v: packet(0x30, u16(500), b"a"), 0x81),
    *both("publish_empty_topic", lambda v: publish(v, "", b"x"), 0x82),
    *both("publish_wildcard_plus", lambda v: publish(v, "a/+", b"x"), 0x90),
    *both("publish_wildcard_hash", lambda v: publish(v, "a/#", b"x"), 0x90),
    *both("publish_topic_not_utf8", lambda v: publish(v, BAD_UTF8, b"x"), 0x81),
    *both("publish_topic_surrogate", lambda v: publish(v, SURROGATE, b"x"), 0x81),
    *both("publish_topic_nul", lambda v: publish(v, NUL, b"x"), 0x81),
    *both("subscribe_flags", lambda v: packet(0x80, u16(1), properties(v), text("a"), b"\0"), 0x81),
    *both("subscribe_packet_id_0", lambda v: subscribe(v, 0, "a"), 0x81),
    *both("subscribe_no_filters", lambda v: packet(0x82, u16(1), properties(v)), 0x82),
    *both("subscribe_qos_3", lambda v: subscribe(v, 1, ("a", 3)), 0x81),
    *both("subscribe_reserved_options", lambda v: subscribe(v, 1, ("a", 0xC0)), 0x81),
    *both("subscribe_filter_not_utf8", lambda v: subscribe(v, 1, (BAD_UTF8, 0)), 0x81),
    *both("subscribe_filter_nul", lambda v: subscribe(v, 1, (NUL, 0)), 0x81),
    *both("unsubscribe_filter_not_utf8", lambda v: unsubscribe(v, 1, BAD_UTF8), 0x81),
    *both("unsubscribe_packet_id_0", lambda v: unsubscribe(v, 0, "a"), 0x82),
    *both("unsubscribe_flags", lambda v: packet(0xA0, u16(1), properties(v), text("a")), 0x81),
    *both("unsubscribe_no_filters", lambda v: packet(0xA2, u16(1), properties(v)), 0x82),
    *both("pubrel_flags", lambda v: packet(0x60, u16(1)), 0x81),
    *both("puback_too_short", lambda v: packet(0x40, b"\x01"), 0x81),
    *both("pubrec_flags", lambda v: packet(0x52, u16(1)), 0x81),
    *both("disconnect_flags", lambda v: b"\xe1\x00", 0x81),
    *both("connect_again_flags", lambda v: b"\x11\x00", 0x81),
    *both("auth_flags", lambda v: b"\xf1\x00", 0x81),
    *both("auth", lambda v: b"\xf0\x00", 0x82),
    *both("pingreq_flags", lambda v: b"\xc1\x00", 0x81),
    *both("pingreq_with_body", lambda v: b"\xc0\x01\x00", 0x81),
    *both("connack_from_a_client", lambda v: packet(0x20, b"\0\0", properties(v)), 0x82),
    *both("suback_from_a_client", lambda v: packet(0x90, u16(1), properties(v), b"\0"), 0x82),
    *both("pingresp_from_a_client", lambda v: b"\xd0\x00", 0x82),
    *v5("publish_unknown_property", publish(V5, "a", b"x", props=b"\x7f\x00"), 0x81),
    *v5("publish_foreign_property", publish(V5, "a", b"x", props=b"\x21\x00\x05"), 0x82),
    *v5("publish_property_twice", publish(V5, "a", b"x", props=b"\x01\x01\x01\x01"), 0x82),
    *v5("publish_format_indicator_2", publish(V5, "a", b"x", props=b"\x01\x02"), 0x82),
    *v5("publish_properties_too_long", packet(0x30, text("a"), b"\x7f\x01"), 0x81),
    *v5("publish_alias_0", publish(V5, "a", b"x", props=b"\x23\x00\x00"), 0x94),
    *v5("publish_alias_too_large", publish(V5, "a", b"x", props=b"\x23\xff\xff"), 0x94),
    *v5("publish_alias_unknown", publish(V5, "", b"x", props=b"\x23\x00\x01"), 0x82),
    *v5("publish_subscription_id", publish(V5, "a", b"x", props=b"\x0b\x01"), 0x82),
    *v5("publish_response_topic_wildcard", publish(V5, "a", props=b"\x08\x00\x01#"), 0x82),
    *v5("publish_response_topic_not_utf8",
        publish(V5, "a", props=b"\x08" + text(BAD_UTF8)), 0x81),
    *v5("publish_response_topic_empty", publish(V5, "a", props=b"\x08\x00\x00"), 0x82),
    *v5("publish_content_type_not_utf8", publish(V5, "a", props=b"\x03" + text(BAD_UTF8)), 0x81),
    *v5("publish_user_property_not_utf8",
        publish(V5, "a", props=b"\x26" + text("k") + text(BAD_UTF8)), 0x81),
    *v5("puback_reason_not_its_own", ack(PUBACK, 1, 0x85), 0x82),
    *v5("pubrel_reason_not_its_own", ack(PUBREL, 1, 0x80), 0x82),
    *v5("disconnect_reason_not_its_own", disconnect(V5, 0x01), 0x82),
    *v5("subscribe_id_0", subscribe(V5, 1, "a", props=b"\x0b\x00"), 0x82),
    *v5("subscribe_retain_handling_3", subscribe(V5, 1, ("a", 0x30)), 0x81),
    *v5("disconnect_expiry_from_0", packet(0xE0, b"\0\x05\x11\0\0\0\x05"), 0x82),
    *v5("auth_without_method", packet(0xF0, b"\x18\x00"), 0x82),
    *v5("auth_again", packet(0xF0, b"\x19\x06\x15" + text("abc")), 0x82),
    *v5("auth_reason_not_its_own", packet(0xF0, b"\x17\x00"), 0x82),
]

# In version 5 some faults can be named in two ways that both follow from the text: malformed
# (0x81), a protocol error (0x82), an invalid topic (0x90) or alias (0x94).
ALSO_RIGHT = {
    "publish_packet_id_0": {0x82}, "publish_empty_topic": {0x81, 0x90},
    "subscribe_packet_id_0": {0x82},
    "publish_wildcard_plus": {0x81, 0x82}, "publish_wildcard_hash": {0x81, 0x82},
    "subscribe_no_filters": {0x81}, "unsubscribe_no_filters": {0x81}, "subscribe_qos_3": {0x82},
    "connack_from_a_client": {0x81}, "suback_from_a_client": {0x81},
    "pingresp_from_a_client": {0x81},
    "publish_topic_not_utf8": {0x90}, "publish_topic_nul": {0x90},
    "publish_topic_surrogate": {0x90},
    "publish_foreign_property": {0x81}, "publish_unknown_property": {0x82},
    "publish_format_indicator_2": {0x81}, "publish_alias_0": {0x82},
    "publish_alias_unknown": {0x94},
    "publish_subscription_id": {0x81}, "publish_response_topic_wildcard": {0x81, 0x90},
    "subscribe_id_0": {0x81}, "subscribe_retain_handling_3": {0x82},
    "subscribe_reserved_options": {0x82}, "subscribe_filter_not_utf8": {0x82, 0x8F},
    "publish_property_twice": {0x81}, "auth_without_method": {0x81, 0x8C},
    "pingreq_with_body": {0x82}, "reserved_type_0": {0x82},
}


# 5.0 [MQTT-1.5.4-1, -2] [MQTT-1.5.5-1] [MQTT-1.5.7-1] [MQTT-2.1.3-1] [MQTT-2.2.1-3] [MQTT-3.2.2-17]
# 5.0 [MQTT-3.3.1-2, -4] [MQTT-3.3.2-1, -2, -8, -9, -13, -14, -19] [MQTT-3.3.4-6] [MQTT-3.4.2-1]
# 5.0 [MQTT-3.6.1-1] [MQTT-3.6.2-1] [MQTT-3.8.1-1] [MQTT-3.8.3-1, -2, -5] [MQTT-3.10.1-1]
# 5.0 [MQTT-3.10.3-1, -2] [MQTT-3.14.1-1] [MQTT-3.14.2-1, -2] [MQTT-3.14.4-1, -2] [MQTT-3.15.1-1]
# 5.0 [MQTT-3.15.2-1] [MQTT-4.7.0-1] [MQTT-4.7.3-1, -2] [MQTT-4.12.0-7] [MQTT-4.12.1-1, -2]
# 5.0 [MQTT-4.13.1-1] [MQTT-4.13.2-1]
# 3.1.1 [MQTT-1.5.3-1, -2] [MQTT-2.2.2-1, -2] [MQTT-2.3.1-1] [MQTT-3.3.1-2, -4] [MQTT-3.3.2-1, -2]
# 3.1.1 [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.8.3-1, -3, -4] [MQTT-3.10.1-1] [MQTT-3.10.3-1, -2]
# 3.1.1 [MQTT-3.14.1-1] [MQTT-4.7.1-1] [MQTT-4.7.3-1, -2] [MQTT-4.8.0-1]
@pytest.mark.parametrize("version,data,reason", AFTER_CONNECT)
def test_after_connect(broker, raw, request, version, data, reason):
    healthy = raw(broker.port, version)
    healthy.connect()
    client = raw(broker.port, version)
    client.connect()
    client.send(data)
    if version == V5:
        name = request.node.callspec.id.rsplit("-v5", 1)[0].split("-")[-1]
        got = client.read()
        assert got is not None, "closed without a DISCONNECT"
        assert got.kind == DISCONNECT, got
        assert got.reason(V5) in {reason} | ALSO_RIGHT.get(name, set()), got
    client.expect_closed()
    healthy.ping()




def body_of_connect(version, flags, *fields):
    return packet(0x10, text("MQTT"), bytes([version, flags]), u16(0), properties(version),
                  text("x"), *fields)


CONNECTS = [
    *both("wrong_protocol_name", lambda v: connect(v, "x", name="MQTR")),
    *both("reserved_flag", lambda v: connect(v, "x", flags=0x03)),
    *both("will_qos_3", lambda v: packet(
        0x10, text("MQTT"), bytes([v, 0x1E]), u16(0), properties(v), text("x"), properties(v),
        text("w"), text("m"))),
    *both("will_qos_without_will", lambda v: connect(v, "x", flags=0x0A)),
    *both("will_retain_without_will", lambda v: connect(v, "x", flags=0x22)),
    *both("client_id_not_utf8", lambda v: connect(v, BAD_UTF8)),
    *both("client_id_nul", lambda v: connect(v, NUL)),
    *both("cut_short", lambda v: packet(0x10, text("MQTT"), bytes([v, 2]), u16(0))),
    *both("bytes_left_over", lambda v: packet(0x10, text("MQTT"), bytes([v, 2]), u16(0),
                                              properties(v), text("x"), b"left")),
    *both("flags_of_the_packet", lambda v: packet(0x11, text("MQTT"), bytes([v, 2]), u16(0),
                                                  properties(v), text("x"))),
    *both("user_flag_without_user", lambda v: connect(v, "x", flags=0x82)),
    *both("user_without_flag", lambda v: body_of_connect(v, 0x02, text("user"))),
    *both("user_not_utf8", lambda v: body_of_connect(v, 0x82, text(BAD_UTF8))),
    *both("password_flag_without_password", lambda v: body_of_connect(v, 0xC2, text("user"))),
    *both("password_without_flag", lambda v: body_of_connect(v, 0x82, text("user"), text("pw"))),
    *both("will_flag_without_will", lambda v: connect(v, "x", flags=0x06)),
    *both("will_without_flag", lambda v: body_of_connect(
        v, 0x02, properties(v), text("w"), text("m"))),
    *both("will_topic_not_utf8", lambda v: body_of_connect(
        v, 0x06, properties(v), text(BAD_UTF8), text("m"))),
    *both("will_topic_wildcard", lambda v: body_of_connect(
        v, 0x06, properties(v), text("w/#"), text("m"))),
    *both("no_client_id", lambda v: packet(0x10, text("MQTT"), bytes([v, 2]), u16(0),
                                           properties(v))),
    pytest.param(V311, body_of_connect(V311, 0x42, text("pw")), id="password_without_user-v311"),
    *v5("receive_maximum_0", connect(V5, "x", props=b"\x21\x00\x00")),
    *v5("maximum_packet_size_0", connect(V5, "x", props=b"\x27\0\0\0\0")),
    *v5("property_twice", connect(V5, "x", props=b"\x21\x00\x05\x21\x00\x05")),
    *v5("data_without_method", connect(V5, "x", props=b"\x16\x00\x01a")),
    *v5("request_problem_information_2", connect(V5, "x", props=b"\x17\x02")),
]


# 5.0 [MQTT-1.5.4-1, -2] [MQTT-3.1.2-1, -3, -9, -11, -12, -13, -16, -17, -18, -19]
# 5.0 [MQTT-3.1.3-3, -4, -8, -11, -12] [MQTT-3.1.4-1] [MQTT-3.2.2-6, -7, -8] [MQTT-3.14.0-1]
# 5.0 [MQTT-4.7.0-1] [MQTT-4.13.2-1]
# 3.1.1 [MQTT-1.5.3-1, -2] [MQTT-3.1.2-1, -3, -9, -11, -13, -14, -15, -18, -19, -20, -21, -22]
# 3.1.1 [MQTT-3.1.3-3, -4, -10, -11] [MQTT-3.1.4-1] [MQTT-3.2.2-6] [MQTT-4.7.1-1]
@pytest.mark.parametrize("version,data", CONNECTS)
def test_connect(broker, raw, version, data):
    """Refused by a CONNACK with a reason or by closing; never accepted [MQTT-3.1.4-1]."""
    client = raw(broker.port, version)
    client.send(data)
    got = client.read()
    if got is not None:
        assert got.kind == CONNACK, got
        assert got.reason(version) != 0
        assert version == V5  # 3.1.1 has no code for a CONNECT that is not as it should be
        client.expect_closed()
