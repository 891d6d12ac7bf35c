"""ICEWS Coded Event Data: the tab files of its Dataverse, and the same rows as the R package icews writes them.

The annual file of 2017 was published without its column CAMEO Code: the titles of the codes in Event Text stand in.
"""

from powderkeg.formats.declared import EVERYWHERE, Format

FORMAT = Format(
    "icews",
    "ICEWS Coded Event Data (Dataverse tab)",
    about="ICEWS Coded Event Data, Dataverse tab, or as R's icews writes it",
    known="its columns",
    sides="Source Name, Target Name",
    codes="CAMEO; from Event Text where the code column is missing",
    columns={
        "time": ("Event Date", "Date"),
        "source": ("Source Name",),
        "target": ("Target Name",),
        "code": ("CAMEO Code",),
        "label": ("Event Text",),
        "event_id": ("Event ID",),
        "source_country": ("Source Country",),
        "target_country": ("Target Country",),
        "source_sectors": ("Source Sectors",),
        "target_sectors": ("Target Sectors",),
    },
    telling=(
        "Source Name", "Target Name", "CAMEO Code", "Event Text", "Source Sectors", "Target Sectors", "Story ID",
        "Sentence Number",
    ),
    others=("Intensity", "Publisher", "City", "District", "Province", "Country", "Latitude", "Longitude", "Year",
            "yearmonth", "source_file"),
    separator="\t",
    form="day",
    book="cameo",
    missing=("NA",),
    ids={"Event ID": EVERYWHERE},
)  # fmt: skip
