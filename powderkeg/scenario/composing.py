"""How do several scenario files make one?

In: the tree of a file that says `includes: [one, two.yaml]`. Out: one tree, in which the items of the included ones and
its own stand together, or faults that name the files that disagree. Included are scenarios that come with the package,
by name, and files that lie beside the including one; nothing else is opened. Each included file must be a scenario by
itself. docs/scenario.md tells the rules to users.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

from powderkeg.errors import Fault, ScenarioError, nearest_name
from powderkeg.reading import Listing, Node, NotText, Scalar, Table, clipped, decode, parse, plain_of, said, shown
from powderkeg.reading.tree import MOST_BYTES, MOST_VALUES

INCLUDES: Final = "includes"
BUILT_IN: Final = "scenarios"
MOST_FILES: Final = 16
"""Files that one scenario may be made of, included ones of included ones counted in."""
OWN: Final = ("powderkeg", INCLUDES, "name", "title", "about", "start", "years")
"""What a file says of itself: never taken from an included file."""
SINGLE: Final = "standoffs"
JOINED: Final = ("actors",)
"""Sections in which one file may tell of an item what another leaves open."""
EXPECTED: Final = "names of built-in scenarios, or of files beside this one such as other.yaml"

Valid = Callable[[Node, str, list[Fault]], object]
"""Reads a tree as a scenario. Raises ScenarioError with the faults found."""


@dataclass(frozen=True)
class Origin:
    """Where a file lies: what may be included from there, and which files already include one another.

    folder  where files beside it are looked for; None for a text without a place
    chain   the places of this file and of those that include it
    """

    folder: Path | None = None
    chain: tuple[str, ...] = ()

    @classmethod
    def of_built_in(cls, name: str, chain: tuple[str, ...] = ()) -> Origin:
        return cls(None, (*chain, f"{name}.yaml in the package"))

    @classmethod
    def of_file(cls, path: Path, chain: tuple[str, ...] = ()) -> Origin:
        return cls(path.parent, (*chain, str(path.resolve())))


def built_in_names() -> list[str]:
    """Names of the scenarios that come with the package."""
    folder = resources.files("powderkeg") / BUILT_IN
    if not folder.is_dir():
        return []
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def compose(tree: Node | None, file: str | None, origin: Origin, faults: list[Fault], valid: Valid) -> Node | None:
    """The tree with what it includes; itself if it includes nothing. Faults are appended to `faults`.

    Raises ScenarioError with the faults of an included file, which are told under that file's name.
    """
    if not isinstance(tree, Table) or INCLUDES not in tree.items:
        return tree
    parts = [(name, part) for name, part, _ in _parts(tree, file, origin, faults, valid, [0])]
    return tree if faults else _joined(tree, parts, file, faults)


def _parts(
    tree: Table, file: str | None, origin: Origin, faults: list[Fault], valid: Valid, opened: list[int]
) -> list[tuple[str, Table, Origin]]:
    """The composed trees of the included files, by the name under which messages tell of them."""
    found, seen = [], set()
    line = tree.line_of(INCLUDES)

    def tell(what: str, expected: str, nearest: str | None = None) -> None:
        faults.append(Fault(file, line, INCLUDES, what, expected, nearest))

    node = tree.items[INCLUDES]
    entries = node.items if isinstance(node, Listing) else (node,)
    for entry in entries:
        if not isinstance(entry, Scalar) or entry.is_null:
            tell(said(entry), EXPECTED)
        elif entry.text in seen:
            tell(f"{shown(entry.text)} twice", "each file once")
        elif opened[0] >= MOST_FILES:
            tell(f"more than {MOST_FILES} files", "fewer files")
            break
        else:
            seen.add(entry.text)
            opened[0] += 1
            part = _part(entry.text, origin, tell, valid, opened)
            if part is not None:
                found.append(part)
    return found


def _part(
    name: str, origin: Origin, tell: Callable[..., None], valid: Valid, opened: list[int]
) -> tuple[str, Table, Origin] | None:
    place = _place(name, origin, tell)
    if place is None:
        return None
    source, file, inner = place
    if inner.chain[-1] in origin.chain:
        tell(f"{clipped(file)} includes itself, directly or through others", "files that do not include one another")
        return None
    own: list[Fault] = []
    try:
        with source.open("rb") as stream:
            tree = parse(decode(stream.read(MOST_BYTES + 1)), file, own)
    except NotText as error:
        raise ScenarioError(Fault(file, error.line, "", error.found, error.expected)) from None
    except OSError as error:
        tell(f"{clipped(file)} cannot be read: {(error.strerror or str(error)).lower()}", EXPECTED)
        return None
    if isinstance(tree, Table) and INCLUDES in tree.items and not own:
        parts = [(part, inside) for part, inside, _ in _parts(tree, file, inner, own, valid, opened)]
        tree = tree if own else _joined(tree, parts, file, own)
    valid(tree if tree is not None else Scalar(""), file, own)
    return (file, tree, inner) if isinstance(tree, Table) else None


def _place(name: str, origin: Origin, tell: Callable[..., None]) -> tuple[Any, str, Origin] | None:
    """What to open for an entry, how messages name it, and its origin."""
    known = built_in_names()
    folder = resources.files("powderkeg") / BUILT_IN
    if name in known:
        return folder / f"{name}.yaml", f"{name}.yaml", Origin.of_built_in(name, origin.chain)
    if not name.endswith((".yaml", ".yml")):
        tell(f"no built-in scenario {shown(name)}", f"{EXPECTED}; built in are {', '.join(known)}",
             nearest_name(name, known))  # fmt: skip
    elif "/" in name or "\\" in name or name.startswith("."):
        tell(f"{shown(name)}, which is not a file beside this one", EXPECTED)
    elif origin.folder is None:
        tell(f"{shown(name)} beside a text that has no folder", "names of built-in scenarios")
    else:
        try:
            home, path = origin.folder.resolve(), (origin.folder / name).resolve()
            path.stat()
        except FileNotFoundError:
            pass
        except (OSError, RuntimeError):  # links that lead to one another: the latter before Python 3.13
            tell(f"{shown(name)}, a link that leads nowhere", EXPECTED)
            return None
        if path.parent != home:
            tell(f"{shown(name)}, a link that leads out of its folder", EXPECTED)
        elif not path.is_file():
            near = [entry.name for entry in home.iterdir() if entry.suffix in (".yaml", ".yml")][:1000]
            tell(f"no file {shown(name)} beside this one", EXPECTED, nearest_name(name, [*near, *known]))
        else:
            return path, name, Origin.of_file(path, origin.chain)
    return None


@dataclass(frozen=True)
class _Quarrels:
    """Where what disagrees is told."""

    file: str | None
    line: int | None
    faults: list[Fault]

    def tell(self, path: str, found: str, expected: str) -> None:
        self.faults.append(Fault(self.file, self.line, path, found, expected))


def _joined(tree: Table, parts: list[tuple[str, Table]], file: str | None, faults: list[Fault]) -> Table:
    """One tree. What this file says itself holds; where included files disagree, that is a fault."""
    quarrels = _Quarrels(file, tree.line_of(INCLUDES), faults)
    items: dict[str, Node] = {key: node for key, node in tree.items.items() if key in OWN and key != INCLUDES}
    sections = dict.fromkeys(key for _, part in parts for key in part.items if key not in OWN)
    sections.update(dict.fromkeys(key for key in tree.items if key not in OWN))
    for section in sections:
        own = tree.items.get(section)
        given = [(name, part.items[section]) for name, part in parts if section in part.items]
        items[section] = _section(section, given, own, quarrels)
    made = Table(items, tree.line, dict(tree.key_lines))
    if _size(made) > MOST_VALUES:
        quarrels.tell(INCLUDES, f"more than {MOST_VALUES:,} values in all", "smaller files")
    return made


def _section(section: str, given: list[tuple[str, Node]], own: Node | None, quarrels: _Quarrels) -> Node:
    """One section of all files. `standoffs` is a single item; the others hold items by name."""
    if section == SINGLE or not all(isinstance(node, Table) for _, node in given):
        kept = _agreed(section, given, own, quarrels)
        return kept if own is None else _over(kept, own)
    found: dict[str, list[tuple[str, Node]]] = {}
    for name, node in given:
        for item, value in node.items.items() if isinstance(node, Table) else ():
            found.setdefault(item, []).append((name, value))
    mine = own.items if isinstance(own, Table) else {}
    whole = {item: _agreed(f"{section}.{item}", told, mine.get(item), quarrels) for item, told in found.items()}
    if own is not None and not isinstance(own, Table):
        return own
    whole.update({item: _over(whole.get(item), value) for item, value in mine.items()})
    return Table(whole, own.line, dict(own.key_lines)) if own is not None else Table(whole)


def _agreed(path: str, told: list[tuple[str, Node]], own: Node | None, quarrels: _Quarrels) -> Node:
    """The item that included files tell of, without lines. They must agree unless this file says it itself."""
    if not told:
        return Scalar("")
    first, kept = told[0]
    for name, other in told[1:]:
        for key in _differing(kept, other, path.partition(".")[0] in JOINED):
            if not (own is not None if key == "" else isinstance(own, Table) and key in own.items):
                found = f"{clipped(first)} and {clipped(name)} disagree"
                quarrels.tell(f"{path}.{key}".rstrip("."), found, "the same in both, or given in this file")
        if isinstance(kept, Table) and isinstance(other, Table):
            kept = Table({**other.items, **kept.items})
    return _bare(kept)


def _differing(one: Node, other: Node, joined: bool) -> list[str]:
    """The fields in which two nodes differ, "" for the whole; `joined`: a field that only one has is no difference."""
    if not isinstance(one, Table) or not isinstance(other, Table):
        return [] if plain_of(one) == plain_of(other) else [""]
    differing = []
    for key in dict.fromkeys([*one.items, *other.items]):
        a, b = one.items.get(key), other.items.get(key)
        if a is None or b is None:
            differing += [] if joined else [key]
        elif plain_of(a) != plain_of(b):
            differing.append(key)
    return differing


def _over(below: Node | None, own: Node) -> Node:
    """What this file says, field by field, over what is included."""
    if not isinstance(below, Table) or not isinstance(own, Table):
        return own
    return Table({**below.items, **own.items}, own.line, dict(own.key_lines))


def _bare(node: Node) -> Node:
    """A node without lines: they are lines of another file."""
    if isinstance(node, Table):
        return Table({key: _bare(value) for key, value in node.items.items()})
    if isinstance(node, Listing):
        return Listing(tuple(_bare(value) for value in node.items))
    return node._replace(line=None) if isinstance(node, Scalar) else node


def _size(node: Node) -> int:
    if isinstance(node, Table):
        return 1 + sum(1 + _size(value) for value in node.items.values())
    return 1 + sum(map(_size, node.items)) if isinstance(node, Listing) else 1
