"""Loops of the forecast: what a past still sets off, the level of the background, when in its day an act came."""
