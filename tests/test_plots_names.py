"""Names in figures fit, keep their signs whole, and can be told apart."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from powderkeg import plots
from powderkeg.plots.files import svgs
from powderkeg.plots.names import BREAK, cut, cut_names, folded

FIRE = "\U0001f525"
LONG = "The Liberation Front of the Northern Provinces"


def test_names_that_differ_at_their_ends_stay_apart() -> None:
    """Cut at the end they would be one row with two meanings."""
    names = [f"{LONG} {number}" for number in range(3)]
    made = cut(names, 120.0)
    assert len(set(made.values())) == 3
    assert [made[name][-1] for name in names] == ["0", "1", "2"]
    middle = [f"{LONG} {number} and of all the islands" for number in range(3)]
    assert len(set(cut(middle, 90.0).values())) == 3


def test_a_name_that_fits_is_left_alone() -> None:
    assert cut(["north", "south"], 100.0) == {"north": "north", "south": "south"}
    assert folded(["north"], 14) == {"north": "north"}


def test_lines_of_folded_names_stay_apart() -> None:
    made = folded([f"{LONG} {number}" for number in range(3)], 14)
    assert len(set(made.values())) == 3
    assert max(name.count(BREAK) for name in made.values()) == 2


def test_a_number_put_behind_a_name_makes_it_like_no_other() -> None:
    """Two names that end alike are numbered, beside one that bears that number by itself: two columns would be one."""
    names = ["Front of Arming East wing", "Front of Arming West wing", "Front of Arming East wing 2"]
    made = folded(names, 7)
    assert [made[name].split(BREAK)[-1] for name in names] == ["…wing", "…wing 3", "…wing 2"]


@pytest.mark.parametrize("sign", [FIRE, "e\u0301", "\U0001f468\u200d\U0001f469\u200d\U0001f467"])
def test_signs_are_cut_whole(sign: str) -> None:
    for room in range(20, 200, 7):
        (made,) = cut([sign * 40], float(room)).values()
        kept = made.removesuffix("…")
        assert kept == sign * (len(kept) // len(sign))


def matrix(titles: dict[str, str]) -> Any:
    acts = pl.DataFrame({"by": [None, "a"], "actor": ["a", "b"], "acts": [3.0, 1.0], "share": [1.0, 1.0]})
    return plots.who_sets_off_whom(acts, titles)


def test_a_figure_with_emoji_wherever_a_name_is_cut_is_drawn() -> None:
    """Vega cuts by halves of signs: half an emoji ended `attribute`, and every page with it."""
    for letters in range(12):
        name = "x" * letters + FIRE * 60
        drawn = svgs(matrix({"a": name, "b": f"{name}{FIRE}"}))
        assert FIRE in drawn


def test_what_is_cut_is_said_by_place_not_by_name() -> None:
    """A name such as constructor is a property of every object of the language of Vega's expressions."""
    rows = [{"who": name, "n": 1} for name in ("constructor", f"{LONG} {LONG}")]
    spec = {
        "data": {"values": json.dumps(rows)}, "mark": "bar", "config": {"axis": {"labelLimit": 120}},
        "encoding": {"y": {"field": "who", "type": "nominal"}, "x": {"field": "n", "type": "quantitative"}},
    }  # fmt: skip
    made = cut_names(spec)["encoding"]["y"]["axis"]
    assert made["labelLimit"] == 0 and "indexof" in made["labelExpr"] and "constructor" not in made["labelExpr"]
