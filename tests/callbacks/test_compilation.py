"""A compiled network: the same results, the same checkpoints, and sentences where there is nothing to compile with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from torch._inductor import config
from torch._inductor.cpp_builder import cpp_compiler_search

import callbacks.compilation
from callbacks import CompiledNetwork
from hyperalign.compilation import compiler
from lightning_modules.checkpoints import read_checkpoint
from tests.callbacks.tiny import MiniNetwork, tiny_data, tiny_module, tiny_trainer, weights_of


def fitted(folder: Path, *more: CompiledNetwork) -> tuple[torch.Tensor, Path]:
    """Train for an epoch; return the weights and the checkpoint."""
    module = tiny_module(folder)
    saved = ModelCheckpoint(folder / "saved", save_last=True)
    trainer = tiny_trainer(folder, [saved, *more], enable_checkpointing=True, max_epochs=1)
    trainer.fit(
        module,
        tiny_data(folder, role="source", observed=None, unobserved=None, training=["amber"], validation=["birch"]),
    )
    assert (module.network._compiled_call_impl is not None) == bool(more)
    return weights_of(module), folder / "saved" / "last.ckpt"


def test_training_and_checkpoints_are_those_of_the_plain_network(tmp_path: Path) -> None:
    plain, written = fitted(tmp_path / "plain")
    compiled, also_written = fitted(tmp_path / "compiled", CompiledNetwork(backend="aot_eager"))
    torch.testing.assert_close(compiled, plain, rtol=0, atol=1e-5)
    one, other = read_checkpoint(written), read_checkpoint(also_written)
    assert list(one["state_dict"]) == list(other["state_dict"])
    assert set(one) == set(other)
    MiniNetwork().load_state_dict({name.removeprefix("network."): one for name, one in other["state_dict"].items()})


@pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler on this machine")
def test_what_the_cpus_code_restores_is_equal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch._inductor.config.compile_threads", 1)
    module = tiny_module(tmp_path)
    cube = torch.rand(1, 8, 20, 20, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = module.network(cube)
        CompiledNetwork().setup(tiny_trainer(tmp_path, []), module, "predict")
        found = module.network(cube)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_a_second_command_does_not_compile_again(tmp_path: Path) -> None:
    callback, module = CompiledNetwork(backend="eager"), tiny_module(tmp_path)
    callback.setup(tiny_trainer(tmp_path, []), module, "fit")
    once = module.network._compiled_call_impl
    callback.setup(tiny_trainer(tmp_path, []), module, "test")
    assert module.network._compiled_call_impl is once


def test_what_cannot_be_compiled_has_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="LightningModule has no network to compile; leave the callback away"):
        CompiledNetwork().setup(tiny_trainer(tmp_path, []), LightningModule(), "test")
    with pytest.raises(ValueError, match=r"torch knows no backend 'nonsense'; take one of .*inductor"):
        CompiledNetwork(backend="nonsense").setup(tiny_trainer(tmp_path, []), tiny_module(tmp_path), "test")
    monkeypatch.setattr(callbacks.compilation, "compiler", lambda: None)
    with pytest.raises(ModuleNotFoundError, match=r"CompiledNetwork: torch.compile needs a C\+\+ compiler on a CPU"):
        CompiledNetwork().setup(tiny_trainer(tmp_path, []), tiny_module(tmp_path), "test")


@pytest.mark.skipif(compiler() is None, reason="there is no C++ compiler on this machine")
@pytest.mark.parametrize("named", ["nosuchcompiler", "false"])
def test_a_wrong_name_of_a_compiler_leaves_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("CXX", named)
    with config.patch({"cpp.cxx": (None, named)}):
        CompiledNetwork().setup(tiny_trainer(tmp_path, []), tiny_module(tmp_path), "predict")
        found = cpp_compiler_search(config.cpp.cxx)
    assert Path(found).name in ("g++", "clang++")
