"""The policies of states and organisations whose classifications have a published equivalent in NATO's.

`nations/equivalence.csv` is the source: one row for each level, with the public text that it was read in; an
empty name says that there is no such level, which is why it is refused and never mapped to the next one.
`python -m policies.nations` writes each policy as a SPIF file from those rows. A mapped label gets the context
NATO, which the shipped policy demands: it says how the content is protected, not to whom it is released.
"""

from __future__ import annotations

import csv
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from policies.policy import SecurityPolicy
from policies.spif import load_policy

FOLDER = Path(__file__).with_name("nations")
TABLE = FOLDER / "equivalence.csv"
LEVELS: Mapping[str, int] = {"RESTRICTED": 2, "CONFIDENTIAL": 3, "SECRET": 4, "TOP SECRET": 5}
"""NATO's classifications and their label and certificate values."""


@dataclass(frozen=True, slots=True)
class Nation:
    """A state or an organisation: its code (ISO 3166 alpha-3 for states), its words, and where they were read.

    `levels` are (NATO's name, its own name), lowest first, of those that it has.
    """

    code: str
    state: str
    levels: tuple[tuple[str, str], ...]
    source: str

    @property
    def policy_id(self) -> str:
        """An object identifier of our own (under 2.25): the published texts give these policies none."""
        return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'1.3.26.1.3.1/{self.code}').int}"


def read_table(path: Path = TABLE) -> tuple[Nation, ...]:
    """Return the nations of a table, in its order."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return tuple(
        Nation(
            code,
            mine[0]["state"],
            tuple((row["nato"], row["name"]) for row in mine if row["name"]),
            mine[0]["source"],
        )
        for code in dict.fromkeys(row["policy"] for row in rows)
        if (mine := [row for row in rows if row["policy"] == code])
    )


def spif(nation: Nation) -> bytes:
    """Return the SPIF file of a nation: its classifications, each with its equivalent, and nothing else."""
    classes = "\n".join(
        f"""    <spif:securityClassification name="{escape(name)}" lacv="{LEVELS[nato]}" hierarchy="{rank}">
      <spif:equivalentClassification policyRef="NATO" lacv="{LEVELS[nato]}" applied="both"/>
    </spif:securityClassification>"""
        for rank, (nato, name) in enumerate(nation.levels, 1)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!--
  {escape(nation.state)}: written by policies/nations.py from nations/equivalence.csv.
  Read in: {escape(nation.source)}
-->
<spif:SPIF xmlns:spif="http://www.xmlspif.org/spif" schemaVersion="2.1" version="1"
    creationDate="20261124000000Z" originatorDN="CN=Strongroom" keyIdentifier="00"
    privilegeId="1.3.26.0.4774.5.24.1" rbacId="1.3.26.0.4774.5.24.1">
  <spif:securityPolicyId name="{escape(nation.code)}" id="{nation.policy_id}">
    <spif:markingData><spif:code>noNameDisplay</spif:code></spif:markingData>
  </spif:securityPolicyId>
  <spif:securityClassifications>
{classes}
  </spif:securityClassifications>
  <spif:equivalentPolicies>
    <spif:equivalentPolicy name="NATO" id="1.3.26.1.3.1">
      <spif:requiredCategory operation="all">
        <spif:categoryGroup tagSetRef="Context" tagType="permissive" lacv="1001"/>
      </spif:requiredCategory>
    </spif:equivalentPolicy>
  </spif:equivalentPolicies>
</spif:SPIF>
""".encode()


def load_nations(folder: Path = FOLDER) -> Mapping[str, SecurityPolicy]:
    """Load the policies of a folder by name. Raises InvalidPolicy, OSError."""
    policies = [load_policy(path) for path in sorted(folder.glob("*.xml"))]
    return {policy.name: policy for policy in policies}


def write(nations: Iterable[Nation], folder: Path = FOLDER) -> None:
    """Write the SPIF file of each nation into a folder."""
    for nation in nations:
        (folder / f"{nation.code.lower()}.xml").write_bytes(spif(nation))


if __name__ == "__main__":  # pragma: no cover - the test of `write` does the same
    write(read_table())
