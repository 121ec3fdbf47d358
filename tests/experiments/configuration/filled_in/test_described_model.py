"""A command that names a checkpoint and no model takes the checkpoint's; a user's own class is never imported by it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import yaml

from experiments.cli import main, run
from experiments.configuration.filled_in.described_model import describes_model, with_described_model
from hyperalign.errors import UsageError
from lightning_modules.checkpoints import CheckpointError

ROOT = Path(__file__).resolve().parents[4]
SHIPPED = str(ROOT / "experiments" / "hir_align" / "checkpoints" / "super_resolution.ckpt")
FUSION = str(ROOT / "experiments" / "co2if" / "checkpoints" / "compact.ckpt")
OLDER = str(ROOT / "tests" / "lightning_modules" / "checkpoints" / "a92c4af.ckpt")
NETWORK = """
import torch

class TinyNet(torch.nn.Module):
    def __init__(self, width: int = 2, gain: float = 0.0) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(31, 31, 1)
        self.factor = gain * width

    def forward(self, observation):
        return observation + self.factor * self.convolution(observation)
"""


def test_the_model_comes_first_so_that_everything_given_lies_over_it() -> None:
    given = ["predict", "--data", "Folder", f"--ckpt_path={SHIPPED}", "--model.tile", "32"]
    with with_described_model(given) as words:
        assert words[:2] == ["predict", "--config"]
        assert words[3:] == ["--data", "Folder", f"--ckpt_path={SHIPPED}", "--model.tile", "32"]
        described = yaml.safe_load(Path(words[2]).read_text())["model"]
    assert described["class_path"] == "lightning_modules.RestorationModule"
    assert described["init_args"]["network"]["class_path"] == "lightning_modules.UpsampledInput"


def test_what_suited_the_machine_of_the_training_is_chosen_anew() -> None:
    with with_described_model(["predict", "--ckpt_path", FUSION]) as words:
        described = yaml.safe_load(Path(words[2]).read_text())["model"]
    network = described["init_args"]["network"]["init_args"]
    assert network["mixer"] == "comamba"
    assert "backend" not in network


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "--ckpt_path", SHIPPED],
        ["test", "--config", str(ROOT / "experiments" / "backbones" / "sert.yaml"), "--ckpt_path", SHIPPED],
        ["test", "--model", "RestorationModule", "--ckpt_path", SHIPPED],
        ["test", "--model.network.class_path", "SERT", "--ckpt_path", SHIPPED],
        ["test", "--ckpt_path", "nothing.ckpt"],
        ["test", "--ckpt_path"],
        ["test", "--data", "CAVE"],
        [],
    ],
)
def test_a_chosen_model_and_other_commands_stay_as_they_are(words: list[str]) -> None:
    with with_described_model(words) as given:
        assert given == words


def test_an_older_checkpoint_asks_for_the_config_of_its_network() -> None:
    refused = pytest.raises(UsageError, match="does not describe its network, as older and foreign ones do not: add")
    with refused, with_described_model(["test", "--ckpt_path", OLDER]):
        pytest.fail("it was taken")
    assert not describes_model(["test", "--ckpt_path", OLDER])
    assert describes_model(["test", "--ckpt_path", SHIPPED])
    assert not describes_model(["test", "--ckpt_path", "nothing.ckpt"])


def test_a_recipe_that_only_adjusts_the_model_leaves_the_choice_to_the_checkpoint() -> None:
    recipe = str(ROOT / "experiments" / "hir_align" / "adapt.yaml")
    with with_described_model(["test", "--config", recipe, "--ckpt_path", SHIPPED]) as words:
        assert words[3:] == ["--config", recipe, "--ckpt_path", SHIPPED]
        assert "model" in yaml.safe_load(Path(words[2]).read_text())


def test_a_users_class_is_described_by_its_config_and_never_imported_by_the_checkpoint(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ownnet.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(folder))
    scenes = ["--data", "SampleScenes", "--data.crop", "32", "--data.patch_size", "16", "--data.batch_size", "2"]
    scenes += [
        "--data.patches_per_epoch",
        "2",
        "--data.training",
        "[astronaut_01]",
        "--data.validation",
        "[shuttle_01]",
    ]
    scenes += ["--data.cache", str(folder / "cache"), "--trainer.logger", "false", "--trainer.accelerator", "cpu"]
    scenes += ["--trainer.enable_progress_bar", "false"]
    model = ["--model", "RestorationModule", "--model.network", "ownnet.TinyNet", "--model.network.gain", "0.5"]
    run(["fit", *model, *scenes, "--trainer.max_steps", "1", "--trainer.limit_val_batches", "0"])
    checkpoint = str(next(folder.rglob("*.ckpt")))
    described = torch.load(checkpoint, weights_only=True)["hyperalign"]["module"]["init_args"]["network"]
    assert described == {"class_path": "ownnet.TinyNet", "init_args": {"width": 2, "gain": 0.5}}
    # Imported, it is built again with the arguments that the config gave; not imported, it is refused by name.
    command = run(["test", *scenes, "--ckpt_path", checkpoint])
    assert command.model.network.factor == 1.0
    monkeypatch.delitem(sys.modules, "ownnet")
    refused = pytest.raises(CheckpointError, match=r"was made by ownnet\.TinyNet, which is no network of this project")
    with refused, with_described_model(["test", "--ckpt_path", checkpoint]):
        pytest.fail("it was taken")
    assert main(["test", *scenes, "--ckpt_path", checkpoint]) == 1
    assert "a checkpoint imports no code" in capsys.readouterr().err
    assert "ownnet" not in sys.modules
