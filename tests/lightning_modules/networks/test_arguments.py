"""With which arguments a network was built: noted, found as attributes, or not known."""

from __future__ import annotations

import pickle

import torch
from torch import nn

from lightning_modules.networks.arguments import arguments_of, remember, remembers_arguments
from tests.lightning_modules.checkpoints.toys import Forgetful, Kept, Plain


@remembers_arguments
class Noted(nn.Module):
    """Keeps nothing itself."""

    def __init__(self, width: int, *more: int, depth: int = 2, **named: str) -> None:
        super().__init__()


class Child(Noted):
    """Has other arguments than its parent."""

    def __init__(self, depth: int) -> None:
        super().__init__(depth * 2)


class Same(Noted):
    """Has its parent's constructor."""


@remembers_arguments
class Holder(nn.Module):
    """Takes a network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.inner = network


def test_arguments_are_noted_with_their_defaults() -> None:
    assert arguments_of(Noted(3)) == {"width": 3, "depth": 2}
    assert arguments_of(Noted(width=3, depth=5, name="x")) == {"width": 3, "depth": 5, "name": "x"}
    assert arguments_of(Same(4)) == {"width": 4, "depth": 2}


def test_numbers_without_a_name_and_a_parents_arguments_are_not_known() -> None:
    assert arguments_of(Noted(3, 4)) is None
    assert arguments_of(Child(2)) is None


def test_attributes_of_the_arguments_names_do_where_nobody_noted_them() -> None:
    assert arguments_of(Kept(4, gain=0.5)) == {"bands": 4, "gain": 0.5}
    assert arguments_of(Plain()) == {}
    assert arguments_of(Forgetful(residual=False)) is None
    forgetful = Forgetful(residual=False)
    remember(forgetful, (), {"residual": False})
    assert arguments_of(forgetful) == {"residual": False}
    remember(forgetful, (), {"residual": True})
    assert arguments_of(forgetful) == {"residual": False}, "known already"


def test_a_network_among_the_arguments_is_registered_once_and_copies_know_them_too() -> None:
    inner = nn.Linear(2, 2)
    holder = Holder(inner)
    assert arguments_of(holder) == {"network": inner}
    assert sorted(holder.state_dict()) == ["inner.bias", "inner.weight"]
    assert Holder.__init__.__doc__ is None and Holder.__init__.__qualname__ == "Holder.__init__"
    again = pickle.loads(pickle.dumps(Noted(3, depth=7)))  # noqa: S301 - its own bytes
    assert arguments_of(again) == {"width": 3, "depth": 7}
    with torch.device("meta"):
        assert arguments_of(Noted(1)) == {"width": 1, "depth": 2}
