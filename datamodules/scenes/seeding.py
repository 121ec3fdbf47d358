"""Random generators that depend on what is drawn, never on who draws it or when."""

import hashlib

from torch import Generator


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
        raise ValueError("generator_for needs at least one key: name what the random numbers are for.")
    digest = hashlib.sha256()
    for key in keys:
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise TypeError(f"generator_for takes integers and strings as keys, not {type(key).__name__}: convert it.")
        text = str(key).encode()
        digest.update(f"{type(key).__name__}:{len(text)}:".encode() + text)
    return Generator("cpu").manual_seed(int.from_bytes(digest.digest()[:8], "big"))
