"""`docker compose up`, and the README's `docker run`, in a network of their own with bridge and
published ports. No registry is asked: Debian's Prometheus stands in for the image of that name, and
Grafana, for which there is no such stand-in, is left out."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import urllib.parse

import pytest
from engine import Engine
from support.gateway import BUILD, ROOT
from support.waiting import wait_until

HERE = pathlib.Path(__file__).resolve().parent
COMPOSE = ROOT / "docker/compose.yaml"
NETWORK = "trestle-images"


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=check)


@pytest.fixture(scope="module")
def bridged(engine, image, tmp_path_factory):
    """A second daemon, in a network namespace, with the images that the first one built."""
    for tool in ("ip", "nsenter", "iptables"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed: no network namespace for published ports")
    engine.build(ROOT / "docker/example", "trestle-example")
    engine.build(HERE / "prometheus", "prom/prometheus:v2.42.0")
    tar = tmp_path_factory.mktemp("images") / "images.tar"
    engine.run("save", "-o", tar, image, "trestle-example", "prom/prometheus:v2.42.0")
    ip("netns", "del", NETWORK, check=False)
    if ip("netns", "add", NETWORK, check=False).returncode != 0:
        pytest.skip("this machine gives no network namespaces")
    one = Engine(BUILD / "docker-bridged", NETWORK)
    try:
        ip("-n", NETWORK, "link", "set", "lo", "up")
        one.start()
        one.run("load", "-i", tar)
        yield one
    finally:
        one.stop()
        ip("netns", "del", NETWORK, check=False)


def inside(*command, **more):
    """A command of this machine, in that network."""
    return subprocess.run(["nsenter", f"--net=/run/netns/{NETWORK}", *command], text=True,
                          capture_output=True, timeout=30, check=False, **more)


def fetch(url):
    script = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
    return inside("/usr/bin/python3", "-c", script, url).stdout


def compose(bridged, *arguments):
    done = subprocess.run(["docker-compose", "-f", COMPOSE, "-p", "trestle", *arguments], text=True,
                          capture_output=True, env=bridged.environment, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def up(bridged):
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed")
    compose(bridged, "up", "-d", "--no-build", "trestle", "prometheus", "worker", "device")
    yield
    compose(bridged, "down", "-v", "-t", "15")


def test_compose_brings_all_of_it_up(bridged, up):
    """The device reports, the worker hears, Prometheus scrapes, and a foreign client takes part."""
    wait_until(lambda: re.search(r"hall/t1: \d+", compose(bridged, "logs", "worker")),
               lambda: "the worker hears nothing:\n" + compose(bridged, "logs"), 40, every=0.5)
    done = inside("mosquitto_sub", "-h", "127.0.0.1", "-t", "sensors/#", "-C", "1", "-W", "10")
    assert re.fullmatch(r"\d+\.\d\n", done.stdout), done.stderr

    def scraped():
        query = urllib.parse.urlencode({"query": 'rate(trestle_route_messages_total{'
                                                 'route="temperatures",outcome="sent"}[30s]) > 0'})
        said = fetch(f"http://127.0.0.1:9090/api/v1/query?{query}")
        return said and json.loads(said)["data"]["result"]
    wait_until(scraped, "Prometheus has no data", 60, every=0.5)
    rules = json.loads(fetch("http://127.0.0.1:9090/api/v1/rules"))["data"]["groups"]
    assert {rule["health"] for group in rules for rule in group["rules"]} == {"ok"}
    assert "ready" in fetch("http://127.0.0.1:8081/readyz")


def test_compose_file_is_valid_and_grafana_finds_its_files():
    done = subprocess.run(["docker-compose", "-f", COMPOSE, "config"], text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (ROOT / "docker/grafana/dashboards/trestle.json").exists()
    provider = (ROOT / "docker/grafana/provisioning/dashboards/trestle.yaml").read_text()
    assert "path: /var/lib/grafana/dashboards" in provider
    assert "./grafana/dashboards:/var/lib/grafana/dashboards:ro" in COMPOSE.read_text()
    source = (ROOT / "docker/grafana/provisioning/datasources/prometheus.yaml").read_text()
    assert "url: http://prometheus:9090" in source


def commands(document, name):
    """The `docker run` commands of a document, as they stand there."""
    text = (ROOT / document).read_text().replace("\\\n", " ")
    found = re.findall(rf"^    (docker run -d --name {name} .*)$", text, re.MULTILINE)
    assert found, f"{document} has no docker run"
    return found


@pytest.mark.parametrize("document,port", [("README.md", 1883), ("docker/README.md", 1884)])
def test_docker_run_as_written(bridged, tmp_path, document, port):
    (tmp_path / "admin-token").write_text("s3cret")
    (tmp_path / "admin-token").chmod(0o644)
    tmp_path.chmod(0o755)
    (command,) = commands(document, "trestle")
    env = {**bridged.environment, "PATH": "/usr/bin:" + os.environ["PATH"]}
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, text=True,
                          capture_output=True, check=False)
    try:
        assert done.returncode == 0, done.stderr
        wait_until(lambda: "ready" in fetch("http://127.0.0.1:8081/readyz"),
                   lambda: bridged.run("logs", "trestle").stdout, every=0.2)
        assert inside("mosquitto_pub", "-p", str(port), "-q", "1", "-t", "a",
                      "-m", "b").returncode == 0
        if document == "docker/README.md":
            assert '{"time"' in bridged.run("logs", "trestle").stdout
            assert 'route="alarms"' in fetch("http://127.0.0.1:8081/metrics")
        wait_until(lambda: bridged.run("inspect", "-f", "{{.State.Health.Status}}",
                                       "trestle").stdout.strip() == "healthy", "unhealthy", 40)
    finally:
        bridged.run("rm", "-f", "-v", "trestle", check=False)
