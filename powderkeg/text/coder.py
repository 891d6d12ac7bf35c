"""How do reports become an event table?

In: texts, dataframes or files. Out: an `EventTable` in which every event says on which words it rests, and an account
of every sentence. Reports stream through in portions, on all cores if there are many; memory holds the events, not the
texts.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from powderkeg.errors import EventError, Fault, UsageError, as_found, must_be
from powderkeg.events.codes import TONES, entries
from powderkeg.events.store import write_events, write_slices
from powderkeg.events.table import EventTable
from powderkeg.text.before import Surroundings, home_of
from powderkeg.text.coding import coded
from powderkeg.text.days import Days, day_written, days_in, days_near
from powderkeg.text.names import Gazetteer, gazetteer
from powderkeg.text.parsing import language, parsed
from powderkeg.text.patterns import Lexicon, lexicon
from powderkeg.text.pieces import Piece, SetAside, pieces
from powderkeg.text.reports import AFTERMATH, Report, reports, without_day
from powderkeg.text.rivals import Coded
from powderkeg.text.sentences import Sentence
from powderkeg.text.spooling import SLICE, WaitingRows
from powderkeg.text.stories import MENTIONS, one_story

LEAST = 0.62
"""Least probability of an event that is told, by default: chosen by cross-validation (words/sureness.csv)."""
PORTION = 40
LETTERS = 200_000
FILES_UNDATED, MOST_UNDATED = 20, 100_000
"""Files without a day that are named, and reports of one of them that are counted."""
MOST_SHOWN = 10_000
FAINT = "below the least probability"
Progress = Callable[[float, str], None]

SCHEMA: dict[str, Any] = {
    "time": pl.Float64, "source": pl.String, "act": pl.String, "target": pl.String, "code": pl.String,
    "cameo": pl.String, "tone": pl.Enum(TONES), "goldstein": pl.Float64, "source_name": pl.String,
    "target_name": pl.String, "source_country": pl.String, "target_country": pl.String, "source_sectors": pl.String,
    "target_sectors": pl.String, "event_id": pl.String, "file": pl.String, "line": pl.UInt32, "span": pl.Float64,
    "probability": pl.Float64, "mentions": pl.UInt32, "sentence": pl.String, "words": pl.String, "rule": pl.String,
    "unsure": pl.String, "reported_by": pl.String,
}  # fmt: skip
"""Columns of a coded table: those of any event table, and on which words each event rests.

words   JSON: offsets into the report's text of the words for source, verb and target
unsure  reasons to doubt, joined by semicolons
"""


@dataclass(frozen=True)
class CodingOptions:
    """How to code, beside what is coded."""

    patterns: tuple[str, ...] = ()
    actors: tuple[str, ...] = ()
    least: float = LEAST
    statements: bool = False


@dataclass
class CodingTally:
    """What became of sentences and of what was found in them."""

    reports: int = 0
    share: float = 0.0
    sentences: int = 0
    found: int = 0
    faint: int = 0
    aside: list[tuple[str, int, str, str]] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    n_aside: int = 0

    def add(self, other: CodingTally) -> None:
        """Take over what another portion met."""
        self.reports += other.reports
        self.share = max(self.share, other.share)
        self.sentences += other.sentences
        self.found += other.found
        self.faint += other.faint
        self.n_aside += other.n_aside
        self.aside += other.aside[: max(0, MOST_SHOWN - len(self.aside))]
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count

    def set_aside(self, report: Report, one: SetAside) -> None:
        """Count a part that was not coded."""
        self.n_aside += 1
        reason = one.reason.split(":")[0]
        reason = "a sentence too long" if reason.startswith("a sentence of") else reason
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if len(self.aside) < MOST_SHOWN:
            self.aside.append((report.name, report.line, one.reason, one.text[:500]))


def code(
    texts: str | Path | Iterable[Any] | Any,
    date: dt.date | str | None = None,
    *,
    mapping: Mapping[str, str] | None = None,
    patterns: Sequence[str | Path] = (),
    actors: Sequence[str | Path] = (),
    least: float = LEAST,
    mentions: bool = False,
    statements: bool = False,
    workers: int | None = 1,
    progress: Progress | None = None,
) -> EventTable:
    """The events that texts tell, each with the words it rests on.

    texts       a text, several, or a dataframe with columns text and date; `Path` objects are files and folders
    date        of every text that says none itself, such as "2022-12-27"
    mapping     field -> column of a table: text, date, id, source
    patterns    a user's own files of words, laid over ours; actors: of names
    least       least probability of an event that is told
    mentions    True: every mention is a row, not one row an event
    statements  True: also say what was only said (CAMEO 01)
    workers     how many cores; None: all. What comes out does not depend on it.
    progress    told the share of the texts that is read, 0 to 1, and what was found so far

    Raises EventError for what cannot be read or has no date, UsageError without the extra `[text]`.
    """
    if not hasattr(texts, "columns"):
        must_be("texts", texts, (Path, Iterable), "a text, several, a dataframe, or `Path` objects of files")
    options = _options(patterns, actors, least, statements)
    frames, tally = [], CodingTally()
    for rows in _rows_of_all(_reports(texts, day_of(date), mapping), options, workers, tally, progress):
        frames.append(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    frame = pl.concat(frames) if frames else pl.DataFrame(schema=SCHEMA)
    return _table(frame, tally, mentions)


def code_to(
    path: Path,
    texts: str | Path | Iterable[Any] | Any,
    date: dt.date | str | None = None,
    *,
    mapping: Mapping[str, str] | None = None,
    patterns: Sequence[str | Path] = (),
    actors: Sequence[str | Path] = (),
    least: float = LEAST,
    mentions: bool = False,
    statements: bool = False,
    workers: int | None = 1,
    progress: Progress | None = None,
    slice_rows: int = SLICE,
) -> dict[str, Any]:
    """The same events, written as one Parquet file while the texts stream through; the table's account.

    Memory holds `slice_rows` rows at a time (those of a day that has more), and some bytes for each row.
    """
    options = _options(patterns, actors, least, statements)
    tally = CodingTally()
    with WaitingRows(SCHEMA, slice_rows) as spool:
        for rows in _rows_of_all(_reports(texts, day_of(date), mapping), options, workers, tally, progress):
            spool.add(rows)
        if not spool.height:
            write_events(_table(pl.DataFrame(schema=SCHEMA), tally, mentions), path)
            return _account(tally, 0, 0)
        files, kept, first, last = spool.finished(mentions)
        account = _account(tally, kept, spool.height - kept)
        start = dt.date.fromordinal(int(first))
        days = float((dt.date.fromordinal(int(last)) + dt.timedelta(days=1) - start).days)
        aside = _aside(tally)
        about = {
            "start": start, "days": days, "resolution": "day", "account": account, "coverage": None,
            "quarantine": aside if aside.height else None,
        }  # fmt: skip
        write_slices(files, path, about)
    return account


def _options(
    patterns: Sequence[str | Path], actors: Sequence[str | Path], least: float, statements: bool
) -> CodingOptions:
    if not 0 <= least <= 1:
        raise UsageError(Fault.at("least", f"{least:g}", "a probability, 0 to 1"))
    options = CodingOptions(tuple(map(str, patterns)), tuple(map(str, actors)), least, statements)
    lexicon(options.patterns), gazetteer(options.actors)  # slips in them are told before anything is read
    language()
    return options


def _rows_of_all(
    found: Iterator[Report], options: CodingOptions, workers: int | None, tally: CodingTally, progress: Progress | None
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of each portion that has some; the tally grows, and whoever waits is told."""
    for rows, part in _streamed(_dated(found), options, workers):
        tally.add(part)
        if rows:
            yield rows
        if progress is not None:
            progress(tally.share, f"{tally.reports:,} reports, {tally.sentences:,} sentences")


def day_of(day: dt.date | str | None) -> dt.date | None:
    """A day as the user may give it. Raises UsageError for what is none."""
    if day is None or isinstance(day, dt.date):
        return day
    found = day_written(day)
    if found is None:
        raise UsageError(Fault.at("date", repr(day), "a day such as 2022-12-27"))
    return found


def _reports(texts: Any, day: dt.date | None, mapping: Mapping[str, str] | None) -> Iterator[Report]:
    """Reports of whatever was given."""
    if isinstance(texts, Path):
        yield from reports([texts], day, mapping)
    elif isinstance(texts, str):
        yield replace(_of_string(texts, 1, day), share=1.0)
    elif hasattr(texts, "columns"):
        yield from _of_frame(texts, day, mapping)
    elif isinstance(texts, Sequence) and texts and all(isinstance(one, Path) or one == "-" for one in texts):
        yield from reports(texts, day, mapping)
    else:
        many = len(texts) if isinstance(texts, Sequence) else 0
        for number, one in enumerate(texts, start=1):
            if isinstance(one, Path):
                yield from reports([one], day, mapping)
            elif isinstance(one, str):
                yield replace(_of_string(one, number, day), share=number / many if many else 0.0)
            else:
                found = f"text {number}: {as_found(one)}"
                raise UsageError(Fault.at("texts", found, "texts, or `Path` objects of files"))


def _of_string(text: str, number: int, day: dt.date | None) -> Report:
    return Report("text", number, f"text:{number}", text, day, fault="" if text.strip() else "empty")


def _of_frame(frame: Any, day: dt.date | None, mapping: Mapping[str, str] | None) -> Iterator[Report]:
    import tempfile

    from powderkeg.events.frames import polars_of

    with tempfile.TemporaryDirectory(prefix="powderkeg-") as folder:
        path = Path(folder) / "dataframe.parquet"
        polars_of(frame).write_parquet(path)
        for one in reports([path], day, mapping):
            yield replace(one, name="dataframe")


def _dated(found: Iterable[Report]) -> Iterator[Report]:
    """The same; reports without a day are told together, each file once."""
    undated: dict[str, list[int]] = {}
    for one in found:
        if one.day is None and not one.fault:
            undated.setdefault(one.name, []).append(one.line)
            if len(undated) >= FILES_UNDATED or len(undated[one.name]) >= MOST_UNDATED:
                break
        elif not undated:
            yield one
    if undated:
        raise EventError([without_day(name, lines) for name, lines in undated.items()], AFTERMATH)


# ------------------------------------------------------------------------------------------------------- streaming


def _streamed(
    found: Iterator[Report], options: CodingOptions, workers: int | None
) -> Iterator[tuple[list[tuple[Any, ...]], CodingTally]]:
    """Rows and tallies by portions, in order."""
    portions = _portions(found)
    cores = workers or os.cpu_count() or 1
    first = list(islice(portions, 2))
    if cores == 1 or len(first) < 2:
        for portion in (*first, *portions):
            yield code_portion(portion, options)
        return
    with ProcessPoolExecutor(cores) as pool:
        waiting: deque[Future[tuple[list[tuple[Any, ...]], CodingTally]]] = deque()
        for portion in (*first, *portions):
            waiting.append(pool.submit(code_portion, portion, options))
            if len(waiting) > 2 * cores:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _portions(found: Iterator[Report]) -> Iterator[list[Report]]:
    portion: list[Report] = []
    letters = 0
    for one in found:
        portion.append(one)
        letters += len(one.text)
        if len(portion) >= PORTION or letters > LETTERS:
            yield portion
            portion, letters = [], 0
    if portion:
        yield portion


def code_portion(portion: list[Report], options: CodingOptions) -> tuple[list[tuple[Any, ...]], CodingTally]:
    """The rows of some reports, and what became of their sentences."""
    words, names = lexicon(options.patterns), gazetteer(options.actors)
    tally, rows = CodingTally(), list[tuple[Any, ...]]()
    work: list[tuple[Report, Piece]] = []
    for report in portion:
        tally.reports += 1
        tally.share = report.share
        if report.fault:
            tally.set_aside(report, SetAside(report.fault, report.text[:200]))
            continue
        for piece in pieces(report.text):
            if isinstance(piece, SetAside):
                tally.set_aside(report, piece)
            else:
                work.append((report, piece))
    parsed_pieces = parsed((piece.text for _, piece in work), words)
    last: Report | None = None
    around = Surroundings()
    for (report, piece), found in zip(work, parsed_pieces, strict=True):
        if report is not last:
            last, around = report, Surroundings(report.day, home_of(report.text, names))
        for sentence in found:
            tally.sentences += 1
            rows += _rows_of(sentence, report, piece, (words, names), options, around, tally)
    return rows, tally


def _rows_of(
    sentence: Sentence, report: Report, piece: Piece, books: tuple[Lexicon, Gazetteer], options: CodingOptions,
    around: Surroundings, tally: CodingTally,
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    assert report.day is not None
    found = coded(sentence, *books, around, options.statements)
    days = days_in(sentence.text, report.day) if found else []
    for number, one in enumerate(found, start=1):
        tally.found += 1
        if one.probability < options.least:
            tally.faint += 1
            continue
        place = sentence.words[one.words[0] - sentence.first].idx - sentence.start
        ahead = one.code.startswith(("03", "13"))
        when = days_near(days, place, report.day, ahead)
        yield _row(one, when, sentence, report, piece, number)


def _row(one: Coded, when: Days, sentence: Sentence, report: Report, piece: Piece, number: int) -> tuple[Any, ...]:
    """A row of the table, as SCHEMA has it."""
    entry = entries("cameo")[one.code]
    target = one.target
    offsets: dict[str, Any] = {
        "source": [piece.start + one.source.start, piece.start + one.source.end],
        "verb": [
            [piece.start + word.idx, piece.start + word.idx + len(word)]
            for word in (sentence.words[at - sentence.first] for at in one.words)
        ],
        "target": None if target is None else [piece.start + target.start, piece.start + target.end],
    }
    # A day of the future is that of the act that is promised, not of the promise.
    first = min(when.first, report.day or when.first)
    return (
        float(first.toordinal()), one.source.name, one.code, target.name if target else None, one.code, one.code,
        entry.tone, entry.goldstein, one.source.text, target.text if target else None, one.source.country or None,
        (target.country or None) if target else None, one.source.kind or None,
        (target.kind or None) if target else None, f"{report.id}:{piece.start + sentence.start}:{number}",
        report.name, report.line, when.span if when.first <= first else 1.0, one.probability, 1, sentence.text,
        json.dumps(offsets), " < ".join(one.rules), "; ".join(dict.fromkeys(one.unsure)) or None, report.source or None,
    )  # fmt: skip


def _table(frame: pl.DataFrame, tally: CodingTally, mentions: bool) -> EventTable:
    """The rows as a table in order of time, with an account of every sentence."""
    frame = frame.sort("time", maintain_order=True)
    before = frame.height
    if not mentions and frame.height:
        frame = one_story(frame)
    first = int(frame["time"].min()) if frame.height else dt.date.today().toordinal()  # type: ignore[arg-type]
    last = int((frame["time"] + frame["span"] - 1).max()) if frame.height else first  # type: ignore[arg-type]
    frame = frame.with_columns(pl.col("time") - first)
    account, aside = _account(tally, frame.height, before - frame.height), _aside(tally)
    start = dt.date.fromordinal(first)
    days = float((dt.date.fromordinal(last) + dt.timedelta(days=1) - start).days)
    return EventTable(frame, start, days, "day", account, None, aside if aside.height else None)


def _aside(tally: CodingTally) -> pl.DataFrame:
    schema = {"file": pl.String, "line": pl.Int64, "reason": pl.String, "text": pl.String}
    return pl.DataFrame(tally.aside, schema=schema, orient="row")


def _account(tally: CodingTally, kept: int, again: int) -> dict[str, Any]:
    """Where every act that was found went. `again`: rows that told an event once more."""
    dropped = {name: count for name, count in ((FAINT, tally.faint), (MENTIONS, again)) if count}
    return {
        "format": "text", "codebooks": ["cameo"], "reports": tally.reports, "sentences": tally.sentences,
        "rows_read": tally.found + tally.n_aside, "rows_kept": kept, "rows_set_aside": tally.n_aside,
        "rows_dropped": dropped, "set_aside_by_reason": dict(sorted(tally.reasons.items(), key=lambda one: -one[1])),
        "unknown_codes": {}, "said": [],
    }  # fmt: skip
