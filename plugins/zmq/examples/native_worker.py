"""A worker of Trestle's own protocol (plugins/zmq/PROTOCOL.md) with plain pyzmq.

    python3 native_worker.py tcp://127.0.0.1:5558 inspect

Takes up to 100 jobs at once and acknowledges them in groups.
"""

import struct
import sys
import time

import zmq

HELLO, ACK, REPLY, NACK, HEARTBEAT, BYE = 0x01, 0x03, 0x04, 0x06, 0x09, 0x0a
WELCOME, DELIVER, BEAT, CLOSE = 0x81, 0x82, 0x89, 0x8a


class Worker:
    def __init__(self, context, address, service, window=100):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 1000
        self.socket.connect(address)
        self.service, self.window, self.done = service, window, []
        self.heartbeat = 2.5
        self.hello()

    def send(self, command, fields=b"", *frames):
        self.socket.send_multipart([b"TRW1" + bytes([command]) + fields, *frames])

    def hello(self):
        self.done = []  # what it had is no longer its
        self.send(HELLO, struct.pack(">I", self.window), self.service)

    def jobs(self):
        """Yields (tag, attempt, body); ends never."""
        heard = time.monotonic()
        while True:
            if not self.socket.poll(0):
                self.flush()  # nothing more to do: say what has been done
            if self.socket.poll(1000 * self.heartbeat):
                head, *body = self.socket.recv_multipart()
                heard = time.monotonic()
                if head[4] == DELIVER:
                    yield *struct.unpack_from(">QI", head, 5), body
                elif head[4] == WELCOME:
                    self.heartbeat = struct.unpack_from(">I", head, 5)[0] / 1000
                elif head[4] == CLOSE:
                    self.hello()
            else:
                self.send(HEARTBEAT)
                if time.monotonic() - heard > 3 * self.heartbeat:
                    self.hello()  # the gateway may be a new one

    def acknowledge(self, tag):
        self.done.append(tag)
        if len(self.done) >= self.window // 2:
            self.flush()

    def flush(self):
        if self.done:
            self.send(ACK, struct.pack(f">{len(self.done)}Q", *self.done))
            self.done = []

    def reply(self, tag, payload):
        self.send(REPLY, struct.pack(">Q", tag), payload)

    def give_back(self, tag, delay_ms=0, for_good=False, reason=b""):
        self.send(NACK, struct.pack(">QIB", tag, delay_ms, for_good), reason)

    def close(self):
        self.flush()
        self.send(BYE)
        self.socket.close()


if __name__ == "__main__":
    worker = Worker(zmq.Context(), sys.argv[1], sys.argv[2].encode())
    for number, attempt, frames in worker.jobs():
        print(attempt, *frames)
        worker.acknowledge(number)
