"""Scenarios to start from: small ones that run, and ones drawn up from events that fit those events at once."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

import powderkeg as pk
from powderkeg.cli import main
from powderkeg.draft import from_events, start
from powderkeg.draft.naming import file_name, keys
from powderkeg.events import match

ODD = ["Республика Српска", 'The "Old" Guard, 3rd: [Wing]', "x", "any", "2nd Army", "مصر", "N'Djaména", "مصر 2"]


def rows(pairs: list[tuple[str, str | None, str]], book: str | None = "cameo", **columns: object) -> pk.EventTable:
    """Events on successive days: who, to whom, what."""
    who, whom, what = zip(*pairs, strict=True)
    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(len(pairs))]
    return pk.events(
        pl.DataFrame({"date": days, "source": who, "target": whom, "code": what, **columns}), codebook=book
    )


def write_rows(pairs: list[tuple[str, str, str]], file: Path) -> None:
    """As `rows`, in a file."""
    lines = [f"{date(2020, 1, 1) + timedelta(days=i)},{','.join(pair)}" for i, pair in enumerate(pairs)]
    file.write_text("\n".join(["date,source,target,code", *lines]), encoding="utf-8")


def drawn_up(table: pk.EventTable, **asked: int) -> tuple[pk.Scenario, str]:
    text = from_events(table, "trial", ["events.csv"], **asked)
    return pk.loads(text), text


def run(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    assert isinstance(left.value.code, int)
    return left.value.code


def test_the_small_scenario_is_without_fault_and_runs() -> None:
    scenario = pk.loads(start("border-town"))
    assert (scenario.name, scenario.title) == ("border-town", "Border town")
    model = pk.compile(scenario)
    assert 0 < pk.stability(model).initial < 0.9
    runs = pk.simulate(model, replicates=20, seed=1)
    assert {"accuse", "offer", "mediate"} <= set(runs.table().frame["act"].unique())
    difference = pk.compare(scenario, interventions=[*scenario.interventions], replicates=50, seed=1)
    assert difference is not None


def test_names_in_any_letters_become_names_that_a_scenario_takes() -> None:
    found = keys(ODD, "actor")
    assert len({*found.values()}) == len(ODD)
    assert found["N'Djaména"] == "n_djamena"
    assert found["2nd Army"] == "actor_2nd_army"
    assert found["x"] != "x" and found["any"] != "any"
    assert [file_name(one) for one in ("My file.v2.yaml", "2020.yaml", "Śląsk.yaml")] == [
        "my-file-v2", "scenario-2020", "slask",
    ]  # fmt: skip


def test_every_event_between_the_chosen_matches_the_draft_that_was_made_of_it() -> None:
    pairs = [(a, b, "190") for a in ODD for b in ODD if a != b] * 2
    scenario, text = drawn_up(rows([(a, b, c) for a, b, c in pairs]))
    assert {one.title for one in scenario.actors.values()} == {*ODD}
    matched, report = match(scenario, rows(pairs))
    assert report.kept == len(pairs) == len(matched)
    assert f"{len(pairs)} events, of which {len(pairs)} are" in text.replace("\n# ", " ")


def test_counts_and_rates_are_those_of_the_record() -> None:
    """30 days, a attacks b 12 times, b attacks a 6 times, a talks to b 12 times: less the guessed answers."""
    pairs = [("a", "b", "190")] * 12 + [("b", "a", "193")] * 6 + [("a", "b", "040")] * 12
    scenario, text = drawn_up(rows(pairs))
    assert [*scenario.acts] == ["talk", "fight"]
    assert "a: # acts 24 times, is met 6 times" in text
    assert float(scenario.moves["a_fights"].rate) == pytest.approx(0.7 * 12 / 30, rel=0.05)
    assert float(scenario.moves["b_fights"].rate) == pytest.approx(0.7 * 6 / 30, rel=0.05)
    assert {"goes_on", "retaliation", "keeps_talking"} <= {*scenario.mechanisms}
    assert "reciprocity" not in scenario.mechanisms, "b never talks: no act of the record could be such an answer"


def test_codes_of_no_book_are_kept_and_their_tone_asked_for_where_no_word_tells_it() -> None:
    scenario, text = drawn_up(rows([("a", "b", "attack"), ("b", "a", "talks"), ("a", "b", "blorb")] * 10, book=None))
    assert {name: act.tone for name, act in scenario.acts.items()} == {
        "attack": "hostile", "blorb": "neutral", "talks": "cooperative",
    }  # fmt: skip
    assert text.count("tone ASKED") == 1
    assert text.count("tone guessed from the name") == 2, "attack and talks"
    assert "x talks y" in text
    assert "talkses" not in text + pk.describe(scenario).text()


def test_words_that_no_book_of_codes_has_are_looked_up_in_what_they_mean_in_reports() -> None:
    kinds = {"cattle raid": "hostile", "Ambush": "hostile", "truce": "cooperative", "blorb": "neutral"}
    scenario, text = drawn_up(rows([("a", "b", kind) for kind in kinds] * 10, book=None))
    assert {act.title: act.tone for act in scenario.acts.values()} == kinds
    assert text.count("tone ASKED") == 1, "blorb"


def test_the_ranges_of_a_draft_hold_no_system_that_explodes() -> None:
    """At the upper ends of all answers at once the branching ratio is below 1: `compare` looks at systems that end."""
    pairs = [("a", "b", "190"), ("b", "a", "190"), ("a", "b", "040"), ("b", "a", "040")] * 20
    for scenario in (drawn_up(rows(pairs))[0], drawn_up(rows([("a", "b", "x"), ("b", "a", "x")] * 9, book=None))[0]):
        assert len(scenario.mechanisms) >= 2
        highest = {f"mechanisms.{name}.answers": one.answers.high for name, one in scenario.mechanisms.items()}
        assert pk.stability(pk.compile(pk.edit(scenario, highest))).worst < 1.0


def test_whoever_shares_most_with_those_chosen_joins_first() -> None:
    pairs = [("a", "b", "190")] * 50 + [("c", "a", "190")] * 20 + [("d", "e", "190")] * 30 + [("f", "a", "190")] * 2
    assert [one.title for one in drawn_up(rows(pairs), actors=3)[0].actors.values()] == ["a", "b", "c"]
    text = drawn_up(rows(pairs), actors=3)[1]
    assert "Left out, with their events: d (30), e (30), f (2)." in text


def test_a_second_rivalry_counts_before_a_bystander_of_the_first() -> None:
    pairs = [("a", "b", "190")] * 50 + [("c", "a", "190")] * 20 + [("d", "e", "190")] * 30 + [("f", "a", "190")] * 2
    assert [one.title for one in drawn_up(rows(pairs), actors=5)[0].actors.values()] == ["a", "b", "c", "d", "e"]
    assert {one.title for one in drawn_up(rows(pairs))[0].actors.values()} == {"a", "b", "c", "d", "e", "f"}


def test_sides_are_countries_where_the_record_is_between_countries() -> None:
    names = [f"Ministry {i}" for i in range(40)]
    land = ["Austria" if i % 2 else "Bhutan" for i in range(40)]
    other = ["Bhutan" if i % 2 else "Austria" for i in range(40)]
    table = rows([(one, f"Party {i}", "190") for i, one in enumerate(names)], source_country=land, target_country=other)
    scenario, _ = drawn_up(table)
    assert [one.title for one in scenario.actors.values()] == ["Austria", "Bhutan"]
    assert match(scenario, table)[1].kept == 40


def test_events_without_two_sides_are_refused_in_words() -> None:
    with pytest.raises(pk.EventError, match=r"none of 3 events is between two different named sides"):
        from_events(rows([("a", "a", "190"), ("b", "b", "190"), ("c", None, "190")]), "trial")


@pytest.mark.slow
def test_a_draft_is_fitted_to_its_own_events_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = pk.compile(pk.loads(start("two")))
    frame = pk.simulate(model, replicates=1, years=6, seed=5).table().frame
    first = date(2001, 1, 1)
    frame.select(
        date=pl.lit(first) + pl.duration(days=pl.col("time").floor().cast(pl.Int64)), source="source", target="target",
        act="act",
    ).write_csv(tmp_path / "events.csv")  # fmt: skip
    assert run("new", tmp_path / "mine.yaml", "--from", tmp_path / "events.csv", "--quiet") == 0
    assert run("check", tmp_path / "mine.yaml", "--quiet") == 0
    capsys.readouterr()
    assert (
        run("fit", tmp_path / "mine.yaml", tmp_path / "events.csv", "--no-checks", "--background", "constant", "--json")
        == 0
    )
    fitted = json.loads(capsys.readouterr().out)
    assert fitted["events_used"] == frame.height
    assert 0 < fitted["branching_ratio"] < 1


def test_a_file_that_is_there_is_replaced_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "mine.yaml"
    place.write_text("mine\n", encoding="utf-8", newline="\n")
    assert run("new", place) == 2
    assert "--force" in capsys.readouterr().err
    assert place.read_text(encoding="utf-8") == "mine\n"
    assert run("new", place, "--actors", "3", "--force") == 2
    assert "--from EVENTS" in capsys.readouterr().err
    assert run("new", place, "--force", "--json") == 0
    assert json.loads(capsys.readouterr().out)["scenario"] == "mine"
    assert pk.load(place).name == "mine"


def test_built_in_scenarios_are_listed_and_the_schema_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("scenarios", "--json") == 0
    listed = json.loads(capsys.readouterr().out)["scenarios"]
    assert [one["name"] for one in listed] == [*pk.names()]
    assert all(one["title"] and one["actors"] > 1 for one in listed)
    assert run("schema") == 0
    assert json.loads(capsys.readouterr().out)["title"] == "powderkeg scenario"


def test_events_without_a_side_say_what_to_map_and_that_sentences_can_be_read() -> None:
    """A table of names and free text: what was told was the columns' fields, not what to type."""
    said = ["Police arrested several protesters downtown", "Protesters blocked the main road", "Talks were held today"]
    with pytest.raises(pk.EventError) as told:
        from_events(rows([("a", None, one) for one in said]), "trial")
    assert "mapping={'target': 'COLUMN'}" in str(told.value)
    assert "`powderkeg events code`" in str(told.value)
    with pytest.raises(pk.EventError) as told:
        from_events(rows([("a", None, "arrest"), ("b", None, "talk")]), "trial")
    assert "sentences" not in str(told.value)


def test_standoffs_of_a_busy_record_stand_on_what_is_usual_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With thresholds of everywhere, a record with hostile acts on most days was one standoff from end to end."""
    busy = [(a, b, "190") for _ in range(200) for a, b in (("a", "b"), ("b", "a"))]
    for pairs, raised in ((busy, True), ([("a", "b", "036")] * 200, False)):
        file, events = tmp_path / f"{raised}.yaml", tmp_path / f"{raised}.csv"
        write_rows(pairs, events)
        assert run("new", file, "--from", events, "--codebook", "cameo", "--quiet") == 0
        scenario = pk.load(file)
        assert (scenario.standoffs.closes_at.value > 2.0) is raised
        assert scenario.standoffs.opens_at.value == pytest.approx(3 * scenario.standoffs.closes_at.value, rel=0.01)
        found = pk.episodes(pk.read_events(events, codebook="cameo"), scenario)
        assert found.height == 0
    capsys.readouterr()


def test_a_draft_says_how_many_actors_it_leaves_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Eight of 200 actors had 6 % of the events, and only a comment of the file said so."""
    pairs = [(f"g{i}", f"g{i + 1}", "190") for i in range(20)] * 5
    events = tmp_path / "many.csv"
    write_rows(pairs, events)
    words = ["--from", events, "--codebook", "cameo"]
    assert run("new", tmp_path / "some.yaml", *words, "--actors", "3") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "10 of 100 events are among those taken; 18 other actors were left out; --actors takes more." in said
    assert ", 13 more." in (tmp_path / "some.yaml").read_text(encoding="utf-8")
    assert run("new", tmp_path / "all.yaml", *words, "--actors", "30") == 0
    assert "left out" not in capsys.readouterr().out
