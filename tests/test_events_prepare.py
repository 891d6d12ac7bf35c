"""The preparation is written once and gives the same on Polars, pandas, DuckDB and Dask."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from powderkeg.errors import EventError, UsageError
from powderkeg.events import DOUBLES, balance, events
from powderkeg.events.prepare import choose_actors, count_by_day, drop_doubles, dyad_days, map_codes

pytestmark = pytest.mark.filterwarnings("ignore:Dask support is moving out of Narwhals:FutureWarning")
ACTORS = {f"name {n}": ("kosovo", "serbia", "nato")[n % 3] for n in range(9)}
ENGINES = ["polars", "polars lazy", "pandas", "duckdb", "dask"]


def rows(number: int = 1200) -> pl.DataFrame:
    rng = random.Random(3)
    names = [f"name {n}" for n in range(12)]
    codes = ["042", "043", "040", "144", "190", "999", "010"]
    return pl.DataFrame(
        {
            "row": list(range(number)),
            "day": [rng.randrange(40) for _ in range(number)],
            "source": [rng.choice(names) for _ in range(number)],
            "target": [rng.choice([*names, None]) for _ in range(number)],
            "code": [rng.choice(codes) for _ in range(number)],
            "event_id": [rng.choice([None, str(rng.randrange(900))]) for _ in range(number)],
        }
    )


def on(engine: str, frame: pl.DataFrame) -> Any:
    if engine == "polars":
        return frame
    if engine == "polars lazy":
        return frame.lazy()
    if engine == "duckdb":
        duckdb = pytest.importorskip("duckdb")
        return duckdb.connect().from_arrow(frame.to_arrow())
    pytest.importorskip("pandas")
    if engine == "pandas":
        return frame.to_pandas()
    dask = pytest.importorskip("dask.dataframe")
    return dask.from_pandas(frame.to_pandas(), npartitions=2)


def plainly(native: Any) -> pl.DataFrame:
    table = nw.from_native(native)
    if isinstance(table, nw.LazyFrame):
        table = table.collect("polars")
    frame: pl.DataFrame = table.to_polars()
    whole = [name for name in ("events", "day", "row") if name in frame.columns]
    frame = frame.with_columns(pl.col(whole).cast(pl.Int64), pl.col(pl.Categorical, pl.Enum).cast(pl.String))
    names = sorted(frame.columns)
    return frame.select(names).sort(names)


STEPS: dict[str, Callable[[Any], Any]] = {
    "map codes": lambda frame: map_codes(frame, "cameo"),
    "choose actors": lambda frame: choose_actors(frame, ACTORS),
    "choose dated actors": lambda frame: choose_actors(
        frame,
        pl.DataFrame(
            [("name 1", "a", -1e9, 19.9), ("name 1", None, 20.0, 1e9), ("name 2", "b", -1e9, 1e9)],
            schema=["who", "actor", "first", "last"],
            orient="row",
        ),
    ),
    "same event": lambda frame: drop_doubles(frame, "same_event"),
    "same day": lambda frame: drop_doubles(frame, "same_day"),
    "mirrored": lambda frame: drop_doubles(frame, "mirrored", "cameo"),
    "count by day": lambda frame: count_by_day(frame, ("source", "code", "target")),
    "all of it": lambda frame: dyad_days(frame, ACTORS, "cameo", ("same_day", "mirrored")),
}  # fmt: skip


@pytest.mark.parametrize("engine", ENGINES[1:])
@pytest.mark.parametrize("step", STEPS)
def test_every_engine_gives_what_polars_gives(engine: str, step: str) -> None:
    frame = rows()
    expected = plainly(STEPS[step](on("polars", frame)))
    assert expected.height
    assert_frame_equal(plainly(STEPS[step](on(engine, frame))), expected)


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum([f"name {n}" for n in range(12)])])
def test_categories_give_what_texts_give(kind: Any) -> None:
    """Matching compares names by their letters, not by the order in which categories were met."""
    frame = rows()
    codes = pl.Categorical
    as_categories = frame.with_columns(pl.col("source", "target").cast(kind), pl.col("code").cast(codes))
    for step in ("map codes", "same day", "mirrored", "all of it"):
        assert_frame_equal(plainly(STEPS[step](as_categories)), plainly(STEPS[step](frame)))


def test_the_counts_are_those_of_counting_by_hand() -> None:
    frame = pl.DataFrame(
        {
            "day": [1, 1, 1, 2, 2, 3],
            "source": ["x", "x", "y", "x", "z", "x"],
            "target": ["y", "y", "x", "y", "x", "w"],
            "code": ["144", "144", "042", "190", "144", "144"],
        }
    )
    counted = dyad_days(frame, {"x": "a", "y": "b", "z": "a"}, "cameo", ("same_day",))
    assert plainly(counted).select("day", "source", "tone", "target", "events").rows() == [
        (1, "a", "material conflict", "b", 1),
        (1, "b", "verbal cooperation", "a", 1),
        (2, "a", "material conflict", "b", 1),
    ]


def test_a_missing_target_stays_missing() -> None:
    frame = pl.DataFrame({"day": [1, 1], "source": ["x", "x"], "target": [None, None], "code": ["141", "141"]})
    assert count_by_day(frame, ("source", "target")).row(0, named=True) == {
        "day": 1, "source": "x", "target": None, "events": 2,
    }  # fmt: skip
    assert drop_doubles(frame, "same_day").height == 1 and drop_doubles(frame, "mirrored").height == 2


def test_every_policy_says_what_it_does() -> None:
    assert all(policy.says for policy in DOUBLES.values())
    with pytest.raises(UsageError, match="nearest: 'mirrored'"):
        drop_doubles(rows(), "mirored")


@pytest.mark.parametrize("engine", [*ENGINES, "arrow"])
def test_any_dataframe_becomes_the_same_table(engine: str) -> None:
    frame = pl.DataFrame(
        {
            "date": ["2018-06-01", "2018-06-03", "2018-02-30"],
            "source": ["a", "b", "c"],
            "target": ["b", None, "a"],
            "cameo": ["144", "010", "173"],
        }
    )
    native = frame.to_arrow() if engine == "arrow" else on(engine, frame)
    table = events(native)
    assert table.frame.select("time", "source", "target", "cameo").rows() == [
        (0.0, "a", "b", "144"),
        (2.0, "b", None, "010"),
    ]
    assert table.account["rows_set_aside"] == 1 and balance(table.account) == 0
    assert events(table) is table


def test_dates_of_any_type_are_the_same_days() -> None:
    days = ["2018-06-01", "2018-06-03"]
    texts = pl.DataFrame({"date": days, "source": ["a", "b"], "cameo": ["144", "144"]})
    moments = texts.with_columns(pl.col("date").str.to_datetime("%Y-%m-%d"))
    for frame in (
        texts,
        texts.with_columns(pl.col("date").str.to_date()),
        moments,
        moments.with_columns(
            pl.col("date").dt.replace_time_zone("Europe/Belgrade").dt.convert_time_zone("UTC")
        ).with_columns(pl.col("date") + pl.duration(hours=2)),
        texts.with_columns(date=pl.Series([20180601, 20180603])),
        texts.with_columns(date=pl.Series([20180601.0, 20180603.0])),
    ):
        table = events(frame)
        assert (table.resolution, table.frame["time"].to_list()) == ("day", [0.0, 2.0])
    noon = events(moments.with_columns(pl.col("date").dt.offset_by("12h")))
    assert noon.resolution == "second" and noon.frame["time"].to_list() == [0.5, 2.5]
    counted = texts.with_columns(date=pl.Series([0.25, 2.0]))
    assert events(counted, start="2018-06-01").frame["time"].to_list() == [0.25, 2.0]
    with pytest.raises(EventError, match="plain numbers"):
        events(counted)


def test_codes_that_are_numbers_get_their_zeros_back() -> None:
    frame = pl.DataFrame({"date": ["2018-06-01"] * 3, "source": ["a"] * 3, "cameo": [42, 190, None]})
    table = events(frame)
    assert table.frame["code"].to_list() == ["042", "190"] and table.account["rows_set_aside"] == 1


def test_what_is_no_dataframe_is_refused_by_name() -> None:
    with pytest.raises(EventError, match=r"a builtins\.dict"):
        events({"date": []})
    with pytest.raises(EventError, match="no column for time"):
        events(pl.DataFrame({"a": [1]}))


def test_dask_is_the_only_engine_that_warns() -> None:
    """Narwhals moves Dask to a package of its own; when that is here the filter above can go."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for engine in ENGINES[:-1]:
            dyad_days(on(engine, rows(100)), ACTORS, "cameo")
