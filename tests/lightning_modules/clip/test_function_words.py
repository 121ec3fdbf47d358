"""Content words of a caption."""

from __future__ import annotations

from lightning_modules.clip.function_words import content_words


def test_articles_prepositions_and_punctuation_are_no_content() -> None:
    words = ["A", "red", "cup", "on", "the", "table", ",", "and", "nothing", "else", "."]
    assert content_words(words) == [False, True, True, False, False, True, False, False, True, True, False]


def test_a_piece_goes_with_the_word_it_continues() -> None:
    assert content_words(["feather", "##s", "of", "##ten", "##"]) == [True, True, False, False, False]


def test_a_caption_of_function_words_keeps_them_all() -> None:
    assert content_words(["it", "is"]) == [True, True]
