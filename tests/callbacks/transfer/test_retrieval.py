"""Seed search: every engine against brute force."""

import pytest
import torch

from callbacks.transfer.descriptors import PatchDescriptors
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
    with pytest.raises(ModuleNotFoundError, match="engine 'inverted' needs faiss, which is not installed"):
        Retrieval(engine="inverted").index(images[0])


def test_recall_counts_ties_as_found() -> None:
    furthest = torch.tensor([1.0, 2.0])
    assert recall(torch.tensor([[0.5, 1.0], [2.0, 2.0]]), furthest) == 1.0
    assert recall(torch.tensor([[0.5, 1.1], [2.0, 9.0]]), furthest) == 0.5
