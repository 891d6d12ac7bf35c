"""Scenarios made of several files: what is taken, what may be said over it, and every way in which it is refused."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from powderkeg.errors import ScenarioError
from powderkeg.scenario import dump, load, loads, resolve, schema
from powderkeg.scenario.composing import MOST_FILES

HEAD = "powderkeg: 1\nname: {}\nstart: 2020-01-01\n"
RIVER = HEAD.format("river") + (
    "actors: {a: {title: A}, b: {}}\nacts: {threaten: {tone: hostile}}\n"
    "facts: {heat: {title: hot}}\n"
    "moves: {a_threatens: {who: a, does: threaten, to: b, rate: 1 per year, sets: [heat]}}\n"
    "standoffs: {opens_at: 5}\n"
)
HILL = HEAD.format("hill") + (
    "actors: {a: {about: the same A}, c: {}}\nacts: {threaten: {tone: hostile}}\n"
    "moves: {c_threatens: {who: c, does: threaten, to: a, rate: 2 per year}}\n"
    "standoffs: {opens_at: 5}\n"
)
BOTH = HEAD.format("both") + "includes: [river.yaml, hill.yaml]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "river.yaml").write_text(RIVER)
    (tmp_path / "hill.yaml").write_text(HILL)
    return tmp_path


def written(folder: Path, text: str, name: str = "both.yaml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def message(folder: Path, text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        load(written(folder, text))
    return str(caught.value).replace(f"{folder}/", "")


def test_items_of_all_files_stand_together_and_equal_ones_once(folder: Path) -> None:
    both = load(written(folder, BOTH))
    assert (both.name, list(both.actors), list(both.moves)) == ("both", ["a", "b", "c"], ["a_threatens", "c_threatens"])
    assert both.standoffs.opens_at.value == 5


def test_what_one_file_leaves_open_of_an_actor_the_other_may_tell(folder: Path) -> None:
    actor = load(written(folder, BOTH)).actors["a"]
    assert (actor.title, actor.about) == ("A", "the same A")


def test_what_the_including_file_says_holds_field_by_field(folder: Path) -> None:
    both = load(written(folder, BOTH + "moves: {a_threatens: {rate: 3 per year}}\nstandoffs: {opens_at: 7}\n"))
    assert both.moves["a_threatens"].rate.value == pytest.approx(3 / 365.25)
    assert both.moves["a_threatens"].effects[0].fact == "heat"
    assert both.standoffs.opens_at.value == 7


def test_a_composed_scenario_is_a_scenario_like_any_other(folder: Path) -> None:
    both = load(written(folder, BOTH))
    assert loads(dump(both)) == both
    assert resolve(resolve(both)) == resolve(both)
    assert "includes" not in resolve(both)


def test_composed_files_may_be_composed(folder: Path) -> None:
    written(folder, BOTH, "inner.yaml")
    outer = load(written(folder, HEAD.format("outer") + "includes: inner.yaml\n", "outer.yaml"))
    assert list(outer.moves) == ["a_threatens", "c_threatens"]


def test_files_that_disagree_are_named_with_the_place_of_each_quarrel(folder: Path) -> None:
    written(folder, HILL.replace("tone: hostile", "tone: neutral").replace("opens_at: 5", "opens_at: 6"), "hill.yaml")
    assert message(folder, BOTH) == (
        "both.yaml:4: acts.threaten.tone: river.yaml and hill.yaml disagree\n"
        "    expected the same in both, or given in this file\n"
        "both.yaml:4: standoffs.opens_at: river.yaml and hill.yaml disagree\n"
        "    expected the same in both, or given in this file\n"
        "2 faults; nothing was run."
    )
    mended = load(written(folder, BOTH + "acts: {threaten: {tone: neutral}}\nstandoffs: {opens_at: 6}\n"))
    assert mended.acts["threaten"].tone == "neutral"


def test_a_field_that_only_one_file_gives_is_a_quarrel_except_for_actors(folder: Path) -> None:
    written(folder, HILL.replace("tone: hostile", "tone: hostile, heat: 2"), "hill.yaml")
    assert "acts.threaten.heat: river.yaml and hill.yaml disagree" in message(folder, BOTH)


def test_faults_of_an_included_file_are_told_under_its_own_name_and_line(folder: Path) -> None:
    written(folder, HILL.replace("to: a,", "to: nobody,"), "hill.yaml")
    assert message(folder, BOTH).startswith("hill.yaml:6: moves.c_threatens.to: ")


def test_a_channel_that_two_files_define_under_two_names_is_found(folder: Path) -> None:
    written(folder, HILL + "ties: {}\n" + "about: x\n", "hill.yaml")
    text = BOTH + "moves: {again: {who: c, does: threaten, to: a}}\n"
    assert "moves.again" in message(folder, text)


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("../hill.yaml", "not a file beside this one"),
        ("/etc/passwd.yaml", "not a file beside this one"),
        ("sub/hill.yaml", "not a file beside this one"),
        (".hidden.yaml", "not a file beside this one"),
        ("nowhere.yaml", "no file 'nowhere.yaml' beside this one"),
        ("rivers", "no built-in scenario 'rivers'"),
        ("river.yaml, river.yaml", "'river.yaml' twice"),
        ("{a: b}", "a mapping"),
        ("''", "no built-in scenario ''"),
        ("both.yaml", "both.yaml includes itself"),
    ],
)
def test_nothing_else_is_opened(folder: Path, entry: str, found: str) -> None:
    assert found in message(folder, HEAD.format("both") + f"includes: [{entry}]\n")


def test_a_circle_is_refused_whoever_is_asked_first(folder: Path) -> None:
    written(folder, HEAD.format("one") + "includes: [two.yaml]\n", "one.yaml")
    written(folder, HEAD.format("two") + "includes: [one.yaml]\n", "two.yaml")
    for name in ("one.yaml", "two.yaml"):
        with pytest.raises(ScenarioError, match=f"{name} includes itself"):
            load(folder / name)


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.yaml"
    elsewhere.write_text(HILL)
    (folder / "link.yaml").symlink_to(elsewhere)
    assert "a link that leads out of its folder" in message(folder, HEAD.format("both") + "includes: [link.yaml]\n")


def test_a_text_without_a_place_may_include_built_in_scenarios_only() -> None:
    with pytest.raises(ScenarioError, match="has no folder"):
        loads(BOTH)
    made = loads(HEAD.format("mine") + "includes: north-kosovo\n")
    assert made.moves == load("north-kosovo").moves
    assert made.name == "mine"


def test_the_number_of_files_is_limited_over_all_levels(folder: Path) -> None:
    """Files that include two others each would otherwise double with every level."""
    for level in range(MOST_FILES):
        inside = "river.yaml" if level == 0 else f"a{level - 1}.yaml, b{level - 1}.yaml"
        for letter in "ab":
            written(folder, HEAD.format(letter) + f"includes: [{inside}]\n", f"{letter}{level}.yaml")
    with pytest.raises(ScenarioError, match=f"more than {MOST_FILES} files"):
        load(folder / f"a{MOST_FILES - 1}.yaml")


def test_the_schema_knows_files_that_include_others() -> None:
    validator = jsonschema.Draft202012Validator(schema())
    core = {"powderkeg": 1, "name": "both", "start": "2020-01-01"}
    assert validator.is_valid({**core, "includes": ["north-kosovo"], "moves": {"bars_goods": {"rate": "1 per year"}}})
    assert not validator.is_valid({**core, "includes": ["north-kosovo"], "move": {}})
    assert not validator.is_valid({**core, "includes": [{}]})
    assert not validator.is_valid(core)


# --- The built-in scenario of two theatres


def test_two_theatres_share_one_russia_and_one_nato_and_copy_nothing() -> None:
    both, south, east = (load(name) for name in ("two-theatres", "north-kosovo", "nato-russia-ukraine"))
    assert set(both.actors) == set(south.actors) | set(east.actors)
    assert {"russia", "nato"} <= set(south.actors) & set(east.actors)
    assert set(both.moves) - set(south.moves) - set(east.moves) == {"russia_encourages"}
    assert set(south.mechanisms) | set(east.mechanisms) < set(both.mechanisms)
    for name, mechanism in [*south.mechanisms.items(), *east.mechanisms.items()]:
        assert both.mechanisms[name] == mechanism
    assert both.actors["russia"].match == south.actors["russia"].match
