"""Social Conflict Analysis Database: the published tables of Africa and Latin America.

An event may last for months and stands for one act on its first day, `startdate`; `enddate` says when it was over, not
on which day it may have happened. `actor1` did it, `target1` is whom it was against. A row is a place of an event:
those of one event share its id, and are one event. -99, -88 and -77 in numbers are not known.
"""

from powderkeg.formats.declared import EVERYWHERE, Format

FORMAT = Format(
    "scad",
    "Social Conflict Analysis Database",
    about="Social Conflict Analysis Database, Africa or Latin America",
    known="its columns",
    sides="actor1, target1",
    codes="event type; an event is on its first day",
    columns={
        "time": ("startdate",),
        "year": ("styr",),
        "month": ("stmo",),
        "day": ("stday",),
        "source": ("actor1",),
        "target": ("target1",),
        "code": ("etype",),
        "event_id": ("eventid",),
        "deaths": ("ndeath",),
    },
    telling=(
        "etype", "escalation", "target1", "target2", "cgovtarget", "rgovtarget", "npart", "ndeath", "repress", "elocal",
        "ilocal", "sublocal", "locnum", "gislocnum", "issue1", "issue2", "issue3", "issuenote", "nsource", "styr",
        "stmo", "stday", "eyr", "emo", "eday", "startdate",
    ),
    others=("eventid", "id", "ccode", "countryname", "enddate", "duration", "actor1", "actor2", "actor3", "latitude",
            "longitude", "geo_comments", "notes", "coder", "acd_questionable"),
    book="scad",
    ids={"eventid": EVERYWHERE},
    parts_first=True,
    missing=("-99", "-88", "-77"),
)  # fmt: skip
