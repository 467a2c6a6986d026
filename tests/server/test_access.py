"""Who may ask, and how much: keys, limits, origins, with the real endpoint where it matters."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from persona.errors import UserError
from server.access import Access, Caller, Settings, is_loopback
from server.envelope import RequestError
from server.keys import keys_path, new_key, read_keys, revoke_key
from server.layer import PersonaLayer
from server.roster import Roster
from tests.endpoints import ROOT, SAMPLE_CAST, start_endpoint


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return keys_path(tmp_path / "private")


def make(keys: Path, name: str = "laptop", **limits: Any) -> str:
    return new_key(keys, name, **{"personas": None, "per_minute": None, "at_once": None, **limits})


async def answers(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"ok": True})(scope, receive, send)


def asking(roster: Roster, key: str | None = None, **settings: Any) -> httpx.AsyncClient:
    layer = PersonaLayer(answers, roster, access=Settings(**settings))
    headers = {b"authorization": f"Bearer {key}".encode("latin-1")} if key else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(layer), base_url="http://endpoint", headers=headers)


CHAT: dict[str, Any] = {"model": "john", "messages": [{"role": "user", "content": "hey"}]}


def test_a_key_is_kept_as_a_hash_in_a_file_of_its_owner(keys: Path) -> None:
    key = make(keys)
    assert key not in keys.read_text()
    assert keys.stat().st_mode & 0o777 == 0o600
    assert keys.parent.stat().st_mode & 0o777 == 0o700


def test_a_name_is_taken_once_and_what_is_not_there_cannot_be_revoked(keys: Path) -> None:
    make(keys)
    with pytest.raises(UserError, match="already"):
        make(keys)
    revoke_key(keys, "laptop")
    assert read_keys(keys) == {}
    with pytest.raises(UserError, match="no key laptop"):
        revoke_key(keys, "laptop")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/john", "/metrics", "/docs", "/openapi.json", "/nowhere"])
async def test_without_a_valid_key_nothing_is_said(keys: Path, roster: Roster, path: str) -> None:
    make(keys)
    for key in (None, "gr-wrong", "é".encode().decode("latin-1")):
        async with asking(roster, key, keys=str(keys)) as client:
            response = await client.get(path)
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "invalid_api_key"
        assert response.headers["www-authenticate"] == "Bearer"


async def test_with_a_key_everything_and_health_without_one(keys: Path, roster: Roster) -> None:
    async with asking(roster, make(keys), keys=str(keys)) as client:
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
    async with asking(roster, keys=str(keys)) as client:
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 401
        assert (await client.get("/health")).status_code == 200


async def test_a_key_counts_and_ends_while_the_endpoint_runs(keys: Path, roster: Roster) -> None:
    make(keys, "first")
    async with asking(roster, keys=str(keys)) as client:
        second = {"authorization": f"Bearer {make(keys, 'second')}"}
        assert (await client.get("/v1/models", headers=second)).status_code == 200
        revoke_key(keys, "second")
        assert (await client.get("/v1/models", headers=second)).status_code == 401


async def test_a_damaged_file_lets_nobody_in(keys: Path, roster: Roster) -> None:
    async with asking(roster, make(keys), keys=str(keys)) as client:
        keys.write_text("[laptop]\nsha256 = 5")
        assert (await client.get("/v1/models")).status_code == 401


async def test_a_key_with_a_list_learns_of_nobody_else(keys: Path, roster: Roster) -> None:
    async with asking(roster, make(keys, personas=["john", "gone"]), keys=str(keys)) as client:
        assert [model["id"] for model in (await client.get("/v1/models")).json()["data"]] == ["john"]
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
        for model in ("ann", "nobody", None, 5):
            for response in (
                await client.post("/v1/chat/completions", json={**CHAT, "model": model}),
                await client.post("/v1/completions", json={"model": model, "prompt": "x"}),
            ):
                assert response.status_code == 403
                assert response.json()["error"]["code"] == "persona_not_allowed"
        assert (await client.get("/v1/models/ann")).status_code == 403
        assert (await client.get("/metrics")).status_code == 403
        gone = await client.get("/v1/models/gone")
        assert gone.status_code == 404
        assert "ann" not in gone.text


async def test_more_in_a_minute_than_the_key_may_is_told_when_to_come_back(keys: Path, roster: Roster) -> None:
    async with asking(roster, make(keys, per_minute=2), keys=str(keys)) as client:
        codes = [(await client.post("/v1/chat/completions", json=CHAT)).status_code for _ in range(2)]
        refused = await client.post("/v1/chat/completions", json=CHAT)
        assert codes == [200, 200]
        assert refused.status_code == 429
        assert 25 <= int(refused.headers["retry-after"]) <= 30
        assert refused.json()["error"]["type"] == "rate_limit_error"
        assert (await client.get("/v1/models")).status_code == 200


def test_more_at_once_than_a_key_or_the_endpoint_takes_waits(keys: Path) -> None:
    make(keys, at_once=1)
    access = Access(Settings(under_way=2))
    caller = Caller("laptop", read_keys(keys)["laptop"])
    with access.admitted(caller):
        with pytest.raises(RequestError, match="1 requests under way") as refused, access.admitted(caller):
            pass
        assert refused.value.status == 429
        with access.admitted(Caller()), pytest.raises(RequestError, match="busy"), access.admitted(Caller()):
            pass
    with access.admitted(caller):
        pass


async def test_a_page_from_elsewhere_may_not_ask(roster: Roster) -> None:
    async with asking(roster) as client:
        for origin, status in (("https://evil.example", 403), ("null", 403), ("http://localhost:3000", 200)):
            response = await client.post("/v1/chat/completions", json=CHAT, headers={"origin": origin})
            assert response.status_code == status
            assert "access-control-allow-origin" not in response.headers


async def test_an_origin_that_is_named_may(roster: Roster) -> None:
    async with asking(roster, cors=("https://app.example",)) as client:
        asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
        allowed = await client.options("/v1/chat/completions", headers=asked)
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        response = await client.post("/v1/chat/completions", json=CHAT, headers={"origin": "https://app.example"})
        assert response.headers["access-control-allow-origin"] == "https://app.example"
        other = await client.post("/v1/chat/completions", json=CHAT, headers={"origin": "https://evil.example"})
        assert other.status_code == 403


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.1.4", False), ("localhost.example", False), ("", False)],
)  # fmt: skip
def test_what_is_this_machine_alone(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


def greenroom(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.cli", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)


@pytest.fixture(scope="module")
def open_data(models_only: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("open")
    (data / "models").symlink_to(models_only / "models")
    return data


def test_other_machines_are_refused_without_keys(open_data: Path) -> None:
    refused = greenroom("--host", "0.0.0.0", "--personas", str(SAMPLE_CAST), "--data", str(open_data / "none"))
    assert refused.returncode == 2
    assert "--new-key" in refused.stderr


@pytest.fixture(scope="module")
def guarded(open_data: Path) -> Iterator[tuple[str, str]]:
    key = greenroom("--new-key", "laptop", "--key-persona", "milo", "--data", str(open_data)).stdout.split()[0]
    cast = ("--personas", str(SAMPLE_CAST), "--data", str(open_data))
    process, url = start_endpoint("--engine", "llamacpp", "--host", "0.0.0.0", *cast)
    yield url.replace("0.0.0.0", "127.0.0.1"), key
    process.terminate()
    assert process.wait(30) == 0


def test_the_command_makes_lists_and_revokes_keys(guarded: tuple[str, str], open_data: Path) -> None:
    url, key = guarded
    headers = {"authorization": f"Bearer {key}"}
    assert httpx.get(f"{url}/models").status_code == 401
    assert [model["id"] for model in httpx.get(f"{url}/models", headers=headers).json()["data"]] == ["milo"]
    listed = greenroom("--list-keys", "--data", str(open_data)).stdout
    assert "laptop" in listed
    assert "milo" in listed
    assert key not in listed
    assert greenroom("--revoke-key", "laptop", "--data", str(open_data)).returncode == 0
    assert httpx.get(f"{url}/models", headers=headers).status_code == 401
