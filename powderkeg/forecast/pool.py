"""What do the model and a weighted mean say together? A linear opinion pool of counts.

In: the model's histories ahead, what was watched. Out: a `Pool`: some of its draws are histories of the model, the
others of exponentially weighted means of each dyad (`weighted`), of two half-lives in equal parts.

Two laws that err in different ways foretell better together than each alone, and where one is far off the other still
gives what came a chance. But a weighted mean knows no mechanism, no fact and no intervention. So what is told of counts
(by dyad, class and day: tables, quantiles, fans, scores, sealed files) is the pool's; outcomes, new standoffs, what
carries the risk and what an intervention changes are told from the model's own histories, all of them.
Source: Stone (1961), Ann. Math. Stat. 32, 1339-1342; Gneiting & Ranjan (2013), Electron. J. Stat. 7, 1747-1782.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.forecast.counts import ActsAhead, units_of
from powderkeg.forecast.drawing import Draughtsman
from powderkeg.forecast.ground import SHARE_PRIOR, SHARES_FADE
from powderkeg.forecast.weighted import PastDays, weighted_mean
from powderkeg.model import Model

HALF_LIVES = (14.0, 90.0)
"""Of the weighted means: a short one and a long one, which stand in for not knowing how fast levels move."""
WEIGHT = 0.5
"""Share of the draws that are the model's."""


@dataclass(frozen=True)
class Pool:
    """Draws of the pool.

    weight    share of the draws that are the model's;  half_lives: of the weighted means, days
    of_model  (R,) whether a draw is the model's: then it is the draw of that number
    ahead     the acts of all draws
    """

    weight: float
    half_lives: tuple[float, ...]
    of_model: np.ndarray[Any, np.dtype[np.bool_]]
    ahead: ActsAhead

    def as_dict(self) -> dict[str, Any]:
        return {"weight": self.weight, "half_lives": list(self.half_lives), "model_draws": int(self.of_model.sum())}


def pooled(drawer: Draughtsman, model_draws: ActsAhead, seed: int) -> Pool:
    """The pool of the model's draws with weighted means of what it watched."""
    R, H = model_draws.replicates, model_draws.days
    of_model = np.diff(np.floor(WEIGHT * np.arange(R + 1) + 1e-9)) > 0.5
    kept = of_model[model_draws.replicate]
    columns = [[column[kept] for column in (model_draws.replicate, model_draws.day, model_draws.channel)]]
    past, dyads = past_days(drawer)
    channels = ChannelsOfDyads(drawer, dyads)
    places = np.flatnonzero(~of_model)
    for number, half_life in enumerate(HALF_LIVES):
        rng = np.random.default_rng([seed, number, 0x706F6F6C])
        own = places[number :: len(HALF_LIVES)]
        draw, day, dyad, acts = weighted_mean(past, half_life).histories(drawer.week_ahead[:H], len(own), rng)
        channel = channels.of(np.repeat(dyad, acts), rng)
        columns.append([np.repeat(own[draw], acts), np.repeat(day, acts), channel])
    replicate, day, channel = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Pool(WEIGHT, HALF_LIVES, of_model, ActsAhead(R, H, replicate, day, channel))


def past_days(drawer: Draughtsman) -> tuple[PastDays, Ints]:
    """What was watched of the dyads that ever acted; (U,) which they are."""
    model, seen = drawer.model, drawer.seen
    units = units_of(model)
    unit = units.of_channel[seen.channel]
    dyads, place = np.unique(unit, return_inverse=True)
    D, U = drawer.n_days, len(dyads)
    counts = np.bincount(seen.day * U + place, minlength=D * U).reshape(D, U).astype(np.float64)
    exposure = drawer.week[drawer.day][:, None] * _shown(drawer.shown, units.of_channel, dyads)
    first = np.unique(units.of_channel, return_index=True)
    channel = first[1][np.searchsorted(first[0], dyads)]
    past = PastDays(counts, exposure, drawer.groups.pair[channel], len(units) - U)
    lean = drawer.lean
    if not lean.days:
        return past, dyads
    said = said_of_dyads(drawer)
    others = np.delete(said, dyads)
    return past._replace(lean=lean, said=said[dyads], said_other=float(others.mean()) if len(others) else 0.0), dyads


def said_of_dyads(drawer: Draughtsman) -> Floats:
    """(dyads,) acts a day of each by the scenario, answers and all."""
    units = units_of(drawer.model)
    C = drawer.model.n_acts
    return np.asarray(np.bincount(units.of_channel[:C], drawer.said()[:C], len(units)))


def _shown(shown: Floats, of_channel: Ints, dyads: Ints) -> Floats:
    """(1 or D, 1 or U) share of each dyad's acts that had been entered, day by day: the mean over its channels."""
    if len(shown) == 1:
        return np.ones((1, 1))
    return np.stack([shown[:, of_channel == dyad].mean(axis=1) for dyad in dyads], axis=1)


class ChannelsOfDyads:
    """Which act it is that a dyad does: as its own were, the older the less, drawn to those of its kind everywhere."""

    def __init__(self, drawer: Draughtsman, dyads: Ints) -> None:
        model, seen = drawer.model, drawer.seen
        units = units_of(model)
        C = model.n_acts
        weight = 0.5 ** ((drawer.n_days - 1 - seen.day) / SHARES_FADE)
        own = np.bincount(seen.channel, weight, C)[:C]
        of = units.of_channel[:C]
        kind = kinds_of_act(model)
        usual = (np.bincount(kind, own) + 0.5 / C)[kind]
        usual = usual / np.bincount(of, usual, len(units))[of]
        self.order = np.argsort(of, kind="stable")
        share = (own + SHARE_PRIOR * usual)[self.order]
        self.total = np.concatenate([[0.0], np.cumsum(share)])
        self.begin = np.searchsorted(of[self.order], np.arange(len(units) + 1))
        self.dyads = dyads
        self.others = np.setdiff1d(np.arange(len(units)), dyads)
        self.apart = self._apart(drawer)

    def _apart(self, drawer: Draughtsman) -> Floats | None:
        """(others,) how probable each dyad that never acted is, as the scenario says; None where the record is long:
        then each is as probable as the others."""
        lean = drawer.lean
        if not lean.days or not len(self.others):
            return None
        said = said_of_dyads(drawer)[self.others]
        even = np.full(len(said), 1.0 / len(said))
        return np.asarray((1.0 - lean.share) * even + lean.share * (said / said.sum() if said.sum() > 0.0 else even))

    def of(self, place: Ints, rng: np.random.Generator) -> Ints:
        """Channel of each act of a dyad by its place among those that ever acted; beyond the last, of any other."""
        dyad = np.empty(len(place), np.int64)
        known = place < len(self.dyads)
        dyad[known] = self.dyads[place[known]]
        if not known.all():
            dyad[~known] = rng.choice(self.others, int((~known).sum()), p=self.apart)
        low, high = self.total[self.begin[dyad]], self.total[self.begin[dyad + 1]]
        found = np.searchsorted(self.total, low + rng.random(len(dyad)) * (high - low), side="right") - 1
        found = np.clip(found, self.begin[dyad], self.begin[dyad + 1] - 1)
        return np.asarray(self.order[found], np.int64)


def kinds_of_act(model: Model) -> Ints:
    """(n_acts,) number of the act that each channel is of."""
    place: dict[str, int] = {}
    return np.array([place.setdefault(c.act or "", len(place)) for c in model.channels[: model.n_acts]], np.int64)
