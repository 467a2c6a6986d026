"""Who wrote this? A classifier of people by their messages, and whom it takes a persona's replies for.

Character n-grams are the strongest single mark of authorship in short texts (Stamatatos, 2013; for chats and posts
Koppel, Schler and Argamon, 2011). They are weighed by TF-IDF and told apart by logistic regression, trained on the real
replies of the training set alone. What it makes of real held-out replies is the most that a persona can be expected to
reach, and what it makes of the base's replies the least.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from persona.errors import UserError

NGRAMS = (1, 4)
MOST_EACH = 5000
"""Messages of each person that are learnt from, evenly spaced: no one outweighs the others by much."""


class Taken(msgspec.Struct, frozen=True):
    """Whom the classifier took a side's replies for.

    Attributes:
        replies: how many it was shown, empty ones left out.
        right: how many it took for the person they should be of.
        taken_for: how many for each person.
    """

    replies: int
    right: int
    taken_for: dict[str, int]

    @property
    def share(self) -> float:
        """The share that was taken for the right person."""
        return self.right / self.replies if self.replies else 0.0


class Voices:
    """A classifier of the people of a set."""

    def __init__(self, replies: Mapping[str, Sequence[str]], seed: int = 0) -> None:
        """Learn who writes how from each person's real replies.

        Raises:
            UserError: scikit-learn is not installed, or there are not two people to tell apart.
        """
        people = [speaker for speaker, texts in replies.items() if any(text.strip() for text in texts)]
        if len(people) < 2:
            raise UserError("Who wrote this cannot be asked of a set of one persona.", "Leave it out: --part.")
        texts: list[str] = []
        owners: list[str] = []
        for speaker in people:
            own = [text for text in replies[speaker] if text.strip()]
            own = own[:: max(1, -(-len(own) // MOST_EACH))]
            texts += own
            owners += [speaker] * len(own)
        self._model = _pipeline(seed)
        self._model.fit(texts, owners)

    def taken(self, speaker: str, replies: Sequence[str]) -> Taken:
        """Return whom replies are taken for that should be of `speaker`."""
        shown = [text for text in replies if text.strip()]
        found = Counter(str(one) for one in self._model.predict(shown)) if shown else Counter[str]()
        return Taken(len(shown), found[speaker], dict(found.most_common()))


def _pipeline(seed: int) -> Any:
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
    except ImportError as error:
        raise UserError(
            "scikit-learn is not installed.", "pip install 'greenroom[evaluate]' in .venv brings it."
        ) from error
    # A break between messages is a habit too; `lowercase` would take away the capitals that tell people apart.
    grams = TfidfVectorizer(analyzer="char", ngram_range=NGRAMS, lowercase=False, sublinear_tf=True, min_df=2)
    # Everybody counts alike, however much they wrote.
    return make_pipeline(grams, LogisticRegression(C=10.0, class_weight="balanced", max_iter=1000, random_state=seed))
