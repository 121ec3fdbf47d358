"""BlurRobustCLIP: Eq. 7, a frozen target, embeddings that withstand blur, checkpoints and resumed fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.nn import functional

from lightning_modules import BlurRobustCLIP
from lightning_modules.clip.blur import blur_levels, gaussian_blur
from lightning_modules.clip.blur_robust import embedding_distance
from tests.lightning_modules.tiny_clip import (
    MEAN,
    SPREAD,
    MadePhotographs,
    gentle_recipe,
    made_images,
    scores_after,
    tiny_blur_robust,
    tiny_trainer,
)


def weights(module: BlurRobustCLIP) -> dict[str, Tensor]:
    assert module.encoder is not None
    return {name: value.clone() for name, value in module.encoder.state_dict().items()}


def test_the_loss_is_equation_7() -> None:
    blurred, clean = torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor([[4.0, 6.0], [0.0, 2.0]])
    assert float(embedding_distance(blurred, clean)) == pytest.approx((25.0 + 9.0) / 2)
    # At length 1 the second pair is opposite: distance 2, squared 4.
    cosine = 16 / (5**0.5 * 52**0.5)
    assert float(embedding_distance(blurred, clean, normalised=True)) == pytest.approx((2 * (1 - cosine) + 4.0) / 2)


def test_a_training_step_compares_the_blurred_with_the_frozen_clean_embedding(pipeline: Path) -> None:
    from transformers import CLIPVisionModelWithProjection

    module = tiny_blur_robust(pipeline, clean_share=0.2, seed=7)
    module.trainer = tiny_trainer(pipeline)
    module.configure_model()
    plain = CLIPVisionModelWithProjection.from_pretrained(pipeline / "image_encoder").eval()
    assert module.encoder is not None
    with torch.no_grad():
        # The student has moved already: the clean side must still be where it was.
        module.encoder.visual_projection.weight.mul_(1.5)  # type: ignore[union-attr, operator]
    images = made_images(6, 3)
    module.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    found = module.training_step({"image": images, "name": list("abcdef")}, batch_idx=4)
    sigma = blur_levels(images=6, sigma=(0.5, 3.0), clean_share=0.2, seed=7, epoch=0, batch=4)
    assert int((sigma > 0).sum()) > 0

    def embedded(pixels: Tensor) -> Tensor:
        with torch.no_grad():
            normalised = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(SPREAD).view(3, 1, 1)
            return plain(normalised).image_embeds  # type: ignore[no-any-return]

    expected = (1.5 * embedded(gaussian_blur(images, sigma)) - embedded(images)).square().sum(dim=1).mean()
    assert float(found.detach()) == pytest.approx(float(expected), rel=1e-4)


def test_the_clean_side_stays_frozen_while_the_encoder_learns(pipeline: Path) -> None:
    module = tiny_blur_robust(pipeline)
    module.configure_model()
    images, before = made_images(4, 5), weights(module)
    target = module.frozen(images)
    torch.testing.assert_close(target, module(images).detach())
    tiny_trainer(pipeline, max_epochs=2, limit_val_batches=0).fit(module, MadePhotographs())
    assert torch.equal(module.frozen(images), target)
    changed = [name for name, value in weights(module).items() if not torch.equal(value, before[name])]
    assert len(changed) == len(before)
    assert all(name.startswith("encoder.") for name in module.state_dict())


def test_the_last_layers_learn_alone(pipeline: Path) -> None:
    module = tiny_blur_robust(pipeline, trainable_layers=1, gradient_checkpointing=True)
    module.configure_model()
    before = weights(module)
    tiny_trainer(pipeline, max_epochs=1, limit_val_batches=0).fit(module, MadePhotographs())
    changed = {name for name, value in weights(module).items() if not torch.equal(value, before[name])}
    behind = ("encoder.layers.1.", "post_layernorm", "visual_projection")
    # A key's bias cancels in the softmax and has no gradient beyond rounding.
    allowed = {name for name in before if any(part in name for part in behind)}
    assert changed <= allowed
    assert {name for name in allowed if "k_proj.bias" not in name} <= changed


def test_gradient_checkpointing_changes_no_gradient(pipeline: Path) -> None:
    images, gradients = made_images(3, 6), []
    for switch in (False, True):
        module = tiny_blur_robust(pipeline, gradient_checkpointing=switch)
        module(images).square().sum().backward()
        gradients.append(torch.cat([one.grad.flatten() for one in module.parameters() if one.grad is not None]))
    assert len(gradients[0]) == sum(one.numel() for one in module.parameters())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_blurred_embeddings_come_near_the_clean_ones_of_held_out_images(pipeline: Path, precision: Any) -> None:  # noqa: ANN401
    data = MadePhotographs(32, made_images(256, 1))
    scores = scores_after(
        tiny_blur_robust(pipeline, **gentle_recipe(80)), pipeline, data, max_epochs=10, precision=precision
    )
    gap_before, gap_after = (1 - scores[f"cosine_sigma_3/{name}"] for name in ("before", "after"))
    assert gap_after < 0.8 * gap_before
    assert scores["cosine_clean"] > 0.97
    assert scores["pairwise_clean/after"] < scores["pairwise_clean/before"] + 0.15
    assert scores["cosine"] == pytest.approx((scores["cosine_sigma_1/after"] + scores["cosine_sigma_3/after"]) / 2)


def test_validation_scores_are_the_cosines_by_hand(pipeline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = tiny_blur_robust(pipeline)
    module.configure_model()
    assert module.encoder is not None
    with torch.no_grad():
        for parameter in module.encoder.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    (scores,) = tiny_trainer(pipeline).validate(module, MadePhotographs(), verbose=False)
    images = made_images(12, 2)
    blurred = gaussian_blur(images, torch.full((12,), 3.0))
    clean = module.frozen(images)
    with torch.no_grad():
        after, drifted = module(blurred), module(images)
    mean = {"after": after, "before": module.frozen(blurred)}
    for name, embeddings in mean.items():
        expected = functional.cosine_similarity(embeddings, clean, dim=1).mean()
        assert scores[f"val/cosine_sigma_3/{name}"] == pytest.approx(float(expected), abs=1e-5)
    expected = functional.cosine_similarity(drifted, clean, dim=1).mean()
    assert scores["val/cosine_clean"] == pytest.approx(float(expected), abs=1e-5)
    similar = functional.cosine_similarity(after[:, None], after[None], dim=2)
    assert scores["val/pairwise_sigma_3/after"] == pytest.approx(float((similar.sum() - 12) / 132), abs=1e-5)
    table = (pipeline / "result" / "blur_robustness.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in table[4:]] == ["0", "1", "3"]
    cells = [float(cell) for cell in table[6].split("|")[2:4]]
    assert cells == pytest.approx([scores[f"val/cosine_sigma_3/{name}"] for name in ("before", "after")], abs=1e-4)
    assert "cosine before" in capsys.readouterr().out


def test_a_resumed_fit_ends_where_an_unbroken_one_does(pipeline: Path, tmp_path: Path) -> None:
    def fit(root: Path, until: int, start: str | None = None) -> BlurRobustCLIP:
        module = tiny_blur_robust(
            pipeline,
            scheduler=lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5),
            output=str(root),
        )
        saving = ModelCheckpoint(root, filename="{step}", every_n_train_steps=3, save_top_k=-1)
        trainer = tiny_trainer(root, max_steps=until, enable_checkpointing=True, callbacks=[saving])
        trainer.fit(module, MadePhotographs(batch_size=4), ckpt_path=start, weights_only=True)
        return module

    whole = weights(fit(tmp_path / "whole", 9))
    fit(tmp_path / "part", 6)
    file = tmp_path / "part" / "step=6.ckpt"
    again = fit(tmp_path / "again", 9, str(file))
    assert all(torch.equal(value, whole[name]) for name, value in weights(again).items())
    content = torch.load(file, weights_only=True)
    assert all(name.startswith("encoder.") for name in content["state_dict"])
    assert len(content["state_dict"]) == len(whole)


def test_two_processes_do_what_one_does(pipeline: Path, tmp_path: Path) -> None:
    def fit(name: str, batch_size: int, **settings: Any) -> tuple[dict[str, Tensor], float]:  # noqa: ANN401
        slow = tiny_blur_robust(
            pipeline, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e-4), output=str(tmp_path / name)
        )
        trainer = tiny_trainer(tmp_path, max_epochs=2, **settings)
        trainer.fit(slow, MadePhotographs(batch_size))
        return weights(slow), float(trainer.callback_metrics["val/cosine"])

    one, score = fit("one", 8)
    two, same = fit("two", 4, strategy="ddp_fork", devices=2)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=1e-5)
    assert same == pytest.approx(score, abs=1e-5)
    start = tiny_blur_robust(pipeline)
    start.configure_model()
    assert max(float((value - one[name]).abs().max()) for name, value in weights(start).items()) > 1e-3
    assert (tmp_path / "two" / "image_encoder" / "model.safetensors").is_file()


def test_bad_input(pipeline: Path) -> None:
    for wrong in ({"sigma": (3.0, 1.0)}, {"sigma": (0.0, 0.0)}, {"sigma": (-1.0, 2.0)}, {"clean_share": 1.0}):
        with pytest.raises(ValueError, match="blurs nothing sensible; give 0 <= smallest <= largest"):
            tiny_blur_robust(pipeline, **wrong)
    for sigmas in ((), (0.0, 1.0), (2.0, 2.0)):
        with pytest.raises(ValueError, match="must be one or more different numbers above 0, in pixels"):
            tiny_blur_robust(pipeline, validation_sigmas=sigmas)
    with pytest.raises(ValueError, match="The encoder has 2 layers and not 3; set trainable_layers"):
        tiny_blur_robust(pipeline, trainable_layers=3).configure_model()
