"""ACLED: exports of any year, whole or with chosen fields, and as the R packages acled.api and acledR write them.

The 2015 format has GWNO and ALLY_ACTOR_1 and no sub-event types. `event_id_cnty` holds the country, `event_id_no_cnty`
a number within it, `data_id` a number that changed with every update (ACLED, Guide to 2023 column changes). `source` is
where the news is from. The codebook: actor 1 and actor 2 do not imply directionality.
"""

from powderkeg.formats.declared import EVERYWHERE, IN_ITS_FILE, Format

FORMAT = Format(
    "acled",
    "ACLED export",
    about="ACLED export of any year, comma or semicolon, also with chosen fields",
    known="its columns",
    sides="actor1, actor2 (may be missing), which do not say who acted on whom",
    codes="sub-event type, else event type",
    columns={
        "time": ("event_date",),
        "source": ("actor1", "actor_1"),
        "target": ("actor2", "actor_2"),
        "code": ("sub_event_type",),
        "coarse": ("event_type",),
        "event_id": ("event_id_cnty", "event_id_no_cnty", "data_id"),
        "deaths": ("fatalities",),
        "precision": ("time_precision", "time_prec"),
        "reported": ("timestamp",),
    },
    telling=(
        "event_id_cnty", "event_id_no_cnty", "sub_event_type", "assoc_actor_1", "assoc_actor_2", "ally_actor_1",
        "ally_actor_2", "inter1", "inter2", "interaction", "time_precision", "geo_precision", "disorder_type",
        "civilian_targeting", "source_scale", "gwno", "geo_precis", "time_prec",
    ),
    others=(
        "data_id", "year", "iso", "iso3", "region", "country", "admin1", "admin2", "admin3", "location", "latitude",
        "longitude", "source", "notes", "tags",
    ),
    reported="unix",
    book="acled",
    ids={"event_id_cnty": EVERYWHERE, "event_id_no_cnty": "country", "data_id": IN_ITS_FILE},
    directed=frozenset(),
)  # fmt: skip
