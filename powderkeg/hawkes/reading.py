"""Events by type, from whatever the user has: arrays, an event table, a dataframe.

In: times and types in any of these forms. Out: `TypeStreams`: sorted times, type of each, the window, and how good the
stamps are; or an EventError that says what is wrong with which type. Nothing is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import EventError, Fault, UsageError, as_found, nearest_name
from powderkeg.events.frames import polars_of
from powderkeg.events.table import EventTable
from powderkeg.hawkes.clock import ClockWindow, moments, open_window
from powderkeg.hawkes.streams import TypeStreams

LIKELIHOODS = ("exact", "day")
MANY_TIES = 0.02
"""Share of events that have another's stamp from which exact times are no longer believed."""
FEWEST = 30
"""Times from which it is asked whether they are counts."""
FARTHEST = 2.0**52
"""Beyond, floating numbers no longer tell one whole number from the next but one."""


def read_streams(
    events: Any,
    types: Any = None,
    *,
    start: Any = None,
    end: Any = None,
    days: float | Sequence[float] | None = None,
    likelihood: str | None = None,
    stamp: float | None = None,
    time: str = "time",
    by: str | Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    slowest: float | None = None,
) -> TypeStreams:
    """The arguments are those of `hawkes`; slowest: the least decay that is given. Raises EventError, UsageError."""
    if likelihood is not None and likelihood not in LIKELIHOODS:
        raise UsageError(
            Fault.at("likelihood", repr(likelihood), "'exact' or 'day'", nearest_name(likelihood, LIKELIHOODS))
        )
    if types is None and _are_histories(events):
        if len(events) > 1:
            return _of_histories(events, names, (start, end, days), likelihood, stamp, slowest)
        events = events[0]
    if isinstance(days, (list, tuple)) and len(days) == 1:
        days = days[0]
    given: tuple[tuple[str, Any, str], ...] = (
        ("stamp", stamp, "the width of a stamp, more than 0"),
        ("days", days, "the end of the window, more than 0"),
    )
    for place, value, expected in given:
        if value is not None and not (is_number(value) and value > 0):
            raise UsageError(Fault.at(place, shown(value), expected))
    assert days is None or isinstance(days, (int, float, np.integer, np.floating))
    if isinstance(events, EventTable):
        _refuse_types(types, "an EventTable; name the columns that make its types with `by`")
        if start is not None or end is not None:
            place = "start" if start is not None else "end"
            raise UsageError(Fault.at(place, f"`{place}` beside an EventTable", "the table's own window, or `days`"))
        stamps, labels = _of_table(events, by)
        window = ClockWindow(stamps, days or events.days, events.start, events.resolution)
    else:
        if _is_frame(events):
            _refuse_types(types, "a dataframe; name the columns that make its types with `by`")
            stamps, dated, labels = _of_frame(polars_of(events), time, by)
        elif types is not None:
            stamps, dated, labels = _of_pair(events, types)
        else:
            stamps, dated, kind, labels = _of_lists(events, names)
            window = open_window(stamps, dated, start, end, days)
            return _finish(window, kind, labels, likelihood, stamp)
        window = open_window(stamps, dated, start, end, days)
    found, kind = np.unique(labels, return_inverse=True)
    if names is not None:
        raise UsageError(
            Fault.at("names", f"{len(names)} names", "names only with a list of arrays; types name themselves")
        )
    return _finish(window, kind.astype(np.int64), tuple(str(n) for n in found.tolist()), likelihood, stamp)


def is_number(value: Any) -> bool:
    """Whether it is one finite number."""
    return isinstance(value, (int, float, np.integer, np.floating)) and math.isfinite(value)


def shown(value: Any) -> str:
    """As it was typed, numbers without their tail."""
    return f"{value:g}" if isinstance(value, (float, np.floating)) else repr(value)


def _is_frame(events: Any) -> bool:
    return not isinstance(events, (list, tuple, np.ndarray, dict)) and hasattr(type(events), "columns")


def _refuse_types(types: Any, what: str) -> None:
    if types is not None:
        raise UsageError(Fault.at("types", f"types beside {what.partition(';')[0]}", what.partition("; ")[2]))


def _of_table(events: EventTable, by: str | Sequence[str] | None) -> tuple[Floats, Any]:
    if events.resolution == "month":
        raise EventError(
            Fault.at("resolution", "stamps good for a month", "stamps good for a day or better: a month hides "
                  "who answered whom")
        )  # fmt: skip
    if events.n_replicates > 1:
        raise EventError(
            Fault.at("replicate", f"{events.n_replicates} histories in one table",
                  "one history; take one with frame.filter(replicate == 0)")
        )  # fmt: skip
    columns = ["source", "act", "target"] if by is None else [by] if isinstance(by, str) else list(by)
    return _floats(events.frame["time"].to_numpy(), "time")[0], _labels(events.frame, columns)


def _of_frame(frame: pl.DataFrame, time: str, by: str | Sequence[str] | None) -> tuple[Floats, bool, Any]:
    columns = [by] if isinstance(by, str) else list(by) if by is not None else None
    if time not in frame.columns:
        raise EventError(
            Fault.at("time", f"no column {time!r}", f"one of {', '.join(frame.columns)}, named by `time`",
                  nearest_name(time, frame.columns))
        )  # fmt: skip
    if columns is None:
        columns = [c for c in ("source", "act", "target", "type") if c in frame.columns]
        if not columns:
            others = ", ".join(c for c in frame.columns if c != time) or "none"
            raise EventError(Fault.at("by", "no column of types", f"`by`: which of these make a type: {others}"))
    stamps = frame[time]
    if stamps.null_count():
        raise EventError(Fault.at(time, f"{stamps.null_count()} rows without a time", "a time in every row"))
    dates = moments(stamps)
    if dates is not None:
        return dates, True, _labels(frame, columns)
    if not stamps.dtype.is_numeric():
        raise EventError(
            Fault.at(time, f"times of type {stamps.dtype}", "numbers, dates or date-times")
        )  # fmt: skip
    return _floats(stamps.to_numpy(), time)[0], False, _labels(frame, columns)


def _labels(frame: pl.DataFrame, columns: list[str]) -> Any:
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise EventError(
            [Fault.at("by", f"no column {c!r}", f"one of {', '.join(frame.columns)}",
                   nearest_name(c, frame.columns)) for c in missing]
        )  # fmt: skip
    unnamed = frame.select(pl.all_horizontal(pl.col(columns).is_null()).sum()).item()
    if unnamed:
        raise EventError(
            Fault.at(
                " ".join(columns),
                f"{unnamed:,} rows without a type",
                "a type in every row, or no such rows",
            )
        )
    parts = [pl.col(c).cast(pl.String).fill_null("") for c in columns]
    return frame.select(pl.concat_str(parts, separator=" ").str.strip_chars())[columns[0]].to_numpy()


def _of_pair(times: Any, types: Any) -> tuple[Floats, bool, Any]:
    stamps, dated = _floats(times, "events")
    labels = np.asarray(types)
    if labels.dtype.kind == "O" and any(one is None for one in labels.ravel()):
        raise EventError(Fault.at("types", "events without a type", "whole numbers or names"))
    if labels.ndim != 1 or len(labels) != len(stamps):
        raise EventError(Fault.at("types", f"{labels.size} types for {len(stamps)} times", "a type for every time"))
    if labels.dtype.kind == "f":
        if not (np.isfinite(labels) & (labels == np.floor(labels))).all():
            raise EventError(Fault.at("types", "types that are fractions", "whole numbers or names"))
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "O":
        labels = labels.astype(str)
    return stamps, dated, labels


def _of_lists(events: Any, names: Sequence[str] | None) -> tuple[Floats, bool, Ints, tuple[str, ...]]:
    if isinstance(events, dict):
        if names is not None:
            raise UsageError(
                Fault.at("names", f"{len(names)} names beside a dict", "names only with a list of arrays; "
                      "the keys of a dict name its types")
            )  # fmt: skip
        names, events = [str(n) for n in events], list(events.values())
    rows = isinstance(events, np.ndarray) and events.dtype == object and not all(isinstance(e, date) for e in events)
    if not isinstance(events, (list, tuple)) and not rows:
        if np.ndim(events) == 1 or isinstance(events, pl.Series):
            events = [events]  # one type
        else:
            raise EventError(
                Fault.at("events", as_found(events), "a list of arrays of times, one for each "
                      "type; times and types; an EventTable; or a dataframe")
            )  # fmt: skip
    if len(events) and all(np.isscalar(one) or isinstance(one, date) for one in events):
        events = [events]
    if len(events) == 0:
        raise EventError(Fault.at("events", "no types", "at least one array of times"))
    labels = tuple(names) if names is not None else tuple(f"type_{k}" for k in range(len(events)))
    if len(labels) != len(events) or len(set(labels)) != len(events):
        raise UsageError(
            Fault.at("names", f"{len(set(labels))} different names for {len(events)} types", "one name each")
        )
    parts = [_floats(one, name) for one, name in zip(events, labels, strict=True)]
    dated = {dates for one, dates in parts if len(one)}
    if len(dated) > 1:
        raise EventError(Fault.at("events", "dates for some types, numbers for others", "one clock for all"))
    kind = np.repeat(np.arange(len(parts)), [len(one) for one, _ in parts])
    return np.concatenate([one for one, _ in parts]), True in dated, kind.astype(np.int64), labels


def _are_histories(events: Any) -> bool:
    """Whether it is a list of histories, each a list or dict of rows of times."""

    def is_history(one: Any) -> bool:
        rows = list(one.values()) if isinstance(one, dict) else one
        return isinstance(rows, (list, tuple)) and len(rows) > 0 and all(np.ndim(row) == 1 for row in rows)

    return isinstance(events, (list, tuple)) and len(events) > 0 and all(is_history(one) for one in events)


def _of_histories(
    events: Sequence[Any], names: Sequence[str] | None, ends: tuple[Any, Any, Any], likelihood: str | None,
    stamp: float | None, slowest: float | None,
) -> TypeStreams:  # fmt: skip
    """Several histories of the same types one after another, each with a window of its own and no past."""
    start, end, days = ends
    lengths = list(days) if isinstance(days, (list, tuple, np.ndarray)) else [days] * len(events)
    read = [_of_lists(one, names) for one in events]
    labels = read[0][3]
    others = sorted({one[3] for one in read} - {labels})
    if others:
        raise UsageError(
            Fault.at("events", f"a history with {len(labels)} types ({', '.join(labels[:3])}) and one with "
                  f"{len(others[0])} ({', '.join(others[0][:3])})", "the same types in each history; [] for a type "
                  "without events"),
            aftermath="nothing was fitted",
        )  # fmt: skip
    if len(lengths) != len(events) or not all(one is None or (is_number(one) and one > 0) for one in lengths):
        raise UsageError(
            Fault.at("days", shown(days), f"one length above 0, or one for each of the {len(events)} histories")
        )
    windows = [open_window(one[0], one[1], start, end, length) for one, length in zip(read, lengths, strict=True)]
    for k, (window, one) in enumerate(zip(windows, read, strict=True)):
        _refuse_wrong(window.time, one[2], labels, window.length, f"history {k + 1}, ")
        if window.length is None and not (len(window.time) and window.time.max() > 0):
            raise EventError(
                Fault.at(f"history {k + 1}", "no events and no end", "its length in `days`"),
                aftermath="nothing was fitted",
            )
    whole = all((window.time == np.floor(window.time)).all() for window in windows)
    if likelihood == "day" or stamp is not None or (likelihood is None and whole):
        raise UsageError(
            Fault.at("events", f"{len(events)} histories by day", "one history; or likelihood='exact' if "
                  "whole numbers are exact times"),
            aftermath="nothing was fitted",
        )  # fmt: skip
    return _joined(windows, [one[2] for one in read], labels, slowest)


def _joined(
    windows: list[ClockWindow], kinds: list[Ints], labels: tuple[str, ...], slowest: float | None
) -> TypeStreams:
    lengths = [float(w.time.max()) if w.length is None else float(w.length) for w in windows]
    # What is left of the slowest excitation after the silence between two histories is below 1e-26.
    silence = max(20.0 * max(lengths), 0.0 if slowest is None else 60.0 / slowest)
    begins = np.concatenate([[0.0], np.cumsum(np.array(lengths) + silence)[:-1]])
    time = np.concatenate([w.time + begin for w, begin in zip(windows, begins, strict=True)])
    kind = np.concatenate(kinds)
    if len(time) < 2:
        raise EventError(
            Fault.at("events", f"{len(time)} event in all histories", "at least 2"),
            aftermath="nothing was fitted",
        )
    order = np.lexsort((kind, time))
    said = [f"{len(windows)} histories, each from 0 without a past; what they tell is added up"]
    _how_stamped(time[order], kind[order], "exact", None, None, said)
    if any(w.length is None for w in windows):
        said.append("histories without an end end with their last event; if they were watched for longer, see `days`")
    ends = begins + np.array(lengths)
    both = tuple((float(b), float(e)) for b, e in zip(begins, ends, strict=True))
    return TypeStreams(
        time[order], kind[order], labels, float(ends[-1]), False, 1.0, windows[0].first_day, tuple(said), both
    )


def _floats(values: Any, place: str) -> tuple[Floats, bool]:
    """(times, whether they are days since 1970, from dates)."""
    if isinstance(values, (list, tuple)) and any(np.ndim(one) == 1 for one in values if not np.isscalar(one)):
        raise EventError(
            Fault.at(place, f"{len(values)} rows of times in place of one", "one history: a list with one row "
                  "of times for each type, not a list of realizations")
        )  # fmt: skip
    try:
        dates = moments(values)
        if dates is not None:
            return dates, True
        result = np.asarray(values)
        if result.dtype.kind in "cmM":
            raise TypeError
        result = result.astype(np.float64)
    except (TypeError, ValueError):
        raise EventError(
            Fault.at(place, "times that are not numbers", "numbers from the start of the window, or dates: "
                  "texts become dates by pandas.to_datetime(times)")
        ) from None  # fmt: skip
    if result.ndim != 1:
        raise EventError(
            Fault.at(place, f"times of shape {result.shape}", "a row of times; several types: a list of rows")
        )
    return result, False


def _finish(
    window: ClockWindow, kind: Ints, names: tuple[str, ...], likelihood: str | None, stamp: float | None
) -> TypeStreams:
    """Check times and window, decide how stamps are read, sort."""
    time, days, resolution, start = window.time, window.length, window.resolution, window.first_day
    _refuse_wrong(time, kind, names, days)
    if len(time) < 2:
        raise EventError(
            Fault.at("events", f"{len(time)} event{'s' * (len(time) != 1)} in the window",
                  "at least 2, and some dozens for each link that is to be estimated"),
            aftermath="nothing was fitted",
        )  # fmt: skip
    if float(np.max(time)) > FARTHEST:
        raise EventError(
            Fault.at("time", f"a time of {np.max(time):g}", f"times below {FARTHEST:g}, in a coarser unit"),
            aftermath="nothing was fitted",
        )
    said = _like_counts(time, names)
    order = np.lexsort((kind, time))
    time, kind = time[order], kind[order]
    by_day, width = _how_stamped(time, kind, likelihood, stamp, resolution, said)
    if by_day:
        if days is not None and time[-1] >= days:
            raise EventError(
                Fault.at("days", f"an event on stamp {time[-1]:g} of a window that ends at {days:g}",
                      f"an end after it: days={math.floor(time[-1] / width + 1e-9) * width + width:g}"),
                aftermath="nothing was fitted",
            )  # fmt: skip
        time = np.floor(time / width + 1e-9)
        length = time[-1] + 1.0 if days is None else math.ceil(days / width - 1e-9)
        order = np.lexsort((kind, time))
        time, kind = time[order], kind[order]
    else:
        length = float(time[-1]) if days is None else float(days)
    if days is None:
        said.append(
            f"the window ends with the last event, at {length * width:g}, because no end was given; if it was watched "
            "for longer, say so with `days` or `end`"
        )
    if not by_day and not time[-1] > time[0]:
        raise EventError(
            Fault.at("time", f"all {len(time)} events at time {time[0]:g}", "events over a span of time"),
            aftermath="nothing was fitted",
        )
    if by_day and length < 3:
        raise EventError(
            Fault.at("days", f"a window of {length:g} stamps of {width:g}", "at least 3 of them, and some "
                  "dozens for an estimate that means something"),
            aftermath="nothing was fitted",
        )  # fmt: skip
    if time[0] > 0.5 * length and len(time) > 20:
        said.append(
            f"the first event comes at {time[0] * width:g}, after half of the window, which begins at 0: if it "
            "was not watched from 0 on, say where it begins with `start`"
        )
    empty = [names[k] for k in np.flatnonzero(np.bincount(kind, minlength=len(names)) == 0)]
    if empty:
        shown = ", ".join(empty[:5]) + (f" and {len(empty) - 5} more" if len(empty) > 5 else "")
        said.append(f"no events of {shown}: rate 0, and nothing can be said of its answers to others or theirs to it")
    return TypeStreams(time, kind, names, float(length), by_day, width, start, tuple(said))


def _refuse_wrong(time: Floats, kind: Ints, names: tuple[str, ...], days: float | None, history: str = "") -> None:
    faults = []
    for what, wrong, expected in (
        ("not a number", ~np.isfinite(time), "a time for every event"),
        ("before the start of the window", time < 0, "times from 0 on, or where the window begins in `start`"),
        ("after the end of the window", np.isfinite(time) & (time > (np.inf if days is None else days)),
         f"times up to {days:g}, or a later end in `days`" if days is not None else ""),
    ):  # fmt: skip
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            found = f"{int(wrong.sum())} times {what}, the first {time[at]:g}"
            faults.append(Fault.at(history + (names[kind[at]] if len(names) else ""), found, expected))
    if faults:
        raise EventError(faults, aftermath="nothing was fitted")


def _like_counts(time: Floats, names: tuple[str, ...]) -> list[str]:
    """Numbers of events by day handed over in place of their times: small whole numbers, up and down."""
    if len(time) < FEWEST or not (time == np.floor(time)).all() or time.max() > len(time) / (2 * max(len(names), 1)):
        return []
    if float((np.diff(time) < 0).mean()) < 0.2:
        return []
    return [
        f"{len(time)} times, all of them whole numbers up to {time.max():g} and in no order: if they are counts of "
        "events by day, they are read wrongly; the times of counts n are np.repeat(np.arange(len(n)), n)"
    ]


def _how_stamped(
    time: Floats, kind: Ints, likelihood: str | None, stamp: float | None, resolution: str | None, said: list[str]
) -> tuple[bool, float]:
    """(whether stamps are bins, their width)."""
    ties = int((np.diff(time) == 0).sum())
    twice = f"{ties:,} of {len(time):,} events have the same stamp as another"
    whole = bool((time == np.floor(time)).all())
    if likelihood == "day" or (likelihood is None and (resolution == "day" or stamp is not None)):
        return True, 1.0 if stamp is None else float(stamp)
    many = ties > max(MANY_TIES * len(time), 5)
    if likelihood == "exact" and (many or resolution == "day"):
        raise EventError(
            Fault.at("likelihood", f"exact times, of events of which {ties:,} of {len(time):,} share stamps",
                  "likelihood='day' with the width of a stamp in `stamp`. Read as exact, events of one stamp cannot "
                  "answer each other, and most answers are lost"),
            aftermath="nothing was fitted",
        )  # fmt: skip
    if likelihood is None and whole:
        said.append(
            f"all times are whole numbers, and {twice}: read as days (stamps of width 1), within which events may "
            "answer each other"
        )
        return True, 1.0
    if many:
        raise EventError(
            Fault.at("time", twice + ", though they are not whole numbers",
                  "the width of a stamp, such as stamp=1/24 for times in days good for an hour: then events of one "
                  "stamp may answer each other. Doubles of the same event: drop them"),
            aftermath="nothing was fitted",
        )  # fmt: skip
    if ties:
        said.append(f"{twice}: events of one instant are taken not to answer each other")
    return False, 1.0
