"""A Docker daemon of the tests' own, with base images that are made here, from Debian's archive and
without a registry. Whatever a machine lacks for it skips the tests, by name."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
from support.waiting import PATIENCE, TimedOut, wait_until

BASES = ("debian:bookworm", "debian:bookworm-slim")
# As the official slim image: no manuals, documents and translations; merged /usr.
SLIM = ["--variant=apt", "--include=usr-is-merged",
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("man", "doc", "locale", "info",
                                                                     "lintian")),
        "--dpkgopt=path-include=/usr/share/doc/*/copyright",
        '--aptopt=Apt::Install-Recommends "false"', '--aptopt=Dir::Cache::pkgcache ""',
        '--aptopt=Dir::Cache::srcpkgcache ""']


class Failed(AssertionError):
    """A command ended with another status than 0."""


class Engine:
    """One dockerd with its data in `folder`, and what it has while it runs in a folder of /run,
    which is new each time: one that was killed leaves mounts behind. With `netns` it lives in that
    network namespace, with bridge and published ports; else in the machine's, without."""

    def __init__(self, folder, netns=None):
        self.folder = pathlib.Path(folder)
        self.netns = netns
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="trestle-docker-", dir="/run"))
        self.socket = f"unix://{self.state}/docker.sock"
        self.process = None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        command = ["dockerd", "-H", self.socket, "--data-root", self.folder / "data",
                   "--exec-root", self.state / "exec", "--pidfile", self.state / "dockerd.pid"]
        if self.netns:
            # Not `ip netns exec`, which hides /sys/fs/cgroup.
            command = ["nsenter", f"--net=/run/netns/{self.netns}", *command]
        else:
            command += ["--iptables=false", "--ip6tables=false", "--bridge=none",
                        "--ip-forward=false"]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdout=log, stderr=log,
                                            start_new_session=True)
        try:
            wait_until(self.answers, "dockerd does not answer", 30)
        except TimedOut as problem:
            self.stop()
            tail = (self.folder / "log").read_text()[-400:]
            pytest.skip(f"no Docker daemon can run here: {problem}; its log ends: {tail}")
        left = self.run("ps", "-aq").stdout.split()
        if left:  # of a run that was killed
            self.run("rm", "-f", "-v", *left)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise TimedOut(f"dockerd ended with {self.process.returncode}")
        return self.run("info", check=False).returncode == 0

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        # The network namespace of host-network containers stays mounted otherwise.
        subprocess.run(["umount", "-q", self.state / "exec/netns/default"], check=False)
        shutil.rmtree(self.state, ignore_errors=True)

    @property
    def environment(self):
        return {**os.environ, "DOCKER_HOST": self.socket, "DOCKER_BUILDKIT": "1"}

    def run(self, *arguments, check=True, timeout=600, **more):
        """`docker ARGUMENTS`; Debian's docker, whatever else is on the path."""
        docker = "/usr/bin/docker" if os.path.exists("/usr/bin/docker") else "docker"
        done = subprocess.run([docker, *map(str, arguments)], env=self.environment, text=True,
                              capture_output=True, timeout=timeout, check=False, **more)
        if check and done.returncode != 0:
            raise Failed(f"docker {' '.join(map(str, arguments))}: {done.returncode}\n"
                         f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done

    def has(self, image):
        return self.run("image", "inspect", image, check=False).returncode == 0

    def size(self, image):
        return int(self.run("image", "inspect", "-f", "{{.Size}}", image).stdout)

    def make_bases(self):
        """Debian's slim base, from the archive that this machine uses."""
        if all(self.has(base) for base in BASES):
            return
        if not shutil.which("mmdebstrap"):
            pytest.skip("base images need mmdebstrap, which is not installed")
        tar = self.folder / "base.tar"
        sources = next(p for p in ("/etc/apt/sources.list.d/debian.sources",
                                   "/etc/apt/sources.list") if os.path.exists(p))
        done = subprocess.run(["mmdebstrap", *SLIM, "bookworm", tar, sources], text=True,
                              capture_output=True, timeout=600, check=False)
        if done.returncode != 0:
            pytest.skip("mmdebstrap cannot make a base image: " + done.stderr[-500:])
        self.run("import", "-c", 'CMD ["bash"]', tar, BASES[0])
        for other in BASES[1:]:
            self.run("tag", BASES[0], other)
        tar.unlink()

    def build(self, folder, tag, *arguments, timeout=900):
        return self.run("build", "--network=host", "-t", tag, *arguments, folder, timeout=timeout)

    @contextlib.contextmanager
    def container(self, image, *command, options=()):
        """Runs detached; removed at the end."""
        identity = self.run("run", "-d", *options, image, *command).stdout.strip()
        try:
            yield Container(self, identity)
        finally:
            self.run("rm", "-f", "-v", identity, check=False)


class Container:
    def __init__(self, engine, identity):
        self.engine = engine
        self.identity = identity

    def inspect(self, template):
        return self.engine.run("inspect", "-f", template, self.identity).stdout.strip()

    def logs(self):
        done = self.engine.run("logs", self.identity)
        return done.stdout + done.stderr

    def exec(self, *command, check=True):
        return self.engine.run("exec", self.identity, *command, check=check)

    def wait_healthy(self, wanted="healthy", seconds=40):
        wait_until(lambda: self.inspect("{{.State.Health.Status}}") == wanted,
                   lambda: f"not {wanted}; log:\n{self.logs()}", seconds, every=0.1)

    def wait_end(self, seconds=PATIENCE):
        """The exit status."""
        wait_until(lambda: self.inspect("{{.State.Running}}") == "false",
                   lambda: f"does not end; log:\n{self.logs()}", seconds, every=0.05)
        return int(self.inspect("{{.State.ExitCode}}"))

    def stop(self, seconds=15):
        """(exit status, seconds it took) of `docker stop`."""
        begun = time.monotonic()
        self.engine.run("stop", "-t", seconds, self.identity)
        return int(self.inspect("{{.State.ExitCode}}")), time.monotonic() - begun
