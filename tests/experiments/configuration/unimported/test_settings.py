"""Settings beside the sources: the first key that does not exist, values as their types read them, every default."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.configuration.unimported.commands import Command, command
from experiments.configuration.unimported.modules import UncertainError
from experiments.configuration.unimported.settings import Words, completed, findings, offered


@pytest.fixture(scope="module")
def fit() -> Command:
    return command("fit")


CAVE = {"class_path": "datamodules.CAVE", "init_args": {"root": "CAVE"}}
NETWORK = {"class_path": "lightning_modules.RestorationModule", "init_args": {"network": {"class_path": "SERT"}}}


@pytest.mark.parametrize(
    ("settings", "path", "advice"),
    [
        ({"trainr": {}}, "trainr", "'trainer'"),
        ({"trainer": {"max_epoch": 3}}, "trainer.max_epoch", "'trainer.max_epochs'"),
        ({"data": CAVE | {"init_args": {"rot": "x"}}}, "data.init_args.rot", "'data.root'"),
        ({"data": CAVE | {"init_arg": {}}}, "data.init_arg", "'data.init_args'"),
        (
            {
                "data": {
                    "class_path": "CAVE",
                    "init_args": {"degradation": {"class_path": "NonIIDGaussian", "init_args": {"sigma": 1}}},
                }
            },
            "data.init_args.degradation.init_args.sigma",
            "'data.degradation.sigmas'",
        ),
        ({"data": {"init_args": {"root": "x"}}}, "data", "add its class_path"),
    ],
)
def test_the_first_key_that_does_not_exist(fit: Command, settings: dict[str, object], path: str, advice: str) -> None:
    found = next(findings(fit, settings))
    assert found.path == path
    assert advice in found.advice


def test_valid_settings_have_no_finding_and_unknown_classes_are_left_to_the_parser(fit: Command) -> None:
    assert list(findings(fit, {"data": CAVE, "model": NETWORK, "trainer": {"max_epochs": 3}, "ckpt_path": None})) == []
    for name in ("NoSuchClass", "nowhere.Thing"):
        with pytest.raises(UncertainError):
            list(findings(fit, {"data": {"class_path": name}}))


def test_classes_are_offered_by_their_short_names() -> None:
    for name, place in (
        ("CAVE", "datamodules.cave.CAVE"),
        ("datamodules.CAVE", "datamodules.cave.CAVE"),
        ("ModelCheckpoint", "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint"),
        ("CSVLogger", "lightning.pytorch.loggers.csv_logs.CSVLogger"),
    ):
        found = offered(name)
        assert found is not None
        assert found.name == place
    with pytest.raises(UncertainError):
        offered("NoSuchClass")


def test_every_default_is_filled_in_and_options_are_read_by_their_types(fit: Command) -> None:
    settings: dict[str, object] = {
        "data": {
            "class_path": "CAVE",
            "init_args": {"root": Words("12"), "crop": Words("64"), "observed": Words("[a, b]")},
        },
        "model": NETWORK,
        "trainer": {"max_epochs": Words("3"), "gradient_clip_val": Words("1")},
        "seed_everything": Words("7"),
    }
    whole = completed(fit, settings)
    assert isinstance(whole["data"], dict)
    data = whole["data"]["init_args"]
    assert (whole["data"]["class_path"], data["root"], data["crop"], data["observed"]) == (
        "datamodules.CAVE",
        "12",
        64,
        ["a", "b"],
    )
    assert (data["split"], data["batch_size"] > 0, whole["seed_everything"]) == ("hsir", True, 7)
    assert isinstance(whole["trainer"], dict)
    assert (whole["trainer"]["max_epochs"], whole["trainer"]["gradient_clip_val"]) == (3, 1)
    assert (whole["trainer"]["default_root_dir"], whole["proxy"], whole["ckpt_path"]) == ("runs", None, None)


@pytest.mark.parametrize(
    "settings",
    [
        {"data": CAVE},
        {"data": CAVE, "model": NETWORK, "trainer": {"max_epochs": Words("many")}},
        {"data": CAVE | {"class_path": "RCTV"}, "model": NETWORK},
        {"data": {"class_path": "CAVE"}, "model": NETWORK},
        {"data": CAVE, "model": NETWORK, "output": "x"},
    ],
    ids=["no model", "no number", "no data set", "no root", "no output here"],
)
def test_what_the_parser_would_refuse_is_left_to_it(fit: Command, settings: dict[str, object]) -> None:
    with pytest.raises(UncertainError):
        completed(fit, settings)


def test_a_users_own_class_is_read_where_it_lies(fit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_unread.py").write_text(
        "from datamodules import SceneDataModule\n"
        "class Mine(SceneDataModule):\n"
        "    def __init__(self, folder: str, *, side: int = 3):\n"
        "        super().__init__()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = next(findings(fit, {"data": {"class_path": "own_unread.Mine", "init_args": {"foldr": "x"}}}))
    assert (found.path, "'data.folder'" in found.advice) == ("data.init_args.foldr", True)
    whole = completed(fit, {"data": {"class_path": "own_unread.Mine", "init_args": {"folder": "x"}}, "model": NETWORK})
    assert whole["data"] == {"class_path": "own_unread.Mine", "init_args": {"folder": "x", "side": 3}}
