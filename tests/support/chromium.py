"""A headless Chromium to drive; needs Debian's `chromium` and `chromium-driver`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


needs_chromium = [
    pytest.mark.browser,
    pytest.mark.skipif(not (shutil.which("chromium") and shutil.which("chromedriver")), reason="needs chromium"),
]


def start_browser(profile: Path, *, traffic: bool = False) -> Any:
    """A browser with a window of 1200 × 900; with `traffic` its log says what it asks the network for."""
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
        "force-device-scale-factor=1",
        f"user-data-dir={profile}",
    ):
        options.add_argument(f"--{argument}")
    if traffic:
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_window_size(1200, 900)
    driver.implicitly_wait(5)
    return driver


@contextmanager
def phone(browser: Any, width: int = 360, height: int = 740) -> Iterator[None]:
    """The page as a phone shows it."""
    browser.set_window_size(500, 900)  # the narrowest window there is; the page itself is narrowed below
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True},
    )
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.set_window_size(1200, 900)
