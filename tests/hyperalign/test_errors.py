"""Errors of the house: each is its built-in twin too, and a worker's traceback is not part of what a person reads."""

from __future__ import annotations

import pickle
import traceback

import pytest

from hyperalign import errors
from hyperalign.errors import HyperalignError, InputError, UsageError, sentence

TWINS = {
    "FileAccessError": OSError,
    "InputError": ValueError,
    "MissingFileError": FileNotFoundError,
    "MissingPackageError": ModuleNotFoundError,
    "NonFiniteError": FloatingPointError,
    "RunError": RuntimeError,
    "UsageError": ValueError,
    "WrongTypeError": TypeError,
}


def test_every_error_has_its_built_in_twin_and_status() -> None:
    assert set(errors.__all__) == {*TWINS, "HyperalignError", "absent_checkpoint", "sentence"}
    for name, twin in TWINS.items():
        kind = getattr(errors, name)
        assert issubclass(kind, HyperalignError)
        with pytest.raises(twin, match=r"^The cube is damaged: copy it again\.$"):
            raise kind("The cube is damaged: copy it again.")
        assert kind.exit_code == (2 if kind is UsageError else 1)


@pytest.mark.parametrize("name", TWINS)
def test_an_error_is_sorted_by_its_twins_name_and_sent_by_its_own(name: str) -> None:
    error = getattr(errors, name)("The cube is damaged: copy it again.")
    assert type(error).__name__ == TWINS[name].__name__
    assert traceback.format_exception_only(error) == [
        f"hyperalign.errors.{name}: The cube is damaged: copy it again.\n"
    ]
    assert type(pickle.loads(pickle.dumps(error))) is getattr(errors, name)  # noqa: S301  # our own bytes


def test_an_error_of_this_process_is_its_message() -> None:
    assert sentence(InputError("The cube is damaged: copy it again.")) == "The cube is damaged: copy it again."
    assert sentence(KeyError("a")) == "'a'"


def from_a_worker(error: Exception) -> Exception:
    """What torch's loaders make of a worker's error: its traceback in a message of the same class."""
    try:
        raise error
    except type(error):
        text = traceback.format_exc()
    return type(error)(f"Caught {type(error).__name__} in DataLoader worker process 0.\nOriginal {text}")


def test_an_error_of_a_worker_is_told_without_its_traceback() -> None:
    plain = InputError("Scene 'cloth' is truncated: copy it again.\nIt ends after 3 of 31 bands.")
    told = from_a_worker(plain)
    assert "Original Traceback" in str(told)
    assert sentence(told) == str(plain)


def test_an_error_raised_from_another_of_its_class_is_its_own_message() -> None:
    plain = InputError("Scene 'cloth' is truncated: copy it again.")
    with pytest.raises(InputError) as caught:
        raise InputError("Band 3 is empty.")
    plain.__cause__ = caught.value
    assert sentence(from_a_worker(plain)) == str(plain)
    assert sentence(from_a_worker(from_a_worker(plain))) == str(plain)


def test_a_workers_error_of_another_kind_keeps_its_traceback() -> None:
    told = InputError("Original Traceback (most recent call last):\nKeyError: 'a'")
    assert sentence(told) == str(told)
