"""Invariance of planted units whose curves are known, round ones and edges; the numbers by plain loops."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from audit.analyses.invariance import TILES, curves
from audit.analyses.summaries import groups, invariances
from audit.analyses.transformations import TRANSFORMATIONS, Shown, moved, scaled, turned
from audit.config import DataSection, LayerSection, ModelSection
from audit.data.images import open_images
from audit.events import Silence
from audit.model.load import Model
from audit.model.outline import outline
from audit.records import Pictures, TopK
from audit.stream.strongest import Strongest
from audit.stream.sweep import sweep
from tests.analyses import planted
from tests.analyses.planted import CONJUNCTION, pictured

ROUND, UPRIGHT, BRIGHT, ALWAYS, SILENT = range(5)
SIDE = 32


class Known(nn.Module):
    """A bright spot, an upright edge, brightness, nearly a constant, and a unit that never fires."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(1, 5, 7, bias=True, padding_mode="replicate", padding=3)
        self.relu = nn.ReLU()
        y, x = np.mgrid[-3:4, -3:4]
        spot = np.exp(-(x**2 + y**2) / 5) - 0.3 * np.exp(-(x**2 + y**2) / 15)
        edge = np.sign(x) * np.exp(-(x**2 + y**2) / 8)
        with torch.no_grad():
            self.maps.weight.zero_()
            self.maps.bias.zero_()
            self.maps.weight[ROUND, 0] = torch.from_numpy(spot - spot.mean()).float()
            self.maps.weight[UPRIGHT, 0] = torch.from_numpy(edge).float()
            self.maps.weight[BRIGHT, 0, 3, 3] = 1
            self.maps.weight[ALWAYS, 0, 3, 3] = 1e-4  # what is exactly the same of all pictures has no strongest
            self.maps.bias[ALWAYS], self.maps.bias[SILENT] = 1, -1

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.relu(self.maps(images)).mean(dim=(2, 3))


def drawn() -> np.ndarray:
    """A spot, an edge, a dark plane and noise, in 8-bit gray; the object is in the middle of a plane."""
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    disk = np.clip(8 - np.hypot(y, x), 0, 1)
    spot = 0.2 + 0.7 * np.exp(-(x**2 + y**2) / 8)
    edge = 0.3 + 0.4 * disk * (x > 0)
    plane = np.full((SIDE, SIDE), 0.5)
    noise = 0.3 + 0.02 * np.random.default_rng(0).standard_normal((SIDE, SIDE))
    pictures = np.clip(np.stack([spot, edge, plane, noise, noise.T]), 0, 1)
    return (255 * pictures + 0.5).astype(np.uint8)[..., None]


def measured(folder: Path, units=(ROUND, UPRIGHT, BRIGHT, ALWAYS, SILENT), images: int = 1, seed: int = 0) -> Pictures:
    network = Known().eval().requires_grad_(False)
    section = ModelSection(name="known", factory="known.py:net", input=(1, SIDE, SIDE))
    numbers = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    made = Model(section, network, outline(network, (1, SIDE, SIDE)), (), "", torch.device("cpu"), *numbers)
    np.save(folder / "pictures.npy", drawn())
    code = "from pathlib import Path\nimport numpy as np\n\ndef made():\n"
    (folder / "made.py").write_text(f"{code}    return list(np.load(Path(__file__).with_name('pictures.npy')))\n")
    shown = open_images(DataSection(factory="made.py:made"), folder)
    (strongest,) = sweep(made, shown, {"relu": [Strongest()]}, 5, Silence())["relu"]
    assert isinstance(strongest, TopK)
    layer = LayerSection(name=("relu",), images=images)
    given = planted.Task(made, made.outline.layer("relu"), units, layer, {}, seed, Silence(), shown, strongest)
    return pictured("invariance", given)


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Pictures:
    return measured(tmp_path_factory.mktemp("known"))


def curve(record: Pictures, unit: int, name: str, number: str = "relative") -> np.ndarray:
    return record.numbers[number][record.units.index(unit), dict(groups(record))[name]]


def test_a_round_unit_minds_no_rotation_and_an_edge_does(known: Pictures) -> None:
    assert curve(known, ROUND, "rotation").min() > 0.92
    edge = dict(
        zip(curve(known, UPRIGHT, "rotation", "amount").tolist(), curve(known, UPRIGHT, "rotation"), strict=True)
    )
    assert edge[0] == 1
    assert edge[45] < 0.9
    assert edge[90] < 0.9
    assert edge[-22.5] == pytest.approx(edge[22.5], abs=0.05)


def test_of_a_linear_unit_the_activation_that_is_left_is_the_brightness(known: Pictures) -> None:
    amounts, relative = (curve(known, UPRIGHT, "brightness", number) for number in ("amount", "relative"))
    below_white = amounts <= 1.4  # the picture's largest value is 0.7
    assert relative[below_white] == pytest.approx(amounts[below_white], rel=1e-5)
    assert relative[-1] < amounts[-1] - 0.05


def test_a_unit_is_followed_where_its_object_moves(known: Pictures) -> None:
    assert curve(known, ROUND, "shift") == pytest.approx(1, abs=1e-5)
    assert curve(known, ROUND, "scale")[0] < 0.9 < curve(known, ROUND, "scale")[4]


def test_what_never_changes_is_not_taken_for_invariant(known: Pictures) -> None:
    for name, _ in groups(known):
        assert curve(known, ALWAYS, name) == pytest.approx(1, abs=1e-3)
        assert curve(known, ALWAYS, name, "others") == pytest.approx(1, abs=1e-3)
    assert curve(known, ROUND, "rotation", "others").max() < 0.7


def test_a_unit_that_never_fires_has_no_curve(known: Pictures) -> None:
    row = known.units.index(SILENT)
    for number in ("relative", "low", "high", "others"):
        assert np.isnan(known.numbers[number][row]).all()
    assert (known.numbers["pictures"][row] == 0).all()
    assert (known.tiles[row] == 128).all()
    assert set(known.captions[row]) == {"nothing to show: it never fires"}


def test_the_curves_are_those_of_loops(tmp_path) -> None:
    given = planted.task(planted.model(), "conv2", (CONJUNCTION,), tmp_path, images=3)
    made, network = pictured("invariance", given), given.model.network

    def strongest(picture: torch.Tensor) -> float:
        seen = network.relu1(network.conv1(picture[None] - 0.5))
        return max(0.0, float(network.conv2(network.pool(seen))[0, CONJUNCTION].max()))

    def by_hand(index: int, middle: tuple[float, float]) -> list[float]:
        pixels = torch.from_numpy(planted.shown(given, index).transpose(2, 0, 1).copy()).float() / 255
        noise = np.random.default_rng([0, index]).standard_normal((3, 24, 20), dtype=np.float32)
        shown = Shown(pixels, middle, torch.from_numpy(noise))
        return [
            strongest(pixels if amount == one.neutral else one.change(shown, amount))
            for one in TRANSFORMATIONS
            for amount in one.amounts
        ]

    rows, before = [], []
    for rank in range(3):
        index = int(given.strongest.image[CONJUNCTION, rank])
        y, x = int(given.strongest.y[CONJUNCTION, rank]), int(given.strongest.x[CONJUNCTION, rank])
        top, left, bottom, right = given.layer.field.box(y, x)
        values = by_hand(index, (min(max((top + bottom - 1) / 2, 0), 23), min(max((left + right - 1) / 2, 0), 19)))
        before.append(values[4])  # the scale 1
        rows.append([value / values[4] for value in values])
    others = [by_hand(index * 12 // 8, (11.5, 9.5)) for index in range(8)]
    columns = list(zip(*rows, strict=True))
    expected = {
        "relative": [sum(column) / 3 for column in columns],
        "low": [min(column) for column in columns],
        "high": [max(column) for column in columns],
        "others": [sum(column) / 8 / (sum(before) / 3) for column in zip(*others, strict=True)],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(made.numbers[name][0], values, rtol=1e-4, atol=1e-5)
    assert (made.numbers["pictures"] == 3).all()
    assert "scale 0.5: " in made.captions[0][0]


def test_pictures_on_which_a_unit_is_not_above_zero_say_nothing_of_it() -> None:
    values = np.ones((3, TILES))
    values[0, 0], values[1], values[2] = 0.5, -1, np.nan
    numbers = curves(values, np.full(TILES, 0.25))
    assert numbers["pictures"].tolist() == [1.0] * TILES
    assert numbers["relative"][:2].tolist() == [0.5, 1.0]
    assert numbers["others"].tolist() == [0.25] * TILES
    assert np.isnan(curves(values[1:], np.full(TILES, 0.25))["relative"]).all()


def test_a_picture_is_turned_scaled_and_moved_as_it_says() -> None:
    pixels = torch.rand(3, 9, 9, generator=torch.Generator().manual_seed(1))
    shown = Shown(pixels, (4.0, 4.0), torch.zeros_like(pixels))
    for quarter in (1, 2, 3):
        expected = np.rot90(pixels.numpy(), quarter, axes=(1, 2))
        np.testing.assert_allclose(turned(shown, 90.0 * quarter).numpy(), expected, atol=1e-5)
    twice = scaled(shown, 2.0)
    for y in range(9):
        for x in range(9):
            a, b = 4 + (y - 4) / 2, 4 + (x - 4) / 2
            top, left = math.floor(a), math.floor(b)
            corners = [
                (1 - abs(a - i)) * (1 - abs(b - j)) * pixels[0, i, j]
                for i in (top, math.ceil(a))
                if abs(a - i) < 1
                for j in (left, math.ceil(b))
                if abs(b - j) < 1
            ]
            weights = [(1 - abs(a - i)) * (1 - abs(b - j)) for i in (top, math.ceil(a)) for j in (left, math.ceil(b))]
            assert float(twice[0, y, x]) == pytest.approx(float(sum(corners)) / sum(weights), abs=1e-5)
    half = scaled(shown, 0.5)
    assert torch.allclose(half[:, 0], pixels.mean(dim=(1, 2))[:, None].expand(3, 9), atol=1e-6)
    assert float(half.var()) < float(pixels.var())
    right = moved(shown, 0.3)
    assert torch.equal(right[:, :, 3:], pixels[:, :, :6])
    assert torch.allclose(right[:, :, :3], pixels.mean(dim=(1, 2), keepdim=True).expand(3, 9, 3))
    assert torch.equal(moved(shown, -0.3)[:, :, :6], pixels[:, :, 3:])


def test_every_transformation_has_the_picture_itself_and_stays_within_black_and_white() -> None:
    pixels = torch.rand(1, 8, 12, generator=torch.Generator().manual_seed(2))
    shown = Shown(pixels, (2.0, 7.0), torch.randn(1, 8, 12, generator=torch.Generator().manual_seed(3)))
    for one in TRANSFORMATIONS:
        assert len(one.amounts) == len(TRANSFORMATIONS[0].amounts)
        changed = one.of(shown)
        assert torch.equal(changed[one.amounts.index(one.neutral)], pixels)
        assert float(changed.min()) >= -1e-6
        assert float(changed.max()) <= 1 + 1e-6
        assert len({tuple(row.flatten().tolist()) for row in changed}) > len(one.amounts) - 2


def test_the_same_seed_gives_the_same_numbers_and_they_are_a_table(known: Pictures, tmp_path) -> None:
    again, other = measured(tmp_path), measured(tmp_path, seed=1)
    for name, values in known.numbers.items():
        np.testing.assert_array_equal(again.numbers[name], values)
    assert (curve(other, ROUND, "noise") != curve(known, ROUND, "noise")).any()
    assert (curve(other, ROUND, "scale") == curve(known, ROUND, "scale")).all()
    (table,) = invariances([known])
    assert table.rows == 5 * TILES
    here = (table.columns["unit"] == UPRIGHT) & (table.columns["transformation"] == "rotation")
    np.testing.assert_array_equal(table.columns["relative"][here], curve(known, UPRIGHT, "rotation"))
    assert set(table.columns["layer"].tolist()) == {"relu"}
    assert invariances([]) == []
