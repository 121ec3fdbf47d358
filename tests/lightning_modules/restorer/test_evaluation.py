"""What every module that restores does with a batch, without a Trainer: checks, sizes, sources, names of sets."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from lightning_modules.metrics import MetricProtocol
from lightning_modules.restorer import FILE_TILE, Restorer, evaluation
from lightning_modules.restorer.evaluation import EvaluationModule, RestoredScenes


class Scaled(EvaluationModule):
    """Multiplies by a number; its source by another."""

    def __init__(self, factor: float, source: float | None = None, **settings: Any) -> None:  # noqa: ANN401
        super().__init__(**settings)
        self.factor, self.source = factor, source
        self.asked = 0

    @property
    def name(self) -> str:
        return "Scaled"

    @property
    def has_source(self) -> bool:
        return self.source is not None

    def identity(self) -> dict[str, Any]:
        return {"factor": self.factor}

    def restore(self, batch: Mapping[str, Any], tile: int | None = None) -> Tensor:
        restored: Tensor = self.factor * batch["observation"]
        return restored

    def source_restorer(self) -> Restorer | None:
        self.asked += 1
        assert self.source is not None
        return Scaled(self.source)


def batch(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    observation = torch.rand(2, 3, 12, 13, generator=torch.Generator().manual_seed(0)) * 0.4 + 0.1
    return {"observation": observation, "target": 2 * observation, "name": ["one", "two"], **changes}


def test_a_set_is_called_as_the_data_call_it_or_by_its_number() -> None:
    assert evaluation.test_set_name(SimpleNamespace(test_set_names=["observed", "unobserved"]), 1) == "unobserved"
    assert evaluation.test_set_name(object(), 1) == "set 1"
    assert evaluation.test_set_name(None, 0) == "set 0"


def test_scenes_with_values_that_are_not_finite_are_named() -> None:
    spoilt = batch()
    spoilt["observation"][1, 0, 3, 3] = float("inf")
    with pytest.raises(ValueError, match="The observation of two holds NaN or infinite values; repair or leave out"):
        Scaled(2.0).restored_scenes(spoilt)
    spoilt["observation"][0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="The observation of one, two holds"):
        Scaled(2.0).predict_step(spoilt, 0)


def test_another_size_than_the_targets_is_refused_and_none_without_a_target() -> None:
    module, given = Scaled(2.0), batch()
    assert torch.equal(module.restored_scenes(given), given["target"])
    with pytest.raises(
        ValueError, match=r"Scaled restored \[2, 3, 12, 13\] where the target is \[2, 3, 24, 26\]; for su"
    ):
        module.restored_scenes(batch(target=torch.zeros(2, 3, 24, 26)))
    without = {key: value for key, value in given.items() if key != "target"}
    assert torch.equal(module.predict_step(without, 0), given["target"])


def test_validation_means_are_over_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    module, given, logged = Scaled(2.1), batch(), dict[str, float]()
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: float(value)}))
    module.on_validation_epoch_start()
    module.validation_step(given, 0)
    module.on_validation_epoch_end()
    scenes = [module.protocol.evaluate(1.05 * one, one) for one in given["target"]]
    assert set(logged) == {f"val/{name}" for name in scenes[0]}
    for name, value in logged.items():
        expected = sum(scene[name.removeprefix("val/")] for scene in scenes) / 2
        assert value == pytest.approx(expected, rel=1e-5, abs=1e-5), name


@pytest.mark.parametrize(("given", "task", "used"), [(None, 4, 4), (None, None, 1), (8.0, 4, 8)])
def test_the_ratio_of_ergas_is_that_of_the_data_where_the_protocol_leaves_it_to_them(
    given: float | None, task: int | None, used: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = SimpleNamespace(degradation=SimpleNamespace(scale=task)) if task else SimpleNamespace()
    monkeypatch.setattr(Scaled, "trainer", None)
    monkeypatch.setattr(evaluation, "datamodule_of", lambda _: data)
    module = Scaled(2.0, protocol=MetricProtocol(clip=True, ergas_ratio=given))
    module.on_validation_epoch_start()
    assert (module.protocol.clip, module.protocol.ergas_ratio) == ("restored", used)
    assert f"ERGAS ratio {used}," in module.protocol.describe()


def test_the_source_restores_and_scores_a_batch_once_and_is_given_back() -> None:
    module, given = Scaled(2.0, source=2.2), batch()
    found = module._restored_by_source(given)
    assert isinstance(found, RestoredScenes)
    torch.testing.assert_close(found.restored, 2.2 * given["observation"])
    assert found.scores == [module.protocol.evaluate(2.2 * one, 2 * one) for one in given["observation"]]
    module._restored_by_source(given)
    assert module.asked == 1
    without = {key: value for key, value in given.items() if key != "target"}
    assert module._restored_by_source(without).scores == [{}, {}]
    module.on_test_end()
    module._restored_by_source(given)
    assert module.asked == 2


def test_what_is_asked_of_a_restorer_has_its_defaults() -> None:
    module = Scaled(1.0, tile=32)
    assert (module.needs, module.file_tile, module.tile) == (("observation",), FILE_TILE, 32)
    assert isinstance(module, Restorer)
    assert module.trained_on == {}
    with pytest.raises(ValueError, match="tile"):
        Scaled(1.0, tile=8)
