"""Reports become events: who did what to whom, on which day, and on which words that rests."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import types
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pages import examples_hold

import powderkeg as pk
from powderkeg.cli import main
from powderkeg.cli.texts import USUAL_LEAST
from powderkeg.errors import EventError, UsageError
from powderkeg.events import balance, match, read_table
from powderkeg.text.coder import FAINT, LEAST, code_to
from powderkeg.text.days import day_written, days_in
from powderkeg.text.giving import classified
from powderkeg.text.names import gazetteer
from powderkeg.text.patterns import lexicon
from powderkeg.text.pieces import MOST_WORDS, Piece, SetAside, pieces
from powderkeg.text.reports import reports, without_day

REPORT = """PRISTINA - Kosovo police on Tuesday closed the main border crossing with Serbia.

Serbian President Aleksandar Vucic accused Kosovo's government of provoking the Serb minority. He urged NATO
peacekeepers to protect Serbs in Mitrovica.

Local Serbs blocked roads in northern Kosovo on Monday. Serbia denied that its army was behind the attack.
"""


def run(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    assert isinstance(left.value.code, int)
    return left.value.code


def told(text: str, day: str = "2022-12-27", **more: Any) -> list[dict[str, Any]]:
    return list(pk.code(text, day, **{"least": 0.25, **more}).frame.iter_rows(named=True))


def acts(text: str) -> set[tuple[str, str, str | None]]:
    return {(row["source"], row["code"][:2], row["target"]) for row in told(text)}


@pytest.mark.parametrize(
    ("sentence", "source", "root", "target"),
    [
        ("China urged Japan to withdraw its warships.", "China", "02", "Japan"),
        ("Turkey was accused by Greece of violating its airspace.", "Greece", "11", "Turkey"),
        ("Russia rejected a request by Ukraine for talks.", "Russia", "12", "Ukraine"),
        ("France will not lift the sanctions on Iran.", "France", "12", "Iran"),
        ("Germany said Turkey must release the journalist.", "Germany", "10", "Turkey"),
        ("Iran threatened to attack Israel.", "Iran", "13", "Israel"),
        ("Israel launched an air strike on Syria.", "Israel", "19", "Syria"),
        ("Egypt lifted its blockade of Qatar.", "Egypt", "08", "Qatar"),
        ("India agreed to meet Pakistan.", "India", "03", "Pakistan"),
        ("The United Nations imposed sanctions on Iraq.", "United Nations", "16", "Iraq"),
        ("Norway sent food to Somalia.", "Norway", "07", "Somalia"),
        ("Protesters in Serbia threw stones at Kosovo police.", "Protester (Serbia)", "14", "Police (Kosovo)"),
        ("Serbia said that Kosovo had attacked Albania.", "Serbia", "11", "Kosovo"),
    ],
)
def test_a_sentence_is_read_through_its_frames(sentence: str, source: str, root: str, target: str) -> None:
    """What is asked for, refused, threatened or said to have happened is not what happened."""
    assert (source, root, target) in acts(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Did Israel attack Syria?",
        "Israel did not attack Syria.",
        "If Iran attacks Israel, the region will burn.",
        "Paris marked the anniversary of the German invasion of France.",
    ],
)
def test_what_is_asked_or_denied_or_remembered_is_no_event(sentence: str) -> None:
    assert not {row["code"][:2] for row in told(sentence, least=0.4)} & {"18", "19"}


def test_every_event_says_on_which_words_it_rests() -> None:
    for row in told(REPORT):
        words = json.loads(row["words"])
        assert REPORT[slice(*words["source"])].replace("\n", " ") == row["source_name"]
        assert REPORT[slice(*words["target"])].replace("\n", " ") == row["target_name"]
        assert all(REPORT[first:last].isalpha() for first, last in words["verb"])


def test_words_for_days_move_an_event_and_leave_open_what_they_leave_open() -> None:
    rows = {row["code"]: row for row in told(REPORT)}
    table = pk.code(REPORT, "2022-12-27", least=0.3)
    assert table.start == date(2022, 12, 26)  # "on Monday"
    assert rows["144"]["time"] == 0.0
    (last_week,) = days_in("They met last week.", date(2022, 12, 27))
    assert (last_week.first, last_week.span) == (date(2022, 12, 19), 7.0)
    (december,) = days_in("It was in December 2021.", date(2022, 12, 27))
    assert (december.first, december.span) == (date(2021, 12, 1), 31.0)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        *((text, date(2022, 12, 27)) for text in ("report-2022-12-27", "20221227", "27 Dec 2022", "December 27, 2022")),
        *((text, date(2022, 12, 27)) for text in ("27.12.2022", "12/27/2022")),
        ("1/2/2022", None), ("2022-13-41", None), ("notes", None),
    ],
)  # fmt: skip
def test_a_date_is_read_where_it_can_be_read_in_one_way_only(text: str, day: date | None) -> None:
    assert day_written(text) == day


def test_a_coded_table_goes_on_like_any_other(tmp_path: Path) -> None:
    """Written by the command, read back, matched to a scenario by its rules for names as ICEWS writes them."""
    report = tmp_path / "2022-12-27.txt"
    report.write_text(REPORT, encoding="utf-8")
    assert run("events", "code", report, "--out", tmp_path / "coded.parquet", "-q", "--workers", "1") == 0
    table = read_table(tmp_path / "coded.parquet")
    assert balance(table.account) == 0
    _, found = match(pk.load("north-kosovo"), table)
    assert found.kept == len(table) >= 3
    assert run("episodes", tmp_path / "coded.parquet", "--scenario", "north-kosovo", "-q") == 0


def test_json_says_what_was_coded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.txt"
    report.write_text(REPORT, encoding="utf-8")
    assert run("events", "code", report, "--date", "2022-12-27", "--json", "--workers", "1") == 0
    said = json.loads(capsys.readouterr().out)
    assert {"events", "sentences", "set_aside"} <= set(said)
    for one in said["events"]:
        assert {"date", "source", "target", "code", "class", "sentence", "words", "probability"} <= set(one)


def test_an_option_that_would_do_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.txt"
    report.write_text(REPORT, encoding="utf-8")
    assert run("events", "code", report, "--date", "2022-12-27", "--patterns-alone") == 2
    assert "--patterns-alone: without --given" in capsys.readouterr().err
    assert run("events", "code", report, "--given", "--mentions") == 2
    assert "--mentions: with --given" in capsys.readouterr().err


def test_a_least_probability_holds_for_given_sides_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without one every row has an act; with one those that are less sure are left out and counted."""
    rows = tmp_path / "rows.csv"
    texts = ["Israel shelled Lebanon.", "The weather in Peru was fine for Chile."]
    pl.DataFrame({"text": texts, "source": ["Israel", "Peru"], "target": ["Lebanon", "Chile"]}).write_csv(rows)
    every, sure = tmp_path / "every.parquet", tmp_path / "sure.parquet"
    assert run("events", "code", rows, "--given", "--out", every, "-q") == 0
    assert len(read_table(every)) == 2
    assert run("events", "code", rows, "--given", "--min-probability", "0.6", "--out", sure, "-q") == 0
    table = read_table(sure)
    assert table.frame["target"].to_list() == ["Lebanon"]
    assert table.account["rows_dropped"] == {FAINT: 1}
    assert balance(table.account) == 0


def test_without_a_date_the_ways_to_give_one_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.txt"
    report.write_text(REPORT, encoding="utf-8")
    assert run("events", "code", report) == 1
    said = capsys.readouterr().err
    assert "--date 2022-12-27" in said and "front matter" in said and "column named date" in said
    with pytest.raises(EventError, match=r"date='2022-12-27'"):
        pk.code(REPORT)


def test_tables_pages_and_front_matter_are_read(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "id": ["a", "b"],
            "published": ["2022-12-27", "2022-12-28"],
            "body": ["Iran attacked Iraq.", "Chad attacked Mali."],
        }
    ).write_csv(tmp_path / "table.csv")
    (tmp_path / "page.html").write_text(
        "<html><head><title>x</title><script>var a = 'Iran attacked Chad';</script></head><body><article><p>"
        + "Serbia sent troops to the border with Kosovo on Monday. " * 3
        + "</p></article></body></html>",
        encoding="utf-8",
    )
    (tmp_path / "note.md").write_text("---\ndate: 2022-12-29\n---\n# Note\n\nMali attacked Niger.\n", encoding="utf-8")
    table = pk.code(tmp_path, "2022-12-30")
    days = {row["source"]: (row["time"], row["event_id"]) for row in table.frame.iter_rows(named=True)}
    assert days["Iran"][0] == days["Chad"][0] - 1 and days["Iran"][1].startswith("a:")
    assert "Serbia" in days and "Mali" in days
    assert not any("script" in row or "var a" in row for row in table.frame["sentence"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (
            "Der Minister hat gestern die Grenze geschlossen und die Armee in Alarmbereitschaft versetzt, hieß es.",
            "not English",
        ),
        ("The minister said that " + "the police and " * 3_400, "a sentence too long"),
        ("x" * 1_000_000, "a sentence too long"),
        ("😀😀😀 🤖", "no words"),
        ("وقالت الشرطة إن المحتجين أغلقوا الطريق الرئيسي يوم الثلاثاء في شمال البلاد بعد اجتماع طويل", "not English"),
    ],
)
def test_what_cannot_be_coded_is_set_aside_and_counted(text: str, reason: str) -> None:
    account = pk.code(text, "2022-12-27").account
    assert account["rows_set_aside"] >= 1
    assert reason in str(account["set_aside_by_reason"])
    assert balance(account) == 0


def test_bytes_that_are_no_text_are_set_aside(tmp_path: Path) -> None:
    (tmp_path / "picture.txt").write_bytes(b"\x89PNG\x00\x01\x02" * 100)
    assert "not a text" in str(pk.code(tmp_path / "picture.txt", "2022-12-27").account["set_aside_by_reason"])


def test_nested_quotes_and_marks_do_no_harm() -> None:
    text = (
        '"He said: "They said \'Iran attacked Iraq\' and “left”"," she said.\u202e \u200f Serbia attacked Bosnia. (((('
        * 20
    )
    assert pk.code(text, "2022-12-27").account["sentences"]


def test_the_share_of_english_is_said() -> None:
    (found,) = pieces("Der Minister hat gestern die Grenze geschlossen und die Armee in Alarm versetzt, hieß es hier.")
    assert isinstance(found, SetAside) and "% of its words" in found.reason
    kept = list(
        pieces("The minister said that it was closed. And " + "and " * (MOST_WORDS + 5) + ". Then they left the room.")
    )
    assert sum(isinstance(one, SetAside) for one in kept) == 1 and len(kept) == 3


@pytest.mark.parametrize(
    "text",
    [
        "Serbia's Vucic, Kosovo's Kurti meet EU's Borrell, Lajcak in Brussels, Ohrid deal on table",
        "Putin, Erdogan, Raisi discuss Syria, Ukraine grain, Nagorno-Karabakh at Tehran summit",
        "VUCIC, KURTI MEET BORRELL, LAJCAK IN BRUSSELS; SERBIA, KOSOVO TRADE BLAME OVER BANJSKA",
    ],
)
def test_a_short_text_that_is_mostly_names_is_english_by_its_other_words(text: str) -> None:
    assert all(isinstance(one, Piece) for one in pieces(text))


@pytest.mark.parametrize(
    "text",
    [
        "Ruski predsjednik Putin razgovarao je s Erdoganom, Raisijem na sastanku u Teheranu o Siriji i Ukrajini",
        "Presiden Jokowi bertemu Zelenskiy di Kiev, lalu Putin di Moskow untuk membahas pangan dan perang",
        "Il presidente Vucic incontra Kurti, Borrell, Lajcak a Bruxelles: accordo di Ohrid sul tavolo",
        "Sri Lanka Colombo Jaffna Trincomalee Batticaloa Kandy Galle Matara Negombo Vavuniya Mannar Puttalam",
    ],
)
def test_names_do_not_make_another_language_english(text: str) -> None:
    assert all(isinstance(one, SetAside) for one in pieces(text))


@pytest.mark.parametrize(
    ("headline", "source", "target", "root"),
    [
        ("Vucic, Kurti meet Borrell in Brussels", "Aleksandar Vucic", "Albin Kurti", "04"),
        ("Turkey, Egypt agree to restore full diplomatic ties", "Turkey", "Egypt", "03"),
        ("India-China border talks held in Chushul", "India", "China", "04"),
        ("Israeli-Palestinian talks resume in Cairo", "Israel", "Palestine", "04"),
        ("Thousands march against Vucic in Belgrade", "Citizen (Serbia)", "Aleksandar Vucic", "14"),
        ("Kosovo to close Serbian post offices", "Kosovo", "Serbia", "13"),
        ("Ethiopian, Eritrean envoys hold talks near Badme", "Government Official (Ethiopia)",
         "Government Official (Eritrea)", "04"),
    ],
)  # fmt: skip
def test_headlines_are_read_though_parsers_are_taught_on_sentences(
    headline: str, source: str, target: str, root: str
) -> None:
    rows = pk.code(headline, "2022-12-27", least=0.0).frame.iter_rows(named=True)
    assert (source, target, root) in {(row["source"], row["target"], row["code"][:2]) for row in rows}


@pytest.mark.parametrize(
    ("sentence", "source", "target", "root"),
    [
        # What happens between two may hang on the verb.
        ("Heavy fighting broke out between Ethiopian troops and Tigrayan rebels.", "Military (Ethiopia)",
         "Armed Rebel (Tigrayans)", "19"),
        # Who stands before "and" is one side of two, whatever parsers make of it.
        ("Talks between the Taliban and Afghan government envoys opened in Doha.", "Taliban",
         "Government Official (Afghanistan)", "04"),
        # Who has to is spoken to by whoever says so.
        ("Saad Hariri said Hezbollah had to give up its arms.", "Saad al-Hariri", "Hezbollah", "10"),
        ("Ethiopian troops have to leave by May, Somalia's defence minister said.", "Minister (Somalia)",
         "Military (Ethiopia)", "10"),
        # What opens with "after" is no whole sentence, though parsers may hang all the rest on it.
        ("Eritrea flew 30 bombers along the coast of Chile on Friday, Chile's army said, two days after the island's "
         "new prime minister took office.", "Eritrea", "Chile", "15"),
        # A verb has one subject: what stands before it and "and" is a clause.
        ("Chad massed tanks along its border with Libya, officials said, and President Omar Bongo threatened to cut "
         "off the supply of water.", "Chad", "Libya", "15"),
        # A past form that has no other use is a verb.
        ("The regional bloc ECOWAS lifted sanctions on Gambia on Friday after a summit in Lome, and urged the "
         "generals to hold elections.", "Economic Community of West African States", "Gambia", "08"),
        # What hangs on a verb inside a pattern suffers too.
        ("Togo offered to mediate between Benin and Chad.", "Togo", "Chad", "03"),
        # The verb that has a form of its own is the sentence's.
        ("Protesters waving Russian flags attacked the French embassy in Ouagadougou.", "Protester (Burkina Faso)",
         "France", "14"),
    ],
)  # fmt: skip
def test_both_sides_are_found_where_parsers_slip(sentence: str, source: str, target: str, root: str) -> None:
    rows = pk.code(sentence, "2022-12-27", least=0.0).frame.iter_rows(named=True)
    assert (source, target, root) in {(row["source"], row["target"], row["code"][:2]) for row in rows}


@pytest.mark.parametrize(
    ("sentence", "nobodys_target"),
    [
        ("France condemned the blockade, and the United States suspended military aid to Baku.", "United States"),
        ("Moscow urged both sides to show restraint and sent Alexei Overchuk to Yerevan.", "Alexei Overchuk"),
        ("Ilham Aliyev warned that his army would respond.", "Military (Azerbaijan)"),
        ("Armenia refused to withdraw troops.", "Military"),
        ("France condemned the raid, and Peru urged Chile to withdraw.", "France -> Chile"),
        ("Protesters clashed with riot police, and 14 people were hurt.", "145 -> Citizen"),
        ("Chad turned down an invitation to meet in Paris.", "France"),
        ("Riot police arrested Chadian students in Peru.", "145 -> Chad"),
        ("The African Union sent 400 Kenyan soldiers to reinforce its mission in Somalia.", "Military (Kenya)"),
        ("Idriss Deby suspended peace talks with the group and ordered the army to attack.", "164 -> Military"),
    ],
)
def test_who_acts_in_another_clause_and_ones_own_forces_are_no_targets(sentence: str, nobodys_target: str) -> None:
    found = set()
    for row in pk.code(sentence, "2022-12-27", least=0.0).frame.iter_rows(named=True):
        found |= {row["target"], f"{row['source']} -> {row['target']}", f"{row['code']} -> {row['target']}"}
    assert nobodys_target not in found


def test_a_person_is_named_without_the_office() -> None:
    rows = pk.code("Serbia arrested Deputy Prime Minister Alexei Overchuk.", "2022-12-27", least=0.0).frame
    assert rows["target"].to_list() == ["Alexei Overchuk"]
    assert rows["target_name"].to_list() == ["Deputy Prime Minister Alexei Overchuk"]


def test_a_match_and_what_nobody_knows_are_no_events() -> None:
    sentences = ["Argentina beat England 2-1 on Sunday.", "Nobody knows whether China would come to North Korea's aid."]
    assert pk.code(sentences, "2022-12-27").frame.height == 0


def test_its_is_whoever_acts_in_the_clause() -> None:
    sentence = "After North Korea flew drones across the border, South Korea put its air force on alert."
    rows = pk.code(sentence, "2022-12-27", least=0.0).frame.iter_rows(named=True)
    assert ("South Korea", "Military (North Korea)") not in {(row["source"], row["target"]) for row in rows}


def test_slips_in_a_file_of_words_are_told_at_once(tmp_path: Path) -> None:
    own = tmp_path / "mine.txt"
    own.write_text("[19]\nverb zap $aid\nnuon raid\n[1999]\nverb zip\n[threaten]\n04 > 999\n", encoding="utf-8")
    with pytest.raises(EventError) as slips:
        lexicon((str(own),))
    said = str(slips.value)
    assert "mine.txt:2" in said and "mine.txt:3" in said and "mine.txt:4" in said and "mine.txt:7" in said
    assert "nearest: 'noun'" in said


def test_a_file_of_words_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    """The system's whole message has the path a second time, and a number."""
    missing = str(tmp_path / "none.txt")
    for read in (lexicon, gazetteer):
        with pytest.raises(EventError) as told:
            read((missing,))
        assert told.value.faults[0].found == "cannot be read: No such file or directory"


def test_own_words_and_names_lie_over_ours(tmp_path: Path) -> None:
    words, names = tmp_path / "words.txt", tmp_path / "names.csv"
    words.write_text("[163]\nverb serenade\nverb attack\n", encoding="utf-8")
    names.write_text("name,actor,country,kind\nGreen Shirts,Green Shirts,SRB,OPP\n", encoding="utf-8")
    found = told("The Green Shirts serenaded Kosovo. Iran attacked Iraq.", patterns=[words], actors=[names])
    assert {(row["source"], row["code"], row["target"]) for row in found} == {
        ("Green Shirts", "163", "Kosovo"), ("Iran", "163", "Iraq"),
    }  # fmt: skip


def test_a_story_told_twice_is_one_event_with_two_mentions() -> None:
    texts = ["Iran attacked Iraq on Monday.", "On Monday Iran launched an attack on Iraq.", "Chad attacked Mali."]
    table = pk.code(texts, "2022-12-27")
    assert sorted(table.frame["mentions"].to_list()) == [1, 2]
    assert balance(table.account) == 0
    assert len(pk.code(texts, "2022-12-27", mentions=True)) == 3


def test_a_given_source_and_target_always_have_an_act() -> None:
    assert pk.classify("Israel shelled Lebanon.", "Israel", "Lebanon").tone == "material conflict"
    assert pk.classify("The weather in Peru was fine for Chile.", "Peru", "Chile").code
    assert pk.classify("Iran was attacked by Iraq.", "Iraq", "Iran").code.startswith("19")


def test_own_sentences_of_news_are_classified() -> None:
    """Sentences of ours in the manner of news, one act each; read while patterns were written, so not a measure."""
    path = Path(__file__).parent / "text" / "sentences.csv"
    rows = pl.read_csv(path, separator=";", schema_overrides={"root": pl.String}).to_dicts()
    found = classified([(row["sentence"], row["source"], row["target"]) for row in rows])
    right = [row["root"] == one.code[:2] for row, one in zip(rows, found, strict=True)]
    assert sum(right) / len(right) > 0.95
    assert {row["root"] for row in rows} == {f"{root:02d}" for root in range(2, 21)}


def test_scores_count_what_is_right_and_what_is_false(tmp_path: Path) -> None:
    gold = tmp_path / "gold.csv"
    pl.DataFrame(
        {
            "text": ["Iran attacked Iraq.", "Chad praised Mali.", "Peru rejected talks with Chile."],
            "source": ["Iran", "Chad", "Peru"], "target": ["Iraq", "Mali", "Chile"], "code": ["190", "051", "042"],
        }
    ).write_csv(gold)  # fmt: skip
    score = pk.score_coding(pk.code(gold, "2000-01-01"), gold)
    assert score.events["right"] == 2 and score.events["coded"] == 3
    assert score.events["false_per_100"] == pytest.approx(100 / 3)
    assert {"gold": "04", "coded": "12", "events": 1} in score.confusion


def test_probabilities_are_made_of_weights_that_can_be_read() -> None:
    """The default least probability is the one that the fit chose; doubts lower, names that are known raise."""
    from importlib import resources

    from powderkeg.text.opinion import SHARPNESS, WEIGHT
    from powderkeg.text.sureness import probability, weights

    head = (resources.files("powderkeg.text") / "words" / "sureness.csv").read_text(encoding="utf-8")
    assert f"least probability {LEAST:.2f}" in head
    assert USUAL_LEAST == LEAST
    heard = (resources.files("powderkeg.text") / "words" / "opinion.csv").read_text(encoding="utf-8")
    assert f"chosen: {WEIGHT:g}; sharpness {SHARPNESS:.2f};" in heard
    known = weights()
    assert all(known[f"doubt: {doubt}"] < -1 for doubt in ("question", "condition", "negated"))
    assert known["source is of a known country"] > known["source is of no known country"]
    assert probability({"constant": 1.0}, {"constant": 0.0}) == 0.5
    assert probability({"constant": 1.0, "unheard of": 9.0}, {"constant": 0.0}) == 0.5
    assert round(probability({"a": 1.0, "b": 0.5}, {"a": 1.0, "b": 2.0}), 4) == 0.8808


def test_an_event_is_weighed_beside_the_others_of_its_sentence() -> None:
    """What a surer one leaves is less sure than what stands alone; by whom and on whom is part of it."""
    from powderkeg.text.before import Mention
    from powderkeg.text.rivals import BESIDE, OWN_ODDS, Coded, beside, features_beside
    from powderkeg.text.sureness import weights

    def event(source: str, target: str, at: int, probability: float) -> Coded:
        who, whom = (Mention(0, 0, 1, name, name, "", "", "", 1.0) for name in (source, target))
        return Coded("190", who, whom, (at,), (), probability, (), False)

    sure, faint = event("Chad", "Mali", 3, 0.9), event("Chad", "Togo", 7, 0.4)
    found = features_beside(faint, [sure, faint])
    assert found[f"{BESIDE}a surer one"] == found[f"{BESIDE}a surer one of the same source"] == 1.0
    assert found[f"{BESIDE}a surer one before"] == 1.0 and f"{BESIDE}alone" not in found
    assert f"{BESIDE}a surer one" not in features_beside(sure, [sure, faint])
    assert f"{BESIDE}alone" in features_beside(faint, [faint])
    (alone,), (_, second) = beside([faint]), beside([sure, faint])
    assert second.probability < alone.probability
    assert beside([faint], {"constant": 1.0}) == [faint], "without a second model nothing changes"
    plain = beside([sure, faint], {OWN_ODDS: 1.0})
    assert [one.probability for one in plain] == [0.9, 0.4], "log odds taken as they are give the same back"
    assert 0 < weights()[OWN_ODDS] < 2


@pytest.mark.parametrize(
    ("sentence", "source", "target"),
    [
        ("Greek and Turkish leaders met in Geneva.", "Greek", "Turkish leaders"),
        ("The presidents of Peru and Ecuador signed a peace accord on Monday.", "Peru", "Ecuador"),
        ("Iran shelled dozens of Kurdish villages.", "Iran", "Kurdish villages"),
        ("Estonia called for Germany to speed up deliveries of tanks.", "Estonia", "Germany"),
        ("Vietnam is set to sign an agreement with Japan later this year.", "Vietnam", "Japan"),
        ("Mahmoud Abbas held Hamas responsible for the attack.", "Mahmoud Abbas", "Hamas"),
        ("Chadian soldiers opened fire on unarmed protesters in a market.", "Chadian soldiers", "unarmed protesters"),
        ("Russian security agents arrested a Polish reporter.", "Russian security agents", "Polish reporter"),
        ("Chilean President Ricardo Lagos met King Abdullah.", "Chilean President Ricardo Lagos", "King Abdullah"),
    ],
)  # fmt: skip
def test_both_sides_are_found_where_grammar_hides_them(sentence: str, source: str, target: str) -> None:
    assert [(row["source_name"], row["target_name"]) for row in told(sentence, least=0.25)] == [(source, target)]


@pytest.mark.parametrize(
    ("sentence", "source", "target"),
    [
        ("Gunmen killed 12 people in Kabul.", "Armed Rebel (Afghanistan)", "Citizen (Afghanistan)"),
        ("Gunmen shot dead a teacher in the Nigerian city of Jos.", "Armed Rebel (Nigeria)", "Labor Union (Nigeria)"),
        ("Malaysia has called on Myanmar to let refugees return.", "Malaysia", "Myanmar"),
        ("Turkey threatened the leaders of Syria with war.", "Turkey", "Head of Government (Syria)"),
        ("Thousands marched in Dhaka to demand that India return the land.", "Citizen (Bangladesh)", "India"),
        ("Farmers camped outside Delhi in protest at Pakistan's dam.", "Citizen (India)", "Pakistan"),
        ("Attackers fired on a UN helicopter in eastern Congo.", None, "Military (United Nations)"),
        ("Sergei Lavrov met Ismail Haniyeh.", "Sergei Lavrov", "Ismail Haniyeh"),
    ],
)
def test_people_belong_to_the_place_of_the_deed_and_targets_to_the_purpose(
    sentence: str, source: str | None, target: str
) -> None:
    found = [(row["source"], row["target"]) for row in told(sentence, least=0.1)]
    assert any(target == two and source in (None, one) for one, two in found), found


def test_the_words_of_an_actor_hold_the_name_in_apposition_and_the_noun_of_a_nationality() -> None:
    (row,) = told("Serbia's president, Aleksandar Popovic, condemned NATO.", "2022-12-27")
    assert row["source_name"] == "Serbia's president, Aleksandar Popovic"
    (row,) = told("Kidnappers abducted an Italian welder.", least=0.1)
    assert row["target_name"] == "Italian welder"


@pytest.mark.parametrize(
    "sentence",
    [
        "A heatwave in Pakistan killed 1,000 people in Karachi.",
        "Thailand's exports to China grew by nine percent.",
        "Senegal beat Egypt on penalties to win the cup.",
        "Nine people were killed in floods in Kenya.",
    ],
)
def test_weather_trade_and_sport_are_no_events(sentence: str) -> None:
    assert not told(sentence, least=0.3)


def test_a_whole_name_stands_for_its_bearer_out_of_office_too() -> None:
    assert gazetteer().who("Robert Mugabe", date(2022, 1, 1)) is not None
    assert gazetteer().who("Mugabe", date(2022, 1, 1)) is None


@pytest.mark.parametrize(
    "sentence",
    [
        "The Kurds passed through Turkey and returned to Iraq.",
        "The dam blocked the river near the Syrian border.",
    ],
)
def test_ways_and_rivers_are_no_visits_and_no_refusals(sentence: str) -> None:
    assert not told(sentence, least=0.3)


@pytest.mark.parametrize(
    ("sentence", "target"),
    [
        ("Lebanon complained to the UN over Israeli raids.", "Israel"),
        ("Lebanon complained to the UN that Israel had violated its airspace.", "Israel"),
        ("Lebanon filed a complaint with the United Nations against Israel.", "Israel"),
        ("Lebanon lodged a complaint with the UN Security Council about Israeli overflights.", "Israel"),
        ("Syria complained to NATO and the European Union over Turkish shelling.", "Turkey"),
        ("Lebanon complained to the UN over its failure to stop Israel.", "United Nations"),
        ("Iraq accused the United Nations of spying.", "United Nations"),
        ("Japan lodged a protest with China over the ships.", "China"),
    ],
)  # fmt: skip
def test_who_is_accused_before_an_organisation_is_the_target(sentence: str, target: str) -> None:
    (row,) = told(sentence, least=0.54)
    assert row["target"] == target


def test_a_secretary_general_is_no_soldier() -> None:
    (row,) = told("The Secretary-General of NATO urged Serbia to show restraint.")
    assert "Military" not in row["source"]
    (row,) = told("The Serbian general urged Kosovo to show restraint.")
    assert row["source"] == "Military (Serbia)"


def test_of_several_who_may_have_suffered_the_likeliest_is_told() -> None:
    """What is fitted chooses: the diplomats' country, not the dissident whose murder is the reason."""
    (row,) = told("Germany expelled two Iranian diplomats on Wednesday over the murder of a dissident.")
    assert row["target_country"] == "IRN"


def test_without_spacy_one_sentence_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from powderkeg.text import parsing

    parsing.language.cache_clear()
    monkeypatch.setitem(sys.modules, parsing.MODEL, None)
    with pytest.raises(UsageError, match=r"pip install 'powderkeg\[text\]'"):
        pk.code("Iran attacked Iraq.", "2022-12-27")
    parsing.language.cache_clear()


def test_nothing_else_loads_spacy() -> None:
    """Every other command starts as fast as before."""
    asked = (
        "import powderkeg.cli.app, powderkeg.text, sys; print('spacy' in sys.modules or 'trafilatura' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


def test_the_examples_of_the_page_hold(capsys: pytest.CaptureFixture[str]) -> None:
    examples_hold("text", capsys)


def test_a_table_that_streams_to_a_file_is_the_one_held_in_memory(tmp_path: Path) -> None:
    """In slices of five rows, so that days and stories cross them; the share that is done never falls."""
    path = tmp_path / "texts.csv"
    days = [f"2022-12-{1 + n * 7 % 13:02d}" for n in range(60)]
    acts = ["Iran attacked Iraq.", "Chad praised Mali.", "Iran shelled Iraq.", "Peru sued Chile."]
    pl.DataFrame({"text": [acts[n % 4] for n in range(60)], "date": days}).write_csv(path)
    shares: list[float] = []
    for mentions in (True, False):
        held = pk.code(path, mentions=mentions)
        account = code_to(
            tmp_path / "out.parquet", path, mentions=mentions, slice_rows=5,
            progress=lambda share, _: shares.append(share),
        )  # fmt: skip
        streamed = read_table(tmp_path / "out.parquet")
        assert streamed.frame.equals(held.frame) and account == held.account
        assert (streamed.start, streamed.days) == (held.start, held.days)
        assert shares == sorted(shares) and shares.pop() == 1.0
        shares.clear()
    assert account["rows_dropped"]


def test_a_pdf_is_read_or_refused_with_the_way_to_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "2022-12-27.pdf"
    path.write_bytes(b"%PDF-1.4 broken")
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(UsageError, match="pdftotext"):
        pk.code(path)

    class Page:
        def extract_text(self) -> str:
            return "Iran on Monday at-\ntacked its neighbour\nIraq."

    class Reader:
        pages, metadata = (Page(),), None

        def __init__(self, stream: Any) -> None:
            if b"broken" in stream.read():
                raise ValueError("no cross references\nat all")

    errors = types.SimpleNamespace(PyPdfError=KeyError)
    monkeypatch.setitem(sys.modules, "pypdf", types.SimpleNamespace(PdfReader=Reader, errors=errors))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "pypdf.errors", errors)  # type: ignore[arg-type]
    assert pk.code(path).account["set_aside_by_reason"] == {"a PDF that cannot be read": 1}
    path.write_bytes(b"%PDF-1.4 whole")
    assert [(row["source"], row["target"]) for row in pk.code(path).frame.iter_rows(named=True)] == [("Iran", "Iraq")]


def test_the_text_of_a_real_pdf_is_coded(tmp_path: Path) -> None:
    """One page, written by hand as its format says; a word broken at the end of a line is put together again."""
    pytest.importorskip("pypdf")
    page = b"BT /F 12 Tf 72 720 Td (Iran on Monday at-) Tj 0 -14 Td (tacked its neighbour Iraq.) Tj ET"
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    whole, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        places.append(len(whole))
        whole += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"xref\n0 6\n0000000000 65535 f \n%strailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
    path = tmp_path / "2022-12-27.pdf"
    path.write_bytes(whole + end % (table, len(whole)))
    (row,) = pk.code(path).frame.to_dicts()
    assert (row["source"], row["target"], row["code"][:2]) == ("Iran", "Iraq", "19")


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    texts = [f"Country report {n}. Iran attacked Iraq on day {n}. Chad praised Mali." for n in range(90)]
    one, two = pk.code(texts, "2022-12-27", mentions=True), pk.code(texts, "2022-12-27", mentions=True, workers=2)
    assert one.frame.equals(two.frame)


@pytest.mark.slow
def test_acts_told_by_templates_are_found_again() -> None:
    """A few years of simulated north Kosovo as reports of a day each: coded, matched, cut, as a user would."""
    path = Path(__file__).resolve().parent.parent / "benchmarks" / "coded_reports.py"
    spec = importlib.util.spec_from_file_location("coded_reports", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.main(wanted=60, seed=3)
    assert found["found"] >= 0.8
    assert found["within_a_day"] >= 0.7 * found["standoffs"] > 0


def test_a_table_whose_day_stands_in_a_column_named_when_is_dated(tmp_path: Path) -> None:
    """As in a table of events; where it has another name, the fault says how it is named."""
    body = "The police arrested protesters downtown."
    (tmp_path / "a.csv").write_text(f"When,text\n2021-03-04,{body}\n", encoding="utf-8")
    assert [one.day for one in reports([tmp_path / "a.csv"])] == [date(2021, 3, 4)]
    assert "mapping={'date': 'COLUMN'}" in str(without_day("a.csv", [2]))


def test_the_day_that_is_given_is_for_rows_that_say_none(tmp_path: Path) -> None:
    """A row with a day that cannot be read was taken for one of the day that is given, in silence."""
    body = "The police arrested protesters downtown."
    (tmp_path / "a.csv").write_text(f"date,text\n2021-13-45,{body}\n,{body}\n2021-03-04,{body}\n", encoding="utf-8")
    odd, without, dated = reports([tmp_path / "a.csv"], date(2022, 1, 1))
    assert odd.fault == "bad date '2021-13-45'"
    assert (without.day, without.fault) == (date(2022, 1, 1), "")
    assert (dated.day, dated.fault) == (date(2021, 3, 4), "")


@pytest.mark.parametrize(
    ("sentence", "source"),
    [
        ("Karen Pierce accused Russia of shelling Kharkiv.", "Karen Pierce"),
        ("Joe Lieberman criticized Iran over its nuclear programme.", "Joe Lieberman"),
        ("Wade Jones accused China of spying.", "Wade Jones"),
        ("Diego Trujillo accused China of spying.", "Diego Trujillo"),
        ("Sergey Lavrov accused Germany of lying.", "Sergei Lavrov"),
        ("Mr Lavrov accused Germany of lying.", "Sergei Lavrov"),
        ("Kuwait's Sheikh Sabah al-Sabah accused Iran of lying.", "Kuwait"),
    ],
)
def test_a_known_name_inside_another_name_stands_for_nobody_known(sentence: str, source: str) -> None:
    assert [row["source"] for row in told(sentence)] == [source]


@pytest.mark.parametrize(
    ("sentence", "source", "target"),
    [
        ("KDP fighters clashed with PUK fighters.", "Armed Rebel (Kurdistan Democratic Party)",
         "Armed Rebel (Patriotic Union of Kurdistan)"),
        ("Hayat Tahrir al-Sham attacked Ahrar al-Sham in Idlib.", "Hayat Tahrir al-Sham", "Ahrar al-Sham"),
        ("Israel accused UNIFIL of spying.", "Israel", "UNIFIL"),
    ],
)  # fmt: skip
def test_rival_groups_and_different_missions_are_different_actors(sentence: str, source: str, target: str) -> None:
    assert (source, target) in {(row["source"], row["target"]) for row in told(sentence)}


def test_no_name_stands_for_two_groups() -> None:
    """Which of them was meant would go by the order of lines."""
    held: dict[str, set[str]] = {}
    for text, bearers in gazetteer().names.items():
        held[text] = {one.name for one in bearers if not one.title and one.kind in ("REB", "UAF", "CRM", "PKO", "NGO")}
    assert not {text: names for text, names in held.items() if len(names) > 1}


def test_a_table_without_days_is_told_once_with_its_first_lines(tmp_path: Path) -> None:
    table = tmp_path / "told.csv"
    table.write_text("text\n" + "China accused Japan of lying.\n" * 25, encoding="utf-8")
    with pytest.raises(EventError) as said:
        pk.code(table)
    assert len(said.value.faults) == 1
    assert said.value.faults[0].found == "no date in 25 reports (lines 2, 3, 4, ...)"
    assert said.value.faults[0].line == 2


def test_given_sides_are_read_by_one_worker_and_more_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "given.csv"
    table.write_text("date,source,target,text\n2023-01-02,China,Japan,China accused Japan.\n", encoding="utf-8")
    assert run("events", "code", table, "--given", "--workers", "2") == 2
    assert "--workers: with --given" in capsys.readouterr().err


def test_a_community_is_not_the_country_whose_name_it_bears() -> None:
    """Turkish Cypriots were read as Turkey."""
    rows = told("Turkish Cypriot police arrested two Greek Cypriots.", least=0.0)
    assert {(row["source"], row["target_country"]) for row in rows} == {("Turkish Cypriots", "CYP")}


def test_a_crew_is_no_union() -> None:
    assert {row["target"] for row in told("Eritrea detained the crew of a trawler.", least=0.0)} == {"Citizen"}


def test_a_broken_line_of_json_lines_is_named(tmp_path: Path) -> None:
    """The parser counts lines of its own text, of which there is one."""
    path = tmp_path / "reports.jsonl"
    path.write_text('{"text": "Iran attacked Iraq."}\n{broken\n', encoding="utf-8")
    with pytest.raises(pk.EventError) as caught:
        pk.code(path, "2024-01-01")
    assert "reports.jsonl:2: no JSON" in str(caught.value)
