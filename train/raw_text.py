"""Raw text as a set for `pretrain-completion`: one JSON line a text, the end of the last files held out.

    python -m train.raw_text books/*.txt [--out data/text] [--eval-share 0.02]

Prints how much it wrote. A line is `{"text": …}`. Texts are cut at the borders of paragraphs, since axolotl drops what
lies beyond 64 rows of one text; a cut is an end of text to the model, so there are as few as possible.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from persona.errors import UserError
from persona.paths import PRIVATE_FILE_MODE, make_private_dir

LONGEST = 100_000
"""Bytes of UTF-8 a line holds: with a token for each, the worst there is, still below 64 rows of 2,048 tokens."""


def pieces(text: str, longest: int = LONGEST) -> Iterator[str]:
    """`text` in pieces of at most `longest` bytes of UTF-8, cut after an empty line, else a line, else anywhere."""
    longest = max(longest, 4)  # bytes that any one character fits in
    rest = text.replace("\r\n", "\n").strip()
    while rest:
        piece = rest.encode("utf-8", "replace")[:longest].decode("utf-8", "ignore")
        if len(piece) < len(rest):
            # The last border there is, unless it would leave crumbs.
            cuts = (piece.rfind(border) for border in ("\n\n", "\n", " "))
            cut = next((place for place in cuts if place > len(piece) // 2), len(piece))
            piece = piece[:cut]
        yield piece.strip()
        rest = rest[len(piece) :].strip()


def write_texts(files: list[Path], out: Path, eval_share: float) -> tuple[int, int]:
    """Write `train.jsonl` and `eval.jsonl` to folder `out`; how many lines each has.

    Args:
        files: plain text in UTF-8.
        out: the folder.
        eval_share: the share of lines held out, the last ones; at least one line.

    Raises:
        UserError: a file cannot be read, or there is too little text to hold any out.
    """
    lines = [piece for file in files for piece in pieces(_read(file))]
    held_out = max(1, round(len(lines) * eval_share))
    if len(lines) <= held_out:
        # One text, so half of it is held out rather than nothing.
        lines = [part for line in lines for part in pieces(line, max(1, len(line.encode()) // 2 + 1))]
    if len(lines) <= held_out:
        raise UserError("there is too little text to train on and hold some out.", "Give more files.")
    make_private_dir(out)
    for name, part in (("train.jsonl", lines[:-held_out]), ("eval.jsonl", lines[-held_out:])):
        rows = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in part)
        (out / name).write_text(rows, "utf-8")
        (out / name).chmod(PRIVATE_FILE_MODE)
    return len(lines) - held_out, held_out


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is not UTF-8 (byte {error.start}).", "Convert it: iconv -f ENCODING -t UTF-8 FILE"
        ) from error


def main() -> None:
    """Write the set and say how large it is; exit code 2 for what the user can mend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("data/text"))
    parser.add_argument("--eval-share", type=float, default=0.02)
    arguments = parser.parse_args()
    try:
        trained, held_out = write_texts(arguments.files, arguments.out, arguments.eval_share)
    except UserError as error:
        print(f"raw_text: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    print(f"{arguments.out}: {trained} texts to train on, {held_out} held out.")


if __name__ == "__main__":
    main()
