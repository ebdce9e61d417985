"""What ships for Prometheus and Grafana, against a real Prometheus that scrapes a gateway: every
query of the dashboard and of the alerts gives data, and README, dashboard and program agree on the
metrics."""

import json
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
import zmq
from harness import join, make_gateway, route
from support.gateway import ROOT
from support.waiting import PATIENCE, free_port, wait_until

ALERTS = ROOT / "docker/prometheus/alerts.yaml"
DASHBOARD = ROOT / "docker/grafana/dashboards/trestle.json"
CHART = ROOT / "helm/trestle/files"
# What Grafana puts in place of its variables.
VARIABLES = {"$__rate_interval": "3s", "$instance": ".*", "$endpoint": ".*", "$route": ".*"}
METRIC = re.compile(r"\btrestle_[a-z0-9_]+")


def promtool(*arguments, text=None):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True,
                          input=text, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def panels():
    return [p for p in json.loads(DASHBOARD.read_text())["panels"] if p["type"] != "row"]


def panel_queries():
    return [(p["title"], target["expr"]) for p in panels() for target in p["targets"]]


def alert_queries():
    """(name, expression without its threshold): a silent alert has no data, but what it
    compares must have."""
    lines = ALERTS.read_text().split("- alert: ")[1:]
    found = []
    for text in lines:
        name = text.split("\n", 1)[0].strip()
        expression = re.search(r"expr: (?:>-\n)?(.*?)\n {8}for:", text, re.DOTALL).group(1)
        expression = re.sub(r"\s+", " ", expression).strip()
        found.append((name, re.sub(r" (>|<|==) [0-9.]+$", "", expression)))
    return found


# --- without a Prometheus


def test_alerts_hold_what_they_promise():
    promtool("check", "rules", ALERTS)
    promtool("test", "rules", ROOT / "tests/deploy/alerts_test.yaml")


def test_config_of_the_compose_file():
    promtool("check", "config", ROOT / "docker/prometheus/prometheus.yml")


def test_every_alert_has_a_test():
    tested = (ROOT / "tests/deploy/alerts_test.yaml").read_text()
    for name, _ in alert_queries():
        assert tested.count(f"alertname: {name}") >= 2, f"{name}: one that fires, one that does not"


@pytest.mark.parametrize("one,other", [(ALERTS, CHART / "alerts.yaml"),
                                       (DASHBOARD, CHART / "dashboard.json")],
                         ids=["alerts", "dashboard"])
def test_the_chart_has_the_same(one, other):
    """A chart cannot hold files from outside its folder."""
    assert one.read_text() == other.read_text(), f"cp {one.relative_to(ROOT)} " \
                                                 f"{other.relative_to(ROOT)}"


def test_panels_explain_themselves():
    seen = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        assert panel["id"] not in seen, panel["title"]
        seen.add(panel["id"])
    for panel in panels():
        assert len(panel["description"]) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert all("$instance" in t["expr"] for t in panel["targets"]), panel["title"]
        places = panel["gridPos"]
        assert places["x"] + places["w"] <= 24, panel["title"]


# --- with one


class Prometheus:
    """Debian's, scraping one gateway five times a second."""

    def __init__(self, folder, target):
        self.address = f"127.0.0.1:{free_port()}"
        config = folder / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": "200ms", "evaluation_interval": "200ms"},
            "rule_files": [str(ALERTS)],
            "scrape_configs": [{"job_name": "trestle", "static_configs": [{"targets": [target]}]}],
        }))
        self.log = (folder / "prometheus.log").open("w+")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
             f"--web.listen-address={self.address}"], stdout=self.log, stderr=self.log)

    def query(self, expression):
        """The values; raises when the expression is wrong."""
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/query?{query}",
                                        timeout=PATIENCE) as answer:
                result = json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as fault:
            raise AssertionError(f"{expression}: {fault.read().decode()}") from None
        return [float(sample["value"][1]) for sample in result]

    def is_up(self):
        try:
            urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=PATIENCE).close()
            return self.query("up{job='trestle'}") == [1.0]
        except OSError:  # nobody there, or 503
            assert self.process.poll() is None, pathlib.Path(self.log.name).read_text()
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


@pytest.fixture
def gateway(tmp_path):
    """One of each kind of endpoint; jobs wait in a queue that no worker serves."""
    one = make_gateway(tmp_path, endpoints={
        "telemetry": {"socket": "pub"}, "jobs": {"socket": "push"}, "ingest": {"socket": "pull"},
        "workers": {"socket": "router"},
        "weather": {"socket": "sub"}, "web": {"plugin": "websocket"}},
        routes=[route("t", "t/{x}", "t.{x}", to="telemetry"),
                route("j", "j/{x}", "j.{x}", to="jobs"),
                route("w", "w/{x}", "w", to="workers", ack="worker"),
                route("i", "i/{x}", "i.{x}", source="ingest")])
    with one:
        yield one


@pytest.fixture
def prometheus(gateway, tmp_path):
    if not shutil.which("prometheus"):
        pytest.skip("Prometheus is not installed (Debian: prometheus)")
    one = Prometheus(tmp_path, gateway.admin.removeprefix("http://"))
    try:
        wait_until(one.is_up, "Prometheus does not scrape")
        yield one
    finally:
        one.stop()


def test_every_query_gives_data(gateway, prometheus, raw, sockets):
    sub = sockets(zmq.SUB)
    sub.connect(gateway.address("telemetry"))
    join(gateway, raw, sub, b"t.", probe="t/probe")
    device = raw(gateway.port)
    device.connect()
    device.publish("j/1", b"waits", 1, packet_id=1)

    def filled_in(expression):
        for name, value in VARIABLES.items():
            expression = expression.replace(name, value)
        return re.sub(r"\[\d+m\]", "[3s]", expression)

    left = {f"{name}: {expression}" for name, expression in panel_queries() + alert_queries()
            if not expression.startswith("absent(")}

    def all_have_data():
        device.publish("t/1", b"x", 1, packet_id=2)
        for one in sorted(left):
            values = prometheus.query(filled_in(one.split(": ", 1)[1]))
            if any(value == value for value in values):        # not only NaN
                left.discard(one)
        return not left

    wait_until(all_have_data, lambda: "no data from\n" + "\n".join(sorted(left)))


def test_alerts_of_a_gateway_that_is_gone(gateway, prometheus):
    """The real thing: pending as soon as the target is away, and not before."""
    expressions = re.findall(r"expr: (up.*|absent.*)", ALERTS.read_text())
    assert len(expressions) == 2
    assert all(prometheus.query(e) == [] for e in expressions)
    gateway.stop()
    wait_until(lambda: prometheus.query(expressions[0]) == [0.0], "TrestleDown sees nothing")
    wait_until(lambda: prometheus.query("ALERTS{alertname='TrestleDown'}") == [1.0], "not pending")


# --- names


@pytest.fixture(scope="module")
def told():
    """The metrics in the README's table."""
    section = (ROOT / "README.md").read_text().split("\n## Metrics\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return {name for row in rows for name in METRIC.findall(row)}


def test_the_table_in_the_readme_is_complete(gateway, told):
    families = set(re.findall(r"^# TYPE (\S+) ", gateway.metrics_text(), re.MULTILINE))
    assert families and families - told == set()


def test_the_table_in_the_readme_is_true(told):
    """Some metrics come with endpoints that the gateway here has not: the sources have all."""
    sources = [file for folder in ("src", "plugins") for file in (ROOT / folder).rglob("*.cpp")]
    made = {name for file in sources for name in re.findall(r'"(trestle_[a-z0-9_]+)"',
                                                            file.read_text())}
    assert told - made == set()


def test_dashboard_and_alerts_use_metrics_that_there_are(told):
    for file in (ALERTS, DASHBOARD):
        used = {re.sub("_(bucket|sum|count)$", "", name) for name in METRIC.findall(
            file.read_text())}
        assert used <= told, f"{file.name}: {used - told}"


def test_scrapes_are_quick(gateway):
    """A scrape of a gateway with a thousand routes stays well below any scrape timeout."""
    gateway.stop()
    config = {**gateway.config, "routes": [
        route(f"r{i}", f"r{i}/{{x}}", f"r{i}.{{x}}", to="telemetry") for i in range(1000)]}
    gateway.write_config(config)
    gateway.start()
    begun = time.monotonic()
    text = gateway.metrics_text()
    assert text.count("trestle_route_matched_total{") == 1000
    assert time.monotonic() - begun < 5
