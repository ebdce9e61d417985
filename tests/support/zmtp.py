"""ZMTP by hand (RFC 23, RFC 37), for peers that do what no library does."""

import socket
import struct

from support.waiting import PATIENCE


def speak_zmtp(port, kind, minor=0):
    """A connection of this kind of socket that has made the handshake of ZMTP 3.0 or 3.1."""
    link = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    link.sendall(b"\xff" + bytes(8) + b"\x7f\x03" + bytes([minor]) + b"NULL".ljust(20, b"\0") +
                 bytes(32))
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    link.sendall(b"\x04" + bytes([len(ready)]) + ready)
    return link


def reset(link):
    """Ends it at once; what has not been read on the other side is gone."""
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()
