"""Who did it to whom? Of the sides of a battle the source does not say; then nothing may be made of the order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from event_files import acled, acled_row, icews, icews_row, ucdp, ucdp_row

from powderkeg.analyze import episodes
from powderkeg.errors import EventError
from powderkeg.events import EventTable, convert, match, read_events, read_table, summary, write_events
from powderkeg.fit.likelihood.data import read_data
from powderkeg.model import Model, compile
from powderkeg.scenario import loads

SCENARIO = """
powderkeg: 1
name: northland
start: 1999-01-01
years: 1
actors:
  government: {match: {ucdp: [{names: [Government of A]}]}}
  rebels: {match: {ucdp: [{names: ["Rebels, united"]}]}}
acts: {fight: {tone: hostile, cameo: "190"}}
moves:
  first: {who: %s, does: fight, to: %s, rate: 0.1 per day}
"""
ONE_WAY = SCENARIO % ("government", "rebels")
OTHER_WAY = SCENARIO % ("rebels", "government")
BOTH_WAYS = ONE_WAY + "  second: {who: rebels, does: fight, to: government, rate: 0.1 per day}\n"
BATTLES = ucdp([ucdp_row(n, first=f"1999-03-{n:02}", last=f"1999-03-{n:02}") for n in range(1, 9)])


def read(folder: Path, text: str, **kwargs: object) -> EventTable:
    (folder / "f.csv").write_text(text)
    return read_events(folder / "f.csv", **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "undirected"),
    [
        (ucdp([ucdp_row(1, kind="1"), ucdp_row(2, kind="2"), ucdp_row(3, kind="3")]), [True, True, False]),
        (acled([acled_row(1), acled_row(2, target="")]), [True, False]),
        (icews([icews_row(1)]), None),
        ("date,source,target,act\n2020-01-02,a,b,x\n", None),
    ],
)
def test_the_format_says_whether_the_first_side_acted(tmp_path: Path, text: str, undirected: list[bool] | None) -> None:
    """UCDP: of one-sided violence alone; ACLED: never; an act without a second side needs no direction."""
    table = read(tmp_path, text)
    assert ("undirected" in table.frame.columns) == (undirected is not None)
    assert undirected is None or table.frame["undirected"].to_list() == undirected
    assert table.n_undirected == sum(undirected or []) == summary(table).undirected
    assert ("does not say which one acted" in str(table.account["said"])) == bool(table.n_undirected)


def test_the_user_may_say_it(tmp_path: Path) -> None:
    assert read(tmp_path, BATTLES, directed=True).n_undirected == 0
    assert read(tmp_path, icews([icews_row(1)]), directed=False).n_undirected == 1


def test_the_mark_goes_through_matching_and_files(tmp_path: Path) -> None:
    table = read(tmp_path, BATTLES)
    matched, _ = match(loads(ONE_WAY), table)
    write_events(matched, tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").n_undirected == 8
    convert(tmp_path / "f.csv", tmp_path / "b.parquet", scenario=loads(ONE_WAY))
    assert read_table(tmp_path / "b.parquet").n_undirected == 8
    assert read_events(tmp_path / "b.parquet", directed=True).n_undirected == 0


def test_who_opened_a_standoff_is_not_known(tmp_path: Path) -> None:
    table = read(tmp_path, BATTLES)
    found = episodes(table)
    assert found.height and found["opener"].to_list() == [None] and found["target"].to_list() == [None]
    assert found["between"].to_list() == ["Government of A - Rebels, united"]
    said = episodes(read(tmp_path, BATTLES, directed=True))
    assert said["opener"].to_list() == ["Government of A"] and "between" not in said.columns
    dyads = episodes(table, by="dyad")
    assert dyads["opener"].null_count() == dyads.height == 1


def model(text: str) -> Model:
    return compile(loads(text))


def sides(table: EventTable, text: str) -> pl.DataFrame:
    matched, _ = match(loads(text), table)
    return read_data(model(text), matched, None, "refuse", 0.0, fitting=False)[1]


def test_a_scenario_with_one_direction_settles_it(tmp_path: Path) -> None:
    table = read(tmp_path, BATTLES)
    assert set(sides(table, ONE_WAY)["source"].cast(pl.String)) == {"government"}
    assert set(sides(table, OTHER_WAY)["source"].cast(pl.String)) == {"rebels"}


def test_a_scenario_with_both_directions_refuses_what_does_not_say(tmp_path: Path) -> None:
    """Retaliation could be estimated from nothing but the order of the columns."""
    table = read(tmp_path, BATTLES)
    with pytest.raises(EventError, match="8 of 8 events do not say who acted on whom"):
        sides(table, BOTH_WAYS)
    assert sides(read(tmp_path, BATTLES, directed=True), BOTH_WAYS).height == 8
    mixed = replace(table, frame=table.frame.with_columns(undirected=pl.col("event_id") == "1"))
    with pytest.raises(EventError, match="1 of 8 events"):
        sides(mixed, BOTH_WAYS)
