"""How event files come in: pipes, archives, encodings, JSON, workbooks.

Whatever the wrapping, the rows are those of the plain file; what is no event file is passed over and named; what cannot
be read is refused in one sentence.
"""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import json
import lzma
import os
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from event_files import acled, acled_row, gdelt, gdelt_row, icews, icews_row, ucdp, ucdp_row
from polars.testing import assert_frame_equal

from powderkeg.errors import EventError, PowderkegWarning
from powderkeg.events import EventTable, archives, balance, convert, read_events, streaming
from powderkeg.events.blocks import STRETCH, count_of
from powderkeg.events.encodings import twice_encoded
from powderkeg.events.files import gathered

ROWS = [icews_row(n, day=f"2018-06-{n % 28 + 1:02}", source=f"Ž{n} (Åland)") for n in range(1, 40)]
TEXT = icews(ROWS).encode()


def what_happened(table: EventTable) -> pl.DataFrame:
    return table.frame.drop("file", "line")


def write(folder: Path, content: bytes | str, name: str = "events.tab") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def fault_of(paths: Any, **options: Any) -> str:
    with pytest.raises(EventError) as caught:
        read_events(paths, **options)
    return str(caught.value)


@pytest.fixture
def plain(tmp_path: Path) -> pl.DataFrame:
    return what_happened(read_events(write(tmp_path, TEXT, "plain.tab")))


# --- standard input and pipes -----------------------------------------------------------------------------------------


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Standard input that can be read once, as a pipe can."""

    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))

    return give


PIPED: dict[str, bytes] = {
    "plain": TEXT, "gzip": gzip.compress(TEXT), "xz": lzma.compress(TEXT), "utf-16": TEXT.decode().encode("utf-16"),
}  # fmt: skip


@pytest.mark.parametrize("name", PIPED)
def test_standard_input_reads_as_the_file(
    tmp_path: Path, plain: pl.DataFrame, standard_input: Callable[[bytes], None], name: str
) -> None:
    standard_input(PIPED[name])
    assert_frame_equal(what_happened(read_events("-")), plain)
    standard_input(PIPED[name])
    convert("-", tmp_path / "out.parquet")
    assert_frame_equal(what_happened(read_events(tmp_path / "out.parquet")), plain)


def test_a_headerless_pipe_longer_than_any_first_look_loses_no_row(standard_input: Callable[[bytes], None]) -> None:
    """A second look at a pipe finds what the first left: thousands of rows were lost in silence."""
    content = gdelt([gdelt_row(n, name="X" * 300) for n in range(6000)]).encode()
    assert len(content) > 1 << 21
    standard_input(content)
    table = read_events("-")
    assert len(table) == 6000 and table.frame["file"].unique().to_list() == ["standard input"]


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_pipe_is_an_empty_file(standard_input: Callable[[bytes], None], content: bytes) -> None:
    standard_input(content)
    assert "standard input: an empty file" in fault_of("-")


def test_a_pipe_given_twice_is_refused(standard_input: Callable[[bytes], None]) -> None:
    standard_input(TEXT)
    assert "standard input: given twice" in fault_of(["-", "-"])


def test_no_standard_input_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs with windows have none."""
    monkeypatch.setattr(sys, "stdin", None)
    assert "standard input: there is none" in fault_of("-")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes in folders")
def test_a_named_pipe_reads_as_the_file(tmp_path: Path, plain: pl.DataFrame) -> None:
    pipe = tmp_path / "pipe.tab"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(TEXT))
    writer.start()
    table = read_events(pipe)
    writer.join()
    assert_frame_equal(what_happened(table), plain)
    assert table.frame["file"][0] == str(pipe)


# --- archives ---------------------------------------------------------------------------------------------------------


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def zip_of(*files: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return out.getvalue()


TARS: dict[str, Callable[[bytes], bytes]] = {
    "a.tar": lambda b: b,
    "a.tar.gz": gzip.compress,
    "a.tgz": gzip.compress,
    "a.tar.bz2": bz2.compress,
    "a.tar.xz": lzma.compress,
    "called-otherwise.dat": gzip.compress,
}


@pytest.mark.parametrize("name", TARS)
def test_a_tar_archive_reads_as_its_files(tmp_path: Path, plain: pl.DataFrame, name: str) -> None:
    half = icews(ROWS[:20]).encode(), icews(ROWS[20:]).encode()
    packed = TARS[name](tar_of({"in/a.tab": half[0], "in/b.tab": half[1], "readme.txt": b"Please cite\n"}))
    path = write(tmp_path, packed, name)
    table = read_events(path)
    assert_frame_equal(what_happened(table), plain)
    assert sorted(set(table.frame["file"])) == [f"{path}:in/a.tab", f"{path}:in/b.tab"]
    assert table.account["files_passed_over"] == [f"{path}:readme.txt"] and balance(table.account) == 0


def zstd_of(content: bytes) -> bytes:
    for module in ("compression.zstd", "backports.zstd"):
        try:
            packed: bytes = importlib.import_module(module).compress(content)
        except ImportError:
            continue
        return packed
    pytest.skip("nothing that packs with zstd is installed")


def test_zstd_reads_where_something_for_it_is_installed(tmp_path: Path, plain: pl.DataFrame) -> None:
    assert_frame_equal(what_happened(read_events(write(tmp_path, zstd_of(TEXT), "a.tab.zst"))), plain)
    packed = zstd_of(tar_of({"a.tab": TEXT}))
    assert_frame_equal(what_happened(read_events(write(tmp_path, packed, "a.tar.zst"))), plain)
    cut = zstd_of(TEXT)[:-20]
    assert "zstd" in fault_of(write(tmp_path, cut, "cut.tab.zst"))


def test_zstd_without_anything_for_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    assert "pip install 'powderkeg[zstd]'" in fault_of(write(tmp_path, b"\x28\xb5\x2f\xfd" + b"\0" * 50, "a.zst"))


def test_every_member_of_a_zip_archive_has_a_format_of_its_own(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        zip_of(
            ("GEDEvent_v23_1.csv", ucdp([ucdp_row(1)]).encode()), ("readme.txt", b"UCDP GED\nPlease cite\n"),
            ("codebook.pdf", b"%PDF-1.4 x"), ("x/acled.csv", acled([acled_row(1, day="29 May 2023")]).encode()),
            ("about-these-data.txt", b"Some words, and more.\nAnother line.\n"),
        ),
        "several.zip",
    )  # fmt: skip
    table = read_events(path)
    assert table.account["format"] == ["ucdp", "acled"] and len(table) == 2
    passed = {str(one).split(":")[-1] for one in table.account["files_passed_over"]}  # type: ignore[attr-defined]
    assert passed == {"readme.txt", "codebook.pdf", "about-these-data.txt"}
    assert any("passed over in" in str(said) for said in table.account["said"])  # type: ignore[attr-defined]


def test_of_files_of_one_name_the_last_counts(tmp_path: Path) -> None:
    """As when the archive is unpacked; the older copy is named."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zip_of(("a.tab", icews(ROWS[:5]).encode()), ("a.tab", icews(ROWS[5:8]).encode()))
    table = read_events(write(tmp_path, content, "twice.zip"))
    assert len(table) == 3 and "older copy" in str(table.account["files_passed_over"])


def test_names_in_an_archive_are_never_paths(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    content = tar_of({"../../escape.tab": icews(ROWS[:2]).encode(), "/tmp/abs\x1b[31m.tab": icews(ROWS[2:4]).encode()})
    assert len(read_events(write(folder, content, "a.tar"))) == 4
    assert [p.name for p in tmp_path.rglob("*")] == ["in", "a.tar"]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="this system has no links")
def test_links_in_an_archive_are_passed_over(tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("passwd.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        info = tarfile.TarInfo("a.tab")
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT))
    table = read_events(write(tmp_path, out.getvalue(), "a.tar"))
    assert len(table) == 39 and "passwd.csv" in str(table.account["files_passed_over"])


BOMB = b"\t".join(b"x" * 50 for _ in range(20)) + b"\n"
REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a zip in a zip": (
        "z.zip", lambda: zip_of(("b.zip", zip_of(("a.tab", TEXT))), ("c.tab", TEXT)), "inside an archive"
    ),
    "a gz in a zip": ("z.zip", lambda: zip_of(("a.tab.gz", gzip.compress(TEXT))), "inside an archive"),
    "a gz in a gz": ("z.gz", lambda: gzip.compress(gzip.compress(TEXT)), "packed again"),
    "a tar in a tar": ("z.tar", lambda: tar_of({"a.tar": tar_of({"a.tab": TEXT}), "b.tab": TEXT}), "inside an archive"),
    "a bomb in a gz": ("z.gz", lambda: gzip.compress(TEXT + BOMB * 70_000), "swells"),
    "a bomb in a tar": ("z.tgz", lambda: gzip.compress(tar_of({"a.tab": TEXT + BOMB * 70_000})), "swells"),
    "an empty tar": ("z.tgz", lambda: gzip.compress(tar_of({})), ""),
    "an empty zip": ("z.zip", lambda: zip_of(), ""),
    "only papers": ("z.zip", lambda: zip_of(("a.pdf", b"%PDF"), ("b.doc", b"x")), "no event file in it, but a.pdf"),
    "7-Zip": ("z.7z", lambda: b"7z\xbc\xaf\x27\x1c" + b"\0" * 40, "packed with 7-Zip"),
    "a picture": ("z.csv", lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "a picture"),
    "an R data file": ("z.rda", lambda: gzip.compress(b"RDX3\nX\n" + b"\0" * 40), "an R data file"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_of_an_archive_is_said(tmp_path: Path, name: str) -> None:
    file, make, said = REFUSED[name]
    assert said in fault_of(write(tmp_path, make(), file))


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    content = bytearray(zip_of(("secret.tab", TEXT)))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + at] |= 1
    assert "secret.tab: encrypted" in fault_of(write(tmp_path, bytes(content), "e.zip"))


@pytest.mark.parametrize(("cut", "rows"), [(5_600, 29), (7_168, 39), (3_584, 20)])
def test_a_tar_archive_cut_short_gives_what_is_there_and_says_so(tmp_path: Path, cut: int, rows: int) -> None:
    """Also where it is cut between two files, so that a whole one is missing."""
    content = tar_of({"a.tab": icews(ROWS[:20]).encode(), "b.tab": icews(ROWS[20:]).encode()})
    with pytest.warns(PowderkegWarning, match="tar archive ends before its end"):
        table = read_events(write(tmp_path, content[:cut], "a.tar"))
    assert len(table) == rows and balance(table.account) == 0


def test_an_archive_of_many_files_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its directory was read again for every file: time grew with the square of their number."""
    opened = []
    whole = zipfile.ZipFile.__init__

    def counted(self: zipfile.ZipFile, *args: Any, **more: Any) -> None:
        opened.append(1)
        whole(self, *args, **more)

    content = zip_of(*((f"{n}.tab", icews([icews_row(n)]).encode()) for n in range(60)))
    monkeypatch.setattr(zipfile.ZipFile, "__init__", counted)
    assert len(read_events(write(tmp_path, content, "a.zip"))) == 60 and len(opened) == 1


# --- texts ------------------------------------------------------------------------------------------------------------

OWN = [("2018-06-01", "Ana", "Bor", "190"), ("2018-06-02", "Bor", "Ana", "042"), ("2018-06-03", "Ćira", "Ana", "112")]


def own(separator: str = ",", before: str = "", rows: list[tuple[str, ...]] = OWN) -> str:
    lines = [separator.join(row) for row in [("date", "source", "target", "code"), *rows]]
    return before + "\n".join(lines) + "\n"


TEXTS: dict[str, bytes] = {
    "plain": own().encode(),
    "sep=;": own(";", "sep=;\n").encode(),
    "sep=; with a mark and returns": b"\xef\xbb\xbf" + own(";", "sep=;\n").replace("\n", "\r\n").encode(),
    '"sep=|"': own("|", '"sep=|"\n').encode(),
    "utf-16": own().encode("utf-16"),
    "utf-16 big": own().encode("utf-16-be"),
    "utf-16 little, no mark": own().encode("utf-16-le"),
    "utf-32": own().encode("utf-32"),
    "carriage returns only": own().replace("\n", "\r").encode(),
    "comments": own(before="# made by hand\n# in 2024, with care\n\n").encode(),
    "a title": own(before="Events of the year\n\n").encode(),
    "a header that begins with #": ("#" + own()).encode(),
    "tabs, values quoted, bare header": ("date\tsource\ttarget\tcode\n" + "".join(
        "\t".join(f'"{value}"' for value in row) + "\n" for row in OWN)).encode(),
    "blank lines": own(before="\n\n").replace("\n2018", "\n\n2018").encode(),
    "newline in the header": own().replace("code", '"code"').replace("target", '"target"').replace(
        "date", '"a note\nof two lines",date').replace("\n2018", "\n,2018").encode(),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_reads_alike_however_it_was_written(tmp_path: Path, name: str) -> None:
    table = read_events(write(tmp_path, TEXTS[name], "own.csv"))
    assert table.frame.select("source", "target", "code").cast(pl.String).rows() == [row[1:] for row in OWN]
    assert table.frame["time"].to_list() == [0.0, 1.0, 2.0] and table.start == date(2018, 6, 1)
    assert table.account["rows_set_aside"] == 0 and balance(table.account) == 0


def test_lines_are_counted_from_the_top_of_the_file(tmp_path: Path) -> None:
    table = read_events(write(tmp_path, own(before="# one\n\n# two\nsep=,\n") + "never,a,b,190\n", "own.csv"))
    assert table.frame["line"].to_list() == [6, 7, 8]
    assert table.quarantine is not None and table.quarantine["line"].to_list() == [9]


@pytest.mark.parametrize("encoding", ["cp1250", "cp1251", "iso8859-2", "mac-cyrillic"])
def test_an_encoding_that_is_named_is_used(tmp_path: Path, encoding: str) -> None:
    names = {"cp1250": "Šćepan Đurić", "iso8859-2": "Šćepan Đurić"}.get(encoding, "Жарко Ђурић")
    path = write(tmp_path, own(rows=[("2018-06-01", names, "Ana", "190")]).encode(encoding), "own.csv")
    table = read_events(path, encoding=encoding)
    assert table.frame["source"].to_list() == [names] and table.account["recoded"] == 0
    assert read_events(path).account["recoded"] == 1


def test_letters_that_an_encoding_lacks_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, own().encode("cp1250").replace(b"Bor,Ana", b"B\x83r,Ana"), "own.csv")
    table = read_events(path, encoding="cp1250")
    assert "1 letter could not be read" in str(table.account["said"])


def test_a_header_in_windows_1252_is_read_like_its_rows(tmp_path: Path) -> None:
    content = own().replace("source", "Säte").replace("Ćira", "Çira").encode("cp1252")
    again = content + b"date,S\xe4te,target,code\n"
    table = read_events(write(tmp_path, again, "own.csv"), mapping={"source": "Säte"})
    assert table.frame["source"].to_list() == ["Ana", "Bor", "Çira"]
    assert table.account["rows_dropped"] == {"repeated header": 1} and balance(table.account) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names of files that are no text")
def test_a_file_whose_name_is_no_text_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/Stra\xdfe.tab"))
    path.write_bytes(TEXT)
    table = read_events(path)
    assert len(table) == 39
    convert(tmp_path, tmp_path / "o.parquet")


# --- JSON -------------------------------------------------------------------------------------------------------------

RECORDS: list[dict[str, Any]] = [
    {"event_id_cnty": "NLD1", "event_date": "2023-05-10", "event_type": "Battles", "sub_event_type": "Armed clash",
     "actor1": "Army", "actor2": "NLA", "fatalities": 2, "time_precision": 1},
    {"event_id_cnty": "NLD2", "event_date": "2023-05-12", "event_type": "Riots", "sub_event_type": "Mob violence",
     "actor1": "Rioters, \"many\"", "actor2": None, "fatalities": "0", "time_precision": 1, "tags": ["a", "b"]},
]  # fmt: skip
JSON: dict[str, str] = {
    "an answer of ACLED": json.dumps({"status": 200, "success": True, "count": 2, "data": RECORDS}),
    "an answer of UCDP": json.dumps({"TotalCount": 2, "TotalPages": 1, "NextPageUrl": "", "Result": RECORDS}),
    "a list": json.dumps(RECORDS),
    "a list over many lines": json.dumps(RECORDS, indent=2),
    "JSON Lines": "".join(json.dumps(one) + "\n" for one in RECORDS),
    "JSON Lines, the last not ended": "\n".join(json.dumps(one) for one in RECORDS),
    "by column": json.dumps({key: {"0": RECORDS[0].get(key), "1": RECORDS[1].get(key)} for key in RECORDS[1]}),
    "lists by column": json.dumps({key: [one.get(key) for one in RECORDS] for key in RECORDS[1]}),
    "columns and rows": json.dumps({"columns": list(RECORDS[1]), "index": [0, 1],
                                    "data": [[one.get(key) for key in RECORDS[1]] for one in RECORDS]}),
    "GeoJSON": json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": one}
        for one in RECORDS]}),
    "a list under a key of its own": json.dumps({"made": "today", "ourEvents": RECORDS}),
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", JSON)
def test_json_reads_as_the_table_does(tmp_path: Path, name: str, packed: bool) -> None:
    content = JSON[name].encode()
    table = read_events(write(tmp_path, gzip.compress(content) if packed else content, "a.json"))
    assert table.account["format"] == "acled" and balance(table.account) == 0
    wanted = table.frame.select("source", "target", "code", "event_id", "line")
    assert wanted.with_columns(pl.col(pl.Categorical).cast(pl.String)).rows() == [
        ("Army", "NLA", "Armed clash", "NLD1", 1), ('Rioters, "many"', None, "Mob violence", "NLD2", 2),
    ]  # fmt: skip
    assert table.frame["deaths"].to_list() == [2.0, 0.0] and table.start == date(2023, 5, 10)


def test_records_that_are_no_rows_are_set_aside_with_their_line(tmp_path: Path) -> None:
    lines = [json.dumps(RECORDS[0]), "{broken", "", "[1, 2]", '{"event_date": "2023-05-11", "event_date": "x"}',
             json.dumps(RECORDS[1])]  # fmt: skip
    table = read_events(write(tmp_path, "\n".join(lines), "a.jsonl"))
    assert table.quarantine is not None and balance(table.account) == 0
    assert table.quarantine["line"].to_list() == [2, 4, 5] and table.frame["line"].to_list() == [1, 6]
    assert table.quarantine["text"][0] == "{broken"


def test_digits_of_json_numbers_stay(tmp_path: Path) -> None:
    text = '[{"date": "2018-06-01", "source": 12345678901234567890, "target": "b", "code": 190, "deaths": 1.50}]'
    table = read_events(write(tmp_path, text, "a.json"))
    assert table.frame["source"].to_list() == ["12345678901234567890"] and table.frame["deaths"].to_list() == [1.5]


@pytest.mark.parametrize("odd", [["x", {}], {"name": "x"}, [{"name": "x"}]])
def test_one_record_with_an_object_takes_no_column_from_the_others(tmp_path: Path, odd: object) -> None:
    """A list of records under `target` in one record of three used to leave all events without a target."""
    records = [
        {"date": f"2018-06-0{n}", "source": "a", "target": odd if n == 2 else f"b{n}", "code": "190"} for n in (1, 2, 3)
    ]
    table = read_events(write(tmp_path, json.dumps(records), "a.json"))
    assert table.frame["target"].to_list() == ["b1", "b3"] and balance(table.account) == 0
    assert table.quarantine is not None and "'target' holds an object" in table.quarantine["reason"][0]


def test_objects_in_records_give_columns_of_their_own(tmp_path: Path) -> None:
    records = [{"date": "2018-06-01", "who": {"name": "Ana", "id": 3}, "code": "190", "steps": [{"a": 1}]}]
    table = read_events(write(tmp_path, json.dumps(records), "a.json"), mapping={"source": "who.name"})
    assert table.frame["source"].to_list() == ["Ana"] and "steps" in str(table.account["said"])


ANSWERS: dict[str, tuple[str, str]] = {
    "forbidden": ('{"status": 403, "success": false, "error": {"message": "no access"}}', "error 403"),
    "a message": ('{"message": "Unauthorized"}', "Unauthorized"),
    "a detail": ('{"detail": "Authentication credentials were not provided."}', "Authentication"),
    "broken off": ('{"status": 200, "data": [{"event_date": "2023-05-10", "act', "broken JSON"),
    "too deep": ("[" * 100_000, "nested too deeply"),
    "no records": ('{"status": 200, "success": true, "count": 0, "data": []}', "no event row"),
    "a list of numbers": ("[1, 2, 3]", ""),
    "half a letter": ('[{"date": "\\ud800", "source": "a", "code": "190"}]', "cannot be read"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_json_without_events_says_what_it_is(tmp_path: Path, name: str) -> None:
    text, said = ANSWERS[name]
    assert said in fault_of(write(tmp_path, text, "a.json"))


def test_a_page_of_several_is_told(tmp_path: Path) -> None:
    table = read_events(write(tmp_path, json.dumps({"TotalPages": 12, "Result": RECORDS}), "a.json"))
    assert "a page of 12" in str(table.account["said"])


# --- workbooks --------------------------------------------------------------------------------------------------------


def workbook(sheets: dict[str, list[list[Any]]], first_row: int = 1) -> bytes:
    """A workbook as small as one can be: text in cells, numbers, and days as serial numbers with a date's form."""
    out = io.BytesIO()
    names = list(sheets)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        parts = "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.worksheet+xml"/>'
            for n in range(1, len(names) + 1)
        )
        book.writestr(
            "[Content_Types].xml",
            f'<Types xmlns="{package}/content-types"><Default Extension="rels" ContentType="application/vnd.openxml'
            f'formats-package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main'
            f'+xml"/><Override PartName="/xl/styles.xml" ContentType="{kind}.styles+xml"/>{parts}</Types>',
        )
        book.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(f'<sheet name="{name}" sheetId="{n}" r:id="s{n}"/>' for n, name in enumerate(names, 1))
        book.writestr(
            "xl/workbook.xml", f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{listed}</sheets></workbook>'
        )
        links = "".join(
            f'<Relationship Id="s{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.xml"/>'
            for n in range(1, len(names) + 1)
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}/relationships">{links}<Relationship Id="st" Type="{office}/styles" '
            'Target="styles.xml"/></Relationships>',
        )
        book.writestr(
            "xl/styles.xml",
            f'<styleSheet xmlns="{main}"><fonts><font/></fonts><fills><fill/></fills><borders><border/></borders>'
            '<cellStyleXfs><xf/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14" applyNumberFormat="1"/>'
            "</cellXfs></styleSheet>",
        )
        for n, rows in enumerate(sheets.values(), 1):
            book.writestr(f"xl/worksheets/sheet{n}.xml", sheet_of(rows, main, first_row))
    return out.getvalue()


def sheet_of(rows: list[list[Any]], main: str, first_row: int) -> str:
    lines = []
    for r, row in enumerate(rows, first_row):
        cells = []
        for c, value in enumerate(row):
            place = f'r="{chr(65 + c)}{r}"'
            if isinstance(value, date):
                cells.append(f'<c {place} s="1"><v>{(value - date(1899, 12, 30)).days}</v></c>')
            elif isinstance(value, (int, float)):
                cells.append(f"<c {place}><v>{value}</v></c>")
            elif value is not None:
                cells.append(f'<c {place} t="inlineStr"><is><t>{value}</t></is></c>')
        lines.append(f'<row r="{r}">{"".join(cells)}</row>')
    return f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>'


HEADER: list[Any] = ["date", "source", "target", "code", "deaths"]
SHEET: list[list[Any]] = [
    HEADER, [date(2018, 6, 1), "Ana", "Bor", "042", 1.5], [date(2018, 6, 2), "Bor", None, 190, 3],
    ["Total", None, None, None, 4.5],
]  # fmt: skip
needs_reader = pytest.mark.skipif(
    importlib.util.find_spec("fastexcel") is None, reason="the extra `excel` is not installed"
)


@needs_reader
def test_a_workbook_reads_with_days_as_days_and_numbers_as_numbers(tmp_path: Path) -> None:
    table = read_events(write(tmp_path, workbook({"Sheet1": SHEET}, first_row=3), "a.xlsx"))
    assert table.frame.select("source", "target", "code").cast(pl.String).rows() == [
        ("Ana", "Bor", "042"), ("Bor", None, "190"),
    ]  # fmt: skip
    assert (table.start, table.resolution) == (date(2018, 6, 1), "day") and table.frame["time"].to_list() == [0.0, 1.0]
    assert table.frame["deaths"].to_list() == [1.5, 3.0] and table.frame["line"].to_list() == [4, 5]
    assert table.quarantine is not None and table.quarantine["line"].to_list() == [6] and balance(table.account) == 0


@needs_reader
def test_the_first_sheet_with_events_is_read_and_another_can_be_named(tmp_path: Path) -> None:
    about: list[list[Any]] = [["About"], ["Please cite"]]
    later = [HEADER, [date(2019, 1, 5), "Eva", "Bor", 190, 0]]
    path = write(tmp_path, workbook({"About": about, "Y2018": SHEET, "Y2019": later}), "a.xlsx")
    table = read_events(path)
    assert len(table) == 2 and "sheet 'Y2018' is read" in str(table.account["said"])
    assert "events too and are not read: Y2019" in str(table.account["said"])
    assert read_events(path, sheet="Y2019").frame["source"].to_list() == ["Eva"]
    assert "no sheet 'Y2017'" in fault_of(path, sheet="Y2017")


@needs_reader
@pytest.mark.parametrize("content", [b"PK\x03\x04" + b"\0" * 50, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000])
def test_a_broken_workbook_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    assert "broken" in fault_of(write(tmp_path, content, "a.xlsx"))


@needs_reader
def test_a_sheet_that_is_nothing_but_wide_is_refused(tmp_path: Path) -> None:
    """A reader makes a table without gaps of a sheet: two cells in its corners would fill the memory."""
    content = workbook({"A": SHEET})
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        files = {name: book.read(name) for name in book.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    files[sheet] = files[sheet].replace(
        b"</sheetData>", b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    )
    assert "1,048,576 rows" in fault_of(write(tmp_path, zip_of(*files.items()), "a.xlsx"))


def test_without_the_reader_a_workbook_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    said = fault_of(write(tmp_path, workbook({"A": SHEET}), "a.xlsx"))
    assert "pip install 'powderkeg[excel]'" in said and said.count("\n") == 2


@pytest.mark.parametrize("size", [0, 1, STRETCH - 1, STRETCH, STRETCH + 1, 3 * STRETCH])
def test_a_byte_is_counted_in_blocks_of_any_length(size):
    """Blocks are counted by stretches: none may be left out or counted twice, at whatever length."""
    data = (b"ab\n\t" * (size // 4 + 1))[:size]
    assert [count_of(letter, data) for letter in (b"\n", b"\t")] == [data.count(b"\n"), data.count(b"\t")]


def test_letters_that_could_not_be_read_are_counted_beside_those_that_begin_alike(tmp_path):
    """A full-width letter begins with the same byte as the mark of an unreadable one."""
    rows = ["time,source,target,code", "2018-06-01,\uff21,B\ufffd\ufffd,190", "2018-06-02,\uff23,D,190"]
    path = tmp_path / "letters.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    said = read_events(path).account["said"]
    assert [one for one in said if "could not be read" in one] == ["2 letters could not be read and stand as \ufffd"]


@pytest.mark.parametrize("length", [1, 40, 4_000])
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_file_is_handed_on_in_pieces_that_end_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int, end: str
) -> None:
    """Long pieces are read up to a newline that is near; none may lose a byte, whether one is near or not."""
    monkeypatch.setattr(archives, "LONG_PIECE", 5_000)
    monkeypatch.setattr(archives, "PIECE", 4_000)  # looked ahead: 1,000 bytes first, a newline within 250
    text = ("\n".join("x" * (n % length + length // 2) for n in range(100_000 // length)) + end).encode()
    path = write(tmp_path, text)
    with gathered([path]) as sources:
        (member,) = archives.members(sources.files[0], sources.spool)
        assert not isinstance(member, archives.PassedOver)
        pieces = list(member.pieces())
    assert b"".join(pieces) == text
    whole = [piece.endswith(b"\n") for piece in pieces[1:-1]]
    assert whole and (all(whole) if length < 4_000 else not all(whole))


def test_texts_are_categories_at_once_only_where_that_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound rows, rows in another encoding, rows cut short and digits of another script in one file: the same table,
    however its names became categories."""
    rows = [
        icews_row(n, source=f"Police ({'ĀÉß'[n % 3]})", code=["173", "0841", "x ", "NA", ""][n % 5])
        for n in range(1, 900)
    ]
    lines = icews(rows).splitlines()
    lines[300] = lines[300].replace("Police", "  Polic\u00e9")
    odd = [
        line.encode("cp1252" if n == 300 else "utf-8")
        for n, line in enumerate(line.replace("Ā", "A") for line in lines)
    ]
    odd[500] = odd[500][:60]
    odd[700] += b"\r"
    kinds = {
        "plain.tab": "\n".join(lines).encode(),
        "odd.tab": b"\n".join(odd),
        "digits.tab": "\n".join(lines).replace("0841", "\u0660\u0668\u0664\u0661").encode(),
        "gdelt.CSV": gdelt(
            [gdelt_row(n, source="" if n % 3 else "SRB", name=f"N {n % 7}") for n in range(1, 500)]
        ).encode(),
    }
    for name, content in kinds.items():
        path = write(tmp_path, content, name)
        with monkeypatch.context() as patched:
            at_once = read_events(path)
            patched.setattr(streaming, "at_once", lambda layout: frozenset())
            later = read_events(path)
        assert at_once.account == later.account
        assert_frame_equal(at_once.frame, later.frame)


def test_a_text_encoded_twice_is_told_by_its_letters_alone() -> None:
    """The word is found from its odd letters outwards, at either end of a text, and a long text costs no time."""
    assert "looks like 'Thaçi'" in twice_encoded("Hashim ThaÃ§i, Kosovo")
    assert "looks like 'Müller'" in twice_encoded("MÃ¼ller")
    assert "looks like 'é'" in twice_encoded("Ã©")
    assert twice_encoded("São Tomé, Århus, Ângela, ÄÖÜ, " + "word " * 50_000) == ""


def test_values_that_a_database_wrapped_are_values(tmp_path: Path) -> None:
    """MongoDB writes the type of a date, an id or a number around it."""
    rows = [
        {
            "_id": {"$oid": f"5f{n}"}, "date": when, "source": "A", "target": "B", "code": "190",
            "deaths": {"$numberInt": str(n)},
        }
        for n, when in enumerate(({"$date": "2018-06-01T00:00:00Z"}, {"$date": "2018-06-03T00:00:00.000Z"}))
    ]  # fmt: skip
    table = read_events(write(tmp_path, "\n".join(map(json.dumps, rows)), "m.jsonl"))
    assert table.frame["time"].to_list() == [0.0, 2.0] and table.frame["deaths"].to_list() == [0.0, 1.0]
    odd = [{**row, "date": {"$date": {"$numberLong": "1527811200000"}}} for row in rows]
    assert read_events(write(tmp_path, "\n".join(map(json.dumps, odd)), "n.jsonl")).start == date(2018, 6, 1)
