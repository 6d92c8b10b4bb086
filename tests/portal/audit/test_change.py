from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from portal.audit import AuditLog, Event
from portal.audit.change import recorded_change
from portal.errors import Conflict, Invalid, Unavailable
from portal.models import Organisation, new_id
from portal.models.database import Database
from tests.portal.factories import START, add_organisation, records_of

WHO = {"actor": "person-1", "session": "session-1", "target": "organisation-1", "request": "request-1"}
LATER = START.replace(year=2027)
CREATE = Event("organisation.create", private={"name": "Acme"}, details={"door": "web"}, **WHO)


def organisation(identifier: str | None = None) -> Organisation:
    row = Organisation(id=identifier or new_id(), nation="NLD", active=True, created=START)
    row.name = "Acme"
    return row


def count(database: Database) -> int:
    with database.read() as session:
        return session.query(Organisation).count()


def test_a_change_is_recorded_as_intent_then_outcome(database: Database, audit_log: AuditLog) -> None:
    with recorded_change(audit_log, database.write, CREATE) as change:
        assert change.receipt.seq == 0
        assert audit_log.size() == 1
        change.session.add(organisation())
    intent, outcome = records_of(audit_log)
    assert "outcome" not in intent
    assert "completes" not in intent
    assert outcome["completes"] == 0
    assert outcome["outcome"] == "complete"
    assert {name: outcome[name] for name in WHO} == WHO
    assert audit_log.open_intents(LATER) == ()


def test_rows_carry_the_number_of_their_intent(database: Database, audit_log: AuditLog) -> None:
    audit_log.append(Event("portal.start"))
    with recorded_change(audit_log, database.write, CREATE) as change:
        change.session.add(organisation())
    with database.read() as session:
        assert session.query(Organisation).one().log_entry == 1


def test_private_values_and_details_stand_in_the_intent_only(database: Database, audit_log: AuditLog) -> None:
    with recorded_change(audit_log, database.write, CREATE):
        pass
    intent, outcome = records_of(audit_log)
    assert intent["details"] == {"door": "web"}
    assert set(intent["commitments"]) == {"name"}
    assert "details" not in outcome
    assert "commitments" not in outcome


def test_an_error_in_the_block_rolls_back_and_is_recorded_as_failed(
    database: Database, audit_log: AuditLog
) -> None:
    def change_and_fail() -> None:
        with recorded_change(audit_log, database.write, CREATE) as change:
            change.session.add(organisation())
            change.session.flush()
            raise Conflict("somebody was first")

    with pytest.raises(Conflict):
        change_and_fail()
    assert records_of(audit_log)[1]["outcome"] == "failed"
    assert count(database) == 0


def test_what_the_database_refuses_is_recorded_as_failed(database: Database, audit_log: AuditLog) -> None:
    taken = add_organisation(database)
    with pytest.raises(IntegrityError), recorded_change(audit_log, database.write, CREATE) as change:
        change.session.add(organisation(taken))
    assert records_of(audit_log)[1]["outcome"] == "failed"
    assert count(database) == 1


def test_a_database_that_does_not_open_is_recorded_as_failed(database: Database, audit_log: AuditLog) -> None:
    @contextmanager
    def locked(_log_entry: int) -> Any:
        raise Unavailable("the database is locked")
        yield

    with pytest.raises(Unavailable), recorded_change(audit_log, locked, CREATE):
        pytest.fail("the block must not run")
    assert records_of(audit_log)[1]["outcome"] == "failed"


def failing_commit(database: Database) -> Any:
    @contextmanager
    def write(log_entry: int) -> Any:
        with database.write(log_entry) as session:
            yield session
            raise OperationalError("COMMIT", {}, Exception("disk full"))

    return write


def test_a_commit_of_unknown_fate_leaves_the_intent_to_the_settlement(
    database: Database, audit_log: AuditLog
) -> None:
    with pytest.raises(Unavailable), recorded_change(audit_log, failing_commit(database), CREATE) as change:
        change.session.add(organisation())
    assert audit_log.size() == 1
    assert audit_log.open_intents(LATER) == (0,)


def test_an_action_of_one_record_has_no_second_when_it_succeeds(
    database: Database, audit_log: AuditLog
) -> None:
    with recorded_change(audit_log, database.write, Event("settings.changed")) as change:
        change.session.add(organisation())
    assert audit_log.size() == 1
    assert count(database) == 1


def test_an_action_of_one_record_has_a_second_when_it_fails(database: Database, audit_log: AuditLog) -> None:
    with pytest.raises(Conflict), recorded_change(audit_log, database.write, Event("settings.changed")):
        raise Conflict("not now")
    assert records_of(audit_log)[1]["outcome"] == "failed"


def test_nothing_is_written_without_a_recorded_intent(database: Database, audit_log: AuditLog) -> None:
    audit_log.close()
    with pytest.raises(Unavailable), recorded_change(audit_log, database.write, CREATE):
        pytest.fail("the block must not run")
    assert count(database) == 0


def test_an_action_outside_the_catalogue_is_refused(database: Database, audit_log: AuditLog) -> None:
    with pytest.raises(Invalid), recorded_change(audit_log, database.write, Event("organisation.invent")):
        pytest.fail("the block must not run")


def test_a_log_that_fails_afterwards_does_not_hide_the_error(database: Database, audit_log: AuditLog) -> None:
    def lose_the_log_and_fail() -> None:
        with recorded_change(audit_log, database.write, CREATE):
            audit_log.close()
            raise Conflict("somebody was first")

    with pytest.raises(Conflict):
        lose_the_log_and_fail()
    assert audit_log.open_intents(LATER) == (0,)


def test_a_log_that_fails_after_the_commit_is_told(database: Database, audit_log: AuditLog) -> None:
    def lose_the_log() -> None:
        with recorded_change(audit_log, database.write, CREATE) as change:
            change.session.add(organisation())
            audit_log.close()

    with pytest.raises(Unavailable):
        lose_the_log()
    assert count(database) == 1
