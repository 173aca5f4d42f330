"""A real browser: Debian's Chromium, driven by Playwright (https://playwright.dev/python/).

A worker starts one browser, and each test has a context of its own in it, with its own cookies and
its own storage. Playwright's synchronous interface runs an event loop in the thread that uses it,
and Django refuses the database to such a thread. So Playwright has a thread of its own, and a call
into it has a time limit.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.programs import require_program, unavailable

_PATIENCE = 30.0
"""Seconds for one answer, less than the time limit of a test."""

_SWITCHES = (
    "--disable-gpu",
    "--disable-dev-shm-usage",  # a container's /dev/shm is small
)


class _Browser:
    """A Chromium in the background, and the thread in which Playwright drives it."""

    def __init__(self, program: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="playwright")
        self._playwright: Any = None
        self._browser: Any = None
        try:
            self.do(lambda: self._start(program))
        except BaseException:
            self.close()
            raise

    def do(self, work: Callable[[], Any]) -> Any:
        """Do the work in Playwright's thread, and return its result."""
        return self._thread.submit(work).result(timeout=_PATIENCE)

    def new_page(self) -> Any:
        """Return a page in a context of its own."""
        context = self._browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(_PATIENCE * 1000 / 2)  # before do() gives up
        return context.new_page()

    def close(self) -> None:
        """End the browser, and the thread."""
        try:
            self.do(self._stop)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)

    def _start(self, program: str) -> None:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(
            executable_path=program,
            args=_SWITCHES,
            chromium_sandbox=False,  # tests run as root in CI
            timeout=_PATIENCE * 1000 / 2,
        )

    def _stop(self) -> None:
        for one, end in ((self._browser, "close"), (self._playwright, "stop")):
            if one is not None:
                getattr(one, end)()


class Chromium:
    """A browser with one tab. ``complaints`` holds the errors and warnings that it reported."""

    def __init__(self, browser: _Browser) -> None:
        self._do = browser.do
        self.complaints: list[str] = []
        self._page = self._do(browser.new_page)
        self._protocol = self._do(lambda: self._page.context.new_cdp_session(self._page))
        self._do(self._listen)

    def set_cookie(self, url, name, value):
        """Set a cookie, as the site would."""
        self._do(
            lambda: self._page.context.add_cookies([{"url": url, "name": name, "value": value}])
        )

    def open(self, url):
        """Open a page, and wait until it is loaded."""
        self._do(lambda: self._page.goto(url, wait_until="load"))

    def run(self, script):
        """Return the value of a JavaScript expression. The page's policy does not apply to it."""
        return self._evaluate(script)

    def wait_for(self, script):
        """Return what a promise of the page comes to."""
        return self._evaluate(script, awaitPromise=True)

    def look_like(self, *, width=1280, height=800, theme="light", scale=1):
        """Take the size of a window, the colours that a person prefers, and a zoom."""

        def look():
            self._page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            self._page.set_viewport_size({"width": width, "height": height})
            self._protocol.send(
                "Emulation.setDeviceMetricsOverride",
                {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False},
            )

        self._do(look)

    def press(self, key, *, leads_on=False):
        """Press a key, such as Tab, Enter or "/", and wait for the next page if it leads there."""
        self._act(lambda: self._page.keyboard.press(key), leads_on=leads_on)

    def save_file(self):
        """Press Enter on the link that has the focus, and return the file that it leads to."""

        def save():
            with self._page.expect_download() as found:
                self._page.keyboard.press("Enter")
            return Path(found.value.path()).read_bytes()

        return self._do(save)

    def type(self, text):
        """Write into the field that has the focus."""
        self._do(lambda: self._page.keyboard.insert_text(text))

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
        click = f"document.querySelector({json.dumps(selector)}).click()"
        self._act(lambda: self._send(click), leads_on=True)

    def screenshot(self, path, *, is_whole=True):
        """Write the page to a PNG file, or what the window shows of it."""
        self._do(lambda: self._page.screenshot(path=path, full_page=is_whole, animations="allow"))

    def close(self):
        """Close the tab, and forget what the browser kept for it."""
        self._do(self._page.context.close)

    def _act(self, deed, *, leads_on):
        def act():
            if not leads_on:
                return deed()
            with self._page.expect_event("load"):
                return deed()

        self._do(act)

    def _evaluate(self, script, **more):
        found = self._do(lambda: self._send(script, **more))
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def _send(self, script, **more):
        # Playwright's own evaluate() needs the page's leave for eval(), which its policy refuses.
        return self._protocol.send(
            "Runtime.evaluate", {"expression": script, "returnByValue": True, **more}
        )

    def _listen(self):
        page, note = self._page, self.complaints.append

        def dialog(shown):
            note(f"dialog: {shown.message}")
            shown.dismiss()

        def console(message):
            if message.type in ("error", "warning"):
                note(f"console: {message.text}")

        page.on("dialog", dialog)
        page.on("console", console)
        page.on("pageerror", lambda error: note(f"exception: {error}"))
        page.on("crash", lambda: note("the page crashed"))


@pytest.fixture(scope="session")
def chromium_process():
    """Return the browser of this worker, which ends with it."""
    program = require_program("chromium", package="chromium")
    try:
        import playwright.sync_api  # noqa: F401  # only browser tests take the time to load it
    except ImportError:
        unavailable("playwright is not installed. See requirements/dev.in.")
    browser = _Browser(program)
    yield browser
    browser.close()


@pytest.fixture
def chromium(chromium_process):
    """Return a tab that no test used before, which is closed after the test."""
    tab = Chromium(chromium_process)
    yield tab
    tab.close()
