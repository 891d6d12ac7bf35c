"""Who acted, where the source does not say?

In: a model, and events of which some are marked `undirected` (the two sides of a battle in UCDP or ACLED). Out: the
same events, with the side that acts first where the scenario's moves allow one direction only. Where they allow both,
nobody knows which it was, and an answer in the wrong direction would be estimated as retaliation: that is refused.
"""

from __future__ import annotations

import polars as pl

from powderkeg.errors import EventError, Fault, argument
from powderkeg.model import Model


def settled_sides(model: Model, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows, every one with the side first that acts.

    Raises EventError where a row does not say who acted and the model has a move each way.
    """
    if "undirected" not in frame.columns or model.scenario is None:
        return frame
    unknown = frame["undirected"].fill_null(False) & frame["target"].is_not_null()
    if not unknown.any():
        return frame
    acts = {(c.source, c.act, c.target) for c in model.channels[: model.n_acts]}
    triples = frame.select(pl.col("source", "act", "target").cast(pl.String)).filter(unknown)
    counted = triples.group_by("source", "act", "target").agg(events=pl.len()).sort("events", descending=True)
    back: list[tuple[str, str, str]] = []
    both: list[tuple[str, str, str]] = []
    lost = 0
    for source, act, target, events in counted.iter_rows():
        if (target, act, source) in acts:
            if (source, act, target) in acts:
                both.append((source, act, target))
                lost += events
            else:
                back.append((source, act, target))
    if both:
        source, act, target = both[0]
        raise EventError(
            Fault.at(
                "events",
                f"{lost:,} of {frame.height:,} events do not say who acted on whom, such as '{source} {act} {target}', "
                "and the scenario has a move for each direction",
                "events that say who acted, or moves in one direction; or read them with "
                + argument("directed", True)
                + ", which takes the first side as the one that acts",
            )
        )
    if not back:
        return frame
    swapped = pl.DataFrame(back, schema={"source": pl.String, "act": pl.String, "target": pl.String}, orient="row")
    keys = pl.struct(pl.col("source", "act", "target").cast(pl.String))
    turn = unknown & frame.select(turn=keys.is_in(swapped.to_struct().implode()))["turn"]
    kind = frame.schema["source"]
    return frame.with_columns(
        source=pl.when(turn).then(pl.col("target").cast(kind)).otherwise("source"),
        target=pl.when(turn).then(pl.col("source").cast(kind)).otherwise(pl.col("target").cast(kind)),
    )
