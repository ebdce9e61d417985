"""Reads the Prometheus text format into something a test can ask."""

import re

SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+\d+)?$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Metrics(dict):
    """Maps (name, ((label, value), ...) sorted) to a number."""

    def value(self, name, **labels):
        """The sum over all series of this name that carry these labels; 0 when there is none."""
        wanted = {k: str(v) for k, v in labels.items()}.items()
        return sum(v for (n, have), v in self.items() if n == name and wanted <= dict(have).items())

    def by(self, label, name, **labels):
        """The values of `label` among the series of this name, each with its sum."""
        out = {}
        wanted = {k: str(v) for k, v in labels.items()}.items()
        for (n, have), v in self.items():
            have = dict(have)
            if n == name and label in have and wanted <= have.items():
                out[have[label]] = out.get(have[label], 0) + v
        return out

    def names(self):
        return {n for n, _ in self}


def parse_metrics(text):
    metrics = Metrics()
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        if not match:
            raise ValueError(f"not a sample: {line!r}")
        name, labels, value = match.groups()
        key = (name, tuple(sorted(LABEL.findall(labels or ""))))
        metrics[key] = metrics.get(key, 0) + float(value)
    return metrics


def balance_of_route(metrics, name):
    """(matched, what became of it) of one route: equal at any quiet moment."""
    fates = sum(metrics.value("trestle_route_messages_total", route=name, outcome=o) for o in
                ("sent", "acked", "refused", "timed_out", "dead_lettered", "dropped"))
    waiting = (metrics.value("trestle_route_queue_messages", route=name)
               + metrics.value("trestle_route_in_flight", route=name))
    return metrics.value("trestle_route_matched_total", route=name), fates + waiting


def balance_of_sessions(metrics, endpoint):
    """The same for all sessions of an endpoint."""
    fates = sum(metrics.value("trestle_session_messages_total", endpoint=endpoint, outcome=o)
                for o in ("sent", "acked", "dropped"))
    waiting = (metrics.value("trestle_session_queue_messages", endpoint=endpoint)
               + metrics.value("trestle_session_in_flight", endpoint=endpoint))
    return metrics.value("trestle_session_matched_total", endpoint=endpoint), fates + waiting
