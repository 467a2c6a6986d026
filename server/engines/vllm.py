"""vLLM with the persona layer inside its process, on a GPU or (the CPU build) without one.

vLLM lives in an environment of its own, so this module only works out the command line and hands the process over.
The layer is loaded by vLLM's `--middleware`; each persona's adapter is one of its LoRA modules, named by the
persona's id.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import msgspec

from persona.bases import weights_path
from persona.card import Persona
from persona.errors import UserError
from persona.gguf_lora import read_config
from persona.template import TEMPLATE_PATH
from server.access import SETTINGS_VARIABLE, Settings
from server.engines.vllm_copies import kept_adapter
from server.layer import FOLDERS_VARIABLE
from server.listen import GRACE_SECONDS

ROOT = Path(__file__).resolve().parents[2]
# The ranks that vLLM has kernels for; an adapter of rank 4 is served by those of rank 8.
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)


BASE_SUFFIX = ".base"
"""What follows the base's name where vLLM lists it, so that no persona's id is taken for it."""


def find_python() -> Path:
    """The Python that can start vLLM: this one, or that of `.venv-vllm`.

    Raises:
        UserError: neither has it.
    """
    if importlib.util.find_spec("vllm"):
        return Path(sys.executable)
    for folder in (Path.cwd(), ROOT):
        python = folder / ".venv-vllm" / "bin" / "python"
        if python.is_file():
            return python
    raise UserError(
        "vLLM is not installed here.", "`make setup-vllm` installs the CPU build; `--engine llamacpp` needs none."
    )


def command(personas: list[Persona], data: Path, *, host: str, port: int, context: int, slots: int) -> list[str]:
    """The command line that serves `personas` with vLLM.

    Raises:
        UserError: no vLLM, no safetensors of the base, more than one base, or an adapter it cannot serve.
    """
    bases = sorted({persona.card.base for persona in personas})
    if len(bases) > 1:
        raise UserError(
            f"vLLM serves one base model at a time; these personas need {', '.join(bases)}.",
            "Start one endpoint for each, with --personas.",
        )
    adapters = {persona.id: persona.adapter for persona in personas if persona.adapter is not None}
    plain = [persona.id for persona in personas if persona.adapter is None]
    arguments = [
        str(find_python()), "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(weights_path(bases[0], data).resolve()),
        "--served-model-name", f"{bases[0]}{BASE_SUFFIX}", *plain,
        "--host", host, "--port", str(port),
        "--max-model-len", str(context), "--max-num-seqs", str(slots),
        "--chat-template", str(TEMPLATE_PATH),
        "--middleware", "server.layer.PersonaLayer",
        # Sampling comes from the persona's card, not from a file beside the base model.
        "--generation-config", "vllm",
        # Told to stop, it would break off what it says.
        "--shutdown-timeout", str(GRACE_SECONDS),
        "--disable-uvicorn-access-log", "--disable-fastapi-docs",
        # vLLM lets pages of every origin in unless it is told otherwise; the layer sees to that.
        "--allowed-origins", "[]",
    ]  # fmt: skip
    if adapters:
        highest = max(read_config(adapter).r for adapter in adapters.values())
        rank = next((step for step in _RANKS if step >= highest), None)
        if rank is None:
            raise UserError(f"an adapter of rank {highest} is more than vLLM serves.", "Train it with less.")
        modules = [
            msgspec.json.encode({"name": name, "path": str(kept_adapter(path, data))}).decode()
            for name, path in adapters.items()
        ]
        arguments += ["--enable-lora", "--max-lora-rank", str(rank)]
        arguments += ["--max-loras", str(min(len(adapters), 8)), "--max-cpu-loras", str(len(adapters) + 8)]
        arguments += ["--lora-modules", *modules]
    return arguments


def environment(folders: list[Path], data: Path, access: Settings) -> dict[str, str]:
    """The environment for `command`: the layer's folders and guard, and nothing told to anybody."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        **os.environ,
        FOLDERS_VARIABLE: os.pathsep.join(str(folder.resolve()) for folder in folders),
        SETTINGS_VARIABLE: msgspec.json.encode(access).decode(),
        "GREENROOM_DATA": str(data.resolve()),
        "PYTHONPATH": path,
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": os.environ.get("VLLM_CPU_KVCACHE_SPACE", "1"),
    }
