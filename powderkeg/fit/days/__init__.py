"""Events of which the source does not know the day: what a fit makes of them, and how days are drawn for them.

`possible` days and completed data, `drawing` them given the rest, the `average` of completed likelihoods with what was
missing taken off again, `climb` to the maximum of what was seen, and the `evidence` of one set of numbers against
another.
"""
