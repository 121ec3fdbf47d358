"""The parts of the check."""

from __future__ import annotations

from experiments.commands.gpu_check.task import PARTS, check_of


def test_every_part_has_its_module() -> None:
    assert all(callable(check_of(part).check) for part in PARTS)


def test_no_part_is_as_long_as_a_device_is_lent() -> None:
    assert all(0 < part.budget <= 180 for part in PARTS.values())
