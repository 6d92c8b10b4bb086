"""Labels as people and programs write them: a marking, or STANAG 4774 XML, of the active policy or a nation's."""

from __future__ import annotations

from policies import InvalidLabel, Label, SecurityPolicy, stanag4774
from portal.errors import Invalid
from portal.services.security_policy import ActivePolicy

_LARGEST = 64 * 1024


class LabelReader:
    """Reads a label under the active policy."""

    def __init__(self, policy: ActivePolicy) -> None:
        self._policy = policy

    def read(self, text: str) -> Label:
        """Read a marking such as `NATO RESTRICTED`, or a STANAG 4774 label; raises Invalid with the reasons.

        A nation's label stays as it came, and its equivalent in the active policy is put beside it; one that has no
        equivalent is refused.
        """
        policy = self._policy.current()
        stripped = text.strip()
        if not stripped:
            raise Invalid("The label is missing.", mend="Choose one; nothing was stored.")
        if len(stripped) > _LARGEST:
            raise Invalid("The label is too long.", mend="Write a marking such as NATO RESTRICTED.")
        try:
            if stripped.startswith("<"):
                label = self._read_xml(stripped.encode("utf-8", "replace"), policy)
            else:
                label = policy.parse_marking(stripped)
            problems = policy.problems(label)
        except InvalidLabel as fault:
            raise Invalid(
                f"This label does not hold: {fault}", mend="Correct the label; nothing was stored."
            ) from None
        if problems:
            reasons = " ".join(str(reason) for reason in problems)
            raise Invalid(
                f"This label does not hold: {reasons}", mend="Correct the label; nothing was stored."
            )
        return label

    def _read_xml(self, data: bytes, policy: SecurityPolicy) -> Label:
        label, own = stanag4774.parse_any(data, (policy, *self._policy.national))
        return label if own is policy else label.beside(own.translate(label, policy))
