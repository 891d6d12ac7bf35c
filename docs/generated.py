"""Pages of the site that follow from the program: its commands, its functions, its code books, its changes.

In: nothing but the installed package. Out: Markdown by page name. Nothing is written by hand twice, so nothing here
can differ from `--help` or a docstring.
"""

from __future__ import annotations

import csv
import inspect
import re
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent


def pages() -> dict[str, str]:
    """Name of the page, without `.md`, to its Markdown."""
    return {
        "commands": commands(),
        "functions": functions(),
        "code-books": code_books(),
        "changes": changes(),
    }


def commands() -> str:
    """Every command with its arguments and options, as its help says them."""
    from typer.main import get_command

    from powderkeg.cli import program

    lines = [
        "# Every command, every option",
        "",
        "Made from the program itself. [The command line](command-line.md) "
        "tells what the commands are for, what they write, and what their exit codes mean.",
        "",
    ]
    for name, command in _flat(get_command(program())):
        lines += [f"## powderkeg {name}", ""]
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
            told = _unmarked(paragraph)
            example = told.removeprefix("Example: ")
            lines += ["```console", example, "```", ""] if example != told else [_plain(paragraph), ""]
        params = sorted(command.params, key=lambda one: one.param_type_name != "argument")
        rows = [(_written(one), _plain(getattr(one, "help", None) or ""), _default(one)) for one in params]
        rows = [row for row in rows if row[0] != "`--help`"]
        if rows:
            lines += ["| argument or option | means | if left out |", "|---|---|---|"]
            lines += [f"| {written} | {_cell(means)} | {_cell(default)} |" for written, means, default in rows]
            lines.append("")
    return "\n".join(lines)


def _flat(command: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Commands and the commands within them, in the program's order."""
    for name, one in command.commands.items():
        if getattr(one, "hidden", False):
            continue
        if hasattr(one, "commands"):
            yield from _flat(one, f"{before}{name} ")
        else:
            yield f"{before}{name}", one


def _written(parameter: Any) -> str:
    names = [*parameter.opts, *parameter.secondary_opts]
    if parameter.param_type_name == "argument":
        many = " ..." if parameter.nargs == -1 else ""
        return f"`{(parameter.metavar or parameter.name or '').upper()}{many}`"
    return ", ".join(f"`{name}`" for name in names)


def _default(parameter: Any) -> str:
    if parameter.required:
        return "must be given"
    default = parameter.default
    if default is None or default is False or default == () or callable(default) or str(default).startswith("<"):
        return ""
    return "yes" if default is True else f"`{default}`"


def _unmarked(text: str) -> str:
    """Help in one line, without the marks of Rich."""
    text = re.sub(r"\[/?(?:bold|dim|italic|/)?\]|\[(?:bold|dim|italic)[^\]]*\]", "", text)
    return " ".join(text.replace("\b", "").split())


def _plain(text: str) -> str:
    """Help as Markdown: options stand as code, in which two hyphens stay two."""
    parts = _unmarked(text).replace("<", "&lt;").split("`")
    parts[::2] = [re.sub(r"(?<![\w-])--[a-z][a-z-]*", r"`\g<0>`", part) for part in parts[::2]]
    return "`".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def functions() -> str:
    """Every public name with its signature and docstring; of classes, what they can do."""
    import powderkeg as pk

    lines = [
        "# Every function",
        "",
        "Made from the code. [From Python](python.md) tells which is for what. Docstrings stand "
        "as they are in the code: `help(pk.simulate)` shows the same.",
        "",
    ]
    for name in pk.__all__:
        value = getattr(pk, name)
        if inspect.ismodule(value) or isinstance(value, str):
            continue
        lines += [f"## pk.{name}", "", *_told(name, value)]
        if inspect.isclass(value) and not issubclass(value, BaseException):
            for method, one in _public(value):
                lines += [f"### {name}.{method}", "", *_told(method, one)]
    for name in ("plots", "report"):
        module = getattr(pk, name)
        lines += [f"## pk.{name}", "", *_block("text", inspect.getdoc(module) or "")]
        for each in module.__all__:
            one = getattr(module, each)
            if callable(one):
                lines += [f"### pk.{name}.{each}", "", *_told(each, one)]
    return "\n".join(lines)


def _public(kind: type) -> Iterator[tuple[str, Any]]:
    """Methods and properties of a class that have a docstring of their own."""
    for name, one in vars(kind).items():
        if not name.startswith("_"):
            one = one.fget if isinstance(one, property) else getattr(one, "__func__", one)
            one = getattr(one, "func", one)  # cached properties
            if callable(one) and getattr(one, "__doc__", None) and not inspect.isclass(one):
                yield name, one


def _told(name: str, value: Callable[..., Any]) -> list[str]:
    try:
        signature = f"{name}{inspect.signature(value)}"
    except (TypeError, ValueError):
        signature = name
    signature = re.sub(r"<[^<>]* at 0x[0-9a-f]+>|<factory>", "...", signature).replace("'", "")
    if len(signature) > 100:
        signature = re.sub(r", (?=\w+:|\*)", ",\n    ", signature).replace("(", "(\n    ", 1)
    return [*_block("python", signature), *_block("text", inspect.getdoc(value) or "")]


def _block(language: str, text: str) -> list[str]:
    return [f"```{language}", text, "```", ""] if text else []


def code_books() -> str:
    """The outside vocabularies that the package maps, each with its codes."""
    lines = [
        "# Code books",
        "",
        "The vocabularies of event data that powderkeg maps to acts, roles and names: our own tables, "
        "in `powderkeg/codebooks/`. [Event files](events.md) tells how they are used.",
        "",
    ]
    folder = resources.files("powderkeg") / "codebooks"
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if not file.name.endswith(".csv"):
            continue
        rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
        shown = [row for row in rows if row and not row[0].startswith("#")]
        head, body = shown[0], shown[1:]
        cut = body[:400]
        lines += [
            f"## {file.name}",
            "",
            f"{len(body)} rows." + (f" The first {len(cut)}:" if len(cut) < len(body) else ""),
            "",
        ]
        lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += [
            "| " + " | ".join(_cell(cell.replace("<", "&lt;")) for cell in (row + [""] * len(head))[: len(head)]) + " |"
            for row in cut
        ]
        lines.append("")
    return "\n".join(lines)


def changes() -> str:
    """What changed, newest first: the changelog with what is not released yet, if this is a checkout."""
    from changelog import gathered

    return gathered(CHECKOUT)
