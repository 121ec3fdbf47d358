"""Streams depend on their keys alone."""

import pytest
import torch

from datamodules.scenes import generator_for


def _draw(*keys: int | str) -> list[float]:
    return [round(value, 6) for value in torch.rand(3, generator=generator_for(*keys)).tolist()]


def test_pinned_values_do_not_change_between_versions() -> None:
    assert _draw(0, "observation", "balloons") == [0.902835, 0.080231, 0.085298]


def test_same_keys_give_the_same_stream_whatever_was_drawn_before() -> None:
    before = _draw(3, "train", 7)
    torch.manual_seed(99)
    torch.rand(5)
    assert _draw(3, "train", 7) == before


def test_key_boundaries_types_and_order_matter() -> None:
    streams = [_draw(*keys) for keys in [("ab", "c"), ("a", "bc"), ("abc",), ("c", "ab"), (1,), ("1",), (1, 1), (11,)]]
    assert len({tuple(stream) for stream in streams}) == len(streams)


def test_no_key_is_refused() -> None:
    with pytest.raises(ValueError, match="needs at least one key"):
        generator_for()


@pytest.mark.parametrize("key", [True, 0.5, None])
def test_other_types_are_refused(key: object) -> None:
    with pytest.raises(TypeError, match="takes integers and strings as keys"):
        generator_for(key)  # type: ignore[arg-type]
