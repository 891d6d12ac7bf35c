"""powderkeg: conflict systems as executable models.

    import powderkeg as pk

    model = pk.compile(pk.load("north-kosovo"))
    runs = pk.simulate(model, years=10, replicates=1_000, seed=1)
    pk.episodes(runs)

Names are imported when they are first used, so that `import powderkeg` loads neither Numba nor Polars.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import FunctionType, ModuleType

from powderkeg import showing
from powderkeg.version import __version__

# Instead of importing `typing`: Ctrl-C is caught from a line of `powderkeg.cli` on; until then each import counts.
TYPE_CHECKING = False

if sys.flags.optimize > 1:
    import_module(f"{__name__}.docstrings").keep()

# Where a function's module has its name too, type checkers must be led past the module.
if TYPE_CHECKING:
    import typing

    from powderkeg import plots as plots
    from powderkeg import report as report
    from powderkeg.analyze import Rules as Rules
    from powderkeg.analyze import compare_episodes as compare_episodes
    from powderkeg.analyze import drawn_in as drawn_in
    from powderkeg.analyze import episode_statistics as episode_statistics
    from powderkeg.analyze import relative_rules as relative_rules
    from powderkeg.analyze.entanglement import entanglement as entanglement
    from powderkeg.analyze.episodes import episodes as episodes
    from powderkeg.analyze.outcomes import outcomes as outcomes
    from powderkeg.attribute import attribute as attribute
    from powderkeg.compare import compare as compare
    from powderkeg.compare import sensitivity as sensitivity
    from powderkeg.compare.brink import brink as brink
    from powderkeg.compare.rare.rare import rare as rare
    from powderkeg.compare.replay.replaying import replay as replay
    from powderkeg.compare.sweep.sweeps import sweep as sweep
    from powderkeg.errors import EventError as EventError
    from powderkeg.errors import Fault as Fault
    from powderkeg.errors import FitError as FitError
    from powderkeg.errors import ModelError as ModelError
    from powderkeg.errors import PowderkegError as PowderkegError
    from powderkeg.errors import PowderkegWarning as PowderkegWarning
    from powderkeg.errors import ScenarioError as ScenarioError
    from powderkeg.errors import UsageError as UsageError
    from powderkeg.events import EventTable as EventTable
    from powderkeg.events import events as events
    from powderkeg.events import read_events as read_events
    from powderkeg.fit import fit as fit
    from powderkeg.fit import observe as observe
    from powderkeg.forecast import forecast as forecast
    from powderkeg.hawkes import hawkes as hawkes
    from powderkeg.model import Model as Model
    from powderkeg.model import branching_matrix as branching_matrix
    from powderkeg.model import branching_ratio as branching_ratio
    from powderkeg.model import compile as compile
    from powderkeg.model import describe as describe
    from powderkeg.model import from_arrays as from_arrays
    from powderkeg.model import network as network
    from powderkeg.model import stability as stability
    from powderkeg.ranking import ranking as ranking
    from powderkeg.scenario import Scenario as Scenario
    from powderkeg.scenario import digest as digest
    from powderkeg.scenario import dump as dump
    from powderkeg.scenario import edit as edit
    from powderkeg.scenario import load as load
    from powderkeg.scenario import loads as loads
    from powderkeg.scenario import names as names
    from powderkeg.scenario import paths as paths
    from powderkeg.scenario import resolve as resolve
    from powderkeg.scenario import with_covariates as with_covariates
    from powderkeg.score.record import record as record
    from powderkeg.simulate import JobPlan as JobPlan
    from powderkeg.simulate import PartDone as PartDone
    from powderkeg.simulate import Runs as Runs
    from powderkeg.simulate import simulate as simulate
    from powderkeg.text import classify as classify
    from powderkeg.text import code as code
    from powderkeg.text import score_coding as score_coding

_HOMES = {
    "analyze": (
        "Rules",
        "compare_episodes",
        "drawn_in",
        "entanglement",
        "episode_statistics",
        "episodes",
        "outcomes",
        "relative_rules",
    ),
    "attribute": ("attribute",),
    "compare": ("brink", "compare", "rare", "replay", "sensitivity", "sweep"),
    "errors": (
        "EventError",
        "Fault",
        "FitError",
        "ModelError",
        "PowderkegError",
        "PowderkegWarning",
        "ScenarioError",
        "UsageError",
    ),
    "events": ("EventTable", "events", "read_events"),
    "fit": ("fit", "observe"),
    "forecast": ("forecast",),
    "hawkes": ("hawkes",),
    "model": (
        "Model",
        "branching_matrix",
        "branching_ratio",
        "compile",
        "describe",
        "from_arrays",
        "network",
        "stability",
    ),
    "scenario": (
        "Scenario",
        "digest",
        "dump",
        "edit",
        "load",
        "loads",
        "names",
        "paths",
        "resolve",
        "with_covariates",
    ),
    "ranking": ("ranking",),
    "score": ("record",),
    "simulate": ("JobPlan", "PartDone", "Runs", "simulate"),
    "text": ("classify", "code", "score_coding"),
}
"""Public names by the module they live in: the same as the imports above, which only type checkers read."""

_MODULES = ("plots", "report")
"""Modules that are used as such: `pk.plots.history(...)`."""

_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*sorted(_HOME), *_MODULES, "__version__"]


def _named(name: str) -> typing.Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _HOME:
        from powderkeg.errors import no_attribute

        raise no_attribute(__name__, name, __all__)
    home = import_module(f"{__name__}.{_HOME[name]}")
    value = getattr(home, name)
    if isinstance(value, FunctionType):
        value = import_module(f"{__name__}.calls").answering(value, __name__, name)
    if name == _HOME[name]:
        # `import powderkeg.fit.checks.report as report` asks the function for `checks`: what is in the module of its
        # name can be reached through it.
        vars(home).update(vars(value))  # what is wrapped, for the signature
        value.__dict__ = vars(home)
    globals()[name] = value
    _say_once()
    return value


# Type checkers must not see it: to them any misspelt name would be there.
if not TYPE_CHECKING:
    __getattr__ = _named


def _say_once() -> None:
    """That compiled code is not kept, where it is not; once."""
    engine = sys.modules.get(f"{__name__}.engine.caching")
    reason = None if engine is None else engine.told_once()
    if reason is not None:
        from powderkeg.errors import warn

        warn(reason)


def _drawn(result: object, figure: str | None) -> typing.Any:
    """What `result.plot()` gives: figures come after results in the order of modules; the facade knows both."""
    return import_module(f"{__name__}.report.drawn").figure_of(result, figure)


showing.draw_with(_drawn)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Facade(ModuleType):
    """Keeps a public function in its place when the module of the same name is imported.

    Importing `powderkeg.simulate` makes Python set `powderkeg.simulate` to that module, and the function of that name
    would be gone.
    """

    def __setattr__(self, name: str, value: typing.Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Facade
