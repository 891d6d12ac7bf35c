"""How well does a model do: against a dated record, and as a forecaster.

In: scenarios or models, records, observed events. Out: scores, line by line, with their uncertainty.
"""

from powderkeg.score.definition import load_record
from powderkeg.score.definition import names as record_names
from powderkeg.score.record import Record, RecordLine, own_record, record
from powderkeg.score.table import read_table

__all__ = ["Record", "RecordLine", "load_record", "own_record", "read_table", "record", "record_names"]
