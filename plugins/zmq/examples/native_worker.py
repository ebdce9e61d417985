"""A worker of Trestle's own protocol (PROTOCOL.md): python3 native_worker.py ADDRESS SERVICE"""
import struct
import sys
import time
import zmq

HELLO, ACK, REPLY, NACK, HEARTBEAT, BYE = 0x01, 0x03, 0x04, 0x06, 0x09, 0x0a
WELCOME, DELIVER, CLOSE = 0x81, 0x82, 0x8a


class Worker:
    def __init__(self, context, address, service, window=100):
        self.context, self.address, self.socket = context, address, None
        self.service, self.window, self.heartbeat = service, window, 2.5
        self.connect()

    def connect(self):
        if self.socket:
            self.socket.close(linger=0)
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.connect(self.address)
        self.hello()

    def send(self, command, fields=b"", *frames):
        self.socket.send_multipart([b"TRW1" + bytes([command]) + fields, *frames])

    def hello(self):
        self.done = []  # tags of what is done and not yet said
        self.send(HELLO, struct.pack(">I", self.window), self.service)

    def jobs(self):
        """Yields (tag, attempt, frames) for ever."""
        heard = said = time.monotonic()
        while True:
            if not self.socket.poll(0):
                self.flush()  # before waiting
            if time.monotonic() - said >= self.heartbeat:  # however often it is spoken to
                self.send(HEARTBEAT)
                said = time.monotonic()
            if not self.socket.poll(1000 * self.heartbeat):
                if time.monotonic() - heard > 3 * self.heartbeat:
                    self.connect()  # the gateway may be a new one
                    heard = time.monotonic()
                continue
            head, *frames = self.socket.recv_multipart()
            heard = time.monotonic()
            if head[4] == WELCOME:
                self.heartbeat = struct.unpack_from(">I", head, 5)[0] / 1000
            elif head[4] == CLOSE:
                self.hello()
            yield from self.jobs_in(head, frames)

    def jobs_in(self, head, frames):
        if head[4] == DELIVER:
            yield *struct.unpack_from(">QI", head, 5), frames

    def acknowledge(self, tag):
        self.done.append(tag)
        if len(self.done) >= self.window // 2:
            self.flush()

    def flush(self):
        if self.done:
            self.send(ACK, struct.pack(f">{len(self.done)}Q", *self.done))
            self.done = []


if __name__ == "__main__":
    worker = Worker(zmq.Context(), sys.argv[1], sys.argv[2].encode())
    for number, attempt, body in worker.jobs():
        print(attempt, *body)
        worker.acknowledge(number)
