"""How lines of pages run: numbers keep their units, and names from right to left turn no numbers round."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from powderkeg.plots import svg
from powderkeg.plots.theme import chart_of, figure
from powderkeg.report.pages import settled
from powderkeg.wording import isolated, unbroken

PATRON = "الراعي العظيم"
KEPT = f"\u2068{PATRON}\u2069"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("98 % of 30 days", "98\u00a0% of 30\u00a0days"),
        ("3? [2 to 5] days", "3? [2 to 5]\u00a0days"),
        ("1 day, 1 daylight", "1\u00a0day, 1 daylight"),
        ("in 1 of 4 runs", "in 1 of 4 runs"),
    ],
)
def test_a_number_keeps_its_unit(said: str, expected: str) -> None:
    assert unbroken(said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"by {PATRON}: 98 %", f"by {KEPT}: 98 %"),
        (f"{PATRON} 2, {PATRON}", f"\u2068{PATRON} 2, {PATRON}\u2069"),
        ("שלום and مضيق", "\u2068שלום\u2069 and \u2068مضيق\u2069"),
        ("north \u202eand south\u2066", "north and south"),
        ("no such letters", "no such letters"),
    ],
)
def test_what_runs_to_the_left_is_kept_to_itself(said: str, expected: str) -> None:
    assert isolated(said) == expected


def test_a_hostile_title_takes_no_long_time() -> None:
    assert isolated("م" + "'0 _&;" * 20_000 + "a").startswith("\u2068م\u2069'0")


def test_a_page_is_settled_but_for_what_is_typed() -> None:
    page = (
        f'<p title="30 days">{PATRON} &amp; &lt;b&gt; {PATRON}: <b>98</b> % of 30 days</p>'
        f"<pre>--set lasts='30 days' {PATRON}</pre><td><samp>30 days.csv</samp></td>"
    )
    assert settled(page) == (
        f'<p title="30 days">\u2068{PATRON} &amp; &lt;\u2069b&gt; {KEPT}: <b>98</b>\u00a0% of 30\u00a0days</p>'
        f"<pre>--set lasts='30 days' {PATRON}</pre><td><samp>30 days.csv</samp></td>"
    ).replace(f"\u2068{PATRON} &amp; &lt;\u2069b", f"{KEPT} &amp; &lt;b")


def test_figures_keep_names_to_themselves_and_units_to_their_numbers() -> None:
    marks = chart_of([{"at": 1, "name": f"{PATRON} 98 %"}]).mark_text().encode(text="name:N")
    drawn = svg(figure(marks, title="Who", subtitle=[f"{'word ' * 23}30 days of it"], height=40))
    texts = [one.text or "" for one in ElementTree.fromstring(drawn).iter() if one.text]
    assert f"{KEPT} 98 %" in texts
    assert any("30\u00a0days" in text for text in texts)
