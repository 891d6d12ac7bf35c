"""The small scenario that a new file starts with.

In: a name. Out: its text: two neighbours and a mediator, every section explained where it stands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from powderkeg.draft.naming import title_of

TEMPLATE: Final = Path(__file__).parent / "small.yaml"


def start(name: str) -> str:
    """The text of a small commented scenario of that name (small letters, digits, _ and -)."""
    text = TEMPLATE.read_text(encoding="utf-8").replace("name: two-neighbours", f"name: {name}", 1)
    return text.replace('title: "Two neighbours and a river"', f'title: "{title_of(name)}"', 1)
