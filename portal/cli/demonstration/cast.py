"""Who is in the demonstration, and where: organisations, programmes, people. All of it is invented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policies.requests import Role

OFFICE = "Capability Programme Office"
SARRAZIN = "Sarrazin Électronique"
FJORDLINE = "Fjordline Marine"
NATIONS = {OFFICE: "BEL", SARRAZIN: "FRA", FJORDLINE: "NOR"}
COMPANIES = (SARRAZIN, FJORDLINE)

HARBOUR, RELAY, SPAN = "Harbour Watch", "Northern Relay", "Clear Span"
PROGRAMMES = {
    HARBOUR: (
        "partner",
        "partner-other",
        "official",
        "official-restricted",
        "katerina",
        "official-lapsed",
        "renaud",
    ),
    RELAY: ("partner", "official", "katerina"),
    SPAN: ("partner-other", "official", "official-restricted", "official-lapsed", "siobhan"),
}
"""Programmes with their members, by the parts that they play."""


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody of the demonstration: `key` is what scripts know them by, `cleared` the highest level or empty."""

    key: str
    name: str
    email: str
    organisation: str
    role: Role
    cleared: str = ""


CAST = (
    Part("partner", "Hélène Marchand", "helene.marchand@sarrazin.example", SARRAZIN, Role.PARTNER, "SECRET"),
    Part(
        "partner-other", "Sigrid Aasen", "sigrid.aasen@fjordline.example", FJORDLINE, Role.PARTNER, "SECRET"
    ),
    Part("official", "Ingrid Halvorsen", "ingrid.halvorsen@cpo.example", OFFICE, Role.OFFICIAL, "SECRET"),
    Part(
        "official-restricted",
        "Marc Delacroix",
        "marc.delacroix@cpo.example",
        OFFICE,
        Role.OFFICIAL,
        "RESTRICTED",
    ),
    Part("officer", "Lukas Brandt", "lukas.brandt@cpo.example", OFFICE, Role.OFFICER),
    Part("officer-second", "Beatriz Azevedo", "beatriz.azevedo@cpo.example", OFFICE, Role.OFFICER),
    Part("auditor", "Ewa Nowicka", "ewa.nowicka@cpo.example", OFFICE, Role.AUDITOR),
    Part("auditor-second", "Anton Dimitrov", "anton.dimitrov@cpo.example", OFFICE, Role.AUDITOR),
    Part("administrator", "Femke Jansen", "femke.jansen@cpo.example", OFFICE, Role.ADMINISTRATOR),
    Part(
        "official-lapsed",
        "Tomasz Wilk",
        "tomasz.wilk@cpo.example",
        OFFICE,
        Role.OFFICIAL,
        "CONFIDENTIAL",
    ),
)
OTHERS = (
    Part("katerina", "Katerina Doukas", "katerina.doukas@cpo.example", OFFICE, Role.OFFICIAL, "CONFIDENTIAL"),
    Part("siobhan", "Siobhán Kerr", "siobhan.kerr@fjordline.example", FJORDLINE, Role.PARTNER, "RESTRICTED"),
    Part("renaud", "Renaud Girard", "renaud.girard@sarrazin.example", SARRAZIN, Role.PARTNER, "CONFIDENTIAL"),
)
"""Who is there as well, without a part for scripts: nobody keeps their sign-ins."""

PEOPLE: Mapping[str, Part] = MappingProxyType({part.key: part for part in (*CAST, *OTHERS)})

CLEARED_UNTIL: Mapping[str, float] = MappingProxyType(
    {"official-lapsed": -3.6, "katerina": 12.4, "partner-other": 26.3}
)
"""Clearances that end: days after the first start; the others end with nothing but a decision."""

MEMBER_UNTIL: Mapping[tuple[str, str], float] = MappingProxyType(
    {(SPAN, "official-restricted"): 18.2, (HARBOUR, "renaud"): 5.3}
)
"""Memberships that end, likewise."""

FIRST = ("officer", "officer-second", "administrator")
"""Whom the installation itself creates."""

CATEGORIES = {"Context": ("NATO",), "Releasable To": ("NATO",)}
AUTHORITY = "National Security Authority"
FACILITY = "SECRET"
"""Up to which level the companies' premises are cleared."""
