"""A real browser: Debian's Chromium over the DevTools protocol, through a pair of pipes.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import itertools
import json
import os
import select
import subprocess
import time
from contextlib import suppress

import pytest

from tests.support.programs import require_program

_PATIENCE = 30.0  # seconds for one answer, less than the time limit of a test


class Chromium:
    """A browser with one tab. ``complaints`` holds the errors and warnings that it reported."""

    def __init__(self, program, profile):
        to_browser, self._to = os.pipe()
        self._from, from_browser = os.pipe()

        def place_pipes():  # Chromium reads descriptor 3 and writes to 4
            read, write = os.dup(to_browser), os.dup(from_browser)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self._process = subprocess.Popen(
            [
                program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-extensions",
                "--disable-background-networking", "--disable-component-update", "--no-first-run",
                "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={profile}",
                "--window-size=1400,1000", "about:blank",
            ],
            close_fds=False,
            preexec_fn=place_pipes,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._numbers = itertools.count(1)
        self._session = None
        self._is_loaded = False
        self.complaints = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def set_cookie(self, url, name, value):
        """Set a cookie, as the site would."""
        self._call("Network.setCookie", url=url, name=name, value=value)

    def open(self, url):
        """Open a page, and wait until it is loaded."""
        self._is_loaded = False
        self._call("Page.navigate", url=url)
        self._wait_for_page()

    def run(self, script):
        """Return the value of a JavaScript expression. The page's policy does not apply to it."""
        found = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return found["result"].get("value")

    def wait_for(self, script):
        """Return what a promise of the page comes to."""
        found = self._call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def look_like(self, *, width=1280, height=800, theme="light", scale=1):
        """Take the size of a window, the colours that a person prefers, and a zoom."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=scale, mobile=False,
        )  # fmt: skip
        self._call(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": theme},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )

    def press(self, key, *, leads_on=False):
        """Press a key, such as Tab, Enter or "/", and wait for the next page if it leads there."""
        self._is_loaded = False
        codes = {"Enter": (13, "\r"), "Tab": (9, "\t"), "Escape": (27, ""), "Space": (32, " ")}
        code, text = codes.get(key, (ord(key.upper()) if len(key) == 1 else 0, key))
        given = {"key": " " if key == "Space" else key, "windowsVirtualKeyCode": code}
        self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **given)
        self._call("Input.dispatchKeyEvent", type="keyUp", **given)
        if leads_on:
            self._wait_for_page()

    def type(self, text):
        """Write into the field that has the focus."""
        self._call("Input.insertText", text=text)

    def tab_to(self, selector, *, most=120):
        """Press Tab until the element has the focus. Fails when no number of Tabs leads there."""
        reached = f"!!document.activeElement.closest({json.dumps(selector)})"
        for _ in range(most):
            if self.run(reached):
                return
            self.press("Tab")
        raise AssertionError(f"no Tab leads to {selector}")

    def submit(self, selector):
        """Click on a button that leads to another page, and wait until that is loaded."""
        self._is_loaded = False
        self.run(f"document.querySelector({json.dumps(selector)}).click()")
        self._wait_for_page()

    def screenshot(self, path, *, is_whole=True):
        """Write the page to a PNG file, or what the window shows of it."""
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=is_whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        """End the browser."""
        with suppress(OSError):
            os.close(self._to)
        self._process.terminate()
        self._process.wait(timeout=_PATIENCE)
        os.close(self._from)

    def _call(self, method, **params):
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def _wait_for_page(self):
        while not self._is_loaded:
            self._next()

    def _next(self):
        end = time.monotonic() + _PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._from], [], [], max(end - time.monotonic(), 0))
            assert ready, "Chromium doesn't answer"
            self._buffer += os.read(self._from, 1 << 20)
        message, _, self._buffer = self._buffer.partition(b"\0")
        said = json.loads(message)
        self._note(said.get("method"), said.get("params"))
        return said

    def _note(self, event, given):
        if event == "Page.loadEventFired":
            self._is_loaded = True
        elif event == "Page.javascriptDialogOpening":
            self.complaints.append(f"dialog: {given['message']}")
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(f"exception: {given['exceptionDetails']['text']}")
        elif event == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning"):
            self.complaints.append(f"console: {given['args']}")
        elif event == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{given['entry']['source']}: {given['entry']['text']}")


@pytest.fixture
def chromium(tmp_path):
    """Return a browser, which ends with the test."""
    program = require_program("chromium", package="chromium")
    browser = Chromium(program, tmp_path / "chromium")
    yield browser
    browser.close()
