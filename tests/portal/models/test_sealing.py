"""Sealed rows: what comes back is what was written, or it is refused."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text

from portal import models
from portal.models import Base, SealedRow, TamperedRow
from portal.models.database import Database
from tests.portal import factories

UNSEALED = {
    "keys": "the root key's wrapping binds kind, domain, version and id",
    "uploads": "names what may be cleared away; no rule reads it",
    "key_rotations": "what a background job does next; no rule reads it",
    "upload_leases": "who writes to an upload now; what is committed is checked against its sealed row",
    "scan_jobs": "when a version is scanned next; housekeeping puts back what is missing",
    "counters": "numbers for people; no rule reads them",
    "title_pieces": "authenticated encryption binds programme and number",
}


def test_every_table_that_a_rule_reads_is_sealed() -> None:
    sealed = {
        mapper.local_table.name for mapper in Base.registry.mappers if issubclass(mapper.class_, SealedRow)
    }
    assert {table.name for table in Base.metadata.sorted_tables} - sealed == set(UNSEALED)


@pytest.mark.parametrize(
    "column", ["nation", "active", "organisation_id", "name_sealed", "row_version", "log_entry"]
)
def test_person_with_an_edited_column_is_refused(database: Database, column: str) -> None:
    first, second = factories.add_organisation(database), factories.add_organisation(database, "Another")
    person = factories.add_person(database, first)
    values = {"nation": "'XXX'", "active": "0", "organisation_id": f"'{second}'", "name_sealed": "x'00'"}
    with database.engine.begin() as connection:
        connection.execute(text(f"UPDATE people SET {column} = {values.get(column, column + ' + 1')}"))
    with database.read() as session, pytest.raises(TamperedRow, match="integrity"):
        session.get(models.Person, person)


def test_row_copied_to_another_key_is_refused(database: Database) -> None:
    organisation = factories.add_organisation(database)
    person = factories.add_person(database, organisation)
    grant = factories.add_clearance(database, person, ["SECRET"])
    with database.engine.begin() as connection:
        columns = ", ".join(column.key for column in models.ClearanceGrant.__table__.columns)
        copied = re.sub(r"\bid\b", "'copy'", columns, count=1)
        connection.execute(
            text(f"INSERT INTO clearances ({columns}) SELECT {copied} FROM clearances WHERE id = '{grant}'")
        )
    with database.read() as session, pytest.raises(TamperedRow):
        session.get(models.ClearanceGrant, "copy")


def test_sealed_text_does_not_stand_in_the_database(database: Database) -> None:
    factories.add_organisation(database, "Ministry of Silence")
    with database.engine.connect() as connection:
        row = connection.execute(text("SELECT name_sealed FROM organisations")).scalar_one()
    assert b"Silence" not in row
    with database.read() as session:
        assert session.query(models.Organisation).one().name == "Ministry of Silence"


def test_sealed_row_is_not_added_without_an_intent(database: Database) -> None:
    row = models.Organisation(
        id=models.new_id(), name="x", nation="FRA", active=True, created=factories.START
    )
    with pytest.raises(RuntimeError, match="intent"), database.write() as session:
        session.add(row)


def test_change_raises_the_version_and_keeps_the_text(database: Database) -> None:
    organisation = factories.add_organisation(database, "Before")
    with database.write(log_entry=7) as session:
        row = session.get_one(models.Organisation, organisation)
        row.active = False
    with database.read() as session:
        row = session.get_one(models.Organisation, organisation)
        assert (row.row_version, row.log_entry, row.name, row.active) == (2, 7, "Before", False)
