"""Commands that read a data set and their own section, and leave the other sections of a config alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from datamodules import CAVE, SampleScenes
from experiments.configuration.errors import ConfigError
from experiments.configuration.files import ConfigNotFoundError
from experiments.configuration.lightning_cli import SentenceParser
from experiments.configuration.sections import built, data_parser


@pytest.fixture
def parser() -> SentenceParser:
    made = data_parser("measure", "Measure.")
    made.add_argument("--workers", type=int, default=1)
    return made


def config(folder: Path, name: str = "mine", **sections: object) -> list[str]:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(sections))
    return ["--config", str(path)]


def test_the_data_set_is_built_and_other_sections_are_left_alone(tmp_path: Path, parser: SentenceParser) -> None:
    data = {"class_path": "SampleScenes", "init_args": {"seed": 3, "crop": 16}}
    words = config(tmp_path, data=data, model={"class_path": "NoSuchModule"}, trainer={"max_epochs": "x"})
    given = built(parser, "measure", [*words, "--data.seed", "4", "--workers", "2"])
    assert isinstance(given.data, SampleScenes)
    assert (given.data.seed, given.data.crop, given.workers) == (4, 16, 2)


def test_a_later_config_changes_an_earlier_one(tmp_path: Path, parser: SentenceParser) -> None:
    first = config(tmp_path, "first", data={"class_path": "CAVE", "init_args": {"root": "here", "seed": 1}})
    second = config(tmp_path, "second", data={"init_args": {"seed": 2}})
    given = built(parser, "measure", [*first, *second])
    assert isinstance(given.data, CAVE)
    assert (str(given.data.root), given.data.seed) == ("here", 2)


def test_mistakes_are_one_sentence(tmp_path: Path, parser: SentenceParser) -> None:
    with pytest.raises(ConfigNotFoundError, match="nosuch"):
        built(parser, "measure", ["--config", "nosuch"])
    with pytest.raises(ConfigError, match=r"no key 'data\.crup'.*the nearest valid key is 'data\.crop'"):
        built(parser, "measure", config(tmp_path, data={"class_path": "SampleScenes", "init_args": {"crup": 4}}))
    with pytest.raises(ConfigError, match=r"no class 'SampleScene' for 'data'.*the nearest valid class is 'SampleSce"):
        built(parser, "measure", config(tmp_path, data={"class_path": "SampleScene"}))
