"""GDELT: the event files of versions 1.0 and 2.0, and the reduced file of 1979 to 2013.

Event files have no header: 57 columns before April 2013, 58 after (the address is the last), 61 in version 2.0. Copies
with a header come from BigQuery, gdeltPyR (a column more) and gdeltr2, which has names of its own. NumMentions,
NumSources and NumArticles count reports of one event, not events; NumEvents of the reduced file counts events.
"""

from powderkeg.formats.declared import EVERYWHERE, Bare, Format


def _actor(side: str) -> tuple[str, ...]:
    parts = ("Code", "Name", "CountryCode", "KnownGroupCode", "EthnicCode", "Religion1Code", "Religion2Code",
             "Type1Code", "Type2Code", "Type3Code")  # fmt: skip
    return tuple(side + part for part in parts)


def _place(side: str, second: bool) -> tuple[str, ...]:
    parts = ("Type", "FullName", "CountryCode", "ADM1Code", *(("ADM2Code",) if second else ()), "Lat", "Long",
             "FeatureID")  # fmt: skip
    return tuple(f"{side}Geo_{part}" for part in parts)


_EVENT = (
    "GLOBALEVENTID", "SQLDATE", "MonthYear", "Year", "FractionDate", *_actor("Actor1"), *_actor("Actor2"),
    "IsRootEvent", "EventCode", "EventBaseCode", "EventRootCode", "QuadClass", "GoldsteinScale", "NumMentions",
    "NumSources", "NumArticles", "AvgTone",
)  # fmt: skip
_SIDES = ("Actor1", "Actor2", "Action")
_OLD = (*_EVENT, *(name for side in _SIDES for name in _place(side, False)), "DATEADDED")
_NEW = (*_EVENT, *(name for side in _SIDES for name in _place(side, True)), "DATEADDED", "SOURCEURL")
_DIGITS = {"GLOBALEVENTID": r"\d+", "SQLDATE": r"\d{8}"}

FORMAT = Format(
    "gdelt",
    "GDELT",
    about="GDELT 1.0 (57 or 58 columns) and 2.0 (61), without a header or with one",
    known="number of columns, or its columns",
    sides="Actor1Code (else its name), Actor2Code",
    codes="CAMEO",
    columns={
        "time": ("SQLDATE", "dateEvent", "Day", "EventDate"),
        "source": ("Actor1Code", "codeActor1"),
        "source_name": ("Actor1Name", "nameActor1"),
        "target": ("Actor2Code", "codeActor2"),
        "target_name": ("Actor2Name", "nameActor2"),
        "code": ("EventCode", "codeEvent", "CAMEOCode"),
        "event_id": ("GLOBALEVENTID", "idGlobalEvent"),
        "reported": ("DATEADDED", "dateAdded", "dateTimeDocument", "dateDocumentAdded"),
    },
    telling=(
        *_EVENT[:2], "FractionDate", *_actor("Actor1"), *_actor("Actor2"), "IsRootEvent", "EventBaseCode",
        "EventRootCode", "QuadClass", "GoldsteinScale", "NumMentions", "NumArticles", "AvgTone", "DATEADDED",
        "idGlobalEvent", "codeActor1", "codeActor2", "nameActor1", "nameActor2", "codeISOActor1", "codeISOActor2",
        "codeEvent", "codeEventBase", "codeEventRoot", "classQuad", "scoreGoldstein", "countMentions",
    ),
    others=(*_NEW, "CAMEOCodeDescription", "monthYearEvent", "yearEvent", "countSources", "countArticles", "urlSource"),
    bare=(
        Bare("GDELT 2.0 15-minute file", _NEW, _DIGITS),
        Bare("GDELT 1.0 daily file", (*_OLD, "SOURCEURL"), _DIGITS),
        Bare("GDELT 1.0 file of before April 2013", _OLD, _DIGITS),
    ),
    aliases=("gdelt1", "gdelt1-old", "gdelt2"),
    separator="\t",
    form="compact",
    reported="compact",
    book="cameo",
    guard="DATEADDED",
    ids={"GLOBALEVENTID": EVERYWHERE, "idGlobalEvent": EVERYWHERE},
    or_name=True,
)  # fmt: skip

_REDUCED = (
    "Date", "Source", "Target", "CAMEOCode", "NumEvents", "NumArts", "QuadClass", "Goldstein", "SourceGeoType",
    "SourceGeoLat", "SourceGeoLong", "TargetGeoType", "TargetGeoLat", "TargetGeoLong", "ActionGeoType",
    "ActionGeoLat", "ActionGeoLong",
)  # fmt: skip

REDUCED = Format(
    "gdelt-reduced",
    "GDELT 1.0 reduced file (MASTERREDUCEDV2)",
    about="GDELT's reduced file of 1979 to 2013: a row for each kind of event of two actors on a day",
    known="its columns, or their number",
    sides="Source, Target",
    codes="CAMEO; NumEvents events a row",
    columns={
        "time": ("Date",),
        "source": ("Source",),
        "target": ("Target",),
        "code": ("CAMEOCode",),
        "count": ("NumEvents",),
    },
    telling=("CAMEOCode", "NumEvents", "NumArts", "SourceGeoType", "SourceGeoLat", "TargetGeoType", "ActionGeoType"),
    others=_REDUCED,
    bare=(
        Bare("GDELT 1.0 reduced file without a header (17 columns)", _REDUCED,
             {"Date": r"\d{8}", "CAMEOCode": r"\d{2,4}", "NumEvents": r"\d+", "NumArts": r"\d+", "QuadClass": "[1-4]"}),
    ),
    like="gdelt",
    separator="\t",
    form="compact",
    book="cameo",
    required=("time", "source", "code", "count"),
)  # fmt: skip
