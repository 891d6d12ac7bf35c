"""The face of the page that runs on a toy engine: what its tests open, without a model behind it.

In: metadata as the engine gives them. Out: one HTML page under the content policy of the real one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from powderkeg.web.face import BODY, SCRIPT, STYLE

ENGINE = (Path(__file__).parent / "face_engine.js").read_text(encoding="utf-8")

ACTORS = ("town", "valley", "envoy")
ACTS = (("march", "marches", "hostile"), ("raid", "raids", "hostile"), ("talk", "talks with", "cooperative"),
        ("note", "writes to", "neutral"))  # fmt: skip


def toy(title: str = "Town and valley", n_levers: int = 24, n_actors: int = 3) -> dict[str, Any]:
    """Metadata of a small scenario: three actors by default, four acts, levers, switches, a record of three lines."""
    actors = [*ACTORS, *(f"actor{n}" for n in range(3, n_actors))][:n_actors]
    channels = [
        {"source": one, "act": act, "target": other, "class": tone}
        for place, one in enumerate(actors)
        for act, _, tone in ACTS
        for other in [actors[(place + 1) % len(actors)]]
    ]
    levers = [
        {"path": f"moves.m{n}.rate", "title": f"Rate {n} of {ACTS[n % 4][1]}", "group": ("rates", "gates")[n % 2],
         "value": 0.4, "low": 0.1, "high": 2.0, "scale": ("linear", "log")[n % 2], "unit": "per year",
         "source": "guess" if n % 3 else "a study of 1999", "guess": bool(n % 3),
         "moves": {"raids": 0.05 * n, "any_raid": 0.001}}
        for n in range(n_levers)
    ]  # fmt: skip
    echo = {"path": "mechanisms.echo.answers", "title": "Echo: answers an act draws", "group": "mechanisms",
            "value": 0.4, "low": 0.2, "high": 0.7, "scale": "linear", "unit": "acts", "source": "guess", "guess": True,
            "moves": {"raids": 3.0, "any_raid": 0.2, "standoffs": 1.0}}  # fmt: skip
    outcomes = [
        {"id": "any_raid", "title": "There is a raid", "unit": "share of runs", "kind": "chance", "better": "less",
         "toy": "raid"},
        {"id": "raids", "title": "Raids", "unit": "per year", "kind": "count", "better": "less", "toy": "raid"},
        {"id": "first_talk", "title": "Days to the first talk", "unit": "days", "kind": "time", "better": None,
         "toy": "talk"},
        {"id": "standoffs", "title": "Standoffs", "unit": "per year", "kind": "count", "better": "less",
         "group": "standoffs"},
        {"id": "length", "title": "Days", "unit": "days", "kind": "count", "hidden": True},
        {"id": "mean_days", "title": "Mean length of a standoff", "unit": "days", "kind": "time", "group": "standoffs",
         "ratio": ["length", "standoffs"]},
    ]  # fmt: skip
    record = [
        {"id": f"line{n}", "title": f"Line {n} of the record", "note": "", "low": 0.1, "high": 1.2, "value": 0.6,
         "tuned": n == 0, "toy": 0.4 + n}
        for n in range(3)
    ]  # fmt: skip
    return {
        "scenario": "toy", "title": title, "about": "A toy.", "digest": "0123456789abcdef", "version": "9.9.9",
        "seed": 1, "years": 10, "replicates": 200, "start": "2001-03-01", "channels": channels,
        "levers": [echo, *levers],
        "actors": [{"id": name, "title": f"The {name}", "side": None} for name in actors],
        "acts": [{"id": name, "title": said, "class": tone, "code": None, "heat": 1 + place}
                 for place, (name, said, tone) in enumerate(ACTS)],
        "facts": [{"id": "siege", "title": "the town is cut off", "on": False},
                  {"id": "truce", "title": "a truce holds", "on": True}],
        "ties": [{"id": "feud", "kind": "rivalry", "from": "town", "to": "valley", "on": True, "title": "an old feud"},
                 {"id": "pact", "kind": "alliance", "from": "envoy", "to": "town", "on": False, "title": ""}],
        "outcomes": outcomes, "record": record,
        "switches": [{"kind": "intervention", "id": "envoys", "title": "Envoys come to stay", "on": False,
                      "note": "Do they help?"},
                     {"kind": "tie", "id": "pact", "title": "The envoy stands by the town", "on": False, "note": ""}],
        "toy": {"answers": "mechanisms.echo.answers", "mechanism": "echo", "rates": [0.5, 0.3, 0.4, 0.2],
                "wait": 0, "most": 100 * n_actors},
    }  # fmt: skip


def face_page(meta: dict[str, Any]) -> str:
    """The page, every script and the style allowed by its hash alone."""
    scripts = [ENGINE, SCRIPT]
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts))}; style-src {_hash(STYLE)}; "
        "img-src blob: data:; base-uri 'none'; form-action 'none'"
    )
    data = json.dumps(meta).replace("<", "\\u003c")
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        "<title>toy</title>"
        f"<style>{STYLE}</style></head><body>{BODY}"
        f'<script type="application/json" id="model">{data}</script>'
        + "".join(f"<script>{script}</script>" for script in scripts)
        + "</body></html>"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
