"""Does it sound like them, and does it leak? See docs/evaluation.md.

    training set ─┬─ verbatim ──┐
    replies ──────┤  originals  ├──▶ audit.json beside the adapter, which `greenroom serve --require-audit` reads
    canaries ─────┴─ exposure ──┘

Nothing here imports torch: what needs a model's likelihoods runs in the training environment, as `train.score` does.
"""
