"""What there is to say about a set of runs, gathered once for the screen, the page and the machines.

In: a model and its runs; the lines of a record if there is one. Out: `Results`, plain data.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from powderkeg.analyze.statistics import EpisodeStatistics
from powderkeg.units import YEAR
from powderkeg.version import __version__

if TYPE_CHECKING:
    from powderkeg.model import Model, Stability
    from powderkeg.report.folds import Counted
    from powderkeg.scenario import Scenario
    from powderkeg.simulate import Runs


RECORD_NAMES = {"ends": "ended_{}", "openers": "opened_by_{}"}
"""What a record's line about a share is called, if it has one."""

LEAST_DRIVER = 0.01
DEATH = 2
"""How the arrays say that an act kills."""
MOST_LISTED = 500
"""Standoffs of the example that the page lists one by one; episodes.parquet has all."""


@dataclass(frozen=True)
class Results:
    """Numbers and tables about runs. Every `Estimate` and every low and high is a 90 % interval over endless runs.

    events            acts in all runs
    exploded          runs that were stopped at the limit of events
    standoffs         their statistics
    outcomes          as `analyze.outcomes` returns them
    entanglement      as `analyze.entanglement` returns it
    example_*         one history: its number, its acts (time, source, act, target, tone, heat), its standoffs as
                      `analyze.episodes` returns them
    n_values          numbers that the model rests on; of them n_sourced name a source and n_guesses are guesses, which
                      `guesses` lists with their ranges: path, value, low, high, unit
    kills, hurts      whether any act of the scenario kills, or hurts, anybody
    brink             sentences; drivers: mechanisms and their shares of the worst branching ratio, from LEAST_DRIVER up
    record            lines of a record as plain data, or None
    actors            what actors are called, by name, in the scenario's order
    titles            what actors, acts and mechanisms are called, by name
    """

    name: str
    title: str
    start: date
    seed: int
    replicates: int
    days: float
    events: int
    digest: str
    branching_ratio: float
    standoffs: EpisodeStatistics
    about: str = ""
    exploded: int = 0
    outcomes: pl.DataFrame = field(default_factory=pl.DataFrame)
    entanglement: pl.DataFrame = field(default_factory=pl.DataFrame)
    example_replicate: int = 0
    example_acts: pl.DataFrame = field(default_factory=pl.DataFrame)
    example_standoffs: pl.DataFrame = field(default_factory=pl.DataFrame)
    brink: tuple[str, ...] = ()
    drivers: tuple[tuple[str, float], ...] = ()
    record: tuple[Mapping[str, Any], ...] | None = None
    sources: tuple[Mapping[str, Any], ...] = ()
    n_values: int = 0
    n_sourced: int = 0
    n_guesses: int = 0
    guesses: tuple[Mapping[str, Any], ...] = ()
    kills: bool = True
    hurts: bool = True
    actors: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    version: str = __version__

    @property
    def years(self) -> float:
        return round(self.days / YEAR, 6)

    @property
    def used(self) -> str:
        """How many lines of the record are no test, in words."""
        from powderkeg.score.record import used_in_words

        return used_in_words([str(line.get("used") or "") for line in self.record or ()])

    @property
    def agreeing(self) -> int:
        """Lines of the record with which the model agrees."""
        return sum(bool(line["agrees"]) for line in self.record or ())

    def shares(self, part: str) -> pl.DataFrame:
        """The ends, openers or lengths of standoffs, with the columns record, record_low, record_high if known."""
        frame: pl.DataFrame = getattr(self.standoffs, part)
        lines = {str(line["name"]): line for line in self.record or ()}
        called = RECORD_NAMES.get(part, "")
        held = [lines.get(called.format(name), {}) for name in frame["name"]]
        return frame.with_columns(
            pl.Series(key, [line.get(key) for line in held], dtype=pl.Float64)
            for key in ("record", "record_low", "record_high")
        )

    def tables(self) -> dict[str, pl.DataFrame]:
        """The tables behind the figures, by name, those that have rows; columns that hold lists have them joined."""
        found = {
            **{part: self.shares(part) for part in ("ends", "openers", "lengths")},
            "entanglement": self.entanglement,
            "record": pl.DataFrame(list(self.record or ()), infer_schema_length=None),
            "history": self.example_acts,
            "standoffs": self.example_standoffs,
        }
        lists = pl.selectors.by_dtype(pl.List(pl.String))
        return {name: frame.with_columns(lists.list.join(", ")) for name, frame in found.items() if frame.height}

    @property
    def versions(self) -> dict[str, str]:
        """Of what the numbers depend on."""
        import numba

        return {
            "powderkeg": self.version,
            "Python": platform.python_version(),
            "NumPy": np.__version__,
            "Numba": numba.__version__,
            "Polars": pl.__version__,
        }


def gather(
    model: Model,
    runs: Runs,
    record: Sequence[Mapping[str, Any]] | None = None,
    stability: Stability | None = None,
) -> Results:
    """Everything the page says about runs of a scenario.

    record    lines of a record, if the scenario has one
    stability of the model, if it is known already
    """
    from powderkeg.report.folds import counted, fold, standoffs_of

    folds = [fold(model, part, standoffs_of(part, first)) for first, part in runs.parts()]
    found = counted(model, folds, runs.seed, float(runs.days), lambda number: runs.part(number, number + 1))
    return results_of(model, found, record, stability)


def results_of(
    model: Model,
    counted: Counted,
    record: Sequence[Mapping[str, Any]] | None = None,
    stability: Stability | None = None,
) -> Results:
    """Everything the page says about runs that were counted."""
    from powderkeg import analyze
    from powderkeg.model import foundations, guessed
    from powderkeg.model import stability as stability_of
    from powderkeg.scenario import digest

    scenario = model.scenario
    assert scenario is not None, "the page is about a scenario"
    found = stability or stability_of(model)
    numbers = foundations(model, scenario)
    told = {name: value for name, value in vars(counted).items() if name != "episodes"}
    return Results(
        **told,
        name=scenario.name,
        title=scenario.title or scenario.name,
        about=scenario.about,
        start=scenario.start,
        digest=digest(scenario),
        branching_ratio=found.initial,
        standoffs=analyze.episode_statistics(counted.episodes, counted.days, counted.replicates),
        brink=_brink(found),
        drivers=tuple((path.split(".")[-1], share) for path, share in found.drivers if share >= LEAST_DRIVER),
        record=None if record is None else tuple(record),
        sources=_sources(scenario),
        n_values=numbers["total"],
        n_sourced=sum(one["values"] for one in numbers["sources"]),
        n_guesses=numbers["guesses"],
        guesses=tuple(guessed(model)),
        kills=bool((np.asarray(model.hurts[: model.n_acts]) == DEATH).any()),
        hurts=bool((np.asarray(model.hurts[: model.n_acts]) > 0).any()),
        actors=_titles(scenario.actors),
        titles=called(scenario),
    )


def summary(results: Results) -> dict[str, Any]:
    """The results as one JSON object."""
    r = results
    found = r.standoffs.as_dict()
    return {
        "scenario": r.name,
        "digest": r.digest,
        "version": r.version,
        "seed": r.seed,
        "replicates": r.replicates,
        "years": r.years,
        "events": r.events,
        "stopped_at_limit": r.exploded,
        "branching_ratio": r.branching_ratio,
        "outcomes": {
            row["name"]: {key: row[key] for key in ("mean", "low", "high", "kind", "unit", "runs")}
            for row in r.outcomes.to_dicts()
        },
        "episodes": {
            "per_year": found["per_year"]["mean"],
            "openers": {name: share["mean"] for name, share in found["openers"].items()},
            "ends": {name: share["mean"] for name, share in found["ends"].items()},
            "median_days": found["median_days"]["mean"],
            "with_intervals": found,
        },
    }


def _brink(found: Stability) -> tuple[str, ...]:
    """What the branching ratios say, in sentences."""
    if found.worst < 1:
        verdict = "Below 1 every flare-up dies down, whatever the state."
    else:
        verdict = "At 1 and above a flare-up can feed itself for as long as the state stays so."
    at_most = "" if found.method == "states" else "at most "
    return (
        f"The branching ratio, the mean number of direct answers that an act draws in the long run, is "
        f"{found.initial:.2f} in the state at the start. In the worst state that can be reached it is "
        f"{at_most}{found.worst:.2f} ({found.departure}). {verdict}",
    )


def _sources(scenario: Scenario) -> tuple[Mapping[str, Any], ...]:
    """The sources that the scenario names, and how many of its numbers each stands at."""
    from powderkeg.scenario import paths

    quantities = [value for value in paths(scenario).values() if hasattr(value, "guess")]
    named = [str(value.source) for value in quantities if value.source]
    return tuple(
        {"title": source.title, "url": safe_url(source.url), "uses": named.count(name)}
        for name, source in scenario.sources.items()
    )


def safe_url(url: str | None) -> str | None:
    """The address if it is one of the web; a page must not hold a link that does something else."""
    return url if url is not None and url.lower().startswith(("http://", "https://")) else None


def called(scenario: Scenario) -> dict[str, str]:
    """What actors, acts and mechanisms are called, by name; of two things with one name the actor is meant."""
    return _titles(scenario.mechanisms) | _titles(scenario.acts) | _titles(scenario.actors)


def _titles(section: Mapping[str, Any]) -> dict[str, str]:
    """What things are called, by name: a title as far as its first colon, or the name as words."""
    return {name: item.title.partition(": ")[0] or name.replace("_", " ") for name, item in section.items()}
