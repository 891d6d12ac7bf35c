"""`powderkeg desk`: an early-warning desk's nightly round.

In: a desk file. Out, in its folder: the night's forecast, sealed; what forecasts whose days have come scored; the page
with the scoreboard; a line in nights.jsonl. What an earlier night said is never changed. Where a step fails the others
are done all the same, what was there stays, the line says what failed, and so does the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powderkeg.cli.arguments import typed_error
from powderkeg.cli.fit import warnings_after
from powderkeg.cli.folder import Destination, Folder
from powderkeg.cli.forecast import show_scores, write, write_scores
from powderkeg.cli.options import AsJson, Quiet, Workers
from powderkeg.cli.screen import Screen, say_error
from powderkeg.errors import Fault, PowderkegError, UsageError
from powderkeg.wording import counted
from powderkeg.writing.files import text_of, try_folder
from powderkeg.writing.lock import Lock

if TYPE_CHECKING:
    from powderkeg.events import EventTable
    from powderkeg.forecast.desk import Desk
    from powderkeg.forecast.frozen import Frozen
    from powderkeg.forecast.scoreboard import Scored

FORECASTS, KEPT, FITS, LATEST, BOARD = "forecasts", "scored", "fits", "latest", "scoreboard"
LOG = "nights.jsonl"
MOST_NIGHTS = 30
"""Nights that the page names."""
FAILED = 1


def desk(
    config: Annotated[str, typer.Argument(metavar="DESK", help="A desk file; `powderkeg new FILE --desk` writes one.")]
    = "desk.yaml",
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="The round of that evening, with what was known then.")
    ] = None,
    today: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The day that the log and the page put this round under; today by UTC."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Tell the faults of the file, and do nothing.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of desk files.")] = False,
    workers: Workers = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:  # fmt: skip
    """A nightly round: read events, forecast, seal what is said, score what fell due, write the scoreboard.

    Run twice on a day, nothing is said twice. The exit code is 1 where a step failed; what was there stays.

    [bold]Example:[/] powderkeg desk desk.yaml
    """
    from powderkeg.forecast import desk as desks

    screen = Screen(as_json, quiet)
    if schema:
        print(json.dumps(desks.schema(), ensure_ascii=False, indent=2))
        return
    asked = desks.load_desk(config)
    night = Night(asked, Path(config).resolve().parent, screen, workers, _day("--as-of", as_of), _day("--today", today))
    if check:
        night.look()
        screen.data({"desk": config, "faults": []})
        screen.say(
            f"{config}: no fault. {counted(len(asked.events), 'place')} of events, {counted(asked.days, 'day')} ahead."
        )
        return
    try_folder(night.folder)
    with Lock(night.folder / ".powderkeg-desk-lock"):
        night.round()
    screen.data(night.told())
    if night.failures:
        raise typer.Exit(FAILED)


def _day(option: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(Fault.at(option, repr(text), "a day such as 2018-06-29")) from error


@dataclass
class Night:
    """One round. home: the folder of the desk file, from which its paths count; today: the day it is noted under."""

    asked: Desk
    home: Path
    screen: Screen
    workers: int | None = None
    as_of: date | None = None
    today: date | None = None
    done: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    origin: date | None = None

    @property
    def folder(self) -> Path:
        return self.home / self.asked.folder

    def look(self) -> None:
        """Raises ScenarioError, UsageError for a scenario that cannot be read, or places where there are no files."""
        from powderkeg.events.files import FileFault, gathered

        self._scenario()
        try:
            with gathered([str(self.home / place) for place in self.asked.events]):
                pass
        except FileFault as fault:
            raise UsageError(fault.fault, "nothing was run") from fault

    def round(self) -> None:
        """All steps; what fails is noted, and what does not need it is done all the same."""
        events: EventTable | None = None
        with self._step("reading events"):
            events = self._events()
        if events is not None:
            self.origin = events.end + timedelta(days=1)
            with self._step("forecasting"):
                self._forecast(events)
        self._note()
        before = len(self.failures)
        with self._step("scoring"):
            self._score(events)
        if len(self.failures) > before:
            self._note()
        for line in self.done:
            self.screen.say(line)
        for line in self.failures:
            say_error(line)

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        try:
            yield
        except PowderkegError as error:
            self.failures.append(f"{what}: {typed_error(error)}")
        except OSError as error:
            self.failures.append(f"{what}: {error.filename or ''}: {(error.strerror or str(error)).lower()}")
        except Exception as error:
            # A bug of ours: it is noted too, and goes on with its traceback.
            self.failures.append(f"{what}: {type(error).__name__}: {error}")
            self._note()
            raise

    def told(self) -> dict[str, Any]:
        return {"origin": None if self.origin is None else self.origin.isoformat(), "done": self.done,
                "failed": self.failures, "waiting": self.waiting}  # fmt: skip

    def _events(self) -> EventTable:
        from powderkeg.events import read_events

        r = self.asked.reading
        options: dict[str, Any] = {
            "format": r.format, "mapping": dict(r.columns) or None, "start": r.start, "doubles": r.doubles,
            "touching": r.touching, "aliases": None if r.aliases is None else self.home / r.aliases,
            "end": self.as_of, "scenario": self._scenario(),
        }  # fmt: skip
        places = [str(self.home / place) for place in self.asked.events]
        with self.screen.counting("reading events") as progress:
            return read_events(places, progress=progress, **options)

    def _scenario(self) -> Any:
        from powderkeg.scenario import load

        return load(self._place())

    def _place(self) -> str:
        """The scenario as `load` takes it: a file beside the desk file, else a name that comes along."""
        beside = self.home / self.asked.scenario
        return str(beside) if beside.is_file() else self.asked.scenario

    def _forecast(self, events: EventTable) -> None:
        """Say what may come, unless this was said before."""
        from powderkeg.forecast import forecast
        from powderkeg.forecast.frozen import freeze, read_frozen

        assert self.origin is not None
        place = self.folder / FORECASTS / f"{self.origin}.json"
        if place.is_file():
            self.done.append(f"{self.origin}: said before, seal {read_frozen(place).seal[:12]}; nothing is said twice")
            return
        model, law = self._model(events)
        with warnings_after(), self.screen.progress(f"{self.asked.days} days from {self.origin} on") as progress:
            found = forecast(
                model, events, days=self.asked.days, draws=int(self.asked.draws), level=self.asked.level,
                seed=int(self.asked.seed) + self.origin.toordinal(), as_of=self.as_of, fitted=law, pool=self.asked.pool,
                unmatched="drop" if self.asked.drop_unmatched else "refuse", workers=self.workers, progress=progress,
            )  # fmt: skip
        content = freeze(found)
        Destination(place).write(text_of(content.decode()))
        self.done.append(
            f"{self.origin}: {counted(self.asked.days, 'day')} foretold, seal {json.loads(content)['seal'][:12]}"
        )
        folder = Folder(self.folder / LATEST)
        with folder.results("forecast", found.model.scenario, found.seed):
            write(folder, found, found.as_dict())

    def _model(self, events: EventTable) -> tuple[Any, Any]:
        """The scenario with what its fit left open; fitted again where that is asked for and due."""
        from powderkeg.cli.compare import beside
        from powderkeg.scenario import load

        assert self.origin is not None
        if self.asked.fit is None:
            return self._scenario(), beside(self._place())
        fits = self.folder / FITS
        made = sorted(fits.glob("????-??-??.yaml"))
        made = [one for one in made if one.stem <= self.origin.isoformat()]
        if made and (self.origin - date.fromisoformat(made[-1].stem)).days < self.asked.fit.every:
            return load(made[-1]), beside(str(made[-1]))
        return self._fitted(events, fits / f"{self.origin}.yaml")

    def _fitted(self, events: EventTable, place: Path) -> tuple[Any, Any]:
        from powderkeg.cli.fit import write_scenario
        from powderkeg.fit import fit
        from powderkeg.fit.joint_law import Joint, place_beside
        from powderkeg.forecast.forecasting import known_before

        assert self.asked.fit is not None and self.origin is not None
        known = known_before(events, self.origin, self.as_of)
        if self.asked.fit.days is not None:
            known = known.between(max(known.start, self.origin - timedelta(days=int(self.asked.fit.days))), None)
        with warnings_after(), self.screen.stages(f"fitting {len(known):,} events") as stages:
            found = fit(
                self._scenario(), known, background=self.asked.fit.background, test_mechanisms=False, progress=stages,
                unmatched="drop" if self.asked.drop_unmatched else "refuse",
            )  # fmt: skip
        write_scenario(Destination(place), Destination(place_beside(place)), found)
        self.done.append(f"{self.origin}: mechanisms fitted to {counted(len(known), 'event')}")
        return found.scenario, Joint.of(found)

    def _score(self, events: EventTable | None) -> None:
        """Score what fell due and was not scored yet; write the page over all that was ever scored.

        Without events (they could not be read) the page tells what was scored before, and what failed.
        """
        from powderkeg.forecast.frozen import frozen_in, read_frozen
        from powderkeg.forecast.scoreboard import board

        found: list[Scored] = []
        for path in frozen_in(self.folder / FORECASTS):
            with self._step(f"scoring {path.name}"):
                one = read_frozen(path)
                scored = self._scored(one, events)
                if scored is not None:
                    found.append(scored)
        if not found:
            self.done += ["nothing fell due yet"] if events is not None else []
            return
        # Units are those of the scenario: boards of scenarios that differ in them are apart.
        units = found[-1].one.units
        for other in [one for one in found if one.one.units != units]:
            self.waiting.append(f"{other.one.path.name}: of a scenario with other dyads")
        made = board([one for one in found if one.one.units == units], events)
        show_scores(self.screen, made)
        scenario = found[-1].one.scenario
        folder = Folder(self.folder / BOARD)
        with folder.results("score", scenario):
            write_scores(folder, made, scenario.title or scenario.name, self.waiting, self._nights())
        self.done.append(f"Open {(folder.path / 'scores.html').resolve()}")

    def _scored(self, one: Frozen, events: EventTable | None) -> Scored | None:
        """What a forecast scored: as kept, else now if its days have come; None, and why, where they have not."""
        from powderkeg.forecast.scoreboard import kept_text, not_yet, read_kept, scored, strangers

        a = self.asked
        place = self.folder / KEPT / one.path.name
        kept = read_kept(place, one, a.by, a.level) if place.is_file() else None
        if kept is not None or events is None:
            return kept
        why = not_yet(one, events, a.wait) or strangers(one, events)
        if why:
            self.waiting.append(f"{one.path.name}: {why}")
            return None
        with self.screen.waiting(f"scoring {one.path.name}"):
            made = scored(one, events, a.by, a.level, int(a.seed), [int(h) for h in a.horizons])
        Destination(place).write(text_of(kept_text(made)))
        self.done.append(f"{one.path.name}: scored")
        return made

    def _note(self) -> None:
        """A line in the log: what was done, what failed. The last line of an origin and day stands for it."""
        now = datetime.now(UTC)
        line = {
            "night": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "day": (self.today or now.date()).isoformat(),
            **self.told(),
        }
        log = self.folder / LOG
        before = log.read_text(encoding="utf-8") if log.is_file() else ""
        text = before + json.dumps(line, ensure_ascii=False) + "\n"
        Destination(log).write(text_of(text))

    def _nights(self) -> list[dict[str, Any]]:
        """The last nights, latest first, as the page tells them."""
        found = []
        for text in (self.folder / LOG).read_text(encoding="utf-8").splitlines()[-MOST_NIGHTS:]:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            failed = line.get("failed") or []
            what = "; ".join(failed or line.get("done") or ["nothing"])
            day = str(line.get("day") or line.get("night", ""))[:10]  # lines of 0.3 know no day of their own
            found.append({"day": day, "what": what, "failed": bool(failed)})
        return found[::-1]
