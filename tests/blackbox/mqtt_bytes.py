"""A tiny MQTT client for tests of bytes in and bytes out: 3.1.1 and 5, nothing hidden.

Its encoder writes whatever it is told, so that wrong packets can be made as easily as right ones.
"""

import socket
import struct
from collections import namedtuple

from support.waiting import PATIENCE

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT, AUTH = range(8, 16)
NAMES = ("", "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE",
         "SUBACK", "UNSUBSCRIBE", "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH")

V311, V5 = 4, 5


# --- encoding ---

def number(value):
    """Variable byte integer."""
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def u16(value):
    return struct.pack(">H", value)


def text(value):
    data = value.encode() if isinstance(value, str) else bytes(value)
    return u16(len(data)) + data


def packet(first_byte, *parts):
    body = b"".join(parts)
    return bytes([first_byte]) + number(len(body)) + body


def properties(version, data=b""):
    return number(len(data)) + data if version == V5 else b""


def connect(version, client_id="", clean=True, keep_alive=0, props=b"", name="MQTT", flags=None,
            level=None):
    flags = (2 if clean else 0) if flags is None else flags
    return packet(CONNECT << 4, text(name), bytes([version if level is None else level, flags]),
                  u16(keep_alive), properties(version, props), text(client_id))


def publish(version, topic, payload=b"", qos=0, packet_id=0, retain=False, dup=False, props=b""):
    first = PUBLISH << 4 | dup << 3 | qos << 1 | retain
    return packet(first, text(topic), u16(packet_id) if qos else b"", properties(version, props),
                  payload)


def subscribe(version, packet_id, *filters, qos=0, props=b""):
    """Each filter is a topic filter, or (topic filter, options byte)."""
    pairs = [f if isinstance(f, tuple) else (f, qos) for f in filters]
    return packet(SUBSCRIBE << 4 | 2, u16(packet_id), properties(version, props),
                  *(text(f) + bytes([o]) for f, o in pairs))


def unsubscribe(version, packet_id, *filters):
    return packet(UNSUBSCRIBE << 4 | 2, u16(packet_id), properties(version), *map(text, filters))


def ack(kind, packet_id, reason=None):
    return packet(kind << 4 | (2 if kind == PUBREL else 0), u16(packet_id),
                  b"" if reason is None else bytes([reason]))


def ping():
    return packet(PINGREQ << 4)


def disconnect(version, reason=None):
    return packet(DISCONNECT << 4, bytes([reason]) if reason is not None and version == V5 else b"")


# --- decoding ---

class Packet(namedtuple("Packet", "kind flags body")):
    def __repr__(self):
        return f"{NAMES[self.kind]}(flags={self.flags:x}, {self.body.hex(' ')})"

    @property
    def packet_id(self):
        """Of everything that begins with one (not PUBLISH)."""
        return struct.unpack_from(">H", self.body)[0]

    def reason(self, version):
        """Reason code of CONNACK, the PUBLISH acknowledgements, DISCONNECT."""
        if self.kind == CONNACK:
            return self.body[1]
        if self.kind in (DISCONNECT, AUTH):
            return self.body[0] if self.body else 0
        return self.body[2] if version == V5 and len(self.body) > 2 else 0

    def reasons(self, version):
        """Reason codes of SUBACK and UNSUBACK."""
        if version != V5:
            return list(self.body[2:])
        _, after = read_properties(self.body, 2)
        return list(self.body[after:])


Publication = namedtuple("Publication", "topic payload qos packet_id retain dup props")


def read_number(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        at, more = at + 1, data[at] & 0x80
        if not more:
            return value, at
        shift += 7


def read_properties(data, at):
    """({identifier: value or list of values when repeated}, where they end)."""
    length, at = read_number(data, at)
    end, out = at + length, {}
    while at < end:
        identifier, at = data[at], at + 1
        if identifier in (0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a):
            value, at = data[at], at + 1
        elif identifier in (0x13, 0x21, 0x22, 0x23):
            value, at = struct.unpack_from(">H", data, at)[0], at + 2
        elif identifier in (0x02, 0x11, 0x18, 0x27):
            value, at = struct.unpack_from(">I", data, at)[0], at + 4
        elif identifier == 0x0b:
            value, at = read_number(data, at)
        else:
            value, at = read_text(data, at)
            if identifier == 0x26:
                second, at = read_text(data, at)
                value = (value, second)
        if identifier in out:
            first = out[identifier]
            out[identifier] = (first if isinstance(first, list) else [first]) + [value]
        else:
            out[identifier] = value
    return out, end


def read_text(data, at):
    size = struct.unpack_from(">H", data, at)[0]
    return data[at + 2:at + 2 + size], at + 2 + size


# Reason codes that a server may send: the tables of the packets' sections in MQTT 5.0.
ACK_CODES = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}
CODES = {
    CONNACK: {0x00, *range(0x80, 0x8B), 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F},
    PUBACK: ACK_CODES, PUBREC: ACK_CODES, PUBREL: {0x00, 0x92}, PUBCOMP: {0x00, 0x92},
    SUBACK: {0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2},
    UNSUBACK: {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91},
    DISCONNECT: {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, *range(0x8D, 0xA3)} - {0x91, 0x92},
    AUTH: {0x00, 0x18},
}
CODES_OF_3_1_1 = {CONNACK: set(range(6)), SUBACK: {0, 1, 2, 0x80}}


# 5.0 [MQTT-1.5.5-1] [MQTT-2.1.3-1] [MQTT-3.2.2-1, -6, -8] [MQTT-3.3.1-2, -4] [MQTT-3.4.2-1]
# 5.0 [MQTT-3.5.2-1] [MQTT-3.6.1-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2] [MQTT-3.11.3-2]
# 5.0 [MQTT-3.14.2-1, -2] [MQTT-4.3.1-1] [MQTT-4.12.0-6]
# 3.1.1 [MQTT-2.2.2-1] [MQTT-3.2.2-4] [MQTT-3.3.1-2, -4] [MQTT-3.6.1-1] [MQTT-3.9.3-2]
# 3.1.1 [MQTT-4.3.1-1]
def check_packet(got, version, header):
    """What holds for every packet that a server sends."""
    assert header[1:] == number(len(got.body)), f"{got}: the length takes too many bytes"
    assert got.kind in CODES or got.kind in (PUBLISH, PINGRESP), got
    if got.kind == PUBLISH:
        assert got.flags & 6 != 6 and (got.flags & 6 or not got.flags & 8), f"{got}: flags"
        return
    assert got.flags == (2 if got.kind == PUBREL else 0), f"{got}: reserved flags"
    if got.kind == CONNACK:
        assert got.body[0] <= 1, f"{got}: reserved bits"
        assert not (got.body[0] and got.body[1]), f"{got}: session present in a refusal"
    codes = (CODES if version == V5 else CODES_OF_3_1_1).get(got.kind)
    if got.kind in (SUBACK, UNSUBACK):
        assert not codes or set(got.reasons(version)) <= codes, got
    elif codes and got.kind != PINGRESP:
        assert got.reason(version) in codes, got
    if got.kind == DISCONNECT and len(got.body) > 1:
        assert 0x11 not in read_properties(got.body, 1)[0], f"{got}: a session expiry"


def read_publish(got, version):
    qos = got.flags >> 1 & 3
    topic, at = read_text(got.body, 0)
    packet_id = 0
    if qos:
        packet_id, at = struct.unpack_from(">H", got.body, at)[0], at + 2
    props = {}
    if version == V5:
        props, at = read_properties(got.body, at)
    return Publication(topic.decode(), got.body[at:], qos, packet_id, got.flags & 1,
                       got.flags >> 3 & 1, props)


class RawClient:
    """A socket that reads whole packets. Every wait has a deadline."""

    def __init__(self, port, version=V5, host="127.0.0.1"):
        self.version = version
        self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *packets):
        """A connection that is already closed shows at the next read."""
        try:
            self.socket.sendall(b"".join(packets))
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return bool(data)

    def _whole(self):
        """The length of the header and of the whole first packet, or None."""
        size = shift = 0
        for at in range(1, min(len(self.buffer), 5)):
            size |= (self.buffer[at] & 0x7f) << shift
            shift += 7
            if not self.buffer[at] & 0x80:
                whole = at + 1 + size
                return (at + 1, whole) if len(self.buffer) >= whole else None
        return None

    def read(self):
        """The next packet; None when the server has closed."""
        while not (sizes := self._whole()):
            if not self._more():
                assert not self.buffer, f"closed within a packet: {self.buffer.hex(' ')}"
                return None
        header, whole = sizes
        got = Packet(self.buffer[0] >> 4, self.buffer[0] & 15, self.buffer[header:whole])
        check_packet(got, self.version, self.buffer[:header])
        self.buffer = self.buffer[whole:]
        return got

    def expect(self, kind):
        got = self.read()
        assert got is not None, f"closed; expected {NAMES[kind]}"
        assert got.kind == kind, f"got {got}; expected {NAMES[kind]}"
        return got

    def expect_closed(self):
        got = self.read()
        assert got is None, f"got {got}; expected the connection to be closed"

    def expect_fault(self, reason):
        """A DISCONNECT with this reason in MQTT 5, nothing in 3.1.1; then closed."""
        if self.version == V5:
            got = self.expect(DISCONNECT)
            assert got.reason(V5) == reason, f"{got}; expected reason 0x{reason:02x}"
        self.expect_closed()

    def expect_message(self):
        return read_publish(self.expect(PUBLISH), self.version)

    # --- whole conversations ---

    def connect(self, client_id="", reason=0, **more):
        self.send(connect(self.version, client_id, **more))
        got = self.expect(CONNACK)
        assert got.reason(self.version) == reason, got
        return got

    def subscribe(self, *filters, qos=0, packet_id=1, props=b""):
        self.send(subscribe(self.version, packet_id, *filters, qos=qos, props=props))
        got = self.expect(SUBACK)
        assert got.packet_id == packet_id
        return got.reasons(self.version)

    def publish(self, topic, payload=b"", qos=0, packet_id=0, **more):
        """The PUBACK's reason code at QoS 1."""
        self.send(publish(self.version, topic, payload, qos, packet_id, **more))
        if qos != 1:
            return None
        got = self.expect(PUBACK)
        assert got.packet_id == packet_id
        return got.reason(self.version)

    def ping(self):
        """A round trip; nothing else may have been sent to us."""
        self.send(ping())
        self.expect(PINGRESP)
