"""What happened, who did it to whom, and when: one table for simulated and observed events.

`read_events`, `events` and `convert` make tables of files and dataframes; `summary` and `match` say what is in one and
who is who; `prepare` holds the same preparation for dataframes of any kind.
"""

from powderkeg.events.account import balance
from powderkeg.events.codes import CODEBOOKS, TONES, codebook, crosswalk, to_cameo, to_plover
from powderkeg.events.match import Matcher, MatchReport, match
from powderkeg.events.prepare import DOUBLES
from powderkeg.events.quarantine import write_quarantine
from powderkeg.events.readers import convert, events, read_events
from powderkeg.events.store import FrameWriter, read_table, write_events
from powderkeg.events.summary import Summary, summary
from powderkeg.events.table import EventTable

__all__ = [
    "CODEBOOKS",
    "DOUBLES",
    "TONES",
    "EventTable",
    "FrameWriter",
    "MatchReport",
    "Matcher",
    "Summary",
    "balance",
    "codebook",
    "convert",
    "crosswalk",
    "events",
    "match",
    "read_events",
    "read_table",
    "summary",
    "to_cameo",
    "to_plover",
    "write_events",
    "write_quarantine",
]
