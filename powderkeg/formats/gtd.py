"""Global Terrorism Database: the published table, in any of its releases.

The day stands in three columns; 0 is a month or a day that is not known. `gname` is the group that is held to have
acted ("Unknown" for nearly half of all), `targtype1_txt` the kind of target, `natlty1_txt` its nationality. Ids are
numbers within the whole base. `nkill` counts all deaths, the attackers' too.
"""

from powderkeg.formats.declared import EVERYWHERE, Format

FORMAT = Format(
    "gtd",
    "Global Terrorism Database",
    about="Global Terrorism Database, the published table",
    known="its columns",
    sides="gname, kind of target (targtype1_txt) with its nationality",
    codes="attack type",
    columns={
        "year": ("iyear",),
        "month": ("imonth",),
        "day": ("iday",),
        "source": ("gname",),
        "target": ("targtype1_txt", "targtype1", "target1"),
        "target_country": ("natlty1_txt",),
        "code": ("attacktype1_txt", "attacktype1"),
        "event_id": ("eventid",),
        "deaths": ("nkill",),
    },
    telling=(
        "iyear", "imonth", "iday", "approxdate", "attacktype1", "attacktype1_txt", "targtype1", "targtype1_txt",
        "targsubtype1", "gname", "gsubname", "natlty1", "natlty1_txt", "weaptype1", "weaptype1_txt", "nkill", "nkillus",
        "nkillter", "nwound", "crit1", "crit2", "crit3", "doubtterr", "guncertain1", "claimed", "provstate",
        "country_txt", "region_txt", "corp1", "dbsource",
    ),
    others=("eventid", "extended", "resolution", "country", "region", "city", "latitude", "longitude", "specificity",
            "vicinity", "location", "summary", "success", "suicide", "target1", "motive", "individual", "property"),
    book="gtd",
    ids={"eventid": EVERYWHERE},
    parts_first=True,
    missing=(".",),
)  # fmt: skip
