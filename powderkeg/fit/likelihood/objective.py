"""The log-likelihood as a function of its parameters, for exact times and for days alike.

In: a `Design` and events as arrays. Out: an `Objective` for given decays: value, gradient and Hessian in the linear
parameters (rates and answers, >= 0) and the log parameters (logs of gate factors, course of the background).
Events that no term can explain are set aside and kept as `unexplained`; the fit reports them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import special

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.likelihood.day import DayRows, day_pass
from powderkeg.engine.likelihood.day_calendar import repeating_terms
from powderkeg.engine.likelihood.day_filtered import Replies, Trail, hidden_day_pass, no_trail
from powderkeg.engine.likelihood.day_value import bend_days, evaluate_days
from powderkeg.engine.likelihood.design import Design
from powderkeg.engine.likelihood.exact import Rows, bend_rows, evaluate_rows, exact_pass
from powderkeg.engine.likelihood.exact_filtered import count_steps, hidden_pass
from powderkeg.engine.likelihood.filtered_facts import Drift
from powderkeg.fit.likelihood.terms import Terms


class Unseen(NamedTuple):
    """Acts that are expected beside those that were seen: causes of others like them.

    What stands in a piece of time may rest on what was seen before it, but not on what was seen within it or later:
    an act would else be set off by an unseen one that it called up itself.

    edge     (K + 1,) bounds of the pieces of time: days, or at exact times events and parts of days
    mass     (K, C) acts of each piece that the past lets expect
    told     (K, C, M) what the acts seen in it (at its start, at exact times) tell of unseen ones before: more or fewer
             causes by each mechanism; (K, C, 1) zeros where that is not kept
    foretold (K, C) by day, those that the morning let expect, which alone may set off acts of the same day
    """

    edge: Floats
    mass: Floats
    told: Floats
    foretold: Floats

    @property
    def causes(self) -> Floats:
        """(K, C, M or 1) acts of each piece, as causes of what comes later."""
        return np.asarray(self.mass[:, :, None] + self.told)

    def within(self, days: float) -> Unseen:
        """For a window that ends earlier or later; after what is known none are expected."""
        n = int(np.searchsorted(self.edge, days - 1e-9))
        if n < len(self.edge):
            return Unseen(self.edge[: n + 1], self.mass[:n], self.told[:n], self.foretold[:n])
        more = np.arange(self.edge[-1] + 1.0, np.ceil(days) + 0.5)
        mass, told, foretold = (
            np.concatenate([known, np.zeros((len(more), *known.shape[1:]))])
            for known in (self.mass, self.told, self.foretold)
        )
        return Unseen(np.append(self.edge, more), mass, told, foretold)


class Data(NamedTuple):
    """Events as arrays. `time` in days (whole numbers where `by_day`), sorted; before 0 is history.

    first, last  (N,) days on which an event may have happened, where the source does not know the day of every event;
                 `time` is then one of them for each
    worth        (N,) how many acts an event stands for as a cause of others, where a source sees less on some days than
                 on others or tells one act several times; None: one each
    worth_now    (N,) the same for answers of the same day, which may not rest on how often the day told of it
    unseen       acts that are expected beside those that were seen, causes of others like them; None: all were seen
    """

    time: Floats
    channel: Ints
    days: float
    by_day: bool
    first: Ints | None = None
    last: Ints | None = None
    worth: Floats | None = None
    worth_now: Floats | None = None
    unseen: Unseen | None = None


def both_worths(data: Data) -> Floats | None:
    """(2, N) worth of each event on later days and on its own; None where each is one act."""
    if data.worth is None:
        return None
    return np.stack([data.worth, data.worth if data.worth_now is None else data.worth_now])


PARTS_OF_DAY = 4
"""Parts of a day within which unseen acts are taken to have happened at one time, at exact times."""


def pieces_of_time(data: Data) -> Floats:
    """Bounds of the pieces of time in which unseen acts are counted: within one nothing is seen, but by day."""
    if data.by_day:
        return np.arange(round(data.days) + 1.0)
    parts = np.append(np.arange(0.0, data.days, 1.0 / PARTS_OF_DAY), data.days)
    return np.asarray(np.unique(np.concatenate([parts, data.time[data.time >= 0.0]])))


def causes_in_time(data: Data, now: bool = False) -> tuple[Floats, Ints, Floats, Ints]:
    """(time, channel, worth, number) of everything that acts on what comes later, in order.

    worth   (N, M) acts that each stands for by each mechanism, or (N, 1) by all
    now     by day, what acts on others of its own day
    number  index of the event, -1 for acts that were not seen
    """
    worth = np.ones(len(data.time)) if data.worth is None else data.worth
    if now and data.worth_now is not None:
        worth = data.worth_now
    number = np.arange(len(data.time))
    worth = worth[:, None]
    if data.unseen is None:
        return data.time, data.channel, worth, number
    mass = data.unseen.foretold[:, :, None] if now else data.unseen.causes
    piece, channel = np.nonzero((data.unseen.causes != 0.0).any(axis=2))
    edge = data.unseen.edge
    at = edge[piece] if data.by_day else 0.5 * (edge[piece] + edge[piece + 1])
    inside = at < data.days
    at, piece, channel = at[inside], piece[inside], channel[inside]
    time = np.concatenate([data.time, at])
    order = np.argsort(time, kind="stable")
    every = np.concatenate([data.channel, channel])
    worth = np.concatenate([np.broadcast_to(worth, (len(worth), mass.shape[2])), mass[piece, channel]])
    number = np.concatenate([number, np.full(len(at), -1)])
    return time[order], every[order].astype(np.int64), worth[order], number[order]


class Likelihood(Protocol):
    """What a climb asks of a likelihood at given decays: `Objective`, and those with something integrated out."""

    @property
    def terms(self) -> Terms: ...
    @property
    def rows(self) -> Rows | DayRows: ...
    @property
    def unexplained(self) -> Ints: ...
    @property
    def weight(self) -> Floats: ...
    def evaluate(self, parameters: Floats, curved: bool = True) -> tuple[float, Floats, Floats]:
        """(value, gradient, Hessian)"""

    def decay_gradient(self, parameters: Floats, kernel_start: Ints) -> Floats:
        """(kernel components,)"""

    def expected(self, parameters: Floats) -> Floats:
        """(T,) expected count of every term."""

    def with_answers_of(self, other: Self, moved: NDArray[np.bool_]) -> Self | None:
        """The same with what some terms bring as found at other decays; None if rows differ."""


ROW_LAYOUT = ("event",)
DAY_LAYOUT = ("acts", "block", "echo_start", "echo_from", "echo_term")
"""Fields that say which rows a pass found; the others say what each consists of."""


@dataclass(frozen=True)
class Objective:
    """Log-likelihood at given decays.

    terms        how parameters make coefficients
    rows         what the pass found
    constant     added to the value: -sum log n! on days
    unexplained  index (into the data) of events that no term can explain; they are not in `rows`
    weight       (rows or blocks,) 1 unless the order of a day shares an act among several rows
    replies      on days whose order is weighed, the answers of rows to acts of the same day
    """

    terms: Terms
    rows: Rows | DayRows
    constant: float
    unexplained: Ints
    weight: Floats
    replies: Replies | None = None
    lately: list[tuple[Floats, Floats, Floats]] = field(default_factory=list, init=False, repr=False, compare=False)
    """(coefficients, derivative by row, by echo) of the last looks by day: slopes of half-lives are asked for there."""

    def evaluate(self, parameters: Floats, curved: bool = True) -> tuple[float, Floats, Floats]:
        """(value, gradient, Hessian) at parameters (linear, log); the Hessian is zeros unless `curved`."""
        terms = self.terms
        slope = terms.slopes(parameters[terms.n_linear :])
        coefficient = slope * parameters[: terms.n_linear][terms.linear]
        value, gradient, pull, hessian = self.seen(slope, coefficient, curved)
        if not np.isfinite(value):
            return -np.inf, gradient, hessian
        value += self.constant - float(self.rows.exposure @ coefficient)
        gradient = gradient + terms.chain(-self.rows.exposure, slope, coefficient)
        if curved:
            hessian = hessian + terms.bend(pull - self.rows.exposure, slope, coefficient)
        return float(value), gradient, hessian

    def seen(self, slope: Floats, coefficient: Floats, curved: bool) -> tuple[float, Floats, Floats, Floats]:
        """What the acts that were seen bring: (value, gradient, derivative by each coefficient, Hessian).

        slope  (T,) coefficient of every term per unit of its linear parameter. The Hessian is without that of the
               coefficients themselves, and zeros unless `curved`
        """
        terms, rows = self.terms, self.rows
        shape = (terms.linear, terms.x_start, terms.x_index, terms.x_value, terms.n_linear, terms.n_log, curved)
        if isinstance(rows, DayRows):
            value, gradient, pull, hessian, by_row, by_echo = evaluate_days(
                rows.start, rows.term, rows.value, rows.acts, rows.block, self.weight, rows.echo_start, rows.echo_from,
                rows.echo_term, rows.echo_value, coefficient, slope, *shape,
            )  # fmt: skip
            self.lately[:-1] = []
            self.lately.append((coefficient, by_row, by_echo))
        else:
            value, gradient, pull, hessian = evaluate_rows(
                rows.start, rows.term, rows.value, self.weight, coefficient, slope, *shape
            )
        return value, gradient, pull, hessian

    def decay_gradient(self, parameters: Floats, kernel_start: Ints) -> Floats:
        """(kernel components,) derivative of the value by the log decays; the pass must have been `sloped`."""
        return self.decay_gradient_at(parameters, kernel_start, None)

    def decay_gradient_at(self, parameters: Floats, kernel_start: Ints, times: Floats | None) -> Floats:
        """The same with the coefficients of backgrounds `times` (T,) as large; 1 for every answer."""
        terms, rows = self.terms, self.rows
        linear, log = parameters[: terms.n_linear], parameters[terms.n_linear :]
        slope = terms.slopes(log) if times is None else terms.slopes(log) * times
        coefficient = slope * linear[terms.linear]
        n_components = int(kernel_start[-1])
        if n_components == 0:
            return np.zeros(0)
        n_rates = terms.n_linear - (len(kernel_start) - 1)
        if isinstance(rows, DayRows):
            known = [one for one in self.lately if np.array_equal(one[0], coefficient)]
            if not known:
                self.seen(slope, coefficient, False)
                known = self.lately[-1:]
            _, by_row, by_echo = known[0]
            result = bend_days(
                rows.start, rows.term, rows.bend, by_row, rows.echo_term, rows.echo_bend, by_echo, coefficient,
                terms.linear, n_rates, kernel_start, n_components,
            )  # fmt: skip
        else:
            result = bend_rows(
                rows.start, rows.term, rows.value, rows.bend, self.weight, coefficient, terms.linear, n_rates,
                kernel_start, n_components,
            )  # fmt: skip
        mechanism = terms.linear - n_rates
        for k in range(rows.exposure_bend.shape[1]):
            has = (mechanism >= 0) & (np.diff(kernel_start)[np.maximum(mechanism, 0)] > k)
            lost = coefficient[has] * rows.exposure_bend[has, k]
            np.subtract.at(result, kernel_start[mechanism[has]] + k, lost)
        return np.asarray(result)

    def with_answers_of(self, other: Self, moved: NDArray[np.bool_]) -> Self | None:
        """The same with what some terms bring as a pass at other decays found it; None if that pass has other rows.

        moved  (T,) those terms. What a term brings hangs on the decays of its own mechanism alone
        """
        one, two = self.rows, other.rows
        same = len(one.start) == len(two.start) and np.array_equal(self.weight, other.weight)
        fixed = DAY_LAYOUT if isinstance(one, DayRows) else ROW_LAYOUT
        if not same or not all(np.array_equal(getattr(one, name), getattr(two, name)) for name in fixed):
            return None
        # What is next to nothing has no entry, so entries that come and go are taken with their terms.
        n, left, come = len(one.start) - 1, ~moved[one.term], moved[two.term]
        owner = [np.repeat(np.arange(n), np.diff(rows.start))[on] for rows, on in ((one, left), (two, come))]
        order = np.argsort(np.concatenate(owner), kind="stable")

        def entries(name: str) -> Any:
            return np.concatenate([getattr(one, name)[left], getattr(two, name)[come]])[order]

        size = np.bincount(np.concatenate(owner), minlength=n)
        taken: dict[str, Any] = {
            "start": np.concatenate([[0], np.cumsum(size)]).astype(np.int64),
            "term": entries("term"),
            "value": entries("value"),
            "bend": entries("bend") if len(one.bend) else one.bend,
            "exposure": np.where(moved, two.exposure, one.exposure),
        }
        if len(one.exposure_bend):
            taken["exposure_bend"] = np.where(moved[:, None], two.exposure_bend, one.exposure_bend)
        if isinstance(one, DayRows) and isinstance(two, DayRows):
            echo = moved[one.echo_term]
            taken["echo_value"] = np.where(echo, two.echo_value, one.echo_value)
            if len(one.echo_bend):
                taken["echo_bend"] = np.where(echo[:, None], two.echo_bend, one.echo_bend)
        return replace(self, rows=one._replace(**taken))

    def expected(self, parameters: Floats) -> Floats:
        """(T,) expected count of every term."""
        terms = self.terms
        linear, log = parameters[: terms.n_linear], parameters[terms.n_linear :]
        result: Floats = self.rows.exposure * terms.slopes(log) * linear[terms.linear]
        return result


def prepare(
    data: Data, design: Design, terms: Terms, decay: Floats, dead: NDArray[np.bool_], sloped: bool = False
) -> Objective:
    """Run the pass over the data.

    decay   (kernel components,) 1/day
    dead    (n_linear,) parameters held at 0: a term of theirs explains nothing
    sloped  whether `decay_gradient` will be asked for
    """
    if data.by_day:
        day = _whole(data)
        unseen = None if data.unseen is None else (data.unseen.causes, data.unseen.foretold)
        rows = day_pass(design, decay, day, data.channel, round(data.days), sloped, both_worths(data), unseen)
        return _day_objective(rows, data, terms, dead)
    time, channel, worth, number = causes_in_time(data)
    seen = (number >= 0).astype(np.int64)
    repeats = repeating_terms(design)
    found = exact_pass(design, decay, time, channel, data.days, sloped, worth, seen, repeats)
    found = found._replace(event=number[found.event])
    return _exact_objective(found, terms, dead)


class Beliefs(NamedTuple):
    """Probability of each level of each fact, as filtered once: what a pass at other parameters may replay.

    at_event  (N, cells) just before each event (exact times), or (days, cells) on each day before its acts
    at_step   (steps, cells) along the grid between events (exact times only)
    trail     what the acts of one day do to each other, by order (days only)
    entropy   what the choice among orders adds to the log likelihood (days only)
    """

    at_event: Floats
    at_step: Floats
    trail: Trail
    entropy: float


def no_beliefs(data: Data, n_cells: int) -> Beliefs:
    """Room for the beliefs along these data."""
    if data.by_day:
        n_days = round(data.days) - min(0, int(data.time[0]))
        return Beliefs(np.zeros((n_days, n_cells)), np.zeros((0, n_cells)), no_trail(n_days, n_cells), 0.0)
    steps = np.zeros((count_steps(data.time, data.days), n_cells))
    return Beliefs(np.zeros((len(data.time), n_cells)), steps, no_trail(0, n_cells), 0.0)


def prepare_hidden(
    data: Data,
    design: Design,
    terms: Terms,
    drift: Drift,
    decay: Floats,
    parameters: Floats,
    course: Floats,
    dead: NDArray[np.bool_],
    beliefs: Beliefs,
    replay: bool,
    sloped: bool = False,
) -> tuple[Objective, Beliefs]:
    """As `prepare`, for systems with facts that no event reports, or whose order within a day matters.

    Returns the objective and the beliefs it rests on: filtered here, or `beliefs` as given if `replay`.

    parameters  (linear, log) under which silence and acts are weighed
    course      (shapes,) factor of the background in each shape, at these parameters
    """
    linear = np.ascontiguousarray(parameters[: terms.n_linear])
    slope = terms.slopes(parameters[terms.n_linear :])
    if data.by_day:
        seen = hidden_day_pass(
            design, drift, decay, slope, linear, course, _whole(data), data.channel, round(data.days), sloped,
            beliefs.at_event, beliefs.trail, replay,
        )  # fmt: skip
        if not replay:
            beliefs = beliefs._replace(trail=seen.trail, entropy=seen.entropy)
        objective = _day_objective(seen.rows, data, terms, dead, seen.weight, seen.replies)
        return replace(objective, constant=objective.constant + beliefs.entropy), beliefs
    found = hidden_pass(
        design, drift, decay, slope, linear, course, data.time, data.channel, data.days, sloped,
        beliefs.at_event, beliefs.at_step, replay,
    )  # fmt: skip
    return _exact_objective(found, terms, dead), beliefs


def _whole(data: Data) -> Ints:
    return np.ascontiguousarray(data.time.astype(np.int64))


def _day_objective(
    rows: DayRows,
    data: Data,
    terms: Terms,
    dead: NDArray[np.bool_],
    weight: Floats | None = None,
    replies: Replies | None = None,
) -> Objective:
    able = (terms.factor > 0) & ~dead[terms.linear]
    weight = np.ones(len(rows.block) - 1) if weight is None else weight
    reached = reached_rows(rows, able)
    unexplained_rows = []
    if not reached.all():
        unexplained_rows = list(zip(rows.channel[~reached].tolist(), rows.day[~reached].tolist(), strict=True))
        rows, left = take_day_rows(rows, reached)
        weight = weight[left]
        if replies is not None:
            kept = reached[replies.row]
            row = (np.cumsum(reached) - 1)[replies.row[kept]]
            replies = Replies(row, replies.channel[kept], replies.term[kept], replies.value[kept])
    day = _whole(data)
    unexplained = _events_of(unexplained_rows, day, data.channel)
    scored = day >= 0
    scored[unexplained] = False
    cell = day[scored] * (int(data.channel.max(initial=0)) + 1) + data.channel[scored]
    _, times = np.unique(cell, return_counts=True)
    constant = -float(special.gammaln(times + 1.0).sum())
    return Objective(terms, rows, constant, unexplained, weight, replies)


def _exact_objective(found: Rows, terms: Terms, dead: NDArray[np.bool_]) -> Objective:
    able = (terms.factor > 0) & ~dead[terms.linear]
    alive = np.add.reduceat(np.append(able[found.term] & (found.value > 0), False), found.start[:-1]) > 0
    alive &= np.diff(found.start) > 0
    unexplained = found.event[~alive]
    if len(unexplained):
        found = _take_rows(found, alive)
    return Objective(terms, found, 0.0, unexplained, np.ones(len(found.event)))


def _take_rows(rows: Rows, keep: NDArray[np.bool_]) -> Rows:
    size = np.diff(rows.start)
    entries = np.repeat(keep, size)
    start = np.concatenate([[0], np.cumsum(size[keep])]).astype(np.int64)
    bend = rows.bend[entries] if len(rows.bend) else rows.bend
    return rows._replace(
        start=start, term=rows.term[entries], value=rows.value[entries], bend=bend, event=rows.event[keep]
    )


def reached_rows(rows: DayRows, able: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows that some chain of able terms can reach.

    A row whose only able terms are echoes needs a row that answers to something else before it; the loop follows the
    echoes until nothing more is reached.
    """
    n = len(rows.acts)
    owner = np.repeat(np.arange(n), np.diff(rows.start))
    echo_owner = np.repeat(np.arange(n), np.diff(rows.echo_start))
    mass = np.bincount(owner, weights=np.where(able[rows.term], rows.value, 0.0), minlength=n)
    echo = np.bincount(echo_owner, weights=np.where(able[rows.echo_term], rows.echo_value, 0.0), minlength=n)
    reached = mass - echo > 1e-9 * np.maximum(mass, 1e-300)
    while True:
        link = reached[rows.echo_from] & able[rows.echo_term] & ~reached[echo_owner]
        if not link.any():
            break
        reached[echo_owner[link]] = True
    return reached


def take_day_rows(rows: DayRows, keep: NDArray[np.bool_]) -> tuple[DayRows, NDArray[np.bool_]]:
    """The kept rows, and which blocks have any."""
    n = len(rows.acts)
    size = np.diff(rows.start)
    owner = np.repeat(np.arange(n), np.diff(rows.echo_start))
    number = np.cumsum(keep) - 1
    echo_kept = keep[owner] & keep[rows.echo_from]
    block_of = np.repeat(np.arange(len(rows.block) - 1), np.diff(rows.block))
    block_size = np.bincount(block_of[keep], minlength=len(rows.block) - 1)
    entries = np.repeat(keep, size)
    # Echoes of a row that is set aside are no longer expected answers of anything: they leave r with their entry.
    value, bend = rows.value.copy(), rows.bend.copy()
    for e in np.flatnonzero(keep[owner] & ~keep[rows.echo_from]):
        span = slice(rows.start[owner[e]], rows.start[owner[e] + 1])
        at = rows.start[owner[e]] + np.flatnonzero(rows.term[span] == rows.echo_term[e])[0]
        value[at] -= rows.echo_value[e]
        if len(bend):
            bend[at] -= rows.echo_bend[e]
    taken = rows._replace(
        start=np.concatenate([[0], np.cumsum(size[keep])]).astype(np.int64),
        term=rows.term[entries],
        value=np.maximum(value[entries], 0.0),
        bend=bend[entries] if len(bend) else bend,
        echo_bend=rows.echo_bend[echo_kept] if len(bend) else rows.echo_bend,
        acts=rows.acts[keep],
        block=np.concatenate([[0], np.cumsum(block_size[block_size > 0])]).astype(np.int64),
        echo_start=np.concatenate([[0], np.cumsum(np.bincount(number[owner[echo_kept]], minlength=keep.sum()))]).astype(
            np.int64
        ),
        echo_from=number[rows.echo_from[echo_kept]],
        echo_term=rows.echo_term[echo_kept],
        echo_value=rows.echo_value[echo_kept],
        channel=rows.channel[keep],
        day=rows.day[keep],
    )
    return taken, block_size > 0


def _events_of(cells: list[tuple[int, int]], day: Ints, channel: Ints) -> Ints:
    if not cells:
        return np.zeros(0, np.int64)
    wanted = set(cells)
    return np.array(
        [i for i, key in enumerate(zip(channel.tolist(), day.tolist(), strict=True)) if key in wanted], np.int64
    )
