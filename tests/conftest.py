"""What every test shares: nobody's own folders are touched, and real parts where they are wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from persona.bases import SMOLLM2
from tests.endpoints import DATA, SAMPLE_CAST, start_endpoint

# A busy machine is no bug: no example is timed. In CI the same examples every time, at a desk new ones.
settings.register_profile("greenroom", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("greenroom")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the history and the private folder of whoever runs it."""
    monkeypatch.setenv("GREENROOM_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GREENROOM_HISTORY", str(tmp_path / "history.db"))
    monkeypatch.delenv("GREENROOM_URL", raising=False)
    monkeypatch.delenv("GREENROOM_API_KEY", raising=False)


@pytest.fixture(scope="session")
def base_gguf() -> Path:
    """The real base model, put in place by `make setup`."""
    path = DATA / "models" / f"{SMOLLM2.name}.gguf"
    assert path.is_file(), f"{path} is missing: run `make setup`"
    return path


@pytest.fixture(scope="session")
def base_weights() -> Path:
    """The same as safetensors, put in place by `make setup-train`."""
    path = DATA / "models" / SMOLLM2.name
    assert (path / "config.json").is_file(), f"{path} is missing: run `make setup-train`"
    return path


@pytest.fixture(scope="session")
def models_only(base_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private folder with nothing in it but the base models."""
    data = tmp_path_factory.mktemp("data")
    (data / "models").symlink_to(base_gguf.parent)
    return data


@pytest.fixture(scope="session")
def endpoint(models_only: Path) -> Iterator[str]:
    """The URL of a real endpoint: llama.cpp and the sample cast."""
    process, url = start_endpoint("--engine", "llamacpp", "--personas", str(SAMPLE_CAST), "--data", str(models_only))
    yield url
    process.terminate()
    assert process.wait(30) == 0


@pytest.fixture(scope="session")
def vllm_endpoint(models_only: Path, base_weights: Path) -> Iterator[str]:
    """The URL of the same cast served by vLLM on the CPU, the persona layer inside its process."""
    cast = ("--personas", str(SAMPLE_CAST), "--data", str(models_only))
    process, url = start_endpoint("--engine", "vllm", "--context", "1024", *cast)
    yield url
    process.terminate()
    process.wait(60)
