"""A browser and the built site, for all tests of pages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from headless import SITE, serve

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        # one of the machine, else the one that playwright itself installs
        names = ("chromium", "chromium-browser", "google-chrome")
        program = next(filter(None, map(shutil.which, names)), driver.chromium.executable_path)
        if not Path(program).is_file():
            if os.environ.get("CI"):
                pytest.fail("CI needs chromium")
            pytest.skip("no Chromium on this machine")
        instance = driver.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield instance
        instance.close()


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").is_file():
        pytest.fail("the site is not built: run `make book`")
    server, address = serve(SITE)
    yield address
    server.shutdown()
    server.server_close()
