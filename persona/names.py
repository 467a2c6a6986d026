"""Speaker names and message text, made safe to stand in a prompt.

The prompt format marks a turn with `<|im_start|>`, a name, a newline, a body and `<|im_end|>`. Whoever can put
one of these marks into a name or a message can open a turn in somebody else's voice. So the same two functions
run over training data and over requests: what the model saw in training is what it sees when it is asked.
"""

from __future__ import annotations

import re
import unicodedata

MAX_NAME_CHARS = 80

# Any special token in the notation that ChatML, Llama 3, Qwen, Phi and GPT share, and the sentence marks of the
# Llama 2 and Mistral family. A broken bar keeps the text readable while no tokenizer takes it for a token.
_SPECIAL_TOKEN = re.compile(r"<\|([^<>|\n]{1,64})\|>")
_SENTENCE_MARK = re.compile(r"<(/?s|pad|unk|bos|eos)>", re.IGNORECASE)
# Removing an invisible character can bring the two halves of a mark together, so these go first. Zero-width
# joiner and non-joiner stay: emoji families and several scripts need them.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff\ud800-\udfff]")
_BIDI = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LINE_BREAK = re.compile(r"\r\n|[\r\u0085\u2028\u2029\x0b\x0c]")
_SPACES = re.compile(r"\s+")
# What any of the above looks for; most messages have none of it, and one search costs less than five substitutions.
# Of these only the "<" is printable, which Python can say faster still.
_SUSPECT = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069<]"
)


def neutralise(text: str) -> str:
    """`text` with nothing in it that a tokenizer or a template could take for the end or start of a turn.

    Line breaks of every kind become `\\n`, control and direction characters go, special tokens are written with
    a broken bar (`<¦im_end¦>`), and blank space around the whole is dropped. Doing it twice changes nothing.
    """
    if (text.isprintable() and "<" not in text) or _SUSPECT.search(text) is None:
        return text.strip()
    text = _LINE_BREAK.sub("\n", text)
    text = _BIDI.sub("", _CONTROL.sub("", text))
    # Sentence marks first: without its brackets one can leave a special token around it.
    text = _SENTENCE_MARK.sub(r"‹\1›", text)
    return _SPECIAL_TOKEN.sub(r"<¦\1¦>", text).strip()


def clean_name(name: str) -> str:
    """A speaker's name as it stands in prompts: one line, NFC, single spaces, no marks, at most 80 characters.

    Returns an empty string where nothing readable is left; callers decide what such a person is called. A person
    called "system" becomes "system_", since that turn carries context and not a voice.
    """
    # On one line first: `neutralise` does not look for marks across lines.
    name = unicodedata.normalize("NFC", neutralise(_SPACES.sub(" ", name)))
    name = _SPACES.sub(" ", name)[:MAX_NAME_CHARS].strip()
    return f"{name}_" if name.lower() == "system" else name


def slug(name: str) -> str:
    """An id made from a name: lower-case letters, digits and hyphens of any script, or `persona` if none is left.

    "Мария К." gives "мария-к", "Zoë Smith" gives "zoë-smith".
    """
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name).lower())
    return "-".join(words) or "persona"
