"""The pages on the security policy and on what rules ask, over HTTP, on a whole installation."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from policies import SHIPPED
from tests.portal.web.visitors import Visitor, doors_of, links_of, sign_in, text_of
from tests.portal.worlds import ABSENT, World, build_world

SPIF = SHIPPED.read_bytes()
NEW = SPIF.replace(b'name="TOP SECRET" lacv="5"', b'name="TOP SECRET" obsolete="true" lacv="5"')
NO_SECRET = SPIF.replace(b'name="SECRET" lacv="4"', b'name="SECRET" obsolete="true" lacv="4"')
assert SPIF not in (NEW, NO_SECRET)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("policy") / "data")
    yield built
    built.runtime.close()


@pytest.fixture(scope="module")
def officer(world: World) -> Visitor:
    return sign_in(world, "officer")


@pytest.fixture(scope="module")
def second(world: World) -> Visitor:
    return sign_in(world, "officer-second")


@pytest.fixture(scope="module")
def partner(world: World) -> Visitor:
    return sign_in(world, "partner")


def send(officer: Visitor, spif: bytes, reason: str) -> TestResponse:
    fields = {"csrf_token": officer.token, "reason": reason, "file": (io.BytesIO(spif), "policy.xml")}
    return officer.client.post("/policy", data=fields)


def propose(officer: Visitor, spif: bytes, reason: str = "The agency asked for it.") -> str:
    answer = send(officer, spif, reason)
    assert answer.status_code == 303, text_of(answer)
    return str(answer.location)


def digest_of(page: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', page)
    assert found
    return found[1]


# The policy


def test_officers_find_the_policy_in_their_navigation(officer: Visitor) -> None:
    page = officer.get("/policy")
    assert links_of(officer.get("/officer/people"), "Rules") == ["/policy"]
    assert "In force" in text_of(page)
    [url] = links_of(page, "NATO, version")
    shown = text_of(officer.get(url))
    assert "NATO SECRET" in shown
    assert "a reader must hold all of them" in shown


def test_a_policy_is_proposed_approved_and_put_into_force_by_two(
    world: World, officer: Visitor, second: Visitor
) -> None:
    url = propose(officer, NEW)
    page = officer.get(url)
    assert "Classification TOP SECRET" in text_of(page)
    assert "Approve exactly this" not in page.text
    theirs = second.get(url)
    assert "Approve exactly this" in theirs.text
    assert "Put it into force" not in theirs.text
    early = officer.post(url, act="activate")
    assert early.status_code == 403
    told = second.post_and_follow(url, act="approve", digest=digest_of(theirs.text))
    assert "You approved it." in told.text
    assert "Put it into force" not in second.get(url).text
    assert "Put it into force" in officer.get(url).text
    done = officer.post_and_follow(url, act="activate")
    assert "The policy is in force from now on." in done.text
    assert world.get("/documents", "official").status_code == 200
    listed = text_of(officer.get("/policy"))
    assert "Former" in listed
    policy = world.runtime.access.policy
    assert next(item for item in policy.classifications if item.name == "TOP SECRET").obsolete
    assert world.records(action="grant.policy")[-1]["outcome"] == "complete"


def test_the_effect_is_told_in_pieces_with_names(world: World, officer: Visitor) -> None:
    world.deposited(label="NATO SECRET")
    url = propose(officer, NO_SECRET)
    answer = officer.client.get(f"{url}/effect")
    assert answer.is_streamed
    said = text_of(answer)
    assert "people compared" in said
    assert "NATO SECRET" in said
    assert "obsolete" in said
    assert "Official" in said
    assert "Harbour Shield" in said
    officer.post(url, act="withdraw")
    assert "Withdrawn" in text_of(officer.get(url))


@pytest.mark.parametrize(
    ("spif", "reason", "sentence"),
    [
        (b"<a/>", "Why", "This policy is refused"),
        (NO_SECRET, " ", "The reason is missing."),
    ],
)
def test_what_cannot_be_proposed_comes_back_with_the_reason(
    spif: bytes, reason: str, sentence: str, officer: Visitor
) -> None:
    answer = send(officer, spif, reason)
    assert answer.status_code == 400
    assert sentence in text_of(answer)


def test_a_file_larger_than_any_policy_is_refused(officer: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.web.policy.MAX_BYTES", 100)
    answer = send(officer, b"x" * 101, "Why")
    assert (answer.status_code, "larger than 100 bytes" in text_of(answer)) == (413, True)


def test_a_proposal_without_file_or_token_is_refused(officer: Visitor) -> None:
    fields = {"csrf_token": officer.token, "reason": "Why"}
    form = {**fields, "file": (io.BytesIO(b""), "")}
    assert officer.client.post("/policy", data=form).status_code == 400
    forged = {**fields, "csrf_token": "x", "file": (io.BytesIO(NEW), "policy.xml")}
    assert officer.client.post("/policy", data=forged).status_code == 400


def test_wrong_acts_and_absent_things(officer: Visitor) -> None:
    url = propose(officer, NO_SECRET)
    assert officer.post(url, act="burn").status_code == 400
    assert officer.post(url, act="approve", digest="0" * 64).status_code in (403, 409)
    for path in (f"/policy/proposals/{ABSENT}", f"/policy/proposals/{ABSENT}/effect", "/policy/versions/00"):
        assert officer.get(path).status_code == 404
    assert officer.post("/policy/nothing/x/end").status_code == 404


# What rules ask


def test_a_level_is_viewed_only_once_it_is_set(world: World, officer: Visitor) -> None:
    document = world.deposited(label="NATO CONFIDENTIAL")
    assert world.get(f"/documents/{document}/content", "official").status_code == 200
    page = officer.post_and_follow(
        "/policy/levels", level="CONFIDENTIAL", kind="handling", handling="view-only"
    )
    assert "Viewed only: no download, no print" in text_of(page)
    refused = world.get(f"/documents/{document}/content", "official")
    assert refused.status_code == 403
    assert refused.json["type"].endswith("/handling")
    assert world.get(f"/documents/{document}", "official").status_code == 200
    [url] = re.findall(r'action="(/policy/levels/[0-9a-f-]+/end)"', page.text)
    officer.post_and_follow(url)
    assert world.get(f"/documents/{document}/content", "official").status_code == 200


def test_networks_and_hours_are_set_in_words(world: World, officer: Visitor) -> None:
    officer.post_and_follow(
        "/policy/levels", level="TOP SECRET", kind="networks", networks="192.0.2.0/24, 2001:db8::/32"
    )
    page = officer.post_and_follow(
        "/policy/levels",
        level="TOP SECRET",
        kind="hours",
        start="07:00",
        end="19:00",
        zone="Europe/Brussels",
        day=["0", "4"],
    )
    said = text_of(page)
    assert "From 192.0.2.0/24, 2001:db8::/32" in said
    assert "07:00 to 19:00 (Europe/Brussels), Monday, Friday" in said
    again = officer.post("/policy/levels", level="TOP SECRET", kind="networks", networks="192.0.2.0/24")
    assert again.status_code == 409
    wrong = officer.post("/policy/levels", level="TOP SECRET", kind="hours", start="", end="", zone="")
    assert wrong.status_code == 400
    assert "This cannot be set" in text_of(wrong)


def test_premises_open_and_close_what_a_partner_may_open(world: World, officer: Visitor) -> None:
    secret = world.deposited(label="NATO SECRET")
    page = officer.get("/policy/premises")
    assert "Needed from NATO CONFIDENTIAL upwards." in text_of(page)
    row = next(part for part in page.text.split("<tr>") if "Sarrazin" in part)
    [url] = re.findall(r'action="(/policy/premises/[0-9a-f-]+/end)"', row)
    officer.post_and_follow(url)
    assert world.get(f"/documents/{secret}", "partner").status_code == 404
    assert world.deposit(label="NATO SECRET").status_code == 403
    fields = {"organisation": world.company, "level": "SECRET", "authority": "NSA of France"}
    shown = officer.post_and_follow("/policy/premises", **fields)
    assert "NSA of France" in shown.text
    assert world.get(f"/documents/{secret}", "partner").status_code == 200
    assert officer.post("/policy/premises", **fields).status_code == 409
    assert officer.post("/policy/premises", **{**fields, "organisation": ABSENT}).status_code == 404


def test_an_instruction_is_acknowledged_before_the_first_access(
    world: World, officer: Visitor, partner: Visitor
) -> None:
    document = world.deposited(label="NATO RESTRICTED")
    assert "No instruction is in force" in text_of(partner.get("/instructions"))
    page = officer.post_and_follow(
        "/policy/instructions", level=["RESTRICTED"], title="Handling", text="Lock it away.\nTell nobody."
    )
    assert "Lock it away." in page.text
    assert world.get(f"/documents/{document}", "partner").status_code == 404
    assert 'Instructions <span class="n">1 to read</span>' in partner.get("/help").text
    assert "1 instruction waits for you." in text_of(partner.get("/documents"))
    own = partner.get("/instructions")
    assert "Tell nobody." in own.text
    [url] = re.findall(r'action="(/instructions/[0-9a-f-]+)"', own.text)
    told = partner.post_and_follow(url)
    assert "You acknowledged it on" in text_of(told)
    assert world.get(f"/documents/{document}", "partner").status_code == 200
    assert world.get(f"/documents/{document}", "official").status_code == 404
    assert partner.post(url).status_code == 409
    [end] = re.findall(r'action="(/policy/instructions/[0-9a-f-]+/end)"', page.text)
    officer.post_and_follow(end)
    assert world.get(f"/documents/{document}", "official").status_code == 200
    assert officer.post("/policy/instructions", title="x", text="y").status_code == 400


def test_a_setting_ends_on_a_day(world: World, officer: Visitor) -> None:
    page = officer.post_and_follow("/policy/levels", level="UNCLASSIFIED", kind="handling", handling="open")
    urls = re.findall(r'action="(/policy/levels/[0-9a-f-]+/end)"', page.text)
    later = world.runtime.clock().replace(year=world.runtime.clock().year + 1).date().isoformat()
    assert any("It ends on that day." in officer.post_and_follow(url, at=later).text for url in urls)
    assert officer.post(urls[0], at="yesterday").status_code == 400
    today = world.runtime.clock().date().isoformat()
    assert any("It has ended." in officer.post_and_follow(url, at=today).text for url in urls)


@pytest.mark.parametrize("who", ["official", "auditor", "administrator"])
def test_pages_of_officers_are_closed_to_every_other_role(who: str, world: World) -> None:
    visitor = sign_in(world, who)
    doors = [*doors_of(world, "policy"), *doors_of(world, "rules")]
    officers = [(method, path) for method, path in doors if path.startswith("/policy")]
    assert len(officers) == 13
    for method, path in officers:
        fields = {"csrf_token": visitor.token} if method == "POST" else None
        path = re.sub(r"<[^>]+>", ABSENT, path)
        answer = visitor.client.open(path, method=method, data=fields)
        assert answer.status_code == 403, (method, path)
