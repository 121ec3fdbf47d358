"""Job scripts are bash that parses, and what they would run is a command that is taken."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from experiments.configuration.files import PACKAGED, resolve_configs
from experiments.configuration.tree import read_tree
from experiments.configuration.unimported.commands import command
from experiments.configuration.unimported.settings import findings
from experiments.reproduction.specification import table_names

BASH = shutil.which("bash") or "bash"
SCRIPTS = sorted((PACKAGED / "slurm").glob("*.sbatch"))


def dry_run(script: Path, folder: Path, *words: str, **environment: str) -> list[str]:
    """Return the words that a script would run."""
    given = {key: value for key, value in os.environ.items() if not key.startswith("SLURM")}
    found = subprocess.run(
        [BASH, str(script), *words], cwd=folder, env=given | {"DRY_RUN": "1", **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = found.stdout.splitlines()
    return shlex.split(line)


def test_every_kind_of_job_is_there() -> None:
    assert [path.stem for path in SCRIPTS] == ["one_node", "requeue", "several_nodes", "table_array"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_parses_and_begins_as_sbatch_wants_it(script: Path) -> None:
    subprocess.run([BASH, "-n", str(script)], check=True)
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/bash"
    directives = [line for line in lines if line.startswith("#SBATCH ")]
    assert len(directives) >= 5
    first_command = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    assert all(lines.index(line) < first_command for line in directives)


@pytest.mark.parametrize("stem", ["one_node", "several_nodes", "requeue"])
def test_what_an_adaptation_job_runs_is_taken(stem: str, tmp_path: Path) -> None:
    line = dry_run(PACKAGED / "slurm" / f"{stem}.sbatch", tmp_path, "--data.root", "CAVE", SLURM_JOB_NUM_NODES="3")
    assert line[:3] == ["srun", "hyperalign", "adapt"]
    settings = read_tree(resolve_configs(line[3:])).settings
    assert next(findings(command("adapt"), settings), None) is None
    assert settings["trainer"]["strategy"] == "ddp"
    assert settings["data"]["init_args"]["root"] == "CAVE"
    assert settings["trainer"].get("num_nodes") == (3 if stem == "several_nodes" else None)


def test_a_requeued_job_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    script = PACKAGED / "slurm" / "requeue.sbatch"
    assert "--ckpt_path" not in dry_run(script, tmp_path)
    last = tmp_path / "runs/requeued/lightning_logs/version_0/checkpoints/last.ckpt"
    last.parent.mkdir(parents=True)
    last.touch()
    line = dry_run(script, tmp_path)
    assert line[line.index("--ckpt_path") + 1] == "last"
    text = script.read_text(encoding="utf-8")
    assert "#SBATCH --requeue" in text
    assert "#SBATCH --signal=SIGUSR1@120" in text


def test_an_array_makes_a_table(tmp_path: Path) -> None:
    script = PACKAGED / "slurm" / "table_array.sbatch"
    line = dry_run(script, tmp_path, BUDGET="small")
    assert line[1:3] == ["hyperalign", "reproduce"]
    assert line[3] in table_names()
    assert line[line.index("--budget") + 1] == "small"
    assert "--sources" not in line
    assert "--sources" in dry_run(script, tmp_path, "co2if/table2", SOURCES="1")
