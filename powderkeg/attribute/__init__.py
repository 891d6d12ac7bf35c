"""Who set off whom in an observed record.

In: a model or a fit, and an event table. Out: an `Attribution`, and the family trees that may be drawn from it.
"""

from powderkeg.attribute.attributing import attribute
from powderkeg.attribute.family import Family
from powderkeg.attribute.result import Attribution

__all__ = ["Attribution", "Family", "attribute"]
