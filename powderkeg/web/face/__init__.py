"""What does the page that runs look like, and what does it do when a lever is moved?

In: the files of this folder. Out: the body of the page, its style and its script as text. The script needs a function
`powderkegEngine(model)` and the JSON of the model in an element `model`, both before it; it fetches nothing, and puts
every string from outside on the page as text.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

SCRIPTS = (
    "numbers.js", "statistics.js", "elements.js", "state.js", "runs.js", "weights.js", "levers.js",
    "worldbar.js", "results.js", "strip.js", "histories.js", "network.js", "playback.js", "play.js", "start.js",
)  # fmt: skip
"""In the order in which they are read; together they are one script with one scope."""


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


BODY = _text("page.html")
STYLE = (FOLDER.parent.parent / "report" / "page.css").read_text(encoding="utf-8") + _text("page.css")
"""The report's style, and what the page adds to it: one family."""

SCRIPT = '(() => {\n"use strict";\n' + "\n".join(map(_text, SCRIPTS)) + "})();\n"
