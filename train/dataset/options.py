"""Everything that decides what a dataset holds, in one value that is written to its card."""

import math
from collections.abc import Callable

import msgspec

from persona.errors import UserError
from train.dataset_choices import Chats, Format, Media, Rule
from train.sessions import DEFAULT_GAP_S

RULES = tuple(Rule)

Progress = Callable[[str, int, int], None]
"""Told of long work: the stage, how many messages it has in all, and how many more of them are done."""

CARD_NAME = "card.json"
"""The file beside a set that says what it was made from and with: see `train.dataset.card`."""

DEFAULT_MAX_TOKENS = 1024
"""The sequence length of the recipes; axolotl drops what is longer."""


MOST_CANARIES = 1000


class Options(msgspec.Struct, frozen=True):
    """What `greenroom dataset` was told. The same store, key and options give the same bytes."""

    personas: tuple[str, ...] = ()
    """Speakers to train; empty means everybody with `min_messages`."""
    one_each: bool = False
    gap_s: float = DEFAULT_GAP_S
    chats: Chats = Chats.BOTH
    media: Media = Media.KEEP
    min_messages: int = 1000
    max_tokens: int = DEFAULT_MAX_TOKENS
    """Sessions with more tokens are cut; 0 leaves them whole."""
    overlap: float = 0.5
    """Share of a window that may be context, past a session's first; 1 gives each trained turn all that fits."""
    pack: int = 0
    """Chunks of as many messages as fit in so many tokens, whatever the gaps; 0 makes sessions."""
    eval_share: float = 0.1
    bubble_prefix: str = ""
    context: bool = False
    """Whether each session begins with a system turn that says who talks, where and when."""
    format: Format = Format.SHAREGPT
    keep: tuple[Rule, ...] = ()
    """Cleaning rules that are switched off."""
    keep_short: float = 1.0
    """Share of a persona's boring replies that are trained."""
    redact: bool = True
    canaries: int = 0
    """Invented secrets planted for each persona; see `train.dataset.canaries`."""
    seed: int = 0

    def cleans(self, rule: Rule) -> bool:
        """Return whether a cleaning rule is on."""
        return rule not in self.keep


def check(options: Options) -> None:
    """Raise a UserError for what cannot be done."""
    shares = (("--eval-share", options.eval_share, False), ("--keep-short", options.keep_short, True))
    for name, share, may_be_one in (*shares, ("--overlap", options.overlap, True)):
        if not (0 <= share < 1 or (may_be_one and share == 1)):
            most = "at most 1" if may_be_one else "less than 1"
            raise UserError(f"{name} {share} is not a share.", f"Use 0 or more, and {most}.")
    if not 0 < options.gap_s < math.inf:
        raise UserError("--gap must be more than 0 minutes, and a finite number of them.", "The default is 10.")
    if options.min_messages < 0:
        raise UserError("--min-messages cannot be less than 0.", "The default is 1,000.")
    for name, tokens in (("--max-tokens", options.max_tokens), ("--pack", options.pack)):
        if tokens and tokens < 16:
            raise UserError(f"{name} {tokens} leaves no room for a turn.", "Use 16 or more.")
    if not 0 <= options.canaries <= MOST_CANARIES:
        raise UserError(f"--canaries {options.canaries} cannot be.", f"Use 0 to {MOST_CANARIES}; ten say enough.")
    if "\n" in options.bubble_prefix:
        raise UserError("--bubble-prefix cannot hold a line break.", "A message is a line already.")
