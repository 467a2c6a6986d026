"""The same with vLLM, whose own routes for adapters stay out of reach."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.endpoints import SAMPLE_CAST, start_endpoint
from tests.server.test_live_personas import Talk, ask, broken, listed, replace, said, until


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("living") / "personas"
    shutil.copytree(SAMPLE_CAST / "beatrix", folder / "beatrix")
    return folder


@pytest.fixture(scope="module")
def client(cast: Path, models_only: Path, base_weights: Path) -> Iterator[httpx.Client]:
    arguments = ("--engine", "vllm", "--context", "512", "--personas", str(cast), "--data", str(models_only))
    process, url = start_endpoint(*arguments)
    with httpx.Client(base_url=url, timeout=300) as client:
        yield client
    process.terminate()
    process.wait(60)


@pytest.mark.vllm
def test_a_folder_is_added_replaced_and_removed_while_replies_are_written(client: httpx.Client, cast: Path) -> None:
    with Talk(client, "beatrix") as talk:
        shutil.copytree(SAMPLE_CAST / "lev", cast / "canary")
        until(lambda: "canary" in listed(client))
        as_lev = said(client, "canary")
        assert any("а" <= letter <= "я" for letter in as_lev)

        replace(cast / "canary", SAMPLE_CAST / "pip" / "adapter")
        until(lambda: said(client, "canary") != as_lev)
        answer = ask(client, "canary").json()
        assert not any("а" <= letter <= "я" for letter in answer["choices"][0]["message"]["content"])
        assert answer["model"] == "canary"

        weights = cast / "canary" / "adapter" / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
        until(lambda: "canary" in broken(client))
        assert said(client, "beatrix")

        shutil.rmtree(cast / "canary")
        until(lambda: listed(client) == ["beatrix"] and not broken(client))
        assert ask(client, "canary").json()["error"]["code"] == "model_not_found"
    assert set(talk.ends) == {"data: [DONE]"}
