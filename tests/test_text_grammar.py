"""Kinds of English that decide what an act is: words in brackets, purposes, threats by "or", what is only told."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import powderkeg as pk
from powderkeg.errors import EventError
from powderkeg.text.giving import classified, classify
from powderkeg.text.opinion import opinions
from powderkeg.text.scoring import Gold, score_coding


@pytest.mark.parametrize(
    ("sentence", "source", "target", "code"),
    [
        # A word in brackets must stand as subject.
        ("The last Syrian soldiers left Lebanon on Tuesday.", "Syrian", "Lebanon", "0874"),
        # Who is to do something, means to; who must do it or else is threatened.
        ("Taiwan is to lend Honduras 20 million dollars.", "Taiwan", "Honduras", "0331"),
        ("Washington told Khartoum to rein in the militias or face sanctions.", "Washington", "Khartoum", "130"),
        # What two do together is cooperation; so are exercises that they hold with each other.
        ("Norway and Russia counted cod together in the Barents Sea.", "Norway", "Russia", "060"),
        ("The Indian and Sri Lankan navies held manoeuvres this week.", "Indian", "Sri Lankan", "062"),
        ("India held manoeuvres near Sri Lanka this week.", "India", "Sri Lanka", "150"),
        # Nouns of other prepositions do not make a pattern.
        ("Germany cancelled talks with Chad in protest.", "Germany", "Chad", "16"),
        # The parser's dative is a preposition.
        ("Cuba sent 75 dissidents to prison for terms of up to 28 years.", "Cuba", "dissidents", "173"),
        # Who goes somewhere to do a deed does the deed.
        ("Lebanese officials went to Washington to ask the World Bank for a loan.", "Lebanese", "World Bank", "0231"),
        # "No longer", and what dries up.
        ("Norway will no longer give money to Sudan.", "Norway", "Sudan", "1621"),
        ("Shipments of aid from Norway to Sudan dried up in May.", "Norway", "Sudan", "162"),
        # Either side of a visit may be told first.
        ("Kofi Annan was received by Ariel Sharon on Sunday.", "Kofi Annan", "Ariel Sharon", "043"),
        # Participles that say what somebody feels are no passives.
        ("Boris Yeltsin was outraged at NATO's air raids.", "Boris Yeltsin", "NATO", "110"),
        # Who suffers stands as subject: "won praise from".
        ("Japan won praise from France for sending doctors.", "France", "Japan", "051"),
        ("Sudan will under no circumstances accept UN soldiers.", "Sudan", "UN", "12"),
        # What somebody does not want or promise, he refuses.
        ("Japan does not want to share power with France.", "Japan", "France", "12"),
        ("Japan did not promise to lend France money.", "Japan", "France", "1221"),
        # Prospects of peace threaten nobody; who proposes to do something, means to.
        ("Peru raised the possibility of a settlement with Chile.", "Peru", "Chile", "03"),
        ("Poland proposed to send observers to Angola.", "Poland", "Angola", "03"),
        # Aid is dropped from the air, and withheld by whoever gives no more of it.
        ("Zambia dropped relief supplies to villages in Ghana.", "Zambia", "Ghana", "073"),
        ("Turkey withheld economic aid from Peru.", "Turkey", "Peru", "1621"),
        # Ships of any kind are property; a drone strikes from the air; who would be the host, would mediate.
        ("Iranian marines seized a Maltese freighter.", "Iranian", "Maltese", "171"),
        ("An Eritrean drone slammed into a depot in Sudan.", "Eritrean", "Sudan", "195"),
        ("Norway offered to host talks with the envoys of Sudan.", "Norway", "Sudan", "039"),
        # Talks that end without a result were no use.
        ("Talks between Kenya and Chad broke up without a deal.", "Kenya", "Chad", "127"),
    ],
)  # fmt: skip
def test_kinds_of_clauses_say_what_was_done(sentence: str, source: str, target: str, code: str) -> None:
    found = classify(sentence, source, target)
    assert found.code[: len(code)] == code, found.rules


def test_an_act_of_others_says_little_of_the_two_who_are_asked_about() -> None:
    """What happened "hours after an attack" was not the attack, even where no pattern reads the deed itself."""
    assert classify("Hours after an attack, Peru coddled Chile.", "Peru", "Chile").code[:2] != "19"


def test_a_word_that_carries_the_act_is_heard_although_it_names_a_side() -> None:
    """Who opens fire on protesters does what the word "protesters" says; it was left out as a side."""
    (row,) = pk.code(
        "Chadian soldiers opened fire on unarmed protesters in a market.", "2022-12-27", least=0.4
    ).frame.to_dicts()
    assert (row["target_name"], row["code"]) == ("unarmed protesters", "175")


def test_according_to_somebody_is_no_accord() -> None:
    found = classify("According to state radio, Peru coddled Chile.", "Peru", "Chile", opinion=False)
    assert "accord" not in " ".join(found.rules)


def test_what_is_told_of_another_may_be_an_accusation() -> None:
    """Both are weighed: the deed as told, and the charge; with source and target given it is the charge."""
    sentence = "Jordan said Syria had bombed a border town."
    assert classify(sentence, "Jordan", "Syria").code == "112"
    rows = pk.code(sentence, "2022-12-27", least=0.0).frame.iter_rows(named=True)
    codes = {(row["source"], row["target"], row["code"][:2]) for row in rows}
    assert ("Jordan", "Syria", "11") in codes
    assert all(found.code[:2] != "11" for found in classified([("Jordan bombed a Syrian town.", "Jordan", "Syrian")]))


def test_the_object_suffers_and_not_what_it_is_about() -> None:
    (row,) = pk.code("Danish police questioned an Iraqi general about Syria.", "2022-12-27", least=0.3).frame.to_dicts()
    assert row["target"] == "Military (Iraq)"


def test_an_office_belongs_to_the_words_of_a_leader() -> None:
    (row,) = pk.code("German Chancellor Angela Merkel visited Israel.", "2015-01-01", least=0.3).frame.to_dicts()
    assert row["source_name"] == "German Chancellor Angela Merkel"


def test_words_in_brackets_are_read_from_a_users_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("[175]\nverb squelch (gendarme|police)\n", encoding="utf-8")
    rows = [("Chadian police squelched Malian students.", "Chadian", "Malian"),
            ("Chadian boots squelched at Malian students.", "Chadian", "Malian")]  # fmt: skip
    own, other = classified(rows, patterns=(str(path),))
    assert own.code == "175" and other.code != "175"


def test_the_draft_of_plover_that_had_fight_is_scored_by_its_roots() -> None:
    """That draft counts repression (175) as COERCE and embargoes (163) as SANCTION, later tables otherwise."""
    text = "Chad beat students. Chad embargoed Mali."
    gold = [Gold("a", text, (("Chad", ""),), (("students", ""),), "COERCE"), Gold("b", "x", (), (), "FIGHT")]
    table = pk.code("Chad police clubbed Malian marchers.", "2022-12-27", least=0.0).frame
    assert table["code"][0] == "175"
    same = [Gold("a", "Chad police clubbed Malian marchers.", (("Chad", ""),), (("Malian", ""),), "COERCE")]
    assert score_coding(table, [*same, gold[1]]).events["right"] == 1
    assert score_coding(table, same).events["right"] == 0
    with pytest.raises(EventError, match="gold: no records"):
        score_coding(table, [])


def test_the_other_words_weigh_in_beside_patterns() -> None:
    """Shares of kinds of act are probabilities; patterns alone stay to be had; a user's pattern comes before words."""
    sentence = "Cuban helpers scooped flood victims from the roofs of Belize."
    both, alone = classify(sentence, "Cuban", "Belize"), classify(sentence, "Cuban", "Belize", opinion=False)
    assert both.code[:2] == "07" and alone.code[:2] != "07"
    said = opinions(frozenset({"constant", "bomb", "joint bomb"}))
    assert sum(map(math.exp, said.values())) == pytest.approx(1.0)
    assert max(said, key=lambda root: said[root]) in ("18", "19")


def test_a_users_pattern_comes_before_what_the_other_words_say(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("[051]\nverb bomb\n", encoding="utf-8")
    (found,) = classified([("Chad bombed Mali with jets and shells.", "Chad", "Mali")], patterns=(str(path),))
    assert found.code == "051" and found.probability < 1.0  # nobody has measured it


def test_a_pattern_may_begin_with_not(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("[138]\nverb not shelve plan\n", encoding="utf-8")
    rows = [
        ("Chad did not shelve its plan for Mali.", "Chad", "Mali"),
        ("Chad shelved its plan for Mali.", "Chad", "Mali"),
    ]
    denied, plain = classified(rows, patterns=(str(path),))
    assert denied.code == "138" and plain.code != "138"


def test_leaders_of_the_other_side_are_dismissed_by_force() -> None:
    assert classify("Russia dissolved the Chechen parliament.", "Russia", "Chechen").code[:2] == "17"
    sentence = "Bolivia's president replaced his interior minister to placate the workers."
    assert classify(sentence, "Bolivia", "workers").code[:2] == "08"
