"""One function a figure.

In: Polars frames (and lines of a record). Out: Altair charts, which `save` writes as SVG, PNG, PDF or HTML, all of them
without a network. Nothing here counts or simulates.
"""

from typing import TYPE_CHECKING, NoReturn

from powderkeg.calls import answering
from powderkeg.errors import no_attribute
from powderkeg.plots.causes import drawn_in, entanglement
from powderkeg.plots.comparison import differences
from powderkeg.plots.family import family_tree, who_sets_off_whom
from powderkeg.plots.files import save, svg, svgs
from powderkeg.plots.fitted import background, estimates, foreseen, mechanism, predictive, residual_ranks
from powderkeg.plots.forecast import fans, fans_and_what_came
from powderkeg.plots.rates import courses, effects
from powderkeg.plots.record import against_record
from powderkeg.plots.replay import replayed
from powderkeg.plots.standoffs import ends, lengths, openers
from powderkeg.plots.strip import history, hostility
from powderkeg.plots.sweep import sweep_line, sweep_map, tornado

__all__ = [
    "against_record",
    "background",
    "courses",
    "differences",
    "drawn_in",
    "effects",
    "ends",
    "entanglement",
    "estimates",
    "family_tree",
    "fans",
    "fans_and_what_came",
    "foreseen",
    "history",
    "hostility",
    "lengths",
    "mechanism",
    "openers",
    "predictive",
    "replayed",
    "residual_ranks",
    "save",
    "svg",
    "svgs",
    "sweep_line",
    "sweep_map",
    "tornado",
    "who_sets_off_whom",
]

for _name in __all__:
    globals()[_name] = answering(globals()[_name], __name__, _name)


def _missing(name: str) -> NoReturn:
    raise no_attribute(__name__, name, __all__)


# Type checkers must not see it: to them any misspelt name would be there.
if not TYPE_CHECKING:
    __getattr__ = _missing
