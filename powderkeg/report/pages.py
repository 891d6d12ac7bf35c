"""The templates of pages: one environment, which escapes everything, for all of them.

In: nothing. Out: a Jinja environment over the templates of this folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from powderkeg.wording import counted, in_years

if TYPE_CHECKING:
    from jinja2 import Environment, Template

FOLDER = Path(__file__).parent


def environment() -> Environment:
    """A new environment: what a page prints is escaped, and a name that is not there is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    made.filters["in_years"] = in_years
    made.globals["counted"] = counted
    return made


def template(name: str) -> Template:
    """The template `name`, in an environment of its own."""
    return environment().get_template(name)
