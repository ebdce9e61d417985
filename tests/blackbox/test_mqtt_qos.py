"""The handshakes of QoS 1 and 2, both ways, on one connection and over several."""

import struct
import time

import pytest
from mqtt_bytes import (PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, V5, V311, ack, disconnect,
                        packet, ping, properties, publish, read_properties, read_publish, text)

LASTING = b"\x11" + struct.pack(">I", 600)


@pytest.fixture
def client(broker, raw):
    """A function that connects; `lasting`: the session outlives the connection."""
    def come(name="", version=V5, lasting=False, clean=None, props=b""):
        one = raw(broker.port, version)
        lasts = LASTING if lasting and version == V5 else b""
        clean = not lasting if clean is None else clean
        one.present = one.connect(name, clean=clean, props=lasts + props).body[0]
        return one
    return come


def send_qos_2(writer, topic, payload, packet_id=1):
    writer.send(publish(writer.version, topic, payload, 2, packet_id))
    assert writer.expect(PUBREC).packet_id == packet_id
    writer.send(ack(PUBREL, packet_id))
    assert writer.expect(PUBCOMP).packet_id == packet_id


def drain(one):
    """All packets that are there now."""
    one.send(ping())
    got = []
    while (p := one.read()).kind != PINGRESP:
        got.append(p)
    return got


# --- towards the server ---

# 5.0 [MQTT-3.3.4-1]
# 3.1.1 [MQTT-3.3.4-1]
def test_qos_0_is_answered_by_nothing(client, version):
    one = client(version=version)
    one.publish("qos/0", b"x")
    one.ping()


# 5.0 [MQTT-2.2.1-5] [MQTT-3.3.4-1] [MQTT-3.7.2-1] [MQTT-4.3.3-8, -10, -11, -12] [MQTT-4.6.0-3]
# 3.1.1 [MQTT-2.3.1-6] [MQTT-3.3.4-1] [MQTT-4.3.3-2] [MQTT-4.6.0-3]
def test_qos_2_in_goes_out_once(client, version):
    """PUBREC for each PUBLISH until PUBREL, one message; then the id is new again."""
    reader, writer = client(version=version), client(version=version)
    topic = f"qos/2/in/{version}"
    reader.subscribe(topic)
    for dup in (False, True, True):
        writer.send(publish(version, topic, b"first", 2, 9, dup=dup))
        assert writer.expect(PUBREC).packet_id == 9
    for known in (True, False):  # a PUBREL that comes again is answered too
        writer.send(ack(PUBREL, 9))
        got = writer.expect(PUBCOMP)
        assert (got.packet_id, got.reason(version)) == (9, 0 if known or version == V311 else 0x92)
    writer.send(publish(version, topic, b"second", 2, 9))
    writer.expect(PUBREC)
    assert [reader.expect_message().payload for _ in range(2)] == [b"first", b"second"]
    reader.ping()


# 5.0 [MQTT-4.3.3-10]
# 3.1.1 [MQTT-4.3.3-2]
def test_qos_2_in_over_two_connections(client, version):
    reader, topic = client(version=version), f"qos/2/again/{version}"
    reader.subscribe(topic)
    writer = client(f"q2in-{version}", version, lasting=True)
    writer.send(publish(version, topic, b"first", 2, 9))
    writer.expect(PUBREC)
    writer.socket.close()
    writer = client(f"q2in-{version}", version, lasting=True)
    assert writer.present == 1
    writer.send(publish(version, topic, b"first", 2, 9, dup=True))
    assert writer.expect(PUBREC).reason(version) in (0, 0x10)
    writer.send(ack(PUBREL, 9))
    assert writer.expect(PUBCOMP).reason(version) == 0
    assert reader.expect_message().payload == b"first"
    reader.ping()


# 5.0 [MQTT-4.3.3-11]
def test_pubrel_alone_after_a_reconnect(client, version):
    writer = client(f"q2rel-{version}", version, lasting=True)
    writer.send(publish(version, "qos/2/rel", b"x", 2, 9))
    writer.expect(PUBREC)
    writer.socket.close()
    writer = client(f"q2rel-{version}", version, lasting=True)
    writer.send(ack(PUBREL, 9))
    assert writer.expect(PUBCOMP).reason(version) == 0


# 5.0 [MQTT-4.3.2-5]
# 3.1.1 [MQTT-4.3.2-2]
def test_after_puback_the_id_is_new_whatever_dup_says(client, version):
    reader, writer = client(version=version), client(version=version)
    reader.subscribe("qos/1/dup")
    for n in range(3):
        writer.publish("qos/1/dup", b"%d" % n, 1, packet_id=4, dup=n > 0)
    assert [reader.expect_message().payload for _ in range(3)] == [b"0", b"1", b"2"]


# 5.0 [MQTT-3.3.1-3]
# 3.1.1 [MQTT-3.3.1-3]
def test_dup_is_not_passed_on(client, version):
    reader, writer = client(version=version), client(version=version)
    reader.subscribe("qos/dup", qos=2)
    for qos in (1, 2):
        writer.send(publish(version, "qos/dup", b"x", qos, 3, dup=True))
        writer.read()
        got = reader.expect_message()
        assert (got.qos, got.dup) == (qos, 0)
        reader.send(ack(PUBACK if qos == 1 else PUBREC, got.packet_id))


# 5.0 [MQTT-3.5.2-1] [MQTT-4.3.3-9]
def test_refused_qos_2_id_is_new(client):
    """A PUBREC of 0x80 or more frees the id at once."""
    writer = client()
    for _ in range(2):
        writer.send(publish(V5, "$SYS/not/yours", b"x", 2, 6))
        assert writer.expect(PUBREC).reason(V5) == 0x87
    writer.send(ack(PUBREL, 6))
    assert writer.expect(PUBCOMP).reason(V5) == 0x92


# 5.0 [MQTT-4.3.3-13]
def test_expiry_does_not_stop_the_handshake(client):
    writer = client()
    writer.send(publish(V5, "qos/expired", b"x", 2, 6, props=b"\x02\0\0\0\x01"))
    writer.expect(PUBREC)
    time.sleep(1.1)  # the message's life
    writer.send(ack(PUBREL, 6))
    assert writer.expect(PUBCOMP).reason(V5) == 0


# --- from the server ---

# 5.0 [MQTT-2.2.1-5] [MQTT-3.6.2-1] [MQTT-4.3.3-2, -4]
# 3.1.1 [MQTT-2.3.1-6] [MQTT-4.3.3-1]
def test_qos_2_out(client, version):
    reader, writer = client(version=version), client(version=version)
    reader.subscribe("qos/2/out", qos=2)
    send_qos_2(writer, "qos/2/out", b"x")
    got = reader.expect_message()
    assert (got.qos, got.dup, got.payload) == (2, 0, b"x") and got.packet_id
    for _ in range(2):  # the PUBREC may come again
        reader.send(ack(PUBREC, got.packet_id))
        answer = reader.expect(PUBREL)
        assert (answer.packet_id, answer.reason(version)) == (got.packet_id, 0)
    reader.send(ack(PUBCOMP, got.packet_id))
    reader.send(ack(PUBREC, got.packet_id))  # nothing has this id now
    assert reader.expect(PUBREL).reason(version) == (0x92 if version == V5 else 0)


# 5.0 [MQTT-4.6.0-4]
# 3.1.1 [MQTT-4.6.0-4]
def test_pubrels_leave_in_the_order_of_the_pubrecs(client, version):
    reader, writer = client(version=version), client(version=version)
    reader.subscribe("qos/2/order", qos=2)
    for n in range(1, 6):
        send_qos_2(writer, "qos/2/order", b"%d" % n, n)
    ids = [reader.expect_message().packet_id for _ in range(5)]
    order = [ids[i] for i in (3, 0, 4, 2, 1)]
    reader.send(*(ack(PUBREC, i) for i in order))
    assert [reader.expect(PUBREL).packet_id for _ in range(5)] == order


# 5.0 [MQTT-3.3.1-1] [MQTT-4.3.2-2, -3] [MQTT-4.3.3-3, -5, -6] [MQTT-4.4.0-1] [MQTT-4.6.0-1]
# 3.1.1 [MQTT-2.3.1-4] [MQTT-3.3.1-1] [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT-4.4.0-1] [MQTT-4.6.0-1]
def test_sent_again_after_a_reconnect_and_only_then(client, version):
    """[MQTT-4.4.0-1]: DUP, the same ids, the order of before; PUBREL where PUBREC had come."""
    name, topic = f"again-{version}", f"qos/again/{version}"
    reader, writer = client(name, version, lasting=True), client(version=version)
    reader.subscribe(topic, qos=2)
    for n in range(1, 7):
        if n % 2:
            writer.publish(topic, b"%d" % n, 1, packet_id=n)
        else:
            send_qos_2(writer, topic, b"%d" % n, n)
    first = [reader.expect_message() for _ in range(6)]
    assert not any(m.dup for m in first)
    reader.send(ack(PUBACK, first[0].packet_id), ack(PUBREC, first[1].packet_id))
    assert reader.expect(PUBREL).packet_id == first[1].packet_id
    assert not drain(reader)  # nothing is sent again over the same connection
    for _ in range(2):
        reader.socket.close()
        reader = client(name, version, lasting=True)
        assert reader.present == 1
        got = drain(reader)
        assert got[0].kind == PUBREL and got[0].packet_id == first[1].packet_id
        again = [read_publish(p, version) for p in got[1:]]
        assert [(m.packet_id, m.payload, m.qos, m.dup) for m in again] == [
            (m.packet_id, m.payload, m.qos, 1) for m in first[2:]]
    reader.send(ack(PUBCOMP, first[1].packet_id))
    for m in first[2:]:
        reader.send(ack(PUBACK if m.qos == 1 else PUBREC, m.packet_id))
    assert [p.kind for p in drain(reader)] == [PUBREL, PUBREL]
    reader.socket.close()
    reader = client(name, version, lasting=True)
    assert {p.kind for p in drain(reader)} == {PUBREL}  # PUBCOMP is still to come


# 5.0 [MQTT-4.3.3-4] [MQTT-4.4.0-2]
@pytest.mark.parametrize("qos", [1, 2])
def test_refused_by_the_client_is_not_sent_again(client, qos):
    reader, writer = client("refuses", lasting=True), client()
    reader.subscribe("qos/refused", qos=qos)
    if qos == 1:
        writer.publish("qos/refused", b"x", 1, packet_id=1)
    else:
        send_qos_2(writer, "qos/refused", b"x")
    got = reader.expect_message()
    reader.send(ack(PUBACK if qos == 1 else PUBREC, got.packet_id, 0x83))
    assert not drain(reader)  # and no PUBREL
    reader.socket.close()
    assert not drain(client("refuses", lasting=True))


# 5.0 [MQTT-4.3.3-7]
def test_what_has_been_sent_does_not_expire(client):
    reader, writer = client("q-expiry", lasting=True), client()
    reader.subscribe("qos/expiry", qos=2)
    writer.send(publish(V5, "qos/expiry", b"x", 2, 1, props=b"\x02\0\0\0\x01"))
    first = reader.expect_message()
    time.sleep(1.1)  # its life
    reader.socket.close()
    reader = client("q-expiry", lasting=True)
    again = reader.expect_message()
    assert (again.payload, again.dup, again.packet_id) == (b"x", 1, first.packet_id)


# 5.0 [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]
# 3.1.1 [MQTT-2.3.1-4] [MQTT-4.3.2-1]
def test_packet_ids_of_the_server_are_unused_ones(client, version):
    reader, writer = client(version=version), client(version=version)
    reader.subscribe("qos/ids", qos=1)
    held, seen = {}, set()
    for n in range(300):
        writer.publish("qos/ids", b"%d" % n, 1, packet_id=n + 1)
        got = reader.expect_message()
        assert got.packet_id and got.packet_id not in held
        held[got.packet_id] = n
        seen.add(got.packet_id)
        if n % 3 == 0:
            done = next(iter(held))
            reader.send(ack(PUBACK, done))
            del held[done]
    assert len(seen) >= len(held) == 200


def test_acknowledgements_of_nothing(client, version):
    """PUBACK and PUBCOMP for ids that are not in flight harm nobody."""
    one = client(version=version)
    one.send(ack(PUBACK, 77), ack(PUBCOMP, 77))
    one.send(ack(PUBREL, 78))
    got = one.expect(PUBCOMP)
    assert (got.packet_id, got.reason(version)) == (78, 0x92 if version == V5 else 0)
    one.ping()


# 5.0 [MQTT-3.3.4-10] [MQTT-4.9.0-3]
def test_other_packets_pass_a_full_window(client):
    """[MQTT-3.3.4-10], [MQTT-4.9.0-3]"""
    reader, writer = client(props=b"\x21\x00\x01"), client()
    reader.subscribe("qos/full", qos=1)
    for n in range(1, 4):
        writer.publish("qos/full", b"%d" % n, 1, packet_id=n)
    first = reader.expect_message()
    assert reader.subscribe("qos/full/other", qos=1, packet_id=2) == [1]
    assert reader.publish("qos/nobody", b"", 1, packet_id=3) == 0x10
    reader.publish("qos/nobody/2", b"")
    reader.ping()
    writer.publish("qos/full/other", b"q0")  # QoS 0 waits for its turn behind the others
    reader.send(ack(PUBACK, first.packet_id))
    second = reader.expect_message()
    assert second.payload == b"2"


# --- no more bytes than the client takes ---

# 5.0 [MQTT-3.1.2-24] [MQTT-3.2.2-19] [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.9.2-1] [MQTT-3.11.2-1]
@pytest.mark.parametrize("limit,texts", [(200, True), (20, False)])
def test_reason_strings_fit_the_maximum_packet_size(client, broker, raw, limit, texts):
    """The reason stays, its sentence goes where there is no room for it."""
    size = b"\x27" + struct.pack(">I", limit)
    one = raw(broker.port)
    one.send(packet(0x10, text("MQTT"), b"\x05\x02\0\0", properties(V5, b"\x27\0\0\0\x40"),
                    text("s")))
    one.expect(2)  # a CONNACK takes up to 64 bytes
    got = one.send(publish(V5, "$SYS/x", b"", 1, 1)).expect(PUBACK)
    assert got.reason(V5) == 0x87
    refused = raw(broker.port)
    refused.send(packet(0x10, text("MQTT"), b"\x05\x06\0\0", properties(V5, size), text("s"),
                        properties(V5), text("$SYS/will"), text("m")))
    got = refused.expect(2)
    assert got.reason(V5) == 0x87
    assert (0x1F in read_properties(got.body, 2)[0]) == texts
    assert len(got.body) + 2 <= limit
    refused.expect_closed()


# 5.0 [MQTT-3.1.2-24]
def test_a_client_that_takes_nothing_is_let_go(broker, raw):
    """Not even CONNACK fits: it is closed and nothing is sent."""
    one = raw(broker.port)
    one.send(packet(0x10, text("MQTT"), b"\x05\x02\0\0", properties(V5, b"\x27\0\0\0\x05"),
                    text("s")))
    one.expect_closed()


# 5.0 [MQTT-3.14.2-3]
def test_disconnect_fits_the_maximum_packet_size(gateway, raw):
    one = gateway(endpoints={"devices": {"receive_maximum": 65535, "maximum_packet_size": 1000}})
    client = raw(one.port)
    client.connect("short", props=b"\x27\0\0\0\x30")
    client.send(packet(0xE0, b"\x00"), publish(V5, "after", b""))  # a short one is fine
    client.expect_closed()
    client = raw(one.port)
    client.connect("short", props=b"\x27\0\0\0\x30")
    client.send(b"\x30\xff\x7f")
    got = client.read()
    assert got.reason(V5) == 0x95 and len(got.body) + 2 <= 0x30
    client.expect_closed()


# 5.0 [MQTT-3.14.4-1]
def test_nothing_follows_disconnect(client):
    """What stands behind a fault or a DISCONNECT is not looked at."""
    reader, one = client(), client()
    reader.subscribe("qos/after/#")
    one.send(b"\x00\x00", publish(V5, "qos/after/fault", b"x"))
    one.expect_fault(0x81)
    one = client()
    one.send(disconnect(V5), publish(V5, "qos/after/goodbye", b"x"))
    one.expect_closed()
    reader.ping()
