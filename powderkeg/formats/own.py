"""A table of one's own: a row is an event, and its columns go by usual names or are said with a mapping.

Where several pairs of columns may hold the two sides, the more telling pair is taken: `source` is the newspaper in many
tables whose actors are actor1 and actor2.
"""

from powderkeg.formats.declared import IN_ITS_FILE, Format

SIDES = (
    ("source_actor", "target_actor"),
    ("actor1", "actor2"),
    ("actor_a", "actor_b"),
    ("side_a", "side_b"),
    ("initiator", "target"),
    ("perpetrator", "victim"),
    ("sender", "receiver"),
    ("from", "to"),
    ("who", "whom"),
    ("who", "to_whom"),
    ("actor", "recipient"),
    ("actor", "target"),
    ("source", "target"),
    ("src_actor", "tgt_actor"),
)
"""Pairs of columns that may be source and target, the most telling first."""
NUMBERED = SIDES[1:4]
"""Pairs that tell two sides apart and do not say which of them acted: it is said that the first is taken to."""

FORMAT = Format(
    "csv",
    "a table of your own",
    about="a table of your own, text or Parquet",
    known="what is none of the above",
    sides="by column name or mapping",
    codes="by column name, or found from the codes",
    columns={
        "time": ("date", "event_date", "datetime", "time", "timestamp", "when", "day", "start_date", "date_start",
                 "date_from", "from_date", "first_date", "first_day", "begin_date", "date_begin", "date8", "month"),
        "year": ("year",),
        "month": ("month",),
        "day": ("day", "day_of_month", "mday"),
        "source": tuple(dict.fromkeys(first for first, _ in SIDES)),
        "target": tuple(dict.fromkeys(second for _, second in SIDES)),
        "code": ("code", "cameo", "cameo_code", "event_code", "weis", "plover"),
        "act": ("act", "action", "event", "event_type", "type", "does", "what"),
        "event_id": ("event_id", "id"),
        "source_name": ("source_name",),
        "target_name": ("target_name",),
        "source_country": ("source_country",),
        "target_country": ("target_country",),
        "source_sectors": ("source_sectors", "source_sector", "src_agent"),
        "target_sectors": ("target_sectors", "target_sector", "tgt_agent"),
        "goldstein": ("goldstein", "intensity"),
        "tone": ("tone", "quad", "class"),
        "deaths": ("deaths", "fatalities"),
        "until": ("until", "date_end", "end_date", "date_to", "to_date", "last_date", "last_day", "date_until"),
        "count": ("count", "counts", "n", "events", "n_events", "num_events", "number_of_events", "event_count",
                  "freq", "frequency"),
    },
    required=("time", "source"),
    ids={"event_id": IN_ITS_FILE, "id": IN_ITS_FILE},
)  # fmt: skip
