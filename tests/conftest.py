"""What several test files need: where the shared data lie, the seed of a statistical test, a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, Error, sync_playwright

settings.register_profile("ordinary", derandomize=True, deadline=None)
settings.register_profile("nightly", deadline=None)
settings.load_profile("nightly" if "POWDERKEG_SEED" in os.environ else "ordinary")
"""Drawn examples are the same in every ordinary run, and fresh in the nightly one."""

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of event data that is too large to live in the repository.

    It is looked for where the environment variable POWDERKEG_DATA points, then in `../shared/data` beside the checkout.
    """
    named = os.environ.get("POWDERKEG_DATA")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}; POWDERKEG_DATA may say where they are")
    return folder


@pytest.fixture
def seed() -> int:
    """1 in the ordinary run; POWDERKEG_SEED in the nightly one, which sets a fresh one each time."""
    return int(os.environ.get("POWDERKEG_SEED", "1"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium for pages, one a session; each test opens a page of its own: `browser.new_page()`.

    It is the one that POWDERKEG_BROWSER names, or else one on the search path, or else the one playwright keeps. What
    it would ask of the network by itself is switched off.
    """
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
    found = os.environ.get("POWDERKEG_BROWSER") or next(filter(None, map(shutil.which, names)), None)
    quiet = ("background-networking", "component-update", "sync", "quic", "gpu", "default-apps")
    switches = ["--no-first-run", *(f"--disable-{name}" for name in quiet)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        switches.append("--no-sandbox")  # which Chromium refuses to root
    with sync_playwright() as play:
        try:
            chromium = play.chromium.launch(executable_path=found, args=switches)
        except Error as error:
            pytest.skip(f"no browser to open pages in; POWDERKEG_BROWSER may name one: {error.message.splitlines()[0]}")
        yield chromium
        chromium.close()
