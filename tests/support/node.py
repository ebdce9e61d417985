"""What tests need of Node: the packages of tests/package.json, and a browser to drive."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess

TESTS = pathlib.Path(__file__).resolve().parents[1]


def install_packages(folder=TESTS):
    """Installs what the folder's package-lock.json says, once, however many test processes ask."""
    done = folder / "node_modules/.package-lock.json"
    wanted = folder / "package-lock.json"
    with open(folder / "package.json", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists() and done.stat().st_mtime >= wanted.stat().st_mtime:
            return
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder,
                       check=True, stdout=subprocess.DEVNULL)
        os.utime(done)


class Browser:
    """Chromium, driven by tests/browser/driver.mjs. Every method waits for its effect."""

    def __init__(self):
        install_packages()
        self.process = subprocess.Popen(
            [shutil.which("node") or "node", TESTS / "browser/driver.mjs"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def do(self, op, **arguments):
        self.process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the browser is gone"
        answer = json.loads(line)
        assert answer["ok"], f"{op} {arguments}: {answer['error']}"
        return answer["value"]

    def open(self, url, **view):
        self.do("open", url=url, **view)

    def eval(self, code):
        """What the body of a function returns in the page."""
        return self.do("eval", code=code)

    def until(self, code, ms=20_000):
        """Waits until the body of a function returns something true in the page."""
        self.do("until", code=code, ms=ms)

    def click(self, selector):
        self.do("click", selector=selector)

    def fill(self, selector, text):
        self.do("fill", selector=selector, text=text)

    def press(self, key):
        self.do("press", key=key)

    def text(self, selector):
        """The text of the first element, or ""."""
        return self.eval(f"return document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def wait_text(self, selector, part):
        """Waits until an element that matches shows this text."""
        self.until(f"return [...document.querySelectorAll({json.dumps(selector)})]"
                   f".some((e) => e.textContent.includes({json.dumps(part)}))")

    def wait_class(self, selector, name):
        """Waits until the first element that matches has this class."""
        self.until(f"return document.querySelector({json.dumps(selector)})"
                   f"?.classList.contains({json.dumps(name)})")

    def shot(self, path, **more):
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        self.do("shot", path=str(path), **more)

    def faults(self):
        """What console and page complained of since the last call."""
        return self.do("faults")

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        finally:
            self.process.kill()
