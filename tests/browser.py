"""A headless browser for tests, driven over WebDriver with the standard library."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from tests.tools.run import free_port

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
DRIVER = 'chromedriver'
SECONDS = 30
FLAGS = (
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
    '--disable-dev-shm-usage', '--hide-scrollbars', '--force-device-scale-factor=1',
)  # fmt: skip


def why_no_browser() -> str:
    """Empty if there is a browser, else what is missing."""
    if not any(shutil.which(name) for name in BROWSERS):
        return f'no browser ({", ".join(BROWSERS)}) is installed'
    return '' if shutil.which(DRIVER) else f'{DRIVER} is not installed'


class Browser:
    """One window of a browser.

    Args:
        port: Where the driver listens.
        profile: Fresh folder for the browser's own files.
    """

    def __init__(self, port: int, profile: str) -> None:
        self.url = f'http://127.0.0.1:{port}'
        self.opener = build_opener(ProxyHandler({}))
        binary = next(path for path in map(shutil.which, BROWSERS) if path)
        options = {'binary': binary, 'args': [*FLAGS, f'--user-data-dir={profile}']}
        wanted = {'goog:chromeOptions': options, 'goog:loggingPrefs': {'browser': 'ALL'}}
        self._wait_for_driver()
        found = self.ask('POST', '/session', {'capabilities': {'alwaysMatch': wanted}})
        self.session = f'/session/{found["sessionId"]}'

    def _wait_for_driver(self) -> None:
        end = time.monotonic() + SECONDS
        while True:
            try:
                return self.ask('GET', '/status')
            except URLError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request of the WebDriver protocol and return its value."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(  # noqa: S310
            self.url + path, data, {'Content-Type': 'application/json'}, method=method
        )
        with self.opener.open(request, timeout=SECONDS) as answer:
            return json.load(answer)['value']

    def open(self, path: Path, width: int, height: int) -> None:
        """Show a file in a screen of this size (of a phone, too, which windows cannot have)."""
        metrics = {'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': width < 600}
        self.devtools('Emulation.setDeviceMetricsOverride', metrics)
        self.ask('POST', f'{self.session}/url', {'url': path.resolve().as_uri()})
        # On a busy machine the driver answers too early.
        self.wait_until("return document.readyState === 'complete'")

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        """Send a command of Chromium's own protocol."""
        body = {'cmd': command, 'params': parameters}
        return self.ask('POST', f'{self.session}/goog/cdp/execute', body)

    def run(self, script: str) -> Any:
        """Run a script in the page and return what it returns."""
        return self.ask('POST', f'{self.session}/execute/sync', {'script': script, 'args': []})

    def wait_until(self, script: str) -> None:
        """Wait until a script returns something true.

        Raises:
            TimeoutError: It did not within :data:`SECONDS`.
        """
        end = time.monotonic() + SECONDS
        while not self.run(script):
            if time.monotonic() > end:
                raise TimeoutError(f'not so within {SECONDS} s: {script}')
            time.sleep(0.05)

    def errors(self) -> list[str]:
        """Errors and warnings that the page has caused since the last call."""
        entries = self.ask('POST', f'{self.session}/se/log', {'type': 'browser'})
        return [entry['message'] for entry in entries if entry['level'] in ('SEVERE', 'WARNING')]

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as PNG."""
        parameters = {'format': 'png', 'captureBeyondViewport': whole}
        found = self.devtools('Page.captureScreenshot', parameters)
        path.write_bytes(base64.b64decode(found['data']))


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a driver and a browser with a profile of its own; both end with the block."""
    port = free_port()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        driver = subprocess.Popen(
            [shutil.which(DRIVER), f'--port={port}', '--log-level=OFF'],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        browser = None
        try:
            browser = Browser(port, profile)
            yield browser
        finally:
            if browser is not None:
                with contextlib.suppress(URLError, OSError):
                    browser.ask('DELETE', browser.session)
            driver.terminate()
            driver.wait(timeout=SECONDS)
