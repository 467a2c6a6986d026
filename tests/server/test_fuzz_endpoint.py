"""Broken, huge, hostile and odd requests at a real endpoint; benchmarks/fuzz_endpoint.py is for more of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.fuzz_endpoint import fuzz
from tests.endpoints import SAMPLE_CAST, start_endpoint


@pytest.fixture
def short_context(models_only: Path) -> Iterator[tuple[str, int]]:
    """An endpoint's URL and process: with a short context, what can be answered costs little."""
    cast = ("--personas", str(SAMPLE_CAST), "--data", str(models_only))
    process, url = start_endpoint("--engine", "llamacpp", "--context", "512", *cast)
    yield url, process.pid
    process.terminate()
    process.wait(30)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_that_comes_is_answered_wrongly_or_not_at_all(short_context: tuple[str, int]) -> None:
    report = fuzz(*short_context, count=1500)
    assert not report.wrong, "\n".join(report.wrong[:5])
    assert report.statuses["200"] > 100
    assert report.statuses["400"] > 400
