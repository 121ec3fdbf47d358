"""Seed search: every engine against brute force."""

import dataclasses
import logging

import pytest
import torch
from torch import Tensor

from callbacks.transfer.descriptors import PatchDescriptors
from callbacks.transfer.inverted_search import Ranking
from callbacks.transfer.retrieval import Retrieval, recall
from tests.callbacks.transfer.samples import brute_force


@pytest.mark.parametrize("engine", ["exact", "torch"])
def test_exact_engines_find_the_nearest(images: tuple[PatchDescriptors, PatchDescriptors], engine: str) -> None:
    proxy, guide = images
    found = Retrieval(engine=engine).index(proxy).search(guide, 16)  # type: ignore[arg-type]
    truth = brute_force(proxy, guide, 16)
    same = (found.sort(1).values == truth.sort(1).values).double().mean()
    assert same > 0.999
    assert found.shape == (64 * 60, 16)


def test_inverted_lists_reach_the_recall_they_report(images: tuple[PatchDescriptors, PatchDescriptors]) -> None:
    proxy, guide = images
    index = Retrieval(engine="inverted").index(proxy)
    found = index.search(guide, 16)
    truth = brute_force(proxy, guide, 16)
    hits = (found[:, :, None] == truth[:, None, :]).any(2).double().mean()
    assert index.recall >= 0.98
    assert hits > 0.97
    assert torch.equal(found, Retrieval(engine="inverted").index(proxy).search(guide, 16)), "deterministic"


def test_a_recall_out_of_reach_is_sought_on_every_rung(
    images: tuple[PatchDescriptors, PatchDescriptors], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[tuple[int, int, int]] = []

    class Watched:
        lists = 128

        def __init__(self, proxy: PatchDescriptors, components: int, ranking: Ranking | None) -> None:
            self.proxy, self.components, self.ranking = proxy, components, ranking

        def search(self, queries: Tensor, count: int, probes: int, shortlist: int) -> Tensor:
            tried.append((self.components, probes, shortlist))
            return torch.zeros(len(queries), count, dtype=torch.int64)

    monkeypatch.setattr("callbacks.transfer.retrieval.InvertedSearch", Watched)
    proxy, guide = images
    with caplog.at_level(logging.INFO):
        Retrieval(engine="inverted").index(proxy).search(guide, 16)
    rungs = [(48, 8, 32), (48, 12, 48), (96, 12, 48), (96, 24, 64), (192, 32, 64), (192, 64, 128)]
    assert tried[:6] == rungs
    assert tried[6:] == rungs[-1:]
    assert "192 components, 64 of 128 lists, shortlist 128, recall@16 " in caplog.text
    assert " on 549 guide pixels" in caplog.text, "every seventh of 3840 from the fourth on"
    monkeypatch.undo()
    whole = PatchDescriptors(torch.rand(3, 5, 4, generator=torch.Generator().manual_seed(0)), patch_size=1)
    index = Retrieval(engine="inverted", recall=2.0).index(whole)
    assert index.search(whole, 99).shape == (20, 20)


def test_settings_are_those_that_were_chosen(images: tuple[PatchDescriptors, PatchDescriptors]) -> None:
    assert dataclasses.astuple(Retrieval()) == ("auto", 8192, 0.98, 512)
    assert Retrieval(engine="torch").index(images[0]).recall == 1.0


def test_engine_follows_the_size(images: tuple[PatchDescriptors, PatchDescriptors]) -> None:
    proxy, _ = images
    assert Retrieval(exact_limit=proxy.count).index(proxy).engine == "exact"
    assert Retrieval(exact_limit=proxy.count - 1).index(proxy).engine == "inverted"


def test_without_faiss_torch_takes_over_or_a_sentence_says_why(
    images: tuple[PatchDescriptors, PatchDescriptors], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("callbacks.transfer.retrieval.find_spec", lambda name: None)
    assert Retrieval(exact_limit=10).index(images[0]).engine == "torch"
    assert "faiss is not installed: searching 3840 pixels exactly with torch is slow" in caplog.text
    caplog.clear()
    assert Retrieval(exact_limit=3840).index(images[0]).engine == "torch"
    assert not caplog.text
    with pytest.raises(ModuleNotFoundError, match="engine 'inverted' needs faiss, which is not installed"):
        Retrieval(engine="inverted").index(images[0])


def test_recall_counts_ties_as_found() -> None:
    furthest = torch.tensor([1.0, 2.0])
    assert recall(torch.tensor([[0.5, 1.0], [2.0, 2.0]]), furthest) == 1.0
    assert recall(torch.tensor([[0.5, 1.1], [2.0, 9.0]]), furthest) == 0.5
    assert recall(torch.zeros(1, 2), torch.zeros(1)) == 1.0
