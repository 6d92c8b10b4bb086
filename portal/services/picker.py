"""The label picker: what an uploader may choose, and the marking that results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from policies import Clearance, InvalidLabel, Label
from policies.offers import LabelOffer
from portal.errors import Invalid
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.settings import Settings


class Picker:
    """Offers labels within a person's clearance and the system's ceiling."""

    def __init__(self, database: Database, access: Access, settings: Settings) -> None:
        self._database = database
        self._access = access
        self._settings = settings

    def offer(self, actor: Actor) -> LabelOffer:
        """Return what this person may choose now; nothing when neither clearance nor briefing is in force."""
        policy = self._access.policy
        now = self._access.environment(actor).time
        with self._database.read() as session:
            subject = self._access.subject(session, actor)
        held = [
            grant.clearance
            for grant in subject.clearances
            if grant.period.contains(now) and grant.clearance.policy_id == policy.id
        ]
        # A briefing stands in for a clearance at the lower levels; the rules never unite two grants, so neither do we.
        held += [
            Clearance(policy.id, briefing.classifications, briefing.categories)
            for briefing in subject.briefings
            if briefing.period.contains(now) and briefing.policy_id == policy.id
        ]
        widest = max(
            held, key=lambda one: len(one.classifications), default=Clearance(policy.id, frozenset(), {})
        )
        return policy.offer(widest, self._settings.ceiling)

    def compose(self, classification: str, values: Mapping[str, Iterable[str]]) -> Label:
        """Return the label of these choices, with what the policy adds by itself; raises Invalid with the reasons."""
        try:
            return self._access.policy.compose(classification, values)
        except InvalidLabel as fault:
            raise Invalid(f"These choices do not go together: {fault}", mend="Choose differently.") from None

    def marking(self, label: Label) -> str:
        """Return how a document with this label is marked."""
        return self._access.marking(label)
