"""Does a scenario answer to the dated record, line by line?

In: a scenario or model, and a record: a table of dated standoffs with what its columns mean. Out: a `Record`, one line
for each number: the record's value with its sampling interval, the model's value with the range of single histories of
the record's length, and whether they agree. Both come out of the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.analyze import LEVEL, channel_mask, episodes
from powderkeg.analyze.outcomes import told_by_dead
from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, PowderkegError, UsageError, nearest_name
from powderkeg.model import Model
from powderkeg.model import compile as compile_scenario
from powderkeg.scenario import Scenario, digest, load
from powderkeg.score.definition import AFTERMATH, PLAIN, Line, Mark, RecordFile, Window, load_record, names
from powderkeg.score.lines import sampling, spelt_out, values
from powderkeg.score.table import read_table
from powderkeg.showing import Plotted, as_html, progress_shown
from powderkeg.simulate import simulate
from powderkeg.wording import counted


@dataclass(frozen=True)
class RecordLine:
    """One number of the record and the model's.

    record, record_low, record_high  the record's value and its sampling interval; None where it cannot be computed
    model, model_low, model_high     mean over simulated histories of the record's length, and the central range of
                                     single histories
    agrees                           the model's value lies in the record's interval
    record_in_model                  the record's value lies in the range of the model's histories
    used                             "tuned" where numbers of the scenario were fitted or moved to this line, "in view"
                                     where it was known when they were set: agreeing is no test then; "" otherwise
    """

    name: str
    title: str
    record: float | None
    record_low: float | None
    record_high: float | None
    model: float | None
    model_low: float | None
    model_high: float | None
    agrees: bool
    record_in_model: bool
    note: str
    used: str = ""

    @property
    def verdict(self) -> str:
        """In words."""
        if self.model is None:
            return "the model gives no number"
        if self.record is None or self.record_low is None or self.record_high is None:
            return "the record gives no interval"
        if self.agrees:
            return "agrees"
        side, edge = ("low", self.record_low) if self.model < self.record_low else ("high", self.record_high)
        rare = "" if self.record_in_model else ", and few of its histories look like the record"
        bound = "at least" if side == "low" else "at most"
        return f"model too {side}: {_shown(self.model)}, the record allows {bound} {_shown(edge)}{rare}"


def used_in_words(used: Sequence[str]) -> str:
    """How many lines of a record are no test of the scenario, and why; nothing where all are."""
    tuned, seen = used.count(TUNED), used.count(IN_VIEW)
    if not tuned and not seen:
        return ""
    told = [
        *([f"{tuned} of them were used to tune the scenario"] if tuned else []),
        *([f"{seen} were in view when it was written"] if seen else []),
    ]
    rest = len(used) - tuned - seen
    return f"{', '.join(told)}: that they agree is no test. " + (f"Unseen: {rest}." if rest else "None was unseen.")


TUNED, IN_VIEW = "tuned", "in view"


@dataclass(frozen=True)
class Record(Plotted):
    """A scenario held against a record.

    histories   simulated histories of the record's length
    standoffs   dated standoffs in the record
    """

    title: str
    about: str
    window: Window
    standoffs: int
    histories: int
    seed: int
    level: float
    digest: str | None
    lines: tuple[RecordLine, ...]

    def __repr__(self) -> str:
        used = [line.used for line in self.lines]
        told = [f"{used.count(how)} {how}" for how in (TUNED, IN_VIEW) if how in used]
        beside = f"; {', '.join(told)}: no test of the scenario" if told else ""
        return f"Record({self.title}: {self.agreeing} of {counted(len(self.lines), 'line')} agree{beside})"

    def _repr_html_(self) -> str:
        return as_html(self, self.frame())

    @property
    def agreeing(self) -> int:
        return sum(line.agrees for line in self.lines)

    @property
    def verdict(self) -> str:
        """In words."""
        share = f"{100 * self.level:.0f} %"
        told = f"{self.agreeing} of {len(self.lines)} lines agree within the record's {share} interval."
        return f"{told} {words}" if (words := used_in_words([line.used for line in self.lines])) else told

    def as_dict(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {
            "title": self.title,
            "from": self.window.from_.isoformat(),
            "to": self.window.to.isoformat(),
            "standoffs": self.standoffs,
            "histories": self.histories,
            "seed": self.seed,
            "level": self.level,
            "digest": self.digest,
            "agreeing": self.agreeing,
            "verdict": self.verdict,
            "lines": [{**asdict(line), "verdict": line.verdict} for line in self.lines],
        }

    def frame(self) -> pl.DataFrame:
        """The lines as a frame."""
        return pl.DataFrame([asdict(line) for line in self.lines])

    def __str__(self) -> str:
        heads = ("line", "record", "interval", "model", "range", "verdict")
        rows = [
            (
                line.title,
                _shown(line.record),
                _range(line.record_low, line.record_high),
                _shown(line.model),
                _range(line.model_low, line.model_high),
                line.verdict,
            )
            for line in self.lines
        ]
        widths = [max(len(row[k]) for row in [heads, *rows]) for k in range(len(heads))]
        table = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in [heads, *rows]]
        return "\n".join([*table, self.verdict])


def record(
    scenario: str | Path | Scenario | Model = "north-kosovo",
    *,
    against: str | Path | None = None,
    table: str | Path | None = None,
    replicates: int = 1000,
    seed: int = 1,
    workers: int | None = None,
    level: float = LEVEL,
    progress: Callable[[float], None] | None = None,
) -> Record:
    """Hold a scenario against a record.

    against     name of a built-in record, or a record file; by default the built-in record of the scenario's name
    table       a table of standoffs instead of the record's own; with no `against`, lines that any table has
    replicates  histories to simulate, each as long as the record's window and starting with it

    Raises UsageError if there is no such record or a mark names an act or actor that the scenario does not have,
    EventError if the record or its table is at fault, ScenarioError if the scenario is.
    """
    progress = progress_shown(progress, "holding against the record")
    if replicates < 1 or not 0 < level < 1:
        raise UsageError(f"{replicates} histories at level {level}; expected at least 1, and a level between 0 and 1")
    model = _model(scenario)
    definition, place = load_record(_name_of_record(model, against, table))
    if table is not None:
        place = Path(table)
    if place is None:
        raise UsageError(Fault(str(against), None, "table", "no table of standoffs", "a table beside it"), AFTERMATH)
    recorded, window = read_table(place, definition.marks, definition.window)
    model = _starting(model, window)
    masks = mark_masks(model, definition.marks)
    runs = simulate(
        model, days=float(window.days), replicates=replicates, seed=seed, workers=workers, progress=progress
    )
    simulated, replicates = episodes(runs, marks=masks), runs.replicates
    lines = compare_lines(definition, recorded, simulated, window, replicates, level)
    if model.scenario is not None and place is not None and place.stem == model.scenario.name:
        lines = _marked(lines, definition)
    identity = None if model.scenario is None else digest(model.scenario)
    return Record(definition.title, definition.about, window, recorded.height, replicates, seed, level, identity, lines)


def _marked(lines: tuple[RecordLine, ...], definition: RecordFile) -> tuple[RecordLine, ...]:
    """The lines with what the scenario of the record knew of them when its numbers were set."""
    return tuple(replace(line, used=used_of(definition, line.name)) for line in lines)


def used_of(definition: RecordFile, name: str) -> str:
    """What the scenario of the record knew of a line when its numbers were set, see `RecordLine.used`."""
    own = [line for line in definition.lines if name == line or name.startswith(f"{line}_")]
    is_tuned = any(line in definition.tuned for line in own if name == line or definition.lines[line].each)
    return TUNED if is_tuned else IN_VIEW if definition.in_view else ""


def compare_lines(
    definition: RecordFile,
    recorded: pl.DataFrame,
    simulated: pl.DataFrame,
    window: Window,
    replicates: int,
    level: float = LEVEL,
) -> tuple[RecordLine, ...]:
    """Each line of a record, from dated and from simulated standoffs."""
    found = spelt_out(definition.lines, recorded)
    return tuple(
        _line(name, line, recorded, values(line, simulated, replicates, window.days), window, level)
        for name, line in found.items()
    )


def mark_masks(model: Model, marks: Mapping[str, Mark]) -> dict[str, NDArray[np.bool_]]:
    """For each mark the channels whose acts are meant. Raises UsageError, naming the mark, for unknown names."""
    faults: list[Fault] = []
    masks = {}
    for name, mark in marks.items():
        mask = np.zeros(len(model.channels), dtype=bool)
        for pattern in mark.acts:
            try:
                mask |= channel_mask(model, pattern)
                if (odd := np.flatnonzero(told_by_dead(model, pattern))).size:
                    acts = ", ".join(sorted({model.channels[c].act for c in odd}))
                    found = f"{', '.join(pattern.hurts)}, which a law of deaths tells event by event"
                    raise UsageError(Fault.at("hurts", found, f"acts by name (does), of these: {acts}"))
            except PowderkegError as error:
                faults += [replace(fault, path=f"marks.{name}.acts.{fault.path}") for fault in error.faults]
        masks[name] = mask
    if faults:
        raise UsageError(faults, AFTERMATH)
    return masks


def _model(scenario: str | Path | Scenario | Model) -> Model:
    if isinstance(scenario, Model):
        return scenario
    return compile_scenario(scenario if isinstance(scenario, Scenario) else load(scenario))


def own_record(model: Model) -> str | None:
    """Name of the built-in record that a scenario is held against without being asked for; None where there is none.

    That of the scenario's name, if it knows whom the record speaks of: another scenario may bear the same name.
    """
    name = "" if model.scenario is None else model.scenario.name
    if name not in names():
        return None
    definition, _ = load_record(name)
    try:
        mark_masks(model, definition.marks)
    except UsageError:
        return None
    chosen = (part for line in definition.lines.values() for part in (line.rate, line.share, line.of))
    openers = {opener for selection in chosen if selection is not None for opener in selection.opener}
    actors = set() if model.scenario is None else set(model.scenario.actors)
    return name if not openers or openers & actors else None


def _name_of_record(model: Model, against: str | Path | None, table: str | Path | None) -> str | Path:
    if against is not None:
        return against
    name = model.scenario.name if model.scenario is not None else "bare arrays"
    if table is not None:
        return PLAIN
    if name not in names():
        found = f"no built-in record for scenario {name!r}"
        expected = f"a record file or a table of standoffs; built-in records are {', '.join(names())}"
        raise UsageError(Fault.of(found, expected, nearest_name(name, names())), AFTERMATH)
    return name


def _starting(model: Model, window: Window) -> Model:
    """The model with its clock set to the first day of the record, so that dated steps fall on their days."""
    if model.scenario is None or model.scenario.start == window.from_:
        return model
    return compile_scenario(replace(model.scenario, start=window.from_))


def _line(name: str, line: Line, recorded: pl.DataFrame, simulated: Floats, window: Window, level: float) -> RecordLine:
    own, how = sampling(line, recorded, window.days, level)
    known = simulated[np.isfinite(simulated)]
    tail = (1.0 - level) / 2.0
    model = low = high = None
    if len(known):
        model = float(known.mean())
        low, high = (float(x) for x in np.quantile(known, [tail, 1.0 - tail]))
    agrees = None not in (model, own.low, own.high) and own.low <= model <= own.high  # type: ignore[operator]
    inside = None not in (own.mean, low, high) and low <= own.mean <= high  # type: ignore[operator]
    notes = [how, *([line.note] if line.note else [])]
    if len(known) < len(simulated):
        notes.append(f"{len(simulated) - len(known)} histories give no number")
    return RecordLine(name, line.title, own.mean, own.low, own.high, model, low, high, agrees, inside, "; ".join(notes))


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _range(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{_shown(low)} to {_shown(high)}"
