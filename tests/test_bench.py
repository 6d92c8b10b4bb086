"""Benchmarks run too seldom to notice that something was renamed under them."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCH.glob("*.py")))
def test_every_benchmark_finds_what_it_imports(name: str) -> None:
    importlib.import_module(f"bench.{name}")
