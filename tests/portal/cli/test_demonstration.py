"""The parts of the demonstration's world, each for itself."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from policies import SHIPPED, load_policy
from portal.cli.demonstration.cast import CAST, PEOPLE, PROGRAMMES
from portal.cli.demonstration.clock import HistoryClock
from portal.cli.demonstration.files import MAKERS
from portal.cli.demonstration.habits import Act, at_work, month
from portal.cli.demonstration.library import DELIVERABLES, LATEST, READINGS
from portal.cli.demonstration.world import BEGINS
from portal.scanning import clean_title, identify

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MEDIA_TYPES = {
    "txt": "text/plain",
    "csv": "text/csv",
    "pdf": "application/pdf",
    "png": "image/png",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}


@pytest.mark.parametrize("kind", sorted(MAKERS))
def test_each_generated_file_is_what_its_ending_says(kind: str) -> None:
    content = MAKERS[kind]("Interface control document, coastal radar node", "NATO RESTRICTED", 2)
    facts = identify(content, io.BytesIO(content), f"file.{kind}")
    assert facts.media_type == MEDIA_TYPES[kind]
    assert facts.notices == ()


def test_every_label_of_the_library_is_valid() -> None:
    policy = load_policy(SHIPPED)
    for item in DELIVERABLES + LATEST:
        assert policy.marking(policy.parse_marking(item.marking)) == item.marking
        assert clean_title(item.title) == item.title


def test_the_library_is_told_in_order_and_by_members() -> None:
    titles = {item.title: item for item in DELIVERABLES + LATEST}
    assert len(titles) == len(DELIVERABLES + LATEST)
    for item in DELIVERABLES + LATEST:
        assert item.sender in PROGRAMMES[item.programme]
        assert list(item.days) == sorted(item.days, reverse=True)
        assert 0 < item.days[-1] <= item.days[0] < 43
    for reading in READINGS:
        assert reading.days < titles[reading.title].days[0]
    times = [days for item in DELIVERABLES for days in item.days] + [reading.days for reading in READINGS]
    assert len(set(times)) == len(times)


def test_the_first_programme_has_both_companies_and_both_officials() -> None:
    assert set(next(iter(PROGRAMMES.values()))) >= {
        "partner",
        "partner-other",
        "official",
        "official-restricted",
    }
    assert len({part.email for part in CAST}) == len(CAST)


def test_the_past_goes_forward_only_and_ends_in_the_present() -> None:
    clock = HistoryClock(lambda: NOW, NOW - BEGINS)
    first, second = clock(), clock()
    assert NOW - BEGINS < first < second
    clock.move_to(NOW - timedelta(days=1))
    assert NOW - timedelta(days=1) < clock() < NOW
    for impossible in (NOW - timedelta(days=2), NOW + timedelta(seconds=1)):
        with pytest.raises(ValueError, match="a history goes forward"):
            clock.move_to(impossible)
    clock.present()
    assert clock() == NOW


@pytest.mark.parametrize("hour", [0, 9, 23])
def test_the_month_is_the_same_story_on_each_telling(hour: int) -> None:
    now = NOW.replace(hour=hour)
    told = month(now)
    assert told == month(now)
    assert [one.days for one in told] == sorted((one.days for one in told), reverse=True)
    assert 0 < told[-1].days < told[0].days < 33
    assert {one.person for one in told} <= set(PEOPLE)
    assert set(Act) == {deed.act for one in told for deed in one.deeds}


@pytest.mark.parametrize("hour", [0, 9, 23])
def test_nobody_opens_what_has_not_come_yet(hour: int) -> None:
    now = NOW.replace(hour=hour)
    came = {item.title: at_work(now, item.days[0]) for item in DELIVERABLES}
    for sitting in month(now):
        for deed in sitting.deeds:
            if deed.act not in (Act.SEARCH, Act.LIST):
                assert all(came[title] > sitting.days for title in deed.titles)


def test_the_library_has_forty_documents_of_every_kind() -> None:
    assert len(DELIVERABLES + LATEST) == 40
    assert {item.kind for item in DELIVERABLES} == set(MAKERS)
    assert sum(len(item.days) > 1 for item in DELIVERABLES) >= 8
