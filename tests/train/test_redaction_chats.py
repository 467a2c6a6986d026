"""How much redaction finds in messages as people type them; what it missed at first look has been mended since."""

import pytest

from tests.train.redaction_chat_values import filled
from tests.train.redaction_chats import (
    FOURTH_ENGLISH,
    FOURTH_NOTHING,
    FOURTH_RUSSIAN,
    THIRD_ENGLISH,
    THIRD_NOTHING,
    THIRD_RUSSIAN,
)
from tests.train.redaction_set import Labelled, Maker, score
from train.redaction import RedactionKey, Redactor

EACH = 8
"""Messages for each template."""
SETS = {
    "third": (41, THIRD_ENGLISH, THIRD_RUSSIAN, THIRD_NOTHING),
    "fourth": (97, FOURTH_ENGLISH, FOURTH_RUSSIAN, FOURTH_NOTHING),
}


@pytest.mark.parametrize("name", SETS)
def test_identifiers_in_chats_are_found(name: str) -> None:
    seed, english, russian, nothing = SETS[name]
    maker = Maker(seed, ["en_US", "en_GB"], ["ru_RU"], [])
    messages: list[Labelled] = []
    for _ in range(EACH):
        messages += filled(maker, english, "en_US") + filled(maker, russian, "ru_RU")
    redactor = Redactor(RedactionKey(None, b"0" * 32), hidden=[], shown=[], forgotten=None)
    found = score([*messages, *(Labelled(one, []) for one in nothing)], redactor.spans)
    assert found.recall(*found.there) >= 0.99, found.missed
    assert found.precision >= 0.95, found.wrong
    for message in messages:
        redacted = redactor.redact(message.text)
        assert redacted.strip()
        assert redacted.count("\n") == message.text.count("\n")
