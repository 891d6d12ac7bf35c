"""What several test files need: where the shared data lie, and the seed of a statistical test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

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
