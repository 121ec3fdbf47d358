"""Random generators that depend on what is drawn, never on who draws it or when."""

import hashlib

from torch import Generator

from hyperalign.errors import InputError, WrongTypeError


def generator_for(*keys: int | str) -> Generator:
    """Return the CPU generator that belongs to these keys, e.g. `generator_for(seed, "observation", name)`.

    The seed is taken from the SHA-256 of the keys with their types and lengths, so `("ab", "c")`, `("a", "bc")`,
    `(1,)` and `("1",)` are four different streams and the result does not depend on the process, the number of
    ranks or workers, Python's hash seed or draws made before. torch's CPU engine keeps 32 bits of a seed, so two
    of a million different keys may share a stream: harmless for noise, not meant for identity.

    Args:
        *keys: what the draw is for; integers and strings.

    Raises:
        ValueError: if no key is given.
        TypeError: if a key is neither an integer nor a string.
    """
    if not keys:
        raise InputError("generator_for needs at least one key: name what the random numbers are for.")
    digest = hashlib.sha256()
    for key in keys:
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise WrongTypeError(
                f"generator_for takes integers and strings as keys, not {type(key).__name__}: convert it."
            )
        text = str(key).encode()
        digest.update(f"{type(key).__name__}:{len(text)}:".encode() + text)
    return Generator("cpu").manual_seed(int.from_bytes(digest.digest()[:8], "big"))


def generator_of_step(purpose: str, seed: int, epoch: int, batch: int) -> Generator:
    """Return the CPU generator of one batch of training, for what is random inside a module.

    Args:
        purpose: what the numbers are for, so that two uses in a step do not share them.
        seed: seed of the run.
        epoch: the epoch.
        batch: number of the batch within the epoch.
    """
    digest = hashlib.sha256(f"{purpose} {seed} {epoch} {batch}".encode()).digest()
    return Generator("cpu").manual_seed(int.from_bytes(digest[:8], "big"))
