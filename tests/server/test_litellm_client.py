"""The `litellm` package, which lives in vLLM's environment and is run there, pointed at the endpoint."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.endpoints import ROOT

PYTHON = ROOT / ".venv-vllm" / "bin" / "python"

# `openai/` is how LiteLLM is told that an endpoint speaks OpenAI's language.
SCRIPT = """
import asyncio, json, sys
import litellm

to = {"model": "openai/milo", "api_base": sys.argv[1], "api_key": "none needed"}
hey = [{"role": "user", "content": "hey", "name": "Juno_Farrowby"}]
said = {}
answer = litellm.completion(messages=hey, temperature=0, max_tokens=12, **to)
said["plain"] = answer.choices[0].message.content
said["tokens"] = answer.usage.completion_tokens
chunks = list(litellm.completion(messages=hey, temperature=0, max_tokens=12, stream=True, **to))
said["streamed"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
later = asyncio.run(litellm.acompletion(messages=hey, temperature=0, max_tokens=12, **to))
said["async"] = later.choices[0].message.content
said["raw"] = litellm.text_completion(prompt="and then", max_tokens=8, **{**to, "model": "text-completion-openai/milo"}).choices[0].text
try:
    litellm.completion(messages=hey, **{**to, "model": "openai/nobody"})
except litellm.NotFoundError as error:
    said["error"] = str(error)
print(json.dumps(said))
"""


@pytest.mark.vllm
def test_litellm(endpoint: str) -> None:
    done = subprocess.run(
        [PYTHON, "-c", SCRIPT, endpoint],
        env={"LITELLM_LOCAL_MODEL_COST_MAP": "True", "PATH": "/usr/bin:/bin"},  # no look-up of prices on the web
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["plain"]
    assert said["plain"] == said["streamed"] == said["async"]
    assert said["tokens"] > 0
    assert said["raw"]
    assert "does not exist" in said["error"]
