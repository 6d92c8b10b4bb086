"""The log on PostgreSQL: what its two roles may and may not, and nodes that share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from portal.audit import AuditLog, create_log, open_log_engine
from portal.errors import Unavailable
from tests.portal.audit.support import APPENDER, KEEPER, Place, StepClock, as_role, place, read

pytestmark = pytest.mark.xdist_group("postgresql")

TAMPERING = (
    "UPDATE leaves SET leaf = 'x' WHERE seq = 0",
    "DELETE FROM leaves",
    "TRUNCATE leaves",
    "INSERT INTO leaves VALUES (0, 'x') ON CONFLICT (seq) DO UPDATE SET leaf = 'x'",
)


@pytest.fixture
def server(tmp_path: Path, clock: StepClock, fresh_database: Callable[[], str]) -> Iterator[Place]:
    opened = place(tmp_path, clock, fresh_database())
    yield opened
    opened.engine.dispose()
    assert opened.owner is not None
    opened.owner.dispose()


@pytest.fixture
def written(server: Place) -> Iterator[AuditLog]:
    log = server.open()
    log.append(read())
    yield log
    log.close()


def run(engine: Engine, statement: str) -> None:
    with engine.connect().execution_options(audit_write=5.0) as connection, connection.begin():
        connection.execute(text(statement))


@pytest.mark.parametrize("statement", TAMPERING)
def test_neither_the_appending_role_nor_the_owner_changes_a_leaf(
    server: Place, written: AuditLog, statement: str
) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        run(server.engine, statement)
    assert server.owner is not None
    with pytest.raises(IntegrityError, match="never changes"):
        run(server.owner, statement)
    assert server.verify().ok


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM head",
        "INSERT INTO head VALUES (2, 0, 0)",
        "DELETE FROM disclosures",
        "UPDATE checkpoints SET note = 'x'",
        "ALTER TABLE leaves DISABLE TRIGGER USER",
        "DROP TABLE leaves",
        "SET ROLE log_keeper",
    ],
)
def test_the_appending_role_may_nothing_else(server: Place, written: AuditLog, statement: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        run(server.engine, statement)


def test_the_keeping_role_may_delete_leaves_and_add_none(server: Place, written: AuditLog) -> None:
    assert server.owner is not None
    url = server.owner.url.render_as_string(hide_password=False)
    keeper = open_log_engine(as_role(url, KEEPER))
    with pytest.raises(DBAPIError, match="permission denied"):
        run(keeper, "INSERT INTO leaves VALUES (1, 'x')")
    with pytest.raises(DBAPIError, match="permission denied"):
        run(keeper, "UPDATE leaves SET leaf = 'x'")
    run(keeper, "DELETE FROM leaves WHERE seq = 0")
    keeper.dispose()


def test_nodes_that_append_at_the_same_time_share_one_log(server: Place) -> None:
    second = Place(
        server.folder, open_log_engine(server.engine.url.render_as_string()), server.clock, server.sealer
    )
    logs = [server.open(wait=30), second.open(wait=30)]

    def work(number: int) -> list[int]:
        receipts = [logs[number % 2].append(read(f"p{number}", f"d{turn % 3}")) for turn in range(15)]
        logs[number % 2].checkpoint()
        return [receipt.seq for receipt in receipts]

    with ThreadPoolExecutor(8) as pool:
        numbers = [seq for some in pool.map(work, range(8)) for seq in some]
    assert sorted(numbers) == list(range(120))
    assert server.verify().ok
    assert [len(log.readers_of("d0")) for log in logs] == [8, 8]
    for log in logs:
        log.close()
    second.engine.dispose()


def test_an_append_that_waits_for_the_head_too_long_is_refused(server: Place, written: AuditLog) -> None:
    impatient = server.open(wait=0.2)
    with server.engine.connect().execution_options(audit_write=5.0) as holder, holder.begin():
        holder.execute(text("SELECT size FROM head FOR UPDATE"))
        with pytest.raises(Unavailable):
            impatient.append(read())
    assert impatient.append(read()).seq == 1
    impatient.close()


def test_a_log_without_the_projection_of_this_release_asks_for_its_owner(
    server: Place, written: AuditLog
) -> None:
    assert server.owner is not None
    run(server.owner, "ALTER TABLE records DROP COLUMN shown CASCADE")
    with pytest.raises(Unavailable, match="not those of this release") as refused:
        server.open()
    assert "audit prepare" in refused.value.mend
    create_log(server.owner, APPENDER, KEEPER)
    assert len(server.open().readers_of("d1")) == 1
