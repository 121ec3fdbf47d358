"""Which tokens of a caption name something: content words, as opposed to function words and punctuation."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["content_words"]

FUNCTION_WORDS = frozenset(
    " ".join(
        (
            "a an the this that these those some any each every no another other its their his her it they them",
            "he she we you i of in on at by to from with without into onto over under above below between behind",
            "beside before after against along across around near next up down out off as for and or but nor so",
            "if while than then where when which who whose whom what is are was were be been being am has have",
            "had do does did can could may might must shall should will would there here also very not only both",
            "all several many few more most such same own just about like through within upon toward towards one",
            "two",
        )
    ).split()
)
"""Articles, pronouns, prepositions, conjunctions, auxiliaries and plain counts of English."""


def content_words(words: Sequence[str]) -> list[bool]:
    """Return which of a caption's tokens carry content.

    Args:
        words: the tokens' texts; pieces that continue a word begin with `##` and go with the piece before them.

    Returns:
        True for content words; all true where none would be left.
    """
    kept: list[bool] = []
    for word in words:
        if word.startswith("##"):
            kept.append(bool(kept) and kept[-1])
        else:
            kept.append(any(letter.isalnum() for letter in word) and word.strip().lower() not in FUNCTION_WORDS)
    return kept if any(kept) else [True] * len(kept)
