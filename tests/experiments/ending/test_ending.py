"""What a run says last: what it left where, and a command that can be pasted."""

from __future__ import annotations

import ast
import importlib.util
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from datamodules import CAVE, KAIST, Chikusei, FusionPair
from experiments.cli import COMMANDS, main
from experiments.commands import caption, prepare
from experiments.commands.study import RCTV as RCTV_ALONE
from experiments.commands.study import SOURCE_ONLY, following, study_of
from experiments.commands.tables import Table
from experiments.configuration.files import PACKAGED
from experiments.configuration.lightning_cli import HyperalignCLI
from experiments.ending import as_word, given_checkpoint, last_lines, next_command, restoring, without
from lightning_modules import FusionModule, SolverModule
from lightning_modules.networks.fusion.sstf_unet.network import SSTFUNet
from lightning_modules.solvers import RCTV
from tests.experiments.fakes import TinyNetwork

SHIPPED = PACKAGED / "hir_align" / "checkpoints" / "gaussian.ckpt"


def test_a_fit_ends_with_its_checkpoint_and_what_comes_next(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fit", "--config", "tiny", "--trainer.enable_model_summary", "true"]
    assert main(words) == 0
    captured = capsys.readouterr()
    lines = dict(line.split(": ", 1) for line in captured.out.splitlines() if ": " in line)
    assert Path(lines["checkpoint"].strip()).is_file()
    assert "next" not in lines  # the tiny module restores nothing that a test could score
    assert "TinyRestorer" in captured.out
    assert "FLOPs" not in captured.out + captured.err


def test_options_of_one_run_are_left_out_of_the_next() -> None:
    given = shlex.split("--config a --ckpt_path old.ckpt --resume --data.root 'my cubes' --output=out --verbose false")
    assert without(given) == ["--config", "a", "--data.root", "my cubes"]


def test_settings_are_written_as_the_command_line_takes_them() -> None:
    values = [True, None, 5, [-9999.0, 1.5], ["*.tif"], "400:700:31"]
    assert [as_word(value) for value in values] == ["true", "null", "5", "[-9999.0, 1.5]", '["*.tif"]', "400:700:31"]


def adapted(root: Path, **changes: object) -> HyperalignCLI:
    """A command that has adapted a fusion network to pairs in a folder."""
    given = {"root": str(root), "suffixes": None, "register": False, "captions": None, **changes}
    config = {"subcommand": "adapt", "adapt": {"data": {"init_args": given}}}
    data = FusionPair(str(root), register=bool(given["register"]))
    return cast(
        "HyperalignCLI",
        SimpleNamespace(model=FusionModule(SSTFUNet(input_channels=4, ratio=2)), datamodule=data, config=config),
    )


def test_an_adapted_fusion_network_is_followed_by_fusing_pairs_as_they_were_read(tmp_path: Path) -> None:
    checkpoint, arguments = tmp_path / "last.ckpt", ["adapt", "--data.register", "true"]
    following = next_command(adapted(tmp_path, register=True, captions="my words.json"), arguments, checkpoint)
    assert last_lines({"checkpoint": checkpoint}, following) == (
        f"checkpoint:     {checkpoint}\n"
        f"next:           hyperalign predict --data FusionPair --data.root {tmp_path} --data.register true "
        f"--data.captions 'my words.json' --output restored --ckpt_path {checkpoint}\n"
    )
    elsewhere = adapted(tmp_path)
    elsewhere.datamodule = cast("FusionPair", SimpleNamespace())
    following = next_command(elsewhere, ["adapt"], checkpoint)
    assert following == restoring("FusionPair", ["--ckpt_path", str(checkpoint)])
    assert following[:7] == ["predict", "--data", "FusionPair", "--data.root", "PAIRS", "--output", "restored"]
    assert next_command(elsewhere, ["adapt"], None) == next_command(elsewhere, ["predict"], checkpoint) == []


def test_a_validation_is_followed_by_the_test_and_a_test_by_restoring(tmp_path: Path) -> None:
    command, checkpoint = adapted(tmp_path), tmp_path / "one.ckpt"
    words = ["--config", "fusion/srlf", "--ckpt_path", str(checkpoint)]
    assert next_command(command, ["validate", *words], checkpoint) == ["test", *words]
    assert next_command(command, ["test", *words], checkpoint)[0] == "predict"
    own = cast("HyperalignCLI", SimpleNamespace(model=SimpleNamespace(network=TinyNetwork()), datamodule=None))
    assert next_command(own, ["test", *words], checkpoint) == []


def test_the_checkpoint_that_was_given_is_found_by_its_path_alone(tmp_path: Path) -> None:
    command, checkpoint = adapted(tmp_path), tmp_path / "one.ckpt"
    for given in (None, "last", str(checkpoint)):
        command.config["adapt"]["ckpt_path"] = given
        assert given_checkpoint(command) is None
    checkpoint.write_bytes(b"")
    assert given_checkpoint(command) == checkpoint


def test_a_tested_solver_is_followed_by_restoring_with_it() -> None:
    words = ["test", "--config", "solvers/rctv", "--config", "data/cave"]
    command = cast("HyperalignCLI", SimpleNamespace(model=SolverModule(RCTV()), datamodule=None))
    assert next_command(command, words, None) == restoring("Folder", ["--config", "solvers/rctv"])
    assert next_command(command, ["test", "--config", "mine.yaml"], None) == []
    options = ["--model.solver.rank", "3", "--model.solver.tau=-0.5"]
    typed = [*words[:3], *options[:2], "--data.root=x", options[2], "--trainer.devices", "1"]
    expected = restoring("Folder", ["--config", "solvers/rctv", *options])
    assert next_command(command, typed, None) == expected


def test_nothing_follows_where_nothing_is_named_and_the_last_word_is_not_cut() -> None:
    assert last_lines({}) == ""
    assert last_lines({"noise": "a b"}) == "noise:          a b\n"


@pytest.mark.parametrize("name", [*COMMANDS])
def test_every_command_ends_with_its_places_and_what_comes_next(name: str) -> None:
    """By `last_lines`, or by what ends with it: the end of a run, or of a table."""
    module = importlib.util.find_spec(f"experiments.commands.{name.replace('-', '_')}")
    assert module is not None
    assert module.origin is not None
    tree = ast.parse(Path(module.origin).read_text(encoding="utf-8"))
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert called & {"last_lines", "ending", "finish"}


def follow_ups(tmp_path: Path) -> dict[str, list[str]]:
    """What comes after commands that end without a run, each as it writes it."""
    cave = CAVE("cave", training=["beads"], validation=["cloth"])
    kaist, chikusei = KAIST("kaist"), Chikusei("chikusei")
    study = study_of("gaussian", "hir_align/cave_target", str(SHIPPED), Table((), None, tmp_path))
    row = {"test_set": "unobserved", "psnr": "30"}
    rows = [{**row, "model": SOURCE_ONLY}, {**row, "model": "mixed, round 2", "psnr": "31"}]
    typed = ["--config", "data/cave", "--data.root", "cave", "--workers", "2", "--verify"]
    return {
        "prepare": prepare.following(cave, typed, usable=True),
        "prepare x4": prepare.following(cave, [*typed, "--config", "tasks/super_resolution"], usable=True),
        "prepare for fusion": prepare.following(cave, [*typed, "--config", "tasks/fusion"], usable=True),
        "prepare 128 bands": prepare.following(
            chikusei, ["--config", "data/chikusei", "--data.root", "x"], usable=True
        ),
        "caption": caption.following(cave, [*typed, "--output", "c.json"], Path("c.json")),
        "caption others": caption.following(
            kaist, ["--config", "data/kaist", "--model", "blip", "--output", "c.json"], Path("c.json")
        ),
        "solver": restoring("Folder", ["--config", "solvers/rctv"]),
        "study": following(study, 0, rows[:1]),
    }


def test_what_comes_next_is_taken_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, words in follow_ups(tmp_path).items():
        with pytest.raises(SystemExit) as stopped:
            pytest.fail(f"{name}: {main([*words, '--print_config'])} {words} {capsys.readouterr().err}")
        assert stopped.value.code == 0
    assert prepare.following(CAVE("cave"), ["--config", "data/cave", "--verify"], usable=False) == [
        "prepare", "--config", "data/cave",
    ]  # fmt: skip


def test_a_study_is_followed_by_its_best_row_without_clean_scenes(tmp_path: Path) -> None:
    study = study_of("gaussian", "hir_align/cave_target", str(SHIPPED), Table((), None, tmp_path))
    scores = {SOURCE_ONLY: 30, "mixed, round 2": 31, "clean target (upper bound)": 40, RCTV_ALONE[0]: 29}
    rows = [{"model": name, "test_set": "unobserved", "psnr": str(psnr)} for name, psnr in scores.items()]
    rows.append({"model": SOURCE_ONLY, "test_set": "observed", "psnr": "50"})
    adapted_to = str(tmp_path / "seed_0" / "mixed" / "epoch_7.ckpt")
    assert following(study, 0, rows) == restoring("Folder", ["--ckpt_path", adapted_to])
    assert following(study, 0, rows[2:]) == restoring("Folder", ["--config", RCTV_ALONE[1], *RCTV_ALONE[2]])
    assert following(study, 0, rows[2:3]) == []
