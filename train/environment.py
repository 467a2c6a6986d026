"""Where axolotl lives, and how its processes are started.

axolotl has an environment of its own (`.venv-train`). Nothing of it is imported here; its tools are run.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from persona.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


def training_python() -> Path:
    """The Python beside the `axolotl` on PATH, or that of `.venv-train`.

    Raises:
        UserError: there is neither.
    """
    ours = _tool(".venv-train", "axolotl")
    if ours:
        return ours.with_name("python")
    on_path = shutil.which("axolotl")
    if on_path:
        # Not resolved: a virtual environment's python is a link out of it.
        return Path(on_path).with_name("python")
    raise UserError(
        "axolotl is not installed here.",
        "`make setup-train` makes .venv-train with it (4 GB); on a machine with a GPU see docs/training.md.",
    )


def conversion_python() -> Path:
    """A Python with transformers, to convert a base model: that of training, or else of `.venv-vllm`.

    Raises:
        UserError: there is neither.
    """
    try:
        return training_python()
    except UserError:
        python = _tool(".venv-vllm", "python")
        if python is None:
            raise
        return python


def _tool(environment: str, name: str) -> Path | None:
    """The program `name` of one of the project's environments, here or beside the code; None where it is not."""
    places = (folder / environment / "bin" / name for folder in (Path.cwd(), ROOT))
    return next((place for place in places if place.is_file()), None)


def training_environ(python: Path, threads: int = 0) -> Mapping[str, str]:
    """The environment for axolotl: its own tools first on PATH, our modules importable, nothing told to anybody.

    Args:
        python: what `training_python` found.
        threads: for computing on a CPU; 0 takes what `OMP_NUM_THREADS` says, or all cores this process may use.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(python.parent), os.environ.get("PATH", "")]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        # accelerate's launcher sets one thread unless told, which halves the speed of two cores.
        "OMP_NUM_THREADS": str(threads or os.environ.get("OMP_NUM_THREADS") or cores),
        "AXOLOTL_DO_NOT_TRACK": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "WANDB_MODE": "disabled",
        "TOKENIZERS_PARALLELISM": "false",
    }
