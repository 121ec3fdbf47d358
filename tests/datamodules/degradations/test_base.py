"""What holds for every degradation: seeds, settings, refusal of bad cubes."""

import hashlib
import inspect
import json

import pytest
import torch

from datamodules.degradations import (
    BandMissing,
    BicubicDownsampling,
    ComplexMixture,
    Degradation,
    GaussianBlurring,
    NonIIDGaussian,
    RandomMask,
)

RANDOM: list[Degradation] = [
    NonIIDGaussian(),
    NonIIDGaussian((10, 70), "cube_uniform"),
    *(ComplexMixture(name) for name in ("disjoint_thirds", "independent_thirds", "random_one", "random_structured")),
    BandMissing(),
    RandomMask(),
    RandomMask(convention="pixel"),
]
DETERMINISTIC: list[Degradation] = [BicubicDownsampling(), BicubicDownsampling(2, "align_corners"), GaussianBlurring()]
EVERY = RANDOM + DETERMINISTIC


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_where_nothing_else_is_said_an_observation_lies_in_the_middle_of_its_block() -> None:
    class Larger(BandMissing):
        scale = 4

    assert (BandMissing().phase, Larger().phase) == (0.0, 1.5)


@pytest.fixture
def cube() -> torch.Tensor:
    return torch.rand(31, 32, 24, generator=seeded(5))


@pytest.mark.parametrize("degradation", EVERY, ids=repr)
def test_shape_dtype_input_untouched_and_same_seed_same_bits(degradation: Degradation, cube: torch.Tensor) -> None:
    before = cube.clone()
    first = degradation(cube, seeded(3))
    scale = degradation.scale
    assert first.shape == (31, 32 // scale, 24 // scale)
    assert first.dtype == torch.float32
    assert torch.equal(cube, before)
    # One state of the generator, one observation: whatever came before, and with any number of threads.
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.manual_seed(99)
    try:
        second = degradation(cube, seeded(3))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(first, second)


@pytest.mark.parametrize("degradation", RANDOM, ids=repr)
def test_other_seed_and_next_draw_differ(degradation: Degradation, cube: torch.Tensor) -> None:
    first = degradation(cube, seeded(3))
    assert not torch.equal(first, degradation(cube, seeded(4)))
    generator = seeded(3)
    degradation(cube, generator)
    assert not torch.equal(first, degradation(cube, generator))


@pytest.mark.parametrize("degradation", EVERY, ids=repr)
def test_draw_is_what_the_call_applies(degradation: Degradation, cube: torch.Tensor) -> None:
    drawn = degradation.draw(tuple(cube.shape), seeded(8))
    assert torch.equal(drawn.apply(cube), degradation(cube, seeded(8)))
    assert torch.equal(drawn.apply(cube), drawn.apply(cube))


@pytest.mark.parametrize("degradation", DETERMINISTIC, ids=repr)
def test_deterministic_tasks_leave_the_generator_alone(degradation: Degradation, cube: torch.Tensor) -> None:
    generator = seeded(1)
    state = generator.get_state()
    degradation(cube, generator)
    assert torch.equal(generator.get_state(), state)


@pytest.mark.parametrize("degradation", EVERY, ids=repr)
def test_settings_are_complete_and_json_able(degradation: Degradation, cube: torch.Tensor) -> None:
    settings = json.loads(json.dumps(degradation.settings()))
    assert settings.pop("class") == type(degradation).__name__
    assert set(settings) == set(inspect.signature(type(degradation)).parameters)
    again = type(degradation)(**settings)
    assert again.settings() == degradation.settings()
    assert torch.equal(again(cube, seeded(2)), degradation(cube, seeded(2)))


@pytest.mark.parametrize(
    ("degradation", "digest"),
    [
        (NonIIDGaussian(), "e92d92dbb2f99e5d"),
        (ComplexMixture(), "0343269ae24ea4eb"),
        (RandomMask(0.5), "d651fcfe141e3f68"),
        (BicubicDownsampling(), "8f4104e9f62f3fbf"),
    ],
    ids=["gaussian", "complex", "mask", "bicubic"],
)
def test_same_bits_on_every_machine(degradation: Degradation, digest: str) -> None:
    # The cube is exact in binary, so that every digit of the observation comes from the degradation.
    ramp = (torch.arange(9 * 16 * 20) * 37 % 256).reshape(9, 16, 20) / 256.0
    observation = degradation(ramp, seeded(2024)).contiguous()
    assert hashlib.sha256(observation.numpy().tobytes()).hexdigest()[:16] == digest


@pytest.mark.parametrize(
    ("cube", "sentence"),
    [
        (torch.zeros(2, 3, 16, 16), r"takes one C x H x W cube but got a tensor of shape \(2, 3, 16, 16\); degrade"),
        (torch.zeros(16, 16), r"takes one C x H x W cube but got a tensor of shape \(16, 16\)"),
        (torch.zeros(4, 16, 16, dtype=torch.uint8), r"takes a floating-point cube in \[0, 1\] but got torch.uint8"),
        (torch.zeros(4, 0, 16), r"got an empty cube of shape \(4, 0, 16\); give at least one pixel"),
        (torch.full((4, 16, 16), float("nan")), "NaN or infinite values; repair or leave out that scene"),
    ],
    ids=["batch", "plane", "bytes", "empty", "nan"],
)
def test_bad_cubes_are_refused(cube: torch.Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        GaussianBlurring()(cube, seeded(0))


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_one_non_finite_value_is_found(cube: torch.Tensor, value: float) -> None:
    cube[17, 20, 11] = value
    for degradation in EVERY:
        with pytest.raises(ValueError, match="NaN or infinite"):
            degradation(cube, seeded(0))


@pytest.mark.parametrize("shape", [(31, 16), (31, 0, 16), (1, 31, 16, 16)])
def test_bad_shapes_are_refused(shape: tuple[int, ...]) -> None:
    for degradation in EVERY:
        with pytest.raises(ValueError, match=r"drawn for a shape \(C, H, W\) of positive sizes but got"):
            degradation.draw(shape, seeded(0))
