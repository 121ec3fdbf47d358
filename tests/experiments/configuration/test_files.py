"""Where a `--config` is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.configuration.files import ConfigNotFoundError, find_config, packaged_configs, resolve_configs


@pytest.fixture
def packaged(folder: Path) -> Path:
    """A stand-in for the packaged `experiments/` folder."""
    root = folder / "installed" / "experiments"
    (root / "data").mkdir(parents=True)
    (root / "data" / "cave.yaml").write_text("data: {}")
    (root / "data" / "kaist.yaml").write_text("data: {}")
    return root


@pytest.mark.parametrize("name", ["data/cave", "data/cave.yaml", "experiments/data/cave", "experiments/data/cave.yaml"])
def test_a_packaged_config_is_found_by_every_way_of_writing_it(packaged: Path, name: str) -> None:
    assert find_config(name, packaged).resolve() == packaged / "data" / "cave.yaml"


def test_the_working_directory_comes_first(packaged: Path, folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "cave.yaml").write_text("data: {}")
    assert find_config("data/cave", packaged).resolve() == folder / "data" / "cave.yaml"


def test_an_absolute_path_is_taken_as_it_is(packaged: Path, folder: Path) -> None:
    assert find_config(str(folder / "tiny"), packaged) == folder / "tiny.yaml"


def test_a_missing_config_is_answered_with_the_nearest_names(packaged: Path) -> None:
    sentence = (
        "There is no config 'data/kave', neither in the working directory nor in the packaged experiments: "
        "the nearest existing configs are data/cave, data/kaist."
    )
    with pytest.raises(ConfigNotFoundError) as caught:
        find_config("data/kave", packaged)
    assert str(caught.value) == sentence


def test_only_the_values_of_config_options_are_replaced(packaged: Path) -> None:
    given = ["fit", "--config", "data/cave", "--config=data/kaist", "-c", "data/cave", "--data.root", "data/cave"]
    cave, kaist = str(packaged / "data" / "cave.yaml"), str(packaged / "data" / "kaist.yaml")
    assert resolve_configs(given, packaged) == [
        "fit", "--config", cave, f"--config={kaist}", "-c", cave, "--data.root", "data/cave",
    ]  # fmt: skip


def test_every_packaged_config_can_be_found_by_its_listed_name() -> None:
    for name in packaged_configs():
        assert find_config(name).is_file()
