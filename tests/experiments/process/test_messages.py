"""Messages of this project's packages: on stderr, once, warnings marked, from the first rank alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from experiments.process.messages import show_messages
from hyperalign.command.search_path import PACKAGES


@pytest.fixture(autouse=True)
def _loggers() -> Iterator[None]:
    """Loggers as they were before any message was shown, and afterwards as they were found."""
    kept = {name: (logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in PACKAGES}
    for name in PACKAGES:
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).setLevel(logging.NOTSET)
    yield
    for name, (handlers, level) in kept.items():
        logging.getLogger(name).handlers[:] = handlers
        logging.getLogger(name).setLevel(level)


def test_what_is_told_is_told_once_and_warnings_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        show_messages()
    logging.getLogger("callbacks.adaptation.stages").info("Proxies: %d are made", 4)
    logging.getLogger("datamodules").warning("the split leaks")
    logging.getLogger("hyperalign.files").debug("not for people")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["Proxies: 4 are made", "warning: the split leaks"]


def test_a_warning_of_another_package_is_shown_and_doubles_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    show_messages()
    logging.warning("no weights")  # what open_clip calls: without a handler at the root it makes one
    logging.getLogger("other").info("not asked for")
    logging.getLogger("callbacks").info("told once")
    assert len(logging.getLogger().handlers) == 1
    assert capsys.readouterr().err.splitlines() == ["warning: no weights", "told once"]


def test_messages_follow_stderr_to_where_it_goes(capsys: pytest.CaptureFixture[str]) -> None:
    show_messages()
    with capsys.disabled():
        pass
    logging.getLogger("experiments").error("over")
    assert capsys.readouterr().err == "error: over\n"


def test_a_level_that_somebody_set_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("callbacks").setLevel(logging.ERROR)
    show_messages()
    logging.getLogger("callbacks").warning("hidden")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("variable", ["LOCAL_RANK", "SLURM_PROCID"])
def test_other_ranks_are_silent(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, "1")
    show_messages()
    logging.getLogger("callbacks").info("told by the first rank")
    assert capsys.readouterr().err == ""
    monkeypatch.setenv(variable, "0")
    show_messages()
    logging.getLogger("callbacks").info("told by the first rank")
    assert capsys.readouterr().err == "told by the first rank\n"
