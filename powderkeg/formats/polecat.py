"""POLECAT, with the names of its weekly files or with those of R.

A field of actors may hold several, `Serbia; Russia`, with their countries in the same order: each of them acted, and
each of the recipients is a target. Weekly files are known to carry excess column names, or excess empty columns, in
some weeks (A. Beger, POLECAT event data, 2024): the header is set aside then, the published order stands.
"""

from powderkeg.formats.declared import EVERYWHERE, Bare, Format

COLUMNS = (
    "Event ID", "Event Date", "Event Type", "Event Mode", "Intensity", "Quad Code", "Contexts", "Actor Name",
    "Actor Country", "Actor COW", "Primary Actor Sector", "Actor Sectors", "Actor Title", "Actor Name Raw",
    "Wikipedia Actor ID", "Recipient Name", "Recipient Country", "Recipient COW", "Primary Recipient Sector",
    "Recipient Sectors", "Recipient Title", "Recipient Name Raw", "Wikipedia Recipient ID", "Placename", "City",
    "District", "Province", "Country", "Latitude", "Longitude", "GeoNames ID", "Raw Placename", "Feature Type",
    "Source", "Publication Date", "Story People", "Story Organizations", "Story Locations", "Language", "Version",
)  # fmt: skip

FORMAT = Format(
    "polecat",
    "POLECAT",
    about="POLECAT weekly and yearly files",
    known="its columns",
    sides="Actor Name, Recipient Name; each of several is an actor",
    codes="PLOVER type, and mode after a colon",
    columns={
        "time": ("Event Date",),
        "source": ("Actor Name",),
        "target": ("Recipient Name",),
        "code": ("Event Type",),
        "mode": ("Event Mode",),
        "event_id": ("Event ID",),
        "source_name": ("Actor Name Raw",),
        "target_name": ("Recipient Name Raw",),
        "source_country": ("Actor Country",),
        "target_country": ("Recipient Country",),
        "source_sectors": ("Primary Actor Sector",),
        "target_sectors": ("Primary Recipient Sector",),
        "reported": ("Publication Date",),
    },
    telling=(
        "Event Mode", "Quad Code", "Actor Name", "Recipient Name", "Actor Name Raw", "Recipient Name Raw",
        "Primary Actor Sector", "Primary Recipient Sector", "Actor COW", "Recipient COW", "Wikipedia Actor ID",
        "Wikipedia Recipient ID", "Story People", "Story Organizations", "Story Locations", "Publication Date",
    ),
    others=COLUMNS,
    bare=(
        Bare("POLECAT without a header", COLUMNS, {"Event Date": r"\d{4}-\d\d-\d\d", "Event Type": "[A-Z]+",
                                                   "Publication Date": r"\d{4}-\d\d-\d\d"}),
    ),
    separator="\t",
    form="day",
    reported="iso",
    book="plover",
    missing=("None", "NA"),
    ids={"Event ID": EVERYWHERE},
    list_mark=";",
)  # fmt: skip
