"""Headless Chromium over a pipe, with the standard library alone: open a file, ask it things, take a picture.

Chromium's DevTools protocol is spoken as JSON messages that end with a zero byte, read by the browser from file
descriptor 3 and written to 4 (`--remote-debugging-pipe`): no port is opened and no package is needed.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

PATH = shutil.which("chromium")

_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-quic",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    "--remote-debugging-pipe",
]
_COMPLAINTS = {"Runtime.exceptionThrown", "Log.entryAdded"}


class Chromium:
    """One page of one headless browser with an own, empty profile. A context manager.

    Attributes:
        requests: addresses of everything the page asked for, `data:` included.
        complaints: errors and warnings of the console, uncaught exceptions, blocked requests.
    """

    def __init__(self, *, timeout_s: float = 30) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._timeout_s = timeout_s
        self._number = 0
        self._session: str | None = None
        self._unread = b""
        self._events: list[str] = []
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        self._pid, self._to, self._from = _spawn(self._profile.name)

    def __enter__(self) -> Self:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self._to, self._from):
            os.close(end)  # Chromium leaves when its pipe ends
        _reap(self._pid)
        self._profile.cleanup()

    def view(self, *, width: int, height: int, dark: bool = False, script: bool = True) -> None:
        """Sets the window, the colour scheme and whether scripts run, for the pages opened from now on."""
        phone = width < 600
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setScriptExecutionDisabled", value=not script)

    def open(self, path: Path) -> None:
        """Opens a file and waits until it is loaded."""
        self._events.clear()
        self.requests.clear()
        self.complaints.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._until(lambda: "Page.loadEventFired" in self._events)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited if it is a promise."""
        told = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in told:
            raise AssertionError(told["exceptionDetails"])
        return told["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """One key, down and up."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """A PNG of the whole page, or of what the window shows."""
        told = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, optimizeForSpeed=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def call(self, method: str, **params: object) -> Any:
        """One command of the DevTools protocol, and its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        answers: list[Any] = []
        self._until(lambda: bool(answers), answers)
        if "error" in answers[0]:
            raise AssertionError(f"{method}: {answers[0]['error']}")
        return answers[0]["result"]

    def _until(self, done: Callable[[], bool], answers: list[Any] | None = None) -> None:
        deadline = time.monotonic() + self._timeout_s
        while not done():
            if not select.select([self._from], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"Chromium did not answer within {self._timeout_s} s")
            read = os.read(self._from, 1 << 20)
            if not read:
                raise AssertionError("Chromium ended")
            *messages, self._unread = (self._unread + read).split(b"\0")
            for message in map(json.loads, messages):
                if message.get("id") == self._number and answers is not None:
                    answers.append(message)
                self._note(message.get("method", ""), message.get("params", {}))

    def _note(self, method: str, params: dict[str, Any]) -> None:
        self._events.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method in _COMPLAINTS:
            self.complaints.append(json.dumps(params))
        elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning", "assert"}:
            self.complaints.append(json.dumps(params["args"]))


def _spawn(profile: str) -> tuple[int, int, int]:
    """Process id and our ends of the two pipes."""
    if PATH is None:
        raise FileNotFoundError("chromium")
    their_in, our_out = os.pipe()
    our_in, their_out = os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (their_in, their_out)]
    actions = [(os.POSIX_SPAWN_DUP2, ends[0], 3), (os.POSIX_SPAWN_DUP2, ends[1], 4)]
    actions += [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0o600) for stream in (1, 2)]
    arguments = [PATH, *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    pid = os.posix_spawn(PATH, arguments, {**os.environ, "HOME": profile}, file_actions=actions, setpgroup=0)
    for end in (their_in, their_out, *ends):
        os.close(end)
    return pid, our_out, our_in


def _reap(pid: int) -> None:
    """Waits for the browser to leave; after five seconds its own process group is ended."""
    for _ in range(100):
        if os.waitpid(pid, os.WNOHANG) != (0, 0):
            return
        time.sleep(0.05)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
