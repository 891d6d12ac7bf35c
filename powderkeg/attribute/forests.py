"""Many ways in which one record may have come about, each as often as it is likely, and what is counted in them.

In: `Causes` under one or several sets of parameters. Out: for each drawn forest how many acts have which cause, who set
off whom, from whose roots acts descend, and by what their actors came in; the same counts that `entanglement` makes of
simulated runs, by the same code. What differs between forests of one set of parameters is not in the record; what
differs between sets, more events would tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.branching.forests import descendants
from powderkeg.engine.branching.genealogy import entry_counts, roots_and_entries
from powderkeg.fit.parents import UNEXPLAINED, Causes
from powderkeg.model import Model

LOWEST = UNEXPLAINED
"""The lowest code of what sets off an act: kinds are counted from it."""


@dataclass(frozen=True)
class People:
    """Who acts in which channel: names, and by channel the index of source and target, -1 for none.

    A model made from bare arrays has no actors; its channels stand for them.
    """

    names: tuple[str, ...]
    source: Ints
    target: Ints

    @staticmethod
    def of(model: Model) -> People:
        """The actors of a model's acts."""
        acts = model.channels[: model.n_acts]
        who = [c.source if c.source is not None else c.act for c in acts]
        names = tuple(dict.fromkeys(n for pair in zip(who, (c.target for c in acts), strict=True) for n in pair if n))
        index = {name: i for i, name in enumerate(names)}
        return People(
            names,
            np.array([index[name] for name in who], np.int64),
            np.array([index.get(c.target or "", -1) for c in acts], np.int64),
        )


@dataclass(frozen=True)
class Tally:
    """Counts by forest: key (K,) in ascending order, number (forests, K)."""

    key: Ints
    number: Floats

    def of(self, key: Ints) -> Floats:
        """(forests, len(key)) counts of these keys, 0 where a key never came up."""
        at = np.searchsorted(self.key, key)
        found = np.zeros((self.number.shape[0], len(key)))
        is_there = (
            (at < len(self.key)) & (self.key[np.minimum(at, len(self.key) - 1)] == key) if len(self.key) else None
        )
        if is_there is not None:
            found[:, is_there] = self.number[:, at[is_there]]
        return found


@dataclass(frozen=True)
class Forests:
    """What was counted. F forests, A actors, M mechanisms; a kind is a mechanism's index, or a code below 0.

    draw      (F,) which set of parameters a forest is of
    roots     by actor: roots
    descent   by actor: acts that descend from its roots
    causes    by actor * kinds + kind - LOWEST: acts
    pairs     by actor * (A + 1) + 1 + actor that set them off (0: none): acts
    ways      by way in which an actor came in, as `engine.branching.genealogy.entry_counts` numbers it: acts
    below     (acts,) mean number of acts that descend from each;  below_sd its spread between forests
    """

    draw: Ints
    roots: Tally
    descent: Tally
    causes: Tally
    pairs: Tally
    ways: Tally
    shape: tuple[int, int, int, int]
    below: Floats
    below_sd: Floats


def draw_forests(
    causes: Sequence[Causes],
    counts: Sequence[int],
    people: People,
    seed: int,
    progress: Callable[[float], None] | None = None,
    acts: Sequence[Ints] = (),
) -> Forests:
    """`counts[d]` forests under each set of parameters.

    acts  where sets are of records that differ in their days: for each, which act of the first its acts are
    """
    n_actors, n_kinds = len(people.names), causes[0].n_mechanisms - LOWEST
    shape = (n_actors, 2, n_kinds, n_actors + 1)
    found: dict[str, list[tuple[Ints, Ints]]] = {name: [] for name in ("roots", "descent", "causes", "pairs", "ways")}
    draws: list[int] = []
    total = sum(counts)
    n_acts = int(causes[0].acts.sum())
    below, square = np.zeros(n_acts), np.zeros(n_acts)
    for number, (one, count) in enumerate(zip(causes, counts, strict=True)):
        channel = one.channel[one.act_cell]
        for parent, kind, order in one.forests(count, seed, first=len(draws)):
            place = np.empty(len(order), np.int64)
            place[order] = np.arange(len(order))
            above = np.where(parent[order] >= 0, place[parent[order]], -1)
            acting, kinds = channel[order], kind[order]
            offsets = np.array([0, len(order)], np.int64)
            root, _ = roots_and_entries(offsets, acting, above, people.source)
            actor = people.source[acting]
            by = np.where(above >= 0, actor[above], -1)
            _, way, times = entry_counts(
                offsets, acting, above, kinds, people.source, people.target, shape, LOWEST
            )  # fmt: skip
            found["roots"].append(np.unique(actor[above < 0], return_counts=True))
            found["descent"].append(np.unique(actor[root], return_counts=True))
            found["causes"].append(np.unique(actor * n_kinds + kinds - LOWEST, return_counts=True))
            found["pairs"].append(np.unique(actor * (n_actors + 1) + 1 + by, return_counts=True))
            found["ways"].append((way, times))
            size = np.empty(len(order))
            size[acts[number][order] if acts else order] = descendants(above)
            below += size
            square += size**2
            draws.append(number)
            if progress is not None:
                progress(len(draws) / total)
    mean = below / total
    spread = np.sqrt(np.maximum(square / total - mean**2, 0.0))
    tallies = {name: _tally(rows) for name, rows in found.items()}
    return Forests(draw=np.array(draws, np.int64), shape=shape, below=mean, below_sd=spread, **tallies)


def _tally(rows: list[tuple[Ints, Ints]]) -> Tally:
    key = np.unique(np.concatenate([keys for keys, _ in rows])) if rows else np.zeros(0, np.int64)
    number = np.zeros((len(rows), len(key)), np.float32)
    for i, (keys, times) in enumerate(rows):
        number[i, np.searchsorted(key, keys)] = times
    return Tally(key.astype(np.int64), number)  # type: ignore[arg-type]


@dataclass(frozen=True)
class CountSpread:
    """How sure a count is, by column: the interval over all forests, and where its width comes from.

    low, high      middle part of the forests, at the level asked for
    sd_parents     spread between forests of one set of parameters: who set off whom is not in the record
    sd_parameters  spread between sets of parameters: more events would narrow it. None where they were given
    """

    low: Floats
    high: Floats
    sd_parents: Floats
    sd_parameters: Floats | None


def spread(number: Floats, draw: Ints, level: float) -> CountSpread:
    """`number` (forests, K) by forest; analysis of variance between and within sets of parameters."""
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(number, [tail, 1.0 - tail], axis=0) if number.size else np.zeros((2, number.shape[1]))
    sizes = np.bincount(draw).astype(np.float64)
    sums = np.zeros((len(sizes), number.shape[1]))
    np.add.at(sums, draw, number)
    means = sums / sizes[:, None]
    within = ((number - means[draw]) ** 2).sum(axis=0) / max(len(draw) - len(sizes), 1)
    if len(sizes) == 1:
        return CountSpread(low, high, np.sqrt(within), None)
    between = means.var(axis=0, ddof=1) - within * float((1.0 / sizes).mean())
    return CountSpread(low, high, np.sqrt(within), np.sqrt(np.maximum(between, 0.0)))
