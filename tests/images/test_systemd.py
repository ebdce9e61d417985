"""The package on a machine with a real systemd, which is process 1 of a container."""

import pathlib
import re

import pytest
from support.waiting import wait_until

HERE = pathlib.Path(__file__).resolve().parent
# What systemd needs to set up the sandboxes of its services.
AS_A_MACHINE = ["--cap-add=SYS_ADMIN", "--cap-add=NET_ADMIN", "--cap-add=SYS_PTRACE",
                "--security-opt", "seccomp=unconfined", "--cgroupns=private", "--network=none",
                "--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp",
                "-e", "container=docker"]


@pytest.fixture(scope="module")
def machine(engine, built):
    """Booted, with the package installed by apt."""
    engine.build(HERE / "systemd", "trestle-machine", "--build-arg", f"BUILT={built}")
    with engine.container("trestle-machine", options=AS_A_MACHINE) as one:
        wait_until(lambda: re.search("running|degraded", one.exec(
            "systemctl", "is-system-running", check=False).stdout), "systemd does not boot", 60)
        one.exec("apt-get", "install", "-y", "--no-install-recommends", "/out/trestle.deb")
        yield one


def service(machine, name):
    return machine.exec("systemctl", "show", "-P", name, "trestle").stdout.strip()


def run(machine, script, check=True):
    return machine.exec("sh", "-c", script, check=check).stdout


def wait_service(machine, name, wanted, seconds=20):
    wait_until(lambda: service(machine, name) == wanted,
               lambda: f"{name} is {service(machine, name)}\n"
                       + run(machine, "journalctl -u trestle --no-pager | tail -40"), seconds,
               every=0.2)


def test_installed_means_running_and_enabled(machine):
    """Started is ready: the port answers at once, sandboxed, as its own user."""
    wait_service(machine, "ActiveState", "active")
    assert run(machine, "systemctl is-enabled trestle").strip() == "enabled"
    assert service(machine, "StatusText") == "ready"
    run(machine, "mosquitto_pub -q 1 -t a -m b")
    process = service(machine, "MainPID")
    status = run(machine, f"cat /proc/{process}/status")
    assert re.search(r"^CapEff:\s*0+$", status, re.MULTILINE)
    assert re.search(r"^Seccomp:\s*2$", status, re.MULTILINE)
    assert run(machine, f"stat -c %U /proc/{process}").strip() == "trestle"


def test_reload(machine):
    """A faulty config fails it with its faults; the service goes on."""
    run(machine, "sed -i 's/\"encode\"/\"encoded\"/' /etc/trestle/trestle.json && "
                 "systemctl reload trestle")
    wait_until(lambda: "reloaded: " in run(machine, "journalctl -u trestle --no-pager"),
               "not reloaded")
    wait_service(machine, "StatusText", "ready")
    run(machine, "cp /etc/trestle/trestle.json /tmp/good; echo '{' >/etc/trestle/trestle.json")
    assert machine.exec("systemctl", "reload", "trestle", check=False).returncode != 0
    assert "trestle.json" in run(machine, "journalctl -u trestle -o cat --no-pager | tail -5")
    wait_service(machine, "ActiveState", "active")
    run(machine, "sed 's/\"shards\": *[0-9]*/\"shards\": 7/' /tmp/good >/etc/trestle/trestle.json; "
                 "systemctl reload trestle")
    wait_service(machine, "StatusText", "ready; reload refused")
    run(machine, "cp /tmp/good /etc/trestle/trestle.json; systemctl reload trestle")
    wait_service(machine, "StatusText", "ready")
    assert service(machine, "NRestarts") == "0"


def test_killed_is_restarted_and_a_faulty_config_is_not(machine):
    before = service(machine, "MainPID")
    run(machine, f"kill -9 {before}")
    wait_until(lambda: service(machine, "ActiveState") == "active"
               and service(machine, "MainPID") not in (before, "0"), "not restarted", 30)
    run(machine, "echo 'TRESTLE__shards=none' >>/etc/default/trestle")
    run(machine, "systemctl restart trestle", check=False)
    wait_service(machine, "ActiveState", "failed")
    assert "found \"none\" (from TRESTLE__shards)" in run(machine,
                                                          "journalctl -u trestle --no-pager")
    run(machine, "sed -i '/TRESTLE__shards/d' /etc/default/trestle; "
                 "systemctl reset-failed trestle; systemctl start trestle")
    wait_service(machine, "ActiveState", "active")


def test_a_service_that_hangs_is_killed_by_the_watchdog(machine):
    run(machine, "mkdir -p /run/systemd/system/trestle.service.d && printf '[Service]\\n"
                 "WatchdogSec=1\\nRestartSec=0\\n' "
                 ">/run/systemd/system/trestle.service.d/w.conf && "
                 "systemctl daemon-reload && systemctl restart trestle")
    process = service(machine, "MainPID")
    run(machine, f"kill -STOP {process}")
    wait_until(lambda: service(machine, "MainPID") not in (process, "0")
               and service(machine, "ActiveState") == "active", "not restarted", 30)
    assert "watchdog" in run(machine, "journalctl -u trestle --no-pager").lower()
    run(machine, "rm -r /run/systemd/system/trestle.service.d; systemctl daemon-reload; "
                 "systemctl restart trestle")


def test_a_low_port_by_drop_in(machine):
    """What the unit's comment promises."""
    run(machine, "mkdir -p /etc/systemd/system/trestle.service.d && printf '[Service]\\n"
                 "AmbientCapabilities=CAP_NET_BIND_SERVICE\\n"
                 "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\\nPrivateUsers=no\\n"
                 "Environment=TRESTLE__endpoints__devices__listen__0=mqtt://127.0.0.1:883\\n'"
                 ">/etc/systemd/system/trestle.service.d/port.conf && systemctl daemon-reload && "
                 "systemctl restart trestle && mosquitto_pub -p 883 -q 1 -t a -m b")
    run(machine, "rm -r /etc/systemd/system/trestle.service.d; systemctl daemon-reload; "
                 "systemctl restart trestle")


def test_stopped_removed_purged(machine):
    run(machine, "systemctl stop trestle")
    assert service(machine, "Result") == "success"
    assert "stopped" in run(machine, "journalctl -u trestle --no-pager | tail -5")
    run(machine, "systemctl start trestle")
    run(machine, "apt-get remove -y trestle")
    assert "active" != run(machine, "systemctl is-active trestle", check=False).strip()
    assert run(machine, "ls /etc/trestle").strip() == "trestle.json"
    run(machine, "apt-get purge -y trestle")
    assert run(machine, "find / -xdev -name '*trestle*' -not -path '/proc/*' "
                        "-not -path '/out/*' -not -path '/var/log/*' -not -path '/tmp/*'") == ""
    assert run(machine, "getent passwd trestle || echo gone").strip() == "gone"
