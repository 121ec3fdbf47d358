"""A device that does not exist, on which a CPU computes: finds tensors left on the CPU without any GPU.

Inside `pretended()` the device `meta` holds values: what is moved there or made there is wrapped, whatever is computed
from it stays wrapped, and an operation that meets a wrapped tensor and a plain one of the CPU fails as it would on a
GPU, as does a CPU generator that is to draw there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
"""Autograd works through its backward passes in Python's own thread, as through those of the CPU."""

MOVING = {"aten::_to_copy", "aten::copy_"}
INDEXING = {"aten::index.Tensor", "aten::index_put_", "aten::index_put", "aten::_index_put_impl_"}
"""A GPU's tensor may be indexed by a CPU's."""


class Elsewhere(Tensor):
    """A tensor that says it lies on the pretended device.

    Attributes:
        held: its values.
    """

    held: Tensor

    @staticmethod
    def __new__(cls: type[Elsewhere], held: Tensor) -> Elsewhere:
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
            requires_grad=held.requires_grad,
        )
        made.held = held
        return made

    def tolist(self) -> Any:  # noqa: ANN401 - Tensor's own
        return self.held.tolist()

    def numpy(self, *, force: bool = False) -> Any:  # noqa: ANN401 - as above
        raise TypeError("a tensor of the pretended device cannot become an array: move it by .cpu() first")

    def __array__(self, *given: Any) -> Any:  # noqa: ANN401 - as above
        return self.numpy()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override] # torch's own stub has no defaults
        cls,
        func: Any,  # noqa: ANN401 - torch's own signature
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - as above
        return _computed(func, args, dict(kwargs or {}))


class _Factories(TorchDispatchMode):
    """Makes what is asked for on the pretended device."""

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - torch's own signature
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - as above
        given = dict(kwargs or {})
        if _there(given) or any(isinstance(leaf, Elsewhere) for leaf in tree_leaves((args, given))):
            return _computed(func, args, given)
        return func(*args, **given)


def wrapped(value: Any) -> Any:  # noqa: ANN401 - a leaf of anything
    """Put a tensor on the pretended device."""
    return Elsewhere(value) if isinstance(value, Tensor) and not isinstance(value, Elsewhere) else value


def _held(value: Any) -> Any:  # noqa: ANN401 - a leaf of anything
    return value.held if isinstance(value, Elsewhere) else value


def _there(kwargs: Mapping[str, Any]) -> bool:
    device = kwargs.get("device")
    return device is not None and torch.device(device).type == DEVICE.type


def _computed(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - as in dispatch
    name = func.name()
    _check(name, args, kwargs)
    leaves = tree_leaves((args, kwargs))
    stays = _there(kwargs) if kwargs.get("device") is not None else any(isinstance(one, Elsewhere) for one in leaves)
    if kwargs.get("device") is not None:
        kwargs["device"] = torch.device("cpu")
    answer = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    if "out" in kwargs:
        return kwargs["out"]
    if func._schema.is_mutable and args and isinstance(answer, Tensor) and answer is _held(args[0]):
        return args[0]
    return tree_map(wrapped, answer) if stays else answer


def _check(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    ours = [one for one in tensors if isinstance(one, Elsewhere)]
    plain = [one for one in tensors if not isinstance(one, Elsewhere) and one.ndim > 0]
    if ours and plain and name not in MOVING and not (name in INDEXING and isinstance(args[0], Elsewhere)):
        shapes = ", ".join(f"{tuple(one.shape)} on {one.device.type}" for one in tensors)
        raise RuntimeError(f"{name} meets tensors of two devices: {shapes}")
    if kwargs.get("generator") is not None and (_there(kwargs) or ours):
        raise RuntimeError(f"{name} draws on a device by a generator of the CPU")


@contextmanager
def pretended() -> Iterator[torch.device]:
    """Lend the device; autocast and `torch.tensor` are told of it."""
    autocast, tensor = torch.autocast, torch.tensor

    class Autocast(autocast):  # type: ignore[misc, valid-type] # the class that is replaced
        def __init__(self, device_type: str, *given: Any, **more: Any) -> None:  # noqa: ANN401 - its own
            super().__init__("cpu" if device_type == DEVICE.type else device_type, *given, **more)

    def made(data: Any, *, device: Any = None, **more: Any) -> Tensor:  # noqa: ANN401 - torch.tensor's own
        plain = tensor(data, **more)
        return wrapped(plain) if _there({"device": device}) else plain

    with pytest.MonkeyPatch.context() as patch, _Factories():  # type: ignore[no-untyped-call]
        patch.setattr(torch, "autocast", Autocast)
        patch.setattr(torch, "tensor", made)
        yield DEVICE


def moved(module: nn.Module) -> nn.Module:
    """Put a module's parameters and buffers on the pretended device."""
    for one in module.modules():
        for name, parameter in one._parameters.items():
            if parameter is not None:
                one._parameters[name] = nn.Parameter(wrapped(parameter.data), requires_grad=parameter.requires_grad)
        one._buffers |= {name: wrapped(buffer) for name, buffer in one._buffers.items()}
    return module


def computed_there(work: Callable[[torch.device], Tensor]) -> Tensor:
    """Run some work on the pretended device and return its result on the CPU; fails where it left the device."""
    with pretended() as device:
        answer = work(device)
        assert isinstance(answer, Elsewhere), "the result was left on the CPU"
        return answer.detach().cpu()
