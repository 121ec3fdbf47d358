"""The candidate tables of the soft aggregation against indexing pixel by pixel."""

from __future__ import annotations

import pytest
import torch

from callbacks.transfer.aggregation import candidate_blocks, candidate_table, normalised_distances


def test_the_table_holds_colour_and_normalised_place_of_every_pixel() -> None:
    rgb = torch.rand(3, 2, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    table = candidate_table(rgb)
    assert table.shape == (5, 2 * 3 * 5)
    for image, y, x in ((0, 0, 0), (1, 2, 4), (0, 1, 3), (1, 0, 2)):
        entry = table[:, image * 15 + y * 5 + x]
        assert entry.tolist() == pytest.approx([*rgb[:, image, y, x].tolist(), y / 3, x / 5], abs=1e-15)


def test_distances_have_mean_one_in_each_image_and_do_not_depend_on_batch_mates() -> None:
    distances = torch.rand(4, 3, 6, 7, generator=torch.Generator().manual_seed(1)) * torch.tensor(
        [1.0, 50.0, 0.0]
    ).view(1, 3, 1, 1)
    found = normalised_distances(distances)
    torch.testing.assert_close(found.mean((0, 2, 3)), torch.tensor([1.0, 1.0, 0.0]))
    for index in range(3):
        assert torch.equal(found[:, index], normalised_distances(distances[:, index : index + 1])[:, 0])


def test_distances_as_small_as_epsilon_are_halved() -> None:
    tiny = torch.full((2, 1, 3, 3), 1e-8, dtype=torch.float64)
    torch.testing.assert_close(normalised_distances(tiny), torch.full_like(tiny, 0.5))


@pytest.mark.parametrize(("rows", "starts"), [(2, [0, 2, 4]), (5, [0]), (9, [0])])
def test_blocks_gather_each_images_own_candidates(rows: int, starts: list[int]) -> None:
    generator = torch.Generator().manual_seed(2)
    rgb = torch.rand(3, 2, 5, 4, generator=generator)
    candidates = torch.randint(0, 20, (6, 2, 5, 4), generator=generator, dtype=torch.int32)
    distances = torch.rand(6, 2, 5, 4, generator=generator)
    blocks = candidate_blocks(rgb, candidates, distances, rows)
    assert [block.start for block in blocks] == starts
    assert [block.rows for block in blocks] == [min(rows, 5 - start) for start in starts]
    values = torch.cat([block.values for block in blocks], dim=3)
    assert torch.equal(torch.cat([block.distances for block in blocks], dim=2), distances)
    for k, image, y, x in ((0, 0, 0, 0), (5, 1, 4, 3), (3, 1, 2, 1), (2, 0, 3, 2)):
        row, column = divmod(int(candidates[k, image, y, x]), 4)
        expected = [*rgb[:, image, row, column].tolist(), row / 5, column / 4]
        assert values[:, k, image, y, x].tolist() == pytest.approx(expected, abs=1e-6)
