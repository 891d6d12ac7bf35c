"""What a forecast says, and what stands behind it.

In: nothing of its own; `forecasting` fills it. Out: `Forecast`, and its plain forms for tables, JSON and files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from powderkeg.errors import Fault, UsageError, nearest_name
from powderkeg.events.table import EventTable
from powderkeg.forecast.answers import carriers, facts_now, first_days, origins_of_risk, outcome_table
from powderkeg.forecast.counts import ActsAhead, Units, acts_ahead, acts_of, by_day, daily, summary, units_of
from powderkeg.forecast.drawing import Ahead, Draughtsman
from powderkeg.forecast.fan import fan
from powderkeg.forecast.interventions import changes
from powderkeg.forecast.pool import Pool
from powderkeg.forecast.seen import Watched
from powderkeg.forecast.standoffs import open_since
from powderkeg.model import Model
from powderkeg.scenario import digest
from powderkeg.showing import Plotted, as_html
from powderkeg.version import __version__
from powderkeg.wording import counted

LEAST_SHARE = 0.005
"""Share of the acts ahead below which an act seen is not named in `as_dict`."""


@dataclass(frozen=True)
class Forecast(Plotted):
    """Histories ahead from what was known at the origin.

    origin     first day that is foretold
    days       how many
    draws      how many histories; worlds: name of each world that was lived through, the first without anything done
    notes      what was assumed, in sentences
    warnings   what to look at next
    pool       the draws that counts are told from, of the model and of weighted means; None: the model's alone
    """

    model: Model
    events: EventTable
    seen: Watched
    origin: date
    days: int
    draws: int
    seed: int
    level: float
    worlds: Mapping[str, Ahead]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    parameters: str
    drawer: Draughtsman = field(repr=False)
    pool: Pool | None = None

    def _repr_html_(self) -> str:
        return as_html(self, self.outcomes)

    def __repr__(self) -> str:
        return f"Forecast(from {self.origin}, {counted(self.days, 'day')}, {counted(self.draws, 'draw')})"

    @property
    def drawn(self) -> Ahead:
        """The world in which nothing is done."""
        return next(iter(self.worlds.values()))

    @property
    def end(self) -> date:
        """Last day that is foretold."""
        return self.origin + timedelta(days=self.days - 1)

    @property
    def exploded(self) -> float:
        """Share of draws that were stopped at the limit of acts."""
        return float(self.drawn.runs.exploded.mean())

    def units(self, by: str = "dyad") -> Units:
        return units_of(self.model, by)

    @cached_property
    def ahead(self) -> ActsAhead:
        """The acts that counts are told from: of the pool, where there is one."""
        return acts_ahead(self.drawn.runs) if self.pool is None else self.pool.ahead

    def counts(self, by: str = "dyad", world: str | None = None) -> np.ndarray[Any, np.dtype[np.int32]]:
        """(draws, days, units) acts of each draw by day; `units(by)` names the units.

        world  its histories as the model has them; a weighted mean knows of none
        """
        return daily(self.ahead if world is None else acts_ahead(self.worlds[world].runs), self.units(by))

    @cached_property
    def dyads(self) -> pl.DataFrame:
        """One row a directed dyad: source, target, mean, sd, quantiles of its acts, chance of any, likely first day."""
        return summary(self.ahead, self.units("dyad"))

    @cached_property
    def classes(self) -> pl.DataFrame:
        """The same by class of act: words or deeds, cooperation or conflict."""
        return summary(self.ahead, self.units("class"))

    @cached_property
    def daily(self) -> pl.DataFrame:
        """The same by dyad and day; columns total_... count all days up to it."""
        return by_day(self.ahead, self.units("dyad"))

    @cached_property
    def outcomes(self) -> pl.DataFrame:
        """Outcomes of the scenario and a new standoff: chance, low, high, mean, when first."""
        return outcome_table(first_days(self.model, self.drawn.runs, self.seen), self.seen, self.level)

    @cached_property
    def standoff_since(self) -> date | None:
        """First day of the standoff that is open at the origin, None where none is."""
        return open_since(self.model, self.seen) if self.model.scenario is not None else None

    @cached_property
    def facts(self) -> pl.DataFrame:
        """Facts and ties as they stand at the origin, with chances where nobody reports them."""
        return facts_now(self.model, self.drawn.level)

    def fan(self, before: int = 60, after: EventTable | None = None, most: int | None = None) -> pl.DataFrame:
        """Acts in the week up to each day, for each dyad, the busiest ahead first: what `plots.fans` draws.

        before  days before the origin that are shown
        most    how many dyads; by default all
        after   what came, where that is known: a table that reaches beyond the origin

        Raises UsageError for a number below 0.
        """
        return fan(self.model, self.seen, self.ahead, self.units("dyad"), self.level, before, after, most)

    def why(self, source: str | None = None, target: str | None = None) -> pl.DataFrame:
        """Acts seen that acts ahead go back to, of all or of one directed dyad.

        Raises UsageError for somebody who does nothing in the model, or to whom nothing is done.
        """
        return carriers(self.model, self.drawn, self.events, self._mask(source, target))

    def _mask(self, source: str | None, target: str | None) -> Any:
        if source is None and target is None:
            return None
        acts = [c for c in self.model.channels if c.kind == "act"]
        faults = [
            Fault.at(end, f"unknown actor {name!r}", f"one that is the {end} of an act", nearest_name(name, known))
            for end, name in (("source", source), ("target", target))
            if name is not None and name not in (known := list(dict.fromkeys(getattr(c, end) for c in acts)))
        ]
        if faults:
            raise UsageError(faults)
        return np.array(
            [source in (None, c.source) and target in (None, c.target) and c.kind == "act" for c in self.model.channels]
        ).astype(np.int64)

    @cached_property
    def changes(self) -> pl.DataFrame:
        """What each intervention changes, on paired draws: outcome by outcome and by dyad.

        columns  intervention, name, title, without, with, difference, low, high (paired interval at `level`)
        """
        return changes(self.model, self.worlds, self.seen, self.level)

    def table(self, world: str | None = None) -> EventTable:
        """The acts of all draws by name, `replicate` the draw; `history` the row of the act it goes back to."""
        from dataclasses import replace

        drawn = self.drawn if world is None else self.worlds[world]
        made = drawn.runs.table(acts_only=False)
        acts = made.frame.with_columns(history=pl.Series(np.where(drawn.root >= 0, drawn.root, -1)))
        acts = acts.filter(pl.Series(drawn.runs.channel < self.model.n_acts))
        return replace(made, frame=acts)

    def as_dict(self) -> dict[str, Any]:
        """The forecast as plain data, for `--json`."""
        shares = origins_of_risk(self.model, self.drawn)
        acts = [_plain(row) for row in self.why().to_dicts() if row["share"] >= LEAST_SHARE]
        return {
            "origin": self.origin.isoformat(),
            "horizon_days": self.days,
            "end": self.end.isoformat(),
            "draws": self.draws,
            "seed": self.seed,
            "version": __version__,
            "scenario": None if self.model.scenario is None else self.model.scenario.name,
            "digest": None if self.model.scenario is None else digest(self.model.scenario),
            "parameters": self.parameters,
            "pool": None if self.pool is None else self.pool.as_dict(),
            "outcomes": [_plain(row) for row in self.outcomes.to_dicts()],
            "standoff_since": None if self.standoff_since is None else self.standoff_since.isoformat(),
            "dyads": [_nested(row) for row in self.dyads.to_dicts()],
            "classes": [_nested(row) for row in self.classes.to_dicts()],
            "why": {**shares, "acts_seen": acts, "facts": self.facts.to_dicts()},
            "changes": [_plain(row) for row in self.changes.to_dicts()] if len(self.worlds) > 1 else [],
            "background": self._background(),
            "exploded": self.exploded,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }

    def _background(self) -> dict[str, Any]:
        ground = self.drawn.ground
        return {
            "acts_a_day": float(ground.level.sum()),
            **ground.drift._asdict(),
            "weekdays": [float(x) for x in ground.week[:7]],
        }

    def draws_frame(self) -> pl.DataFrame:
        """Acts by draw, dyad, class and day: only where there are any. In a pool some draws are a weighted mean's."""
        units = self.units("class")
        draw, day, unit, acts = acts_of(self.ahead, units)
        names = units.names()
        columns: dict[str, Any] = {"draw": draw, "day": day + 1}
        columns["date"] = pl.Series([self.origin] * 1, dtype=pl.Date).gather([0] * len(day)).dt.offset_by("0d")
        columns |= {key: pl.Series(values).gather(unit) for key, values in names.items()}
        frame = pl.DataFrame(columns | {"acts": acts})
        return frame.with_columns(date=pl.col("date") + pl.duration(days=pl.col("day") - 1))


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, date) else value for key, value in row.items()}


def _nested(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose columns q05, q50, ... come together as `quantiles`."""
    quantiles = {f"{int(key[1:]) / 100:g}": value for key, value in row.items() if key[:1] == "q" and key[1:].isdigit()}
    rest = {key: value for key, value in row.items() if not (key[:1] == "q" and key[1:].isdigit())}
    return {**rest, "quantiles": quantiles}


Tell = Callable[[float], None]
