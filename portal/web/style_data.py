"""What the style page shows: invented, and of every kind that a macro of templates/parts distinguishes."""

from __future__ import annotations

from types import SimpleNamespace as Thing

COLOURS = [(1, "#1d6b3a"), (2, "#0b6577"), (3, "#2743a3"), (4, "#b0142b"), (5, "#e08a00")]


def marking(lacv: int, rest: str = "") -> Thing:
    """Return a label chip."""
    names = ["UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"]
    return Thing(name=f"NATO {names[lacv - 1]}", rest=rest, lacv=lacv)


VIEWER = Thing(
    name="Ingrid Halvorsen",
    organisation="Capability Programme Office",
    role="Official",
    roles=[
        Thing(value="official", label="Official", current=True),
        Thing(value="officer", label="Security officer", current=False),
    ],
    role_note="One role at a time. Auditor and administrator cannot be combined with yours.",
    home_url="/",
)
NAVIGATION = [
    Thing(label="Documents", url="/page/documents", icon="file-text", current=True, count="7 new"),
    Thing(label="For review", url="/review", icon="checkup-list", current=False, count="4"),
    Thing(label="Requirements", url="/requirements", icon="clipboard-list", current=False, count=""),
    Thing(label="My requests", url="/requests", icon="user-question", current=False, count=""),
]
LANGUAGES = [
    Thing(value="en", label="English", current=True),
    Thing(value="fr", label="Français", current=False),
]


def _row(number: int, title: str, lacv: int, rest: str, state: str, due: Thing | None, new: bool) -> Thing:
    return Thing(
        id=f"d{number}",
        url="/page/viewer",
        title=title,
        marking=marking(lacv, rest),
        reference=f"HWT-2026-{number:04}",
        version=number % 4 + 1,
        originator="Sarrazin Électronique",
        is_new=new,
        programme="Harbour Watch",
        state=state,
        state_words="",
        due=due,
        size="4.4 MB",
        received=Thing(iso="2026-11-20T13:14:52Z", day="20 Nov", time="13:14"),
    )


SOON = Thing(words="Thu 26 Nov", note="in 2 days", tone="warn")
LATE = Thing(words="Fri 20 Nov", note="4 days late", tone="bad")
ROWS = [
    _row(418, "Interface control document, coastal radar node", 2, "REL AUS, JPN", "reviewing", SOON, True),
    _row(131, "Link budget for the northern terminals", 2, "", "received", None, True),
    _row(377, "Site survey, Cape Brenn", 1, "", "accepted", None, False),
    _row(129, "Vulnerability assessment, relay shelters", 3, "", "reviewing", LATE, False),
    _row(398, "Software version description, tracker 4.2", 4, "REL AUS", "returned", None, False),
    _row(402, "تقرير شهري, a title that runs right to left", 1, "", "accepted", None, False),
    _row(403, "W" * 200, 1, "REL AUS, JPN, KOR, NZL", "quarantined", None, False),
]


def rows(suffix: str) -> list[Thing]:
    """Return the rows of a sheet, whose anchors are told apart by `suffix`."""
    return [Thing(**{**vars(row), "id": f"{row.id}{suffix}"}) for row in ROWS]


SORTS = {
    "received": Thing(url="?sort=created", direction="descending"),
    "label": Thing(url="?sort=label", direction=""),
}
FILTERS = [
    Thing(name="Programme", value="Harbour Watch, Northern Relay", remove_url="?"),
    Thing(name="Received", value="since 1 October", remove_url="?"),
]
TABS = [
    Thing(label="All", url="?", current=True, count="1,284"),
    Thing(label="New for me", url="?new", current=False, count="7"),
    Thing(label="Released to industry", url="?released", current=False, count=""),
]
CRUMBS = [
    Thing(label="Documents", url="/page/documents"),
    Thing(label="Harbour Watch", url="/h"),
    Thing(label="HWT-2026-0418", url=""),
]
VERDICTS = [
    Thing(
        outcome="permits",
        sentence="Your clearance, NATO SECRET, is in force until 30 June 2028.",
        rules=["clearance-in-force", "label-dominated"],
    ),
    Thing(outcome="refuses", sentence="You are not a member of Harbour Watch.", rules=["need-to-know"]),
    Thing(outcome="not-asked", sentence="Viewing needs no second officer.", rules=["two-person"]),
]
FILES = [
    Thing(
        name="ATP-rev-B.pdf", icon="file-type-pdf", outcome="good", words="Received whole.", size="18.4 MB"
    ),
    Thing(
        name="ATP-annex-C-recordings.zip",
        icon="file-zip",
        size="6.8 GB",
        progress=Thing(value=62, whole=100, note="62% of 6.8 GB · 14.2 MB/s · 3 minutes left", mode=""),
    ),
    Thing(
        name="sea-trial-leg-2.mp4",
        icon="movie",
        size="12.1 GB",
        progress=Thing(value=59, whole=100, note="Paused at 59% of 12.1 GB.", mode="paused"),
    ),
    Thing(
        name="ATP-annex-D-checklist.docm",
        icon="",
        outcome="bad",
        words="Not taken: it contains macros.",
        mend="Save it as .docx and add it again.",
        size="",
    ),
]
RECEIPT = Thing(
    received="20 Nov 2026 13:14:52 UTC",
    iso="2026-11-20T13:14:52Z",
    sender="Hélène Marchand",
    size=4_401_882,
    digest="7b0f4c19e2a8d3f506b1c7a493de58201f6ac0be48d7713ea95f02c6d81b34e7",
    entry=12_391_640,
    entry_url="/entry",
    checkpoint=12_408_113,
    media_type="PDF document",
)
DOWNLOADS = [Thing(label="Receipt, PDF", url="/r.pdf"), Thing(label="Proof, JSON", url="/r.json")]
TILES = [
    Thing(name="Owed", value=5, note="1 overdue", tone="bad", url=""),
    Thing(name="Returned to you", value=1, note="answer by 1 December", tone="", url="/returned"),
    Thing(name="In review", value=3, note="longest 12 days", tone="", url=""),
    Thing(name="Accepted in 2026", value=18, note="", tone="", url=""),
]
STEPS = [
    Thing(words="Received", standing="done"),
    Thing(words="Scanned", standing="done"),
    Thing(words="In review", standing="now"),
    Thing(words="Decision", standing=""),
]


def _record(number: int, icon: str, sentence: str, sub: str, kind: str = "", lacv: int = 2) -> Thing:
    return Thing(
        number=number,
        icon=icon,
        sentence=sentence,
        sub=sub,
        kind=kind,
        marking=marking(lacv) if lacv else None,
        time="09:51:18",
        iso="2026-11-24T09:51:18Z",
        url="/entry",
    )


DAYS = [
    Thing(
        name="Tuesday 24 November 2026",
        entries=[
            _record(12_408_131, "shield-check", "The portal signed a checkpoint", "2 of 2 witnesses", lacv=0),
            _record(12_408_127, "download", "Ana Ribeiro downloaded HWT-2026-0409", "Complete, 2.1 MB"),
            _record(
                12_408_124, "circle-x", "Tomasz Wilk was refused HWT-2026-0411", "need-to-know", "refused", 3
            ),
            _record(
                12_408_096, "alert-triangle", "Oisín Byrne began to download", "No recorded end", "unsure"
            ),
        ],
    )
]
HOURS = [Thing(name=f"{hour:02}:00", accesses=(hour * 37) % 290, refusals=hour % 4 * 3) for hour in range(24)]
PAIRS = [
    (
        "Waiting",
        Thing(name="You", words="Lukas Brandt, by sending this", standing="done"),
        Thing(name="Second officer", words="Katerina Doukas or Jonas Lind", standing="open"),
    ),
    (
        "Approved",
        Thing(name="Lukas Brandt", words="asked on 9 November", standing="done"),
        Thing(name="Katerina Doukas", words="approved on 10 November", standing="done"),
    ),
    (
        "Refused",
        Thing(name="Lukas Brandt", words="asked on 9 November", standing="done"),
        Thing(name="Jonas Lind", words="refused on 10 November", standing="refused"),
    ),
    (
        "Expired",
        Thing(name="Lukas Brandt", words="asked on 9 November", standing="done"),
        Thing(name="Second officer", words="nobody answered within 7 days", standing="expired"),
    ),
]
OPTIONS = [
    Thing(value="a", words="Tomasz Wilk", sub="tomasz.wilk@cpo.example · Capability Programme Office"),
    Thing(value="b", words="Tomasina Wilkes", sub="t.wilkes@kestrel.example · Kestrel Avionics Ltd"),
    Thing(value="c", words="توماس ويلك", sub="t.wilk@fjordline.example · Fjordline Marine AS"),
]
OFFER = Thing(
    hint="Choices are those that your clearance and this system both allow.",
    classifications=[
        Thing(value=f"{lacv}", words=marking(lacv).name, hint="", lacv=lacv, checked=lacv == 2)
        for lacv in (1, 2, 3)
    ],
    groups=[
        Thing(
            name="administrative",
            legend="Administrative",
            hint="It decides nothing.",
            single=False,
            values=[
                Thing(value="staff", words="STAFF", checked=True, stands_with=""),
                Thing(value="medical", words="MEDICAL", checked=False, stands_with=""),
            ],
        )
    ],
)
CHOSEN_LABEL = Thing(text="NATO RESTRICTED STAFF", lacv=2)
PROGRAMMES = [Thing(id="a", name="Harbour Watch"), Thing(id="b", name="Clear Span")]
THEMES = [
    Thing(value="", label="As the system", current=True),
    Thing(value="light", label="Light", current=False),
    Thing(value="dark", label="Dark", current=False),
]
PEOPLE = [
    Thing(
        person=Thing(
            name="Marc Delacroix",
            email="marc.delacroix@cpo.example",
            nation="BEL",
            organisation=Thing(name="Capability Programme Office"),
        ),
        url="#person",
        organisation_url="#organisation",
        roles="Official",
        state=("active", "Active"),
        created=Thing(iso="2026-10-11T18:01:00Z", day="11 Oct 2026", time="18:01 UTC"),
    ),
    Thing(
        person=Thing(
            name="W" * 200,
            email="w@org.example",
            nation="NLD",
            organisation=Thing(name="Fjordline Marine AS"),
        ),
        url="#person",
        organisation_url="#organisation",
        roles="None",
        state=("locked", "Locked"),
        created=Thing(iso="2026-10-11T18:01:00Z", day="11 Oct 2026", time="18:01 UTC"),
    ),
]
OFFER = Thing(
    hint="Choices are those that this programme and your clearance both allow.",
    classifications=[
        Thing(
            value="UNCLASSIFIED",
            words="NATO UNCLASSIFIED",
            hint="Not for publication.",
            lacv=1,
            checked=False,
        ),
        Thing(value="RESTRICTED", words="NATO RESTRICTED", hint="", lacv=2, checked=True),
    ],
    groups=[
        Thing(
            name="Releasable To",
            legend="Who outside NATO may it go to?",
            hint="",
            values=[
                Thing(value="AUS", words="Australia", checked=False),
                Thing(value="JPN", words="Japan", checked=False),
            ],
        ),
        Thing(
            name="Administrative",
            legend="Handling",
            hint="One or several, or none.",
            values=[Thing(value=f"H{n}", words=f"Handling {n}", checked=False) for n in range(12)],
        ),
    ],
)
