"""Who is who and what is what: match rules, aliases, acts, and a report that hides nothing."""

from __future__ import annotations

import json
from datetime import date
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from event_files import gdelt, gdelt_row, icews, icews_row
from polars.testing import assert_frame_equal

from powderkeg.errors import EventError, UsageError
from powderkeg.events import EventTable, balance, convert, events, match, read_events, summary
from powderkeg.events.match import scenario_act
from powderkeg.events.who import Described, answer, bracketed, plain, rules_of
from powderkeg.scenario import Scenario, load, loads, names
from powderkeg.scenario.leaders import Leader, leaders

ACTORS = """
  kosovo:
    title: Kosovo institutions
    match:
      icews:
        - {names: [Kosovo, Hashim Thaçi]}
        - {patterns: ["*(Kosovo)"]}
      gdelt: {codes: ["KSV*", KOSGOV]}
  serbs:
    match:
      icews:
        - {names: [Oliver Ivanovic]}
        - {countries: [Serbia], sectors: [Dissident, Protestors]}
  serbia:
    match:
      icews: {countries: [Serbia]}
      gdelt: {codes: ["SRB*"]}
  before:
    match:
      keds: {codes: [YUG], to: 1992-04-27}
  after:
    match:
      keds:
        - {codes: [FRY]}
        - {codes: [YUG], from: 1992-04-28}
"""
ACTS = """
  threaten: {tone: hostile, cameo: "138"}
  warn: {tone: hostile, cameo: "13"}
  arrest: {title: arrests and raids, tone: hostile, cameo: "173"}
  ask: {tone: cooperative, cameo: "02"}
  agree: {tone: cooperative, cameo: "057"}
"""


def scenario(actors: str = ACTORS, acts: str = ACTS) -> Scenario:
    move = "moves:\n  m: {who: any, does: threaten, to: any, rate: 1 per year}\n"
    return loads(f"powderkeg: 1\nname: s\ntitle: S\nstart: 1990-01-01\nactors:{actors}acts:{acts}{move}")


def who(name: str, source: str = "icews", day: float = 0.0, **more: str) -> tuple[str | None, str]:
    rules = [rule for rule in rules_of(scenario()) if rule.source in (source, "any")]
    for span in answer(Described(name, **more), rules).spans:
        if span.first <= day <= span.last:
            return (span.rule.actor if span.rule else None), span.how
    raise AssertionError("the spans do not cover all days")


def table_of(*rows: tuple[str, str, str], day: str = "2018-01-01") -> EventTable:
    frame = pl.DataFrame([(day, *row) for row in rows], schema=["date", "source", "target", "cameo"], orient="row")
    return events(frame)


def test_the_most_particular_rule_wins() -> None:
    assert who("Kosovo") == ("kosovo", "name")
    assert who("Police (Kosovo)") == ("kosovo", "pattern")
    assert who("Serbia", country="Serbia")[0] == "serbia"
    assert who("Oliver Ivanovic", country="Serbia") == ("serbs", "name")
    assert who("Protester", country="Serbia", sectors="Social,Dissident") == ("serbs", "country or sector")
    assert who("Nobody") == (None, "")


def test_the_three_spellings_of_the_same_police_become_one_actor() -> None:
    assert who("Police (Kosovo)")[0] == who("KSVCOP", "gdelt")[0] == who("KOSGOV", "gdelt")[0] == "kosovo"


def test_names_are_compared_without_case_accents_or_doubled_spaces() -> None:
    assert plain("  Hashim  THAÇI ") == plain("hashim thaci")
    assert plain("Đinđić") == "djindjic"
    assert who("HASHIM THACI")[0] == "kosovo"


def test_a_country_in_brackets_stands_for_a_missing_column() -> None:
    assert bracketed("Police (Serbia)") == "Serbia" and bracketed("Serbia") == ""
    assert who("Police (Serbia)")[0] == "serbia"


def test_codes_of_three_letter_parts_tell_country_and_role() -> None:
    actors = """
  police: {match: {gdelt: {countries: [SRB], sectors: [COP]}}}
  serbia: {match: {gdelt: {countries: [SRB]}}}
"""
    rules = rules_of(scenario(actors))
    found = [answer(Described(code), rules).spans[0].rule for code in ("SRBCOP", "SRBGOV", "COP")]
    assert [rule.actor if rule else None for rule in found] == ["police", "serbia", None]


def test_an_actors_own_name_and_title_always_match() -> None:
    assert who("kosovo institutions", "acled") == ("kosovo", "name")


def test_rules_are_good_from_one_day_to_another() -> None:
    last = float((date(1992, 4, 27) - date(1970, 1, 1)).days)
    assert who("YUG", "keds", last)[0] == "before" and who("YUG", "keds", last + 0.9)[0] == "before"
    assert who("YUG", "keds", last + 1)[0] == "after" and who("FRY", "keds", -1e6)[0] == "after"


def test_a_dated_rule_divides_the_events_of_one_name() -> None:
    frame = pl.DataFrame(
        {"date": ["1992-04-27", "1992-04-28"], "source": ["YUG"] * 2, "target": ["kosovo"] * 2, "weis": ["173"] * 2}
    )
    matched, report = match(scenario(), events(frame), source="keds")
    assert matched.frame["source"].to_list() == ["before", "after"]
    assert report.matched.select("name", "actor", "events").rows() == [
        ("kosovo", "kosovo", 2), ("YUG", "after", 1), ("YUG", "before", 1),
    ]  # fmt: skip


ACT_CASES = [
    ("138", "verbal conflict", -7.0, ("threaten", "code 138")),
    ("1384", "verbal conflict", -7.0, ("threaten", "code 138")),
    ("131", "verbal conflict", -5.8, ("warn", "code 13")),
    ("13", "verbal conflict", -6.0, ("warn", "code 13")),
    ("172", "material conflict", -5.0, ("arrest", "code 17")),
    ("0231", "verbal cooperation", 3.4, ("ask", "code 02")),
    ("111", "verbal conflict", -2.0, ("warn", "class verbal conflict")),
    ("145", "material conflict", -7.5, ("arrest", "class material conflict")),
    ("046", "verbal cooperation", 7.0, ("agree", "class verbal cooperation")),
    ("036", "verbal cooperation", 4.0, ("ask", "class verbal cooperation")),
    ("010", "verbal cooperation", 0.0, (None, "none")),
    ("071", "material cooperation", 7.4, (None, "none")),
    (None, None, None, (None, "none")),
]


@pytest.mark.parametrize(("cameo", "tone", "weight", "expected"), ACT_CASES)
def test_an_act_is_found_by_code_and_then_by_class(
    cameo: str | None, tone: str | None, weight: float | None, expected: tuple[str | None, str]
) -> None:
    """The longest common prefix within a root; between equals the shorter code; then the nearest weight in the class.
    Statements are neutral: no hostile or cooperative act takes them."""
    assert scenario_act(scenario(), cameo, cameo, tone, weight, "class") == expected


def test_acts_may_be_held_to_their_codes() -> None:
    table = table_of(("Kosovo", "Serbia", "138"), ("Kosovo", "Serbia", "111"))
    assert len(match(scenario(), table, source="icews")[0]) == 2
    strict, report = match(scenario(), table, source="icews", acts="none")
    assert strict.frame["act"].to_list() == ["threaten"] and report.dropped == {"act not matched": 1}
    with pytest.raises(UsageError, match="acts"):
        match(scenario(), table, acts="some")


def test_an_act_named_as_in_the_scenario_is_that_act() -> None:
    frame = pl.DataFrame(
        {"date": ["2018-01-01"], "source": ["kosovo"], "target": ["serbia"], "act": ["Arrests and raids"]}
    )
    assert match(scenario(), events(frame))[0].frame["act"].to_list() == ["arrest"]


def test_a_neutral_act_without_code_takes_statements() -> None:
    acts = ACTS + "  speak: {tone: neutral}\n"
    assert scenario_act(scenario(acts=acts), "010", "010", "verbal cooperation", 0.0, "class") == (
        "speak",
        "class neutral",
    )


def test_every_row_that_is_left_out_is_counted_under_its_reason() -> None:
    table = table_of(
        ("Kosovo", "Serbia", "138"), ("Kosovo", "Police (Kosovo)", "173"), ("Kosovo", "Mars", "138"),
        ("Mars", "Kosovo", "138"), ("Mars", "Venus", "138"), ("Kosovo", "Serbia", "071"),
    )  # fmt: skip
    table = events(pl.concat([table.frame.select("source", "target", "cameo"), pl.DataFrame(
        {"source": ["Kosovo"], "target": [None], "cameo": ["141"]},
        schema={"source": pl.Categorical, "target": pl.Categorical, "cameo": pl.Categorical},
    )]).with_columns(date=pl.lit("2018-01-01")))  # fmt: skip
    matched, report = match(scenario(), table, source="icews")
    assert report.dropped == {
        "within one actor": 1, "target not matched": 1, "source not matched": 1, "neither side matched": 1,
        "no target": 1, "act not matched": 1,
    }  # fmt: skip
    assert (report.rows, report.kept, len(matched)) == (7, 1, 1) and balance(matched.account) == 0
    assert matched.frame.select("source", "act", "target", "source_name", "target_name").row(0) == (
        "kosovo", "threaten", "serbia", "Kosovo", "Serbia",
    )  # fmt: skip


def test_the_report_says_what_a_further_rule_would_win() -> None:
    rows = [("Kosovo", "Mars", "138")] * 3 + [("Venus", "Mars", "138")] * 9 + [("Police (Serbia)", "Venus", "138")]
    rows += [("Kosovo Customs Office", "Serbia", "138")] * 2
    _, report = match(scenario(), table_of(*rows), source="icews")
    assert report.unmatched.select("name", "events", "with_actor").rows() == [
        ("Mars", 12, 3), ("Kosovo Customs Office", 2, 2), ("Venus", 10, 1),
    ]  # fmt: skip
    assert report.unmatched["nearest"].to_list() == [None, "kosovo", None]
    assert report.unused == (
        "actors.kosovo.match.icews rule 2", "actors.serbs.match.icews rule 1", "actors.serbs.match.icews rule 2",
    )  # fmt: skip
    assert json.dumps(report.as_dict())


def test_names_that_match_twice_are_told_and_ties_first() -> None:
    actors = ACTORS.replace("Oliver Ivanovic", "Kosovo").replace("Hashim Thaçi", "Kosovo Police")
    table = table_of(("Kosovo", "Police (Serbia)", "138"), ("Protester (Serbia)", "Police (Kosovo)", "138"))
    _, report = match(scenario(actors), table, source="icews")
    told = report.twice.select("name", "actor", "also", "tie").rows()
    assert told[0] == ("Kosovo", "kosovo", "serbs", True)
    assert ("Police (Serbia)", "serbia", "kosovo", False) not in told


def test_a_users_own_names_go_before_the_rules(tmp_path: Path) -> None:
    table = table_of(("Kosovo", "Mars", "138"), ("Police (Kosovo)", "Serbia", "138"), ("Mars", "Venus", "138"))
    file = tmp_path / "aliases.csv"
    file.write_text("name,actor,from,to\nMars,serbia,,\nPolice (Kosovo),,,\nVen*,serbs,2018-01-01,\n")
    matched, report = match(scenario(), table, file, source="icews")
    assert matched.frame.select("source", "target").rows() == [("kosovo", "serbia"), ("serbia", "serbs")]
    assert report.dropped == {"source not matched": 1}
    assert "Police (Kosovo)" not in report.unmatched["name"].to_list()
    again, _ = match(scenario(), table, {"Mars": "serbia", "Police (Kosovo)": "", "Ven*": "serbs"}, source="icews")
    assert_frame_equal(again.frame, matched.frame)


def test_faults_of_an_alias_file_are_told_all_at_once_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "aliases.csv"
    file.write_text("name,actor,from\nMars,kosova,\n,serbia,\nVenus,serbia,2018-13-01\n")
    with pytest.raises(EventError) as caught:
        match(scenario(), table_of(("a", "b", "138")), file)
    assert [(fault.line, fault.path, fault.nearest) for fault in caught.value.faults] == [
        (2, "actor", "kosovo"), (3, "name", None), (4, "from", None),
    ]  # fmt: skip
    file.write_text("who,actor\nMars,serbia\n")
    with pytest.raises(EventError, match="no column name"):
        match(scenario(), table_of(("a", "b", "138")), file)


def test_a_table_of_ones_own_is_held_against_the_kind_of_data_it_looks_like() -> None:
    """KEDS codes also fit GDELT's patterns; rules of another kind must not take a name away."""
    actors = ACTORS + "  nato: {match: {keds: {codes: [KSVNAT]}, gdelt: {codes: [FRY]}}}\n"
    actors = actors.replace("keds: {codes: [YUG], to", "csv: {names: [Mine]}\n      keds: {codes: [YUG], to")
    table = table_of(
        *[("YUG", "FRY", "138"), ("FRY", "YUG", "138")] * 9, ("KSVNAT", "FRY", "138"), ("Mine", "FRY", "138")
    )
    _, report = match(scenario(actors), table)
    assert report.source == "keds"
    assert set(report.matched["actor"]) == {"nato", "after", "before"}


def test_gdelt_names_and_codes_both_stay_beside_the_actor(tmp_path: Path) -> None:
    (tmp_path / "x.CSV").write_text(gdelt([gdelt_row(1, source="SRBGOV", target="KSVCOP", name="BELGRADE")]))
    matched, _ = match(scenario(), read_events(tmp_path / "x.CSV"))
    assert matched.frame.select("source", "source_code", "source_name").row(0) == ("serbia", "SRBGOV", "BELGRADE")


def test_matching_while_reading_is_matching_afterwards(tmp_path: Path) -> None:
    kinds = [
        ("Kosovo", "Police (Serbia)", "138"), ("Mars", "Kosovo", "173"), ("Police (Serbia)", "Kosovo", "010"),
        ("Kosovo", "Kosovo", "112"),
    ]  # fmt: skip
    rows = []
    for n, (one, other, code) in enumerate(kinds * 20):
        row = icews_row(n, f"2018-06-{n % 28 + 1:02}", one, code, other, "Y", "X")
        rows.append([*row[:10], "Serbia", *row[11:]])
    (tmp_path / "x.tab").write_text(icews(rows))
    later, _ = match(scenario(), read_events(tmp_path / "x.tab"))
    while_reading = read_events(tmp_path / "x.tab", scenario=scenario())
    account = convert(tmp_path / "x.tab", tmp_path / "o.parquet", scenario=scenario())
    names = ["source", "act", "target", "code", "event_id"]
    assert_frame_equal(while_reading.frame.select(names), later.frame.select(names))
    assert_frame_equal(read_events(tmp_path / "o.parquet").frame.select(names), later.frame.select(names))
    assert account["rows_dropped"] == later.account["rows_dropped"] == while_reading.account["rows_dropped"]
    assert len(later) == 20 and balance(account) == 0


def test_doubles_may_be_dropped_in_the_scenarios_terms() -> None:
    table = table_of(("Police (Kosovo)", "Serbia", "138"), ("Kosovo", "Serbia", "1384"), ("Kosovo", "Serbia", "173"))
    matched, report = match(scenario(), table, source="icews", doubles=("same_day_matched",))
    assert report.dropped == {"same_day_matched": 1} and matched.frame["act"].to_list() == ["threaten", "arrest"]
    assert balance(matched.account) == 0


def test_doubles_in_the_scenarios_terms_are_dropped_while_reading_too(tmp_path: Path) -> None:
    """Two offices of one side tell one threat on one day: one act, whether files are read, converted, or read back."""
    rows = [
        icews_row(n, "2018-06-01", one, "138", "Serbia", "Y", "X") for n, one in enumerate(["Kosovo", "Hashim Thaçi"])
    ]
    rows = [[*row[:10], "Serbia", *row[11:]] for row in rows]
    (tmp_path / "x.tab").write_text(icews(rows))
    wanted = ("same_event", "same_day_matched")
    at_once = read_events(tmp_path / "x.tab", scenario=scenario(), doubles=wanted)
    account = convert(tmp_path / "x.tab", tmp_path / "m.parquet", scenario=scenario(), doubles=wanted)
    convert(tmp_path / "x.tab", tmp_path / "all.parquet")
    afterwards = read_events(tmp_path / "all.parquet", scenario=scenario(), doubles=wanted)
    assert len(at_once) == len(afterwards) == account["rows_kept"] == 1
    assert account["rows_dropped"] == at_once.account["rows_dropped"] == {"same_day_matched": 1}
    assert balance(afterwards.account) == balance(account) == 0
    assert len(read_events(tmp_path / "x.tab", scenario=scenario())) == 2


def test_doubles_of_a_table_that_was_written_before_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [icews_row(n, "2018-06-01", "Kosovo", "138", "Serbia") for n in range(3)]
    (tmp_path / "x.tab").write_text(icews(rows))
    convert(tmp_path / "x.tab", tmp_path / "all.parquet")
    kept = read_events(tmp_path / "all.parquet", doubles="same_day")
    assert len(kept) == 1 and kept.account["rows_dropped"] == {"same_day": 2} and balance(kept.account) == 0


def test_doubles_in_the_scenarios_terms_need_a_scenario(tmp_path: Path) -> None:
    (tmp_path / "x.tab").write_text(icews([icews_row(1, "2018-06-01", "Kosovo", "138", "Serbia")]))
    with pytest.raises(UsageError, match="same_day_matched without a scenario"):
        read_events(tmp_path / "x.tab", doubles="same_day_matched")


# --- the built-in scenario and real data ------------------------------------------------------------------------------


def test_north_kosovo_finds_its_actors_in_icews_2018(shared_data: Path) -> None:
    table = read_events(shared_data / "kosovo_icews" / "events_2018.csv.gz")
    matched, report = match(load("north-kosovo"), table)
    assert report.source == "icews" and balance(matched.account) == 0
    assert len(matched) > 600
    groups = {"KOSOVO": "kosovo", "SERBIA": "serbia", "NATO": "nato", "KFOR": "nato", "EU": "west", "RUSSIA": "russia"}
    ours = dict(report.matched.select("name", "actor").iter_rows())
    apart = {"albanian_crowds", "north_serbs", "unknown"}
    listed = pl.read_csv(shared_data / "kosovo_icews" / "actor_groups.csv")
    for name, group in listed.iter_rows():
        if name in ours and group in groups:
            assert ours[name] == groups[group] or ours[name] in apart, name
    expected = listed.filter(pl.col("group").is_in(["KOSOVO", "SERBIA", "KFOR"]))["name"]
    missed = set(expected) & set(report.unmatched["name"])
    assert missed <= {"Vojislav Šešelj", "Sasa Radulovic"}, "two politicians of the opposition are left out"


def test_the_line_between_nato_and_russia_finds_its_actors_in_icews_2018(shared_data: Path) -> None:
    table = read_events(shared_data / "icews18" / "events.parquet", start="2018-03-01", end="2018-03-31")
    matched, report = match(load("nato-russia-ukraine"), table)
    assert report.source == "icews" and balance(matched.account) == 0 and report.twice.height == 0
    assert len(matched) > 800
    ours = dict(report.matched.select("name", "actor").iter_rows())
    assert ours["Estonia"] == ours["Police (Poland)"] == "edge"
    assert ours["Police (Russia)"] == "russia" and ours["Finland"] == "neighbour"


def test_north_kosovo_finds_its_actors_in_keds(shared_data: Path) -> None:
    for name in ("events.csv.gz", "keds_format_1999.txt.gz"):
        matched, report = match(load("north-kosovo"), read_events(shared_data / "keds_balkans" / name))
        assert (report.source == "keds" and report.unused == ()) or name.startswith("keds")
        assert balance(matched.account) == 0
        force = matched.frame.filter(
            pl.col("source") == "nato",
            pl.col("target") == "serbia",
            pl.col("code").cast(pl.String).str.starts_with("22"),
        )
        months = force.select(month=(pl.lit(matched.start) + pl.duration(days=pl.col("time"))).dt.strftime("%Y-%m"))
        counted = dict(months.group_by("month").len().iter_rows())
        assert (counted["1999-03"], counted["1999-04"], counted["1999-05"], counted["1999-06"]) == (23, 52, 34, 13)


def test_the_weeks_that_icews_2018_is_known_for_are_its_most_hostile(shared_data: Path) -> None:
    told = summary(read_events(shared_data / "kosovo_icews" / "events_2018.csv.gz"))
    assert [(str(week["week"]), week["events"]) for week in told.most_hostile_weeks] == [
        ("2018-01-15", 38), ("2018-03-26", 37), ("2018-02-12", 19), ("2018-09-03", 19), ("2018-04-09", 18),
    ]  # fmt: skip
    assert told.classes == {
        "verbal cooperation": 2025, "material conflict": 187, "verbal conflict": 163, "material cooperation": 37,
    }  # fmt: skip


def test_only_events_with_an_actor_that_was_asked_for_are_kept(tmp_path: Path) -> None:
    rows = [
        icews_row(n, source=source, target=target, country="Nowhere", sectors="")
        for n, (source, target) in enumerate(
            [("Kosovo", "Serbia"), ("Serbia", "Kosovo"), ("Oliver Ivanovic", "Serbia"), ("Oliver Ivanovic", "Kosovo")]
        )
    ]
    path = tmp_path / "some.tab"
    path.write_text(icews(rows), encoding="utf-8")
    whole = read_events(path, scenario=scenario(), start="2018-01-01", end="2018-12-31")
    part = read_events(path, scenario=scenario(), start="2018-01-01", end="2018-12-31", touching=["kosovo"])
    assert len(whole) == 4 and len(part) == 3
    assert (part.start, part.days) == (whole.start, whole.days)
    assert part.account["rows_dropped"]["between others"] == 1 and part.account["touching"] == ["kosovo"]
    later, report = match(scenario(), read_events(path), touching=["kosovo"])
    assert later.frame["source"].cast(pl.String).to_list() == part.frame["source"].cast(pl.String).to_list()
    assert report.dropped["between others"] == 1 and report.kept == 3
    account = convert(path, tmp_path / "part.parquet", scenario=scenario(), touching=["kosovo"])
    assert account["rows_kept"] == 3 and account["touching"] == ["kosovo"]
    with pytest.raises(UsageError, match="unknown actor 'kosova'") as caught:
        read_events(path, scenario=scenario(), touching=["kosova"])
    assert "nearest: 'kosovo'" in str(caught.value)
    with pytest.raises(UsageError, match="without a scenario"):
        read_events(path, touching=["kosovo"])


def test_who_leads_a_country_is_known_by_date() -> None:
    """Names ended in 2018; a president is the country's as long as he is in office, however he is spelt."""
    nru = load("nato-russia-ukraine")
    rules = rules_of(nru)

    def actor(name: str, day: date) -> str | None:
        at = float((day - date(1970, 1, 1)).days)
        return next(
            (span.rule.actor if span.rule else None)
            for span in answer(Described(name), [r for r in rules if r.source in ("any", "icews")]).spans
            if span.first <= at <= span.last
        )

    assert actor("Volodymyr Zelenskyy", date(2022, 2, 24)) == "ukraine"
    assert actor("Volodymyr Zelensky", date(2019, 5, 19)) is None
    assert actor("Joe Biden", date(2022, 2, 24)) == "usa"
    assert actor("Joe Biden", date(2025, 1, 21)) is None
    assert actor("Mark Rutte", date(2025, 6, 1)) == "nato" and actor("Mark Rutte", date(2020, 6, 1)) is None
    assert actor("Ulf Kristersson", date(2024, 3, 6)) == "neighbour"
    assert actor("Ulf Kristersson", date(2024, 3, 7)) == "edge"
    assert actor("Kaja Kallas", date(2022, 6, 1)) == "edge" and actor("Kaja Kallas", date(2025, 6, 1)) is None


def test_the_table_of_leaders_is_whole() -> None:
    """Terms of one office follow each other, and every row says where it can be looked up."""
    table = leaders()
    assert {leader.country for leader in table} >= {"XKX", "SRB", "RUS", "UKR", "USA", "NATO", "EUU", "UNO"}
    assert all(leader.source.startswith("https://") for leader in table)
    by_office: dict[tuple[str, str], list[Leader]] = {}
    for leader in table:
        assert leader.last is None or leader.first < leader.last
        by_office.setdefault((leader.country, leader.source), []).append(leader)
    for terms in by_office.values():
        ordered = sorted(terms, key=lambda leader: leader.first)
        for one, after in pairwise(ordered):
            assert one.last is not None and one.last <= after.first, (one, after)
    for name in names():
        for actor in load(name).actors.values():
            for rules in actor.match.values():
                for rule in rules:
                    assert not rule.leaders or rule.from_ is not None


def test_what_did_not_match_is_ranked_by_the_actors_asked_for(tmp_path: Path) -> None:
    rows = [
        *(icews_row(n, source="A Minister", target="Serbia", country="Nowhere", sectors="") for n in range(3)),
        *(icews_row(n, source="A Mayor", target="Kosovo", country="Nowhere", sectors="") for n in range(3, 5)),
    ]
    path = tmp_path / "some.tab"
    path.write_text(icews(rows), encoding="utf-8")
    table = read_events(path)
    first = [match(scenario(), table, touching=who)[1].unmatched["name"][0] for who in ((), ("kosovo",))]
    assert first == ["A Minister", "A Mayor"]
