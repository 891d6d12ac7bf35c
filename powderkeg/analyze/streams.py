"""What do the compiled loops need to know about events, wherever the events come from?

In: `Runs` of a model, or an `EventTable` of simulated or observed events, with or without a model. Out: `Streams`:
event times and a code per event, and for each code who, what, to whom, how hot, and whether it opens or closes.
A code is a channel of the model for runs; for tables it is a distinct (actor, act, target, class) that occurs in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from powderkeg.engine.arrays import Floats, Ints
from powderkeg.engine.episodes import OPENS, RESOLVES, SUSPENDS
from powderkeg.errors import EventError, Fault, ModelError, must_be
from powderkeg.events.table import EventTable
from powderkeg.model import Model
from powderkeg.model.deaths import laws_of
from powderkeg.scenario.declared import FIRST_HEAT
from powderkeg.simulate.deaths import KILLS

if TYPE_CHECKING:
    from powderkeg.simulate import Runs

CLASSES = ("verbal cooperation", "material cooperation", "verbal conflict", "material conflict")
TONES = ("hostile", "cooperative", "neutral")

CLASS_HEAT = {"verbal conflict": 1.0, "material conflict": 2.0}
"""Heat of an act that is known only by its class; 3 where its Goldstein weight is FIERCE or worse."""
FIERCE = -8.0
"""Goldstein weight from which a material act counts as a clash: assault, fight and mass violence of CAMEO (-9 to -10),
the force codes of WEIS (-8.3 to -10)."""


@dataclass(frozen=True)
class Streams:
    """Events by stream, time order within each. N events, S streams, K codes, A actors.

    offsets    (S + 1,) stream s is events `offsets[s]:offsets[s + 1]`
    time       (N,) days since `start`
    code       (N,) index of what happened
    replicate  (S,) which history a stream is of
    dyad       (S,) index into `dyads`, or None where a stream is the whole system
    horizon    (S,) end of the window, days
    source, target   (K,) actor index or -1
    act        (K,) index into `acts`, -1 for a fact that changed by itself
    heat       (K,) >= 0;  counted (K,) the act may raise the score;  marks (K,) OPENS | RESOLVES | SUSPENDS
    hurts      (K,) 0 nobody, 1 injury, 2 death
    tone       (K,) index into TONES, -1 for what is no act;  klass (K,) index into CLASSES or -1
    undirected (K,) the source does not say which of the two sides acted
    killed     (N,) deaths told or drawn for each event, one where nothing is told of an act that kills; None where no
               event has such a number
    """

    offsets: Ints
    time: Floats
    code: Ints
    replicate: Ints
    dyad: Ints | None
    horizon: Floats
    actors: tuple[str, ...]
    acts: tuple[str, ...]
    dyads: tuple[str, ...]
    source: Ints
    target: Ints
    act: Ints
    heat: Floats
    counted: NDArray[np.bool_]
    marks: NDArray[np.uint8]
    hurts: Ints
    tone: Ints
    klass: Ints
    undirected: NDArray[np.bool_]
    killed: Floats | None
    start: date | None
    n_replicates: int
    days: float

    @property
    def score_heat(self) -> Floats:
        """(K,) what an act adds to the score: its heat where it is counted, else nothing."""
        return np.where(self.counted, self.heat, 0.0)


CLOSING = ("057", "08")
"""CAMEO codes that put a matter off between two actors where no scenario says what does: an agreement is signed; one
side yields, eases, pulls back."""


def streams(events: Runs | EventTable, model: Model | None = None, by: str = "system") -> Streams:
    """Events as `Streams`; `by` is "system" (one stream a history) or "dyad" (one for each two actors).

    Raises EventError if the table has no time order to speak of: a time that is missing or not finite.
    """
    found = _of_table(events, model, by) if isinstance(events, EventTable) else _of_runs(events)
    return _by_dyad(found) if by == "dyad" else found


def model_of(runs: Runs) -> Model:
    """The model behind runs. Raises ModelError where there is none, only bare arrays; UsageError for no runs."""
    if not hasattr(runs, "offsets"):
        must_be("runs", runs, (), "Runs, such as simulate(...) gives")
    if isinstance(runs.model, Model):
        return runs.model
    raise ModelError("runs of a bare System have no names: simulate a model to ask who did what")


def _of_runs(runs: Runs) -> Streams:
    model = model_of(runs)
    offsets = np.asarray(runs.offsets, dtype=np.int64)
    actors = tuple(dict.fromkeys(name for c in model.channels for name in (c.source, c.target) if name is not None))
    acts = tuple(dict.fromkeys(c.act for c in model.channels[: model.n_acts]))
    index = {name: i for i, name in enumerate(actors)}
    number = {name: i for i, name in enumerate(acts)}
    is_act = _is_act(model)
    tones = _tones_of_acts(model)
    return Streams(
        offsets=offsets,
        time=np.asarray(runs.time, dtype=np.float64),
        code=np.asarray(runs.channel),
        replicate=np.arange(len(offsets) - 1),
        dyad=None,
        horizon=np.asarray(runs.reached, dtype=np.float64),
        actors=actors,
        acts=acts,
        dyads=(),
        source=np.array([index.get(c.source, -1) if c.source else -1 for c in model.channels], dtype=np.int64),
        target=np.array([index.get(c.target, -1) if c.target else -1 for c in model.channels], dtype=np.int64),
        act=np.array([number[c.act] if c.kind == "act" else -1 for c in model.channels], dtype=np.int64),
        heat=np.where(is_act, model.heat, 0.0),
        counted=np.asarray(model.counted, dtype=bool) & is_act,
        marks=marks_of(model),
        hurts=_hurts(model),
        tone=np.array([tones.get(c.act, -1) if c.kind == "act" else -1 for c in model.channels], dtype=np.int64),
        klass=np.full(len(model.channels), -1, dtype=np.int64),
        undirected=np.zeros(len(model.channels), dtype=bool),
        killed=runs.deaths(),
        start=model.scenario.start if model.scenario is not None else None,
        n_replicates=len(offsets) - 1,
        days=float(runs.days),
    )


def _is_act(model: Model) -> NDArray[np.bool_]:
    return np.array([c.kind == "act" for c in model.channels], dtype=bool)


def score_heat_of(model: Model) -> Floats:
    """(C,) what one act of each channel adds to the score."""
    return np.where(np.asarray(model.counted, dtype=bool) & _is_act(model), model.heat, 0.0)


def marks_of(model: Model) -> NDArray[np.uint8]:
    """(C,) bits OPENS, RESOLVES, SUSPENDS of each channel."""
    marks = model.opens * OPENS + model.resolves * RESOLVES + model.suspends * SUSPENDS
    return np.asarray(marks, dtype=np.uint8)


def _hurts(model: Model) -> Ints:
    """What each channel says of people hurt; acts whose dead are counted one by one do not kill by themselves."""
    counted = laws_of(model)
    hurts = [min(int(h), 1) if c.act in counted else int(h) for c, h in zip(model.channels, model.hurts, strict=True)]
    return np.array(hurts, dtype=np.int64)


def _of_table(table: EventTable, model: Model | None, by: str) -> Streams:
    frame = table.frame
    if not frame["time"].cast(pl.Float64).is_finite().fill_null(False).all():
        raise EventError(Fault.at("time", "a time that is missing or not finite", "days since the start"))
    has = frame.columns
    keys = [name for name in ("source", "act", "target", "cameo", "tone", "goldstein", "undirected") if name in has]
    kinds = {"goldstein": pl.Float64, "undirected": pl.Boolean}
    wanted = [pl.col(name).cast(kinds.get(name, pl.String)) for name in keys]
    rows = frame.select(
        *wanted,
        pl.col("time").cast(pl.Float64),
        (pl.col("replicate") if "replicate" in has else pl.lit(0)).cast(pl.Int64).alias("replicate"),
        *(
            [pl.when(pl.col("deaths").cast(pl.Float64).is_finite() & (pl.col("deaths") >= 0)).then("deaths")]
            if "deaths" in has
            else []
        ),
    )
    rows = rows.sort("replicate", "time", maintain_order=True)
    # Codes are numbered in the order of their names, never of the rows: ties must come out the same however rows lie.
    codes = rows.select(keys).unique().sort(keys, nulls_last=True).with_row_index("code")
    numbered = rows.join(codes, on=keys, how="left", nulls_equal=True, maintain_order="left")["code"]
    replicate = rows["replicate"].to_numpy()
    # Histories without an event are streams too, or their silence would not count.
    n_replicates = table.n_histories
    offsets = np.searchsorted(replicate, np.arange(n_replicates + 1)).astype(np.int64)
    lookup = _lookup(codes, model)
    code, killed = numbered.to_numpy().astype(np.int64), None
    if "deaths" in has:
        if model is not None:
            drawn = np.isin(lookup["acts"], list(laws_of(model)))[lookup["act"]] & (lookup["act"] >= 0)
            lookup["hurts"] = np.where(drawn, np.minimum(lookup["hurts"], 1), lookup["hurts"])
        untold = (lookup["hurts"][code] == KILLS).astype(np.float64)
        killed = np.where(rows["deaths"].is_null(), untold, rows["deaths"].cast(pl.Float64).fill_null(0.0))
    if model is None and by == "dyad":
        # Between two actors a deal is about what stands between them; in a whole system it may be about anything.
        closes = [str(row.get("cameo") or "").startswith(CLOSING) for row in codes.to_dicts()]
        lookup["marks"] |= np.where(closes, SUSPENDS, 0).astype(np.uint8)
    return Streams(
        offsets=offsets,
        time=rows["time"].to_numpy(),
        code=code,
        replicate=np.arange(n_replicates),
        dyad=None,
        horizon=np.full(n_replicates, float(table.days)),
        dyads=(),
        killed=killed,
        start=table.start,
        n_replicates=n_replicates,
        days=float(table.days),
        **lookup,
    )


def _lookup(codes: pl.DataFrame, model: Model | None) -> dict[str, Any]:
    """What each distinct code means: from the model where it knows the act, else from class and Goldstein weight."""
    rows = codes.to_dicts()
    actors = _distinct(row[side] for row in rows for side in ("source", "target"))
    acts = _distinct(row["act"] for row in rows)
    index = {name: i for i, name in enumerate(actors)}
    number = {name: i for i, name in enumerate(acts)}
    channels: Mapping[tuple[str | None, str, str | None], int] = {}
    scenario = model.scenario if model is not None else None
    among: frozenset[str] | None = None
    tones: Mapping[str, int] = {}
    if model is not None:
        channels = {(c.source, c.act, c.target): i for i, c in enumerate(model.channels[: model.n_acts])}
        tones = _tones_of_acts(model)
    if scenario is not None:
        among = frozenset(scenario.standoffs.among or scenario.actors)
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("source", "target", "act", "heat", "counted", "marks", "hurts", "tone", "klass", "undirected")
    }
    for row in rows:
        source, act, target = row["source"], row["act"], row["target"]
        channel = channels.get((source, act, target), -1)
        declared = scenario.acts.get(act) if scenario is not None else None
        klass = _class_of(row.get("tone"), act)
        if model is not None and channel >= 0:
            heat, hurts = float(model.heat[channel]), int(model.hurts[channel])
            counted = bool(model.counted[channel])
            marks = (
                OPENS * bool(model.opens[channel])
                | RESOLVES * bool(model.resolves[channel])
                | SUSPENDS * bool(model.suspends[channel])
            )
        else:
            marks = 0
            counted = among is None or (source in among and target in among)
            if declared is not None:
                heat, hurts = float(declared.heat), ("none", "injury", "death").index(declared.hurts)
            else:
                heat, hurts = _heat(row.get("cameo"), klass, row.get("goldstein")), 0
        if act in tones:
            tone = tones[act]
        else:
            tone = TONES.index("neutral" if klass is None else "hostile" if klass in CLASS_HEAT else "cooperative")
        found = {
            "source": index.get(source, -1),
            "target": index.get(target, -1),
            "act": number.get(act, -1),
            "heat": heat,
            "counted": counted,
            "marks": marks,
            "hurts": hurts,
            "tone": tone,
            "klass": -1 if klass is None else CLASSES.index(klass),
            "undirected": bool(row.get("undirected")),
        }
        for name, value in found.items():
            columns[name].append(value)
    kinds: dict[str, Any] = {"heat": np.float64, "counted": np.bool_, "marks": np.uint8, "undirected": np.bool_}
    arrays: dict[str, Any] = {
        name: np.array(values, dtype=kinds.get(name, np.int64)) for name, values in columns.items()
    }
    return {"actors": actors, "acts": acts, **arrays}


def _by_dyad(whole: Streams) -> Streams:
    """One stream for each two actors of each history; acts with no target belong to none."""
    low, high = np.minimum(whole.source, whole.target), np.maximum(whole.source, whole.target)
    n_actors = len(whole.actors)
    pair = np.where(low >= 0, low * n_actors + high, -1)
    pairs = np.unique(pair[pair >= 0])
    dyad_of_code = np.where(pair >= 0, np.searchsorted(pairs, pair), -1)
    replicate = np.repeat(whole.replicate, np.diff(whole.offsets))
    dyad = dyad_of_code[whole.code]
    keep = np.flatnonzero(dyad >= 0)
    key = replicate[keep] * max(1, len(pairs)) + dyad[keep]
    order = keep[np.argsort(key, kind="stable")]
    found, counts = np.unique(key, return_counts=True)
    names = tuple(f"{whole.actors[p // n_actors]} - {whole.actors[p % n_actors]}" for p in pairs)
    return Streams(
        **{
            **whole.__dict__,
            "offsets": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            "time": whole.time[order],
            "code": whole.code[order],
            "killed": None if whole.killed is None else whole.killed[order],
            "replicate": found // max(1, len(pairs)),
            "dyad": found % max(1, len(pairs)),
            "dyads": names,
            "horizon": np.full(len(found), whole.days),
        }
    )


def _tones_of_acts(model: Model) -> dict[str, int]:
    """Tone of every act by name; where bare arrays tell none, what has heat is hostile and the rest neutral."""
    if model.scenario is not None:
        return {name: TONES.index(act.tone) for name, act in model.scenario.acts.items()}
    tones = {c.act: TONES.index("neutral") for c in model.channels[: model.n_acts]}
    tones.update({c.act: 0 for c, heat in zip(model.channels, model.heat, strict=True) if heat > 0 and c.act in tones})
    return tones


def _class_of(tone: str | None, act: str) -> str | None:
    for word in (tone, act):
        if word is not None and word.replace("_", " ") in CLASSES:
            return word.replace("_", " ")
    return None


def _heat(cameo: str | None, klass: str | None, goldstein: float | None) -> float:
    if cameo is not None and cameo[:2].isdigit():
        return FIRST_HEAT.get(int(cameo[:2]), 0.0)
    if klass == "material conflict" and goldstein is not None and goldstein <= FIERCE:
        return 3.0
    return CLASS_HEAT.get(klass or "", 0.0)


def _distinct(names: Any) -> tuple[str, ...]:
    found: Sequence[str] = sorted({name for name in names if name is not None})
    return tuple(found)
