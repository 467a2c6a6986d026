"""Simon Willison's `llm`, the command, with the personas in its own configuration file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def home(endpoint: str, tmp_path: Path) -> Path:
    # As its documentation has it: https://llm.datasette.io/en/stable/other-models.html#openai-compatible-models
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- model_id: my-milo\n  model_name: milo\n  api_base: {endpoint}\n"
        f"- model_id: milo-goes-on\n  model_name: milo\n  api_base: {endpoint}\n  completion: true\n"
    )
    return tmp_path


def llm(home: Path, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    done = subprocess.run(
        [sys.executable, "-m", "llm", *arguments],
        env={**environment, "LLM_USER_PATH": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_prompt_streams_and_the_conversation_goes_on(home: Path) -> None:
    assert llm(home, "-m", "my-milo", "-o", "max_tokens", "12", "hey, what's up?")
    assert llm(home, "-m", "my-milo", "-c", "-o", "max_tokens", "12", "and then?")


def test_a_system_prompt_and_options_without_streaming(home: Path) -> None:
    options = ("-o", "temperature", "0", "-o", "seed", "7", "-o", "max_tokens", "12")
    assert llm(home, "-m", "my-milo", "--no-stream", "-s", "The boat is green.", *options, "green or blue?")


def test_a_raw_prompt(home: Path) -> None:
    assert llm(home, "-m", "milo-goes-on", "-o", "max_tokens", "8", "and then I said")
