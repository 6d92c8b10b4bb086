"""What the sample pages show: invented, and of every kind that a macro distinguishes."""

from types import SimpleNamespace as Thing

COLOURS = [(1, "#1d6b3a"), (2, "#0b6577"), (3, "#2743a3"), (4, "#b0142b"), (5, "#e08a00")]


def marking(lacv: int, rest: str = "") -> Thing:
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
FIRST = Thing(name="You", words="Lukas Brandt, by sending this", done=True)
SECOND = Thing(name="Second officer", words="Katerina Doukas or Jonas Lind", done=False)
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


def pdf_of(pages: int, padding: int = 0) -> bytes:
    """Return a small valid PDF of `pages` pages, with `padding` bytes that no page uses."""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count %d/Kids[%s]>>"
        % (pages, b" ".join(b"%d 0 R" % (4 + 2 * n) for n in range(pages))),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for number in range(pages):
        text = b"BT /F1 40 Tf 60 700 Td (Page %d of the sample) Tj ET" % (number + 1)
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>"
            % (5 + 2 * number)
        )
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(text), text))
    objects.append(b"<</Length %d>>stream\n%s\nendstream" % (padding, b"0" * padding))
    out, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return out + head + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(out))
