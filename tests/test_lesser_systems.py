"""Every command on a system that lacks what only Linux has.

In a process of its own, before anything is imported, calls, signals, modules and files that macOS or Windows lack
are taken away. Libraries that look whether they are there go by what they find, as ours must.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LACKING = """
import builtins, errno, io, os, signal, sys
for name in ("sched_getaffinity", "fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "getloadavg", "sysconf",
             "mkfifo", "statvfs", "getpgid", "setsid", "nice"):
    if hasattr(os, name):
        delattr(os, name)
if hasattr(os, "process_cpu_count"):  # counts by what is lacking now, elsewhere all
    os.process_cpu_count = os.cpu_count
for name in ("SIGALRM", "SIGPIPE", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "setitimer", "alarm", "pthread_kill"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None  # an import of it fails
opened = io.open

def closed(file, *args, **options):
    if str(file).startswith(("/proc", "/sys/fs/cgroup")):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
    return opened(file, *args, **options)

io.open = builtins.open = closed
"""
EVERY_COMMAND = """
import powderkeg
from powderkeg.cli import main

few = ["--replicates", "4", "--quiet"]
for words in (
    ["run", "brawl.yaml", *few, "--out", "run"],
    ["compare", "brawl.yaml", "calm", "--no-ranges", *few, "--out", "compared"],
    ["sweep", "brawl.yaml", "--over", "mechanisms.retaliation.answers=0.1:0.3:2", *few, "--out", "swept"],
    ["fit", "brawl.yaml", "events.csv", "--background", "constant", "--quiet", "--out", "fitted.yaml"],
    ["attribute", "brawl.yaml", "events.csv", "--quiet", "--out", "attributed"],
    ["replay", "brawl.yaml", "events.csv", "--without", "retaliation", "--imputations", "2", "--no-ranges", *few,
     "--out", "replayed"],
    ["rare", "brawl.yaml", "anyone_killed", "--starts", "20", "--repetitions", "2", "--quiet"],
):
    try:
        main(words)
    except SystemExit as left:
        print(words[0], left.code)
"""
SCENARIO = """
powderkeg: 1
name: brawl
title: Two quarrel
start: 2010-01-01
years: 1
actors: {north: {}, south: {}}
acts:
  threaten: {tone: hostile}
  strike: {tone: hostile, hurts: death}
moves:
  threats: {who: [north, south], does: threaten, to: [north, south], rate: 8 per year}
  strikes: {who: [north, south], does: strike, to: [north, south], rate: 1 per year}
mechanisms:
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.3, half_life: 5 days}
outcomes:
  anyone_killed: {title: Someone is killed, any: {hurts: death}, better: less}
interventions:
  calm: {set: {mechanisms.retaliation.answers: 0.1}}
"""
COMMANDS = ("run", "compare", "sweep", "fit", "attribute", "replay", "rare")


def events() -> str:
    """One history, stamped by the day."""
    rows = [
        f"2010-{month:02}-{day:02},{source},{target},{act}"
        for month in range(1, 13)
        for day, source, target, act in (
            (3, "north", "south", "threaten"),
            (6, "south", "north", "threaten"),
            (20, "south", "north", "strike" if month % 5 == 0 else "threaten"),
        )
    ]
    return "\n".join(["date,source,target,act", *rows]) + "\n"


@pytest.mark.slow
def test_every_command_lives_where_calls_of_linux_are_missing(tmp_path: Path) -> None:
    (tmp_path / "brawl.yaml").write_text(SCENARIO, encoding="utf-8", newline="\n")
    (tmp_path / "events.csv").write_text(events(), encoding="utf-8", newline="\n")
    words = [sys.executable, "-c", LACKING + EVERY_COMMAND]
    done = subprocess.run(
        words,
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout.splitlines() == [f"{name} 0" for name in COMMANDS], done.stderr
