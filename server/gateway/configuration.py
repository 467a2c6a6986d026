"""The gateway's configuration: a file for LiteLLM in which each part says what it is for.

Source of the settings: https://docs.litellm.ai/docs/proxy/config_settings and litellm 1.106.0 itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from persona.errors import UserError
from persona.paths import make_private_dir
from server.gateway.endpoints import Endpoint

MASTER_KEY = "LITELLM_MASTER_KEY"
_MASTER_KEY = f"os.environ/{MASTER_KEY}"
NO_KEY = "none-needed"
"""What is sent to an endpoint that asks for no key. Without an entry LiteLLM would send it OPENAI_API_KEY."""

_HOSTED = re.compile(r"([a-z][a-z0-9_-]*)/[^\s*]+")

_HEAD = """\
# Greenroom's gateway, for LiteLLM. Edit it and start it: greenroom gateway --config THIS-FILE
# There are no keys in it: os.environ/NAME is read from the environment variable NAME when it starts.
"""
_PERSONAS = """
# One entry for each persona and endpoint. Entries of the same model_name share its requests; they are the same persona
# on several machines. A persona that was added since is here once the file is written again.
"""
_ADDED = """\
# Hosted models. What is written to these leaves the machine, and is read by whoever runs them.
"""
_ROUTER = """
# num_retries: how often a request that failed is tried again.
# enable_weighted_failover: then on the other machines that serve the same persona, each once.
# cooldown_time: seconds that a machine is left alone once more than half of a minute's requests to it (of five or more)
#   have failed. The only machine of a persona is not.
# timeout: seconds that a reply may take.
# fallbacks: who answers if nobody else can. Empty, since another persona, or a hosted model, would answer in somebody
#   else's voice, and elsewhere.
"""
_LITELLM = """
# drop_params: a parameter that an endpoint does not know is its to refuse, and nothing is left out in silence.
# The others keep messages and keys out of what LiteLLM writes down.
"""
_GENERAL = """
# master_key: what each request needs. LiteLLM does not start without one.
# background_health_checks: each would be a real request to each model, hosted ones too. GET /health/liveliness says
#   whether the gateway runs and asks nobody.
"""


def entries(by_id: Mapping[str, Sequence[Endpoint]], added: Sequence[str] = ()) -> list[dict[str, Any]]:
    """LiteLLM's `model_list`: an entry for each persona and endpoint, then the hosted models.

    Args:
        by_id: the endpoints of each persona.
        added: hosted models as LiteLLM names them, `openai/gpt-…`.

    Raises:
        UserError: a hosted model that is not named so, or is there twice.
    """
    model_list = [
        {
            "model_name": persona,
            "litellm_params": {
                # `openai/` is how LiteLLM is told that an endpoint speaks OpenAI's language.
                "model": f"openai/{persona}",
                "api_base": endpoint.url,
                "api_key": f"os.environ/{endpoint.key}" if endpoint.key else NO_KEY,
            },
        }
        for persona, endpoints in by_id.items()
        for endpoint in endpoints
    ]
    return model_list + [_hosted(model) for model in dict.fromkeys(added)]


def key_variable(hosted: str) -> str:
    """The environment variable that a hosted model's key is in.

    Raises:
        UserError: it is not named as LiteLLM names models.
    """
    named = _HOSTED.fullmatch(hosted)
    if named is None:
        raise UserError(
            f"--add {hosted[:80]!r} names no hosted model.", "A provider and a model: --add openai/gpt-4o-mini"
        )
    return named[1].upper().replace("-", "_") + "_API_KEY"


def configuration(model_list: Sequence[Mapping[str, Any]], *, database: bool = False) -> str:
    """The file's text.

    Args:
        model_list: of `entries`.
        database: whether keys and budgets are kept in the database that DATABASE_URL names.
    """
    personas = [entry for entry in model_list if entry["model_name"] != entry["litellm_params"]["model"]]
    beside = [entry for entry in model_list if entry["model_name"] == entry["litellm_params"]["model"]]
    router = {
        "routing_strategy": "simple-shuffle",
        "num_retries": 2,
        "enable_weighted_failover": True,
        "cooldown_time": 30,
        "timeout": 600,
        "fallbacks": [],
    }
    litellm = {"drop_params": False, "turn_off_message_logging": True, "redact_messages_in_exceptions": True}
    general: dict[str, Any] = {"master_key": _MASTER_KEY, "background_health_checks": False}
    if database:
        general |= {"database_url": "os.environ/DATABASE_URL", "store_prompts_in_spend_logs": False}
    return (
        _HEAD
        + _PERSONAS
        + "model_list:\n"
        + _yaml(personas)
        + (_ADDED + _yaml(beside) if beside else "")
        + _ROUTER
        + _yaml({"router_settings": router})
        + _LITELLM
        + _yaml({"litellm_settings": litellm})
        + _GENERAL
        + _yaml({"general_settings": general})
    )


def write(text: str, path: Path, *, replace: bool = False) -> None:
    """Write the file for its owner's eyes (mode 600).

    Raises:
        UserError: it is there already, and may not be replaced; or it cannot be written.
    """
    try:
        if replace:
            make_private_dir(path.parent)
            path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise UserError(f"{path} is there already.", f"Start it with --config {path}, or write another.") from error
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", "Choose another file with --write.") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def read(path: Path, *, database: bool = False) -> dict[str, Any]:
    """A configuration that may have been edited.

    Args:
        path: the file.
        database: whether one was named.

    Raises:
        UserError: it cannot be read, is no YAML, has no models, has a master key in it, or names a database by itself.
    """
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", "--write FILE writes one.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path} is no YAML: {why}.", "Mend it, or write it again with --write.") from error
    if not isinstance(found, dict) or not isinstance(found.get("model_list"), list) or not found["model_list"]:
        raise UserError(f"{path} has no model_list.", "--write FILE writes one from the running endpoints.")
    general = found.get("general_settings") or {}
    if not isinstance(general, dict) or general.get("master_key", _MASTER_KEY) != _MASTER_KEY:
        # The gateway's guard asks for the environment's, and LiteLLM for the file's: nobody would get in.
        raise UserError(f"{path}: general_settings has a master_key of its own.", f"Write master_key: {_MASTER_KEY}")
    if general.get("database_url") and not database:
        raise UserError(f"{path} names a database.", "Name it with --database URL, too, or take database_url out.")
    return found


def hosted(config: Mapping[str, Any]) -> list[str]:
    """The models of a configuration that name no endpoint, so that LiteLLM asks a provider on the web."""
    found = []
    for entry in config["model_list"]:
        parameters = entry.get("litellm_params") if isinstance(entry, dict) else None
        if not isinstance(parameters, dict) or not parameters.get("api_base"):
            found.append(str(entry.get("model_name", entry)) if isinstance(entry, dict) else str(entry))
    return found


def variables(config: Any) -> set[str]:
    """The environment variables that a configuration refers to."""
    if isinstance(config, dict):
        return set().union(*map(variables, config.values()))
    if isinstance(config, list):
        return set().union(*map(variables, config))
    prefix = "os.environ/"
    return {config.removeprefix(prefix)} if isinstance(config, str) and config.startswith(prefix) else set()


def _hosted(model: str) -> dict[str, Any]:
    variable = key_variable(model)
    # By its full name, so that no persona's id is taken for it.
    return {"model_name": model, "litellm_params": {"model": model, "api_key": f"os.environ/{variable}"}}


def _yaml(part: Any) -> str:
    return yaml.safe_dump(part, sort_keys=False, allow_unicode=True, width=120)
