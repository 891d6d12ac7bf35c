"""How near events came to a standoff."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import powderkeg as pk
from powderkeg.analyze import Rules, hottest
from powderkeg.cli import main


def test_the_score_is_that_by_which_standoffs_are_cut() -> None:
    """Where a standoff is found, the highest score is its peak; lowering the threshold to it opens one."""
    events = pk.events(
        pl.DataFrame(
            {"date": ["2020-01-01", "2020-01-04", "2020-06-01"], "source": ["a", "b", "a"], "target": ["b", "a", "b"],
             "act": ["112", "112", "112"]}
        ),
        codebook="cameo",
    )  # fmt: skip
    one = hottest(events, None, Rules(), "system")
    heat = hottest(events.between(date(2020, 6, 1)), None, Rules(), "system").score
    assert heat > 0 and one.acts == 3 and one.day == date(2020, 1, 4)
    assert one.score == pytest.approx(heat * (1 + math.exp(-3 / Rules().memory)))
    assert pk.episodes(events).height == 0
    lowered = Rules(opens_at=one.score - 1e-9, closes_at=heat / 100)
    assert pk.episodes(events, rules=lowered)["peak"].max() == pytest.approx(one.score)
    assert pk.episodes(events, rules=Rules(opens_at=one.score + 1e-9, closes_at=heat / 100)).height == 0


@pytest.mark.parametrize(("act", "said"), [("112", "came to"), ("036", "None of 2 events is a hostile act")])
def test_the_command_says_why_there_is_no_standoff(
    act: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "e.csv"
    file.write_text(f"date,source,target,cameo\n2020-01-01,a,b,{act}\n2020-03-01,a,b,{act}\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["episodes", str(file)])
    assert said in capsys.readouterr().out
