"""Who is meant in a whole report by words that name nobody, and where its lines are sentences of their own."""

from __future__ import annotations

import powderkeg as pk
from powderkeg.text.before import home_of
from powderkeg.text.names import gazetteer
from powderkeg.text.pieces import Piece, pieces


def told(text: str, least: float = 0.3) -> set[tuple[str, str, str | None]]:
    """Source, type of act and target of every event of a report."""
    rows = pk.code(text, "2024-07-29", least=least, mentions=True).frame.iter_rows(named=True)
    return {(row["source"], row["code"][:2], row["target"]) for row in rows}


def test_lines_that_end_by_intent_are_sentences_of_their_own() -> None:
    """Else a list of headlines is parsed as one sentence, and nothing comes of it."""
    lines = ["India strikes nine sites in Pakistan", "Chad shuts its border with Sudan after raids on its army posts",
             "Police arrest six suspects in Kashmir"]  # fmt: skip
    found = list(pieces("\n".join(lines)))
    assert [one.text for one in found if isinstance(one, Piece)] == lines
    assert {("India", "19", "Pakistan")} <= told("\n".join(lines))


def test_wrapped_text_stays_whole() -> None:
    """A line that ends because the next word had no room is no sentence; a name may open the next one."""
    text = (
        "The government of Chad said on Monday that its troops had left the town and that\n"
        "Sudan was to blame for what its soldiers had done there in the night before they\n"
        "went home."
    )
    assert [one.text for one in pieces(text) if isinstance(one, Piece)] == [text.replace("\n", " ")]


def test_a_dateline_says_whose_army_it_is() -> None:
    """The text names other countries as often; without the dateline nothing is concluded."""
    text = "BAMAKO - Algeria and Mali quarrel over Mali's border with Algeria."
    assert (home := home_of(text, gazetteer())) is not None and home.country == "MLI"
    assert home_of(text.removeprefix("BAMAKO - "), gazetteer()) is None
    assert home_of("GENEVA - Algeria and Mali quarrel over the border of Mali.", gazetteer()) is None
    long = text + " The junta accused Algiers of harbouring rebels."
    assert ("Government (Mali)", "11", "Algeria") in told(long)


def test_an_armed_group_by_name_holds_no_office_of_its_country() -> None:
    """Whoever named Hezbollah had named the prime minister of Lebanon."""
    text = "Hezbollah attacked Israel on Monday. The prime minister condemned the attack."
    assert not any(source.endswith("(Lebanon)") for source, _, _ in told(text, 0.0))
    led = "Narendra Modi attacked Pakistan on Monday. The prime minister criticized China."
    assert ("Head of Government (India)", "11", "China") in told(led)


def test_a_dateline_behind_front_matter_is_one() -> None:
    """Blanks stand where front matter stood; the town in capitals is nobody who acts."""
    (piece,) = pieces("   \n  BAMAKO - The army attacked rebels in Mali.")
    assert isinstance(piece, Piece) and piece.text == "The army attacked rebels in Mali."


def test_an_office_is_that_of_the_country_it_was_last_named_of() -> None:
    text = "Peru's foreign ministry summoned the envoy of Chile. The foreign ministry accused Chile of spying."
    assert ("Minister (Peru)", "11", "Chile") in told(text)


def test_where_it_happens_is_nearer_than_the_country_of_the_text() -> None:
    text = "BAMAKO - Mali's army left. In neighbouring Niger, the authorities ordered the UN coordinator to leave."
    assert any(source == "Government (Niger)" for source, _, _ in told(text))


def test_both_sides_are_those_who_fight() -> None:
    """Not those who are only told of last."""
    text = (
        "Armenia attacked Azerbaijan. Azerbaijan attacked Armenia. France thanked Spain. "
        "Turkey urged both sides to show restraint."
    )
    assert {("Turkey", "02", "Armenia"), ("Turkey", "02", "Azerbaijan")} <= told(text, 0.0)


def test_words_that_point_back_stand_for_who_acted_or_suffered() -> None:
    found = told("Iran attacked Iraq. Chad condemned it.", 0.0)
    assert ("Chad", "11", "Iran") in found or ("Chad", "11", "Iraq") in found
    assert ("Chad", "11", "Iran") in told("Iran attacked Iraq. Chad condemned the move.", 0.0)
    assert ("Chad", "11", None) not in told("Chad condemned the move.", 0.0)


def test_we_is_who_writes_unless_somebody_is_quoted() -> None:
    """And the US is not us."""
    text = "The Philippines condemns the raid by China. We call on China to withdraw its ships."
    assert ("Philippines", "02", "China") in told(text)
    quoted = 'The Philippines condemns the raid by China. "We call on China to withdraw its ships," a fisherman said.'
    assert ("Philippines", "02", "China") not in told(quoted, 0.0)
    assert ("Philippines", "02", "China") not in told(
        "The Philippines left. US calls on China to withdraw its ships.", 0.0
    )


def test_the_leader_of_a_group_speaks_for_it() -> None:
    text = "Houthis attacked Israel. Their leader threatened to attack Egypt."
    assert ("Houthi movement", "13", "Egypt") in told(text)


def test_a_west_african_bloc_is_none_of_the_west() -> None:
    sources = {one[0] for one in told("The West African bloc on Monday condemned Niger.", 0.0)}
    assert "International (the West)" not in sources and sources


def test_a_bloc_is_who_is_named_behind_it() -> None:
    assert {one[0] for one in told("The regional bloc, ECOWAS, warned Niger of sanctions.")} == {
        "Economic Community of West African States"
    }


def test_the_group_is_the_armed_group_named_before_and_no_person() -> None:
    assert ("Hezbollah", "19", "Israel") in told("France condemned Hezbollah. The group attacked Israel.")
    text = "Hezbollah left. Ratko Mladic was blamed. The militia attacked Israel."
    assert {one[0] for one in told(text)} == {"Hezbollah"}


def test_an_army_that_is_only_supposed_to_be_a_countrys_does_nothing_to_it() -> None:
    """The text is about Lebanon; the air force that bombs Lebanon is another's."""
    text = (
        "Lebanon buried its dead. Lebanon mourned. In Lebanon schools closed. The air force bombed Lebanon on Friday."
    )
    assert "19" not in {one[1] for one in told(text, 0.0)}
    assert ("Military (Israel)", "19", "Lebanon") in told("Israel's air force bombed Lebanon on Friday.")
