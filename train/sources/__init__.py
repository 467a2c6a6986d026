"""The export formats Greenroom reads: one module each, found here by looking in this folder.

A format is a module with a `SOURCE` (see `train.messages.Source`). To add one, add its file.
"""

import importlib
import pkgutil
from functools import cache

from persona.errors import UserError
from train.export_files import ExportPath
from train.messages import Source

SURE_ENOUGH = 0.5


@cache
def sources() -> dict[str, Source]:
    """Return every format by its name, in the order of the names."""
    found: dict[str, Source] = {}
    for info in pkgutil.iter_modules(__path__):
        source = getattr(importlib.import_module(f"{__name__}.{info.name}"), "SOURCE", None)
        if source is not None:
            found[source.name] = source
    return dict(sorted(found.items()))


def source_named(name: str) -> Source:
    """Return the format called `name`; a UserError lists the names when there is none."""
    try:
        return sources()[name]
    except KeyError:
        raise UserError(
            f"No export format is called {name!r}.", hint="There are: " + ", ".join(sources()) + "."
        ) from None


def source_of(path: ExportPath) -> Source | None:
    """Return the format that is surest `path` is its own, or None when none is sure enough."""
    best, confidence = None, 0.0
    for source in sources().values():
        sure = source.detect(path)
        if sure > confidence:
            best, confidence = source, sure
    return best if confidence >= SURE_ENOUGH else None
