"""Which kind of file is this? Known by its columns in any spelling, or refused by its name; never guessed into another.

The files are made up; their headers are those of the data sets, of older releases, and of what packages and programs
make of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas
import polars as pl
import pytest
from event_files import ICEWS, POLECAT, gdelt_row

from powderkeg import formats
from powderkeg.errors import EventError
from powderkeg.events import EventTable, balance, events, read_events
from powderkeg.events.recognition import recognised
from powderkeg.formats import DECLARED, FORMATS, KINDS, Format, gdelt, own, phoenix, squashed, ucdp
from powderkeg.scenario import loads

DOCS = Path(__file__).resolve().parent.parent / "docs" / "events.md"
Row = dict[str, str]

ICEWS_ROW: Row = {
    "Event ID": "900", "Event Date": "2018-06-01", "Source Name": "Serbia", "Source Sectors": "Government",
    "Source Country": "Serbia", "Event Text": "Consult", "CAMEO Code": "040", "Intensity": "1",
    "Target Name": "Kosovo", "Target Sectors": "Government", "Target Country": "Kosovo", "Story ID": "77",
    "Sentence Number": "1", "Publisher": "Agency A", "City": "NA", "Latitude": "44.8", "Longitude": "20.4",
}  # fmt: skip
GDELT_ROW: Row = {
    "GLOBALEVENTID": "700", "SQLDATE": "20180105", "MonthYear": "201801", "Year": "2018", "FractionDate": "2018.01",
    "Actor1Code": "SRB", "Actor1Name": "SERBIA", "Actor1CountryCode": "SRB", "Actor2Code": "KSV",
    "Actor2Name": "KOSOVO", "Actor2CountryCode": "KSV", "IsRootEvent": "1", "EventCode": "042", "EventBaseCode": "042",
    "EventRootCode": "04", "QuadClass": "1", "GoldsteinScale": "1.9", "NumMentions": "5", "NumSources": "1",
    "NumArticles": "5", "AvgTone": "-1.5", "DATEADDED": "20180108121500", "SOURCEURL": "http://news.example/a",
}  # fmt: skip
ACLED_ROW: Row = {
    "event_id_cnty": "NLD1", "event_date": "2023-05-10", "year": "2023", "time_precision": "1",
    "disorder_type": "Political violence", "event_type": "Battles", "sub_event_type": "Armed clash",
    "actor1": "Military Forces of Northland", "assoc_actor_1": "", "inter1": "1", "actor2": "NLA", "assoc_actor_2": "",
    "inter2": "2", "interaction": "12", "iso": "688", "country": "Northland", "latitude": "42.8", "longitude": "20.8",
    "geo_precision": "1", "source": "Daily Courier", "source_scale": "National", "notes": "made up", "fatalities": "2",
    "timestamp": "1700000000",
}  # fmt: skip
UCDP_ROW: Row = dict.fromkeys(ucdp.COLUMNS, "") | {
    "id": "500", "relid": "NLD-2023-1-1-0", "year": "2023", "active_year": "1", "code_status": "Clear",
    "type_of_violence": "1", "conflict_name": "Northland: Government", "side_a": "Government of Northland",
    "side_b": "NLA", "country": "Northland", "event_clarity": "1", "date_prec": "1", "date_start": "2023-03-04",
    "date_end": "2023-03-04", "best": "3", "high": "4", "low": "2", "latitude": "42.8",
}  # fmt: skip
POLECAT_ROW: Row = dict.fromkeys(POLECAT.split("\t"), "None") | {
    "Event ID": "20230104_1", "Event Date": "2023-01-03", "Event Type": "CONSULT", "Event Mode": "visit",
    "Actor Name": "Serbia", "Actor Country": "SRB", "Recipient Name": "Kosovo", "Recipient Country": "XKX",
    "Publication Date": "2023-01-04", "Source": "Daily Courier",
}  # fmt: skip
CLINE_ROW: Row = {
    "eid": "NYT0", "story_date": "3/4/1999", "year": "1999", "month": "3", "day": "4", "source": "NATO",
    "source_root": "NAT", "source_agent": "O", "source_others": "", "target": "SRB", "target_root": "SRB",
    "target_agent": "", "target_others": "", "code": "195", "root_code": "19", "quad_class": "4", "goldstein": "-10",
    "joined_issues": "", "lat": "44.8", "lon": "20.4", "placename": "Town", "countryname": "SRB", "aid": "a0",
}  # fmt: skip


def snake(name: str) -> str:
    """As R's janitor and the packages write it."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()).strip("_")


def written(rows: Sequence[Row], separator: str = ",", header: bool = True) -> str:
    lines = [separator.join(f'"{v}"' if separator in v else v for v in row.values()) for row in rows]
    return "\n".join([separator.join(rows[0])] * header + lines) + "\n"


def renamed(row: Row, change: dict[str, str]) -> Row:
    return {change.get(name, name): value for name, value in row.items()}


def only(row: Row, *names: str) -> Row:
    return {name: row[name] for name in names}


GDELTR2 = {
    "GLOBALEVENTID": "idGlobalEvent", "SQLDATE": "dateEvent", "Actor1Code": "codeActor1", "Actor1Name": "nameActor1",
    "Actor2Code": "codeActor2", "Actor2Name": "nameActor2", "EventCode": "codeEvent", "EventBaseCode": "codeEventBase",
    "EventRootCode": "codeEventRoot", "QuadClass": "classQuad", "GoldsteinScale": "scoreGoldstein",
    "NumMentions": "countMentions", "IsRootEvent": "isRootEvent",
}  # fmt: skip
ACLED_2015 = {
    "time_precision": "TIME_PRECISION", "assoc_actor_1": "ALLY_ACTOR_1", "assoc_actor_2": "ALLY_ACTOR_2", "iso": "GWNO",
}  # fmt: skip
SHAPEFILE = {name: name[:10] for name in ucdp.COLUMNS}

VARIANTS: dict[str, tuple[str, str]] = {
    "icews as published": ("icews", written([ICEWS_ROW], "\t")),
    "icews in snake case, by R's icews": ("icews", written([renamed(ICEWS_ROW, {n: snake(n) for n in ICEWS})])),
    "icews through R's make.names": ("icews", written([{n.replace(" ", "."): v for n, v in ICEWS_ROW.items()}])),
    "icews with a mark that R could not read": (
        "icews", written([{("ï.." if n == "Event ID" else "") + n.replace(" ", "."): v for n, v in ICEWS_ROW.items()}])
    ),
    "icews in capitals": ("icews", written([{n.upper(): v for n, v in ICEWS_ROW.items()}])),
    "icews in another order": ("icews", written([dict(reversed(ICEWS_ROW.items()))], "\t")),
    "icews with semicolons": ("icews", written([ICEWS_ROW], ";")),
    "icews in camel case": ("icews", written([{n.replace(" ", ""): v for n, v in ICEWS_ROW.items()}])),
    "icews chosen columns": (
        "icews", written([renamed(only(ICEWS_ROW, "Event Date", "Source Name", "Target Name", "CAMEO Code"),
                                  {"Event Date": "date"})])
    ),
    "icews 2017 without its code column": (
        "icews",
        written([{n: v for n, v in ICEWS_ROW.items() if n != "CAMEO Code"} | {"Event Date": "1/13/2018"}], "\t"),
    ),
    "icews with row names of R": ("icews", written([{"": "1", **ICEWS_ROW}])),
    "gdelt from BigQuery": ("gdelt", written([GDELT_ROW])),
    "gdelt with tabs": ("gdelt", written([GDELT_ROW], "\t")),
    "gdelt in snake case": ("gdelt", written([{snake(n): v for n, v in GDELT_ROW.items()}])),
    "gdelt in small letters": ("gdelt", written([{n.lower(): v for n, v in GDELT_ROW.items()}])),
    "gdelt by gdeltPyR, a column more": ("gdelt", written([{**GDELT_ROW, "CAMEOCodeDescription": "Make a visit"}])),
    "gdelt by R's gdeltr2": (
        "gdelt", written([renamed(GDELT_ROW, GDELTR2) | {"dateEvent": "2018-01-05"}])
    ),
    "gdelt with Day and names alone": (
        "gdelt", written([renamed(only(GDELT_ROW, "GLOBALEVENTID", "SQLDATE", "Actor1Name", "Actor2Name", "EventCode",
                                       "QuadClass", "GoldsteinScale"), {"SQLDATE": "Day"})])
    ),
    "gdelt reduced": (
        "gdelt-reduced",
        "Date\tSource\tTarget\tCAMEOCode\tNumEvents\tNumArts\tQuadClass\tGoldstein\n"
        "20180105\tSRB\tKSV\t042\t1\t4\t1\t1.9\n",
    ),
    "polecat as published": ("polecat", written([POLECAT_ROW], "\t")),
    "polecat in snake case": ("polecat", written([{snake(n): v for n, v in POLECAT_ROW.items()}])),
    "polecat through R's make.names": ("polecat", written([{n.replace(" ", "."): v for n, v in POLECAT_ROW.items()}])),
    "polecat without a header": ("polecat", written([POLECAT_ROW] * 2, "\t", header=False)),
    "acled as the API writes it": ("acled", written([ACLED_ROW])),
    "acled in capitals": ("acled", written([{n.upper(): v for n, v in ACLED_ROW.items()}])),
    "acled of 2015": (
        "acled", written([{n.upper(): v for n, v in renamed(ACLED_ROW, ACLED_2015).items()
                           if n not in ("sub_event_type", "disorder_type", "source_scale", "timestamp")}])
    ),
    "acled with titles": ("acled", written([{n.replace("_", " ").title(): v for n, v in ACLED_ROW.items()}], ";")),
    "acled with chosen fields": (
        "acled", written([only(ACLED_ROW, "event_id_cnty", "event_date", "event_type", "sub_event_type", "actor1",
                               "actor2", "source", "notes")])
    ),
    "acled with hardly any field": (
        "acled", written([only(ACLED_ROW, "event_date", "event_type", "actor1", "actor2", "source")])
    ),
    "acled by country number": (
        "acled", written([renamed(ACLED_ROW, {"event_id_cnty": "event_id_no_cnty"}) | {"event_id_no_cnty": "1"}])
    ),
    "ucdp as published": ("ucdp", written([UCDP_ROW])),
    "ucdp in capitals": ("ucdp", written([{n.upper(): v for n, v in UCDP_ROW.items()}])),
    "ucdp candidate without a header": ("ucdp", written([UCDP_ROW] * 2, header=False)),
    "ucdp from a shapefile": (
        "ucdp", written([renamed(UCDP_ROW, SHAPEFILE)])
    ),
    "ucdp of an older release": (
        "ucdp", written([renamed({n: v for n, v in UCDP_ROW.items() if n not in ("code_status", "relid")},
                                 {"best": "best_est", "high": "high_est", "low": "low_est"})])
    ),
    "ucdp chosen columns": (
        "ucdp",
        written([only(UCDP_ROW, "id", "type_of_violence", "side_a", "side_b", "date_start", "date_end", "best")]),
    ),
    "phoenix of the Cline Center": ("phoenix", written([CLINE_ROW])),
    "phoenix of the Cline Center through R": (
        "phoenix", written([{"": "1", **CLINE_ROW}])
    ),
    "phoenix daily without a header": (
        "phoenix",
        written([dict.fromkeys(phoenix.DAILY, "") | {
            "event_id": "1_0", "date": "19990304", "year": "1999", "month": "03", "day": "04",
            "source_actor_full": "NATO", "target_actor_full": "SRB", "event_code": "195", "event_root_code": "19",
        }], "\t", header=False),
    ),
    "a table of a database, its name before every column": (
        "icews", written([{f"icews.{n.replace(' ', '_')}": v for n, v in ICEWS_ROW.items()}])
    ),
}  # fmt: skip
SIDES = {
    "icews": ("Serbia", "Kosovo"), "gdelt": ("SRB", "KSV"), "gdelt-reduced": ("SRB", "KSV"),
    "polecat": ("Serbia", "Kosovo"), "acled": ("Military Forces of Northland", "NLA"),
    "ucdp": ("Government of Northland", "NLA"), "phoenix": ("NATO", "SRB"),
}  # fmt: skip


def read(folder: Path, text: str, name: str = "f.csv", **kwargs: object) -> EventTable:
    (folder / name).write_text(text)
    table = read_events(folder / name, **kwargs)  # type: ignore[arg-type]
    assert balance(table.account) == 0
    return table


@pytest.mark.parametrize("name", VARIANTS)
def test_a_format_is_known_in_any_spelling(tmp_path: Path, name: str) -> None:
    kind, text = VARIANTS[name]
    table = read(tmp_path, text)
    assert table.account["format"] == FORMATS[kind].kind, table.account["said"]
    source, target = SIDES[kind]
    if "names alone" in name:
        source, target = "SERBIA", "KOSOVO"
    assert set(table.frame["source"]) == {source} and set(table.frame["target"]) == {target}
    assert table.start.year in (1999, 2018, 2023) and table.start.day in (3, 4, 5, 10, 1, 13)
    assert table.frame["tone"].null_count() == 0 and table.account["rows_set_aside"] == 0
    assert str(table.account["said"]).count("read as") == 1


@pytest.mark.parametrize("name", [name for name, (_, text) in VARIANTS.items() if text.count("\n") == 2])
def test_a_dataframe_of_a_format_is_known_too(tmp_path: Path, name: str) -> None:
    kind, text = VARIANTS[name]
    header, row = (re.split(r"[\t,;]", line) for line in text.splitlines())
    if len(set(header)) < len(header) or len(row) != len(header) or any(not one for one in header):
        pytest.skip("a frame's columns have names, each its own")
    table = events(pl.DataFrame([row], schema=header, orient="row"))
    assert table.account["format"] == FORMATS[kind].kind and len(table) == 1


REFUSED: dict[str, tuple[str, str]] = {
    "icews without acts": (
        written([{n: v for n, v in ICEWS_ROW.items() if n not in ("CAMEO Code", "Event Text")}], "\t"),
        r"ICEWS .* without a column for code \(CAMEO Code, Event Text\)",
    ),
    "icews without actors": (
        written([{n: v for n, v in ICEWS_ROW.items() if n != "Source Name"}], "\t"),
        r"ICEWS .* without a column for source \(Source Name\)",
    ),
    "acled without actors, with its newspaper": (
        written([only(ACLED_ROW, "event_id_cnty", "event_date", "event_type", "sub_event_type", "source", "notes")]),
        r"ACLED export without a column for source \(actor1",
    ),
    "ucdp without a type": (
        written([{n: v for n, v in UCDP_ROW.items() if n != "type_of_violence"}]),
        "UCDP .* without a column for code",
    ),
    "gdelt without a day": (
        written([{n: v for n, v in GDELT_ROW.items() if n not in ("SQLDATE", "MonthYear", "Year")}]),
        "GDELT without a column for time",
    ),
    "polecat without its type": (
        written([{n: v for n, v in POLECAT_ROW.items() if n != "Event Type"}], "\t"),
        "POLECAT without a column for code",
    ),
    "a lone source beside notes": (
        "date,event_type,location,source\n2020-01-03,riot,Town,Daily Courier\n",
        "it may be the actor, or where the news is from",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_known_format_that_lacks_what_makes_an_event_is_refused_by_name(tmp_path: Path, name: str) -> None:
    """Read as a table of one's own it would give events, with the newspaper as actor."""
    text, message = REFUSED[name]
    with pytest.raises(EventError, match=message):
        read(tmp_path, text)


def test_a_mapping_adds_to_the_format_and_says_where_it_goes_against_it(tmp_path: Path) -> None:
    row = {n.upper(): v for n, v in renamed(ACLED_ROW, ACLED_2015).items() if n != "sub_event_type"}
    table = read(tmp_path, written([row]), mapping={"code": "EVENT_TYPE"})
    assert table.account["format"] == "acled" and table.frame["source"].to_list() == ["Military Forces of Northland"]
    table = read(tmp_path, written([row]), mapping={"source": "SOURCE"})
    assert table.account["format"] == "acled" and table.frame["source"].to_list() == ["Daily Courier"]
    assert "source is read from 'SOURCE' as asked, not from 'ACTOR1'" in str(table.account["said"])
    lacking = {n: v for n, v in ICEWS_ROW.items() if n not in ("CAMEO Code", "Event Text")} | {"kind": "173"}
    table = read(tmp_path, written([lacking], "\t"), mapping={"code": "kind"})
    assert table.account["format"] == "icews" and table.frame["cameo"].to_list() == ["173"]


@pytest.mark.parametrize(
    ("header", "source", "target"),
    [
        ("date,actor1,actor2,act,source,notes", "actor1", "actor2"),
        ("date,source,actor1,actor2,act", "actor1", "actor2"),
        ("date,Source,Perpetrator,Victim,act,headline", "Perpetrator", "Victim"),
        ("date,initiator,target,act,source", "initiator", "target"),
        ("date,source,side_a,side_b,act", "side_a", "side_b"),
        ("date,source,target,act,notes", "source", "target"),
        ("date,sender,receiver,act", "sender", "receiver"),
        ("date,source,act", "source", None),
    ],
)  # fmt: skip
def test_the_newspaper_is_not_the_actor(tmp_path: Path, header: str, source: str, target: str | None) -> None:
    names = header.split(",")
    table = read(tmp_path, header + "\n2020-01-03," + ",".join(f"<{name}>" for name in names[1:]) + "\n")
    assert table.frame["source"].to_list() == [f"<{source}>"]
    assert table.frame["target"].to_list() == [target and f"<{target}>"]
    news = "source" in map(str.lower, names) and source.lower() != "source"
    assert ("where the news is from" in str(table.account["said"])) == news


def test_a_day_may_stand_in_three_columns(tmp_path: Path) -> None:
    text = "year,month,day,source,target,act\n1999,3,4,a,b,block\n1999,12,24,b,a,ask\n"
    table = read(tmp_path, text)
    assert (table.start, table.end, table.resolution) == (date(1999, 3, 4), date(1999, 12, 24), "day")
    months = read(tmp_path, "year,month,source,target,act\n1999,3,a,b,block\n1999,12,b,a,ask\n")
    assert (months.start, months.resolution) == (date(1999, 3, 1), "month")
    dated = read(tmp_path, "date,year,month,day,source,target,act\n2000-01-02,1999,3,4,a,b,block\n")
    assert dated.start == date(2000, 1, 2)
    bad = read(tmp_path, text + "1999,2,30,a,b,block\n")
    assert bad.account["set_aside_by_reason"] == {"bad date": 1}


def test_titles_of_codes_are_read_where_the_code_is_missing(tmp_path: Path) -> None:
    """As in the annual ICEWS file of 2017; a title of no code is an unknown code."""
    titles = ["Consult", "Make statement", "Threaten with military force", "Criticize or denounce",
              "arrest, detain, or charge with legal action", "Something else"]  # fmt: skip
    rows = [{n: v for n, v in ICEWS_ROW.items() if n != "CAMEO Code"} | {"Event Text": title} for title in titles]
    table = read(tmp_path, written(rows, "\t"), doubles=())
    assert table.frame["code"].to_list() == ["040", "010", "138", "111", "173", "Something else"]
    assert table.account["unknown_codes"] == {"Something else": 1}


def test_event_types_of_acled_before_2019_have_a_class(tmp_path: Path) -> None:
    kinds = ["Battle-No change of territory", "BATTLE-GOVERNMENT REGAINS TERRITORY", "Remote violence",
             "Riots/Protests", "Violence against civilians", "Strategic development"]  # fmt: skip
    rows = [
        {n.upper(): v for n, v in ACLED_ROW.items() if n != "sub_event_type"} | {"EVENT_TYPE": kind} for kind in kinds
    ]
    table = read(tmp_path, written(rows), doubles=())
    assert table.account["unknown_codes"] == {}
    assert table.frame["tone"].null_count() == 1


def test_codes_that_are_in_two_books_are_asked_about_and_not_guessed(tmp_path: Path) -> None:
    text = "date,source,target,code\n2020-01-03,a,b,111\n2020-01-04,b,a,042\n2020-01-05,b,a,061\n"
    for table in (read(tmp_path, text), events(pl.read_csv(text.encode(), infer_schema=False))):
        assert "are in the books cameo and weis" in str(table.account["said"])
        assert table.account["codebooks"] == [] and table.frame["tone"].null_count() == 3
    assert read(tmp_path, text, codebook="weis").account["codebooks"] == ["weis"]
    assert read(tmp_path, text.replace("code", "cameo")).account["codebooks"] == ["cameo"]


# --- declared once ----------------------------------------------------------------------------------------------------


def test_gdelts_reduced_file_is_no_keds_even_without_its_header(tmp_path: Path) -> None:
    """Its first four columns look like a line of KEDS; the fifth says how many events a row is."""
    places = "\t".join(["1", "42.1", "20.1"] * 3)
    rows = [("USAMIL", "SRB", "195", "3"), ("RUS", "USA", "010", "1"), ("RUS", "USA", "042", "1")]
    lines = [
        f"1999032{n}\t{a}\t{b}\t{code}\t{count}\t9\t4\t-10\t{places}" for n, (a, b, code, count) in enumerate(rows)
    ]
    path = tmp_path / "reduced.txt"
    path.write_text("\n".join(lines) + "\n")
    table = read_events(path)
    assert (table.account["format"], table.account["codebooks"]) == ("gdelt", ["cameo"])
    assert table.frame.height == 5


@pytest.mark.parametrize("first", ["2015-03-01,A,B,attack", "1;1.3.2015;A;B;attack", "20150301,A,B,190,x"])
def test_a_file_without_a_header_is_told_as_such(tmp_path: Path, first: str) -> None:
    path = tmp_path / "bare.csv"
    path.write_text(f"{first}\n{first}\n")
    with pytest.raises(EventError, match="no header row"):
        read_events(path)


def test_the_table_of_formats_in_the_docs_is_what_is_declared() -> None:
    rows = [f"| `{k.name}` | {k.about} | {k.known} | {k.sides} | {k.codes} |" for k in DECLARED]
    assert "\n".join(rows) in DOCS.read_text(), "put these rows into docs/events.md:\n" + "\n".join(rows)


def test_what_a_column_may_be_mapped_to_is_in_the_docs() -> None:
    assert f"Fields: {', '.join(formats.FIELDS)}." in " ".join(DOCS.read_text().split())


@pytest.mark.parametrize("kind", DECLARED, ids=lambda kind: kind.name)
def test_a_declaration_agrees_with_itself(kind: Format) -> None:
    assert set(kind.columns) <= set(formats.FIELDS)
    names = {squashed(name) for name in kind.columns.get("event_id", ())}
    assert {squashed(name) for name in kind.ids} == names, "each id says within what it is unique"
    assert all(len(set(map(squashed, bare.columns))) == len(bare.columns) for bare in kind.bare)
    assert all(set(bare.shapes) <= set(bare.columns) for bare in kind.bare)
    if kind.telling:
        assert recognised([names[0] for names in kind.columns.values()]) is kind, "its own columns tell it"


def test_an_actor_may_have_match_rules_for_every_kind_of_data() -> None:
    rules = "".join(f"      {name}: [{{names: [A]}}]\n" for name in KINDS)
    scenario = loads(
        "powderkeg: 1\nname: x\nstart: 2020-01-01\nyears: 1\nactors:\n  a:\n    match:\n" + rules + "  b: {}\n"
        "acts: {hit: {tone: hostile}}\nmoves:\n  hits: {who: a, does: hit, to: b, rate: 1 per year}\n"
    )
    assert set(scenario.actors["a"].match) == set(KINDS)


def test_a_new_format_needs_its_declaration_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What CONTRIBUTING.md says, tried with a data set that does not exist."""
    made_up = Format(
        "tin-drum", "Tin Drum incident files", about="", known="", sides="", codes="",
        columns={"time": ("Incident Day",), "source": ("Drummer",), "target": ("Drummed At",), "code": ("CAMEO Kind",)},
        telling=("Incident Day", "Drummer", "Drummed At"), book="cameo",
    )  # fmt: skip
    assert recognised(["incident_day", "drummer", "drummed_at", "cameo_kind"]).is_own
    monkeypatch.setitem(FORMATS, "tin-drum", made_up)
    table = read(tmp_path, "incident_day,drummer,drummed_at,cameo_kind\n2020-01-03,a,b,173\n")
    assert table.account["format"] == "tin-drum" and table.frame["cameo"].to_list() == ["173"]
    with pytest.raises(EventError, match="Tin Drum incident files without a column for code"):
        read(tmp_path, "incident_day,drummer,drummed_at\n2020-01-03,a,b\n")


TWICE = "date,source,target,code,source\n2015-05-03,A,B,0190,{}\n2015-05-04,B,A,0190,{}\n"


def test_two_columns_of_one_name_that_differ_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    with pytest.raises(EventError) as caught:
        read(tmp_path, TWICE.format("A", "Reuters"))
    assert "2 columns are called 'source' and differ, first in row 3: 'B' and 'Reuters'" in str(caught.value)
    first = read(tmp_path, TWICE.format("A", "Reuters"), mapping={"source": "source"})
    assert first.frame["source"].to_list() == ["A", "B"] and "the first is read, as asked" in str(first.account["said"])
    second = read(tmp_path, TWICE.format("A", "Reuters"), mapping={"source": "source (2)"})
    assert second.frame["source"].to_list() == ["A", "Reuters"]
    frame = pandas.DataFrame([["2015-05-03", "A", "B", "0190", "C"]], columns=TWICE.split("\n")[0].split(","))
    with pytest.raises(EventError, match="several columns called 'source'"):
        events(frame)


def test_two_columns_of_one_name_and_the_same_values_are_read_and_said(tmp_path: Path) -> None:
    table = read(tmp_path, TWICE.format("A", "B"))
    assert table.frame["source"].to_list() == ["A", "B"]
    assert "2 columns are called 'source': the first is read; they are the same" in str(table.account["said"])


def test_two_columns_whose_names_differ_in_spelling_only_are_one_name(tmp_path: Path) -> None:
    """`Source` is where the news is from and `source` the actor, or the other way round: nobody can know."""
    text = "Source,source,target,date,code\nNews,A,B,2020-01-01,0190\nNews,B,A,2020-01-02,0112\n"
    with pytest.raises(EventError, match="2 columns are called 'Source' and 'source' and differ, first in row 2"):
        read(tmp_path, text)
    assert read(tmp_path, text, mapping={"source": "source"}).frame["source"].to_list() == ["A", "B"]
    same = read(tmp_path, text.replace("News,A", "A,A").replace("News,B", "B,B"))
    assert same.frame["source"].to_list() == ["A", "B"] and "'Source' and 'source'" in str(same.account["said"])


def test_titles_of_codes_stand_in_for_them_in_a_table_of_ones_own(tmp_path: Path) -> None:
    text = "date,source,target,code\n2020-01-02,A,B,Use conventional military force\n2020-01-04,B,A,MAKE STATEMENT\n"
    table = read(tmp_path, text)
    assert table.frame["code"].to_list() == ["190", "010"] and "titles that CAMEO has" in str(table.account["said"])
    own = read(
        tmp_path, text.replace("Use conventional military force", "threaten").replace("MAKE STATEMENT", "demand")
    )
    assert own.frame["code"].to_list() == ["threaten", "demand"], "words of one's own are left as they are"


@pytest.mark.parametrize(("first", "second", "said"), [
    ("actor1", "actor2", True), ("side_a", "side_b", True), ("actor_a", "actor_b", True),
    ("source", "target", False), ("initiator", "target", False), ("sender", "receiver", False),
])  # fmt: skip
def test_it_is_said_where_names_of_columns_do_not_tell_who_acted(
    tmp_path: Path, first: str, second: str, said: bool
) -> None:
    table = read(tmp_path, f"date,{first},{second},code\n2020-01-02,A,B,0190\n2020-01-04,B,A,042\n")
    assert (f"{first!r} is taken for who acted" in str(table.account["said"])) is said


def test_the_terrorism_database_is_read_with_days_and_months_that_are_not_known(tmp_path: Path) -> None:
    header = "eventid,iyear,imonth,iday,attacktype1,targtype1,gname,nkill,nwound\n"
    rows = "1,2015,0,0,9,3,Free Hand,,0\n2,2015,2,0,3,4,Free Hand,2,0\n3,2015,2,28,2,4,Free Hand,1,0\n"
    table = read(tmp_path, header + rows)
    assert table.account["format"] == "gtd" and table.frame["span"].to_list() == [365.0, 28.0, 1.0]
    assert table.frame["cameo"].cast(pl.String).to_list() == ["180", "183", "180"]


def test_a_social_conflict_of_weeks_is_an_act_on_its_first_day_not_a_day_that_is_not_known(tmp_path: Path) -> None:
    header = "eventid,startdate,enddate,etype,actor1,target1,npart,ndeath,locnum\n"
    table = read(tmp_path, header + "1,14jan2010,30mar2010,8,Rebels,Army,2,-99,1\n2,20jan2010,20jan2010,1,S,G,2,0,1\n")
    assert table.account["format"] == "scad" and "span" not in table.frame.columns
    assert table.frame["time"].to_list() == [0.0, 6.0] and table.frame["deaths"].to_list() == [None, 0.0]


def test_a_column_that_no_event_is_read_from_may_come_twice(tmp_path: Path) -> None:
    read(tmp_path, "date,source,target,code,notes,notes\n2015-05-03,A,B,0190,x,y\n")


@pytest.mark.parametrize("separator", [";", ",", "|"])
@pytest.mark.parametrize("width", [61, 58])
def test_gdelt_without_a_header_is_known_with_any_separator(tmp_path: Path, separator: str, width: int) -> None:
    rows = [gdelt_row(n, width=width, name="BELGRADE, SERBIA; CENTRE | OLD") for n in range(1, 4)]
    text = "".join(separator.join(f'"{field}"' if " " in field else field for field in row) + "\n" for row in rows)
    table = read(tmp_path, text)
    assert table.account["format"] == "gdelt" and table.frame["source"].cast(pl.String).to_list() == ["SRBGOV"] * 3
    assert f"fields are separated by {separator!r}" in str(table.account["said"])


def test_names_of_rows_may_be_words(tmp_path: Path) -> None:
    head = '"date","source","target","code"\n'
    rows = '"first","2015-05-03","A","B","0190"\n"second","2015-05-04","B","A","0190"\n'
    table = read(tmp_path, head + rows)
    assert table.frame["source"].to_list() == ["A", "B"] and "the rows begin with a name" in str(table.account["said"])
    # A last separator too many is no name of a row.
    table = read(tmp_path, "source,date,target,code\nA,2015-05-03,B,0190,\nB,2015-05-04,A,0190,\n")
    assert table.frame["source"].to_list() == ["A", "B"]


@pytest.mark.parametrize(("frequency", "span"), [("D", 1), ("W", 7), ("Q", 90)])
def test_periods_of_pandas_are_spans(frequency: str, span: int) -> None:
    day = pandas.period_range("2015-01-05", periods=2, freq=frequency)
    table = events(pandas.DataFrame({"date": day, "source": ["A", "B"], "target": ["B", "A"], "code": "0190"}))
    assert table.frame.height == 2
    assert (table.frame["span"][0] if "span" in table.frame.columns else 1) == span


def test_months_of_pandas_are_what_months_in_a_file_are(tmp_path: Path) -> None:
    day = pandas.period_range("2015-01-05", periods=2, freq="M")
    table = events(pandas.DataFrame({"date": day, "source": ["A", "B"], "target": ["B", "A"], "code": "0190"}))
    same = read(tmp_path, "date,source,target,code\n2015-01,A,B,0190\n2015-02,B,A,0190\n")
    assert table.frame["time"].to_list() == same.frame["time"].to_list()
    assert table.resolution == same.resolution == "month"


def test_pairs_of_sides_are_columns_of_ones_own() -> None:
    firsts, seconds = own.FORMAT.columns["source"], own.FORMAT.columns["target"]
    assert all(a in firsts and b in seconds for a, b in own.SIDES)


def test_gdelt_has_the_columns_of_its_three_ages() -> None:
    assert [len(bare.columns) for bare in gdelt.FORMAT.bare] == [61, 58, 57]


def read_text(tmp_path: Path, text: str, name: str = "mine.csv") -> EventTable:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_events(path)


def test_names_of_groups_above_a_header_are_passed_over(tmp_path: Path) -> None:
    """Merged cells leave a row with holes above the header, which is no header."""
    rows = "Date,Deaths,Source,Target,Code\n2018-06-01,2,A,B,190\n2018-06-02,0,B,A,042\n"
    table = read_text(tmp_path, "Event,,Who,,\n" + rows)
    assert table.frame["line"].to_list() == [3, 4] and table.frame["deaths"].to_list() == [2.0, 0.0]
    assert "passed over before the header: 'Event,,Who,,'" in table.account["said"]  # type: ignore[operator]


@pytest.mark.parametrize(
    "header", [",date,source,target,code", "x,date,,source,target,code"], ids=["row names", "a hole in the header"]
)
def test_a_header_with_holes_is_a_header(tmp_path: Path, header: str) -> None:
    """Above rows of events, and above a first row that holds a date, nothing is passed over."""
    wide = header.split(",")
    row = {"date": "2018-06-01", "source": "A", "target": "B", "code": "190"}
    lines = [",".join(row.get(name, "q") for name in wide) for _ in range(3)]
    table = read_text(tmp_path, "\n".join([header, *lines]) + "\n")
    assert len(table) == 3 and not any("passed over" in said for said in table.account["said"])  # type: ignore[attr-defined]


def test_how_dates_are_written_is_no_part_of_their_name(tmp_path: Path) -> None:
    text = "Date (dd/mm/yyyy),Actor 1,Actor 2,Event Code\n01/02/2018,A,B,190\n15/02/2018,B,A,042\n"
    assert read_text(tmp_path, text).start == date(2018, 2, 1)
    either = text.replace("15/02", "05/03")
    table = read_text(tmp_path, either)
    assert table.start == date(2018, 2, 1) and table.days == 33
    assert "are read day first, as 'Date (dd/mm/yyyy)' says" in str(table.account["said"])
    other = read_text(tmp_path, either.replace("dd/mm", "mm/dd"))
    assert other.start == date(2018, 1, 2) and other.days == 122
    minutes_first = read_text(tmp_path, either.replace("(dd", "(hh:mm dd"))  # the m of minutes is no month
    assert minutes_first.start == date(2018, 2, 1) and minutes_first.days == 33
    with pytest.raises(EventError, match="two ways"):
        read_text(tmp_path, either.replace(" (dd/mm/yyyy)", ""))
    # What the rows show goes before what the header says.
    assert read_text(tmp_path, text.replace("dd/mm", "mm/dd")).start == date(2018, 2, 1)
    assert squashed("Time (UTC)") == "time" and squashed("Event Date [YYYY-MM-DD]") == "eventdate"
    assert squashed("Source (paper)") == "sourcepaper" and squashed("Deaths (2)") == "deaths2"


def test_actors_of_petrarch_and_terrier_are_found(tmp_path: Path) -> None:
    """Where the whole codes stand beside their parts (source, target), they are the actors."""
    line = '{"date8": "20150101", "src_actor": "USA", "src_agent": "GOV", "tgt_actor": "RUS", "code": "040"}\n'
    table = read_text(tmp_path, line * 2, "t.jsonl")
    assert table.frame.select("source", "target", "source_sectors").rows() == [("USA", "RUS", "GOV")] * 2
    whole = line.replace('"code"', '"source": "USAGOV", "target": "RUSMIL", "code"')
    assert read_text(tmp_path, whole, "w.jsonl").frame.select("source", "target").rows() == [("USAGOV", "RUSMIL")]


def test_numbers_that_only_rise_number_the_rows(tmp_path: Path) -> None:
    """A list whose numbered rows were thinned out has gaps in its numbers; counts do not rise six times in a row."""

    def kept(numbers: Sequence[int]) -> int:
        rows = "".join(f"{n},2018-06-{day:02},A,B,190\n" for day, n in enumerate(numbers, 1))
        return len(read_text(tmp_path, "n,date,source,target,code\n" + rows))

    assert kept([1, 2, 5, 7, 8, 12, 13]) == 7
    assert kept([1, 2, 5, 7, 8, 12, 12]) == 47
    assert kept([1, 2, 5]) == 8
    # Counts that happen to fall all the way are taken for such numbers too: how to say otherwise is said.
    falling = "n,date,source,target,code\n" + "".join(f"{n},2018-06-0{9 - n},A,B,190\n" for n in range(8, 0, -1))
    table = read_text(tmp_path, falling)
    assert len(table) == 8 and "if it is one, give mapping={'count': 'n'}" in str(table.account["said"])
    assert len(read_events(tmp_path / "mine.csv", mapping={"count": "n"})) == 36
