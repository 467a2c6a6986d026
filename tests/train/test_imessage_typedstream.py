"""Bodies of iMessages, decoded by us and by the peer that decodes any typedstream."""

from contextlib import suppress
from typing import Any

import pytest
import typedstream
from hypothesis import given
from hypothesis import strategies as st

from tests.train.typedstreams import body
from train.sources.imessage_typedstream import Body, _Reader, decode_body

LONG = ("", "hi", "x" * 127, "x" * 128, "ü😀" * 40, "日" * 30_000, "y" * 70_000)


def strings_of(value: Any) -> list[str]:
    """The strings in what the peer decoded."""
    if type(value).__name__ in ("NSString", "NSMutableString"):
        return [value.value]
    inner = [getattr(value, name, None) for name in ("contents", "values", "value")]
    parts = [part for one in inner for part in (one if isinstance(one, list) else [one])]
    return [text for part in parts if part is not None for text in strings_of(part)]


@pytest.mark.parametrize("mutable", [False, True])
@pytest.mark.parametrize("mention", [None, "+491701234567"])
@pytest.mark.parametrize("text", LONG, ids=len)
def test_bodies_are_read_as_the_peer_reads_them(text: str, mutable: bool, mention: str | None) -> None:
    raw = body(text, mutable=mutable, mention=mention)
    expected = Body(text, () if mention is None else (mention,))
    assert decode_body(raw) == expected
    # The way that does not know beforehand how a body begins agrees.
    assert _Reader(raw).body() == expected
    assert strings_of(typedstream.unarchive_from_data(raw))[0] == text


@given(st.text(), st.booleans())
def test_any_text_comes_back(text: str, mutable: bool) -> None:
    text = text.encode("utf-8", "replace").decode()
    assert decode_body(body(text, mutable=mutable)).text == text


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"bplist00", b"\x04\x0bstreamtyped", b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84"]
)
def test_what_is_no_body_is_a_value_error(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_body(raw)


@given(st.data())
def test_damage_gives_a_value_error_or_a_text(data: st.DataObject) -> None:
    raw = bytearray(body("a text of some length", mention="a@example.org"))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for damaged in (bytes(raw), bytes(raw[:cut])):
        for decode in (decode_body, lambda one: _Reader(one).body()):
            with suppress(ValueError):
                assert isinstance(decode(damaged).text, str)


def test_what_is_wrong_with_a_body_is_told_without_its_text() -> None:
    # Reasons end in the ledger, which is to say nothing of what was written.
    raw = body("secret", mutable=True)
    reasons = set()
    for at in range(len(raw)):
        for value in (0x00, 0x41, 0x84, 0x85, 0x92, 0xFF):
            try:
                _Reader(raw[:at] + bytes([value]) + raw[at + 1 :]).body()
            except ValueError as error:
                reasons.add(str(error))
    assert 5 <= len(reasons) < 15
    assert not any("'" in reason for reason in reasons)
