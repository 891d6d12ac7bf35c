"""Which events are in these files?

In: files, folders or patterns of any known format, or a dataframe. Out: an `EventTable`; or, for more events than
memory holds, one Parquet file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from powderkeg.errors import EventError, Fault, UsageError, nearest_name
from powderkeg.events import prepare
from powderkeg.events.account import Account
from powderkeg.events.codes import TONES, entries
from powderkeg.events.columns import plain
from powderkeg.events.encodings import is_encoding
from powderkeg.events.files import FileFault, Paths, SourceFiles, gathered
from powderkeg.events.frames import layout_of_frame, polars_of
from powderkeg.events.identity import SCOPE, has_doubles, without_same_events
from powderkeg.events.layout import Wishes
from powderkeg.events.numbers import MARKS
from powderkeg.events.prepare import DOUBLES
from powderkeg.events.quarantine import Quarantine
from powderkeg.events.rows import RowWindow
from powderkeg.events.several import COUNTED, repeated
from powderkeg.events.store import is_own, table_at, write_slices
from powderkeg.events.streaming import Options, Progress, Reading
from powderkeg.events.table import RESOLUTIONS, EventTable
from powderkeg.events.times import EPOCH, checked_form
from powderkeg.writing.files import check_place, is_of_disk, reason, working_folder

if TYPE_CHECKING:
    from powderkeg.scenario import Scenario

RUN_ROWS = 500_000
READING_DOUBLES = ("same_event", "same_day", "mirrored")
FIRST_COLUMNS = ("time", "source", "act", "target", "code", "cameo", "tone", "goldstein")
LAST_COLUMNS = ("event_id", "file", "line")


def read_events(
    paths: Paths,
    format: str = "auto",
    mapping: Mapping[str, str] | None = None,
    *,
    codebook: str | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    directed: bool | None = None,
    start: date | str | None = None,
    end: date | str | None = None,
    max_lag: float | None = None,
    doubles: Sequence[str] = ("same_event",),
    scenario: Scenario | None = None,
    aliases: str | Path | Mapping[str, str] | None = None,
    touching: Sequence[str] = (),
    bad_files: str = "raise",
    quarantine: str | Path | None = None,
    progress: Progress | None = None,
) -> EventTable:
    """Read event files into one table, in time order.

    paths        a file, folder or pattern, or several; - for standard input
    format       auto, or one of `powderkeg.formats.NAMES`
    mapping      field -> column, as {"time": "Date", "source": "Who", "code": "CAMEO"}: what the columns' names do not
                 say; it adds to the format
    codebook     cameo, weis, plover, acled, ucdp, gtd or scad; found from the codes unless given
    date_format  a key of TIME_FORMS, or a format such as "%d/%m/%Y"
    decimal      the decimal mark of numbers, point or comma; found unless given
    separator    the character between fields of a text table; found unless given
    encoding     that of text that is not UTF-8, as cp1250 or latin-2; without it rows that are not UTF-8 are read as
                 Windows-1252 and counted
    sheet        that of a workbook to read; by default the first that holds events
    directed     True: the first side of an event acted on the second; False: who acted is not known; by default what
                 the format says (see docs/events.md)
    start, end   first and last day wanted; the table's window is theirs, else from the first event to the last
    max_lag      most days between an event and its entry in the data; later entries are dropped by "reported late"
    doubles      policies of DOUBLES that drop rows, in this order; with a scenario after matching
    scenario     keep only events between its actors, in its terms: what `match` does, but while reading
    aliases      a user's own names for that: a CSV file with columns name, actor, or a mapping
    touching     actors of that scenario: only events with one of them on a side are kept
    bad_files    "raise": a file at fault stops the reading; "skip": it is listed in the account
    quarantine   write rows that cannot be read to this CSV file
    progress     called with the name of a file and the rows read so far

    Raises EventError: no such file, no known format, no usable row; UsageError for arguments that cannot be met.
    """
    options = _options(
        Wishes(
            format, dict(mapping or {}), separator, date_format, codebook, encoding, sheet, directed=directed,
            decimal=decimal,
        ),
        RowWindow(_day("start", start), _day("end", end), max_lag),
        doubles, scenario, aliases, touching, bad_files, progress,
    )  # fmt: skip
    with gathered(paths) as sources:
        own = _own_table(sources, options)
        if own is not None:
            return own
        read = [source.path for source in sources.files]
        account = _account(options)
        account.quarantine = None if quarantine is None else Quarantine(Path(quarantine), read)
        try:
            return _table(list(Reading(options, account).frames(sources)), options, account)
        finally:
            account.abandon()


def convert(
    paths: Paths,
    out: str | Path,
    format: str = "auto",
    mapping: Mapping[str, str] | None = None,
    *,
    codebook: str | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    separator: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    directed: bool | None = None,
    start: date | str | None = None,
    end: date | str | None = None,
    max_lag: float | None = None,
    doubles: Sequence[str] = ("same_event",),
    scenario: Scenario | None = None,
    aliases: str | Path | Mapping[str, str] | None = None,
    touching: Sequence[str] = (),
    bad_files: str = "raise",
    quarantine: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Read event files into one Parquet file, in time order, without holding them in memory; return the account.

    The file is what `write_events` would write: `read_events` gives it back as a table. Arguments as for `read_events`;
    rows that cannot be read go to `quarantine`, by default `<out>.quarantine.csv` beside it.
    """
    target = Path(out)
    options = _options(
        Wishes(
            format, dict(mapping or {}), separator, date_format, codebook, encoding, sheet, directed=directed,
            decimal=decimal,
        ),
        RowWindow(_day("start", start), _day("end", end), max_lag),
        doubles, scenario, aliases, touching, bad_files, progress,
    )  # fmt: skip
    account = _account(options)
    try:
        with gathered(paths) as sources, working_folder(target.parent) as folder:
            read = [source.path for source in sources.files]
            check_place(target, read)
            bad = Path(quarantine) if quarantine else target.with_name(target.name + ".quarantine.csv")
            account.quarantine = Quarantine(bad, read)
            days: Counter[int] = Counter()
            runs, last = _spool(Reading(options, account).frames(sources), folder, days)
            return _merge(runs, folder, days, last, options, account, target)
    except Exception as error:
        if not is_of_disk(error):
            raise
        found = f"cannot be written: {reason(error)}"
        raise EventError(Fault(str(out), None, "", found), "nothing was written") from error
    finally:
        account.abandon()


def events(
    frame: Any,
    mapping: Mapping[str, str] | None = None,
    *,
    format: str = "auto",
    codebook: str | None = None,
    date_format: str | None = None,
    directed: bool | None = None,
    decimal: str | None = None,
    start: date | str | None = None,
    end: date | str | None = None,
    doubles: Sequence[str] = ("same_event",),
    scenario: Scenario | None = None,
    aliases: str | Path | Mapping[str, str] | None = None,
    touching: Sequence[str] = (),
    name: str = "dataframe",
) -> EventTable:
    """An event table from any dataframe: Polars, pandas, Arrow, DuckDB, Dask, or another that Narwhals knows.

    Its columns are read like those of a file (a mapping says which is which where their names do not), and bad rows are
    set aside and counted in the same way. Times that are plain numbers are days from `start`. A table stays itself.

    Raises EventError, UsageError as `read_events` does.
    """
    if isinstance(frame, EventTable):
        return frame
    options = _options(
        Wishes(format, dict(mapping or {}), None, date_format, codebook, directed=directed, decimal=decimal),
        RowWindow(_day("start", start), _day("end", end)),
        doubles, scenario, aliases, touching, "raise", None,
    )  # fmt: skip
    account = _account(options)
    try:
        made = plain(polars_of(frame), name)
        rows = made.frame
        layout = layout_of_frame(rows, options.wishes, name, options.window.first)
        made.check([layout.names[number] for number in layout.columns.values()], name)
    except FileFault as fault:
        raise EventError(fault.fault, "nothing was read") from fault
    return _table(list(Reading(options, account).whole(rows, layout, name)), options, account)


def _options(
    wishes: Wishes,
    window: RowWindow,
    doubles: Sequence[str],
    scenario: Scenario | None,
    aliases: str | Path | Mapping[str, str] | None,
    touching: Sequence[str],
    bad_files: str,
    progress: Progress | None,
) -> Options:
    policies = (doubles,) if isinstance(doubles, str) else tuple(doubles)
    known = READING_DOUBLES if scenario is None else tuple(DOUBLES)
    for policy in policies:
        if policy in DOUBLES and policy not in known:
            raise UsageError(Fault.at("doubles", f"{policy} without a scenario", "a scenario to match to"))
        if policy not in known:
            expected = f"any of {', '.join(known)}"
            raise UsageError(Fault.at("doubles", f"unknown policy {policy!r}", expected, nearest_name(policy, known)))
    if bad_files not in ("raise", "skip"):
        raise UsageError(Fault.at("bad_files", repr(bad_files), "raise or skip"))
    if wishes.separator is not None and len(wishes.separator.encode()) != 1:
        raise UsageError(Fault.at("separator", repr(wishes.separator), "one character"))
    if wishes.encoding is not None and not is_encoding(wishes.encoding):
        expected = "an encoding that Python knows, such as cp1250, cp1251, latin-2, utf-16"
        raise UsageError(Fault.at("encoding", repr(wishes.encoding), expected))
    if window.first is not None and window.last is not None and window.first > window.last:
        raise UsageError(Fault.at("end", f"{window.last}, before start", f"{window.first} or later"))
    if wishes.book is not None:
        entries(wishes.book)
    if wishes.date_format is not None:
        checked_form(wishes.date_format)
    if wishes.decimal is not None and wishes.decimal not in MARKS:
        raise UsageError(Fault.at("decimal", repr(wishes.decimal), "point or comma"))
    matcher = None
    if scenario is not None:
        from powderkeg.events.match import Matcher

        matcher = Matcher(scenario, aliases, touching=touching)
    elif touching:
        raise UsageError(Fault.at("touching", "actors without a scenario", "a scenario to match to"))
    elif aliases is not None:
        raise UsageError(Fault.at("aliases", "aliases without a scenario", "a scenario to match to"))
    return Options(wishes, window, policies, bad_files, matcher, progress)


def _account(options: Options) -> Account:
    """An account that has counted nothing yet."""
    return Account(touching=() if options.matcher is None else tuple(options.matcher.touching))


def _day(name: str, value: date | str | None) -> date | None:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise UsageError(Fault.at(name, repr(value), "a day such as 2018-06-01")) from error


def _own_table(sources: SourceFiles, options: Options) -> EventTable | None:
    """The table itself, if the one path given is a file that we wrote.

    Its rows with one event id were dropped when it was made; the other policies are applied to what is in it.
    """
    if len(sources.files) != 1 or not is_own(sources.files[0].path):
        return None
    table = table_at(sources.files[0].path, sources.files[0].name)
    if options.window.first is not None or options.window.last is not None:
        table = table.between(options.window.first, options.window.last)
    if options.wishes.directed is not None:
        two = pl.col("target").is_not_null() & (not options.wishes.directed)
        table = replace(table, frame=table.frame.with_columns(undirected=two))
    policies = tuple(policy for policy in options.doubles if policy != "same_event")
    if options.matcher is not None:
        from powderkeg.events.match import match_with

        return match_with(options.matcher, table, doubles=policies)[0]
    if policies:
        account = dict(table.account)
        dropped = dict(account.get("rows_dropped", {}))  # type: ignore[call-overload]
        frame = table.frame.rename({"time": "day"})
        for policy in policies:
            before = frame.height
            frame = without_doubles(frame, policy, account.get("codebooks") or ["cameo"])  # type: ignore[arg-type]
            if before > frame.height:
                dropped[policy] = dropped.get(policy, 0) + before - frame.height
        if "rows_kept" in account:
            account |= {"rows_kept": frame.height, "rows_dropped": dropped}
        table = replace(table, frame=frame.rename({"day": "time"}), account=account)
    return table


def _table(portions: list[pl.DataFrame], options: Options, account: Account) -> EventTable:
    """All rows as one table."""
    frame = pl.concat(portions, how="diagonal") if portions else _no_rows()
    portions.clear()
    first, length = _span(options.window, account, frame["day"].min(), last_possible(frame))
    resolution = _resolution(account)
    frame = finished(frame, first, resolution, options.doubles, account)
    account.close()
    return EventTable(
        frame,
        start=first,
        days=length,
        resolution=resolution,
        account=account.as_dict(frame.height),
        coverage=account.coverage(),
        quarantine=account.quarantined(),
    )


def last_possible(frame: pl.DataFrame) -> float | None:
    """The last day on which any of the rows may have happened; None without rows."""
    span = pl.col("span").fill_null(1.0) - 1 if "span" in frame.columns else pl.lit(0.0)
    last: float | None = frame.select((pl.col("day").floor() + span).max())[0, 0]
    return last


def finished(
    frame: pl.DataFrame, start: date, resolution: str, doubles: Sequence[str], account: Account
) -> pl.DataFrame:
    """Rows of whole days in time order, without doubles, times counted from the start."""
    if resolution == "month":
        month = pl.col("day").cast(pl.Int32).cast(pl.Date).dt.truncate("1mo")
        frame = frame.with_columns(day=month.cast(pl.Int32).cast(pl.Float64))
    elif resolution == "day" and len(account.resolutions) > 1:
        frame = frame.with_columns(pl.col("day").floor())
    if not frame["day"].is_sorted():
        frame = frame.sort("day", maintain_order=True)
    for policy in doubles:
        before = frame.height
        if policy == "same_event":
            if has_doubles(frame):
                frame, same, differing = without_same_events(frame)
                account.same += same
                account.differing += differing
        else:
            frame = without_doubles(frame, policy, account.books)
        account.drop(policy, before - frame.height)
    frame, added = repeated(frame.drop(SCOPE, strict=False))
    account.add(COUNTED, added)
    if "span" in frame.columns:
        frame = frame.with_columns(pl.col("span").fill_null(1.0))
    if "act" not in frame.columns:
        frame = frame.with_columns(act=pl.col("code"))
    frame = frame.with_columns(time=pl.col("day") - float((start - EPOCH).days)).drop("day")
    middle = [name for name in frame.columns if name not in (*FIRST_COLUMNS, *LAST_COLUMNS)]
    return frame.select(*FIRST_COLUMNS, *middle, *(name for name in LAST_COLUMNS if name in frame.columns))


def without_doubles(frame: pl.DataFrame, policy: str, books: Iterable[str]) -> pl.DataFrame:
    """One row of each event that the policy calls the same; "mirrored" for each codebook in turn."""
    moment = frame.rename({"day": "_moment"}).with_columns(day=pl.col("_moment").floor())
    for book in sorted(books) if policy == "mirrored" else ("",):
        kept: pl.DataFrame = prepare.drop_doubles(moment.with_row_index("row"), policy, book or None)
        moment = kept.sort("row").drop("row")
    return moment.drop("day").rename({"_moment": "day"})


def _span(window: RowWindow, account: Account, first: Any, last: Any) -> tuple[date, float]:
    """First day and length of the window: what was asked for, else from the first kept event to the last."""
    if first is None and window.first is None and window.last is None and account.months:
        # Rows were read, but none was wanted: the window is that of the rows.
        first = (min(account.months) - EPOCH).days
        last = (max(account.months) - EPOCH).days
    low = window.first or EPOCH + timedelta(days=int(first // 1) if first is not None else 0)
    high = window.last or EPOCH + timedelta(days=int(last // 1) if last is not None else (low - EPOCH).days)
    return low, float(max((high - low).days + 1, 1))


def _resolution(account: Account) -> str:
    """That of the coarsest file."""
    return max(account.resolutions, key=RESOLUTIONS.index, default="day")


def _no_rows() -> pl.DataFrame:
    text, number = pl.Categorical, pl.Float64
    return pl.DataFrame(
        schema={
            "day": number, "source": text, "target": text, "code": text, "cameo": text, "tone": pl.Enum(TONES),
            "goldstein": number, "file": text, "line": pl.UInt32,
        }
    )  # fmt: skip


def _spool(portions: Iterator[pl.DataFrame], folder: Path, days: Counter[int]) -> tuple[list[Path], float | None]:
    """Write rows to files that are each sorted by day; count rows by day. The files, and the last possible day."""
    runs: list[Path] = []
    lasts: list[float] = []
    waiting: list[pl.DataFrame] = []
    size = 0

    def flush() -> None:
        frame = pl.concat(waiting, how="diagonal").sort("day", maintain_order=True)
        for day, number in frame.group_by(pl.col("day").floor().cast(pl.Int64)).agg(pl.len()).iter_rows():
            days[day] += number
        last = last_possible(frame)
        lasts.extend([] if last is None else [last])
        runs.append(folder / f"run-{len(runs):05}.parquet")
        frame.write_parquet(runs[-1], row_group_size=1 << 16, compression="lz4")
        waiting.clear()

    for portion in portions:
        waiting.append(portion)
        size += portion.height
        if size >= RUN_ROWS:
            flush()
            size = 0
    if waiting:
        flush()
    return runs, max(lasts, default=None)


def _merge(
    runs: list[Path],
    folder: Path,
    days: Counter[int],
    last: float | None,
    options: Options,
    account: Account,
    target: Path,
) -> dict[str, Any]:
    """Take the sorted files apart by days, finish each slice, and join the slices."""
    resolution = _resolution(account)
    first, length = _span(options.window, account, min(days, default=None), last)
    slices: list[Path] = []
    kept = 0
    for low, high in _slices(days, resolution):
        lazy = pl.concat([pl.scan_parquet(run) for run in runs], how="diagonal")
        frame = lazy.filter(pl.col("day") >= low, pl.col("day") < high).collect()
        frame = finished(frame, first, resolution, options.doubles, account)
        kept += frame.height
        slices.append(folder / f"slice-{len(slices):05}.parquet")
        frame.write_parquet(slices[-1])
    if not slices:
        slices.append(folder / "slice-empty.parquet")
        finished(_no_rows(), first, resolution, (), account).write_parquet(slices[0])
    about = {
        "start": first, "days": length, "resolution": resolution, "account": account.as_dict(kept),
        "coverage": account.coverage(), "quarantine": account.quarantined(),
    }  # fmt: skip
    write_slices(slices, target, about)
    account.close()
    return dict(account.as_dict(kept))


def _slices(days: Counter[int], resolution: str) -> Iterator[tuple[float, float]]:
    """Spans of whole days (whole months, where the resolution is a month) of at most RUN_ROWS rows, or one day."""
    low: int | None = None
    size = 0
    month: tuple[int, int] | None = None
    for day in sorted(days):
        date_of = EPOCH + timedelta(days=day)
        new_month = (date_of.year, date_of.month) != month
        if low is not None and size + days[day] > RUN_ROWS and (resolution != "month" or new_month):
            yield float(low), float(day)
            low, size = None, 0
        if low is None:
            low = day
        size += days[day]
        month = (date_of.year, date_of.month)
    if low is not None:
        yield float(low), float("inf")
