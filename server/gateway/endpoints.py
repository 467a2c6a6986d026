"""The running endpoints that a gateway stands in front of, and whom each of them serves."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx
import msgspec

from persona.errors import UserError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Endpoint(msgspec.Struct, frozen=True):
    """One running endpoint.

    Attributes:
        url: its address, up to and with `/v1`.
        key: the environment variable that its key is in, or None for one that asks for none.
    """

    url: str
    key: str | None = None


class _Who(msgspec.Struct, frozen=True):
    speaker: str
    base: str


class _Model(msgspec.Struct):
    id: str
    greenroom: _Who


class _Models(msgspec.Struct):
    data: list[_Model]


def endpoints(urls: Sequence[str], keys: Sequence[str]) -> list[Endpoint]:
    """The endpoints at `urls`, each with the environment variable that its key is in.

    Args:
        urls: addresses, with or without `/v1`.
        keys: none, one variable for all endpoints, or one for each.

    Raises:
        UserError: an address that is none or is there twice, or variables that do not fit.
    """
    for name in keys:
        if not _VARIABLE.fullmatch(name) or name not in os.environ:
            # It is not repeated: whoever mistook the option has written the key itself.
            raise UserError(
                "--endpoint-key takes the name of an environment variable that is set, and was given something else.",
                "For example: export GREENROOM_API_KEY=… and --endpoint-key GREENROOM_API_KEY",
            )
    if len(keys) not in (0, 1, len(urls)):
        raise UserError(
            f"--endpoint-key was given {len(keys)} times for {len(urls)} endpoints.", "Once for all, or once for each."
        )
    found = [_address(url) for url in urls]
    twice = next((url for url in found if found.count(url) > 1), None)
    if twice is not None:
        raise UserError(f"{twice} is there twice.", "Name each endpoint once.")
    each: Sequence[str | None] = keys if len(keys) == len(urls) else [keys[0] if keys else None] * len(urls)
    return [Endpoint(url, key) for url, key in zip(found, each, strict=True)]


def served(all_endpoints: Sequence[Endpoint]) -> dict[str, list[Endpoint]]:
    """Whom the endpoints serve now: the endpoints of each persona, by its id.

    Raises:
        UserError: one does not answer, is no Greenroom endpoint, or means somebody else by the same id.
    """
    by_id: dict[str, list[Endpoint]] = {}
    people: dict[str, _Who] = {}
    for endpoint in all_endpoints:
        for model in _ask(endpoint):
            if people.setdefault(model.id, model.greenroom) != model.greenroom:
                first = by_id[model.id][0]
                raise UserError(
                    f"{model.id} is {_tell(people[model.id])} at {first.url} and {_tell(model.greenroom)} at "
                    f"{endpoint.url}.",
                    "One gateway would let them answer for each other: rename one, or start a gateway for each.",
                )
            by_id.setdefault(model.id, []).append(endpoint)
    if not by_id:
        raise UserError("the endpoints serve nobody.", "`greenroom personas` lists who is there to be served.")
    return dict(sorted(by_id.items()))


def _tell(who: _Who) -> str:
    return f"{who.speaker} on {who.base}"


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username is not None or parts.query or parts.fragment:
        # What stands before an @ may be a password.
        shown = url.rpartition("@")[2][:120]
        raise UserError(f"{shown!r} is no endpoint's address.", "For example: http://127.0.0.1:8844/v1")
    return url.rstrip("/").removesuffix("/v1") + "/v1"


def _ask(endpoint: Endpoint) -> list[_Model]:
    headers = {"authorization": f"Bearer {os.environ[endpoint.key]}"} if endpoint.key else {}
    try:
        # Not by way of a proxy that the environment names: it would see the key.
        answer = httpx.get(f"{endpoint.url}/models", headers=headers, timeout=10, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise UserError(
            f"no endpoint answers at {endpoint.url} ({type(error).__name__}).",
            "Start it there with `greenroom serve`, or name another with --endpoint.",
        ) from error
    if answer.status_code in (401, 403):
        raise UserError(
            f"the endpoint at {endpoint.url} does not accept " + ("this key." if endpoint.key else "us without a key."),
            "Make one there with `greenroom serve --new-key NAME`, export it, and name its variable: "
            "--endpoint-key VARIABLE",
        )
    try:
        if answer.status_code != 200:
            raise ValueError(f"HTTP {answer.status_code}")
        return msgspec.json.decode(answer.content, type=_Models).data
    except ValueError as error:  # msgspec's are, too
        raise UserError(
            f"{endpoint.url} is no Greenroom endpoint: {error}.", "Models of others are put beside with --add."
        ) from error
