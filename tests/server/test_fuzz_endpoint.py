"""Broken, huge, hostile and odd requests at a real endpoint; benchmarks/fuzz_endpoint.py is for more of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.fuzz_endpoint import ARGUMENTS, fuzz
from tests.endpoints import start_endpoint


@pytest.fixture
def short_context(models_only: Path) -> Iterator[tuple[str, int]]:
    """An endpoint's URL and process."""
    process, url = start_endpoint(*ARGUMENTS, "--data", str(models_only))
    yield url, process.pid
    process.terminate()
    process.wait(30)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_that_comes_is_answered_wrongly_or_not_at_all(short_context: tuple[str, int]) -> None:
    report = fuzz(*short_context, count=300)
    assert not report.wrong, "\n".join(report.wrong[:5])
    assert report.statuses["200"] > 20
    assert report.statuses["400"] > 80
