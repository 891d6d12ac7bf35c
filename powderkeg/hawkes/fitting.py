"""Fit a plain multivariate Hawkes process: who answers whom, how often, how fast.

In: times by type (arrays, an `EventTable`, a dataframe). Out: a `HawkesFit`.
It is the special case of `pk.fit` without actors, facts and gates, with a number for every pair; the likelihood of days
is the same code, that of exact times has a faster layout, because without gates every type can be climbed alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike
from scipy import sparse

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.errors import Fault, UsageError, as_found, nearest_name, warn
from powderkeg.fit.maximum.newton import one_thread
from powderkeg.hawkes.by_day import DayLikelihood, DayPoint
from powderkeg.hawkes.decays import climb_decays, search
from powderkeg.hawkes.exact import ExactLikelihood, LinkLayout, Point, lay_out
from powderkeg.hawkes.link_selection import CRITERIA, choose_links
from powderkeg.hawkes.proof import Proof, prove
from powderkeg.hawkes.reading import is_number, read_streams, shown
from powderkeg.hawkes.result import HawkesFit
from powderkeg.hawkes.streams import TypeStreams
from powderkeg.model import spectral_radius
from powderkeg.units import LN2
from powderkeg.wording import plain

LONGEST = 0.2
"""Half-lives are sought up to this share of the window: what fades more slowly cannot be told from the background."""
SHORTEST_STAMP = 0.02
"""By day, half-lives are sought from this many stamps."""
ALONE = 10.0
"""So many times the longest wait between events, a silence at the end of the window is asked about,"""
FEWEST = 20
"""of at least so many events."""
MOST_CURVATURES = 1.5e8
"""Second derivatives to keep (types times the square of their links), about a gigabyte."""


def hawkes(
    events: Any,
    types: ArrayLike | Sequence[str] | None = None,
    *,
    decays: float | Sequence[float] | None = None,
    components: int | None = None,
    per_source: bool = False,
    start: Any = None,
    end: Any = None,
    days: float | Sequence[float] | None = None,
    likelihood: str | None = None,
    stamp: float | None = None,
    support: Any = None,
    background: int | Sequence[float] | None = None,
    penalty: float | str | None = None,
    level: float = 0.9,
    time: str = "time",
    by: str | Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> HawkesFit:
    """Estimate rates and mutual excitation: intensity of i = rate_i + sum over earlier events of type j at age u of
    sum_k adjacency_k[j, i] * decay_k * exp(-decay_k * u).

    events       a list (or dict) of arrays of times, one for each type; an array of times with `types`; an EventTable;
                 a dataframe. Order does not matter. Numbers in any unit, from 0 or from `start`; dates and date-times
                 of Python, NumPy, pandas or Polars, in days from the day of the first event or from `start`.
                 Several histories of the same types: a list of such lists (exact times, constant background)
    types        (N,) type of each time, numbers or names
    decays       1/unit of time: None to estimate; a number; several for a sum of exponentials with these decays; with
                 `per_source` one for each type
    components   how many decays each pair has where they are estimated (default 1, shared by all pairs)
    per_source   whether every source has decays of its own
    start, end   where the window begins and ends, on the clock of the times: numbers, or dates (a date is its midnight)
    days         length of the window, instead of `end`; default: up to the last event, which is said. Of several
                 histories one for all, or one for each
    likelihood   "exact" or "day"; by default "day" where the stamps are whole numbers or the table says so
    stamp        width of a stamp, in the unit of time, within which order is unknown (by day: 1)
    support      (C, C) [source, target], dense or scipy.sparse: pairs that may be linked; default all
    background   None: constant; a number: so many pieces of equal length; times: where pieces meet
    penalty      None: maximum likelihood. A number: an L1 penalty on links, in standard deviations of their noise; it
                 shrinks, and there are no errors. "aic", "bic", "ebic": links chosen along the penalty's path, then
                 fitted without it; errors do not know of the choice
    level        of the intervals
    time, by     columns of a table: its times; which make the types (by default source, act, target)
    names        (C,) with a list of arrays: what the types are called

    Raises EventError if the events cannot be read as asked, UsageError for an option that cannot be met.
    Source: Hawkes (1971), Biometrika 58(1), 83-90; the likelihood of days is that of `pk.fit`.
    """
    _check_options(decays, components, per_source, penalty, level)
    slowest = None if decays is None else float(np.min(np.asarray(decays, np.float64)))
    streams = read_streams(
        events, types, start=start, end=end, days=days, likelihood=likelihood, stamp=stamp, time=time, by=by,
        names=names, slowest=slowest,
    )  # fmt: skip
    layout = _layout(streams, support, background, decays, components, per_source)
    known = None if decays is None else _given(decays, layout, per_source) * streams.stamp
    lower, upper = np.log(LN2 / (LONGEST * streams.longest)), np.log(_fastest(streams))
    with one_thread():
        rows = (DayLikelihood if streams.by_day else ExactLikelihood)(streams, layout)
        found = _climbed(rows, known, penalty, float(lower), float(upper))
    cautions = _cautions(found, streams, layout, known is None, float(lower), float(upper))
    cautions += _odd_window(streams)
    if known is not None:
        cautions += _odd_decays(known, float(np.exp(lower)), float(np.exp(upper)), streams.stamp)
    ratio = _ratio(found, layout)
    if ratio >= 1.0:
        cautions.append(f"branching ratio {ratio:.3f}: as fitted, the process grows without end")
    fit = HawkesFit(
        names=streams.names,
        log_likelihood=found.value,
        likelihood=(
            f"stamps of width {streams.stamp:g}, events of one stamp may answer each other (Borel-Tanner)"
            if streams.by_day
            else "exact times"
        ),
        events_used=len(streams.time),
        days=streams.watched * streams.stamp,
        level=level,
        decays_free=known is None,
        converged=found.converged,
        gradient=found.proof.gradient,
        missing=found.proof.missing,
        penalty=penalty,
        path=pl.DataFrame(found.path),
        notes=streams.said,
        warnings=tuple(cautions),
        streams=streams,
        rows=found.rows,
        point=found.point,
        spread=found.proof.spread,
    )
    if not found.converged:
        warn(_unsettled(found, known is None))
    return fit


def _unsettled(found: _Fitted, decays_free: bool) -> str:
    """What to do next, of what can be done."""
    d = found.rows.layout
    ways = []
    if decays_free and d.n_decays > d.n_components:
        ways.append("let all sources share their decays (per_source=False)")
    if decays_free and d.n_components > 1:
        ways.append(f"ask for fewer components than {d.n_components} (`components`)")
    if decays_free:
        ways.append(
            f"give the decays: decays={np.sort(found.point.decay / found.rows.streams.stamp).round(4).tolist()}"
        )
    if len(d.in_column) > d.n_types:
        ways.append("allow fewer pairs (`support`)")
    short = f"{plain(found.proof.missing, 2)} nats" if math.isfinite(found.proof.missing) else "an unknown amount"
    return f"the fit did not settle: its log likelihood may be {short} short of the greatest; " + ", or ".join(
        ways or ["look at the events: are there doubles, or hardly any?"]
    )


@dataclass(frozen=True)
class _Fitted:
    """What either likelihood found. settled: whether the climb over decays came to rest."""

    rows: ExactLikelihood | DayLikelihood
    point: Point | DayPoint
    settled: bool
    proof: Proof
    path: list[dict[str, float]]

    @property
    def value(self) -> float:
        """Log-likelihood without penalty."""
        return self.point.value + float(self.rows.penalty @ self.point.a)

    @property
    def converged(self) -> bool:
        return self.settled and self.proof.holds


def _check_options(
    decays: float | Sequence[float] | None, components: int | None, per_source: bool, penalty: float | str | None,
    level: float,
) -> None:  # fmt: skip
    faults = []
    if not (is_number(level) and 0.0 < level < 1.0):
        faults.append(Fault.at("level", shown(level), "a share between 0 and 1, such as 0.9"))
    if decays is not None:
        try:
            values = np.asarray(decays, np.float64).ravel()
        except (TypeError, ValueError):
            values = np.zeros(0)
        wrong = ~(np.isfinite(values) & (values > 0))
        if len(values) == 0 or wrong.any():
            found = shown(decays) if len(values) == 0 else f"{values[wrong][0]:g}"
            faults.append(Fault.at("decays", found, "numbers above 0, or None to estimate them"))
        if components is not None:
            faults.append(Fault.at("components", f"{components} beside `decays`", "one or the other"))
        if len(values) > 1 and not per_source and len(np.unique(values)) < len(values):
            faults.append(Fault.at("decays", "the same decay twice", "different decays"))
    if components is not None and not (isinstance(components, (int, np.integer)) and components >= 1):
        faults.append(Fault.at("components", repr(components), "a whole number of at least 1"))
    if isinstance(penalty, str) and penalty not in CRITERIA:
        faults.append(
            Fault.at("penalty", repr(penalty), f"a number or one of {', '.join(CRITERIA)}",
                  nearest_name(penalty, CRITERIA))
        )  # fmt: skip
    if not isinstance(penalty, str) and penalty is not None and not (is_number(penalty) and penalty >= 0):
        faults.append(Fault.at("penalty", shown(penalty), f"a number of at least 0 or one of {', '.join(CRITERIA)}"))
    if faults:
        raise UsageError(faults, aftermath="nothing was fitted")


def _layout(
    streams: TypeStreams, support: Any, background: int | Sequence[float] | None, decays: Any, components: int | None,
    per_source: bool,
) -> LinkLayout:  # fmt: skip
    c = streams.n_types
    source, target = _pairs(support, c)
    count = components or 1
    if decays is not None and not per_source:
        count = np.asarray(decays).size
    size = np.bincount(target, minlength=c).astype(np.float64) * count + 1.0
    if (size**2).sum() > MOST_CURVATURES:
        raise UsageError(
            Fault.at("support", f"{len(source) * count:,} links among {c:,} types",
                  "the pairs that can be linked, as a matrix of [source, target] in `support`"),
            aftermath="nothing was fitted",
        )  # fmt: skip
    return lay_out(c, count, per_source, source, target, _cuts(streams, background))


def _pairs(support: Any, c: int) -> tuple[Ints, Ints]:
    if support is None:
        return np.repeat(np.arange(c), c), np.tile(np.arange(c), c)
    try:
        matrix = sparse.coo_array(support, dtype=np.float64)
        found = f"shape {matrix.shape}"
    except (TypeError, ValueError):
        found = as_found(support) if np.ndim(support) == 0 else "no matrix of numbers"
    if found != f"shape {(c, c)}":
        raise UsageError(
            Fault.at("support", found, f"({c}, {c}) [source, target] for {c} types"),
            aftermath="nothing was fitted",
        )
    if not np.isfinite(matrix.data).all():
        raise UsageError(
            Fault.at("support", "entries that are not numbers", "0 where a pair is not to be linked, else 1"),
            aftermath="nothing was fitted",
        )
    matrix.sum_duplicates()  # a pair that is named twice is one link
    keep = matrix.data != 0
    return matrix.row[keep].astype(np.int64), matrix.col[keep].astype(np.int64)


def _cuts(streams: TypeStreams, background: int | Sequence[float] | None) -> Floats:
    """Bounds of the background pieces, in the streams' unit; the last is open."""
    length = streams.days
    if background is not None and streams.windows:
        raise UsageError(
            Fault.at("background", f"pieces for {len(streams.windows)} histories", "a constant background: "
                  "leave `background` out, or fit one history"),
            aftermath="nothing was fitted",
        )  # fmt: skip
    if background is None:
        inner = np.zeros(0)
    elif isinstance(background, (int, np.integer)):
        if background < 1:
            raise UsageError(Fault.at("background", str(background), "at least 1 piece"))
        inner = np.linspace(0.0, length, int(background) + 1)[1:-1]
    else:
        try:
            if isinstance(background, float):
                raise TypeError  # 2.5 pieces, or one time? A time goes in as [2.5]
            inner = np.asarray(background, np.float64).ravel() / streams.stamp
        except (TypeError, ValueError):
            inner = np.full(1, np.nan)
        if not (
            np.isfinite(inner).all() and (np.diff(inner) > 0).all() and (inner > 0).all() and (inner < length).all()
        ):
            raise UsageError(
                Fault.at("background", repr(background), "a whole number of pieces, or rising times inside "
                      f"the window 0 to {length * streams.stamp:g} at which pieces meet"),
                aftermath="nothing was fitted",
            )  # fmt: skip
    if streams.by_day:
        inner = np.unique(np.clip(np.round(inner), 1.0, length - 1.0))
    return np.concatenate([[0.0], inner, [np.inf]])


def _given(decays: Any, layout: LinkLayout, per_source: bool) -> Floats:
    values = np.asarray(decays, np.float64).ravel()
    if per_source and len(values) not in (1, layout.n_types):
        raise UsageError(
            Fault.at("decays", f"{len(values)} decays for {layout.n_types} sources", "one decay for each source"),
            aftermath="nothing was fitted",
        )
    return np.broadcast_to(values, layout.n_decays).astype(np.float64)


def _fastest(streams: TypeStreams) -> float:
    """Decay beyond which events are too far apart to show it."""
    if streams.by_day:
        return LN2 / SHORTEST_STAMP
    gaps = np.diff(streams.time)
    gaps = gaps[gaps > 0]
    usual = 100.0 * len(streams.time) / streams.watched
    return max(usual, 3.0 / float(np.quantile(gaps, 0.01, method="lower"))) if len(gaps) else usual


def _climbed(
    plain: ExactLikelihood | DayLikelihood,
    known: Floats | None,
    penalty: float | str | None,
    lower: float,
    upper: float,
) -> _Fitted:
    """The best point, decays known or not, links charged, chosen or neither."""
    rows, start = plain, None
    path: list[dict[str, float]] = []
    if penalty is not None:
        start = known if known is not None else search(plain, lower, upper)[0].decay
        if isinstance(penalty, str):
            kept, path = choose_links(plain, start, penalty)
            rows = plain.restrict(None, ~kept)
        else:
            rows = plain.restrict(float(penalty) * plain.noise(start), None)
    settled = True
    if known is not None:
        point = rows.climb(known)
    elif start is not None:
        point, settled = climb_decays(rows, np.log(start), lower, upper)
    else:
        point, settled = search(rows, lower, upper)
    theta = np.log(point.decay)
    inside = (theta > lower + 1e-9) & (theta < upper - 1e-9)
    return _Fitted(rows, point, settled, prove(rows, point, inside & (known is None)), path)


def _ratio(found: _Fitted, layout: LinkLayout) -> float:
    matrix = sparse.csr_array(
        (found.point.a[layout.link_places], (layout.link_source, layout.link_target)), shape=(layout.n_types,) * 2
    )
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return float(spectral_radius(matrix))


def _odd_window(streams: TypeStreams) -> list[str]:
    """Silence at the end that no wait between events comes near."""
    if streams.windows:
        return []
    n, last = len(streams.time), float(streams.time[-1])
    silence = streams.days - last
    if n < FEWEST or not silence > max(ALONE * float(np.diff(streams.time).max()), 0.5 * last):
        return []
    return [
        f"nothing happens in the last {plain(silence * streams.stamp, 4)} of {plain(streams.days * streams.stamp, 4)}, "
        f"{ALONE:g} times longer than the longest wait before: if it was not watched so long, or the end is in another "
        "unit than the times, `days` or `end` is wrong, and the silence is explained by excitation"
    ]


def _odd_decays(known: Floats, slowest: float, fastest: float, stamp: float) -> list[str]:
    """Decays that were given and of which these events can say nothing."""
    said = []
    for decay in np.unique(known):
        half_life = plain(LN2 / decay * stamp)
        if decay < slowest:
            said.append(
                f"the half-life {half_life} that was given is longer than {LONGEST:g} of the window: its answers "
                "cannot be told from the background; is the decay in the unit of the times?"
            )
        elif decay > fastest:
            said.append(
                f"the half-life {half_life} that was given is shorter than nearly all waits between events: its "
                "answers cannot be seen; is the decay in the unit of the times?"
            )
    return said


def _cautions(
    found: _Fitted, streams: TypeStreams, layout: LinkLayout, decays_free: bool, lower: float, upper: float
) -> list[str]:
    said = []
    coefficients = found.point.a[layout.link_places]
    if decays_free:
        theta = np.log(found.point.decay)
        used = np.bincount(layout.link_decay, weights=coefficients, minlength=layout.n_decays) > 1e-9
        if not used.any():
            said.append("no excitation was found, so nothing is known of its decay")
        near = 1e-6
        if (used & (theta <= lower + near)).any():
            said.append(
                f"a half-life stands at its longest, {LONGEST:g} of the window: slower excitation cannot be told from "
                "a background that drifts; give the background pieces (`background`), or fix `decays`"
            )
        fastest = found.point.decay[used & (theta < upper - near)].max(initial=0.0)
        if not streams.by_day and fastest > 100.0 * len(streams.time) / streams.watched:
            said.append(
                f"a half-life of {plain(LN2 / fastest)}, more than a hundred times shorter than the usual wait between "
                "events: are there doubles of the same event?"
            )
        if (used & (theta >= upper - near)).any():
            said.append(
                "a half-life stands at its shortest: are there doubles of the same event, or stamps coarser than they "
                "look? See `stamp`, or fix `decays`"
            )
        if layout.n_components > 1 and not layout.n_decays > layout.n_components:
            ratio = np.exp(np.diff(np.sort(theta)))
            if (ratio < 1.3).any():
                said.append("two components have nearly the same decay: one fewer would do")
    counts = streams.counts
    parts = np.diff(layout.start)
    thin = [streams.names[i] for i in np.flatnonzero((counts > 0) & (counts < 3 * parts))]
    if thin and found.proof.spread is not None:
        said.append(
            f"{len(thin)} of {layout.n_types} types have fewer than three events a coefficient (such as {thin[0]}): "
            "their links mean little one by one; allow fewer pairs (`support`) or choose among them (penalty='bic')"
        )
    return said
