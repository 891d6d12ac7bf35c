"""Run a model many times: histories, each with every event's parent.

In: a `Model` (or a bare `System`), how long, how often, a seed; perhaps a past, a world, a folder for checkpoints.
Out: `Runs`. Replicates are shared out to threads in chunks; a replicate's events depend on its seed and number alone,
so neither the number of workers nor the size of chunks can be seen in the result.
"""

from powderkeg.simulate.jobs import EVENT_LIMIT as EVENT_LIMIT
from powderkeg.simulate.jobs import TRIAL as TRIAL
from powderkeg.simulate.jobs import Interrupted as Interrupted
from powderkeg.simulate.jobs import blame as blame
from powderkeg.simulate.jobs import needs_trial as needs_trial
from powderkeg.simulate.jobs import simulate as simulate
from powderkeg.simulate.jobs import simulate_parts as simulate_parts
from powderkeg.simulate.jobs import stopped_words as stopped_words
from powderkeg.simulate.past import past_of as past_of
from powderkeg.simulate.pieces import WorkerError as WorkerError
from powderkeg.simulate.plans import JobPlan as JobPlan
from powderkeg.simulate.plans import PartDone as PartDone
from powderkeg.simulate.runs import Runs as Runs
from powderkeg.simulate.runs import system_of as system_of
