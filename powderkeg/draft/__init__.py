"""A scenario to start from: a small one that runs, or one drawn up from observed events.

`start` gives the text of a commented scenario; `from_events` that of one with the actors, acts and rates of a record,
`drawn_up` what it says before it is text.
Both texts are files like any other: read, checked and run by everything that takes a scenario.
"""

from powderkeg.draft.observed import drawn_up, from_events
from powderkeg.draft.small import start
from powderkeg.draft.written import DrawnUp, Thresholds, written

__all__ = ["DrawnUp", "Thresholds", "drawn_up", "from_events", "start", "written"]
