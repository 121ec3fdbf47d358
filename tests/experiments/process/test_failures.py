"""Errors of workers, processes, the Trainer and the file system are one sentence; others keep their traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
from lightning.fabric.utilities.exceptions import MisconfigurationException
from torch.multiprocessing.spawn import ProcessRaisedException

from experiments.cli import main
from experiments.process.failures import told
from hyperalign.errors import InputError, UsageError

PROCESS = """

-- Process 1 terminated with the following error:
Traceback (most recent call last):
  File "x.py", line 1, in run
hyperalign.errors.UsageError: Two ranks need two devices.
"""


def test_which_errors_are_told() -> None:
    assert told(InputError("A is wrong.")) == ("A is wrong.", 1)
    assert told(UsageError("B is wrong.")) == ("B is wrong.", 2)
    assert told(MisconfigurationException("No such\n  accelerator.")) == ("No such accelerator.", 2)
    assert told(PermissionError(13, "Permission denied", "/x/y")) == (
        "Permission denied: /x/y; check the path, its permissions and the space on its disk.",
        1,
    )
    assert told(ProcessRaisedException(PROCESS, 1, 42)) == ("Two ranks need two devices.", 2)
    assert told(ProcessRaisedException("Traceback\nKeyError: 'a'", 1, 42)) is None
    assert told(ValueError("of elsewhere")) is None


def test_the_optimiser_of_another_run_is_told() -> None:
    assert told(ValueError("loaded state dict has a different number of parameter groups")) == (
        "The checkpoint's optimiser is not that of this run (loaded state dict has a different number of parameter "
        "groups): take a checkpoint of this run, or give it as model.init_args.source to begin with its weights.",
        1,
    )


def test_a_service_that_wants_a_key_is_told() -> None:
    kind = type("UsageError", (Exception,), {"__module__": "wandb.errors.errors"})
    assert told(kind("No API key configured. Use\n `wandb login` to log in.")) == (
        "wandb cannot keep this run: No API key configured. Use `wandb login` to log in; or choose another logger, "
        "such as --config logger/csv.",
        2,
    )


def test_a_loader_that_was_ended_from_outside_is_told() -> None:
    ended = "DataLoader worker (pid 14943) is killed by signal: Terminated. "
    assert told(RuntimeError(ended)) == (
        "A process that loads patches was ended by SIGTERM, and the run with it: start it again.",
        143,
    )
    full = told(RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "))
    assert full is not None
    assert full[0].startswith("A process that loads patches was ended from outside (Killed), as where the memory")
    assert full[1] == 1
    assert told(RuntimeError("DataLoader worker is missing")) is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(27, "File too large"), "File too large"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(30, "Can't write data (file write failed)"), "Read-only file system"),
        (OSError("18000 requested and 4096 written"), "The disk is full"),
    ],
)
def test_a_full_disk_is_told_though_no_file_is_named(error: OSError, reason: str) -> None:
    assert told(error) == (f"{reason}: a file could not be written; free some space, or name another folder for it.", 1)


def test_other_errors_without_a_file_keep_their_traceback() -> None:
    assert told(OSError("something else")) is None
    assert told(OSError(104, "Connection reset")) is None


def test_an_error_of_a_loaders_worker_is_the_same_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "worker.yaml").write_text("data: {class_path: tests.experiments.fakes.DamagedScenes}\n")
    assert main(["fit", "--config", "tiny", "--config", "worker"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: Scene 'cloth' is truncated: copy it again."


@pytest.mark.parametrize(
    "words",
    [["--trainer.accelerator", "nosuch"], ["--trainer.precision", "17"], ["--trainer.limit_train_batches", "-3"]],
)
def test_a_trainer_that_cannot_be_is_misuse(words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fit", "--config", "tiny", *words]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: ")


def test_every_command_has_help_and_refuses_an_unknown_option(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("demo", "study", "guide-table", "ablations", "flops", "export"):
        with pytest.raises(SystemExit) as stopped:
            main([name, "--help"])
        assert stopped.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: hyperalign {name} ")
    assert main(["flops", "--sid", "8"]) == 2
    assert capsys.readouterr().err == "error: hyperalign flops has no option '--sid': the nearest one is '--side'.\n"
    assert main(["ablations", "--rows", "ful"]) == 2
    assert main(["--config", "x"]) == 2


def test_half_of_slurms_variables_is_a_sentence() -> None:
    found = told(RuntimeError("You set `--ntasks=2` in your SLURM bash script, but this variable is not supported."))
    assert found is not None
    assert found[0].startswith("SLURM_NTASKS is set and SLURM_NTASKS_PER_NODE is not: ")
    assert found[1] == 2
    assert told(RuntimeError("Something else.")) is None
