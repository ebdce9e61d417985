"""A client that reads nothing, and what fills it up."""

import json
import socket

from mqtt_bytes import V5


class SlowReader:
    """A JSON client that says what it wants and reads nothing."""

    def __init__(self, gateway, frames, receive_buffer=4096):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", gateway.port_of("web")))
        self.socket.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        while b"\r\n\r\n" not in self.socket.recv(4096):
            pass
        self.rest = b""
        self.send(frames)

    def send(self, frames):
        """All at once."""
        out = b""
        for frame in frames:
            data = json.dumps(frame).encode()
            out += bytes([0x81, 0x80 | len(data)]) + b"\0\0\0\0" + data
        self.socket.sendall(out)

    def take(self, size):
        while len(self.rest) < size:
            more = self.socket.recv(1 << 20)
            assert more, "the server has closed the connection"
            self.rest += more
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def frame(self):
        """(opcode, payload) of the next one."""
        first, size = self.take(2)
        if size > 125:
            size = int.from_bytes(self.take(2 if size == 126 else 8), "big")
        return first & 15, self.take(size)


def flood(gateway, raw, megabytes=16):
    device = raw(gateway.port, V5)
    device.connect()
    for i in range(megabytes):
        device.publish("flood/x", b"x" * 1_000_000, 1, packet_id=i + 1)
    return device
