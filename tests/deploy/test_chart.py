"""The Helm chart: rendered by chartrender (a small stand-in for helm, which Debian lacks), held
against golden files, the Kubernetes API's types, and `trestle check`.

Golden files are made anew with UPDATE_GOLDEN=1; look at the difference before it is committed."""

import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from support.gateway import BUILD, ROOT, run_program

yaml = pytest.importorskip("yaml", reason="Debian's python3-yaml is not installed")

HERE = pathlib.Path(__file__).resolve().parent
CHART = ROOT / "helm/trestle"
GOLDEN = HERE / "chart/golden"
SCHEMA = HERE / "k8s_schema"
VALUES = {"default": [], "minimal": ["-f", HERE / "chart/minimal.yaml"],
          "replicas": ["-f", HERE / "chart/replicas.yaml"],
          "everything": ["-f", HERE / "chart/everything.yaml"]}


@pytest.fixture(scope="session")
def chartrender():
    """The renderer, compiled once for a build folder and source."""
    source = HERE / "chartrender"
    program = BUILD / "chartrender"
    if not shutil.which("go"):
        pytest.skip("no Go compiler to make the chart's renderer (Debian: golang-go)")
    if not program.exists() or program.stat().st_mtime < (source / "main.go").stat().st_mtime:
        done = subprocess.run(["go", "build", "-o", program, "."], cwd=source, capture_output=True,
                              text=True, check=False, env={
                                  **os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
                                  "GOCACHE": str(BUILD / "go-cache"), "GOFLAGS": ""})
        assert done.returncode == 0, done.stderr
    return program


@pytest.fixture
def render(chartrender):
    """A function: arguments of the renderer -> its output; asserts that it can, or cannot."""
    def run(*arguments, fault=None):
        done = subprocess.run(
            [chartrender, "-name", "my", "-n", "edge", *map(str, arguments), CHART],
            capture_output=True, text=True, check=False)
        if fault is None:
            assert done.returncode == 0, done.stderr
            return done.stdout
        assert done.returncode != 0, "rendered, though it should not"
        assert fault in done.stderr
        return done.stderr
    return run


def manifests(text):
    return [one for one in yaml.safe_load_all(text) if one]


def of_kind(text, kind, name=None):
    found = [m for m in manifests(text) if m["kind"] == kind
             and name in (None, m["metadata"]["name"])]
    assert found, f"no {kind} {name or ''}"
    return found[0] if name or len(found) == 1 else found


def endpoints(folder, **listening):
    """A file of values that adds MQTT endpoints, by name, at one address each."""
    file = folder / "endpoints.json"
    file.write_text(json.dumps({"config": {"endpoints": {
        name: {"plugin": "mqtt", "listen": [address], "anonymous": True}
        for name, address in listening.items()}}}))
    return file


def notes_of(text):
    return text.split("# Source: trestle/templates/NOTES.txt")[1].split("\n---\n")[0]


def config_of(text, folder):
    file = folder / "trestle.json"
    maps = [m for m in manifests(text) if m["kind"] == "ConfigMap" and "trestle.json" in m["data"]
            and not m["metadata"]["name"].endswith("-dashboard")]
    file.write_text(maps[0]["data"]["trestle.json"])
    return file


# --- what comes out


@pytest.mark.parametrize("name", VALUES)
def test_golden(render, name):
    """The alerts and the dashboard, which are files of their own, are left out."""
    text = render(*VALUES[name])
    text = re.sub(r"(?s)(kind: PrometheusRule.*?spec:\n).*?(?=\n---\n)", r"\1  ...", text)
    text = re.sub(r"(?s)(-dashboard\n.*?trestle.json: \|-\n).*?(?=\n---\n)", r"\1    ...", text)
    file = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text(), "UPDATE_GOLDEN=1 writes it anew"


@pytest.mark.parametrize("name", VALUES)
def test_numbers_as_either_helm_reads_them(render, name):
    """Versions of helm differ in how they decode numbers; the chart does not care."""
    assert render(*VALUES[name]) == render("-usenumber", *VALUES[name])


@pytest.mark.parametrize("name", VALUES)
def test_its_config_is_good(render, name, tmp_path):
    file = config_of(render(*VALUES[name]), tmp_path)
    done = run_program("check", "--config", file, "--set", "admin.token=stands for a mounted one")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", ["1.20.0", "1.21.5", "1.29.0"])
def test_api_versions_that_the_cluster_knows(render, version):
    text = render(*VALUES["everything"], "-kube", version)
    old = version == "1.20.0"
    assert of_kind(text, "PodDisruptionBudget")["apiVersion"] == \
        ("policy/v1beta1" if old else "policy/v1")
    assert of_kind(text, "HorizontalPodAutoscaler")["apiVersion"] == \
        ("autoscaling/v2" if version == "1.29.0" else "autoscaling/v2beta2")


def test_a_change_of_the_config_rolls_the_pods(render):
    def template(*arguments):
        return of_kind(render(*arguments), "Deployment")["spec"]["template"]
    assert template() == template()
    assert template() != template("-set", "config.log.level=debug")
    assert template() == template("-set", "dashboard.enabled=true")


def test_grace_period_covers_all_that_takes_time(render):
    def grace(*arguments):
        pod = of_kind(render(*arguments), "Deployment")["spec"]["template"]["spec"]
        return pod["terminationGracePeriodSeconds"]
    assert grace() == 5 + 5 + 10
    assert grace("-set", "config.drain_timeout_ms=60001") == 5 + 61 + 10
    assert grace("-set", "preStopSeconds=0,config.drain_timeout_ms=1") == 11
    assert grace("-set", "terminationGracePeriodSeconds=7") == 7


def test_hub_limits_leave_room_in_the_memory(render, tmp_path):
    """Stores as large as the pod's limit would get the pod killed by whoever publishes."""
    text = render()
    box = of_kind(text, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", box["resources"]["limits"]["memory"]).groups()
    limit = int(number) * {"Mi": 2**20, "Gi": 2**30}[unit]
    config = json.loads(config_of(text, tmp_path).read_text())
    assert config["hub"]["max_retained_bytes"] <= limit / 4
    assert config["hub"]["max_session_bytes"] <= limit / 4
    assert config["hub"]["max_retained_messages"] * 1024 <= limit / 2


def test_the_strategy_is_one_that_kubernetes_takes(render):
    def strategy(*arguments):
        return of_kind(render(*arguments), "Deployment")["spec"]["strategy"]
    assert strategy()["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert strategy("-set", "updateStrategy.type=Recreate") == {"type": "Recreate"}


def test_services_follow_the_endpoints(render):
    text = render(*VALUES["everything"])
    names = {m["metadata"]["name"] for m in manifests(text) if m["kind"] == "Service"}
    assert names == {"gateway-devices", "gateway-web", "gateway-telemetry", "gateway-jobs",
                     "gateway-workers", "gateway-workers-headless", "gateway-metrics",
                     "gateway-admin"}, \
        "none for what is switched off, connects, or listens on loopback or a unix socket"
    ports = {p["port"] for p in of_kind(text, "Service", "gateway-devices")["spec"]["ports"]}
    assert ports == {1883, 1884}
    headless = of_kind(text, "Service", "gateway-workers-headless")["spec"]
    assert headless["clusterIP"] == "None"
    assert {p["port"] for p in headless["ports"]} == {5556, 5557, 5558, 5559}


def test_two_endpoints_may_share_a_port_in_ipv4_and_ipv6(render, tmp_path):
    text = render("-f", endpoints(tmp_path, v4="mqtt://0.0.0.0:1900", v6="mqtt://[::]:1900"))
    box = of_kind(text, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert [p["name"] for p in box["ports"]].count("tcp-1900") == 1
    for name in ("my-trestle-v4", "my-trestle-v6"):
        assert of_kind(text, "Service", name)["spec"]["ports"][0]["targetPort"] == "tcp-1900"


def test_any_name_of_an_endpoint_makes_a_valid_label(render, tmp_path):
    """Among them what YAML takes for a boolean or a number."""
    names = ("1883", "on", "true", "a_", "b" * 63 + "-")
    listening = {name: f"mqtt://0.0.0.0:{1900 + i}" for i, name in enumerate(names)}
    text = render("-name", "1883", "-f", endpoints(tmp_path, **listening))
    found = set()
    for one in manifests(text):
        for label in one["metadata"]["labels"].values():
            assert isinstance(label, str), one["metadata"]
            assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", label), label
            found.add(label)
    assert {"1883", "on", "true", "a", "b" * 63} <= found


def test_no_two_services_have_one_name(render, tmp_path):
    listening = {"building_north_telemetry_primary": "mqtt://0.0.0.0:1901",
                 "building_north_telemetry_secondary": "mqtt://0.0.0.0:1902"}
    text = render("-name", "production-gateway-of-the-northern",
                  "-f", endpoints(tmp_path, **listening))
    names = [m["metadata"]["name"] for m in manifests(text) if m["kind"] == "Service"]
    assert len(set(names)) == len(names), "what is cut off differs"
    for pair in (("a_b", "a-b"), ("workers_headless", "x"), ("admin", "x"), ("metrics_", "x")):
        listening = {name: f"mqtt://0.0.0.0:{1901 + i}" for i, name in enumerate(pair)}
        render("-f", endpoints(tmp_path, **listening), fault="call the endpoint something else")


def test_the_admin_side_can_be_opened(render):
    text = render("-set", "config.admin.listen=http://0.0.0.0:8080,networkPolicy.enabled=true")
    assert of_kind(text, "Service", "my-trestle-admin")["spec"]["ports"][0]["port"] == 8080
    box = of_kind(text, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "admin", "containerPort": 8080, "protocol": "TCP"} in box["ports"]
    rules = of_kind(text, "NetworkPolicy")["spec"]["ingress"]
    assert [{"port": 8080, "protocol": "TCP"}] in [rule["ports"] for rule in rules]
    assert "my-trestle-admin" not in render(), "it is on loopback"


def test_the_test_gets_through_the_network_policy(render):
    text = render(*VALUES["everything"])
    test = of_kind(text, "Pod")
    let_in = [peer["podSelector"]["matchLabels"]
              for rule in of_kind(text, "NetworkPolicy")["spec"]["ingress"]
              if rule["ports"][0]["port"] == 8081 for peer in rule["from"] if "podSelector" in peer]
    assert any(labels.items() <= test["metadata"]["labels"].items() for labels in let_in)
    pod = of_kind(text, "Deployment")["spec"]["template"]["spec"]
    assert test["spec"]["nodeSelector"] == pod["nodeSelector"]
    assert test["spec"]["tolerations"] == pod["tolerations"]


@pytest.mark.parametrize("address", ["10.0.0.7:8081", "[fd00::7]:8081"])
def test_the_test_asks_at_the_address_of_the_service(render, tmp_path, address):
    """As the kubelet tells it, with brackets in IPv6."""
    command = of_kind(render(), "Pod")["spec"]["containers"][0]["command"]
    assert command[-1] == "$(MY_TRESTLE_METRICS_PORT)"
    (tmp_path / "trestle").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "trestle").chmod(0o755)
    done = subprocess.run([*command[:-1], f"tcp://{address}"], capture_output=True, text=True,
                          check=True, env={"PATH": f"{tmp_path}:/bin"})
    assert f"admin.probe_listen=http://{address}\n" in done.stdout


def test_the_job_is_what_the_alerts_ask_for(render):
    """Also when release and chart have other names."""
    monitor = of_kind(render("-set", "serviceMonitor.enabled=true,nameOverride=broker"),
                      "ServiceMonitor")
    assert {"targetLabel": "job", "replacement": "trestle"} in \
        monitor["spec"]["endpoints"][0]["relabelings"]
    alerts = (CHART / "files/alerts.yaml").read_text()
    assert set(re.findall(r"job=\"([^\"]+)\"", alerts)) == {"trestle"}


def test_every_target_port_and_selector_fits_the_pods(render):
    for values in VALUES.values():
        text = render(*values)
        pod = of_kind(text, "Deployment")["spec"]["template"]
        named = {p["name"] for p in pod["spec"]["containers"][0]["ports"]}
        assert all(len(name) <= 15 for name in named)
        for service in (m for m in manifests(text) if m["kind"] == "Service"):
            assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
            assert {p["targetPort"] for p in service["spec"]["ports"]} <= named
        test = of_kind(text, "Pod")
        assert not service["spec"]["selector"].items() <= test["metadata"]["labels"].items(), \
            "the test's pod would get traffic"


def test_pods_may_do_nothing_they_need_not(render):
    pod = of_kind(render(), "Deployment")["spec"]["template"]["spec"]
    box = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert box["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "privileged": False,
        "capabilities": {"drop": ["ALL"]}}


def test_long_names_stay_valid(render):
    text = render("-set", "fullnameOverride=" + "x" * 70,
                  "-set", "config.endpoints." + "y" * 60 + ".plugin=mqtt",
                  "-set", "config.endpoints." + "y" * 60 + ".listen={mqtt://0.0.0.0:99}")
    for one in manifests(text):
        assert len(one["metadata"]["name"]) <= 63, one["metadata"]["name"]


def test_notes_tell_what_to_do_next(render):
    notes = notes_of(render("-notes", *VALUES["replicas"]))
    for part in ("rollout status deployment/my-trestle", "helm -n edge test my",
                 "my-trestle-devices.edge.svc:1883", "port-forward", "everybody",
                 "replicas share nothing"):
        assert part in notes


def test_notes_name_what_is_there(render):
    notes = notes_of(render("-notes", *VALUES["everything"]))
    assert "gateway-ingest" not in notes, "its Service is switched off"
    assert "gateway-admin.edge.svc:8080" in notes
    assert "port-forward deployment/gateway 1883 8081\n" in notes
    assert "curl http://127.0.0.1:8081/metrics" in notes, "which wants no token"
    other = notes_of(render(
        "-notes", "-set", "config.endpoints.devices.listen={mqtt://0.0.0.0:2883}",
        "-set", "config.admin.probe_listen=http://[::]:9090",
        "-set", "headless.enabled=false,replicaCount=2"))
    assert "port-forward deployment/my-trestle 2883 9090\n" in other
    assert "mosquitto_pub -p 2883" in other and "127.0.0.1:9090/metrics" in other
    assert "workers-headless" not in other


# --- what must not be rendered


@pytest.mark.parametrize("setting,fault", [
    ("replicas=3", "replicas"), ("replicaCount=-1", "replicaCount"),
    ("image.pullPolicy=Sometimes", "pullPolicy"), ("services.devices.type=Extern", "type"),
    ("preStopSeconds=soon", "preStopSeconds"), ("config.admin.probe_listen=null", "probe_listen"),
    ("config.admin.probe_listen=8081", "probe_listen"),
    ("config.admin.probe_listen=http://127.0.0.1:8081", "is the pod's own"),
    ("config.admin.probe_listen=https://0.0.0.0:8081", "is not http://"),
    ("config.admin.listen=http://0.0.0.0", "tells no port"),
    ("config.admin.token=secret", "readable in a ConfigMap"),
    ("config.endpoints.devices.listen={mqtt://0.0.0.0}", "tells no port"),
    ("config.endpoints.devices.listen={mqtt://${HOST}:${PORT}}", "tells no port"),
    ("services.device.type=LoadBalancer", "config.endpoints has no device"),
    ("services.jobs.type=NodePort,config.endpoints.jobs.bind={tcp://127.0.0.1:5557}",
     "no other pod can reach its endpoint"),
    ("config.endpoints.metrics.plugin=mqtt", "metrics"),
    ("image.digest=latest", "digest"), ("serviceMonitor.interval=often", "interval"),
    ("config.endpoints.devices.plugin=null", "plugin"),
])
def test_values_that_are_refused(render, setting, fault):
    render("-set", setting, fault=fault)


def test_schema_knows_every_value():
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(values) | {"global"} == set(schema["properties"])


def test_version_is_the_programs():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = run_program("--version").stdout.split()[1]
    assert chart["appVersion"] == version and chart["version"] == version
    assert f"ARG VERSION={version}" in (ROOT / "docker/Dockerfile").read_text()


# --- against the Kubernetes API


@pytest.fixture(scope="session")
def k8s_check():
    """A function: files -> (status, text) of k8s_schema/check.mjs, with its packages at hand."""
    if not shutil.which("npm"):
        pytest.skip("no npm to get the Kubernetes API's types with")
    folder = BUILD / "k8s_schema"
    folder.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json", ".npmrc", "check.mjs"):
        shutil.copy(SCHEMA / name, folder / name)
    lock = folder / "node_modules/.package-lock.json"
    if not lock.exists() or lock.stat().st_mtime < (SCHEMA / "package-lock.json").stat().st_mtime:
        done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                              cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip("npm cannot get kubernetes-models: " + done.stderr[-500:])

    def check(*files):
        done = subprocess.run(["node", "check.mjs", *map(str, files)], cwd=folder, text=True,
                              capture_output=True, check=False)
        return done.returncode, done.stdout + done.stderr
    return check


def test_manifests_fit_the_api(render, k8s_check, tmp_path):
    """All of them do; and with faults put in, so that a check that sees nothing does not pass, just
    those are found."""
    for name, values in VALUES.items():
        (tmp_path / f"{name}.yaml").write_text(render(*values))
    good = render()
    for name, change in {"unknown": ("readOnlyRootFilesystem", "readOnlyRootFilesytem"),
                         "type": ("containerPort: 1883", "containerPort: mqtt"),
                         "enum": ("type: ClusterIP", "type: Cluster")}.items():
        assert change[0] in good
        (tmp_path / f"{name}.yaml").write_text(good.replace(*change))
    status, said = k8s_check(*sorted(tmp_path.glob("*.yaml")))
    faults = {line.split(": ")[0] for line in said.splitlines()[:-1]}
    assert faults == {"unknown.yaml", "type.yaml", "enum.yaml"}, said
    assert "unknown.yaml: Deployment" in said and "type.yaml: Deployment" in said
    assert status == 1 and "manifests checked" in said
