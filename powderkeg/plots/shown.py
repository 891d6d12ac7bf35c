"""How does a notebook show a figure without a network?

In: a chart of this package. Out: the same chart, which shows itself as SVG. Altair's own way writes a script that
fetches the Vega libraries from outside each time that the notebook is opened.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeVar

import altair as alt

from powderkeg.errors import UsageError
from powderkeg.plots.files import svg

ALTAIRS_OWN = "default"
Whole = TypeVar("Whole", alt.LayerChart, alt.VConcatChart, alt.HConcatChart)


class ShownAsSvg:
    """A chart that a notebook shows as SVG, unless its user has enabled another renderer of Altair's."""

    def _repr_mimebundle_(self, *args: Any, **kwds: Any) -> Any:
        if alt.renderers.active != ALTAIRS_OWN:
            return super()._repr_mimebundle_(*args, **kwds)  # type: ignore[misc]
        spec = json.dumps(self.to_dict(validate=False), sort_keys=True)  # type: ignore[attr-defined]
        # Pictures of one notebook must not share the names of their clip paths.
        name = f"f{hashlib.sha256(spec.encode()).hexdigest()[:12]}-"
        try:
            return {"image/svg+xml": svg(self, name), "text/plain": repr(self)}
        except UsageError as error:  # vl-convert is not there
            return {"text/plain": str(error)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class LayeredFigure(ShownAsSvg, alt.LayerChart):
    """Layers over each other."""


class StackedFigure(ShownAsSvg, alt.VConcatChart):
    """Panels below each other."""


class RowFigure(ShownAsSvg, alt.HConcatChart):
    """Panels side by side."""


_SHOWN = {alt.LayerChart: LayeredFigure, alt.VConcatChart: StackedFigure, alt.HConcatChart: RowFigure}


def shown(chart: Whole) -> Whole:
    """The chart as one that shows itself as SVG."""
    # Charts keep whatever is set on them as a property of Vega-Lite's, so the class is set past them.
    object.__setattr__(chart, "__class__", _SHOWN[type(chart)])
    return chart
