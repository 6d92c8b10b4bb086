"""Making a whole check of storage (`portal.services.fsck`) with several processes, and going on where one stopped."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from portal.errors import Unavailable
from portal.services.fsck_findings import Finding, Result
from portal.services.runtime import Runtime, open_portal
from portal.settings import Settings

STATE_FILE = "fsck.json"
_FORMAT = 1

_runtime: Runtime | None = None


@dataclass(slots=True)
class Run:
    """A check under way or over: the units of its plan, the results that are there, seconds that it took."""

    plan: tuple[str, ...]
    results: dict[str, Result] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def left(self) -> Sequence[str]:
        """The units that were not made yet."""
        return [unit for unit in self.plan if unit not in self.results]

    @property
    def findings(self) -> Sequence[Finding]:
        """Everything that was found, in the order of the plan."""
        return [found for unit in self.plan if unit in self.results for found in self.results[unit].findings]

    @property
    def counts(self) -> dict[str, int]:
        """How much was looked at, by name."""
        found: dict[str, int] = {}
        for result in self.results.values():
            for name, number in result.counts.items():
                found[name] = found.get(name, 0) + number
        return found


class Progress:
    """The state of a check in a file of the data folder, so that one that was killed goes on; it holds ids only."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / STATE_FILE

    def read(self) -> Run | None:
        """Return the check that was stopped, None when there is none (or none that can be read)."""
        try:
            state = json.loads(self._path.read_bytes())
            if state["format"] != _FORMAT:
                return None
            results = {
                unit: Result(unit, [Finding(**found) for found in findings], counts)
                for unit, (findings, counts) in state["results"].items()
            }
            return Run(tuple(state["plan"]), results, state["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, run: Run) -> None:
        """Keep the state, in one step."""
        state = {
            "format": _FORMAT,
            "plan": run.plan,
            "seconds": run.seconds,
            "results": {
                unit: ([asdict(found) for found in result.findings], result.counts)
                for unit, result in run.results.items()
            },
        }
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(state), "utf-8")
        draft.replace(self._path)

    def remove(self) -> None:
        """Forget it: the check is over."""
        self._path.unlink(missing_ok=True)


def check(
    runtime: Runtime,
    *,
    jobs: int,
    resume: bool = False,
    on_unit: Callable[[Run, Result], None] = lambda _run, _result: None,
) -> Run:
    """Check everything with so many processes; calls `on_unit` after each unit and returns the whole.

    A stopped check is gone on with when `resume`. What it came to is recorded in the log. Raises Unavailable when a
    process of it dies, PortalError when nothing can be opened; the state is kept then.
    """
    progress = Progress(runtime.settings.data)
    stopped = progress.read() if resume else None
    plan = tuple(runtime.fsck.plan())
    run = stopped if stopped is not None and stopped.plan == plan else Run(plan)
    before, begun = run.seconds, time.monotonic()
    with closing(_results(runtime, run.left, jobs)) as results:
        for result in results:
            run.results[result.unit] = result
            run.seconds = before + time.monotonic() - begun
            progress.write(run)
            on_unit(run, result)
    runtime.fsck.record([run.results[unit] for unit in run.plan], run.seconds)
    progress.remove()
    return run


def _results(runtime: Runtime, units: Sequence[str], jobs: int) -> Generator[Result]:
    if jobs == 1:
        for unit in units:
            yield runtime.fsck.check(unit)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_open, initargs=(_plain(runtime.settings),)
    )
    try:
        waiting: set[Future[Result]] = {pool.submit(_check, unit) for unit in units}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except BrokenProcessPool:
        raise Unavailable(
            "A process of the check ended before its time.",
            mend="Look whether the machine has memory left, then run `strongroom fsck --resume`.",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _plain(settings: Settings) -> dict[str, Any]:
    """Return settings as what another process can be handed: read-only mappings cannot."""
    found = {item.name: getattr(settings, item.name) for item in fields(settings)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in found.items()}


def _open(settings: dict[str, Any]) -> None:
    global _runtime
    frozen: dict[str, Any] = {
        name: MappingProxyType(value) if isinstance(value, dict) else value
        for name, value in settings.items()
    }
    _runtime = open_portal(Settings(**frozen))


def _check(unit: str) -> Result:
    assert _runtime is not None
    return _runtime.fsck.check(unit)
