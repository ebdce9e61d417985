"""Majordomo peers, written from the ZeroMQ guide's description (chapter 4) and RFCs 7 and 18.

`Worker` and `Client` are what a user would write with plain pyzmq; they know nothing of Trestle.
Each belongs to the thread that uses it. Run as a program, this is a worker:

    python3 majordomo.py ADDRESS SERVICE [seconds for each job [routing id]]
"""

import sys
import time

import zmq

READY, REQUEST, REPLY, HEARTBEAT, DISCONNECT = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
# 0.2 has PARTIAL between REQUEST and the final reply.
COMMANDS2 = {READY: b"\x01", REQUEST: b"\x02", REPLY: b"\x04", HEARTBEAT: b"\x05",
             DISCONNECT: b"\x06"}
PARTIAL2 = b"\x03"


class Worker:
    """The guide's worker: heartbeats while it waits, answers one request at a time."""

    def __init__(self, context, address, service, version=1, heartbeat=2.5, liveness=3,
                 name=None):
        self.context, self.address, self.service, self.name = context, address, service, name
        self.version, self.heartbeat, self.liveness = version, heartbeat, liveness
        self.reply_to = None
        self.socket = None
        self.connections = 0
        self.connect()

    def connect(self):
        if self.socket:
            self.socket.close(linger=0)
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        if self.name:
            self.socket.setsockopt(zmq.IDENTITY, self.name)
        self.socket.connect(self.address)
        self.connections += 1
        self.send(READY, [self.service])
        self.lives = self.liveness
        self.next_beat = time.monotonic() + self.heartbeat

    def send(self, command, frames=()):
        head = [b"", b"MDPW01", command] if self.version == 1 else [b"MDPW02", COMMANDS2[command]]
        self.socket.send_multipart([*head, *frames])

    def recv(self, seconds=20, reconnect=True):
        """The body of the next request; None when none has come in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self.socket.poll(1 + int(1000 * min(left, self.heartbeat))):
                frames = self.socket.recv_multipart()
                self.lives = self.liveness
                if self.version == 1:
                    assert frames[:2] == [b"", b"MDPW01"], frames
                    command, rest = frames[2], frames[3:]
                else:
                    assert frames[0] == b"MDPW02", frames
                    command, rest = frames[1], frames[2:]
                    command = {v: k for k, v in COMMANDS2.items()}[command]
                if command == REQUEST:
                    assert rest[1] == b"", rest
                    self.reply_to = rest[0]
                    return rest[2:]
                if command == DISCONNECT:
                    if not reconnect:
                        raise ConnectionResetError("told to disconnect")
                    self.connect()
            elif left >= self.heartbeat:
                self.lives -= 1
                if self.lives == 0:
                    self.connect()
            if time.monotonic() >= self.next_beat:
                self.send(HEARTBEAT)
                self.next_beat = time.monotonic() + self.heartbeat
        return None

    def reply(self, *body, tag=None):
        self.send(REPLY, [tag or self.reply_to, b"", *body])

    def acknowledge(self, tag=None):
        """A reply without a body."""
        self.send(REPLY, [tag or self.reply_to, b""])

    def partial(self, *body):
        self.socket.send_multipart([b"MDPW02", PARTIAL2, self.reply_to, b"", *body])

    def close(self):
        self.send(DISCONNECT)
        self.socket.close(linger=1000)


class Client:
    """A client of either version, over a REQ or a DEALER socket."""

    def __init__(self, context, address, version=1, kind=zmq.REQ):
        self.version, self.kind = version, kind
        self.socket = context.socket(kind)
        self.socket.linger = 0
        self.socket.connect(address)

    def send(self, service, *body):
        head = [b"MDPC01"] if self.version == 1 else [b"MDPC02", b"\x01"]
        if self.kind == zmq.DEALER and self.version == 1:
            head.insert(0, b"")
        self.socket.send_multipart([*head, service, *body])

    def recv(self, seconds=20):
        """(is it final?, body); None when nothing comes in time."""
        if not self.socket.poll(1000 * seconds):
            return None
        frames = self.socket.recv_multipart()
        if self.version == 1:
            if self.kind == zmq.DEALER:
                assert frames.pop(0) == b""
            assert frames[0] == b"MDPC01", frames
            return True, frames[2:]
        assert frames[0] == b"MDPC02" and frames[1] in (b"\x02", b"\x03"), frames
        return frames[1] == b"\x03", frames[3:]

    def ask(self, service, *body, seconds=20):
        """The body of the final answer."""
        self.send(service, *body)
        while (answer := self.recv(seconds)) is not None:
            if answer[0]:
                return answer[1]
        raise TimeoutError(f"no answer from {service}")


def main(address, service, seconds=0.0, name=""):
    worker = Worker(zmq.Context(), address, service.encode(), name=name.encode())
    while True:
        body = worker.recv(3600)
        time.sleep(float(seconds))
        worker.reply(*body[-1:])


if __name__ == "__main__":
    main(*sys.argv[1:])
