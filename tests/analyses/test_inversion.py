"""Inversion: what a layer knows comes back, what it has lost does not; every number against its definition."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit import events
from audit.analyses.inversion import inversions, psnr, rank, shown, ssim
from audit.analyses.task import Task
from audit.ascent.inversion import BRIGHT, DIFFERENCE, Penalties, alpha_norm, invert, misfit, total_variation
from audit.ascent.regularizers.total_variation import slope
from audit.config import DataSection, InversionSection, LayerSection, ModelSection
from audit.data.images import open_images
from audit.errors import Unavailable
from audit.model.load import Model
from audit.model.outline import outline
from tests.analyses.planted import pictured

SHAPE = (3, 12, 14)


class Knows(nn.Module):
    """An orthogonal map of the pixels, which loses nothing; four numbers of their means; nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.all = nn.Conv2d(3, 12, 2, stride=2, bias=False)
        self.few = nn.Linear(12, 4)
        self.nothing = nn.Linear(4, 2)
        whole, _ = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(0)))
        with torch.no_grad():
            self.all.weight.copy_(whole.view(12, 3, 2, 2))
            self.nothing.weight.zero_()
            self.nothing.bias.zero_()

    def forward(self, images: Tensor) -> Tensor:
        maps = torch.relu(self.all(images))
        return self.nothing(self.few(maps.mean(dim=(2, 3))))


def planted(folder: Path, **options: int | float) -> tuple[Model, Task]:
    """A task for the network above and six smooth pictures."""
    torch.manual_seed(0)
    network = Knows().eval().requires_grad_(False)
    section = ModelSection(name="knows", factory="knows.py:network", input=SHAPE, mean=0.5, std=0.25)
    mean, std = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)
    model = Model(section, network, outline(network, SHAPE), (), "", torch.device("cpu"), mean, std)
    y, x = np.mgrid[:12, :14] / 12
    waves = [np.stack([np.sin(k * x + c) * np.cos(k * y - c) for c in range(3)], axis=2) for k in range(1, 7)]
    np.save(folder / "pictures.npy", (127 + 90 * np.stack(waves)).astype(np.uint8))
    code = "from pathlib import Path\nimport numpy as np\n\ndef made():\n"
    (folder / "made.py").write_text(f"{code}    return list(np.load(Path(__file__).with_name('pictures.npy')))\n")
    images = open_images(DataSection(factory="made.py:made"), folder)
    layers = LayerSection(name=("*",), inversion=InversionSection(**{"pictures": 2, "steps": 150, **options}))
    return model, Task(model, model.outline.layers[0], (), layers, {}, 0, events.Silence(), images)


def of_layer(given: Task, name: str) -> Task:
    return Task(given.model, given.model.outline.layer(name), (), given.section, {}, 0, events.Silence(), given.images)


def test_the_objective_is_that_of_plain_loops() -> None:
    random = np.random.default_rng(1)
    images, mean = random.random((2, 3, 4, 5)), random.random((3, 1, 1))
    codes, targets = random.normal(size=(2, 7)), random.normal(size=(2, 7))
    for picture in range(2):
        varied, bright = 0.0, 0.0
        for channel, y, x in product(range(3), range(4), range(5)):
            here = images[picture, channel, y, x]
            right = images[picture, channel, y, x + 1] - here if x < 4 else 0
            below = images[picture, channel, y + 1, x] - here if y < 3 else 0
            varied += (right**2 + below**2) * (255 / DIFFERENCE) ** 2 / 60
            bright += abs((here - mean[channel, 0, 0]) * 255 / BRIGHT) ** 6 / 60
        far = sum((a - b) ** 2 for a, b in zip(codes[picture], targets[picture], strict=True))
        size = sum(b**2 for b in targets[picture])
        shown = torch.from_numpy(images)
        assert float(total_variation(shown)[picture]) == pytest.approx(varied)
        assert float(alpha_norm(shown, torch.from_numpy(mean))[picture]) == pytest.approx(bright)
        assert float(misfit(torch.from_numpy(codes), torch.from_numpy(targets))[picture]) == pytest.approx(far / size)


def test_the_total_variation_is_what_the_regularizer_goes_down() -> None:
    images = torch.rand(2, 3, 6, 5, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(total_variation(images).sum(), images)
    expected = slope(images.detach(), 2.0) * (255 / DIFFERENCE) ** 2 / 90
    torch.testing.assert_close(gradient, expected)


def test_penalties_fall_evenly_to_what_was_asked_for() -> None:
    penalties = Penalties(1.0, 1.0, 5)
    factors = [penalties.at(step) for step in range(5)]
    assert factors[-1] == 1
    assert np.allclose(np.diff(np.log(factors)), np.log(factors[1] / factors[0]))
    assert Penalties(1.0, 1.0, 1).at(0) > 1


def test_an_invertible_layer_gives_the_picture_back_and_a_narrow_one_does_not(tmp_path) -> None:
    _, given = planted(tmp_path, variation=1e-4, alpha_norm=0.0, steps=400)
    every, few = (pictured("inversion", of_layer(given, name)) for name in ("all", "few"))
    assert (every.numbers["psnr"][:, 1] > 33).all()
    assert (every.numbers["ssim"][:, 1] > 0.95).all()
    assert (every.numbers["rank"][:, 1] == 1).all()
    assert (few.numbers["psnr"][:, 1] < every.numbers["psnr"][:, 1] - 10).all()
    for found in (every, few):  # both have the code that was asked for: the picture is another matter
        assert (found.numbers["error"][:, 1] < 5e-3 * found.numbers["start_error"][:, 1]).all()
    assert every.tiles.shape == (2, 2, 12, 14, 3)
    for row, index in enumerate((0, 3)):
        assert (every.tiles[row, 0] == np.asarray(given.images.picture(index))).all()
        mean = np.square(every.tiles[row, 1] / 255 - every.tiles[row, 0] / 255).mean()
        assert 10 ** (-every.numbers["psnr"][row, 1] / 20) == pytest.approx(np.sqrt(mean), abs=2e-3)  # of 8 bits
        gray = np.square(every.tiles[row, 0] / 255 - 0.5).mean()
        assert every.numbers["psnr_unknown"][row, 1] == pytest.approx(-10 * np.log10(gray), rel=1e-4)
        assert every.captions[row] == (
            given.images.name(index),
            f"{every.numbers['psnr'][row, 1]:.3g} dB · SSIM {every.numbers['ssim'][row, 1]:.2f}",
        )


def test_the_code_of_a_rectifier_is_what_it_hands_on(tmp_path) -> None:
    model, given = planted(tmp_path)
    rectifier = model.outline.layer("relu")
    pixels, _ = shown(given, 2)
    found = invert(model.network, rectifier, pixels, mean=model.mean, std=model.std, penalties=Penalties(0.0, 0.0, 60))
    codes = [torch.relu(model.network.all((images - 0.5) / 0.25)).flatten(1) for images in (found.images, pixels)]
    torch.testing.assert_close(found.misfit, misfit(*codes))
    assert (found.misfit < 0.5 * found.start).all()


def test_the_same_seed_finds_the_same_pictures_and_neighbours_do_not_matter(tmp_path) -> None:
    model, given = planted(tmp_path)
    pixels, layer = shown(given, 2)[0], model.outline.layer("all")

    def found(pixels: Tensor, seed: int) -> Tensor:
        penalties = Penalties(0.003, 0.003, 20)
        return invert(
            model.network, layer, pixels, mean=model.mean, std=model.std, penalties=penalties, seed=seed
        ).images

    assert torch.equal(found(pixels, 3), found(pixels, 3))
    assert not torch.equal(found(pixels, 3), found(pixels, 4))
    torch.testing.assert_close(found(pixels, 3)[1:], found(pixels[1:], 3), rtol=0, atol=1e-4)


def test_a_code_that_says_nothing_is_unavailable(tmp_path) -> None:
    model, given = planted(tmp_path)
    with pytest.raises(Unavailable, match="nothing answers a picture with zeros alone"):
        pictured("inversion", of_layer(given, "nothing"))
    with torch.no_grad():
        model.network.few.bias[0] = float("nan")
    with pytest.raises(Unavailable, match="not finite"):
        pictured("inversion", of_layer(given, "few"))


def test_psnr_ssim_and_rank_are_what_they_are_called() -> None:
    random = np.random.default_rng(2)
    picture, noise = random.random((3, 9, 8)).astype(np.float32), random.normal(0, 0.1, (3, 9, 8))
    assert psnr(picture, picture) == float("inf")
    assert psnr(picture, picture + 0.1) == pytest.approx(20, rel=1e-4)
    assert ssim(picture, picture) == pytest.approx(1)
    assert ssim(picture, (picture + noise).astype(np.float32)) < 0.98
    assert np.isnan(ssim(picture[:, :6], picture[:, :6]))
    near, dark = (picture + noise / 10).astype(np.float32), picture / 4  # as like as can be, only darker
    others = np.stack([random.random((3, 9, 8)).astype(np.float32), np.full_like(picture, 0.5), near])
    assert rank(picture, dark, others) == 1
    assert rank(near, picture, np.concatenate([others, picture[None]])) == 2


def test_the_table_has_a_row_per_layer_by_depth(tmp_path) -> None:
    model, given = planted(tmp_path, steps=5, pictures=3)
    records = [pictured("inversion", of_layer(given, name)) for name in ("few", "all")]
    (table,) = inversions(model.outline, records)
    assert table.columns["layer"].tolist() == ["all", "few"]
    assert table.columns["numbers"].tolist() == [12 * 6 * 7, 4]
    assert table.columns["pixels"].tolist() == [3 * 12 * 14] * 2
    assert table.columns["others"].tolist() == [5, 5]
    values = records[1].numbers["psnr"][:, 1]
    assert table.columns["psnr"][0] == np.median(values)
    assert (table.columns["low"][0], table.columns["high"][0]) == (values.min(), values.max())
    assert table.columns["told"][0] == sum(records[1].numbers["rank"][:, 1] == 1)
    assert inversions(model.outline, []) == []
