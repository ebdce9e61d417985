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


def test_services_follow_the_endpoints(render):
    text = render(*VALUES["everything"])
    names = {m["metadata"]["name"] for m in manifests(text) if m["kind"] == "Service"}
    assert names == {"gateway-devices", "gateway-web", "gateway-telemetry", "gateway-jobs",
                     "gateway-workers", "gateway-workers-headless", "gateway-metrics"}, \
        "none for what is switched off, connects, or listens on loopback or a unix socket"
    ports = {p["port"] for p in of_kind(text, "Service", "gateway-devices")["spec"]["ports"]}
    assert ports == {1883, 1884}
    headless = of_kind(text, "Service", "gateway-workers-headless")["spec"]
    assert headless["clusterIP"] == "None"
    assert {p["port"] for p in headless["ports"]} == {5556, 5557, 5558, 5559}


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
    notes = render("-notes", *VALUES["replicas"]).split("# Source: trestle/templates/NOTES.txt")[1]
    for part in ("rollout status deployment/my-trestle", "helm -n edge test my",
                 "my-trestle-devices.edge.svc:1883", "port-forward", "everybody",
                 "replicas share nothing"):
        assert part in notes


# --- what must not be rendered


@pytest.mark.parametrize("setting,fault", [
    ("replicas=3", "replicas"), ("replicaCount=-1", "replicaCount"),
    ("image.pullPolicy=Sometimes", "pullPolicy"), ("services.devices.type=Extern", "type"),
    ("preStopSeconds=soon", "preStopSeconds"), ("config.admin.probe_listen=null", "probe_listen"),
    ("config.admin.probe_listen=8081", "probe_listen"),
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
