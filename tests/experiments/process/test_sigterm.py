"""SIGTERM ends a block as an exception does, with status 143, and only where nobody else looks after it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from experiments.process.sigterm import TERMINATED, ends_on_sigterm


@pytest.fixture(autouse=True)
def _default() -> Iterator[None]:
    """SIGTERM as a process is given it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def test_the_block_is_left_with_what_it_holds_put_away() -> None:
    done = []
    with pytest.raises(SystemExit) as stopped, ends_on_sigterm():
        try:
            signal.raise_signal(signal.SIGTERM)
            done.append("went on")
        finally:
            done.append("put away")
    assert (stopped.value.code, TERMINATED) == (143, 143)
    assert done == ["put away"]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_the_signal_is_the_systems_again_afterwards() -> None:
    with ends_on_sigterm():
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with pytest.raises(ValueError, match="of the block"), ends_on_sigterm():
        raise ValueError("of the block")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_whoever_looks_after_it_already_goes_on_doing_so() -> None:
    seen: list[int] = []

    def own(number: int, frame: object) -> None:
        seen.append(number)

    signal.signal(signal.SIGTERM, own)
    with ends_on_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert seen == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == own


def test_other_threads_cannot_and_need_not_set_it() -> None:
    entered = []

    def work() -> None:
        with ends_on_sigterm():
            entered.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [signal.SIG_DFL]
