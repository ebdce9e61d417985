"""Holds the server's answers against its OpenAPI description."""

import copy
import json
import re

import jsonschema


class Description:
    def __init__(self, document):
        self.document = document
        self.seen = set()  # (path, method, status) of answers that were checked

    def operation(self, method, path):
        """(path as described, operation) of a request's path, without the query."""
        for described, operations in self.document["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(described))
            if re.fullmatch(pattern, path) and method.lower() in operations:
                return described, operations[method.lower()]
        raise AssertionError(f"{method} {path} is not described")

    def check(self, method, path, status, content_type, body):
        """The answer is one of those described, and of its schema."""
        described, operation = self.operation(method, path.split("?")[0])
        answers = operation["responses"]
        assert str(status) in answers, f"{method} {path} answers {status}, which is not described"
        self.seen.add((described, method, str(status)))
        content = answers[str(status)].get("content", {})
        if not content:
            assert body == b"", f"{method} {path} {status} has a body"
            return None
        kind = content_type.split(";")[0]
        assert kind in content, f"{method} {path} {status} is {kind}, described is {list(content)}"
        if kind == "text/event-stream":
            return None
        value = json.loads(body)
        self.validate(value, content[kind]["schema"])
        return value

    def validate(self, value, schema):
        whole = copy.deepcopy(schema)
        whole["components"] = self.document["components"]
        jsonschema.Draft202012Validator(whole).validate(value)

    def operations(self):
        return {(path, method.upper()) for path, ops in self.document["paths"].items()
                for method in ops}
