"""Make a site of the pages in docs/: `python docs/build.py site`.

In: docs/*.md and docs/img/. Out: HTML pages that need no script and no network. The order is that of the links in
docs/index.md; a page that is not linked there, and a link that leads nowhere, stop the build.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

DOCS = Path(__file__).parent
CHECKOUT = DOCS.parent
FORMATTER = HtmlFormatter(nowrap=True, style="default")


def build(site: Path) -> list[str]:
    """Write the site; return what is wrong with the pages, one line each."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    order = ["index.md", *dict.fromkeys(re.findall(r"\]\(([a-z0-9-]+\.md)\)", index))]
    wrong = [f"index.md: no link to {path.name}" for path in sorted(DOCS.glob("*.md")) if path.name not in order]
    texts = {name: (DOCS / name).read_text(encoding="utf-8") for name in order if (DOCS / name).is_file()}
    pages = {name: render(text) for name, text in texts.items()}
    anchors = {name: set(re.findall(r' id="([^"]*)"', body)) for name, (_, body) in pages.items()}
    for name, (_, body) in pages.items():
        wrong += [f"{name}: {fault}" for fault in broken_links(name, body, anchors)]
    template = Environment(
        loader=FileSystemLoader(DOCS), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("page.html")
    contents = [(html_name(name), title) for name, (title, _) in pages.items()]
    site.mkdir(parents=True, exist_ok=True)
    for name, (title, body) in pages.items():
        text = template.render(
            title=title,
            body=Markup(to_html_links(body)),
            here=html_name(name),
            contents=contents,
            colours=Markup(FORMATTER.get_style_defs(".code")),
        )
        (site / html_name(name)).write_text(text, encoding="utf-8")
    shutil.copytree(
        DOCS / "img", site / "img", dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    return wrong


def render(text: str) -> tuple[str, str]:
    """The title and the body of a page; headings get ids as GitHub makes them."""
    parser = MarkdownIt("commonmark", {"highlight": coloured}).enable(["table", "strikethrough"])
    tokens = parser.parse(text)
    title = ""
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inline.children or ())
            title = title or words
            opening.attrSet("id", re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-"))
    return title, str(parser.renderer.render(_scrolling(tokens), parser.options, {}))


def _scrolling(tokens: Iterable[Token]) -> list[Token]:
    """Wide tables scroll in themselves."""
    found = []
    for token in tokens:
        if token.type == "table_open":
            found.append(Token("html_block", "", 0, content='<div class="wide">\n'))
        found.append(token)
        if token.type == "table_close":
            found.append(Token("html_block", "", 0, content="</div>\n"))
    return found


def coloured(code: str, language: str, _: Any) -> str:
    """Code in colours, if the language is known."""
    try:
        lexer = get_lexer_by_name(language or "text")
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    return f'<pre class="code"><code>{highlight(code, lexer, FORMATTER)}</code></pre>'


def broken_links(name: str, body: str, anchors: dict[str, set[str]]) -> list[str]:
    """Links to pages, headings, files of the repository and pictures that are not there."""
    wrong = []
    for link in re.findall(r'(?:href|src)="([^"]*)"', body):
        if re.match(r"(https?|mailto):", link):
            continue
        page, _, anchor = link.partition("#")
        target = page or name
        if target in anchors:
            if anchor and anchor not in anchors[target]:
                wrong.append(f"no heading for the link {link}")
        elif not (DOCS / page).exists():
            wrong.append(f"the link {link} leads nowhere")
    return wrong


def html_name(name: str) -> str:
    return name.removesuffix(".md") + ".html"


def to_html_links(body: str) -> str:
    """Links between pages as they are called in the site."""
    return re.sub(r'href="([a-z0-9-]+)\.md(#[^"]*)?"', r'href="\1.html\2"', body)


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
    faults = build(place)
    print("\n".join(faults) if faults else f"{place / 'index.html'}")
    sys.exit(1 if faults else 0)
