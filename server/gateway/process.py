"""LiteLLM's proxy as a process: the Python that has it, its command line, and an environment in which it is quiet."""

from __future__ import annotations

import importlib.util
import os
import secrets
import sys
from pathlib import Path

from persona.errors import UserError
from server.engines.vllm import ROOT
from server.gateway.configuration import MASTER_KEY

QUIET = {
    # LiteLLM fetches prices, header names, presets and its blog from the web unless it is told to use its own copies.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_DISABLE_BUG_REPORT_LINK": "True",
    "HF_HUB_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    # No pages for administrators, and no page that loads scripts from elsewhere.
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
    "NO_REDOC": "True",
    "NO_OPENAPI": "True",
    # In its DEV mode it reads a .env of the folder it is started in.
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    # Any page of the web, otherwise.
    "LITELLM_CORS_ORIGINS": "http://localhost",
}
"""What the proxy is told. There is no telemetry to turn off in this version; its switch is kept and does nothing."""

_NOT_INHERITED = frozenset(
    "DATABASE_URL DATABASE_HOST DIRECT_URL CONFIG_FILE_PATH LITELLM_CONFIG_BUCKET_NAME SERVER_ROOT_PATH".split()
)
"""Each would have the proxy read its keys or settings from somewhere that nobody named here, or serve other paths."""


def find_python() -> Path:
    """The Python that can start LiteLLM's proxy: this one, or that of `.venv-vllm`.

    Raises:
        UserError: neither has it.
    """
    if importlib.util.find_spec("litellm"):
        return Path(sys.executable)
    for folder in (Path.cwd(), ROOT):
        if (folder / ".venv-vllm" / "bin" / "litellm").is_file():
            return folder / ".venv-vllm" / "bin" / "python"
    raise UserError("LiteLLM is not installed here.", "`make setup-vllm` installs it, beside vLLM.")


def check_database(python: Path) -> None:
    """See that LiteLLM's way to a database is there.

    Raises:
        UserError: it is not, as in `.venv-vllm` as it is installed.
    """
    if not any(python.parent.parent.glob("lib/python*/site-packages/prisma")):
        raise UserError(
            f"for a database LiteLLM needs the package prisma, which {python.parent.parent} does not have.",
            "Install it there as LiteLLM's manual says, or leave --database out.",
        )


def check_master_key(key: str) -> None:
    """See that a master key is one that LiteLLM starts with and a client can send.

    Raises:
        UserError: it is too short to be a secret, or no single word of ASCII.
    """
    if len(key) < 16 or not key.isascii() or not key.isprintable() or " " in key:
        raise UserError(
            f"{MASTER_KEY} is not a key to let others in with: 16 letters and digits or more, without spaces.",
            f"Unset {MASTER_KEY}, and one is made.",
        )


def new_master_key() -> str:
    """A key that nobody has seen yet; LiteLLM wants it to begin with `sk-`."""
    return f"sk-{secrets.token_urlsafe(32)}"


def command(python: Path, config: Path, *, host: str, port: int) -> list[str]:
    """The command line that starts the proxy behind its guard."""
    # The number of workers too, since LiteLLM would take it from the environment.
    listen = ["--host", host, "--port", str(port), "--num_workers", "1"]
    return [str(python), "-m", "server.gateway.guard", "--config", str(config.resolve()), *listen]


def environment(master_key: str, database: str | None = None) -> dict[str, str]:
    """The environment for `command`.

    Args:
        master_key: what each request must bring.
        database: the address of a PostgreSQL database for LiteLLM's own keys and budgets, or None.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = {**inherited, **QUIET, "PYTHONPATH": path, MASTER_KEY: master_key}
    return found if database is None else {**found, "DATABASE_URL": database}
