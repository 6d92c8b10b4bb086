"""What benchmarks report: a figure beside its goal, and the machine on which it was measured."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `goal` is what it must reach: at most, or with `least` at least."""

    name: str
    value: float
    unit: str
    goal: float | None = None
    least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.least else self.value <= self.goal


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the least value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def show(figures: Sequence[Figure]) -> None:
    """Print a table: figure, goal, how far from it (over 1 is better than the goal)."""
    width = max([len(figure.name) for figure in figures], default=0)
    for figure in figures:
        line = f"{figure.name:{width}}  {figure.value:10,.2f} {figure.unit:8}"
        if figure.goal is not None:
            ratio = figure.value / figure.goal if figure.least else figure.goal / max(figure.value, 1e-9)
            line += f"  {'≥' if figure.least else '≤'} {figure.goal:7g}  {ratio:7.2f} x"
            line += "  met" if figure.met else "  MISSED"
        print(f"{line}  {figure.note}".rstrip(), flush=True)


def machine() -> str:
    """Return what the figures depend on: processors, their model, Python, the load when asked."""
    model = "unknown processor"
    if (info := Path("/proc/cpuinfo")).exists() and (
        found := re.search(r"^model name\s*: (.*)$", info.read_text(), re.M)
    ):
        model = found[1]
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} x {model}, Python {platform.python_version()}, load {load:.2f}"
