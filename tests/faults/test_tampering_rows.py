"""An intruder who rewrites rows of documents, labels, policy and keys, but has no key: refused, and reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from portal.errors import Unavailable
from portal.http.identify import SESSION_KEY
from tests.faults.test_tampering import CONTENT, read, tampering
from tests.portal import factories
from tests.portal.attack import Browser, open_copy, recorded, reopen, send, sql, tampered
from tests.portal.worlds import World

Pair = tuple[World, str, str]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """A world with one restricted and one secret document; the second is the one that is attacked."""
    world = open_copy(tmp_path_factory.mktemp("rows") / "data")
    factories.add_programme(world.runtime.database, world.organisation, "Another Programme")
    kept, attacked = world.deposited(label="NATO RESTRICTED"), send(world, CONTENT)
    yield world, kept, attacked
    assert read(world, attacked).status_code == 200
    world.runtime.close()


@contextmanager
def restarted(world: World) -> Iterator[World]:
    fresh = reopen(world)
    try:
        yield fresh
    finally:
        fresh.runtime.close()


def listed(world: World, who: str = "official", query: str = "") -> set[str]:
    answer = world.get(f"/documents{query}", who)
    assert answer.status_code == 200, answer.json
    return {item["id"] for item in answer.json["items"]}


HEADS = {
    "label-row": "label_id = (SELECT id FROM labels WHERE id <> documents.label_id)",
    "label-digest": "label_digest = (SELECT digest FROM labels WHERE id <> documents.label_id)",
    "label": "label_digest = (SELECT digest FROM labels WHERE id <> documents.label_id), "
    "label_id = (SELECT id FROM labels WHERE id <> documents.label_id), label_rank = 1",
    "unknown-label": "label_digest = randomblob(32)",
    "rank": "label_rank = 0",
    "programme": "programme_id = (SELECT id FROM programmes WHERE id <> documents.programme_id)",
    "originator": "originator_id = (SELECT id FROM organisations WHERE id <> originator_id)",
    "addressee": "addressee_id = (SELECT id FROM organisations WHERE id <> addressee_id)",
    "state": "state = 'destroyed'",
    "impossible-state": "state = 'free for all'",
    "scan": "scan = 'clean'",
    "current-version": "current_version = 7",
    "version-of-the-row": "row_version = row_version + 1",
    "title": "title_sealed = (SELECT title_sealed FROM documents WHERE id <> :d LIMIT 1)",
    "seal": "seal = (SELECT seal FROM documents WHERE id <> :d LIMIT 1)",
    "seal-of-an-unknown-key": "seal = x'03' || randomblob(40)",
    "no-seal": "seal = x''",
    "seal-as-text": "seal = 'a'",
    "time": "created = created + 1",
    "impossible-time": "created = 9000000000000000000",
    "time-as-text": "changed = 'never'",
    "size": "size = 1",
    "uploader": "uploaded_by = originator_id",
    "intent": "log_entry = 0",
}


@pytest.mark.parametrize("change", HEADS.values(), ids=HEADS)
def test_an_edited_head_is_refused_and_only_it_is_left_out(pair: Pair, change: str) -> None:
    world, kept, attacked = pair
    attack = f"UPDATE documents SET {change} WHERE id = :d".replace(":d", f"'{attacked}'")
    with tampered(world, attack):
        for who in ("official", "restricted", "other", "partner"):
            with recorded(world) as records:
                answers = read(world, attacked, who), world.get(f"/documents/{attacked}", who)
            assert [answer.status_code for answer in answers] == [503, 503], who
            assert len(tampering(records)) == 2
            assert listed(world, who) == ({kept} if who != "other" else set()), who
        assert read(world, kept).status_code == 200


@pytest.mark.parametrize(
    "change", ["programme", "originator", "addressee", "label", "time", "impossible-time"]
)
def test_a_damaged_row_is_reported_where_a_list_meets_it(pair: Pair, change: str) -> None:
    world, kept, attacked = pair
    attack = f"UPDATE documents SET {HEADS[change]}, row_version = row_version + 1 WHERE id = '{attacked}'"
    with tampered(world, attack), recorded(world) as records:
        for sort in ("created", "-created", "size", "label", "due", "programme"):
            assert listed(world, "official", f"?sort={sort}") == {kept}
    # A row that now points elsewhere is in no list of this person; a read of it is refused (above).
    elsewhere = change in ("programme", "addressee")
    assert tampering(records) == ([] if elsewhere else [{"table": "documents", "row": attacked}] * 6)


LABELS = {
    "canonical": ("canonical = (SELECT canonical FROM labels WHERE id <> {label})",),
    "digest": ("digest = randomblob(32)",),
    "seal": ("seal = (SELECT seal FROM labels WHERE id <> {label})",),
    "number": ("id = 77",),
}


@pytest.mark.parametrize("changes", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("cold", [False, True], ids=["running", "restarted"])
def test_an_edited_label_row_hides_its_own_documents_and_no_others(
    pair: Pair, changes: tuple[str, ...], cold: bool
) -> None:
    world, kept, attacked = pair
    label = sql(world, "SELECT label_id FROM documents WHERE id = ?", attacked)[0][0]
    attack = [f"UPDATE labels SET {change.format(label=label)} WHERE id = {label}" for change in changes]
    with tampered(world, *attack), restarted(world) as fresh:
        place = fresh if cold else world
        with recorded(place) as records:
            assert read(place, attacked).status_code == 503
        assert tampering(records)
        assert listed(place) >= {kept}
        assert listed(place, "restricted") == {kept}
        assert read(place, attacked, "restricted").status_code == 503


@pytest.mark.parametrize("cold", [False, True], ids=["running", "restarted"])
def test_two_label_rows_that_exchange_their_names_open_nothing(pair: Pair, cold: bool) -> None:
    world, _, attacked = pair
    (one, first), (two, second) = sql(world, "SELECT id, hex(digest) FROM labels ORDER BY id")
    exchange = (
        f"UPDATE labels SET digest = x'00' WHERE id = {one}",
        f"UPDATE labels SET digest = x'{first}' WHERE id = {two}",
        f"UPDATE labels SET digest = x'{second}' WHERE id = {one}",
    )
    with tampered(world, *exchange), restarted(world) as fresh:
        place = fresh if cold else world
        with recorded(place) as records:
            assert attacked not in listed(place, "restricted")
            assert read(place, attacked, "restricted").status_code == 503
        assert {found["table"] for found in tampering(records)} == {"labels"}


VERSIONS = {
    "wrapped-key": "wrapped_dek = (SELECT wrapped_dek FROM versions WHERE document_id <> :d)",
    "parts": "parts = '[]'",
    "parts-not-json": "parts = '['",
    "blob": "blob = blob || 'x'",
    "path": "blob = '../../keys'",
    "media-type": "media_type = 'text/html'",
    "notices": "notices = '{'",
    "digest": "sha256 = randomblob(32)",
    "size": "size = 1",
    "name": "file_name_sealed = (SELECT file_name_sealed FROM versions WHERE document_id <> :d)",
    "time": "created = 9000000000000000000",
}


@pytest.mark.parametrize("change", VERSIONS.values(), ids=VERSIONS)
def test_an_edited_version_is_refused(pair: Pair, change: str) -> None:
    world, kept, attacked = pair
    attack = f"UPDATE versions SET {change} WHERE document_id = :d".replace(":d", f"'{attacked}'")
    with tampered(world, attack), recorded(world) as records:
        answers = read(world, attacked), world.get(f"/documents/{attacked}", "official")
        assert listed(world) >= {kept}
    assert [answer.status_code for answer in answers] == [503, 503]
    assert tampering(records)


def test_a_version_moved_to_another_number_or_document_opens_nothing(pair: Pair) -> None:
    world, kept, attacked = pair
    for change in ("number = 9", f"number = 2, document_id = '{kept}'"):
        attack = f"UPDATE versions SET {change} WHERE document_id = '{attacked}'"
        with tampered(world, attack), recorded(world) as records:
            assert read(world, attacked).status_code in (404, 503)
            assert world.get(f"/documents/{kept}/versions/2/content", "official").status_code in (404, 503)
            assert world.get(f"/documents/{kept}/versions/9/content", "official").status_code == 404
            assert 503 in (
                world.get(f"/documents/{attacked}", "official").status_code,
                world.get(f"/documents/{kept}", "official").status_code,
            )
        assert tampering(records)


def test_versions_whose_keys_and_seals_are_swapped_together_are_refused(pair: Pair) -> None:
    world, kept, attacked = pair
    columns = ("wrapped_dek", "parts", "blob", "seal", "row_version", "sha256", "size")
    copied = ", ".join(
        f"{name} = (SELECT {name} FROM versions WHERE document_id = '{kept}')" for name in columns[:2]
    )
    attack = f"UPDATE versions SET {copied}, seal = (SELECT seal FROM versions WHERE document_id = '{kept}')"
    with tampered(world, f"{attack} WHERE document_id = '{attacked}'"), recorded(world) as records:
        assert read(world, attacked).status_code == 503
    assert tampering(records) == [{"table": "versions", "row": f"{attacked}/1"}]


SEARCH = {"json": {"q": "deliverable"}}


def test_a_title_pack_that_was_altered_is_refused_and_reported(pair: Pair) -> None:
    world, kept, _ = pair
    attack = "UPDATE title_pieces SET piece = randomblob(length(piece)) WHERE number = 1"
    with tampered(world, attack), restarted(world) as fresh, recorded(world) as records:
        headers = fresh.headers("official")
        for _ in range(2):
            assert fresh.client.post("/api/v1/documents/search", **SEARCH, headers=headers).status_code == 503
        assert kept in listed(fresh)
    assert tampering(records) == [{"table": "title_pieces", "row": f"{world.programme}/1"}] * 2


def test_title_pieces_that_change_places_are_refused(pair: Pair) -> None:
    world, _, _ = pair
    exchange = (
        "UPDATE title_pieces SET number = number + 10",
        "UPDATE title_pieces SET number = CASE number WHEN 11 THEN 2 ELSE 1 END",
    )
    with tampered(world, *exchange), restarted(world) as fresh:
        headers = fresh.headers("official")
        for _ in range(2):
            assert fresh.client.post("/api/v1/documents/search", **SEARCH, headers=headers).status_code == 503


def test_a_search_finds_again_what_a_mended_pack_holds(pair: Pair) -> None:
    world, kept, attacked = pair
    with restarted(world) as fresh:
        headers = fresh.headers("official")
        with tampered(world, "UPDATE title_pieces SET piece = x'06' WHERE number = 2"):
            assert fresh.client.post("/api/v1/documents/search", **SEARCH, headers=headers).status_code == 503
        found = fresh.client.post("/api/v1/documents/search", **SEARCH, headers=headers).json["items"]
    assert {item["id"] for item in found} == {kept, attacked}


ACTIVE = "INSERT INTO policies SELECT lower(hex(randomblob(32))), spif, active, activated, log_entry, row_version, seal"
POLICIES = {
    "content": "UPDATE policies SET spif = replace(spif, 'SECRET', 'PUBLIC')",
    "digest": "UPDATE policies SET digest = lower(hex(randomblob(32)))",
    "seal": "UPDATE policies SET seal = randomblob(41)",
    "time": "UPDATE policies SET activated = activated + 1",
    "switched-off": "UPDATE policies SET active = 0",
    "deleted": "DELETE FROM policies",
    "another": f"{ACTIVE} FROM policies",
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_replaced_policy_opens_nothing(pair: Pair, name: str) -> None:
    world, _, attacked = pair
    with tampered(world, POLICIES[name]), recorded(world) as records:
        if name == "another":
            # A row that nobody sealed stands beside the active one: whichever is read, only the sealed one is obeyed.
            try:
                with restarted(world) as fresh:
                    assert read(fresh, attacked, "restricted").status_code == 404
            except Unavailable:
                pass
        else:
            with pytest.raises(Unavailable):
                reopen(world)
        # The running portal goes on with the policy that it read while that one's seal held, or opens nothing.
        assert read(world, attacked, "restricted").status_code in (404, 503)
    assert read(world, attacked, "restricted").status_code == 404
    if name in ("content", "digest", "seal", "time"):
        assert tampering(records)[0]["table"] == "policies"


@pytest.mark.parametrize("table", ["clearances", "memberships", "role_grants"])
@pytest.mark.parametrize("who", ["official", "restricted", "other", "auditor"])
def test_deleting_grants_never_widens_access(pair: Pair, table: str, who: str) -> None:
    world, kept, attacked = pair
    doors = ("/documents", f"/documents/{kept}", f"/documents/{attacked}/content", "/audit/records")

    def opens() -> set[str]:
        answers = {path: world.get(path, who) for path in doors}
        items = answers["/documents"].json.get("items", [])
        return {path for path in doors if answers[path].status_code == 200} | {item["id"] for item in items}

    before = opens()
    for (grant,) in sql(world, f"SELECT id FROM {table} WHERE person_id = ?", world.people[who]):
        with tampered(world, f"DELETE FROM {table} WHERE id = '{grant}'"):
            assert opens() <= before
    assert opens() == before


def test_deleting_the_row_of_a_session_or_a_token_ends_it(pair: Pair) -> None:
    world, _, _ = pair
    browser = Browser.of(world, "official")
    assert browser.get("/documents").status_code == 200
    with tampered(world, "DELETE FROM sessions", "DELETE FROM api_tokens"):
        with recorded(world) as records:
            assert browser.get("/documents").status_code == 302
        assert [record["action"] for record in records] == ["session.refused"]
        with browser.client.session_transaction() as kept:
            assert SESSION_KEY not in kept
        with recorded(world) as records:
            assert world.get("/documents", "official").status_code == 401
        assert [record["action"] for record in records] == ["token.refused"]


def test_keys_that_were_deleted_open_nothing(pair: Pair) -> None:
    world, kept, attacked = pair
    with tampered(world, "DELETE FROM keys WHERE kind = 'kek'"), restarted(world) as fresh:
        with recorded(fresh) as records:
            assert read(fresh, attacked).status_code == 503
        assert tampering(records)
        assert listed(fresh) == {kept, attacked}


def test_keys_that_changed_places_open_nothing(pair: Pair) -> None:
    world, kept, attacked = pair
    (one, first), (two, second) = sql(
        world, "SELECT id, hex(wrapped) FROM keys WHERE kind = 'kek' ORDER BY domain"
    )
    exchange = (
        f"UPDATE keys SET wrapped = x'{second}' WHERE id = '{one}'",
        f"UPDATE keys SET wrapped = x'{first}' WHERE id = '{two}'",
    )
    with tampered(world, *exchange), restarted(world) as fresh:
        for document in (kept, attacked):
            with recorded(fresh) as records:
                assert read(fresh, document).status_code == 503
            assert tampering(records)


def test_what_was_found_is_in_the_auditors_list_without_any_title(pair: Pair) -> None:
    world, _, attacked = pair
    with tampered(world, f"UPDATE documents SET state = 'destroyed' WHERE id = '{attacked}'"):
        read(world, attacked)
    answer = world.get("/audit/records?action=tamper.detected&limit=1", "auditor")
    assert [record["details"] for record in answer.json["items"]] == [{"table": "documents", "row": attacked}]
    assert "A deliverable" not in json.dumps(answer.json)


def test_a_grant_copied_from_another_person_is_refused_and_reported(pair: Pair) -> None:
    world, _, attacked = pair
    mine, theirs = world.people["restricted"], world.people["official"]
    for table in ("clearances", "memberships", "role_grants"):
        columns = [row[1] for row in sql(world, f"PRAGMA table_info({table})")]
        for fresh_id in ("lower(hex(randomblob(16)))", "id || 'x'"):
            copied = [{"id": fresh_id, "person_id": f"'{mine}'"}.get(name, name) for name in columns]
            attack = (
                f"INSERT INTO {table} SELECT {', '.join(copied)} FROM {table} WHERE person_id = '{theirs}'"
            )
            with tampered(world, attack), recorded(world) as records:
                assert read(world, attacked, "restricted").status_code == 503
                assert world.get("/documents", "restricted").status_code == 503
            assert {found["table"] for found in tampering(records)} == {table}


def test_a_database_whose_pages_are_damaged_is_out_of_reach_and_no_fault_of_the_portal(pair: Pair) -> None:
    world, _, _ = pair
    data = world.runtime.settings.data
    ((size,),) = sql(world, "PRAGMA page_size")
    ((page,),) = sql(world, "SELECT rootpage FROM sqlite_master WHERE name = 'documents' AND type = 'table'")
    sql(world, "PRAGMA wal_checkpoint(TRUNCATE)")
    with (data / "portal.db").open("r+b") as file:
        file.seek((page - 1) * size)
        before = file.read(size)
        file.seek((page - 1) * size)
        file.write(bytes([255]) * size)
    try:
        with restarted(world) as fresh:
            for path in ("/documents", f"/documents/{pair[2]}", f"/documents/{pair[2]}/content"):
                answer = fresh.get(path, "official")
                assert answer.status_code == 503, path
                assert "doctor" in answer.json["mend"]
    finally:
        with (data / "portal.db").open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(before)
