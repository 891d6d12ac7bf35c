"""Numbered pieces of a long job, made here or by somebody else's executor, kept as soon as they are whole.

In: a function of a piece's number, how many there are; perhaps a job folder, an executor. Out: the pieces in order. An
executor is anything that keeps to `concurrent.futures`: pools of threads or processes, Dask's `client.get_executor()`,
mpi4py, executorlib; or whose `submit` gives back something with `done`, `result`, `exception` and `cancel`: submitit.
What it gets is the function and a number, so both must be such that they can be sent. Nothing of all this can be seen
in a result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from powderkeg.errors import Fault, PowderkegError
from powderkeg.simulate.checkpoints import LOOKS, JobFolder, Shelf
from powderkeg.simulate.sending import Sent
from powderkeg.simulate.workers import AHEAD, in_order

T = TypeVar("T")

GUESSED = 16
"""Workers of an executor that does not say how many it has."""
SILENCE, TIMES = 30.0, 6.0
"""Seconds without a sign, and so many times the longest piece as yet, after which waiting pieces are handed out again:
a worker that hangs never says so."""
MOST_NAMED = 5
"""Pieces told by number."""
AGAIN = 3
"""Times in a row that pieces are handed out again before the executor is given up."""
LOOKED, GLANCE = 0.1, 0.5
"""Seconds between two looks at what was handed out; where every look is one at files, as submitit's are, longer."""
GIVEN_UP = ("KilledWorker", "FailedJobError", "UncompletedJobError")
"""Errors by which Dask and submitit say that a piece was given up: known by name, as neither is needed here."""


class WorkerError(PowderkegError):
    """The executor lost a worker for good, or gives no sign any more."""


def made_in_order(
    make: Callable[[int], T],
    pieces: int,
    *,
    workers: int = 0,
    kept: JobFolder | None = None,
    executor: Executor | None = None,
    tick: Callable[[], None] | None = None,
    stop: Callable[[], None] | None = None,
) -> Iterator[T]:
    """make(0), make(1), ... of so many pieces: of a share its own alone, at whose end PartDone is raised.

    workers   threads here; 0: whoever iterates makes them, and `make` shares its own work out
    kept      where finished pieces are, and are put
    tick, stop  see `in_order`
    executor  makes the pieces instead; `make` must be a function, or an object with data, that can be pickled

    Raises what `make` raises, WorkerError if the executor fails, and what `kept` raises.
    """
    numbers = range(pieces) if kept is None else kept.begin(pieces)
    if executor is not None:
        yield from made_elsewhere(make, numbers, kept, executor, tick)
    else:

        def work(place: int) -> T:
            number = numbers[place]
            return make(number) if kept is None else kept.get(number, make)

        yield from in_order(work, len(numbers), workers, tick=tick, stop=stop)
    if kept is not None:
        kept.finish()


@dataclass(frozen=True)
class OnShelf:
    """Comes in place of a piece that its maker has kept in the job's folder."""


@dataclass(frozen=True)
class KeepingTask(Generic[T]):
    """Makes large pieces elsewhere and keeps them there, if the job's folder is seen: acts that come back through a
    scheduler are copied four times on the way."""

    make: Callable[[int], T]
    shelf: Shelf

    def __call__(self, number: int) -> T | OnShelf:
        made = self.make(number)
        return OnShelf() if self.shelf.keep(number, made) else made


class _Waiting:
    """One piece that was handed out, perhaps more than once: whichever copy comes first counts."""

    def __init__(self, number: int, future: Future[Any]) -> None:
        self.number, self.copies, self.since, self.is_kept = number, [future], time.monotonic(), False

    def done(self) -> Future[Any] | None:
        """A copy with a result; one that failed counts only when no other is left."""
        over = [one for one in self.copies if one.done()]
        good = [one for one in over if not _is_cancelled(one) and one.exception() is None]
        if good:
            return good[0]
        return over[0] if len(over) == len(self.copies) else None


def made_elsewhere(
    make: Callable[[int], T],
    numbers: range,
    kept: JobFolder | None,
    executor: Executor,
    tick: Callable[[], None] | None,
) -> Iterator[T]:
    """Pieces in order from an executor that is not ours: it is not shut down, but nothing of ours is left in it."""
    waiting: list[_Waiting] = []
    most = AHEAD * workers_of(executor)
    left, silence, plain = iter(numbers), _Silence(), Sent(make)
    sent: Sent[Any] = plain if kept is None or not kept.kind.heavy else Sent(KeepingTask(make, kept.shelf))

    def start(number: int) -> Future[Any]:
        return executor.submit(sent, number)

    def keep(one: _Waiting) -> None:
        nonlocal sent
        if not _keep(one, kept, silence, LOOKS if sent is not plain else (0.0,)):
            sent = plain  # it is another folder that the workers see
            one.copies = [start(one.number)]

    try:
        more = True
        while waiting or more:
            while more and len(waiting) < most:
                number = next(left, None)
                more = number is not None
                if number is not None:
                    future = start(number) if kept is None else kept.started(number, start)
                    waiting.append(_Waiting(number, future))
            _wait(waiting)
            for one in waiting:
                keep(one)
            while waiting and waiting[0].done() is not None:
                # It may have come since they were looked through.
                keep(waiting[0])
                if (found := waiting[0].done()) is None:
                    break
                waiting.pop(0)
                yield found.result()
            if tick is not None:
                tick()
            if waiting and silence.is_long():
                silence.again(kept)
                for one in waiting:
                    if one.done() is None:
                        one.copies.append(start(one.number))
    except Exception as error:
        if type(error).__name__ in GIVEN_UP:
            raise _lost(f"the executor gave a piece up: {_told(error)}", kept) from error
        if not isinstance(error, BrokenExecutor | CancelledError):
            raise
        raise _lost(f"the executor lost its workers: {_told(error)}", kept) from error
    except KeyboardInterrupt as stop:
        if waiting:
            stop.add_note(_out(waiting))
        raise
    finally:
        for one in waiting:
            for future in one.copies:
                if not future.done():
                    future.cancel()


def _is_cancelled(future: Future[Any]) -> bool:
    """Not every executor's future can be asked."""
    return isinstance(future, Future) and future.cancelled()


def _told(error: Exception) -> str:
    """The line of an executor's error that says most: of a traceback sent as text the one that names the error."""
    lines = [line.rstrip() for line in str(error).splitlines() if line.strip()]
    frames = [place for place, line in enumerate(lines) if line.startswith("Traceback (")]
    if frames:
        lines = [line for line in lines[frames[-1] + 1 :] if not line.startswith(" ")] or lines
    return (lines or [type(error).__name__])[0]


def _out(waiting: list[_Waiting]) -> str:
    """Which pieces have not come, and for how long: a worker that hangs says nothing itself."""
    late = [one for one in waiting if one.done() is None]
    named = ", ".join(str(one.number) for one in late[:MOST_NAMED]) + ", ..." * (len(late) > MOST_NAMED)
    many = "piece" if len(late) == 1 else "pieces"
    longest = max((time.monotonic() - one.since for one in late), default=0.0)
    return f"{len(late):,} {many} had not come back from the executor, the oldest after {longest:,.0f} s: {named}"


def _wait(waiting: list[_Waiting]) -> None:
    """Until something comes, or a moment."""
    open_ones = [future for one in waiting for future in one.copies if not future.done()]
    if not open_ones or (waiting and waiting[0].done() is not None):
        return
    if all(isinstance(one, Future) for one in open_ones):
        wait(open_ones, timeout=LOOKED, return_when=FIRST_COMPLETED)
    else:
        time.sleep(GLANCE)


def _keep(one: _Waiting, kept: JobFolder | None, silence: _Silence, looks: Sequence[float]) -> bool:
    """What came is kept at once, whatever stands before it in the line. False if it was kept where it is not seen.

    looks  see `JobFolder.taken`
    """
    found = one.done()
    if found is None or one.is_kept:
        return True
    silence.heard(time.monotonic() - one.since)
    if kept is not None and found.exception() is None:
        content = found.result()
        if isinstance(content, OnShelf):
            content = kept.taken(one.number, looks)
            if content is None:
                return False
            one.copies = [_ready(content)]
        elif one.number not in kept.kept:
            kept.write(one.number, content)
    one.is_kept = True
    return True


def _ready(content: T) -> Future[T]:
    """A piece that is at hand."""
    ready: Future[T] = Future()
    ready.set_result(content)
    return ready


class _Silence:
    """How long nothing has come, against how long pieces take."""

    def __init__(self) -> None:
        self.last, self.longest, self.rounds = time.monotonic(), 0.0, 0

    def heard(self, took: float) -> None:
        """A piece has come, so long after it was handed out."""
        self.last, self.longest, self.rounds = time.monotonic(), max(self.longest, took), 0

    def is_long(self) -> bool:
        """Before the first piece nobody knows how long one takes."""
        return self.longest > 0.0 and time.monotonic() - self.last > max(SILENCE, TIMES * self.longest)

    def again(self, kept: JobFolder | None) -> None:
        """One more round. Raises WorkerError after too many."""
        self.rounds += 1
        if self.rounds > AGAIN:
            raise _lost(f"the executor has given no sign, though asked {AGAIN} times again", kept)
        self.last = time.monotonic()


def _lost(what: str, kept: JobFolder | None) -> WorkerError:
    after = "nothing was kept" if kept is None else f"{kept.said()}; the same command goes on from them"
    return WorkerError(Fault.at("executor", what, "workers that live until their piece is made"), after)


def workers_of(executor: Executor) -> int:
    """How many pieces an executor works on at a time, as far as it can be known."""
    client = getattr(executor, "_client", None)
    if client is not None and hasattr(client, "nthreads"):
        return max(int(sum(client.nthreads().values())), 1)
    return int(getattr(executor, "_max_workers", 0) or GUESSED)
