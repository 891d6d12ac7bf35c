"""Draw histories: what is proposed, what is thinned away, and in which order events come."""
