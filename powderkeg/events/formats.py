"""Which format is this file in, and where in it does each thing stand?

In: the first bytes of a member. Out: a `Layout`: how to cut the text into fields, and which column holds the date, the
two actors, the code and the rest. A format is declared once, below, as data.

Sources: the data sets' own column lists. GDELT files have no header: 57 columns before April 2013, 58 after (the
address is the last), 61 in GDELT 2.0. POLECAT weekly files are known to carry excess column names, or excess empty
columns, in some weeks (A. Beger, POLECAT event data, 2024): the header is set aside then, the published order stands.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from powderkeg.errors import Fault, nearest_name
from powderkeg.events.codes import likeliest_book
from powderkeg.events.files import FileFault
from powderkeg.events.preamble import is_quoted
from powderkeg.events.times import TIME_FORMS, likeliest_form

POLECAT_COLUMNS = (
    "Event ID", "Event Date", "Event Type", "Event Mode", "Intensity", "Quad Code", "Contexts", "Actor Name",
    "Actor Country", "Actor COW", "Primary Actor Sector", "Actor Sectors", "Actor Title", "Actor Name Raw",
    "Wikipedia Actor ID", "Recipient Name", "Recipient Country", "Recipient COW", "Primary Recipient Sector",
    "Recipient Sectors", "Recipient Title", "Recipient Name Raw", "Wikipedia Recipient ID", "Placename", "City",
    "District", "Province", "Country", "Latitude", "Longitude", "GeoNames ID", "Raw Placename", "Feature Type",
    "Source", "Publication Date", "Story People", "Story Organizations", "Story Locations", "Language", "Version",
)  # fmt: skip

FIELDS = (
    "time", "source", "target", "code", "act", "mode", "coarse", "event_id", "source_name", "target_name",
    "source_country", "target_country", "source_sectors", "target_sectors", "goldstein", "tone", "deaths",
    "until", "precision", "reported",
)  # fmt: skip
"""What a column may be mapped to. `mode` is appended to the code, `coarse` stands in where the code is empty; `until`
is the last day on which the event may have happened, `precision` says so by ACLED's number, `reported` is the day it
was added to the data."""


@dataclass(frozen=True)
class Format:
    """A kind of event file.

    columns   field -> names under which its column goes; or its number, in a file without header
    telling   names that only this kind has, all in lower case
    guard     field whose text, a date and time in digits, shows that no column of a row is out of place
    form      a key of TIME_FORMS, or None: found from the first rows
    book      codebook of its codes, or None: found from the first rows
    rules     which of an actor's match rules are for it
    missing   texts that stand for nothing
    """

    name: str
    title: str
    columns: Mapping[str, tuple[str | int, ...]]
    telling: frozenset[str] = frozenset()
    separator: str = "\t"
    form: str | None = "day"
    book: str | None = "cameo"
    rules: str = ""
    missing: tuple[str, ...] = ()
    guard: str | None = None
    required: tuple[str, ...] = ("time", "source", "code")


def _gdelt(added: int) -> Mapping[str, tuple[str | int, ...]]:
    return {
        "time": (1,),
        "source": (5,), "source_name": (6,), "target": (15,), "target_name": (16,),
        "code": (26,), "event_id": (0,), "reported": (added,),
    }  # fmt: skip


FORMATS = {
    one.name: one
    for one in (
        Format(
            "icews", "ICEWS Coded Event Data (Dataverse tab)",
            {
                "time": ("event date",), "source": ("source name",), "target": ("target name",),
                "code": ("cameo code",), "event_id": ("event id",),
                "source_country": ("source country",), "target_country": ("target country",),
                "source_sectors": ("source sectors",), "target_sectors": ("target sectors",),
            },
            frozenset({"event id", "event date", "source name", "cameo code", "target name"}),
            missing=("NA",), rules="icews",
        ),
        Format("gdelt1", "GDELT 1.0 daily file", _gdelt(56), form="compact", rules="gdelt", guard="reported"),
        Format("gdelt1-old", "GDELT 1.0 file of before April 2013", _gdelt(56), form="compact", rules="gdelt",
               guard="reported"),
        Format("gdelt2", "GDELT 2.0 15-minute file", _gdelt(59), form="compact", rules="gdelt", guard="reported"),
        Format(
            "polecat", "POLECAT",
            {
                "time": ("event date",), "source": ("actor name",), "target": ("recipient name",),
                "code": ("event type",), "mode": ("event mode",), "event_id": ("event id",),
                "source_name": ("actor name raw",), "target_name": ("recipient name raw",),
                "source_country": ("actor country",), "target_country": ("recipient country",),
                "source_sectors": ("primary actor sector",), "target_sectors": ("primary recipient sector",),
                "reported": ("publication date",),
            },
            frozenset({"event type", "event mode", "quad code", "actor name", "recipient name"}),
            book="plover", missing=("None", "NA"), rules="polecat",
        ),
        Format(
            "acled", "ACLED export",
            {
                "time": ("event_date",), "source": ("actor1",), "target": ("actor2",),
                "code": ("sub_event_type",), "coarse": ("event_type",),
                "event_id": ("event_id_cnty", "event_id_no_cnty", "data_id"), "deaths": ("fatalities",),
                "precision": ("time_precision", "time_prec"),
            },
            frozenset({"event_date", "event_type", "actor1", "fatalities"}),
            separator=",", form=None, book="acled", rules="acled",
        ),
        Format(
            "ucdp", "UCDP Georeferenced Event Dataset",
            {
                "time": ("date_start",), "until": ("date_end",), "source": ("side_a",), "target": ("side_b",),
                "code": ("type_of_violence",), "event_id": ("id",), "deaths": ("best", "best_est"),
            },
            frozenset({"type_of_violence", "side_a", "side_b", "date_start"}),
            separator=",", form=None, book="ucdp", rules="ucdp",
        ),
        Format(
            "keds", "KEDS/WEIS lines",
            {"time": (0,), "source": (1,), "target": (2,), "code": (3,)},
            form="keds", book=None, rules="keds",
        ),
        Format(
            "csv", "a table of your own",
            {
                "time": ("time", "date", "event_date", "day", "timestamp", "datetime", "when"),
                "source": ("source", "actor", "actor1", "from", "sender", "initiator", "who", "source_actor"),
                "target": ("target", "actor2", "to", "receiver", "recipient", "whom", "target_actor"),
                "code": ("code", "cameo", "cameo_code", "event_code", "weis", "plover"),
                "act": ("act", "action", "event", "event_type", "type", "does"),
                "event_id": ("event_id", "id"), "source_name": ("source_name",), "target_name": ("target_name",),
                "source_country": ("source_country",), "target_country": ("target_country",),
                "source_sectors": ("source_sectors", "source_sector"),
                "target_sectors": ("target_sectors", "target_sector"),
                "goldstein": ("goldstein", "intensity"), "tone": ("tone", "quad", "class"),
                "deaths": ("deaths", "fatalities"), "until": ("until", "date_end"),
            },
            separator=",", form=None, book=None, rules="csv", required=("time", "source"),
        ),
    )
}  # fmt: skip
NAMES = {"gdelt": "gdelt2", "weis": "keds", "ged": "ucdp"}
KEDS_LINE = re.compile(r"^\s*(\d{6}|\d{8})\s+([A-Z][A-Z0-9]{1,14})\s+([A-Z][A-Z0-9]{1,14}|---)\s+(\d{2,4})\b")


@dataclass(frozen=True)
class Layout:
    """How one member is to be cut and read.

    names      column names as the member has them, made different where they repeat
    columns    field -> number of its column
    header     the header's text, to know it when it comes again; None if there is none
    quoted     double quotes keep separators and newlines inside a field together
    form       key of TIME_FORMS
    pad        codes lost their leading zeros on the way (a spreadsheet did it): put them back
    origin     days from 1970-01-01 to the day that times count from, where they are plain numbers
    said       what was found out that a user would want to hear
    """

    format: Format
    separator: str
    quoted: bool
    names: tuple[str, ...]
    columns: Mapping[str, int]
    header: str | None
    form: str
    book: str | None
    pad: bool = False
    origin: float = 0.0
    said: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Wishes:
    """What the user said about the files, instead of leaving it to be found."""

    format: str = "auto"
    mapping: Mapping[str, str] = field(default_factory=dict)
    separator: str | None = None
    date_format: str | None = None
    book: str | None = None
    encoding: str | None = None
    sheet: str | None = None


def detect(file: str, start: bytes, wishes: Wishes) -> Layout:
    """The layout of a member, from its first bytes.

    Raises FileFault: empty, a web page, no known format, missing columns, a date format that cannot be told.
    """
    if not start.strip():
        raise FileFault(file, "an empty file", "event rows")
    text = start.decode("utf-8", "replace")
    _refuse_markup(file, text)
    lines = [line for line in text.split("\n") if line.strip()][:2000]
    if not lines:
        raise FileFault(file, "no readable text", "event rows")
    if wishes.format not in ("auto", *FORMATS, *NAMES):
        close = nearest_name(wishes.format, (*FORMATS, *NAMES))
        raise FileFault(file, f"unknown format {wishes.format!r}", f"auto, {', '.join(FORMATS)}; nearest: {close}")
    wanted = NAMES.get(wishes.format, wishes.format)
    if wanted == "auto" and not wishes.mapping:
        wanted = _recognize(lines)
    elif wanted == "auto":
        wanted = "csv"
    if wanted.startswith("gdelt"):
        return _gdelt_layout(file, lines, wanted, wishes)
    if wanted == "keds":
        return _keds_layout(file, lines, wishes)
    return _header_layout(file, text, lines, FORMATS[wanted], wishes)


def columns_of(kind: Format, names: tuple[str, ...], mapping: Mapping[str, str], file: str) -> dict[str, int]:
    """Number of the column of each field; the user's mapping goes before the names we know.

    Raises FileFault that names every missing or unknown column.
    """
    plain = [_plain(name) for name in names]
    found: dict[str, int] = {}
    wrong: list[str] = []
    for key, name in mapping.items():
        if key not in FIELDS:
            wrong.append(f"cannot map to {key!r} (nearest: {nearest_name(key, FIELDS)!r})")
        elif name in names:
            found[key] = names.index(name)
        elif _plain(name) in plain:
            found[key] = plain.index(_plain(name))
        else:
            wrong.append(f"no column {name!r} (nearest: {nearest_name(name, names)!r})")
    for key, candidates in kind.columns.items():
        if key in found:
            continue
        for one in candidates:
            if str(one) in plain and plain.index(str(one)) not in found.values():
                found[key] = plain.index(str(one))
                break
    if wrong:
        raise FileFault(file, "; ".join(wrong), f"fields: {', '.join(FIELDS)}; columns: {', '.join(names)}")
    missing = [key for key in kind.required if key not in found]
    if "code" not in found and "act" in found:
        missing = [key for key in missing if key != "code"]
    if "code" not in found and "act" not in found:
        missing = [*(key for key in missing if key != "code"), "code or act"]
    if missing:
        known = {**kind.columns, "code or act": (*kind.columns.get("code", ()), *kind.columns.get("act", ()))}
        what = "; ".join(f"{key} ({', '.join(str(one) for one in known.get(key, ()))})" for key in missing)
        raise FileFault(file, f"no column for {what}", f"one of these names, or a mapping; found: {', '.join(names)}")
    return found


def _refuse_markup(file: str, text: str) -> None:
    opening = text.lstrip("\ufeff \t\r\n")[:200].lower()
    if opening.startswith(("<!doctype", "<html", "<head", "<?xml", "<script", "<body")):
        found = re.search(r"<title>(.*?)</title>", text[:20_000], re.IGNORECASE | re.DOTALL)
        about = f" ({' '.join(found.group(1).split())[:100]!r})" if found else ""
        raise FileFault(file, f"a web page{about}, not a table", "the data file itself; the download may have failed")
    if opening.startswith(("{", "[{")) and '"' in opening:
        raise FileFault(file, "JSON, not a table", "CSV, tab-separated text or Parquet")


def _recognize(lines: list[str]) -> str:
    fields = [line.rstrip("\r").count("\t") + 1 for line in lines[:50]]
    for width, name in ((61, "gdelt2"), (58, "gdelt1"), (57, "gdelt1-old")):
        first = lines[0].split("\t")
        if fields[0] == width and re.fullmatch(r"\d+", first[0]) and re.fullmatch(r"\d{8}", first[1]):
            return name
    if sum(bool(KEDS_LINE.match(line)) for line in lines[:50]) * 2 >= len(lines[:50]):
        return "keds"
    header = {_plain(name) for name in re.split(r"[\t,;|]", lines[0])}
    for one in FORMATS.values():
        if one.telling and one.telling <= header:
            return one.name
    bare = sum(width in (57, 58, 61) for width in fields)
    if bare * 2 > len(fields):
        width = max(set(fields), key=fields.count)
        return {61: "gdelt2", 58: "gdelt1"}.get(width, "gdelt1-old")
    return "csv"


def _gdelt_layout(file: str, lines: list[str], name: str, wishes: Wishes) -> Layout:
    widths = [line.rstrip("\r").count("\t") + 1 for line in lines]
    by_width = {61: "gdelt2", 58: "gdelt1", 57: "gdelt1-old"}
    fitting = [width for width in widths if width in by_width]
    if not fitting:
        raise FileFault(file, f"{widths[0]} tab-separated columns", "57 or 58 (GDELT 1.0) or 61 (GDELT 2.0)", 1)
    usual = max(by_width, key=fitting.count)
    kind = FORMATS[by_width[usual]]
    return Layout(
        kind,
        "\t",
        False,
        tuple(f"column {number + 1}" for number in range(usual)),
        {key: int(numbers[0]) for key, numbers in kind.columns.items()},
        None,
        wishes.date_format or kind.form or "compact",
        wishes.book or kind.book,
        said=() if name in (kind.name, "auto") else (f"{usual} columns: read as {kind.title}",),
    )


def _keds_layout(file: str, lines: list[str], wishes: Wishes) -> Layout:
    kind = FORMATS["keds"]
    matches = [found for line in lines if (found := KEDS_LINE.match(line))]
    if not matches:
        raise FileFault(file, "no line of the form YYMMDD SOURCE TARGET CODE", "KEDS/WEIS lines", 1)
    book = wishes.book or likeliest_book(found.group(4) for found in matches) or "weis"
    return Layout(
        kind, "\t", False, ("line",), {key: int(numbers[0]) for key, numbers in kind.columns.items()}, None,
        "keds", book, said=(f"codes read as {book.upper()}",),
    )  # fmt: skip


def _header_layout(file: str, text: str, lines: list[str], kind: Format, wishes: Wishes) -> Layout:
    separator = wishes.separator or _separator(lines, kind.separator)
    quoted = is_quoted(lines, separator)
    records = _records(text, separator, quoted)
    if not records:
        raise FileFault(file, "no readable row", "a header and event rows", 1)
    header, rows = records[0], records[1:]
    said: list[str] = []
    if separator != kind.separator and kind.name != "csv":
        said.append(f"fields are separated by {separator!r}, not {kind.separator!r}")
    while header and not header[-1].strip():
        header = header[:-1]
    if kind.name == "polecat" and tuple(_plain(n) for n in header) != tuple(_plain(n) for n in POLECAT_COLUMNS):
        widths = [len(row) for row in rows[:200]]
        if widths and sum(w >= 40 and not "".join(r[40:]).strip() for w, r in zip(widths, rows, strict=False)):
            said.append(f"the header has {len(header)} names; the published 40 columns are used instead")
            header = list(POLECAT_COLUMNS)
    names = _different(header)
    if len(names) < 2:
        raise FileFault(
            file, f"one column, {names[0][:60] if names else ''!r}", f"fields separated by {kind.separator!r}", 1
        )
    columns = columns_of(kind, names, wishes.mapping, file)
    if not rows:
        raise FileFault(file, "no event row", "rows below the header", 1)
    usable = [row for row in rows if len(row) >= len(names)]
    stamps = [row[columns["time"]].strip() for row in usable[:500]]
    form = wishes.date_format or kind.form or _form(file, stamps)
    book, pad = wishes.book or kind.book, False
    codes = [row[columns["code"]].strip() for row in usable if "code" in columns]
    codes = [code for code in codes if code]
    if book is None and codes:
        name = _plain(names[columns["code"]])
        book = next((one for one in ("cameo", "weis", "plover") if one in name), None)
        padded = [code.zfill(3) for code in codes]
        book = book or likeliest_book(codes) or likeliest_book(padded)
        said.append(f"codes read as {book.upper()}" if book else "codes of no codebook we know")
    if book in ("cameo", "weis") and codes and not any(code.startswith("0") for code in codes):
        pad = any(len(code) < 3 and code.isdecimal() for code in codes)
        if pad:
            said.append("codes have lost their leading zeros; they are put back")
    return Layout(kind, separator, quoted, names, columns, _first_line(text), form, book, pad, said=tuple(said))


def _separator(lines: list[str], usual: str) -> str:
    """The separator that cuts the first lines into most fields of equal number."""
    best, most = usual, 0
    for one in (usual, "\t", ",", ";", "|"):
        widths = [_width(line, one) for line in lines[:20]]
        same = min(widths) if max(widths) - min(widths) <= 1 else widths[0]
        if same > most and same > 1:
            best, most = one, same
    return best


def _width(line: str, separator: str) -> int:
    try:
        return len(next(csv.reader([line.rstrip("\r")], delimiter=separator), []))
    except csv.Error:
        return line.count(separator) + 1


def _records(text: str, separator: str, quoted: bool) -> list[list[str]]:
    whole = text if len(text) < 1 << 17 else text[: text.rfind("\n", 0, 1 << 17) + 1]
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(whole.replace("\0", "")), delimiter=separator, quoting=0 if quoted else 3):
            if row:
                found.append(row)
    except csv.Error:
        pass
    return found


def _form(file: str, stamps: list[str]) -> str:
    forms = likeliest_form(stamps)
    if len(forms) == 1:
        return forms[0]
    shown = ", ".join(repr(stamp[:40]) for stamp in stamps[:3]) or "none"
    if not forms:
        raise FileFault(file, f"dates such as {shown} cannot be read", f"a date_format: one of {', '.join(TIME_FORMS)}")
    raise FileFault(file, f"dates such as {shown} can be read in two ways", f"a date_format: {' or '.join(forms)}")


def _different(header: list[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    names: list[str] = []
    for raw in header:
        name = raw.strip().strip('"').lstrip("\ufeff")
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)


def _plain(name: str) -> str:
    return name.strip().strip('"').lstrip("\ufeff").lower()


def _first_line(text: str) -> str:
    return text.lstrip("\n").split("\n", 1)[0].rstrip("\r")


def as_fault(fault: FileFault) -> Fault:
    """The fault a FileFault carries."""
    return replace(fault.fault)
