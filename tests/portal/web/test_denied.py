"""What the page of a knowable denial tells people to do."""

from __future__ import annotations

import pytest

from portal.services.access import WHOM_TO_ASK
from portal.web.denied import steps_for


@pytest.mark.parametrize("rule", sorted(WHOM_TO_ASK))
def test_each_denial_that_one_may_know_of_has_steps_of_its_own(rule: str) -> None:
    assert steps_for([rule]) != steps_for(["another rule"])


def test_steps_for_several_rules_are_said_once_and_opening_again_comes_last() -> None:
    steps = steps_for(["clearance-in-force", "assurance", "clearance-in-force"])
    assert len(steps) == len(set(steps)) == 4
    assert steps[-1].startswith("Then open the same address again")
