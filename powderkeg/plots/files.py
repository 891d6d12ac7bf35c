"""A chart as a file, or as SVG to put into a page.

In: charts of this package. Out: SVG, PNG, PDF, HTML or JSON. No network: the Vega libraries are inside vl-convert.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from powderkeg.errors import Fault, PowderkegError, UsageError
from powderkeg.plots.names import cut_names
from powderkeg.plots.slim import slim
from powderkeg.wording import isolated
from powderkeg.writing.apart import DrawerApart
from powderkeg.writing.files import write_whole

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"

DRAWN = frozenset(
    ("svg", "g", "path", "rect", "circle", "line", "text", "tspan", "defs", "clipPath", "linearGradient", "stop",
     "title", "desc")
)  # fmt: skip
"""Elements a figure is made of. Anything else (a script, a link, an outside picture) is an error of ours."""

SILENT = ("axis", "legend", "title", "group mark container")
"""What Vega describes to screen readers but is plain to see: no hover text."""

FORMATS = ("svg", "png", "pdf", "html", "json")
ROOM = 72_000_000 * 1024
"""Bytes of address space that drawing reserves: 64 GB was too little for vl-convert 1.8, 69 GB enough."""
PNG_DOTS = 2.0
"""Dots a pixel: sharp on paper."""


def save(chart: Any, path: str | Path) -> Path:
    """Write a chart in the format its name ends in: svg, png, pdf, html (works offline) or json (Vega-Lite).

    A file that is there is replaced when the new one is whole. Raises UsageError if the name ends in anything else or
    is that of no plain file, DiskError if the disk is full.
    """
    path = Path(path)
    form = path.suffix.lower().lstrip(".")
    if form not in FORMATS:
        raise UsageError(Fault(str(path), None, "", f"format {form!r}", f"a name that ends in {', '.join(FORMATS)}"))
    if form != "json":
        _must_have_room()
    content = _content(chart, form)
    write_whole(path, lambda passing: passing.write_bytes(content))
    return path


def _content(chart: Any, form: str) -> bytes:
    """The bytes of a file of this format."""
    spec = cut_names(_spec(chart))
    if form == "json":
        return json.dumps(spec).encode()
    vl_convert = _drawer()
    if form == "svg":
        return svg(chart).encode()
    if form == "png":
        return bytes(vl_convert.vegalite_to_png(spec, scale=PNG_DOTS))
    if form == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(spec))
    return str(vl_convert.vegalite_to_html(spec, bundle=True)).encode()


def _drawer() -> Any:
    """The library that draws. It is the heaviest that nothing else needs, so some installations leave it out."""
    try:
        import vl_convert
    except ImportError as error:
        expected = "pip install vl-convert-python; figures as .json and everything but drawing work without it"
        raise UsageError(Fault.at("figure", "vl-convert is not installed", expected)) from error
    return vl_convert


def svg(chart: Any, name: str = "", label: str = "", apart: DrawerApart | None = None) -> str:
    """A chart as SVG text, each mark with a hover text; fit to stand in an HTML page beside others.

    name   put before every id in the picture, so that two pictures of one page do not share a clip path
    label  what the picture shows, for those who cannot see it; by default its title and subtitle
    apart  draws in a process of its own
    """
    spec = _spec(chart)
    return _picture(cut_names(spec), name, label or described(spec), apart)


def svgs(chart: Any, name: str = "", label: str = "", apart: DrawerApart | None = None) -> str:
    """A chart for a page that is read on large and on small screens: its SVG, and where it has one that for small ones
    beside it, in boxes of the classes broad and slim. Arguments as of `svg`."""
    spec = _spec(chart)
    label = label or described(spec)
    small = slim(spec)
    broad = _picture(cut_names(spec), name, label, apart)
    if small is None:
        return broad
    narrow = _picture(cut_names(small), f"slim-{name}", label, apart)
    return f'<div class="broad">{broad}</div><div class="slim">{narrow}</div>'


def _picture(spec: dict[str, Any], name: str, label: str, apart: DrawerApart | None) -> str:
    drawn = None if apart is None else apart(spec)
    if drawn is None:
        vl_convert = _drawer()
        _must_have_room()
        drawn = vl_convert.vegalite_to_svg(spec)
    root = ElementTree.fromstring(drawn)
    parts = list(root.iter())
    for parent in parts:
        tag = parent.tag.removeprefix(f"{{{SVG}}}")
        if tag not in DRAWN:
            raise ValueError(f"a figure holds an element that does not belong there: {tag}")
        parent.text = isolated(parent.text or "") or None
        hint = parent.get("aria-label")
        if hint and parent.get("aria-roledescription") not in SILENT:
            hover = ElementTree.Element(f"{{{SVG}}}title")
            hover.text = isolated(hint)
            parent.insert(0, hover)
        for key, value in list(parent.attrib.items()):
            if key == "id":
                parent.set(key, name + value)
            elif "url(#" in value:
                parent.set(key, value.replace("url(#", f"url(#{name}"))
            elif key.startswith((f"{{{XLINK}}}", "on", "href")):
                raise ValueError(f"a figure holds an attribute that does not belong there: {key}")
        # To readers of the page the figure is one picture with one description; its parts have hover texts.
        for key in [key for key in parent.attrib if key == "role" or key.startswith("aria-")]:
            del parent.attrib[key]
    root.set("role", "img")
    root.set("aria-label", isolated(label))
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode")


def described(spec: dict[str, Any]) -> str:
    """The words that stand above a chart."""
    head = spec.get("title") or ""
    lines = [head] if isinstance(head, str) else [head.get("text", ""), *head.get("subtitle", [])]
    return " ".join(f"{line}." if line[-1:].isalnum() else line for line in map(_one_line, lines) if line)


def _one_line(text: str | list[str]) -> str:
    return text if isinstance(text, str) else " ".join(text)


def _must_have_room() -> None:
    """Raises PowderkegError where a limit on address space would end the process: V8 in vl-convert gives no error."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    most = resource.getrlimit(resource.RLIMIT_AS)[0] if hasattr(resource, "RLIMIT_AS") else resource.RLIM_INFINITY
    if most not in (resource.RLIM_INFINITY, -1) and most < ROOM:
        raise PowderkegError(
            Fault.at(
                "figures", f"a limit of {most / 2**30:.3g} GB on address space (ulimit -v)",
                f"{ROOM / 2**30:.3g} GB or no limit: what draws them reserves that much, and uses little of it",
            ),
            "no figure was drawn",
        )  # fmt: skip


def _spec(chart: Any) -> dict[str, Any]:
    """The chart as Vega-Lite. Its parts were checked against the schema as they were made; again costs as much."""
    spec: dict[str, Any] = chart.to_dict(validate=False)
    return spec
