"""How is this file to be cut and read?

In: the first bytes of a member. Out: a `Layout`: how to cut the text into fields, and which column holds the date, the
two actors, the code and the rest. What the kinds of file are like is declared in `powderkeg.formats`; which kind this
is, by its columns, is found in `recognition`.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from powderkeg.errors import argument, as_found, joined, nearest_name
from powderkeg.events.codes import GUESSED, TITLED, are_titles, entries, likeliest_book, without_dress
from powderkeg.events.dating import reads_as_dates
from powderkeg.events.digits import plain_digits
from powderkeg.events.encodings import twice_encoded
from powderkeg.events.files import FileFault
from powderkeg.events.preamble import is_quoted
from powderkeg.events.recognition import Found, are_counts, columns_of, recognised
from powderkeg.formats import ALIASES, FORMATS, IN_ITS_FILE, NAMES, Bare, Format, spelt, squashed

PARTS_FORMS = {True: "day", False: "month"}
BARE_ROWS = 50


@dataclass(frozen=True)
class Layout:
    """How one member is to be cut and read.

    names      column names as the member has them, made different where they repeat
    columns    field -> number of its column
    header     the header's text, to know it when it comes again; None if there is none
    quoted     double quotes keep separators and newlines inside a field together
    form       a form of `times`; empty until `settling` has found it
    guard      number of the column whose text shows that no column of a row is out of place, or None
    ids        within what the event ids are unique: EVERYWHERE, IN_ITS_FILE, or the column that they are counted by
    directed   codes whose first side acts on its second, where the others do not say who acted; None: all do
    title      the kind of file, as it is said
    said       what was found out that a user would want to hear

    Found by `settling`, for the whole member:
    origin       days from 1970-01-01 to the day that times count from, where they are plain numbers
    other_forms  forms of until and reported
    loose        a date that the form does not read may be in another that is plain (2018-06, June 2018)
    marks        decimal mark of each column of numbers: "point" or "comma"
    zeros        whether codes have lost their leading zeros: "lost", "kept" or "unsure"
    countries    fields of two-letter codes, in which NA is Namibia
    plain_ids    event ids became numbers with a point (1.0): it is taken off
    categories   fields whose texts are categories as they are cut, for nothing needs to be done to them before
    """

    format: Format
    separator: str
    quoted: bool
    names: tuple[str, ...]
    columns: Mapping[str, int]
    header: str | None
    form: str
    book: str | None
    guard: int | None = None
    ids: str = IN_ITS_FILE
    title: str = ""
    directed: frozenset[str] | None = None
    said: tuple[str, ...] = field(default=(), compare=False)
    origin: float = 0.0
    other_forms: Mapping[str, str] = field(default_factory=dict)
    loose: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)
    zeros: str = "kept"
    countries: frozenset[str] = frozenset()
    plain_ids: bool = False
    categories: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Wishes:
    """What the user said about the files, instead of leaving it to be found.

    directed  the first side acts on the second; False: nobody knows which; None: as the format says
    """

    format: str = "auto"
    mapping: Mapping[str, str] = field(default_factory=dict)
    separator: str | None = None
    date_format: str | None = None
    book: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    directed: bool | None = None
    decimal: str | None = None


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
    wanted = format_named(wishes.format, file)
    # Columns before lines: the first four of GDELT's reduced file look like a line of KEDS.
    for kind in FORMATS.values() if wanted is None else (wanted,):
        found = None if wishes.mapping else _bare(kind, lines, text, wishes)
        if found is not None:
            return _bare_layout(file, kind, *found, wishes)
    for kind in FORMATS.values():
        if kind.line and (wanted is kind or (wanted is None and not wishes.mapping and _is_in_lines(kind, lines))):
            return _line_layout(file, lines, kind, wishes)
    return _header_layout(file, text, lines, wanted, wishes)


def format_named(name: object, file: str = "") -> Format | None:
    """The format of a name as it is typed; None for "auto". Raises FileFault for any other."""
    if not isinstance(name, str):  # a scenario, in the place of the format
        expected = f"auto, {', '.join(NAMES)}; a scenario is given by name, scenario=..."
        raise FileFault(file, f"the format is {as_found(name)}", expected)
    plain = ALIASES.get(name, name)
    if plain in FORMATS:
        return FORMATS[plain]
    if plain in ("auto", "parquet"):
        return None
    close = nearest_name(name, (*NAMES, *ALIASES))
    raise FileFault(
        file, f"unknown format {name!r}", f"auto, {', '.join(NAMES)}" + (f"; nearest: {close}" if close else "")
    )


def ids_of(kind: Format, found: Mapping[str, int], names: Sequence[str]) -> tuple[str, dict[str, int]]:
    """Within what event ids are unique; and, as `id_within`, the column that they are counted by, if there is one."""
    if "event_id" not in found:
        return IN_ITS_FILE, {}
    scopes = {squashed(name): scope for name, scope in kind.ids.items()}
    scope = scopes.get(spelt(names)[found["event_id"]], IN_ITS_FILE)
    places = {name: number for number, name in enumerate(spelt(names))}
    if squashed(scope) in places:
        return scope, {"id_within": places[squashed(scope)]}
    return (scope if scope not in kind.others else IN_ITS_FILE), {}


def directed_of(kind: Format, wishes: Wishes) -> frozenset[str] | None:
    """The codes that say who acted, as the user wants it or the format has it; None: all do."""
    return kind.directed if wishes.directed is None else None if wishes.directed else frozenset()


def book_of(name: str, codes: Sequence[str], said: list[str], usual: str | None = None) -> str | None:
    """The codebook of a column's codes: by its name, else by the codes; None if they are of no book we know.

    Where several books hold most of the codes, equally many, they mean other things by them: that is no matter for a
    guess, and the user is asked.

    usual  the book of a format where several hold the codes
    """
    plain = squashed(name)
    named = next((one for one in ("cameo", "weis", "plover") if one in plain), None)
    bare = [without_dress(code) for code in codes]
    for seen in (bare, [code.zfill(3) for code in bare]):
        book = named or likeliest_book(seen)
        tied = () if book else _tied(seen)
        if tied and usual in tied:
            said.append(f"codes read as {usual.upper()}, as is usual here; {' and '.join(tied)} hold them all")
            return usual
        if tied:
            shown = ", ".join(repr(code) for code in list(dict.fromkeys(seen))[:3])
            said.append(
                f"codes such as {shown} are in the books {' and '.join(tied)}, which mean other things by them: they "
                "have no class until you say which, with "
                + argument("codebook", tied[0])
                + " or "
                + argument("codebook", tied[1])
            )
            return None
        if book:
            said.append(f"codes read as {book.upper()}")
            return book
    said.append("codes of no codebook we know")
    return None


def counting(
    kind: Format,
    columns: Mapping[str, int],
    names: Sequence[str],
    texts: Sequence[str],
    wishes: Wishes,
    said: list[str],
) -> dict[str, int]:
    """The columns, without that of a count where the user's own table has a column so called that counts no events."""
    name = names[columns["count"]]
    if kind.is_own and "count" not in wishes.mapping and not are_counts(texts):
        said.append(
            f"{name!r} is not taken for a number of events; if it is one, give " + argument("mapping", {"count": name})
        )
        return {key: at for key, at in columns.items() if key != "count"}
    if set(texts) != {"1"}:
        said.append(f"a row stands for as many events as {name!r} says")
    return dict(columns)


def _tied(codes: Sequence[str]) -> tuple[str, ...]:
    """The books that hold most of these codes, if they are several and hold equally many."""
    known = {name: sum(code in entries(name) for code in codes) for name in GUESSED}
    most = max(known.values())
    tied = tuple(name for name, number in known.items() if number == most)
    return tied if len(tied) > 1 and 2 * most > len(codes) else ()


def form_of_parts(found: Found) -> str:
    """The form of dates that stand in several columns; empty where they stand in one."""
    return PARTS_FORMS["day" in found.columns] if found.parts else ""


def _refuse_markup(file: str, text: str) -> None:
    opening = text.lstrip("\ufeff \t\r\n")[:200].lower()
    if opening.startswith(("<!doctype", "<html", "<head", "<?xml", "<script", "<body")):
        found = re.search(r"<title>(.*?)</title>", text[:20_000], re.IGNORECASE | re.DOTALL)
        about = f" ({' '.join(found.group(1).split())[:100]!r})" if found else ""
        raise FileFault(file, f"a web page{about}, not a table", "the data file itself; the download may have failed")
    if opening.startswith(("{", "[{")) and '"' in opening:
        raise FileFault(file, "JSON, not a table", "CSV, tab-separated text or Parquet")


def _is_in_lines(kind: Format, lines: list[str]) -> bool:
    if _usual_separator(lines[0]) is not None:
        return False
    return sum(bool(re.match(kind.line or "", line)) for line in lines[:BARE_ROWS]) * 2 >= len(lines[:BARE_ROWS])


def _line_layout(file: str, lines: list[str], kind: Format, wishes: Wishes) -> Layout:
    matches = [found for line in lines if (found := re.match(kind.line or "", line))]
    if not matches:
        raise FileFault(file, f"no line of the form {kind.about.partition(': ')[2]}", kind.title, 1)
    columns = {key: number for number, key in enumerate(kind.columns)}
    codes = [found.group(columns["code"] + 1) for found in matches]
    said: list[str] = []
    book = wishes.book or kind.book or book_of("", codes, said, kind.usual_book)
    return Layout(kind, kind.separator, False, ("line",), columns, None, kind.form or "day", book,
                  directed=directed_of(kind, wishes), said=tuple(said))  # fmt: skip


def _bare(kind: Format, lines: list[str], text: str, wishes: Wishes) -> tuple[Bare, str] | None:
    """The layout without a header that most of the first rows have, and what separates its fields."""
    for one in kind.bare:
        # As published, or as somebody wrote it again.
        for separator in (wishes.separator,) if wishes.separator else dict.fromkeys((one.separator, *"\t;,|")):
            if separator != one.separator and lines[0].count(separator) < len(one.columns) - 1:
                continue
            if separator == "\t":
                rows = [line.rstrip("\r").split("\t") for line in lines[:BARE_ROWS]]
            else:
                rows = _records(text[: 1 << 16], separator, True)[:BARE_ROWS]
            if rows and not recognised(rows[0]).is_own:
                return None
            right = [row for row in rows if len(row) == len(one.columns)]
            fitting = sum(_fits(one, row) for row in right)
            if fitting and len(right) * 2 > len(rows) and fitting * 2 > len(right):
                return one, separator
    return None


def _fits(bare: Bare, row: Sequence[str]) -> bool:
    return all(re.fullmatch(shape, row[bare.columns.index(name)].strip()) for name, shape in bare.shapes.items())


def _bare_layout(file: str, kind: Format, bare: Bare, separator: str, wishes: Wishes) -> Layout:
    found = columns_of(kind, bare.columns, {}, file)
    ids, within = ids_of(kind, found.columns, bare.columns)
    quoted = separator != "\t"
    guard = None if kind.guard is None else bare.columns.index(kind.guard)
    other = () if separator == bare.separator else (_separated(separator, bare.separator),)
    return Layout(
        kind, separator, quoted, bare.columns, {**found.columns, **within}, None, form_of_parts(found),
        wishes.book or kind.book,
        guard=guard, ids=ids, title=bare.title, directed=directed_of(kind, wishes), said=(*other, *found.said),
    )  # fmt: skip


def _separated(separator: str, usual: str) -> str:
    return f"fields are separated by {separator!r}, not {usual!r}"


def _header_layout(file: str, text: str, lines: list[str], wanted: Format | None, wishes: Wishes) -> Layout:
    usual = wanted.separator if wanted is not None else _usual_separator(lines[0]) or ","
    separator = wishes.separator or _separator(lines, usual)
    quoted = is_quoted(lines, separator)
    records = _records(text, separator, quoted)
    if not records:
        raise FileFault(file, "no readable row", "a header and event rows", 1)
    header, rows = records[0], records[1:]
    said: list[str] = []
    while header and not header[-1].strip():
        header = header[:-1]
    widths = Counter(len(row) for row in rows[:200])
    if widths and widths.most_common(1)[0][0] == len(header) + 1 and _are_row_names(header, rows, wishes):
        header = ["", *header]
        said.append("the rows begin with a name of their own, as R writes it, which the header leaves out")
    names = _different(header)
    if len(names) < 2:
        shown = names[0][:60] if names else ""
        cut = "fields separated by a comma, a tab, a semicolon or |, or " + argument("separator") + " with another"
        raise FileFault(file, f"one column, {shown!r}", cut, 1)

    def agrees(kind: Format) -> bool:
        at = [columns_of(kind, names, wishes.mapping, file).columns.get(key) for key in ("code", "coarse")]
        codes = [row[n].strip() for row in rows for n in at if n is not None and len(row) > n]
        return sum(code in entries(kind.book or "") for code in codes if code) * 2 > sum(bool(code) for code in codes)

    kind = wanted or recognised(names, wishes.mapping, agrees)
    names = _published(kind, names, rows, said)
    if separator != kind.separator and not kind.is_own:
        said.append(_separated(separator, kind.separator))
    if twice := twice_encoded(text):
        said.append(twice)
    found = columns_of(kind, names, wishes.mapping, file)
    _refuse_repeated(file, names, found.columns, rows, wishes, said)
    if not rows:
        raise FileFault(file, "no event row", "rows below the header", 1)
    usable = [row for row in rows if len(row) >= len(names)]
    ids, within = ids_of(kind, found.columns, names)
    columns = {**found.columns, **within}
    if "count" in columns:
        columns = counting(kind, columns, names, [plain_digits(row[columns["count"]]) for row in usable], wishes, said)
    book = wishes.book or kind.book
    codes = [code for row in usable if "code" in columns and (code := plain_digits(row[columns["code"]]).strip())]
    if book is None and kind.is_own and are_titles(codes):
        said.append(f"acts are read by the titles that {TITLED.upper()} has for its codes")
        book, columns["label"] = TITLED, columns.pop("code")
    if book is None and codes:
        book = book_of(names[columns["code"]], codes, said)
    return Layout(
        kind, separator, quoted, names, columns, _first_line(text), form_of_parts(found), book, ids=ids,
        directed=directed_of(kind, wishes), said=(*said, *found.said),
    )  # fmt: skip


def _published(kind: Format, names: tuple[str, ...], rows: Sequence[Sequence[str]], said: list[str]) -> tuple[str, ...]:
    """The names as published, where a header has others or too many and the rows are as wide as they should be."""
    for bare in kind.bare:
        width = len(bare.columns)
        wide = sum(len(row) >= len(names) for row in rows[:200]) * 2 > len(rows[:200])
        if len(names) < width or (wide and set(spelt(names)) >= set(map(squashed, bare.columns))):
            continue
        fitting = [row for row in rows[:200] if len(row) >= width and not "".join(row[width:]).strip()]
        if fitting and sum(_fits(bare, row) for row in fitting) * 2 > len(rows[:200]):
            said.append(f"the header has {len(names)} names; the published {width} columns are used instead")
            return bare.columns
    return names


def _are_row_names(header: Sequence[str], rows: Sequence[Sequence[str]], wishes: Wishes) -> bool:
    """Whether rows that are one field wider than the header begin with a name: a number, or a word where the dates are
    under their name only if it is."""
    full = [row for row in rows[:200] if len(row) == len(header) + 1]
    firsts = [row[0].strip() for row in full]
    if len(set(firsts)) != len(firsts):
        return False
    if all(one.isdecimal() for one in firsts):
        return True
    names = _different(header)
    try:
        at = columns_of(recognised(names, wishes.mapping), names, wishes.mapping, "").columns.get("time")
    except FileFault:
        return False
    if at is None or not any(row[-1].strip() for row in full):
        return False
    return reads_as_dates([row[at + 1] for row in full]) and not reads_as_dates([row[at] for row in full])


def _usual_separator(first: str) -> str | None:
    """The one that cuts a header into names of a kind we know."""
    return next((one for one in "\t,;|" if not recognised(first.split(one)).is_own), None)


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


def _different(header: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    names: list[str] = []
    for raw in header:
        name = raw.strip().strip('"').lstrip("\ufeff")
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)


def _refuse_repeated(
    file: str, names: Sequence[str], columns: Mapping[str, int], rows: Sequence[Sequence[str]], wishes: Wishes,
    said: list[str],
) -> None:  # fmt: skip
    """Say of which of several columns of one name an event is read.

    Raises FileFault where they differ and nobody said which is meant.
    """
    faults: list[str] = []
    choices: list[str] = []
    for key, at in columns.items():
        name = names[at]
        again = re.compile(re.escape(name) + r" \(\d+\)")
        twins = [
            n for n, other in enumerate(names) if n != at and (again.fullmatch(other) or _is_spelling(other, name))
        ]
        if not twins:
            continue
        if key in wishes.mapping:
            if any(again.fullmatch(names[twin]) for twin in twins):
                said.append(f"of {len(twins) + 1} columns {name!r} the first is read, as asked")
            continue
        pairs = ((n, row[at].strip(), row[twin].strip()) for n, row in enumerate(rows, 2) for twin in twins
                 if len(row) > max(at, twin))  # fmt: skip
        differing = next((pair for pair in pairs if pair[1] != pair[2]), None)
        called = " and ".join(sorted({repr(name), *(repr(names[n]) for n in twins if not again.fullmatch(names[n]))}))
        which = "the first" if called == repr(name) else repr(name)
        if differing is None:
            said.append(
                f"{len(twins) + 1} columns are called {called}: {which} is read; they are the same in the "
                f"{len(rows):,} row{'' if len(rows) == 1 else 's'} looked at"
            )
            continue
        row, first, second = differing
        faults.append(
            f"{len(twins) + 1} columns are called {called} and differ, first in row {row}: {first[:40]!r} and "
            f"{second[:40]!r}"
        )
        choices += [
            argument("mapping", {key: name}) + (" for the first" if again.fullmatch(names[twins[0]]) else ""),
            argument("mapping", {key: names[twins[0]]})
            + (" for the second" if again.fullmatch(names[twins[0]]) else ""),
        ]
    if faults:
        raise FileFault(file, "; ".join(faults), "one column of that name, or " + joined(" or ", choices), 1)


def _is_spelling(other: str, name: str) -> bool:
    """Whether two names of a header are one in another spelling, as `Source` and `source` are."""
    return bool(squashed(name)) and squashed(other) == squashed(name)


def _first_line(text: str) -> str:
    return text.lstrip("\n").split("\n", 1)[0].rstrip("\r")
