"""One file that holds a model, the engine and a face for them, and asks nobody for anything.

In: a scenario. Out: the text of an HTML page. Its policy lets run only the scripts that stand in it, by their digests,
and WebAssembly; nothing is fetched. What comes from a scenario is data: it is escaped, and the scripts show it as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from powderkeg.analyze import outcomes
from powderkeg.model import compile as compile_scenario
from powderkeg.scenario import Scenario
from powderkeg.simulate import simulate
from powderkeg.version import __version__
from powderkeg.web.bundle import bundle
from powderkeg.web.face import BODY, SCRIPT, STYLE
from powderkeg.web.module import MODULE, signatures

_HERE = Path(__file__).resolve().parent
SUMMARY_STYLE = "#summary[hidden]{display:none}"


def page(
    scenario: Scenario,
    *,
    seed: int = 1,
    replicates: int = 200,
    origin: str | None = None,
    edits: Sequence[str] = (),
) -> str:
    """The page of a scenario.

    seed, replicates  what it starts with; both can be changed in it
    origin            what a file beside the scenario's would include it by; by default its name
    edits             what was typed as `--set` to make the scenario from that file

    Raises ModelError if the scenario has nothing to run.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    model = bundle(scenario, seed, replicates, origin, edits)
    scripts = {"engine": _own("engine.js"), "face": SCRIPT}
    style = f"{STYLE}\n{SUMMARY_STYLE}"
    for name, text in {**scripts, "worker": _worker(), "style": style}.items():
        if "</" in text.replace("</'", "").replace('</"', "") and (
            "</script" in text.lower() or "</style" in text.lower()
        ):
            raise ValueError(f"the {name} of the page would end its own element")
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("whole.html").render(
        version=__version__,
        title=model["title"],
        policy=policy(list(scripts.values()), style),
        style=Markup(style),
        summary=_summary(scenario, seed, replicates),
        replicates=replicates,
        years=model["years"],
        body=Markup(BODY),
        model=Markup(data(model)),
        module=Markup(base64.b64encode(MODULE.read_bytes()).decode("ascii")),
        loops=Markup(data(signatures()["loops"])),
        worker=Markup(_worker()),
        scripts=[Markup(text) for text in scripts.values()],
    )


def data(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def policy(scripts: list[str], style: str) -> str:
    """What the page may do: run these scripts and WebAssembly, in threads of its own, and look as this style says."""
    allowed = " ".join(f"'{_digest(text)}'" for text in scripts)
    return (
        f"default-src 'none'; script-src {allowed} 'wasm-unsafe-eval'; style-src '{_digest(style)}'; "
        "worker-src blob:; img-src blob: data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _own(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _worker() -> str:
    return _own("core.js") + _own("worker.js")


def _summary(scenario: Scenario, seed: int, replicates: int) -> list[dict[str, Any]]:
    """The scenario's outcomes as they are, for whoever cannot run the page."""
    model = compile_scenario(scenario)
    if not scenario.outcomes:
        return []
    return outcomes(model, simulate(model, replicates=replicates, seed=seed)).to_dicts()
