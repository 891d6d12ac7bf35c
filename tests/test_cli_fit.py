"""`powderkeg fit` as a new user runs it: on events of a run, with wrong input, stopped half way."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest
from command_line import Command, command_line

import powderkeg as pk
from powderkeg.fit import Fit

RIVALS = """
powderkeg: 1
name: rivals
title: Two <b>rivals</b>
start: 2010-01-01
years: 3
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}, ask: {tone: cooperative, cameo: "04"}}
moves:
  threats: {who: any, does: threaten, to: any, rate: 0.2 per day}
  talks: {who: any, does: ask, to: any, rate: 0.05 per day}
mechanisms:
  retaliation: {title: A threat is answered, when: x threatens y, then: y threatens x, answers: 0.4, half_life: 2 days}
"""
FEW = ("--histories", "20")


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs the command line in an empty folder with a scenario."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rivals.yaml").write_text(RIVALS)
    return command_line(capfd)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One history, written as `powderkeg run` writes its events."""
    from powderkeg.events import write_events

    path = tmp_path_factory.mktemp("events") / "events.parquet"
    write_events(pk.simulate(pk.compile(pk.loads(RIVALS)), replicates=1, seed=3).table(), path)
    return path


def test_what_run_wrote_can_be_fitted_and_the_fit_runs(command: Command, events: Path, tmp_path: Path) -> None:
    said = command("fit", "rivals.yaml", events, *FEW, "--background", "constant", "--out", "fitted.yaml", "--json")
    assert said.code == 0, said.err
    told = said.data
    wanted = {"parameters", "log_likelihood", "likelihood", "events_used", "branching_ratio", "checks"}
    assert wanted <= set(told)
    answers = told["parameters"]["mechanisms.retaliation.answers"]
    assert {"estimate", "se", "low", "high"} <= set(answers)
    assert answers["low"] < answers["estimate"] < answers["high"]
    assert told["likelihood"] == "exact times"
    assert told["checks"]["replicates"] == 20
    assert "highest heat of a standoff" in {check["title"] for check in told["checks"]["checks"].values()}
    again = command("run", "fitted.yaml", "--replicates", "3", "--years", "1", "--json")
    assert again.code == 0, again.err
    value = pk.load(str(tmp_path / "fitted.yaml")).mechanisms["retaliation"].answers
    assert float(value) == pytest.approx(answers["estimate"], rel=1e-6)


def test_events_stamped_by_day_in_a_table_of_ones_own(command: Command, events: Path, tmp_path: Path) -> None:
    frame = pl.read_parquet(events)
    start = pk.loads(RIVALS).start
    days = frame.select(
        Date=pl.lit(start) + pl.duration(days=pl.col("time").floor().cast(pl.Int64)),
        Who=pl.col("source").cast(pl.String), What=pl.col("act").cast(pl.String), Whom=pl.col("target").cast(pl.String),
    )  # fmt: skip
    days.write_csv(tmp_path / "mine.csv")
    maps = [word for pair in ("time=Date", "source=Who", "act=What", "target=Whom") for word in ("--map", pair)]
    said = command("fit", "rivals.yaml", "mine.csv", *maps, "--background", "constant", "--no-checks", "--json")
    assert said.code == 0, said.err
    assert said.data["likelihood"].startswith("days")
    assert said.data["events_used"] == frame.height
    assert said.data["checks"] is None


def test_a_report_is_a_page_that_runs_nothing(command: Command, events: Path, tmp_path: Path) -> None:
    said = command(
        "fit", "rivals.yaml", events, *FEW, "--background", "constant", "--refits", "2", "--report", "out"
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "residuals" in said.out
    assert "does the fit find itself again?" in said.out
    folder = tmp_path / "out"
    names = {path.name for path in folder.iterdir()}
    assert {"fit.html", "fit.json", "parameters.csv", "fitted.yaml", "estimates.svg", "background.svg"} <= names
    assert {"mechanism-retaliation.svg", "residuals.svg", "predictive.svg", "foreseen.svg"} <= names
    page = (folder / "fit.html").read_text()
    assert "<script" not in page
    assert "Two &lt;b&gt;rivals&lt;/b&gt;" in page
    assert "Two <b>" not in page
    assert page.count("<figure") == 6
    assert page.count("<svg") == 6 + page.count('class="slim"')
    assert "Does the fit find itself again?" in page
    assert "nan" not in page.lower().replace("dominan", "")
    assert pl.read_csv(folder / "parameters.csv").height == 4
    told = json.loads((folder / "fit.json").read_text())
    assert told["checks"]["recovery"]["refits"] == 2
    pk.load(str(folder / "fitted.yaml"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--free", "mechanisms.retaliaton"], 2, ["--free: unknown key path 'mechanisms.retaliaton'", "nearest"]),
        (["--background", "blockz"], 2, ["--background: 'blockz'", "blocks365"]),
        (["--level", "2"], 2, ["--level: 2", "between 0 and 1"]),
        (["--prior", "strong"], 2, ["--prior: 'strong'", "delays, weak or none"]),
        (["--refits", "1"], 2, ["--refits: 1", "at least 2"]),
        (["--histories", "3"], 2, ["--histories"]),
        (["--fix", "*"], 1, ["nothing to estimate", "--free"]),
        (["--exposure", "coverage"], 2, ["--exposure: no coverage by month"]),
    ],
)
def test_a_slip_is_told_in_the_words_that_were_typed(
    command: Command, events: Path, words: list[str], code: int, said: list[str]
) -> None:
    found = command("fit", "rivals.yaml", events, *words)
    assert found.code == code
    assert "Traceback" not in found.err
    for part in said:
        assert part in found.err


def test_several_histories_are_not_one_record(command: Command, tmp_path: Path) -> None:
    from powderkeg.events import write_events

    write_events(pk.simulate(pk.compile(pk.loads(RIVALS)), replicates=2, seed=3).table(), tmp_path / "two.parquet")
    found = command("fit", "rivals.yaml", "two.parquet")
    assert found.code == 1
    assert "2 histories in one table" in found.err
    assert "--replicates 1" in found.err


def test_events_without_a_move_are_refused_or_dropped_when_asked(command: Command, tmp_path: Path) -> None:
    (tmp_path / "rivals.yaml").write_text(
        RIVALS.replace("{who: any, does: ask, to: any", "{who: north, does: ask, to: south")
    )
    rows = ["time,source,act,target"]
    rows += [f"2010-{1 + k // 28:02d}-{1 + k % 28:02d},north,threaten,south" for k in range(0, 200, 4)]
    rows += ["2010-03-03,south,ask,north", "2010-03-04,west,threaten,south"]
    (tmp_path / "odd.csv").write_text("\n".join(rows) + "\n")
    refused = command("fit", "rivals.yaml", "odd.csv", "--no-checks")
    assert refused.code == 1
    assert "no move lets 'south ask north' happen" in refused.err
    assert "--drop-unmatched" in refused.err
    dropped = command("fit", "rivals.yaml", "odd.csv", "--no-checks", "--drop-unmatched", "--json")
    assert dropped.code == 0
    assert dropped.data["events_used"] == 50
    assert "warning: 1 of 51 events" in dropped.err
    assert dropped.data["rows"]["rows_read"] == 52
    assert dropped.data["rows"]["rows_kept"] == 51


def test_stopped_while_checking_the_fit_is_kept(
    command: Command, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Fit, "check", stop)
    found = command("fit", "rivals.yaml", events, "--background", "constant", "--out", "kept.yaml", "--json")
    assert found.code == 130
    assert "Stopped while checking" in found.err
    assert found.data["checks"] is None
    assert found.data["parameters"]
    assert (tmp_path / "kept.yaml").is_file()


def test_stopped_while_fitting_nothing_is_left(
    command: Command, events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from powderkeg.fit import fitting

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "choose_background", stop)
    found = command("fit", "rivals.yaml", events, "--out", "kept.yaml")
    assert found.code == 130
    assert "Stopped." in found.err
    assert "Traceback" not in found.err
    assert not (tmp_path / "kept.yaml").exists()


def test_steps_and_rows_are_shown_on_a_terminal_as_they_are(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """File names are text: none is read as markup. Where no terminal is, nothing is shown."""
    import sys

    from powderkeg.cli.screen import Screen

    with Screen().stages("fitting") as told:
        assert told is None
    with Screen().counting("reading") as counted:
        assert counted is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "140")
    with Screen().stages("fitting") as told:
        assert told is not None
        told(0.5, "background [blocks90]")
    assert "background [blocks90]" in capfd.readouterr().err
    with Screen().counting("reading") as counted:
        assert counted is not None
        counted("/somewhere/[red]icews.tab", 1_234_567)
    assert "1,234,567 rows so far, [red]icews.tab" in capfd.readouterr().err
    with Screen(quiet=True).stages("fitting") as told:
        assert told is None


def test_of_very_many_estimates_the_first_are_listed(
    command: Command, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """777 rates were 777 lines of screen and a table as long: the first are told, with how many there are more."""
    monkeypatch.setattr("powderkeg.fit.result.MOST_TOLD", 2)
    monkeypatch.setattr("powderkeg.report.fitted.MOST_ESTIMATES", 1)
    words = ["--no-checks", "--background", "constant", "--report", "told"]
    code, out, _ = command("fit", "rivals.yaml", str(events), *words)
    assert code == 0
    assert re.search(r"and \d+ more: --json", out)
    rates = [line for line in out.splitlines() if line.startswith(("mechanisms.", "moves."))]
    assert len([line for line in rates if "  p " not in line and "yes" not in line]) == 2
    assert "are in <samp>parameters.csv</samp>" in Path("told/fit.html").read_text(encoding="utf-8")
