"""Layout: a description as a page of plain text that reads in a terminal.

In: the data of a `Description`. Out: text. Sentences first, numbers with their ranges, the brink before the details.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from powderkeg.model.wording import both, estimate, span
from powderkeg.scenario import third_person, tie_verb
from powderkeg.wording import number, percent

Data = Mapping[str, Any]

MOST_LISTED = 30
"""Names listed one by one; of more, the first few and how many there are."""


def page(data: Data, width: int) -> str:
    """The whole description."""
    blocks = [_head(data, width), _brink(data, width)]
    if data["name"] is not None:
        blocks += [
            _moves(data, width),
            _mechanisms(data, width),
            _facts(data, width),
            _ties(data, width),
            _gates(data, width),
            _standoffs(data, width),
            _reporting(data, width),
            _asleep(data, width),
            _values(data, width),
        ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of a paragraph; `first` before the first, `rest` before the others. Names and percentages stay whole."""
    lines = textwrap.wrap(
        text.replace(" %", "\0%"),
        width,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace("\0%", " %") for line in lines]


def _item(name: str, text: str, width: int, indent: int = 2, column: int = 22) -> list[str]:
    """A name in the left column and a paragraph in the right; a name too long for it stands on a line of its own."""
    pad = " " * (indent + column)
    label = " " * indent + name
    if len(label) >= len(pad):
        return [label, *_wrapped(text, width, pad)]
    return _wrapped(text, width, label.ljust(len(pad)), pad)


def _names(names: list[str], word: str = "and") -> str:
    if len(names) <= MOST_LISTED:
        return both(names, word)
    return f"{', '.join(names[:10])}, ... ({len(names):,} in all)"


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _estimate(quantity: Data) -> str:
    return estimate(quantity["value"], quantity["low"], quantity["high"], quantity["guess"])


def _span(quantity: Data) -> str:
    return span(quantity["value"], quantity["low"], quantity["high"], quantity["guess"])


def _head(data: Data, width: int) -> list[str]:
    size = data["size"]
    channels, links = _count(size["channels"], "channel"), _count(size["links"], "link")
    if data["name"] is None:
        return [data["title"], "", *_wrapped(f"{channels}, {links} between them.", width)]
    heading = _wrapped(f"{data['title']} ({data['name']})", width)
    lines = [*heading, "=" * max(map(len, heading)), ""]
    if data["about"]:
        lines += [*_wrapped(data["about"], width), ""]
    start = date.fromisoformat(data["start"])
    lasting = f"{number(data['years'])} year{'' if data['years'] == 1 else 's'}"
    text = (
        f"{_count(size['actors'], 'actor')} and {channels}: an act that one of them can do to another. "
        f"{_count(size['mechanisms'], 'mechanism')} say what answers what, over {links} from channel to channel. "
        f"{_count(size['facts'], 'fact')} and {_count(size['ties'], 'tie')} are the state of things. Runs start on "
        f"{start.day} {start:%B %Y} and last {lasting}. A question mark "
        "stands at a guess, brackets hold the range in which a value may lie."
    )
    return [*lines, *_wrapped(text, width)]


def _brink(data: Data, width: int) -> list[str]:
    found = data["stability"]
    at_most = "" if found["method"] == "states" else "at most "
    looked = {
        "states": f"{_count(found['n_states'] or 1, 'reachable state')} looked at",
        "levels": "too many states to list: every combination of the levels that each fact can come to was looked at",
        "bound": "too many states to list: a bound with every gate at its highest",
    }[found["method"]]
    lines = ["HOW NEAR THE BRINK", ""]
    text = f"Branching ratio {found['initial']:.2f} at the start"
    if found["worst"] > found["initial"] + 0.005 or found["method"] != "states":
        text += (
            f", {at_most}{found['worst']:.2f} in the worst state that can come about: {data['departure']} ({looked})."
        )
    else:
        text += f" and never higher ({looked})."
    text += " By that factor each generation of answers differs in number from the one before."
    lines += _wrapped(text, width, "  ")
    if found["worst"] < 1.0:
        text = "Below 1: whatever happens, answers to answers die out."
    elif found["sufficient_bound"] >= 1.0 and found["initial"] < 1.0:
        text = (
            "1 or more: in that state acts set off acts without end, until the state changes. Runs that pass through "
            "it can explode; they are stopped at the event limit, and that is reported."
        )
    else:
        text = "1 or more from the start: runs explode, and are stopped at the event limit, which is reported."
    if found["n_critical"]:
        text += f" {found['n_critical']:,} of the states are at 1 or above."
    elif found["n_near"]:
        text += f" {found['n_near']:,} of the states are at 0.9 or above: runs may be long there."
    lines += _wrapped(text, width, "  ")
    shares = [(one["path"].removeprefix("mechanisms."), one["share"]) for one in found["drivers"]]
    if shares:
        shown = [f"{name} {percent(share)}" for name, share in shares[:6]]
        left = 1.0 - sum(share for _, share in shares[:6])
        rest = f", {len(shares) - 6} others {percent(left)}" if len(shares) > 6 else ""
        lines += _wrapped(f"What carries it there: {', '.join(shown)}{rest}.", width, "  ")
    return [*lines, *_wrapped("Only mechanisms count: facts that run out and policies are no answers.", width, "  ")]


def _moves(data: Data, width: int) -> list[str]:
    titles = {actor["name"]: actor["title"] for actor in data["actors"]}
    classes = sorted({group for actor in data["actors"] for group in actor["classes"]})
    lines = ["WHO DOES WHAT", ""]
    for group in classes:
        members = [actor["name"] for actor in data["actors"] if group in actor["classes"]]
        lines += _wrapped(f"{group} stands for {_names(members, 'or')}.", width, "  ")
    if classes:
        lines.append("")
    groups: dict[tuple[str, ...], list[Data]] = {}
    for move in data["moves"]:
        groups.setdefault(tuple(move["who"]), []).append(move)
    for who, moves in groups.items():
        name = "anyone" if who == ("any",) else _names(list(who))
        title = titles.get(who[0], "") if len(who) == 1 else ""
        lines += _wrapped(f"{name}: {title}" if title else name, width, "  ")
        for move in moves:
            lines += _item(move["name"], _move(move), width, indent=4)
        lines.append("")
    return lines[:-1]


def _move(move: Data) -> str:
    target = "anyone" if move["to"] == ["any"] else _names(move["to"], "or")
    pace = "only in answer"
    if move["rate_per_year"]["value"] > 0.0:
        pace = f"{_estimate(move['rate_per_year'])} a year unprovoked"
        if move["channels"] > 1:
            pace = f"{move['channels']:,} pairs, each {pace}"
        if move["varies"]:
            pace += f", times {move['varies']}"
        pace += _of_pairs(move)
    parts = [f"{third_person(move['does'])} {target}: {pace}"]
    if move["given"]:
        parts.append(f"given {both(move['given'])}")
    if move["only"]:
        parts.append(move["only"])
    text = ", ".join(parts)
    if move["effects"]:
        text += f"; {move['effects']}"
    if move["deaths"] is not None:
        dead = move["deaths"]
        text += f"; in {percent(1.0 - dead['none'])} people die, then {number(dead['mean_if_any'])} on average"
        text += f" (one act in 100 kills more than {dead['one_in_100']:,.0f})"
    elif move["hurts"] != "none":
        text += f"; {'people die' if move['hurts'] == 'death' else 'people are hurt'}"
    return f"{text}. Cannot happen as things stand." if not move["can_happen"] else f"{text}."


def _of_pairs(move: Data) -> str:
    """What single pairs of a move have in place of its rate and profile."""
    text = ""
    if move["times"]:
        pairs = [f"{one['who']} to {one['to']} {_estimate(one)} times that" for one in move["times"]]
        text += f", but {_names(pairs)}"
    if move["follows"]:
        pairs = [f"{one['who']} to {one['to']} times {one['profile']}" for one in move["follows"]]
        text += f"; {_names(pairs)}"
    return text


def _mechanisms(data: Data, width: int) -> list[str]:
    if not data["mechanisms"]:
        return []
    lines = ["WHAT ANSWERS WHAT", ""]
    for one in data["mechanisms"]:
        lines += _item(one["name"], _mechanism(one), width)
    return lines


def _mechanism(one: Data) -> str:
    text = f"When {one['when']}"
    if one["given"]:
        text += f", given {both(one['given'])}"
    text += f": {_ways(one['then'])}. {_estimate(one['answers'])} answers"
    lives = one["half_lives"]
    if one["build_up"] > 0.0:
        text += f", which die away by half within {_span(lives[0])}"
        text += f" and take {percent(one['build_up'])} as long to build up"
    elif len(lives) == 1:
        text += f", half of them within {_span(lives[0])}"
    else:
        speeds = [f"{percent(life['share'])} with half-life {_span(life)}" for life in lives]
        text += f", {both(speeds)}"
    if one["only"]:
        text += f", {one['only']}"
    if one["gates"]:
        text += f"; scaled by {both(one['gates'])}"
    text += f". {_count(one['pairs'], 'channel pair')}."
    return text if one["can_happen"] else f"{text} Cannot happen as things stand."


def _ways(then: Sequence[Data]) -> str:
    """The answers with their shares; an actor who stands before is not named again."""
    said, before = [], ""
    for way in then:
        subject, _, rest = way["act"].partition(" ")
        words = rest if subject == before else way["act"]
        said.append(words if len(then) == 1 else f"{words} ({percent(way['share'])})")
        before = subject
    return both(said, "or")


def _facts(data: Data, width: int) -> list[str]:
    if not data["facts"]:
        return []
    lines = ["WHAT IS THE CASE", ""]
    for fact in data["facts"]:
        lines += _item(fact["name"], _fact(fact), width)
    return lines


def _fact(fact: Data) -> str:
    levels = fact["levels"]
    parts = [fact["title"][:1].upper() + fact["title"][1:]] if fact["title"] else []
    if levels != ["off", "on"]:
        parts.append(f"Levels {both(levels)}")
    if fact["starts"] != levels[0]:
        parts.append(f"{fact['starts'].capitalize()} at the start")
    if fact["comes_per_year"] is not None:
        parts.append(f"Comes by itself {_estimate(fact['comes_per_year'])} times a year")
    for level in levels[1:]:
        if fact["changed_by"][level]:
            parts.append(f"{'Set' if len(levels) == 2 else f'Put to {level}'} by {_names(fact['changed_by'][level])}")
    if fact["changed_by"][levels[0]]:
        parts.append(f"Cleared by {_names(fact['changed_by'][levels[0]])}")
    if fact["lasts"] is not None:
        how = ", counted anew whenever it is set" if fact["exactly"] else " on average"
        parts.append(f"Lasts {_span(fact['lasts'])}{how}")
    matters = [path.partition(".")[2] for path in fact["read_by"] if not path.startswith("outcomes.")]
    if matters:
        parts.append(f"Matters to {_names(matters)}")
    return f"{'. '.join(parts)}." if parts else "Nothing sets it, nothing asks for it."


def _ties(data: Data, width: int) -> list[str]:
    if not data["ties"]:
        return []
    lines = ["TIES", ""]
    for one in data["ties"][:MOST_LISTED]:
        text = f"{one['from']} {tie_verb(one['kind'])} {one['to']}{'' if one['holds'] else ': not at the start'}"
        changed = [*one["changed_by"]["holds"], *one["changed_by"]["absent"]]
        text += f"; changed by {_names(changed)}." if changed else "."
        lines += _item(one["name"], text, width)
    if len(data["ties"]) > MOST_LISTED:
        lines.append(f"  ... and {len(data['ties']) - MOST_LISTED:,} more")
    return lines


def _gates(data: Data, width: int) -> list[str]:
    if not (data["gates"] or data["calms"] or data["profiles"] or data["covariates"]):
        return []
    lines = ["WHAT QUICKENS AND SLOWS", ""]
    for gate in data["gates"]:
        parts = [_names(gate["moves"])] if gate["moves"] else []
        if gate["background"]:
            parts.append(f"{_names(gate['background'])} when unprovoked")
        if gate["mechanisms"]:
            parts.append(f"answers by {_names(gate['mechanisms'])}")
        factor = gate["factor"]
        times = "never" if factor["value"] == 0 else f"{_estimate(factor)} times as often"
        when = f"While {gate['while']}" if gate["while"] is not None else f"With each unit of {gate['with']}"
        lines += _item(gate["name"], f"{when}, {times}: {both(parts)}.", width)
    for calm in data["calms"]:
        factor = number(round(calm["factor_after_one"], 2))
        text = f"After {_names(calm['after'], 'or')}, {factor} times as often"
        text += f", half of it gone within {_span(calm['half_life'])}: {_names(calm['lowers'])}."
        lines += _item(calm["name"], text, width)
    for one in data["covariates"]:
        many = len(one["values"]) + len(one["spans"])
        until = f", known until {one['known_until']}" if one["known_until"] else ""
        read = f"read by {_names(one['read_by'])}" if one["read_by"] else "which no gate reads"
        lines += _item(one["name"], f"A course of {many} dates and spans{until}, {read}.", width)
    for profile in data["profiles"]:
        lines += _item(profile["name"], _profile(profile), width)
    return lines


def _profile(profile: Data) -> str:
    parts = [f"times {_estimate(step)} from {step['from']}" for step in profile["steps"]]
    if profile["season"] is not None:
        peak = date(2000, *profile["season"]["peak"])
        swing = percent(profile["season"]["swing"]["value"])
        parts.append(f"up and down by {swing} over the year with its peak on {peak.day} {peak:%B}")
    moves = _names(profile["moves"]) if profile["moves"] else "nothing"
    text = f"{', '.join(parts)}: {moves}, when unprovoked."
    return text[:1].upper() + text[1:]


def _reporting(data: Data, width: int) -> list[str]:
    if not data["reporting"]:
        return []
    lines = ["WHAT SOURCES SHOW OF IT", ""]
    for one in data["reporting"]:
        parts = [f"{day.capitalize()}s {percent(share['value'])}" for day, share in one["weekday"].items()]
        if one["holidays"] is not None:
            whose = f"of {one['holidays']['country']}" if one["holidays"]["country"] else "named by day"
            parts.append(f"holidays {whose} {percent(one['holidays']['share']['value'])}")
        for key, words in (("breaks", "its level"), ("coverage", "its volume")):
            if one[key]:
                parts.append(f"{words} changes on {len(one[key]) - 1} days after {one[key][0]['from']}")
        parts += [f"{percent(share['value'])} of '{act}'" for act, share in one["detection"].items()]
        if one["batches"] is not None:
            parts.append(f"{percent(one['batches']['value'])} of reports tell an act once more")
        lines += _item(one["name"], f"Of a usual day's acts, so seen: {', '.join(parts)}.", width)
    return lines


def _standoffs(data: Data, width: int) -> list[str]:
    one = data["standoffs"]
    among = f"between {both(one['among'])}" if one["among"] else "between any two actors"
    text = (
        f"Hostile acts {among} add heat, which falls to 37 % in {span(one['memory'])}. A standoff opens at heat "
        f"{number(one['opens_at'])} and closes below {number(one['closes_at'])}."
    )
    for key, words in (
        ("opened_by", "Something new is put on the table by"),
        ("resolved_by", "It is resolved by"),
        ("suspended_by", "It is suspended by"),
    ):
        if one[key]:
            text += f" {words} {_names(one[key], 'or')}."
    text += f" One that nothing ended runs on into the next within {span(one['chained_within'])}."
    return ["WHAT COUNTS AS A STANDOFF", "", *_wrapped(text, width, "  ")]


def _asleep(data: Data, width: int) -> list[str]:
    asleep, lines = data["asleep"], []
    for key, verb in (("moves", "happen"), ("mechanisms", "act")):
        for one in asleep[key]:
            why = f"waits until {both(one['waits_for'])}" if one["waits_for"] else f"nothing lets it {verb}"
            lines += _item(one["name"], f"{key[:-1].capitalize()}: {why}.", width)
    for key, words in (
        ("facts_nothing_changes", "Facts that nothing changes"),
        ("facts_nothing_reads", "Facts that nothing asks for"),
    ):
        if asleep[key]:
            lines += _wrapped(f"{words}: {_names(asleep[key])}.", width, "  ", "    ")
    head = "ASLEEP: nothing in the scenario wakes these, but an edit or an intervention can"
    return [*_wrapped(head, width), "", *lines] if lines else []


def _values(data: Data, width: int) -> list[str]:
    values = data["values"]
    share = percent(values["guesses"] / max(values["total"], 1))
    text = f"{_count(values['total'], 'value')}, {values['guesses']:,} of them guesses ({share}), "
    text += f"{values['with_range']:,} with a range"
    text += f", {values['without_source']:,} without a source." if values["without_source"] else "."
    lines = ["WHERE THE NUMBERS COME FROM", "", *_wrapped(text, width, "  ")]
    for source in values["sources"]:
        lines += _item(source["name"], f"{source['title']} ({_count(source['values'], 'value')})", width)
    return lines
