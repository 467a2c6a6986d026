"""Takes out of messages what tells who somebody is: see docs/redaction.md.

key = open_key(data)
redactor = Redactor(key, hidden=…, shown=…, forgotten=store.forgotten.has_name)
redactor.redact("call me: +49 151 2345678")
key.save()
"""

from train.redaction.key import FILE_NAME, RedactionKey, open_key
from train.redaction.names import KnownPerson, known_people
from train.redaction.redactor import Redactor
from train.redaction.reveal import reveal
from train.redaction.spans import ALL_KINDS, KINDS, Span

__all__ = [
    "ALL_KINDS",
    "FILE_NAME",
    "KINDS",
    "KnownPerson",
    "RedactionKey",
    "Redactor",
    "Span",
    "known_people",
    "open_key",
    "reveal",
]
