"""What a checkpoint of a run may hold, field by field."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lightning_modules.checkpoints.content import FIELDS, IDENTITY_KEY, CheckpointError, check_resumable, check_run

WHOLE: dict[str, Any] = {
    "state_dict": {"weight": torch.zeros(1)},
    "pytorch-lightning_version": "2.6.6",
    "epoch": 1,
    "global_step": 4,
    "loops": {"fit_loop": {}},
    "callbacks": {},
    "optimizer_states": [],
    "lr_schedulers": [],
    IDENTITY_KEY: {"network": "Toy"},
}


def test_a_runs_checkpoint_passes_whole_and_with_the_least() -> None:
    assert set(WHOLE) == set(FIELDS)
    check_run(WHOLE, "run.ckpt")
    check_resumable(WHOLE, "run.ckpt")
    check_run({name: WHOLE[name] for name in ("state_dict", "pytorch-lightning_version")}, "run.ckpt")


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("state_dict", ["a"], "holds a list as its field 'state_dict', where a run writes a mapping"),
        ("epoch", "three", "holds a str as its field 'epoch', where a run writes a int"),
        ("epoch", -1, "says -1 as its field 'epoch'; take another checkpoint"),
        ("epoch", True, "says True as its field 'epoch'"),
        ("global_step", 2.5, "holds a float as its field 'global_step'"),
        ("global_step", -3, "says -3 as its field 'global_step'"),
        ("loops", {"fit_loop": 3}, "holds a int as the progress of its fit"),
        ("loops", {"fit_loop": {"epoch_progress": None}}, "holds what is none as the progress of its fit"),
        ("loops", {"fit_loop": {"epoch_progress": {"current": {"ready": 1}}}}, "holds what is none as the progress"),
        ("loops", {"fit_loop": {"epoch_progress": {"current": {"ready": "x"}, "total": {}}}}, "what is none"),
        ("loops", {"fit_loop": {"epoch_progress": {"current": {"ready": -1}, "total": {}}}}, "what is none"),
        ("loops", {"fit_loop": {"optim_progress": {"optimizer": {"step": {"total": 3}}}}}, "what is none"),
        ("pytorch-lightning_version", "x", "says 'x' as its field 'pytorch-lightning_version'"),
        ("loops", [], "holds a list as its field 'loops'"),
        ("optimizer_states", "none", "holds a str as its field 'optimizer_states', where a run writes a sequence"),
        ("lr_schedulers", None, "holds a NoneType as its field 'lr_schedulers'"),
        ("callbacks", 0, "holds a int as its field 'callbacks'"),
        (IDENTITY_KEY, "SERT", f"holds a str as its field '{IDENTITY_KEY}'"),
        ("pytorch-lightning_version", 2, "as its field 'pytorch-lightning_version', where a run writes text"),
    ],
)
def test_an_odd_field_is_named(field: str, value: object, sentence: str) -> None:
    with pytest.raises(CheckpointError, match=f"^Checkpoint odd.ckpt .*{sentence}"):
        check_run({**WHOLE, field: value}, "odd.ckpt")


@pytest.mark.parametrize("field", ["state_dict", "pytorch-lightning_version"])
def test_what_no_run_wrote_is_told_how_to_be_given(field: str) -> None:
    content = {name: value for name, value in WHOLE.items() if name != field}
    with pytest.raises(
        CheckpointError, match=f"has no field '{field}', so no run wrote it; weights alone are given by"
    ):
        check_run(content, "odd.ckpt")


def resumed(epoch: int, completed: int) -> dict[str, Any]:
    counted = {"ready": completed, "completed": completed, "started": completed, "processed": completed}
    progress = {"epoch_progress": {"current": counted, "total": counted}, "epoch_loop.state_dict": {"steps": 3}}
    return {**WHOLE, "epoch": epoch, "loops": {"fit_loop": progress}}


def test_a_fit_is_not_shorter_than_what_it_goes_on_from() -> None:
    check_run(resumed(2, 3), "last.ckpt")
    for most in (3, 4, -1, None):
        check_resumable(resumed(2, 3), "last.ckpt", most)
    for content in (resumed(2, 3), resumed(3, 2)):
        with pytest.raises(
            CheckpointError, match=r"^Checkpoint last\.ckpt is of epoch 3, and trainer\.max_epochs is 2: "
        ):
            check_resumable(content, "last.ckpt", 2)


@pytest.mark.parametrize("field", ["optimizer_states", "lr_schedulers", "loops", "epoch", "global_step"])
def test_no_fit_goes_on_without_its_progress(field: str) -> None:
    content = {name: value for name, value in WHOLE.items() if name != field}
    check_run(content, "weights.ckpt")
    with pytest.raises(
        CheckpointError, match=r"weights\.ckpt holds weights alone, so no fit can go on from it; give it"
    ):
        check_resumable(content, "weights.ckpt")
