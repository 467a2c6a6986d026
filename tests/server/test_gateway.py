"""`greenroom gateway` before LiteLLM starts: whom it asks, what it writes, and what its guard lets through."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from persona.errors import UserError
from server.envelope import RequestError
from server.gateway import configuration, process
from server.gateway.endpoints import Endpoint, endpoints, served
from server.gateway.guard import Guard, check_body

HERE = Endpoint("http://127.0.0.1:8844/v1")
THERE = Endpoint("https://attic.example/v1", "ATTIC_KEY")


class Machine(ThreadingHTTPServer):
    """Another machine's endpoint, as far as a gateway asks it: its models, for who has its key."""

    def __init__(self, people: dict[str, str], key: str = "", base: str = "b") -> None:
        models = [{"id": name, "greenroom": {"speaker": who, "base": base}} for name, who in people.items()]
        body = json.dumps({"object": "list", "data": models}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                let_in = not key or self.headers["authorization"] == f"Bearer {key}"
                self.send_response(200 if let_in and self.path == "/v1/models" else 401)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def kitchen() -> Iterator[Machine]:
    with Machine({"milo": "Milo Vane", "lev": "Lev Zim"}) as machine:
        yield machine
        machine.shutdown()


def test_a_persona_on_two_machines_is_two_entries_of_one_name(
    monkeypatch: pytest.MonkeyPatch, kitchen: Machine
) -> None:
    monkeypatch.setenv("ATTIC_KEY", "gr-secret")
    with Machine({"milo": "Milo Vane"}, key="gr-secret") as attic:
        by_id = served(endpoints([kitchen.url, attic.url.removesuffix("/v1")], ["ATTIC_KEY"]))
        attic.shutdown()
    assert {name: [one.url for one in at] for name, at in by_id.items()} == {
        "lev": [kitchen.url],
        "milo": [kitchen.url, attic.url],
    }
    milo = [entry for entry in configuration.entries(by_id) if entry["model_name"] == "milo"]
    assert [entry["litellm_params"]["api_base"] for entry in milo] == [kitchen.url, attic.url]
    assert {entry["litellm_params"]["model"] for entry in milo} == {"openai/milo"}


def test_the_same_id_for_somebody_else_is_refused(kitchen: Machine) -> None:
    with Machine({"milo": "Milo Other"}) as attic:
        with pytest.raises(UserError, match=r"milo is Milo Vane on b at .* and Milo Other on b"):
            served(endpoints([kitchen.url, attic.url], []))
        attic.shutdown()


def test_an_endpoint_that_is_down_or_wants_a_key_or_is_none_says_so(kitchen: Machine) -> None:
    with Machine({}, key="gr-secret") as attic:
        with pytest.raises(UserError, match="without a key"):
            served(endpoints([attic.url], []))
        attic.shutdown()
    with pytest.raises(UserError, match=r"no endpoint answers at http://127\.0\.0\.1:9/v1"):
        served([Endpoint("http://127.0.0.1:9/v1")])
    with Machine({}) as attic:
        with pytest.raises(UserError, match="serve nobody"):
            served([Endpoint(attic.url)])
        attic.shutdown()


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8844", "ftp://a/v1", "http://", "http://[", "http://a:99999", "http://u:hush@a/v1"]
)
def test_what_is_no_address_is_refused_and_no_password_repeated(url: str) -> None:
    with pytest.raises(UserError, match="no endpoint's address") as refused:
        endpoints([url], [])
    assert "hush" not in str(refused.value)


def test_a_key_in_the_place_of_its_variable_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError, match="name of an environment variable") as refused:
        endpoints([HERE.url], ["gr-SECRETSECRET"])
    assert "SECRET" not in str(refused.value)


def test_the_file_is_yaml_with_a_comment_for_each_part_and_without_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTIC_KEY", "gr-secret")
    models = configuration.entries({"milo": [HERE, THERE]}, ["openai/gpt-4o-mini"])
    text = configuration.configuration(models)
    assert "gr-secret" not in text
    found = yaml.safe_load(text)
    assert found["model_list"] == models
    assert [entry["litellm_params"]["api_key"] for entry in models] == [
        "none-needed",  # or LiteLLM would send it OPENAI_API_KEY
        "os.environ/ATTIC_KEY",
        "os.environ/OPENAI_API_KEY",
    ]
    assert found["router_settings"]["fallbacks"] == []  # nobody else answers in a persona's name
    lines = text.splitlines()
    for part in found:
        assert lines[lines.index(f"{part}:") - 1].startswith("#")
    assert "leaves the machine" in text
    assert configuration.hosted(found) == ["openai/gpt-4o-mini"]
    assert configuration.variables(found) == {"ATTIC_KEY", "OPENAI_API_KEY", "LITELLM_MASTER_KEY"}


def test_without_hosted_models_nothing_leaves_and_nothing_says_so() -> None:
    text = configuration.configuration(configuration.entries({"milo": [HERE]}))
    assert "leaves the machine" not in text
    assert "DATABASE_URL" not in text
    assert "DATABASE_URL" in configuration.configuration(configuration.entries({"milo": [HERE]}), database=True)


@pytest.mark.parametrize("model", ["gpt-4o", "openai/", "openai/*", "/x", "openai/a b"])
def test_a_hosted_model_is_a_provider_and_a_model(model: str) -> None:
    with pytest.raises(UserError, match="names no hosted model"):
        configuration.entries({"milo": [HERE]}, [model])


def test_the_file_is_its_owners_and_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    configuration.write("a: 1\n", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UserError, match="there already"):
        configuration.write("a: 2\n", path)
    assert path.read_text() == "a: 1\n"
    configuration.write("a: 3\n", path, replace=True)
    assert path.read_text() == "a: 3\n"


@pytest.mark.parametrize(
    ("text", "why"), [("a: [", "no YAML"), ("a: 1", "no model_list"), ("model_list: []", "no mod")]
)
def test_an_edited_file_that_cannot_be_used_is_said_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "g.yaml").write_text(text)
    with pytest.raises(UserError, match=why) as refused:
        configuration.read(tmp_path / "g.yaml")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("general", "why"),
    [("master_key: sk-mine", "master_key of its own"), ("database_url: os.environ/DATABASE_URL", "names a database")],
)
def test_an_edited_file_takes_its_master_key_and_database_from_the_command(
    tmp_path: Path, general: str, why: str
) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(f"model_list: [{{model_name: a}}]\ngeneral_settings: {{{general}}}\n")
    with pytest.raises(UserError, match=why):
        configuration.read(path)


@pytest.mark.parametrize("key", ["sk-1234", "", "sk-abc def ghi jkl mno", "sk-ключключключключ"])
def test_a_weak_master_key_is_refused(key: str) -> None:
    with pytest.raises(UserError, match="and one is made"):
        process.check_master_key(key)


def test_a_new_master_key_is_a_strong_one() -> None:
    process.check_master_key(process.new_master_key())
    assert process.new_master_key() != process.new_master_key()


def test_a_database_needs_what_litellm_reaches_it_with(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the package prisma"):
        process.check_database(tmp_path / "bin" / "python")


def test_the_proxy_is_told_to_be_quiet_and_takes_no_database_that_was_not_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody-elses")
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "False")
    environ = process.environment("sk-1")
    assert "DATABASE_URL" not in environ
    assert process.environment("sk-1", "postgresql://ours")["DATABASE_URL"] == "postgresql://ours"
    assert environ["LITELLM_MASTER_KEY"] == "sk-1"
    for fetched in ("MODEL_COST_MAP", "ANTHROPIC_BETA_HEADERS", "BLOG_POSTS", "AUTOROUTER_PRESETS"):
        assert environ[f"LITELLM_LOCAL_{fetched}"] == "True"
    assert environ["DISABLE_ADMIN_UI"] == environ["NO_DOCS"] == environ["NO_REDOC"] == environ["NO_OPENAPI"] == "True"
    assert environ["LITELLM_MODE"] == "PRODUCTION"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """In LiteLLM's place: says back what has reached it."""
    request = Request(scope, receive)
    reached = {"body": (await request.body()).decode(), "query": request.url.query}
    await JSONResponse({**reached, "type": request.headers.get("content-type")})(scope, receive, send)


async def ask(path: str, *, method: str = "GET", guard: Guard | None = None, **more: Any) -> httpx.Response:
    transport = httpx.ASGITransport(guard or Guard(echo, "sk-1"))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.request(method, path, **more)


WITH_KEY = {"authorization": "Bearer sk-1"}


async def test_a_request_needs_the_master_key() -> None:
    assert (await ask("/health/liveliness")).status_code == 200
    assert (await ask("/v1/models")).status_code == 401
    wrong = await ask("/v1/models", headers={"authorization": "Bearer sk-2"})
    assert wrong.json()["error"]["code"] == "invalid_api_key"
    assert (await ask("/v1/models", headers=WITH_KEY)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/model/new", "/key/generate", "/ui", "/routes", "/config/update", "/chat/completions"]
)
async def test_litellms_other_routes_are_out_of_reach(path: str) -> None:
    assert (await ask(path, method="POST", headers=WITH_KEY, json={"model": "milo"})).status_code == 404


async def test_pages_of_other_origins_are_refused() -> None:
    answer = await ask("/v1/models", headers={**WITH_KEY, "origin": "https://example.com"})
    assert answer.status_code == 403


async def test_a_request_goes_through_as_it_is_but_for_its_query() -> None:
    body = {"model": "milo", "messages": [{"role": "user", "content": "hey"}], "extra_body": {"top_k": 3}}
    answer = await ask("/v1/chat/completions?model=lev", method="POST", headers=WITH_KEY, json=body)
    assert json.loads(answer.json()["body"]) == body
    assert answer.json()["query"] == ""


async def test_a_body_is_json_to_litellm_too() -> None:
    form = {**WITH_KEY, "content-type": "application/x-www-form-urlencoded"}
    answer = await ask("/v1/chat/completions", method="POST", headers=form, content=b'{"model": "milo"}')
    assert answer.json()["type"] == "application/json"


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"extra_body": {"model": "lev"}}, "extra_body.model"),
        ({"extra_body": {"messages": []}}, "extra_body.messages"),
        ({"api_base": "http://elsewhere"}, "api_base"),
        ({"fallbacks": [{"milo": ["lev"]}]}, "fallbacks"),
        ({"extra_body": []}, "extra_body"),
        ({"model": ["milo"]}, "model"),
    ],
)
def test_nothing_but_model_says_who_answers(said: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as refused:
        check_body(json.dumps({"model": "milo", "messages": [], **said}).encode())
    assert refused.value.param == param


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"\xff"])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        check_body(body)
