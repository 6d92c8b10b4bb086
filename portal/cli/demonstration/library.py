"""What was delivered in the demonstration, and what people did with it, in days before its first start."""

from __future__ import annotations

from dataclasses import dataclass

from portal.cli.demonstration.cast import HARBOUR, RELAY, SPAN

_U, _R, _C, _S = "NATO UNCLASSIFIED", "NATO RESTRICTED", "NATO CONFIDENTIAL", "NATO SECRET"
_RELEASED = "NATO RESTRICTED Releasable to Australia, Japan"
_SHARED = "NATO UNCLASSIFIED Releasable to Sweden, Ukraine"


@dataclass(frozen=True, slots=True)
class Deliverable:
    """A document: who sent it, its file's kind and scale, and how many days ago each version came."""

    title: str
    marking: str
    programme: str
    sender: str
    kind: str
    days: tuple[float, ...]
    scale: int = 1


@dataclass(frozen=True, slots=True)
class Reading:
    """Somebody reads, or tries to read, the document with this title."""

    person: str
    title: str
    days: float


DELIVERABLES = (
    Deliverable("Programme plan, coastal nodes", _U, HARBOUR, "partner", "pdf", (41.2,), 3),
    Deliverable("Site survey, Cape Brenn", _U, HARBOUR, "partner", "docx", (38.4, 21.3), 4),
    Deliverable("Site survey, photographs", _U, HARBOUR, "partner", "png", (38.3,)),
    Deliverable("Logistic support analysis, coastal node", _R, HARBOUR, "partner", "docx", (34.1, 12.2)),
    Deliverable(
        "Interface control document, coastal radar node",
        _RELEASED,
        HARBOUR,
        "partner",
        "pdf",
        (30.3, 16.1, 4.2),
    ),
    Deliverable("Monthly progress report, first month", _U, HARBOUR, "partner", "pdf", (28.4,)),
    Deliverable("Software version description, tracker 4.2", _RELEASED, HARBOUR, "partner", "docx", (25.2,)),
    Deliverable("Sensor coverage, computed", _C, HARBOUR, "partner", "png", (23.1,)),
    Deliverable("Reliability prediction", _R, HARBOUR, "partner", "csv", (19.4,)),
    Deliverable("Vulnerability assessment, coastal node", _S, HARBOUR, "partner", "pdf", (15.3, 6.4)),
    Deliverable("Detection ranges against small craft", _S, HARBOUR, "partner", "csv", (11.2,)),
    Deliverable("Cyber hardening guide, coastal node", _R, HARBOUR, "partner", "txt", (3.4,)),
    Deliverable("Acceptance test report, sensor mast", _R, HARBOUR, "partner-other", "pdf", (26.2,)),
    Deliverable("Training needs analysis, watch operators", _U, HARBOUR, "partner-other", "docx", (20.1,)),
    Deliverable("Acoustic survey of the approaches", _C, HARBOUR, "partner-other", "csv", (9.2,)),
    Deliverable("Link budget for the northern terminals", _R, RELAY, "partner", "csv", (33.2, 13.1)),
    Deliverable("Spectrum supportability study", _C, RELAY, "partner", "pdf", (27.3,)),
    Deliverable("Electromagnetic compatibility test plan", _R, RELAY, "partner", "docx", (18.2,)),
    Deliverable("Common time reference, profile 2", _U, RELAY, "partner", "txt", (14.3,)),
    Deliverable("Vulnerability assessment, relay shelters", _S, RELAY, "partner", "pdf", (5.1,)),
    Deliverable("Mine clearance trials, first report", _R, SPAN, "partner-other", "pdf", (22.2,)),
    Deliverable("Seabed images, trial area", _R, SPAN, "partner-other", "png", (22.1,)),
    Deliverable("Trial area, depth profile", _C, SPAN, "partner-other", "csv", (8.3,), 150),
    Deliverable("Work breakdown and cost estimate", _R, HARBOUR, "partner", "xlsx", (36.4, 10.3), 3),
    Deliverable("Radar recordings, night run", _C, HARBOUR, "partner", "zip", (16.4,), 12),
    Deliverable("Operator manual, tracker 4.2", _U, HARBOUR, "partner", "pdf", (24.4, 2.45), 12),
    Deliverable("Mast installation drawings", _R, HARBOUR, "partner-other", "zip", (17.6, 6.25), 4),
    Deliverable("Site acceptance, photographs", _U, HARBOUR, "partner-other", "png", (12.4,), 7),
    Deliverable("Passive detection, sea trial results", _S, HARBOUR, "partner-other", "pdf", (4.4,), 4),
    Deliverable("Waveform description, northern terminals", _C, RELAY, "partner", "docx", (31.2, 8.2), 3),
    Deliverable("Interference measurements, winter", _R, RELAY, "partner", "csv", (23.4,), 400),
    Deliverable("Terminal siting, line of sight", _R, RELAY, "partner", "png", (19.7,), 2),
    Deliverable("Spare parts and repair times", _U, RELAY, "partner", "xlsx", (10.7,), 2),
    Deliverable("Minutes of the third technical meeting", _SHARED, RELAY, "partner", "docx", (7.4,)),
    Deliverable("Key management plan, relay shelters", _S, RELAY, "partner", "pdf", (2.2,), 2),
    Deliverable("Vehicle integration guide", _SHARED, SPAN, "partner-other", "pdf", (30.4, 13.2), 6),
    Deliverable("Sonar recordings, trial area", _C, SPAN, "partner-other", "zip", (15.2,), 16),
    Deliverable("Safety case, neutralisation charges", _R, SPAN, "partner-other", "docx", (5.4, 1.4), 5),
)

LATEST = (
    Deliverable("Monthly progress report, second month", _U, HARBOUR, "partner", "pdf", (0.0045,)),
    Deliverable("Power and cooling budget", _R, HARBOUR, "partner-other", "xlsx", (0.003,)),
)
"""What came minutes ago, after everybody's last sign-in: whoever signs in first finds something new."""

READINGS = (
    Reading("official", "Programme plan, coastal nodes", 40.1),
    Reading("official-restricted", "Programme plan, coastal nodes", 39.2),
    Reading("official", "Site survey, Cape Brenn", 36.2),
    Reading("official", "Interface control document, coastal radar node", 29.1),
    Reading("official-restricted", "Logistic support analysis, coastal node", 24.1),
    Reading("official-restricted", "Sensor coverage, computed", 22.6),
    Reading("official", "Sensor coverage, computed", 22.4),
    Reading("partner-other", "Acceptance test report, sensor mast", 21.2),
    Reading("official", "Acceptance test report, sensor mast", 17.2),
    Reading("official", "Vulnerability assessment, coastal node", 14.2),
    Reading("official-restricted", "Vulnerability assessment, coastal node", 13.4),
    Reading("partner-other", "Vulnerability assessment, coastal node", 10.4),
    Reading("partner", "Interface control document, coastal radar node", 7.2),
    Reading("official", "Vulnerability assessment, relay shelters", 3.1),
    Reading("official-restricted", "Link budget for the northern terminals", 2.3),
    Reading("auditor", "Detection ranges against small craft", 2.1),
    Reading("official", "Interface control document, coastal radar node", 1.1),
)
