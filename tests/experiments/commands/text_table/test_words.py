"""Captions of other scenes and made-up words."""

from __future__ import annotations

from datamodules.captions import load_captions
from experiments.commands.text_table.words import exchanged, nonsense


def test_no_scene_keeps_its_caption_when_they_are_exchanged() -> None:
    captions = load_captions("cave", "CAVE")
    other = exchanged(captions)
    assert sorted(other.values()) == sorted(captions.values())
    assert not [name for name in captions if other[name] == captions[name]]


def test_nonsense_has_as_many_words_and_is_the_same_for_the_same_seed() -> None:
    captions = {"a": "A red cup.", "b": "Two lemons on a dark table."}
    made = nonsense(captions, 0)
    assert [len(text.split()) for text in made.values()] == [3, 6]
    assert made == nonsense(captions, 0)
    assert made != nonsense(captions, 1)
    assert not {"red", "cup", "table"} & set(" ".join(made.values()).split())
