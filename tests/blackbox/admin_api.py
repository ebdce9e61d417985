"""The admin API as a client sees it; each answer is held against openapi.json."""

import http.client
import json
import socket
import urllib.parse

from support.openapi import Description
from support.waiting import PATIENCE

BASE = "/api/v1"


class Api:
    """Asks a gateway, and checks each answer."""

    def __init__(self, gateway, token=""):
        self.gateway = gateway
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        status, _, body = self.raw("GET", "/openapi.json")
        assert status == 200
        self.description = Description(json.loads(body))

    def raw(self, method, path, body=None, headers=()):
        """(status, headers, body) without any check."""
        where = urllib.parse.urlsplit(self.gateway.admin)
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=PATIENCE)
        try:
            connection.request(method, BASE + path, body, {**self.headers, **dict(headers)})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def ask(self, method, path, expected=200, body=None, headers=()):
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        status, headers, text = self.raw(method, path, body, headers)
        value = self.description.check(method, path, status, headers["Content-Type"] or "", text)
        assert status == expected, f"{method} {path} answers {status}: {text}"
        if status >= 400:
            assert value["status"] == status and value["detail"].endswith(".")
        return value

    def get(self, path, expected=200, **query):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        return self.ask("GET", path, expected)

    def pages(self, path, limit, **query):
        """All items, page by page; every page is within its limit."""
        items, after = [], None
        while True:
            more = {"after": after} if after is not None else {}
            page = self.get(path, limit=limit, **query, **more)
            assert len(page["items"]) <= limit
            items += page["items"]
            after = page["next"]
            if after is None:
                return items


class Tail:
    """A stream of server-sent events."""

    def __init__(self, api, query, receive_buffer=None):
        where = urllib.parse.urlsplit(api.gateway.admin)
        self.connection = http.client.HTTPConnection(where.hostname, where.port, timeout=PATIENCE)
        if receive_buffer:
            self.connection.sock = socket.socket()
            self.connection.sock.settimeout(PATIENCE)
            self.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.connection.sock.connect((where.hostname, where.port))
        self.connection.request("GET", f"{BASE}/tail?{query}", headers=api.headers)
        self.answer = self.connection.getresponse()
        self.status = self.answer.status

    def event(self, wanted=None):
        """(name, data) of the next event, or of the next with that name."""
        while True:
            lines = {}
            while line := self.answer.readline().decode().rstrip("\n"):
                key, _, value = line.partition(": ")
                lines[key] = value
            assert lines, "the stream has ended"
            if wanted in (None, lines["event"]):
                return lines["event"], json.loads(lines["data"])

    def close(self):
        self.answer.close()
        self.connection.close()
