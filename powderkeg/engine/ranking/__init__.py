"""Which actor is next? Scores of all actors as the other side of an act, from the events before a day."""
