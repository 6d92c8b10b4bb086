"""What people type into administration forms, checked and brought into the one form in which it is stored."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

from policies.requests import Period
from portal.errors import Invalid
from portal.identity.emails import normal_email

LONGEST_NAME = 200

# ISO 3166-1 alpha-3: the officially assigned codes.
_CODES = """
    ABW AFG AGO AIA ALA ALB AND ARE ARG ARM ASM ATA ATF ATG AUS AUT AZE BDI BEL BEN BES BFA BGD BGR BHR BHS BIH BLM
    BLR BLZ BMU BOL BRA BRB BRN BTN BVT BWA CAF CAN CCK CHE CHL CHN CIV CMR COD COG COK COL COM CPV CRI CUB CUW CXR
    CYM CYP CZE DEU DJI DMA DNK DOM DZA ECU EGY ERI ESH ESP EST ETH FIN FJI FLK FRA FRO FSM GAB GBR GEO GGY GHA GIB
    GIN GLP GMB GNB GNQ GRC GRD GRL GTM GUF GUM GUY HKG HMD HND HRV HTI HUN IDN IMN IND IOT IRL IRN IRQ ISL ISR ITA
    JAM JEY JOR JPN KAZ KEN KGZ KHM KIR KNA KOR KWT LAO LBN LBR LBY LCA LIE LKA LSO LTU LUX LVA MAC MAF MAR MCO MDA
    MDG MDV MEX MHL MKD MLI MLT MMR MNE MNG MNP MOZ MRT MSR MTQ MUS MWI MYS MYT NAM NCL NER NFK NGA NIC NIU NLD NOR
    NPL NRU NZL OMN PAK PAN PCN PER PHL PLW PNG POL PRI PRK PRT PRY PSE PYF QAT REU ROU RUS RWA SAU SDN SEN SGP SGS
    SHN SJM SLB SLE SLV SMR SOM SPM SRB SSD STP SUR SVK SVN SWE SWZ SXM SYC SYR TCA TCD TGO THA TJK TKL TKM TLS TON
    TTO TUN TUR TUV TWN TZA UGA UKR UMI URY USA UZB VAT VCT VEN VGB VIR VNM VUT WLF WSM YEM ZAF ZMB ZWE
    """
_ASSIGNED = frozenset(_CODES.split())
# ISO 3166-1, clause 8.1.3: codes that users may assign themselves (Kosovo is XKX in general use).
_USER_ASSIGNED = re.compile(r"AAA|Q[M-Z][A-Z]|X[A-Z][A-Z]|ZZZ")

# What an address would need quotes for (RFC 5322, section 3.2.3), or what would make it more than one address.
_NOT_IN_ADDRESSES = frozenset('()<>[]:;\\,"')


def name(text: str, what: str, longest: int = LONGEST_NAME) -> str:
    """Return a name in NFC without spaces around it; `what` says in messages whose name it is.

    Raises Invalid when it is empty, too long, or holds control, formatting or other characters that do not show.
    """
    written = unicodedata.normalize("NFC", text)
    spaced = "".join(" " if unicodedata.category(letter) == "Zs" else letter for letter in written).strip()
    if not spaced:
        raise Invalid(f"The {what} is missing.", mend="Write it; nothing was changed.")
    if len(spaced) > longest:
        raise Invalid(
            f"The {what} has {len(spaced):,} characters; at most {longest} are kept.", mend="Shorten it."
        )
    if not spaced.isprintable():
        raise Invalid(
            f"The {what} holds characters that cannot be shown, such as line breaks.", mend="Remove them."
        )
    return spaced


def same_name(one: str, other: str) -> bool:
    """Tell whether two names would be taken for one another: apart from case, width and spacing they are alike."""
    return _folded(one) == _folded(other)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def nation(text: str) -> str:
    """Return an ISO 3166-1 alpha-3 code in upper case; raises Invalid for anything else."""
    code = text.strip().upper()
    if code not in _ASSIGNED and _USER_ASSIGNED.fullmatch(code) is None:
        raise Invalid(
            "This is not the code of a nation.",
            mend="Write three letters as in ISO 3166-1, such as NLD or DEU.",
        )
    return code


def email(text: str) -> str:
    """Return an e-mail address as it was typed, without spaces around it; raises Invalid when it is none."""
    typed = unicodedata.normalize("NFC", text.strip())
    address = normal_email(typed)
    local, _, domain = address.rpartition("@")
    labels = domain.split(".")
    if "@" in local or _NOT_IN_ADDRESSES & set(address) or not all(_is_label(label) for label in labels):
        raise Invalid("This is not an e-mail address.", mend="Write it as name@example.org.")
    return typed


def _is_label(label: str) -> bool:
    plain = label.replace("-", "a")
    return 0 < len(label) <= 63 and plain.isalnum() and label[0] != "-" and label[-1] != "-"


def period(now: datetime, start: datetime | None, end: datetime | None) -> Period:
    """Return when a grant made `now` is in force: from `start` (None: now) until `end` (None: until it is ended).

    Nothing is granted for the time before it was recorded, so that the past stays what it was: an earlier `start` is
    taken as now. Raises Invalid for naive times and for an end that is over or not after the start.
    """
    if (start is not None and start.tzinfo is None) or (end is not None and end.tzinfo is None):
        raise Invalid("The time carries no offset.", mend="Write it as 2026-11-24T12:00:00Z.")
    begin = now if start is None else max(now, start)
    if end is not None and end <= now:
        raise Invalid("The grant would be over already.", mend="Choose an end in the future.")
    if end is not None and end <= begin:
        raise Invalid("The grant would end before it begins.", mend="Choose an end after its beginning.")
    return Period(begin, end)
