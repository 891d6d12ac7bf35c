"""Systems whose numbers are known, and what is to be found again: what `fit_recovery` simulates and fits."""

from __future__ import annotations

from dataclasses import dataclass

import powderkeg as pk

RIVALS = """
powderkeg: 1
name: rivals
start: 2010-01-01
years: 10
actors: {north: {}, south: {}}
acts: {threaten: {tone: hostile, cameo: "138"}}
moves: {threats: {who: any, does: threaten, to: any, rate: 0.25 per day}}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.35, half_life: 0.35 days}
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.25, half_life: 0.35 days}
"""

GATED = """
powderkeg: 1
name: gated
start: 2010-01-01
years: 20
actors: {kosovo: {}, north: {is: [side]}, serbia: {is: [side]}, west: {}}
ties: {backing: {kind: patronage, from: serbia, to: north}}
facts: {talks: {}, deployed: {}, crisis: {}}
acts:
  threaten: {tone: hostile, cameo: "138"}
  deploy: {tone: hostile, cameo: "154"}
  clash: {tone: hostile, cameo: "190"}
  mediate: {tone: cooperative, cameo: "045"}
  withdraw: {tone: cooperative, cameo: "087"}
moves:
  threats: {who: [kosovo, side], does: threaten, to: [kosovo, side], rate: 8 per year, sets: [crisis]}
  deployments: {who: [kosovo, serbia], does: deploy, to: side, rate: 3 per year, sets: [deployed]}
  clashes: {who: [kosovo, side], does: clash, to: [kosovo, side], rate: 3 per year, clears: [talks]}
  mediation: {who: west, does: mediate, to: [kosovo, side], rate: 6 per year, sets: [talks], clears: [crisis]}
  withdrawals: {who: [kosovo, serbia], does: withdraw, to: side, rate: 3 per year, clears: [deployed]}
mechanisms:
  inertia: {when: x threatens y, then: x threatens y, answers: 0.2, half_life: 1.4 days}
  retaliation: {when: x threatens y, then: y threatens x, answers: 0.25, half_life: 2 days}
  fights_back: {when: x clashes y, then: y clashes x, answers: 0.3, half_life: 1 day}
  entrapment: {when: x threatens y, given: z backs y, then: z threatens x, answers: 0.3, half_life: 3 days}
  appeal: {when: x clashes y, then: west mediates x, answers: 0.3, half_life: 4 days}
gates:
  talks_calm: {while: talks, moves: [threats], factor: 0.5}
  deployed_raises: {while: deployed, moves: [clashes], factor: 2}
  crisis_raises: {while: crisis, moves: [deployments], factor: 1.8}
"""

# A fact that the very act it scales clears: the hardest case by day, because an act must not read what it changed.
OWN_GATE = (
    GATED.replace("name: gated", "name: own-gate")
    .replace("facts: {talks: {}", "facts: {deal: {}, measure: {}, talks: {}")
    .replace(
        "  withdraw: {tone",
        '  impose: {tone: hostile, cameo: "172"}\n  concede: {tone: cooperative, cameo: "08"}\n  withdraw: {tone',
    )
    .replace(
        "mechanisms:\n",
        "  imposes: {who: kosovo, does: impose, to: side, rate: 6 per year, sets: [measure], clears: [deal]}\n"
        "  concedes: {who: [kosovo, side], does: concede, to: [kosovo, side], rate: 4 per year, sets: [deal],\n"
        "             clears: [measure], needs: [measure]}\n"
        "mechanisms:\n"
        "  reply: {when: west mediates x, then: x concedes y, answers: 0.25, half_life: 5.5 days}\n",
    )
    .replace("gates:\n", "gates:\n  deal_calms: {while: deal, moves: [imposes], factor: 0.5}\n")
)

CLASSES = """
powderkeg: 1
name: classes
start: 2010-01-01
years: 15
actors:
  red: {is: [camp]}
  rose: {is: [camp]}
  blue: {is: [camp]}
  navy: {is: [camp]}
  broker: {}
ties:
  reds: {kind: alliance, from: red, to: rose}
  blues: {kind: alliance, from: blue, to: navy}
acts:
  accuse: {tone: hostile, cameo: "112"}
  threaten: {tone: hostile, cameo: "138"}
  appeal: {tone: cooperative, cameo: "02"}
moves:
  accusations: {who: camp, does: accuse, to: camp, rate: 6 per year}
  threats: {who: camp, does: threaten, to: camp, rate: 2 per year}
  appeals: {who: broker, does: appeal, to: camp, rate: 2 per year}
mechanisms:
  words: {when: x accuses y, then: y accuses x, answers: 0.35, half_life: 1 day}
  grows: {when: x accuses y, then: x threatens y, answers: 0.15, half_life: 4 days}
  threats_back: {when: x threatens y, then: y threatens x, answers: 0.3, half_life: 2 days}
  allies: {when: x threatens y, given: z allies y, then: z threatens x, answers: 0.2, half_life: 6 days}
  brokered: {when: x threatens y, then: broker appeals x, answers: 0.25, half_life: 3 days}
"""


@dataclass(frozen=True)
class System:
    """A scenario, the years that are watched, and the key paths to find again. Windows are long enough for each of them
    to be identified: 90 % intervals narrower than the value itself, with the exceptions that the results show."""

    scenario: pk.Scenario
    years: float
    free: tuple[str, ...]


def systems() -> dict[str, System]:
    """By name."""
    kosovo = tuple(
        f"mechanisms.{name}.answers"
        for name in (
            "north_answers", "serbia_stands_by_the_north", "kosovo_answers_openings", "war_of_words", "obligation",
            "mediation", "alert_ends", "steps_back",
        )
    )  # fmt: skip
    rivals = pk.loads(RIVALS)
    slow = {"mechanisms.inertia.half_life": "1.5 days", "mechanisms.retaliation.half_life": "4 days"}
    return {
        "rivals": System(rivals, 10.0, ("mechanisms.*.answers", "moves")),
        "slow rivals": System(pk.edit(rivals, slow), 10.0, ("mechanisms", "moves")),
        "gated": System(pk.loads(GATED), 20.0, ("mechanisms.*.answers", "moves", "gates")),
        "own gate": System(pk.loads(OWN_GATE), 20.0, ("mechanisms.*.answers", "moves", "gates")),
        "classes": System(pk.loads(CLASSES), 15.0, ("mechanisms", "moves")),
        "north-kosovo": System(pk.edit(pk.load("north-kosovo"), {"years": 17}), 17.0, kosovo),
    }
