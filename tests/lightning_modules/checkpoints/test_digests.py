"""A digest tells weights apart by what they are, and every changed bit of a checkpoint is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from lightning_modules import CheckpointError, weights_digest
from lightning_modules.checkpoints import read_checkpoint
from lightning_modules.checkpoints.digests import DIGESTS_KEY, check_digests, digests_of
from tests.callbacks.tiny import tiny_data, tiny_module, tiny_trainer
from tests.lightning_modules.checkpoints.toys import Toy


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


def fitted(folder: Path) -> Path:
    """The checkpoint of one step of training, with optimiser, schedule and callbacks."""
    trainer = tiny_trainer(folder, [], max_steps=1)
    data = tiny_data(folder, role="source", training=["amber"], validation=[], observed=None, unobserved=None)
    trainer.fit(tiny_module(folder, source=False), datamodule=data)
    trainer.save_checkpoint(folder / "fitted.ckpt")
    return folder / "fitted.ckpt"


def text_of(content: object) -> list[str]:
    """Everything a checkpoint holds, to be compared."""
    leaves, waiting = [], [("", content)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Tensor):
            leaves.append(f"{path} {value.dtype} {value.tolist()}")
        elif isinstance(value, dict):
            leaves.append(f"{path} mapping of {len(value)}")
            waiting += [(f"{path}.{key!r}", one) for key, one in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(f"{path}.{index}", one) for index, one in enumerate(value)]
        else:
            leaves.append(f"{path} {value!r}")
    return leaves


def test_no_changed_bit_reaches_a_network(tmp_path: Path) -> None:
    """250 files with one bit changed anywhere: each is refused by name, or holds exactly what was written."""
    path = fitted(tmp_path)
    whole, expected = path.read_bytes(), text_of(read_checkpoint(path))
    generator = torch.Generator().manual_seed(0)
    refused = 0
    for place in torch.randint(8 * len(whole), (250,), generator=generator).tolist():
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            found = text_of(read_checkpoint(path))
        except CheckpointError as error:
            assert "fitted.ckpt" in str(error)
            refused += 1
        else:
            assert found == expected, place
    # The rest fell on what a ZIP archive holds beside its content: dates, padding.
    assert refused > 100


def test_a_changed_tensor_or_field_is_named_though_the_archive_is_sound(tmp_path: Path) -> None:
    path = fitted(tmp_path)
    content = torch.load(path, weights_only=True)
    content["state_dict"]["network.convolution.bias"][3] += 1e-3
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"its tensor state_dict\.network\.convolution\.bias is not the one that"):
        read_checkpoint(path)
    content = torch.load(path, weights_only=True)
    content["state_dict"]["network.convolution.bias"][3] -= 1e-3
    content["optimizer_states"][0]["state"][0]["exp_avg"].zero_()
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="is damaged"):
        read_checkpoint(path)


def test_a_changed_number_beside_the_tensors_is_noticed(tmp_path: Path) -> None:
    path = fitted(tmp_path)
    content = torch.load(path, weights_only=True)
    content["optimizer_states"][0]["param_groups"][0]["lr"] *= 2
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="what it holds beside its tensors is not what was written"):
        read_checkpoint(path)
    content[DIGESTS_KEY] = ["odd"]
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="its digests cannot be read"):
        read_checkpoint(path)


def test_every_kind_of_tensor_has_a_digest() -> None:
    tensors = {
        "half": torch.arange(4.0).to(torch.bfloat16),
        "complex": torch.view_as_complex(torch.ones(3, 2)).conj(),
        "flags": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
        "number": torch.tensor(3),
        "turned": torch.arange(6).view(2, 3).T,
        "sparse": torch.eye(2).to_sparse(),
    }
    digests = digests_of(tensors)["tensors"]
    assert set(digests) == set(tensors) - {"sparse"}
    assert len(set(digests.values())) == len(digests)
    check_digests({**tensors, DIGESTS_KEY: digests_of(tensors)}, "here")


def test_older_checkpoints_carry_none_and_are_read(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2)}, tmp_path / "older.ckpt")
    assert set(read_checkpoint(tmp_path / "older.ckpt")) == {"weight"}
