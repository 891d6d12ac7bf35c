"""What happened, who did it to whom, and when: one table for simulated and observed events."""

from powderkeg.events.codes import codebook, crosswalk
from powderkeg.events.prepare import DOUBLES
from powderkeg.events.readers import convert, events, read_events
from powderkeg.events.store import read_table, write_events
from powderkeg.events.table import EventTable

__all__ = [
    "DOUBLES",
    "EventTable",
    "codebook",
    "convert",
    "crosswalk",
    "events",
    "read_events",
    "read_table",
    "write_events",
]
