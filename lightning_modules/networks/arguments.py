"""With which arguments a network was built, so that a checkpoint can say how to build it again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from torch import nn

__all__ = ["arguments_of", "remember", "remembers_arguments"]

N = TypeVar("N", bound=type[nn.Module])

_KEY = "_built_with"


def remembers_arguments(kind: N) -> N:
    """Have the instances of a network class know the arguments they were built with: a class decorator.

    All networks of `lightning_modules.networks` have it. Subclasses with a constructor of their own need it again.
    """
    build: Callable[..., None] = kind.__init__

    @functools.wraps(build)
    def remembering(self: nn.Module, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - those of the class
        build(self, *args, **kwargs)
        # A subclass that calls this constructor has other arguments of its own.
        if type(self).__init__ is remembering:
            remember(self, args, kwargs)

    setattr(kind, "__init__", remembering)  # noqa: B010 - a class's own constructor, which a plain assignment may not type
    return kind


def remember(network: object, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> None:
    """Note the arguments a network was just built with, unless they are known; defaults are filled in."""
    if _KEY in vars(network):
        return
    kind = type(network)
    bound = inspect.signature(kind.__init__).bind(network, *args, **(kwargs or {}))
    bound.apply_defaults()
    given: dict[str, Any] = {}
    for (name, value), parameter in zip(
        list(bound.arguments.items())[1:], list(bound.signature.parameters.values())[1:], strict=True
    ):
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            given.update(value)
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            if value:
                return
        else:
            given[name] = value
    # Beside the module's own dictionaries, so that a network among the arguments is not registered twice.
    vars(network)[_KEY] = given


def arguments_of(network: nn.Module) -> dict[str, Any] | None:
    """Return the arguments a network was built with, by name; None where they are not known.

    Where nobody noted them they are known only if every one of them is kept as an attribute of its own name.
    """
    noted: dict[str, Any] | None = vars(network).get(_KEY)
    if noted is not None:
        return noted
    parameters = list(inspect.signature(type(network).__init__).parameters.values())[1:]
    if type(network).__init__ is nn.Module.__init__:
        return {}
    named = [one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    missing = object()
    found = {name: getattr(network, name, missing) for name in named}
    if len(named) < len(parameters) or missing in found.values():
        return None
    return found
