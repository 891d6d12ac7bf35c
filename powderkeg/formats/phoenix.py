"""Phoenix event data: the historical sets of the Cline Center, and the daily files of the Open Event Data Alliance.

The Cline Center's files have a header, with the day of the event in year, month and day apart and the day of the story
in story_date. The daily files have none: 26 columns.
"""

from powderkeg.formats.declared import EVERYWHERE, Bare, Format

DAILY = (
    "event_id", "date", "year", "month", "day", "source_actor_full", "source_actor_entity", "source_actor_role",
    "source_actor_attribute", "target_actor_full", "target_actor_entity", "target_actor_role",
    "target_actor_attribute", "event_code", "event_root_code", "penta_class", "goldstein_score", "issues", "lat", "lon",
    "location_name", "state_name", "country_code", "sentence_id", "urls", "news_sources",
)  # fmt: skip

FORMAT = Format(
    "phoenix",
    "Phoenix event data",
    about="Phoenix: the Cline Center's historical sets, and daily files of the Open Event Data Alliance",
    known="its columns, or their number",
    sides="source, target (daily files: source_actor_full, target_actor_full)",
    codes="CAMEO",
    columns={
        "year": ("year",),
        "month": ("month",),
        "day": ("day",),
        "time": ("story_date", "date"),
        "source": ("source_actor_full", "SourceActorFull", "source"),
        "target": ("target_actor_full", "TargetActorFull", "target"),
        "code": ("event_code", "code"),
        "event_id": ("eid", "event_id"),
    },
    telling=(
        "story_date", "source_root", "source_agent", "source_others", "target_root", "target_agent", "target_others",
        "root_code", "joined_issues", "statename", "countryname", *DAILY[5:13], "penta_class", "goldstein_score",
        "event_root_code",
    ),
    others=(*DAILY, "eid", "aid", "quad_class", "goldstein", "placename", "process"),
    bare=(
        Bare("Phoenix daily file without a header", DAILY,
             {"date": r"\d{8}", "year": r"\d{4}", "month": r"\d\d?", "day": r"\d\d?", "event_code": r"\d{2,4}"}),
    ),
    aliases=("cline",),
    book="cameo",
    ids={"eid": EVERYWHERE, "event_id": EVERYWHERE},
    parts_first=True,
)  # fmt: skip
