"""The part of a check that reads the log: whether it is whole, and whether the database has all that it tells of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, select, tuple_

from crypto.keyring import KeyRing
from crypto.translog.note import Verifier
from portal import models
from portal.audit import AuditLog
from portal.audit.reading import stream_leaves
from portal.audit.verify import verify_log
from portal.errors import Tampered
from portal.models.database import Database
from portal.services.fsck_findings import Result

_BATCH = 500
_DEPOSITS = ("document.upload", "document.version")
_MARKS = (b'"action":"grant.', *(f'"action":"{action}"'.encode() for action in _DEPOSITS))


class LogCheck:
    """Verifies the log and compares it with the database."""

    def __init__(
        self, database: Database, log: AuditLog, engine: Engine, ring: KeyRing, anchor: Path
    ) -> None:
        self._database = database
        self._log = log
        self._engine = engine
        self._ring = ring
        self._anchor = anchor

    def check(self) -> Result:
        """Verify every record, count, tile, checkpoint and the anchor; then what the database lacks."""
        result = Result("log")
        verifiers = [Verifier(self._log.origin, key.public_key) for key in self._ring.signers("log-signing")]
        report = verify_log(self._engine, verifiers, anchor=self._anchor)
        result.count("records", report.records)
        for found in report.findings:
            result.add("log", found.place, found.problem)
        try:
            self._compare(result)
        except Tampered as fault:
            result.add("log", "the log", fault.message)
        return result

    def _compare(self, result: Result) -> None:
        intents: dict[int, tuple[str, str, int]] = {}
        granted: dict[tuple[str, str], int] = {}
        deposits: list[tuple[str, int]] = []
        for leaves in stream_leaves(self._engine, 0, self._log.size()):
            for leaf in leaves:
                if any(mark in leaf for mark in _MARKS):
                    _follow(json.loads(leaf), intents, granted, deposits)
            if len(deposits) >= _BATCH:
                self._look_for(deposits, result)
                deposits = []
        self._look_for(deposits, result)
        self._compare_grants(granted, result)

    def _look_for(self, deposits: Sequence[tuple[str, int]], result: Result) -> None:
        table = models.Version
        for start in range(0, len(deposits), _BATCH):
            some = deposits[start : start + _BATCH]
            query = select(table.document_id, table.number).where(
                tuple_(table.document_id, table.number).in_(some)
            )
            with self._database.read() as session:
                there = {(row[0], row[1]) for row in session.execute(query)}
            for document, number in some:
                if (document, number) not in there:
                    problem = "the log says that it was received, the database does not have it"
                    place = f"document {document}, version {number}"
                    result.add("lost", place, problem, document, number)

    def _compare_grants(self, granted: dict[tuple[str, str], int], result: Result) -> None:
        by_table: dict[str, dict[str, int]] = {}
        for (name, row), version in granted.items():
            by_table.setdefault(name, {})[row] = version
        for name, rows in by_table.items():
            table = models.Base.metadata.tables.get(name)
            if table is None or len(table.primary_key.columns) != 1 or "row_version" not in table.columns:
                continue
            for place, problem in self._older(table, rows):
                result.add("older", place, problem)

    def _older(self, table: Table, rows: dict[str, int]) -> Sequence[tuple[str, str]]:
        (key,) = table.primary_key.columns
        found = []
        ids = sorted(rows)
        for start in range(0, len(ids), _BATCH):
            some = ids[start : start + _BATCH]
            with self._database.read() as session:
                query = select(key, table.c.row_version).where(key.in_(some))
                there = {str(row[0]): row[1] for row in session.execute(query)}
            for row in some:
                if row not in there:
                    found.append(
                        (f"{table.name} {row}", "the log has this change, the database has no such row")
                    )
                elif there[row] < rows[row]:
                    problem = f"the log has its version {rows[row]}, the database version {there[row]}"
                    found.append((f"{table.name} {row}", problem))
        return found


def _follow(
    record: dict[str, Any],
    intents: dict[int, tuple[str, str, int]],
    granted: dict[tuple[str, str], int],
    deposits: list[tuple[str, int]],
) -> None:
    """Take in one record: a change counts once its outcome says that it is complete."""
    if record.get("outcome") is None:
        details = record.get("details") or {}
        if record["action"] not in _DEPOSITS and {"table", "row", "row_version"} <= details.keys():
            intents[record["seq"]] = details["table"], details["row"], details["row_version"]
        return
    intent = intents.pop(record.get("completes", -1), None)
    if record["outcome"] != "complete":
        return
    if record["action"] in _DEPOSITS and record.get("document") and record.get("version"):
        deposits.append((record["document"], record["version"]))
    elif intent is not None:
        place = intent[0], intent[1]
        granted[place] = max(granted.get(place, 0), intent[2])
