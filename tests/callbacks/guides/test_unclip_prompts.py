"""The text side of unCLIP: what is encoded, and what is said of a prompt that is too long."""

from __future__ import annotations

import pytest
import torch

from callbacks.guides.unclip_parts import UnCLIPParts
from callbacks.guides.unclip_prompts import encoded_prompt, warn_of_cut
from tests.callbacks.guides.tiny_unclip import PLACES

ROOM = PLACES - 2
"""Tokens beside start and end."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("prompt", ["", "sharp", LETTERS])
def test_a_prompt_is_the_last_hidden_states_of_all_places(parts: UnCLIPParts, prompt: str) -> None:
    encoder = parts.modules["text_encoder"]
    with torch.no_grad():
        states = encoded_prompt(parts.tokenizer, encoder, prompt, torch.device("cpu"))
        tokens = parts.tokenizer(prompt).input_ids[: PLACES - 1]
        tokens = tokens + [parts.tokenizer.eos_token_id] * (PLACES - len(tokens))
        expected = encoder(torch.tensor([tokens])).last_hidden_state
    assert states.shape == (1, PLACES, 16)
    torch.testing.assert_close(states, expected)


def test_what_is_beyond_the_places_changes_nothing_and_is_named(
    parts: UnCLIPParts, caplog: pytest.LogCaptureFixture
) -> None:
    cpu, encoder = torch.device("cpu"), parts.modules["text_encoder"]
    long, kept = (encoded_prompt(parts.tokenizer, encoder, text, cpu) for text in (LETTERS, LETTERS[:ROOM] + "zz"))
    torch.testing.assert_close(long, kept)
    assert warn_of_cut(parts.tokenizer, "negative_prompt", LETTERS) == LETTERS[ROOM:]
    assert f"negative_prompt is longer than {PLACES} tokens and was cut; left out: '{LETTERS[ROOM:]}'" in caplog.text


def test_a_prompt_that_just_fits_is_not_cut(parts: UnCLIPParts, caplog: pytest.LogCaptureFixture) -> None:
    assert warn_of_cut(parts.tokenizer, "prompt", LETTERS[:ROOM]) == ""
    assert warn_of_cut(parts.tokenizer, "prompt", "") == ""
    assert caplog.records == []
