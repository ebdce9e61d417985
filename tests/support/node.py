"""What tests need of Node: tests/node's scripts with their packages, and a browser to drive."""

import fcntl
import json
import pathlib
import shutil
import subprocess

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "node"
NODE = shutil.which("node") or "node"


def install_packages():
    """Installs what the lock file says, once, however many test processes ask."""
    done = FOLDER / "node_modules/.installed"
    wanted = (FOLDER / "package-lock.json").read_text(encoding="utf-8")
    with open(FOLDER / "package.json", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists() and done.read_text(encoding="utf-8") == wanted:
            return
        subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=FOLDER, check=True, timeout=300,
                       stdout=subprocess.DEVNULL)
        done.write_text(wanted, encoding="utf-8")


def command(script, *arguments):
    """The command that runs one of tests/node's scripts."""
    install_packages()
    return [NODE, FOLDER / script, *arguments]


class Browser:
    """Chromium, driven by tests/node/browser.mjs. Every method waits for its effect."""

    def __init__(self):
        self.process = subprocess.Popen(command("browser.mjs"), text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

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
