"""A description builds the network again, and its class names import nothing that the user did not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lightning_modules import GDRRN, MPHSIR, SERT, TRQ3DNet, UpsampledInput
from lightning_modules.checkpoints import (
    CheckpointError,
    build,
    check_importable,
    described_network,
    of_any_machine,
)
from lightning_modules.networks import CO2IF, SSTFUNet
from tests.experiments.compact_co2if import COMPACT
from tests.lightning_modules.checkpoints.toys import Forgetful, Kept, Plain

SMALL = {"dim": 8, "window_sizes": (8,), "depths": (1,), "num_heads": (2,), "split_sizes": (1,)}


def test_all_arguments_are_described_with_their_defaults_and_by_short_names() -> None:
    described = described_network(UpsampledInput(SERT(5, **SMALL), scale=2))  # type: ignore[arg-type]
    assert described["class_path"] == "lightning_modules.UpsampledInput"
    assert described["init_args"]["scale"] == 2
    assert described["init_args"]["interpolation"] == "bicubic"
    inner = described["init_args"]["network"]
    assert inner["class_path"] == "lightning_modules.SERT"
    assert inner["init_args"]["input_channels"] == 5
    assert inner["init_args"]["window_sizes"] == [8]
    assert inner["init_args"]["initialisation"] == "published"


@pytest.mark.parametrize(
    "network",
    [
        UpsampledInput(SERT(5, **SMALL), scale=2),  # type: ignore[arg-type]
        GDRRN(input_channels=7, channels=8, groups=2, recursions=2),
        TRQ3DNet(),
        SSTFUNet(input_channels=8, multispectral_channels=3, ratio=4),
        MPHSIR(input_channels=5, dim=8, text_embedding=torch.zeros(6, 512)),
    ],
    ids=lambda network: type(network).__name__,
)
def test_a_described_network_is_built_again(network: nn.Module) -> None:
    again = build(described_network(network), "run.ckpt")
    assert type(again) is type(network)
    assert repr(again) == repr(network)
    again.load_state_dict(network.state_dict())
    assert {name: value.shape for name, value in again.state_dict().items()} == {
        name: value.shape for name, value in network.state_dict().items()
    }


def test_what_suited_the_machine_of_the_run_is_chosen_again_elsewhere() -> None:
    described = described_network(CO2IF(4, ratio=2, text_width=4, image_width=4, **COMPACT, backend="compiled"))
    assert described["init_args"]["backend"] == "compiled"
    assert described_network(build(described, "run.ckpt"))["init_args"] == described["init_args"] | {"backend": "auto"}


def test_a_description_of_any_machine_leaves_out_what_suited_one_at_every_depth_but_keeps_a_users_own() -> None:
    inner = {"class_path": "lightning_modules.CO2IF", "init_args": {"ratio": 8, "backend": "compiled"}}
    own = {"class_path": "mine.Net", "init_args": {"backend": "fast"}}
    whole = {"class_path": "lightning_modules.FusionModule", "init_args": {"network": inner, "others": [own, 3]}}
    assert of_any_machine(whole)["init_args"] == {
        "network": {"class_path": "lightning_modules.CO2IF", "init_args": {"ratio": 8}},
        "others": [own, 3],
    }
    assert inner["init_args"]["backend"] == "compiled"  # type: ignore[index]


def test_a_users_class_is_known_by_its_attributes_or_not_at_all() -> None:
    assert described_network(Kept(4, gain=0.5)) == {
        "class_path": f"{Kept.__module__}.Kept",
        "init_args": {"bands": 4, "gain": 0.5},
    }
    assert described_network(Plain())["init_args"] == {}
    assert described_network(Forgetful(residual=False)) == {"class_path": f"{Forgetful.__module__}.Forgetful"}
    with pytest.raises(CheckpointError, match="does not say with which arguments its Forgetful was built: give the"):
        build(described_network(Forgetful(residual=False)), "run.ckpt")


def test_a_class_that_the_user_imported_is_built_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mynet.py").write_text(
        "import pathlib, torch\n"
        f"pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n"
        "class TinyNet(torch.nn.Module):\n"
        "    def __init__(self, bands=3):\n"
        "        super().__init__()\n"
        "        self.bands = bands\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    description = {"class_path": "mynet.TinyNet", "init_args": {"bands": 5}}
    with pytest.raises(CheckpointError, match=r"was made by mynet\.TinyNet, which is no network of this project"):
        build(description, "run.ckpt")
    with pytest.raises(CheckpointError, match="imports no code"):
        check_importable({"class_path": "lightning_modules.UpsampledInput", "init_args": {"network": description}}, "x")
    assert not (tmp_path / "ran").exists()
    assert build(description, "run.ckpt", trust=["mynet"]).bands == 5
    assert (tmp_path / "ran").exists()
    # Imported now, it is found without being trusted.
    assert build(description, "run.ckpt").bands == 5
    monkeypatch.delitem(sys.modules, "mynet")


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "pathlib.Path",
        "torch.load",
        "torch.jit.ScriptModule",
        "lightning_modules.read_weights",
        "lightning_modules.checkpoints.reading.zipfile",
        "lightning_modules.SafeCheckpointIO",
        "hyperalign.files.write_text",
        "os",
        "",
        "..",
        "a b.c",
        "lightning_modules.nothing.SERT",
        None,
        3,
    ],
)
def test_a_name_that_is_no_network_is_never_called(name: Any) -> None:  # noqa: ANN401
    with pytest.raises(CheckpointError, match=r"run\.ckpt"):
        build({"class_path": name, "init_args": {}}, "run.ckpt")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"dims": 8}, "The SERT that checkpoint run.ckpt describes cannot be built"),
        ({"dim": "wide"}, "cannot be built"),
        ({"dim": [8]}, "cannot be built"),
        ([1], "describes its SERT in no readable way"),
        ({3: 1}, "describes its SERT in no readable way"),
    ],
)
def test_odd_arguments_are_one_sentence(arguments: Any, sentence: str) -> None:  # noqa: ANN401
    with pytest.raises(CheckpointError, match=sentence):
        build({"class_path": "lightning_modules.SERT", "init_args": arguments}, "run.ckpt")
    with pytest.raises(CheckpointError, match="describes no network"):
        build("SERT", "run.ckpt")
