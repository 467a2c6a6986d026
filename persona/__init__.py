"""The contract that training and serving share: persona cards, the one ChatML template, speaker names.

This room imports nothing else of Greenroom, so both sides can rely on it. Everything that must be the same when
a model is trained and when it is asked is decided here, once.
"""
