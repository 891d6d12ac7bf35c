"""What stands for a letter that the terminal or the pipe cannot hold?

In: a stream. Out: the stream, with the letter without its accents, a sign of the same meaning, or the letter's number;
never a question mark, which in a description stands at a guess.
"""

from __future__ import annotations

import codecs
import unicodedata
from typing import TextIO

NAME = "powderkeg.letters"
"""Of the error handler, as Python's `errors=` knows it."""

ALIKE = {
    "–": "-", "—": "-", "‑": "-", "−": "-", "→": "->", "←": "<-", "↔": "<->", "⇒": "=>", "±": "+-", "×": "x",
    "·": "*", "•": "*", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "∞": "inf", "…": "...", "“": '"', "”": '"', "„": '"',
    "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'", "ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d",
    "Đ": "D", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ð": "d", "þ": "th", "ı": "i", "°": " deg", "⁄": "/",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "⁻": "-",
}  # fmt: skip
RULES = ("\u2500", "\u259f")
"""Lines and blocks that tables and bars are drawn with."""


def alike(letter: str) -> str:
    """Something of ASCII that says the same."""
    if letter in ALIKE:
        return ALIKE[letter]
    if RULES[0] <= letter <= RULES[1]:
        return "|" if letter in "│┃║╎╏┆┇┊┋" else "-" if letter in "─━═╌╍┄┅┈┉╴╶╸╺" else "+"
    plain = "".join(ALIKE.get(one, one) for one in unicodedata.normalize("NFKD", letter))
    bare = "".join(one for one in plain if not unicodedata.combining(one))
    if bare and bare.isascii() and bare.isprintable():
        return bare
    return letter.encode("ascii", "backslashreplace").decode("ascii")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    run = error.object[error.start : error.end]
    # 10⁻⁹ is 10^-9, and not 10-9.
    raised = "^" if run[0] in "⁻⁰¹²³⁴⁵⁶⁷⁸⁹" and error.object[error.start - 1 : error.start].isdigit() else ""
    return raised + "".join(alike(letter) for letter in run), error.end


codecs.register_error(NAME, _replaced)


def is_unicode(stream: TextIO) -> bool:
    """Whether a stream holds every letter: as UTF-8, or because it is none of bytes."""
    try:
        return not stream.encoding or codecs.lookup(stream.encoding).name == "utf-8"
    except LookupError:
        return False
