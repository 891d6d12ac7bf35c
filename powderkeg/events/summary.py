"""What is in an event table, at a glance?

In: an `EventTable`. Out: its span, rows and where they went, actors, dyads, classes, quiet days, busiest weeks, doubles
and unknown codes, as data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl

from powderkeg.events import prepare
from powderkeg.events.codes import title
from powderkeg.events.identity import of_table, without_same_events
from powderkeg.events.table import EventTable

BUSIEST = 5
LOUDEST = 10


@dataclass(frozen=True)
class Summary:
    """What is in an event table.

    format, said         kind of data, and what was found out while reading
    rows_*               rows read = kept + set aside + dropped (by policy)
    set_aside_by_reason  why rows could not be read
    first_day, last_day  days of the first and the last event; None if there is none
    window               first day and length (days) of the observed window
    actors, dyads        numbers of different names, and of ordered pairs of them
    most_active          actors with most events, as source or target
    classes              events by class; "unknown" for codes of no codebook
    top_acts             acts that occur most often: code, title, events
    days_without_events  days of the window on which nothing is recorded
    busiest_weeks        weeks (from Monday) with most events, and with most hostile ones
    doubles              rows that each policy would drop, were it used now
    unknown_codes        codes that the codebook does not hold, with their number
    undirected           events whose source does not say which of the two sides acted
    unsure_days          rows whose source is not sure of the day
    dated_a_year_early   rows dated a year or more before they entered the data
    recoded, trimmed     rows that were not UTF-8; rows with empty fields beyond the last column
    coverage             events of all kinds by month, before anything was dropped
    files_at_fault       files that could not be read, or not to their end
    """

    format: str | list[str]
    said: list[str]
    resolution: str
    rows_read: int
    rows_kept: int
    rows_set_aside: int
    rows_dropped: Mapping[str, int]
    set_aside_by_reason: Mapping[str, int]
    first_day: date | None
    last_day: date | None
    window: tuple[date, float]
    actors: int
    dyads: int
    most_active: list[dict[str, Any]]
    classes: Mapping[str, int]
    top_acts: list[dict[str, Any]]
    days_without_events: int
    busiest_weeks: list[dict[str, Any]]
    most_hostile_weeks: list[dict[str, Any]]
    doubles: Mapping[str, int]
    unknown_codes: Mapping[str, int]
    undirected: int
    unsure_days: int
    dated_a_year_early: int
    recoded: int
    trimmed: int
    coverage: list[dict[str, Any]]
    files_at_fault: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: days as texts."""
        found = asdict(self)
        found["window"] = {"start": self.window[0], "days": self.window[1]}
        return {name: _plain(value) for name, value in found.items()}


def summary(table: EventTable) -> Summary:
    """What is in an event table. A table of several replicates is summed up as one."""
    frame, account = table.frame, table.account
    day = frame.select(day=pl.col("time").floor().cast(pl.Int64))["day"]
    ends: list[Any] = [day.min(), day.max()]
    days = [table.start + timedelta(days=one) for one in ends if one is not None]
    return Summary(
        format=account.get("format", "simulated" if "replicate" in frame.columns else "dataframe"),  # type: ignore[arg-type]
        said=list(account.get("said", [])),  # type: ignore[call-overload]
        resolution=table.resolution,
        rows_read=_count(account, "rows_read", frame.height),
        rows_kept=frame.height,
        rows_set_aside=_count(account, "rows_set_aside", 0),
        rows_dropped=_counts(account, "rows_dropped"),
        set_aside_by_reason=_counts(account, "set_aside_by_reason"),
        first_day=days[0] if days else None,
        last_day=days[-1] if days else None,
        window=(table.start, float(table.days)),
        actors=_names(frame).n_unique(),
        dyads=frame.filter(pl.col("target").is_not_null()).select("source", "target").n_unique() if frame.height else 0,
        most_active=_most_active(frame),
        classes=_classes(frame),
        top_acts=_top_acts(frame, account),
        days_without_events=_quiet_days(table, day),
        busiest_weeks=_weeks(table, frame),
        most_hostile_weeks=_weeks(table, frame.filter(_is_hostile(frame))),
        doubles=_doubles(frame, account),
        unknown_codes=_counts(account, "unknown_codes"),
        undirected=table.n_undirected,
        unsure_days=int((frame["span"] > 1).sum()) if "span" in frame.columns else 0,
        dated_a_year_early=_count(account, "dated_a_year_early", 0),
        recoded=_count(account, "recoded", 0),
        trimmed=_count(account, "trimmed", 0),
        coverage=[] if table.coverage is None else table.coverage.to_dicts(),
        files_at_fault=list(account.get("files_at_fault", [])),  # type: ignore[call-overload]
    )


def _names(frame: pl.DataFrame) -> pl.Series:
    names = pl.concat([frame["source"].cast(pl.String), frame["target"].cast(pl.String)])
    return names.drop_nulls()


def _most_active(frame: pl.DataFrame) -> list[dict[str, Any]]:
    counted = _names(frame).alias("name").to_frame().group_by("name").agg(events=pl.len())
    return counted.sort("events", "name", descending=[True, False]).head(LOUDEST).to_dicts()


def _classes(frame: pl.DataFrame) -> dict[str, int]:
    if "tone" not in frame.columns:
        return {"unknown": frame.height} if frame.height else {}
    tones = frame.select(tone=pl.col("tone").cast(pl.String).fill_null("unknown"))
    counted = tones.group_by("tone").agg(events=pl.len()).sort("events", "tone", descending=[True, False])
    return dict(counted.iter_rows())


def _top_acts(frame: pl.DataFrame, account: Mapping[str, object]) -> list[dict[str, Any]]:
    books = account.get("codebooks", [])
    book = str(books[0]) if isinstance(books, list) and len(books) == 1 else None
    acts = frame.select(act=pl.col("act").cast(pl.String)).group_by("act").agg(events=pl.len())
    rows = acts.sort("events", "act", descending=[True, False]).head(LOUDEST).iter_rows()
    return [{"act": act, "title": title(act, book) if act else "", "events": events} for act, events in rows]


def _quiet_days(table: EventTable, day: pl.Series) -> int:
    inside = day.filter((day >= 0) & (day < table.days))
    return max(int(table.days) - inside.n_unique(), 0) if table.resolution != "month" else 0


def _is_hostile(frame: pl.DataFrame) -> pl.Expr:
    if "tone" not in frame.columns:
        return pl.lit(False)
    return pl.col("tone").cast(pl.String).str.ends_with("conflict").fill_null(False)


def _weeks(table: EventTable, frame: pl.DataFrame) -> list[dict[str, Any]]:
    week = (pl.lit(table.start) + pl.duration(days=pl.col("time").floor().cast(pl.Int64))).dt.truncate("1w")
    counted = frame.group_by(week=week).agg(events=pl.len())
    return counted.sort("events", "week", descending=[True, False]).head(BUSIEST).to_dicts()


def _doubles(frame: pl.DataFrame, account: Mapping[str, object]) -> dict[str, int]:
    """Rows that each policy would drop."""
    found: dict[str, int] = {}
    if "replicate" in frame.columns or "code" not in frame.columns:
        return found
    books = account.get("codebooks", [])
    whole = frame.with_columns(day=pl.col("time").floor())
    for policy in ("same_event", "same_day", "mirrored"):
        rest: pl.DataFrame = whole
        if policy == "same_event":
            if "event_id" in whole.columns:
                rest = without_same_events(of_table(whole, account.get("format")))[0]
            found[policy] = whole.height - rest.height
            continue
        for book in books if policy == "mirrored" and isinstance(books, list) else [None]:
            rest = prepare.drop_doubles(rest, policy, book)
        found[policy] = whole.height - rest.height
    return found


def _count(account: Mapping[str, object], name: str, otherwise: int) -> int:
    value = account.get(name, otherwise)
    return value if isinstance(value, int) else otherwise


def _counts(account: Mapping[str, object], name: str) -> dict[str, int]:
    value = account.get(name, {})
    return dict(value) if isinstance(value, Mapping) else {}


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value
