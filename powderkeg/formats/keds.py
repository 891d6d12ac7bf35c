"""KEDS and WEIS lines: day, source, target, code, and what the coder wrote beside it, between tabs or spaces."""

from powderkeg.formats.declared import Format

FORMAT = Format(
    "keds",
    "KEDS/WEIS lines",
    about="KEDS/WEIS lines: YYMMDD SOURCE TARGET CODE",
    known="the lines",
    sides="codes",
    codes="WEIS, or CAMEO if more of the codes are",
    columns={"time": (), "source": (), "target": (), "code": ()},
    aliases=("weis",),
    separator="\t",
    form="keds",
    usual_book="weis",
    missing=("---",),
    line=r"^\s*(\d{6}|\d{8})\s+([A-Z][A-Z0-9]{1,14})\s+([A-Z][A-Z0-9]{1,14}|---)\s+(\d{2,4})(?:\s|$)",
)
