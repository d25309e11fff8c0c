"""Whether a newly activated set has shown that it plays, or must go: pure, touches nothing.

Only a page that plays the set itself is a witness, for or against. Where no page
reports at all (nobody has opened one yet), nothing is known and nothing happens.
"""

from __future__ import annotations

from dataclasses import dataclass

from kiosk_client.activation import Probation
from kiosk_client.page import PageState

HEALTHY_SECONDS = 60.0
"""So long must a page play a new set without an error."""
SILENT_SECONDS = 90.0
"""So long may a page that began a new set say nothing; a browser is restarted sooner."""
MOST_FAULTS = 3
MOST_CRASHES = 3
"""So many in ten minutes; and so many runs of the agent in which a page began with the set."""

WAIT, CONFIRM, GIVE_BACK = "wait", "confirm", "give-back"


@dataclass(frozen=True, slots=True)
class Judgement:
    """`verdict` is `wait`, `confirm` or `give-back`; the last has its `reason`."""

    verdict: str
    reason: str = ""


def judge(probation: Probation, page: PageState, content: str) -> Judgement:
    """Judge the set tagged `content`, on `probation`, by what the `page` said last."""
    if page.crashes >= MOST_CRASHES:
        return Judgement(GIVE_BACK, "page-crashed")
    if probation.starts > MOST_CRASHES:
        return Judgement(GIVE_BACK, "restarted")
    if page.content != content or page.seen_seconds_ago is None or page.screen == "gone":
        return Judgement(WAIT)
    if page.screen == "fault" and page.faults >= MOST_FAULTS:
        return Judgement(GIVE_BACK, "page-fault")
    if page.faults >= MOST_FAULTS and not page.noisy:
        return Judgement(GIVE_BACK, "page-errors")
    if page.seen_seconds_ago > SILENT_SECONDS:
        return Judgement(GIVE_BACK, "page-silent")
    if page.screen != "fault" and page.healthy_seconds >= HEALTHY_SECONDS:
        return Judgement(CONFIRM)
    return Judgement(WAIT)
