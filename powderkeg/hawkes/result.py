"""What a plain fit found: rates, who answers whom, how fast; how sure that is; the model that follows.

In: nothing of its own; `hawkes` fills it. Out: `HawkesFit` and its plain forms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import special

from powderkeg.calls import answered_at
from powderkeg.engine.arrays import Floats
from powderkeg.errors import Fault, UsageError
from powderkeg.events.table import EventTable
from powderkeg.hawkes.by_day import DayLikelihood, DayPoint
from powderkeg.hawkes.exact import ExactLikelihood, Point
from powderkeg.hawkes.residuals import HawkesResiduals, day_residuals, exact_residuals
from powderkeg.hawkes.standard_errors import StandardErrors
from powderkeg.hawkes.streams import TypeStreams
from powderkeg.model import Model, branching_matrix, from_arrays, spectral_radius
from powderkeg.showing import ShowsItself, as_html
from powderkeg.simulate import Runs, simulate
from powderkeg.units import LN2
from powderkeg.wording import bracketed, counted, plain

Masked = np.ma.MaskedArray[Any, np.dtype[np.float64]]
MOST_SHOWN = 24
"""Links that the summary lists."""


@dataclass(frozen=True)
class HawkesFit(ShowsItself):
    """A multivariate exponential process fitted to events. C types, K components, B background pieces.

    Matrices are [source, target], as everywhere in powderkeg: row j says what an event of type j sets off. tick,
    hawkes-rs and hawkes-engine write [target, source]: theirs is `fit.adjacency.T`. Entries are expected direct
    answers; the jump of the intensity that some write as alpha is entry * decay. Times are in the unit of the events.

    names             (C,)
    log_likelihood    at the estimates, without penalty
    likelihood        which likelihood it is, in words
    events_used, days how many events, over how long a window, several histories added up
    level             of the intervals
    decays_free       whether decays were estimated
    converged         whether the maximum is proved, to a hundredth of a nat: see `missing`
    gradient          largest step, in standard errors, that the gradient still asks for: near 0 at the maximum
    missing           nats by which the log likelihood (less penalty) can at most be below its greatest value at these
                      decays (exact times: a duality gap), with what moving unknown decays would still gain; by day
                      what second derivatives say of both
    penalty           what was asked for: None, a number, or "aic", "bic", "ebic"
    path              penalties tried: penalty, links, criterion; empty without a criterion
    notes             what was decided for you, in sentences
    warnings          what to look at next
    """

    names: tuple[str, ...]
    log_likelihood: float
    likelihood: str
    events_used: int
    days: float
    level: float
    decays_free: bool
    converged: bool
    gradient: float
    missing: float
    penalty: float | str | None
    path: pl.DataFrame
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    streams: TypeStreams = field(repr=False)
    rows: ExactLikelihood | DayLikelihood = field(repr=False)
    point: Point | DayPoint = field(repr=False)
    spread: StandardErrors | None = field(repr=False)

    def __repr__(self) -> str:
        return (
            f"HawkesFit({counted(len(self.names), 'type')}, {counted(self.events_used, 'event')}, "
            f"log likelihood {self.log_likelihood:.2f}, branching ratio {self.branching_ratio:.3f})"
        )

    def _repr_html_(self) -> str:
        return as_html(self, self.links())

    # -- estimates -----------------------------------------------------------------------------------------------------

    @property
    def baseline(self) -> Floats:
        """(C,) events of each type per unit of time without a past; (C, B) where the background has pieces."""
        return self._background(self.point.a) / self.streams.stamp

    @property
    def baseline_se(self) -> Masked | None:
        """Standard errors of `baseline`, masked at 0; None under a penalty, where there are none."""
        return None if self.spread is None else _masked(self._background(self.spread.se) / self.streams.stamp)

    @property
    def adjacency(self) -> Floats:
        """(C, C) [source, target]: expected direct answers of type `target` to one event of type `source`."""
        result: Floats = self.components.sum(axis=0)
        return result

    @property
    def components(self) -> Floats:
        """(K, C, C) [component, source, target]: answers by decay; `adjacency` is their sum."""
        return self._links(self.point.a)

    @property
    def adjacency_se(self) -> Masked | None:
        """(C, C), or (K, C, C) with several components: standard errors; masked where there is none: at 0."""
        if self.spread is None:
            return None
        errors = self._links(self.spread.se, np.nan)
        return _masked(errors[0] if len(errors) == 1 else errors)

    @property
    def decay(self) -> Floats:
        """(K,) decay of each component, per unit of time; (K, C) where every source has its own."""
        return self._by_component(self.point.decay) / self.streams.stamp

    @property
    def half_life(self) -> Floats:
        """Time in which excitation falls by half: ln 2 / decay."""
        result: Floats = LN2 / self.decay
        return result

    @property
    def decay_se(self) -> Masked | None:
        """Standard errors of `decay`; masked where it was given or nothing depends on it."""
        if self.spread is None:
            return None
        return _masked(self._by_component(np.sqrt(np.diag(self.spread.decays))) * self.decay)

    @cached_property
    def branching_ratio(self) -> float:
        """Spectral radius of the adjacency: below 1, what follows from one event dies out."""
        return float(spectral_radius(branching_matrix(self.model)))

    @cached_property
    def branching_ratio_se(self) -> float | None:
        """Its standard error by the delta method; None where it is not smooth (no links) or under a penalty."""
        if self.spread is None or self.branching_ratio <= 0:
            return None
        matrix = self.adjacency
        values, right = np.linalg.eig(matrix)
        at = int(np.argmax(values.real))
        _, left = np.linalg.eig(matrix.T)
        other = int(np.argmax(np.linalg.eigvals(matrix.T).real))
        r, m = np.abs(right[:, at].real), np.abs(left[:, other].real)
        if not m @ r > 0:
            return None
        slope = np.outer(m, r) / (m @ r)
        d = self.rows.layout
        weights = np.zeros(d.n_coefficients)
        weights[d.link_places] = slope[d.link_source, d.link_target]
        variance = self.spread.variance(weights)
        return math.sqrt(variance) if math.isfinite(variance) and variance > 0 else None

    @property
    def parameters(self) -> int:
        """Estimates that are free: background, links above 0, decays."""
        links = int((self.point.a[self.rows.layout.link_places] > 0).sum())
        return self._background(self.point.a).size + links + (self.rows.layout.n_decays if self.decays_free else 0)

    @property
    def aic(self) -> float:
        """2 parameters - 2 log likelihood."""
        return 2.0 * self.parameters - 2.0 * self.log_likelihood

    @property
    def bic(self) -> float:
        """log(events) parameters - 2 log likelihood."""
        return math.log(self.events_used) * self.parameters - 2.0 * self.log_likelihood

    def links(self) -> pl.DataFrame:
        """Every pair that was allowed: source, target, half_life, answers, se, low, high (null where there is none)."""
        d = self.rows.layout
        places = d.link_places
        frame = pl.DataFrame(
            {
                "source": np.array(self.names)[d.link_source],
                "target": np.array(self.names)[d.link_target],
                "half_life": LN2 / self.point.decay[d.link_decay] * self.streams.stamp,
                "answers": self.point.a[places],
            },
            schema={"source": pl.String, "target": pl.String, "half_life": pl.Float64, "answers": pl.Float64},
        )
        return self._with_intervals(frame, places, 1.0)

    def rates(self) -> pl.DataFrame:
        """The background: type, piece, rate, se, low, high."""
        d = self.rows.layout
        places = np.flatnonzero(d.is_background)
        frame = pl.DataFrame(
            {
                "type": np.repeat(np.array(self.names), d.n_pieces),
                "piece": np.tile(np.arange(d.n_pieces), len(self.names)),
                "rate": self.point.a[places] / self.streams.stamp,
            }
        )
        return self._with_intervals(frame, places, 1.0 / self.streams.stamp)

    def decays(self) -> pl.DataFrame:
        """Decays: source (null where all share it), half_life, decay, se, low, high; intervals on the log scale."""
        d = self.rows.layout
        decay = self.point.decay / self.streams.stamp
        alone = d.n_decays == d.n_components
        frame = pl.DataFrame(
            {
                "source": [None if alone else self.names[g % d.n_types] for g in range(d.n_decays)],
                "half_life": LN2 / decay,
                "decay": decay,
            },
            schema_overrides={"source": pl.String},
        )
        error = np.full(d.n_decays, np.nan) if self.spread is None else np.sqrt(np.diag(self.spread.decays))
        z = self._z
        return frame.with_columns(
            se=_nulls(error * decay), low=_nulls(decay * np.exp(-z * error)), high=_nulls(decay * np.exp(z * error))
        )

    # -- what follows --------------------------------------------------------------------------------------------------

    @cached_property
    def model(self) -> Model:
        """The model with the estimates in it: what simulates, attributes, and starts another fit."""
        d = self.rows.layout
        places, decay = d.link_places, self.point.decay / self.streams.stamp
        matrices, values = [], []
        for g in range(d.n_decays):
            mine = np.flatnonzero(d.link_decay == g)
            matrix = np.zeros((d.n_types, d.n_types))
            matrix[d.link_source[mine], d.link_target[mine]] = self.point.a[places[mine]]
            matrices.append(matrix)
            values.append(decay[g])
        rates = self._background(self.point.a) / self.streams.stamp
        if d.n_pieces == 1:
            return from_arrays(rates, matrices, values, names=self.names)
        made = from_arrays(np.ones(d.n_types), matrices, values, names=self.names)
        steps = np.append(-np.inf, d.cut[1:-1] * self.streams.stamp)
        system = made.system._replace(
            profile=np.arange(d.n_types),
            profile_start=np.arange(d.n_types + 1) * d.n_pieces,
            step_time=np.tile(steps, d.n_types),
            step_value=rates.ravel(),
            profile_swing=np.zeros(d.n_types),
            profile_peak=np.zeros(d.n_types),
        )
        return replace(made, system=system)

    @cached_property
    def event_table(self) -> EventTable:
        """The events that were fitted, as `pk.fit` and attribution take them with `model` (types stand in `act`)."""
        s = self.streams
        if s.windows:
            raise UsageError(
                Fault.at("event_table", f"{len(s.windows)} histories", "one history: fit it by itself, or "
                      "take `model` with a table of your own")
            )  # fmt: skip
        nobody = pl.lit(None, dtype=pl.String)
        frame = pl.DataFrame({"time": s.time * s.stamp, "act": np.array(s.names)[s.kind]}).with_columns(
            source=nobody, target=nobody
        )
        return EventTable(frame, s.start, self.days, "day" if s.by_day and s.stamp == 1.0 else "exact")

    def simulate(self, days: float | None = None, replicates: int = 1, seed: int = 1, **options: Any) -> Runs:
        """Histories of the fitted process over `days` (default: the fitted window, or the longest);
        see `powderkeg.simulate`."""
        return answered_at(simulate, "HawkesFit.simulate", own=1)(
            self.model,
            days=self.streams.longest * self.streams.stamp if days is None else days,
            replicates=replicates,
            seed=seed,
            **options,
        )

    def residuals(self) -> HawkesResiduals:
        """Tests of whether the events behave as the fitted process would have them."""
        if isinstance(self.rows, DayLikelihood):
            assert isinstance(self.point, DayPoint)
            return day_residuals(self.rows, self.point)
        assert isinstance(self.point, Point)
        return exact_residuals(self.rows, self.point)

    # -- telling -------------------------------------------------------------------------------------------------------

    def as_dict(self) -> dict[str, Any]:
        """The fit as plain data; numbers that do not exist are None, never not-a-number."""
        return {
            "types": list(self.names),
            "baseline": _plain(self.baseline),
            "baseline_se": _plain(self.baseline_se),
            "adjacency": _plain(self.adjacency),
            "adjacency_is": "[source][target], expected direct answers",
            "components": _plain(self.components),
            "adjacency_se": _plain(self.adjacency_se),
            "decay": _plain(self.decay),
            "decay_se": _plain(self.decay_se),
            "half_life": _plain(self.half_life),
            "branching_ratio": self.branching_ratio,
            "branching_ratio_se": self.branching_ratio_se,
            "log_likelihood": self.log_likelihood,
            "likelihood": self.likelihood,
            "parameters": self.parameters,
            "aic": self.aic,
            "bic": self.bic,
            "events_used": self.events_used,
            "days": self.days,
            "level": self.level,
            "penalty": self.penalty,
            "path": self.path.to_dicts(),
            "converged": self.converged,
            "gradient": self.gradient,
            "missing": self.missing if math.isfinite(self.missing) else None,
            "notes": list(self.notes),
            "warnings": list(self.warnings),
        }

    def summary(self) -> str:
        """The fit in words and tables."""
        said = f" (se {self.branching_ratio_se:.3f})" if self.branching_ratio_se is not None else ""
        several = f" in {len(self.streams.windows)} histories" if self.streams.windows else ""
        lines = [
            f"{self.events_used:,} events of {len(self.names)} types over {plain(self.days, 6)}{several}; "
            f"likelihood: {self.likelihood}",
            f"log likelihood {self.log_likelihood:.2f}; branching ratio {self.branching_ratio:.3f}{said}",
        ]
        for row in self.decays().head(MOST_SHOWN).iter_rows(named=True):
            of = f" of {row['source']}" if row["source"] is not None else ""
            how = _span(row, f", {100 * self.level:.0f} % interval ") if self.decays_free else " (given)"
            if self.decays_free and self.spread is not None and not how:
                how = " (not told by the events)"
            lines.append(f"half-life{of} {plain(row['half_life'], 4)}: decay {plain(row['decay'], 4)}{how}")
        percent = f"{100 * self.level:.0f} % interval"
        width = max(len(name) for name in (*self.names, "background"))
        lines += ["", f"{'background':<{width}}  {'rate':>10}  {'se':>9}  {percent}"]
        for row in self.rates().head(MOST_SHOWN).iter_rows(named=True):
            lines.append(f"{row['type']:<{width}}  {plain(row['rate'], 4):>10}  {_number(row['se']):>9}  {_span(row)}")
        links = self.links().filter(pl.col("answers") > 0).sort("answers", descending=True)
        lines += ["", f"{'from':<{width}}  {'to':<{width}}  {'answers':>10}  {'se':>9}  {percent}"]
        for row in links.head(MOST_SHOWN).iter_rows(named=True):
            lines.append(
                f"{row['source']:<{width}}  {row['target']:<{width}}  {plain(row['answers'], 4):>10}  "
                f"{_number(row['se']):>9}  {_span(row)}"
            )
        total = len(self.rows.layout.in_column)
        hidden = max(0, links.height - MOST_SHOWN)
        lines.append(
            (f"and {hidden:,} weaker links; " if hidden else "")
            + f"{total - links.height:,} of {total:,} links are at 0"
        )
        for text in self.notes:
            lines += ["", f"note: {text}"]
        for text in self.warnings:
            lines += ["", f"look at: {text}"]
        return "\n".join(lines)

    # -- shapes --------------------------------------------------------------------------------------------------------

    @property
    def _z(self) -> float:
        return float(special.ndtri(0.5 + 0.5 * self.level))

    def _background(self, values: Floats) -> Floats:
        d = self.rows.layout
        pieces = values[d.is_background].reshape(d.n_types, d.n_pieces)
        return pieces[:, 0] if d.n_pieces == 1 else pieces

    def _links(self, values: Floats, rest: float = 0.0) -> Floats:
        d = self.rows.layout
        result = np.full((d.n_components, d.n_types, d.n_types), rest)
        result[d.in_column // d.n_types, d.link_source, d.link_target] = values[d.link_places]
        return result

    def _by_component(self, values: Floats) -> Floats:
        d = self.rows.layout
        return values.reshape(d.n_components, -1) if d.n_decays > d.n_components else values

    def _with_intervals(self, frame: pl.DataFrame, places: NDArray[np.int64], unit: float) -> pl.DataFrame:
        if self.spread is None:
            nothing = pl.lit(None, dtype=pl.Float64)
            return frame.with_columns(se=nothing, low=nothing, high=nothing)
        low, high = self.spread.ends(self._z)
        return frame.with_columns(
            se=_nulls(self.spread.se[places] * unit), low=_nulls(low[places] * unit), high=_nulls(high[places] * unit)
        )


def _masked(values: Floats) -> Masked:
    """Numbers that do not exist are masked, so that sums and prints pass them by instead of turning into nothing."""
    hidden: Masked = np.ma.masked_invalid(values)
    hidden.set_fill_value(np.nan)
    return hidden


def _nulls(values: Floats) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64).fill_nan(None)


def _plain(values: Floats | Masked | None) -> Any:
    if values is None:
        return None
    values = np.ma.filled(values, np.nan)
    if values.ndim > 1:
        return [_plain(row) for row in values]
    return [float(v) if math.isfinite(v) else None for v in values]


def _number(value: float | None) -> str:
    return "" if value is None else plain(value)


def _span(row: dict[str, Any], before: str = "") -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f"{before}{bracketed(row['low'], row['high'], 4)}"
