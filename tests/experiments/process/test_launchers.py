"""Variables of launchers that hold no numbers, or not all of them, are one sentence and no traceback of Lightning's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.process.failures import told
from experiments.process.launchers import check_launcher, keep_stacks_back
from hyperalign.command.search_path import ROOT
from hyperalign.errors import UsageError


@pytest.mark.parametrize(
    "given",
    [
        {"SLURM_PROCID": "x"},
        {"RANK": ""},
        {"LOCAL_RANK": "-1"},
        {"WORLD_SIZE": "0"},
        {"WORLD_SIZE": "2.0"},
        {"SLURM_NTASKS": "four"},
        {"SLURM_NTASKS_PER_NODE": "4(x2)"},
        {"SLURM_JOB_ID": "none"},
        {"JSM_NAMESPACE_SIZE": "x"},
        {"MASTER_PORT": "70000"},
        {"MASTER_PORT": "tcp"},
        {"NODE_RANK": "\u0663"},
    ],
)
def test_a_variable_that_is_no_number_is_named(given: dict[str, str]) -> None:
    ((name, text),) = given.items()
    with pytest.raises(UsageError, match=re.escape(f"The variable {name} is {text!r}, where a whole number from ")):
        check_launcher(given)


def test_a_process_beyond_their_count_is_named() -> None:
    with pytest.raises(UsageError, match=r"^The variable RANK is 2 and WORLD_SIZE is 2, where processes are numbered"):
        check_launcher({"RANK": "2", "WORLD_SIZE": "2", "LOCAL_RANK": "0"})


def test_gpus_that_no_name_stands_for_are_not_hidden_silently() -> None:
    with pytest.raises(UsageError, match=r"^The variable CUDA_VISIBLE_DEVICES is 'all', which names no GPUs"):
        check_launcher({"CUDA_VISIBLE_DEVICES": "all"})


@pytest.mark.parametrize("devices", ["", "-1", "0", "0, 3", "0,-1", "GPU-5ebe9f43", "MIG-GPU-1/2/0", "NoDevFiles"])
def test_what_launchers_set_is_let_through(devices: str) -> None:
    check_launcher({"CUDA_VISIBLE_DEVICES": devices})
    check_launcher({"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_PORT": "29500", "GROUP_RANK": "0"})
    check_launcher({"SLURM_PROCID": "3", "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_ID": "17"})


def test_some_variables_of_a_launcher_without_the_others_are_told() -> None:
    assert told(KeyError("SLURM_LOCALID")) == (
        "The variable SLURM_LOCALID is not set where others say that a launcher started this command: start it by "
        "`srun` or `torchrun`, or unset the variables SLURM_* or TORCHELASTIC_*.",
        2,
    )
    assert told(KeyError("width")) is None


def test_another_number_of_tasks_than_devices_is_told() -> None:
    raised = "You set `devices=1` in Lightning, but the number of tasks per node is 4. HINT: Set `devices=4`."
    assert told(ValueError(raised)) == (raised.replace("HINT: Set", "HINT: set"), 2)


def test_the_command_says_it_before_lightning_is_imported(tmp_path: Path) -> None:
    environment = {**os.environ, "SLURM_PROCID": "x", "PYTHONPATH": str(ROOT)}
    finished = subprocess.run(
        [sys.executable, "-m", "experiments", "flops"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (
        2,
        "",
        "error: The variable SLURM_PROCID is 'x', where a whole number from 0 on is expected: unset it, or start the "
        "command by the launcher that sets it.\n",
    )


def test_a_port_that_kubernetes_set_for_a_service_is_unset_for_one_process_and_refused_for_several() -> None:
    linked = {"MASTER_PORT": "tcp://10.0.0.5:29500", "STANDALONE_PORT": "tcp://10.0.0.6:80", "MASTER_PORT_80_TCP": "1"}
    alone = dict(linked)
    check_launcher(alone)
    assert alone == {"MASTER_PORT_80_TCP": "1"}
    for count in ("WORLD_SIZE", "SLURM_NTASKS"):
        with pytest.raises(UsageError, match=r"^The variable MASTER_PORT is 'tcp://10\.0\.0\.5:29500', where a whole"):
            check_launcher({**linked, count: "2"})


def test_pytorchs_own_stacks_are_kept_back_unless_they_are_asked_for() -> None:
    for given, level in (
        ({}, "ERROR"),
        ({"TORCH_CPP_LOG_LEVEL": "INFO"}, "INFO"),
        ({"HYPERALIGN_TRACEBACK": "1"}, None),
    ):
        environment = dict(given)
        keep_stacks_back(environment)
        assert environment.get("TORCH_CPP_LOG_LEVEL") == level
