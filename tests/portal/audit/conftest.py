from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from bench.postgresql import PLACES, served
from portal.audit import AuditLog, create_log, open_log_engine
from tests.portal.audit.support import APPENDER, KEEPER, Place, StepClock, place
from tests.services import require_program


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what asks for a place on SQLite, and what is marked `both` on PostgreSQL too, unless it is `on_file`."""
    if "where" in metafunc.fixturenames:
        kinds = ["sqlite"]
        marks = {mark.name for mark in metafunc.definition.iter_markers()}
        if "both" in marks and "on_file" not in marks:
            kinds.append(pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")))
        metafunc.parametrize("where", kinds, indirect=True)


@pytest.fixture
def clock() -> StepClock:
    return StepClock()


@pytest.fixture(scope="session")
def fresh_database() -> Iterator[Callable[[], str]]:
    """Make new databases with an empty log in them; returns each one's URL for the owner."""
    require_program("initdb", places=PLACES)
    with served() as url:
        admin = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        number = itertools.count()

        def fresh(template: str = "empty_log") -> str:
            name = f"log{next(number)}"
            with admin.connect() as connection:
                connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY"))
            return make_url(url).set(database=name).render_as_string(hide_password=False)

        with admin.connect() as connection:
            for role in (APPENDER, KEEPER):
                connection.execute(text(f"CREATE ROLE {role} LOGIN"))
            connection.execute(text("CREATE DATABASE empty_log"))
        template = open_log_engine(
            make_url(url).set(database="empty_log").render_as_string(hide_password=False)
        )
        create_log(template, APPENDER, KEEPER)
        template.dispose()
        yield fresh
        admin.dispose()


@pytest.fixture
def where(request: pytest.FixtureRequest, tmp_path: Path, clock: StepClock) -> Iterator[Place]:
    server = request.getfixturevalue("fresh_database")() if request.param == "postgresql" else None
    opened = place(tmp_path, clock, server)
    yield opened
    opened.engine.dispose()
    if opened.owner is not None:
        opened.owner.dispose()


@pytest.fixture
def log(where: Place) -> Iterator[AuditLog]:
    opened = where.open()
    yield opened
    opened.close()
