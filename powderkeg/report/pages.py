"""The templates of pages: one environment, which escapes everything, for all of them.

In: nothing. Out: a Jinja environment over the templates of this folder. What a page says is settled when it is whole:
numbers keep their units, and names that run from right to left turn nothing round. What can be typed or opened (`pre`,
`code`, `samp`) stays as it is, letter by letter, and figures are settled where they are drawn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape, unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from powderkeg.wording import LEFTWARD, NO_BREAK, TURNS, UNIT, counted, in_years, isolated, signed, unbroken

if TYPE_CHECKING:
    from jinja2 import Environment, Template

FOLDER = Path(__file__).parent
NO_WORDS = re.compile(r"<(pre|code|samp|style|svg)\b.*?</\1>|<[^>]*>", re.DOTALL)
"""Tags, and elements whose text stays as it is."""
MARKED = re.compile(rf"(?<=\d)(</(?:b|strong|em|small)>) (?={UNIT})")
"""A number that stands out, and its unit."""
ASKS = re.compile(f"[{LEFTWARD}]|{TURNS.pattern}")


def settled(page: str) -> str:
    """A page whose lines break and run as they should."""
    made, end = [], 0
    for part in NO_WORDS.finditer(page):
        made += [_settled_words(page[end : part.start()]), part[0]]
        end = part.end()
    return MARKED.sub(rf"\1{NO_BREAK}", "".join([*made, _settled_words(page[end:])]))


def _settled_words(text: str) -> str:
    turned = escape(isolated(unescape(text))) if ASKS.search(text) else text
    return unbroken(turned)


def environment() -> Environment:
    """A new environment: what a page prints is escaped, and a name that is not there is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

    class Page(Template):
        """A template that gives settled pages."""

        def render(self, *args: Any, **told: Any) -> str:
            return settled(super().render(*args, **told))

    made = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    made.template_class = Page
    made.filters["in_years"] = in_years
    made.filters["signed"] = signed
    made.globals["counted"] = counted
    return made


def template(name: str) -> Template:
    """The template `name`, in an environment of its own."""
    return environment().get_template(name)


def unlisted(most: int, rows: int, file: str, files: Sequence[str]) -> str:
    """What a table of the first `most` rows leaves out, and the file beside the page that has it; "" for nothing."""
    beside = f"; {file} has all" if file in files else ""
    return f"The first {most} of {rows:,}{beside}." if rows > most else ""
