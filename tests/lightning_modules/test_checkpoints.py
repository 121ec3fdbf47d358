"""Safe reading of weights: every layout of official files loads, everything else is refused in one sentence."""

from __future__ import annotations

import pickle
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from datamodules import Chikusei
from datamodules.scenes.normalisation import check_rule
from lightning_modules import (
    SERT,
    CheckpointError,
    RestorationModule,
    UpsampledInput,
    load_official,
    load_official_state,
    load_weights,
    read_weights,
    weights_digest,
)
from lightning_modules.checkpoints import recorded_training_data, training_data
from tests.callbacks.tiny import WAVELENGTHS, MiniNetwork, tiny_data, tiny_module, tiny_trainer


class Toy(nn.Module):
    """Two layers whose official names differ, with one official entry that is derived."""

    official_names = ((r"^body\.(\d)\.w$", r"layers.\1.weight"), (r"^body\.(\d)\.b$", r"layers.\1.bias"))
    official_derived = (r"\.mask$",)

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, width), nn.Linear(width, 2)])


OFFICIAL = {
    "body.0.w": torch.arange(6.0).view(3, 2),
    "body.0.b": torch.arange(3.0),
    "body.1.w": torch.arange(6.0).view(2, 3) + 10,
    "body.1.b": torch.arange(2.0) + 10,
    "body.0.mask": torch.ones(4),
}


def check_loaded(network: Toy) -> None:
    """The official values arrived under our names."""
    for index in (0, 1):
        assert torch.equal(network.get_parameter(f"layers.{index}.weight"), OFFICIAL[f"body.{index}.w"])
        assert torch.equal(network.get_parameter(f"layers.{index}.bias"), OFFICIAL[f"body.{index}.b"])


@pytest.mark.parametrize("key", ["net", "state_dict", "model", "params", None])
@pytest.mark.parametrize("prefix", ["", "module.", "net.", "module.net."])
def test_official_layouts_and_prefixes_load(tmp_path: Path, key: str | None, prefix: str) -> None:
    state = {prefix + name: tensor for name, tensor in OFFICIAL.items()}
    torch.save({key: state, "epoch": 3, "optimizer": {"lr": 1.0}} if key else state, tmp_path / "official.pth")
    for load in (load_official, load_weights):
        network = Toy()
        load(network, tmp_path / "official.pth")
        check_loaded(network)


def test_wrapped_network_receives_official_weights() -> None:
    network = Toy()
    load_official_state(UpsampledInput(network), OFFICIAL)
    check_loaded(network)


def test_official_sert_state_loads_from_a_file(shared: Path, golden: ModuleType, tmp_path: Path) -> None:
    spec, _ = golden.load_case(shared / "golden" / "restoration", "sert")
    state = golden.official_state(spec)
    torch.save({"net": state, "optimizer": {}, "epoch": 100, "iteration": 5}, tmp_path / "sert.pth")
    network = SERT()
    load_official(network, tmp_path / "sert.pth")
    assert torch.equal(
        network.get_parameter("layers.2.blocks.5.attention.rectangles.1.position.weight"),
        state["layers.2.smsblock.5.attns.attns.1.get_v.weight"],
    )


def without(name: str) -> dict[str, Tensor]:
    """The official state without one entry."""
    return {key: tensor for key, tensor in OFFICIAL.items() if key != name}


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (without("body.1.b"), r"1 of its 4 entries are missing \(first: layers.1.bias\) and 0 are unknown"),
        (
            OFFICIAL | {"extra": torch.ones(1)},
            r"0 of its 4 entries are missing and 1 are unknown to it \(first: extra\)",
        ),
        (OFFICIAL | {"body.0.w": torch.ones(5, 2)}, r"layers.0.weight is \[5, 2\] there and \[3, 2\] here; build the"),
    ],
)
def test_official_loading_is_strict(state: dict[str, Tensor], sentence: str) -> None:
    network = Toy()
    before = weights_digest(network)
    with pytest.raises(CheckpointError, match=sentence):
        load_official_state(network, state)
    assert weights_digest(network) == before


class Harmful:
    """An object whose unpickling would run a function."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("this must not run",))


def test_pickled_code_is_refused_and_never_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "harmful.pth"
    torch.save({"state_dict": OFFICIAL, "extra": Harmful()}, path)
    with pytest.raises(
        CheckpointError, match=r"harmful.pth holds pickled code \(.*print\), which is never run; save only"
    ):
        read_weights(path)
    path.write_bytes(pickle.dumps(Harmful(), protocol=2))
    with pytest.raises(CheckpointError, match=r"holds pickled code \(.*print\)"):
        read_weights(path)
    torch.save(Toy(), path)
    with pytest.raises(CheckpointError, match=r"holds pickled code \(.*Toy\)"):
        read_weights(path)
    assert "must not run" not in capsys.readouterr().out


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.99])
def test_truncated_file(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "cut.ckpt"
    torch.save(SERT(dim=16, window_sizes=(8,), depths=(1,), num_heads=(2,), split_sizes=(1,)).state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(CheckpointError, match=r"cut.ckpt is truncated \(\d+ bytes\); copy or download it again."):
        read_weights(path)


def test_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "damaged.ckpt"
    torch.save(OFFICIAL, path)
    content = bytearray(path.read_bytes())
    content[40:400] = bytes(360)
    for damaged in (bytes(content), b"\x80\x02K"):
        path.write_bytes(damaged)
        with pytest.raises(
            CheckpointError, match=r"damaged\.ckpt is damaged or holds more than weights; copy it again"
        ):
            read_weights(path)


def test_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    for content in (b"these are notes, not weights", b"\x89PNG\r\n\x1a\n" + bytes(100)):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"notes\.txt is not a PyTorch checkpoint; give a \.ckpt"):
            read_weights(path)
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match="holds a list instead of named weights; save a state_dict"):
        read_weights(path)
    contents: list[dict[str, Any]] = [{"epoch": 3, "note": "x"}, {}, {"state_dict": {}}]
    for empty in contents:
        torch.save(empty, path)
        with pytest.raises(CheckpointError, match="holds no state dict"):
            read_weights(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.ckpt does not exist; give the path of an existing"):
        read_weights(tmp_path / "none.ckpt")


def test_digest_depends_on_names_types_shapes_and_values_only() -> None:
    state = {"b": torch.tensor(1.5), "a": torch.arange(6.0).view(2, 3)}
    digest = weights_digest(state)
    assert len(digest) == 64
    assert weights_digest(dict(reversed(state.items()))) == digest
    assert weights_digest({"b": torch.tensor(1.5), "a": torch.arange(6.0).view(3, 2).reshape(2, 3)}) == digest
    transposed = torch.arange(6.0).view(2, 3).T.contiguous().T
    assert weights_digest(state | {"a": transposed}) == digest
    others = [
        {"b": torch.tensor(1.5), "c": state["a"]},
        state | {"a": state["a"].view(3, 2)},
        state | {"b": torch.tensor(1.5, dtype=torch.float64)},
        state | {"b": torch.tensor(1.25)},
    ]
    assert digest not in [weights_digest(other) for other in others]
    network = Toy()
    assert weights_digest(network) == weights_digest(network.state_dict())


def source_data(folder: Path) -> Any:  # noqa: ANN401
    """Clean scenes, with a rule that their DataModule does not have."""
    data = tiny_data(folder, role="source", training=["amber"], validation=[], observed=None, unobserved=None)
    vars(data)["normalisation"] = "maximum"
    return data


def test_a_fit_records_wavelengths_and_normalisation_and_every_load_gives_them_back(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, [], max_steps=1)
    trainer.fit(tiny_module(tmp_path, source=False), datamodule=source_data(tmp_path))
    path = tmp_path / "fitted.ckpt"
    trainer.save_checkpoint(path)
    expected = {"wavelengths": list(WAVELENGTHS), "normalisation": "maximum"}
    assert torch.load(path, weights_only=True)["hyperalign"]["training_data"] == expected
    by_checkpoint, by_source = RestorationModule(MiniNetwork()), RestorationModule(MiniNetwork(), source=str(path))
    data = tiny_data(tmp_path)
    tiny_trainer(tmp_path, []).predict(by_checkpoint, datamodule=data, ckpt_path=str(path), weights_only=True)
    tiny_trainer(tmp_path, []).predict(by_source, datamodule=data)
    assert by_checkpoint.trained_on == by_source.trained_on == expected
    # Saved again without a fit, it still says what it was trained on.
    again = tiny_trainer(tmp_path, [])
    again.predict(by_source, datamodule=None, dataloaders=[])
    again.save_checkpoint(tmp_path / "again.ckpt")
    assert torch.load(tmp_path / "again.ckpt", weights_only=True)["hyperalign"]["training_data"] == expected


def test_older_checkpoints_and_other_data_say_nothing() -> None:
    assert recorded_training_data(None) == {}
    assert recorded_training_data({"network": "SERT", "source_digest": None}) == {}
    assert training_data(None) == {}
    assert training_data(SimpleNamespace(wavelengths=None, normalisation=None)) == {}


def test_reflectances_that_are_clipped_for_training_are_not_scaled() -> None:
    assert training_data(SimpleNamespace(normalisation="clip")) == {"normalisation": "none"}


@pytest.mark.parametrize(("scale", "rule"), [(None, "maximum"), (10000.0, "scale:10000")])
def test_chikusei_says_its_scale_as_a_rule(tmp_path: Path, scale: float | None, rule: str) -> None:
    data = Chikusei(str(tmp_path), scale=scale)
    assert data.normalisation == rule
    assert check_rule(rule) == rule
