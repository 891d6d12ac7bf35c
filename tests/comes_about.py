"""Scenarios whose facts come about by acts, chances and time; and one whose facts never change."""

COMES_ABOUT = """
powderkeg: 1
name: comes-about
start: 2020-01-01
years: 2
actors: {north: {}, south: {}}
facts:
  alert: {lasts: 20 days, comes: 0.002 per day}
  posture: {levels: [low, middle, high]}
  truce: {starts: on}
acts: {block: {tone: hostile}, raise: {tone: neutral}, jump: {tone: neutral}}
moves:
  blocks: {who: north, does: block, to: south, rate: 0.01 per day, sets: {alert: 40 %}}
  raises: {who: south, does: raise, to: north, rate: 0.004 per day, sets: {posture.middle: 50 %, posture.high: 50 %}}
outcomes:
  alerted: {first: alert}
  ever: {any: alert}
  middle: {first: posture.middle}
  high: {first: posture.high}
  raised: {first: posture}
  truce: {first: truce}
  broken: {first: truce.off}
"""

STILL = """
powderkeg: 1
name: still
start: 2020-01-01
actors: {a: {}, b: {}}
facts: {truce: {starts: on}}
acts: {hit: {tone: hostile}}
moves: {hits: {who: a, does: hit, to: b, rate: 1 per year}}
outcomes: {truce: {first: truce}, broken: {any: truce.off}}
"""
