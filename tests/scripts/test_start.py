"""Commands start light: what a command does not need is not loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.endpoints import ROOT

HEAVY = {"torch", "litellm", "vllm", "transformers"}
ENGINE = {"xllamacpp", "uvicorn", "starlette", "gguf"}


def loaded_by(code: str) -> set[str]:
    """The top-level modules in memory once `code` has run in a Python of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "not_needed"),
    [
        ("import scripts.cli", HEAVY | ENGINE | {"textual", "numpy"}),
        ("import tui.inline", HEAVY | ENGINE | {"textual", "numpy"}),
        ("import tui.app", HEAVY | ENGINE | {"openai", "numpy"}),
        ("import train.importing, train.dataset", HEAVY | ENGINE | {"textual", "numpy"}),
        ("import server.engines.llamacpp, server.layer", HEAVY | {"textual"}),
    ],
)
def test_nothing_is_loaded_that_is_not_needed(code: str, not_needed: set[str]) -> None:
    assert not loaded_by(code) & not_needed
