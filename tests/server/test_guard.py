"""`greenroom serve --guard`: a reply ends before it has said so many words in a row of the training set."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import JSONResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from persona.card import Card, load_persona, write_card
from persona.errors import UserError
from persona.phrases import Phrases, phrases_path, require_phrases
from persona.words import words_of
from server.access import SETTINGS_VARIABLE, Settings
from server.envelope import RequestError
from server.guard import Runs
from server.layer import FOLDERS_VARIABLE, PersonaLayer
from server.roster import Roster
from tests.endpoints import SAMPLE_CAST, start_endpoint
from train.evaluation.phrases import PhraseHashes

STORY = "Then the heron stole my left shoe, and walked\noff along the old pier!"
"""Fourteen words: the eighth is "and", the tenth "off"."""
SEVEN = "then the heron stole my left shoe"
TURNS = [
    STORY,
    "Ёжик нашёл ёлку, café и ½ пирога у моста зимой",
    "我们明天去海边吃饭吧",
    "one two three",
    "four five six seven eight",
]


@pytest.fixture(scope="module")
def phrases(tmp_path_factory: pytest.TempPathFactory) -> Phrases:
    folder = tmp_path_factory.mktemp("set") / "p"
    return Phrases(PhraseHashes(TURNS).write(write_card(folder, Card("P", "b")), "0" * 64))


def out(phrases: Phrases, pieces: list[str], most: int = 8) -> tuple[str, bool]:
    runs = Runs(phrases, most)
    said = ""
    for piece in pieces:
        said += "" if runs.stopped else runs.take(piece)
    return said + runs.end(), runs.stopped


@pytest.mark.parametrize(
    ("text", "most", "said"),
    [
        (f"{SEVEN} and walked", 8, f"{SEVEN} "),
        (f"{SEVEN} and", 8, f"{SEVEN} "),
        (f"oh, {SEVEN} and walked", 9, f"oh, {SEVEN} and "),
        (STORY.upper(), 10, "THEN THE HERON STOLE MY LEFT SHOE, AND WALKED\n"),
        (
            "then -- the... HERON (stole)\nmy left\n\n“shoe”: “and”",
            8,
            "then -- the... HERON (stole)\nmy left\n\n“shoe”: “",
        ),
        ("ежик нашел елку CAFE и 1/2 пирога у", 8, "ежик нашел елку CAFE и 1/2 "),
        ("ежик нашел елку cafe\u0301 и ½ пирога у", 9, "ежик нашел елку cafe\u0301 и ½ пирога "),
        ("好，我们明天去海边吃饭吧", 8, "好，我们明天去海边"),
    ],
)
def test_a_reply_ends_before_the_word_that_makes_the_run(phrases: Phrases, text: str, most: int, said: str) -> None:
    assert out(phrases, [text], most) == (said, True)
    assert out(phrases, list(text), most) == (said, True)


@pytest.mark.parametrize(
    "text",
    [
        SEVEN,
        f"{SEVEN}, or walked off along the old pier",
        f"{SEVEN} an",
        f"{SEVEN} andes",
        "one two three four five six seven eight",  # two turns of the set are no run
        "",
        "…¡",
    ],
)
def test_one_word_less_and_words_of_ones_own_pass_as_they_are(phrases: Phrases, text: str) -> None:
    assert out(phrases, [text]) == (text, False)
    assert out(phrases, list(text)) == (text, False)


def test_nothing_is_held_but_a_word_that_could_be_the_last_of_a_run(phrases: Phrases) -> None:
    runs = Runs(phrases, 9)
    assert [runs.take(piece) for piece in ("we", "ll, the ol", "d pier is qu", "iet and gre", "y and c")] == [
        "we", "ll, the ol", "d pier is qu", "iet and gre", "y and c",
    ]  # fmt: skip
    runs = Runs(phrases, 9)
    assert runs.take(f"{SEVEN} and wa") == f"{SEVEN} and "
    assert runs.take("s gone, al") == "was gone, al"


class Known:
    """An index of turns of one-letter words, by plain search."""

    def __init__(self, turns: list[str], words: int) -> None:
        self.head = type("Head", (), {"words": words})
        self.runs = {turn[start : start + words] for turn in turns for start in range(len(turn) - words + 1)}

    def __contains__(self, words: Any) -> bool:
        return "".join(words) in self.runs


@given(
    st.lists(st.text("abc", max_size=8), max_size=4),
    st.text("abc", max_size=14),
    st.integers(2, 4),
    st.integers(0, 2),
    st.randoms(),
)
def test_a_reply_is_as_long_as_a_plain_search_allows(
    turns: list[str], said: str, words: int, more: int, chance: Any
) -> None:
    known: Any = Known(turns, words)
    most = words + more
    runs = [said[end - most : end] for end in range(most, len(said) + 1)]
    stops = [all(run[at : at + words] in known.runs for at in range(more + 1)) for run in runs]
    left = most - 1 + stops.index(True) if True in stops else len(said)
    text = " ".join(said)
    cuts = sorted(chance.randint(0, len(text)) for _ in range(4))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    expected = text if left == len(said) else "".join(f"{letter} " for letter in said[:left])
    assert out(known, pieces, most) == (expected, left < len(said))


@given(st.lists(st.text(alphabet="aé½ßİ ,'_-我の\u0301\u3099ﷺ한\n1", max_size=9), max_size=30))
def test_the_words_of_a_stream_are_those_of_the_whole(pieces: list[str]) -> None:
    class Seen:
        """An index in which nothing stands, and which was asked for every word."""

        def __init__(self) -> None:
            self.words: list[str] = []
            self.head = type("Head", (), {"words": 1})

        def __contains__(self, words: Any) -> bool:
            self.words += words
            return False

    seen: Any = Seen()
    whole = "".join(pieces)
    assert out(seen, pieces, 1) == (whole, False)
    assert seen.words == words_of(whole)


# In the layer, with an engine that says what it is told to.


@pytest.fixture
def guarded(cast: Path) -> Roster:
    for name in ("john", "ann"):
        PhraseHashes(TURNS).write(load_persona(cast / name), "0" * 64)
    return Roster([cast], guard=8)


def engine(*texts: str, raw: bool = False, finish: str = "stop") -> Callable[..., Any]:
    """Says `texts`, a choice each, whole or three letters at a time."""
    usage = {"prompt_tokens": 3, "completion_tokens": 40, "total_tokens": 43}

    def events() -> Iterator[str]:
        for start in range(0, max(map(len, texts)), 3):
            for index, text in enumerate(texts):
                if piece := text[start : start + 3]:
                    said = {"text": piece} if raw else {"delta": {"content": piece}}
                    yield json.dumps({"id": "x", "choices": [{"index": index, **said, "finish_reason": None}]})
        for index in range(len(texts)):
            last: dict[str, Any] = {"text": ""} if raw else {"delta": {}}
            yield json.dumps({"id": "x", "choices": [{"index": index, **last, "finish_reason": finish}]})
        yield json.dumps({"id": "x", "choices": [], "usage": usage}, separators=(",", ":"))
        yield "[DONE]"

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = json.loads((await receive())["body"])
        if request.get("stream"):
            lines = (f"data: {event}\n\n" for event in events())
            await StreamingResponse(lines, media_type="text/event-stream")(scope, receive, send)
            return
        said = [{"text": text} if raw else {"message": {"role": "assistant", "content": text}} for text in texts]
        choices = [{"index": index, **one, "finish_reason": finish} for index, one in enumerate(said)]
        await JSONResponse({"choices": choices, "usage": usage})(scope, receive, send)

    return app


async def ask(app: Any, roster: Roster, route: str = "chat/completions", **more: Any) -> httpx.Response:
    routes: dict[str, dict[str, Any]] = {
        "chat/completions": {"messages": [{"role": "user", "content": "hey"}]},
        "completions": {"prompt": "hey"},
        "responses": {"input": "hey"},
    }
    transport = httpx.ASGITransport(PersonaLayer(app, roster))
    async with httpx.AsyncClient(transport=transport, base_url="http://endpoint") as client:
        return await client.post(f"/v1/{route}", json={"model": "john", **routes[route], **more})


def heard(answer: httpx.Response) -> tuple[dict[int, str], dict[int, str], list[Any]]:
    """What a stream said and how it ended, by choice, and its events."""
    events = [line.removeprefix("data: ") for line in answer.text.strip().split("\n\n")]
    assert events.pop() == "[DONE]"
    texts: dict[int, str] = {}
    ends: dict[int, str] = {}
    chunks = [json.loads(event) for event in events]
    for chunk in chunks:
        for choice in chunk["choices"]:
            index = choice["index"]
            assert index not in ends, "a choice went on after its end"
            texts[index] = texts.get(index, "") + (choice.get("text") or choice.get("delta", {}).get("content") or "")
            if choice["finish_reason"]:
                ends[index] = choice["finish_reason"]
    return texts, ends, chunks


@pytest.mark.parametrize("route", ["chat/completions", "completions"])
async def test_a_whole_reply_says_that_it_was_ended(guarded: Roster, route: str) -> None:
    answer = await ask(engine(f"{SEVEN} and walked off", raw=route == "completions"), guarded, route)
    (choice,) = answer.json()["choices"]
    assert choice.get("text", choice.get("message", {}).get("content")) == f"{SEVEN} "
    assert choice["finish_reason"] == "content_filter"
    assert choice["greenroom"] == {"stopped": "before 8 words in a row of training text"}
    assert answer.json()["usage"]["completion_tokens"] == 40


@pytest.mark.parametrize("route", ["chat/completions", "completions"])
async def test_a_stream_ends_before_the_word_and_its_usage_still_comes(guarded: Roster, route: str) -> None:
    app = engine(f"oh {SEVEN} and walked off along", raw=route == "completions")
    answer = await ask(app, guarded, route, stream=True, stream_options={"include_usage": True})
    texts, ends, chunks = heard(answer)
    assert texts == {0: f"oh {SEVEN} "}
    assert ends == {0: "content_filter"}
    assert chunks[-1]["usage"]["completion_tokens"] == 40


async def test_each_choice_is_ended_for_itself(guarded: Roster) -> None:
    app = engine(f"{SEVEN} and walked off", "nobody ever tells me where the boat is", f"{SEVEN} is gone")
    texts, ends, _ = heard(await ask(app, guarded, stream=True, n=3))
    assert texts == {0: f"{SEVEN} ", 1: "nobody ever tells me where the boat is", 2: f"{SEVEN} is gone"}
    assert ends == {0: "content_filter", 1: "stop", 2: "stop"}
    whole = (await ask(app, guarded, n=3)).json()["choices"]
    assert [one["message"]["content"] for one in whole] == list(texts.values())
    assert [one["finish_reason"] for one in whole] == list(ends.values())


async def test_a_run_that_ends_the_reply_is_ended_too(guarded: Roster) -> None:
    texts, ends, _ = heard(await ask(engine(f"{SEVEN} and", finish="length"), guarded, stream=True))
    assert (texts, ends) == ({0: f"{SEVEN} "}, {0: "content_filter"})


@pytest.mark.parametrize("stream", [False, True])
async def test_a_response_is_incomplete_for_the_content_filter(guarded: Roster, stream: bool) -> None:
    answer = await ask(engine(f"{SEVEN} and walked"), guarded, "responses", stream=stream)
    if stream:
        last = json.loads(answer.text.strip().split("\n\n")[-1].partition("data: ")[2])
        assert last["type"] == "response.incomplete"
    response = last["response"] if stream else answer.json()
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "content_filter"}
    assert response["output"][0]["content"][0]["text"] == f"{SEVEN} "
    assert response["usage"]["output_tokens"] == 40


@pytest.mark.parametrize(
    ("route", "asked"),
    [
        ("chat/completions", {"logprobs": True, "top_logprobs": 2}),
        ("completions", {"logprobs": 0}),
        ("responses", {"include": ["message.output_text.logprobs"]}),
    ],
)
async def test_log_probabilities_would_tell_the_words_and_are_refused(
    guarded: Roster, route: str, asked: dict[str, Any]
) -> None:
    answer = await ask(engine("hey"), guarded, route, **asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "logprobs")


async def test_without_the_guard_nothing_is_looked_at(cast: Path) -> None:
    answer = await ask(engine(STORY), Roster([cast]))
    assert answer.json()["choices"][0]["message"]["content"] == STORY


async def test_an_engines_error_passes(guarded: Roster) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await JSONResponse({"error": {"message": "no"}}, status_code=500)(scope, receive, send)

    answer = await ask(app, guarded, stream=True)
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "no")


# Who has no index is not served.


def test_a_persona_without_an_index_is_broken_and_says_why(cast: Path) -> None:
    PhraseHashes(TURNS).write(load_persona(cast / "john"), "0" * 64)
    roster = Roster([cast], guard=8)
    assert list(roster.personas) == ["john"]
    with pytest.raises(RequestError, match=r"ann has no index .*greenroom audit ann --index-only"):
        roster.find("ann")


def test_an_index_that_is_written_while_it_runs_counts_from_the_next_look_on(cast: Path) -> None:
    john, ann = load_persona(cast / "john"), load_persona(cast / "ann")
    PhraseHashes(["nothing much"]).write(john, "0" * 64)
    roster = Roster([cast], guard=8)
    PhraseHashes(TURNS).write(john, "0" * 64)
    PhraseHashes(TURNS).write(ann, "0" * 64)
    roster.switch(*roster.read())
    for persona in (john, ann):
        phrases = roster.phrases(persona)
        assert phrases is not None
        assert words_of(STORY)[:8] in phrases


def test_inside_vllm_the_layer_is_told_by_its_settings(guarded: Roster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTINGS_VARIABLE, msgspec.json.encode(Settings(guard=9)).decode())
    monkeypatch.setenv(FOLDERS_VARIABLE, str(guarded.folders[0]))
    assert PersonaLayer(engine("hey")).roster.guard == 9


def test_an_index_for_other_weights_counts_as_none(cast: Path) -> None:
    john = load_persona(cast / "john")
    PhraseHashes(TURNS).write(john, "0" * 64)
    (cast / "john" / "adapter").mkdir()
    (cast / "john" / "adapter" / "adapter_model.safetensors").write_bytes(b"new")
    with pytest.raises(UserError, match="for other weights"):
        require_phrases(john, 8)


def test_an_index_of_more_words_than_the_guards_is_refused(cast: Path) -> None:
    john = load_persona(cast / "john")
    PhraseHashes(TURNS).write(john, "0" * 64)
    with pytest.raises(UserError, match=r"Serve with --guard 8 or more"):
        require_phrases(john, 7)


@pytest.mark.parametrize(
    "damage", [lambda whole: b"", lambda whole: b"{}\n", lambda whole: whole[:-3], lambda whole: b"x" * 9000]
)
def test_a_damaged_index_is_said_so(cast: Path, damage: Callable[[bytes], bytes]) -> None:
    john = load_persona(cast / "john")
    path = PhraseHashes(TURNS).write(john, "0" * 64)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=r"phrases\.idx.*Make it again"):
        require_phrases(john, 8)


def test_an_index_is_its_owners_and_holds_no_words_and_no_hash_of_another(cast: Path) -> None:
    john, ann = load_persona(cast / "john"), load_persona(cast / "ann")
    PhraseHashes(TURNS).write(john, "0" * 64)
    PhraseHashes(TURNS).write(ann, "0" * 64)
    one, other = phrases_path(john).read_bytes(), phrases_path(ann).read_bytes()
    assert phrases_path(john).stat().st_mode & 0o077 == 0
    assert b"heron" not in one
    assert one.partition(b"\n")[2] != other.partition(b"\n")[2]
    assert len(one.partition(b"\n")[2]) == 8 * (7 + 4 + 3)


def test_a_set_of_short_turns_has_an_empty_index(cast: Path) -> None:
    path = PhraseHashes(["hey", ""]).write(load_persona(cast / "john"), "0" * 64)
    assert words_of(SEVEN + " and") not in Phrases(path)


@pytest.mark.slow
def test_a_real_engines_reply_is_ended(endpoint: str, models_only: Path, tmp_path: Path) -> None:
    def say(url: str, **more: Any) -> Any:
        client = openai.OpenAI(base_url=url, api_key="none needed", max_retries=0)
        messages: Any = [{"role": "user", "content": "tell me about the boat"}]
        extra = {"ignore_eos": True}
        return client.chat.completions.create(
            model="milo", messages=messages, temperature=0, max_tokens=40, extra_body=extra, **more
        )

    # What it says is what it is taken to have learnt by heart.
    said = say(endpoint).choices[0].message.content
    shutil.copytree(SAMPLE_CAST / "milo", tmp_path / "milo")
    PhraseHashes([said]).write(load_persona(tmp_path / "milo"), "0" * 64)
    start = ("--engine", "llamacpp", "--personas", str(tmp_path), "--data", str(models_only), "--threads", "1")
    process, url = start_endpoint(*start, "--guard", "8")
    try:
        whole = say(url).choices[0]
        chunks = list(say(url, stream=True, stream_options={"include_usage": True}))
    finally:
        process.terminate()
        process.wait(30)
    assert whole.finish_reason == "content_filter"
    assert said.startswith(whole.message.content)
    assert len(words_of(whole.message.content)) == 7
    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices) == whole.message.content
    assert chunks[-1].usage.completion_tokens == 40
