"""Correspondence: planted layers find all or nothing, matches are those of plain loops, warps go where they say."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.transform import SimilarityTransform, warp
from torch import Tensor, nn

from audit.analyses.correspondence import METHODS, Matches, matched
from audit.analyses.matching import centres, features, nearest, pixels
from audit.analyses.pairs import drawn
from audit.analyses.pck import correspondences
from audit.analyses.warps import Warp, inside
from audit.config import CorrespondenceSection
from audit.errors import Unavailable
from audit.model.outline import outline
from audit.records import Layer, Pictures
from tests.analyses.planted import CONSTANT, model, pictured, task

SIZE = (24, 20)
FEW = {"correspondence": CorrespondenceSection(pictures=4)}


def layer_of(network: nn.Module, name: str, size: tuple[int, int] = SIZE) -> Layer:
    return outline(network.eval(), (3, *size)).layer(name)


def reading(network: nn.Module):
    return lambda picture: network(picture[None])[0].detach()


def texture(size: tuple[int, int] = SIZE, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random((3, *size))).float()


def test_an_identity_finds_everything_that_a_translation_moved() -> None:
    network = nn.Sequential(nn.Conv2d(3, 27, 3, stride=2, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.eye(27).reshape(27, 3, 3, 3))
    moved = Warp(SIZE, shift=(4.0, -2.0))
    found = matched(
        layer_of(network, "0"), texture(), moved, reading(network), within={"a": 0.1}, random=np.random.default_rng(0)
    )
    numbers = found.numbers()
    assert numbers["features_a"] == 1
    assert numbers["pixels_a"] == 1
    assert numbers["identity"] == 1
    assert numbers["still_a"] == 0
    assert numbers["moved"] == pytest.approx(np.hypot(4, 2))
    assert numbers["keypoints"] == 9 * 8  # of 11 x 9, two rows and one column leave


def test_features_of_noise_find_what_chance_finds() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1))
    random = torch.Generator().manual_seed(0)
    found = matched(
        layer_of(network, "0", (40, 40)),
        texture((40, 40)),
        Warp((40, 40), angle=0.4, shift=(5.0, 3.0)),
        lambda picture: torch.randn(8, 40, 40, generator=random),
        within={"a": 8.0},
        random=np.random.default_rng(0),
    ).numbers()
    assert 0.05 < found["chance_a"] < 0.13
    assert found["features_a"] == pytest.approx(found["chance_a"], abs=0.05)


def test_matches_and_numbers_are_those_of_plain_loops() -> None:
    given = model()
    layer, network = given.outline.layer("relu1"), given.network
    turned = Warp(SIZE, 0.3, 1.2, (1.5, -2.0))
    picture = texture()

    def read(shown: Tensor) -> Tensor:
        return torch.relu(network.conv1(shown[None] - 0.5))[0].detach()

    found = matched(layer, picture, turned, read, within={"0.1": 2.4, "stride": 1.0}, random=np.random.default_rng(0))
    one, two = read(picture).numpy(), read(turned.picture(picture)).numpy()
    places = [(y, x) for y in range(SIZE[0]) for x in range(SIZE[1])]
    right, chance = {2.4: 0, 1.0: 0}, {2.4: 0, 1.0: 0}
    cosine, sine = np.cos(0.3), np.sin(0.3)
    for origin, truth, answer in zip(found.origin, found.truth, found.found["features"], strict=True):
        y, x = origin - np.array([11.5, 9.5])
        expected = 1.2 * np.array([cosine * y - sine * x, sine * y + cosine * x]) + [13.0, 7.5]
        assert truth == pytest.approx(expected)
        own = one[:, int(origin[0]), int(origin[1])]
        alike = [two[:, a, b] @ own / max(np.linalg.norm(two[:, a, b]) * np.linalg.norm(own), 1e-12) for a, b in places]
        chosen = two[:, int(answer[0]), int(answer[1])]
        reached = chosen @ own / max(np.linalg.norm(chosen) * np.linalg.norm(own), 1e-12)
        assert reached == pytest.approx(max(alike), abs=1e-5)
        for near in right:
            right[near] += bool(np.hypot(*(answer - truth)) <= near)
            chance[near] += sum(np.hypot(a - truth[0], b - truth[1]) <= near for a, b in places) / len(places)
    numbers = found.numbers()
    for name, near in (("0.1", 2.4), ("stride", 1.0)):
        assert numbers[f"features_{name}"] == pytest.approx(right[near] / len(found.truth))
        assert numbers[f"chance_{name}"] == pytest.approx(chance[near] / len(found.truth))


def test_a_warped_picture_is_scikit_images() -> None:
    picture = texture((30, 26))
    turned = Warp((30, 26), 0.2, 0.9, (2.0, 1.0))
    corner = turned.points(np.zeros((1, 2)))[0]
    # theirs is of (x, y), and turns the other way round
    there = SimilarityTransform(scale=0.9, rotation=-0.2, translation=corner[::-1])
    assert there(np.array([[7.0, 3.0]]))[0, ::-1] == pytest.approx(turned.points(np.array([[3.0, 7.0]]))[0])
    expected = warp(picture.permute(1, 2, 0).numpy(), there.inverse, order=1, mode="constant", cval=np.nan)
    known = np.isfinite(expected).all(axis=2)
    made = turned.picture(picture).permute(1, 2, 0).numpy()
    assert known.mean() > 0.6
    np.testing.assert_allclose(made[known], expected[known], atol=1e-4)


def test_a_warp_moves_by_half_of_its_limits_at_least_and_is_the_same_for_the_same_seed() -> None:
    options = CorrespondenceSection()
    for seed in range(50):
        one, other = (Warp.drawn((100, 60), options, np.random.default_rng(seed)) for _ in range(2))
        assert one == other
        assert np.deg2rad(15) <= abs(one.angle) <= np.deg2rad(30)
        assert np.log(1.4) / 2 <= abs(np.log(one.scale)) <= np.log(1.4) + 1e-12
        assert 7.5 <= abs(one.shift[0]) <= 15
        assert 4.5 <= abs(one.shift[1]) <= 9


@pytest.mark.parametrize("kernel", [5, 40])
def test_patches_are_those_of_the_receptive_fields(kernel: int) -> None:
    picture, layer = texture((44, 44)), layer_of(nn.Sequential(nn.Conv2d(3, 2, kernel, 3, kernel // 2)), "0", (44, 44))
    there = np.flatnonzero(inside(centres(layer), (44, 44)))
    found = pixels(picture, layer, there).numpy()
    step = 2 if kernel > 32 else 1
    smooth = picture.numpy()
    if step == 2:  # the mean of four neighbours, of those that there are
        padded = np.pad(smooth, ((0, 0), (1, 0), (1, 0)), constant_values=np.nan)
        smooth = np.nanmean([padded[:, a : a + 44, b : b + 44] for a in (0, 1) for b in (0, 1)], axis=0)
    for row, place in zip(found, there, strict=True):
        top, left, bottom, right = layer.field.box(*np.unravel_index(place, layer.map_size))
        inner = np.full((3, bottom - top, right - left), np.nan)
        rows, columns = slice(max(top, 0), min(bottom, 44)), slice(max(left, 0), min(right, 44))
        inner[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = smooth[
            :, rows, columns
        ]
        inner = inner[:, ::step, ::step]
        expected = np.nan_to_num(inner - np.nanmean(inner, axis=(1, 2), keepdims=True))
        np.testing.assert_allclose(row, expected.ravel(), atol=1e-5)


def test_of_equally_near_places_the_first_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.analyses.matching.AT_ONCE", 1)
    own = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    assert nearest(own, torch.tensor([[0.0, 1.0], [3.0, 0.0], [5.0, 0.0]])).tolist() == [1, 0, 0]


def test_features_are_those_of_their_places() -> None:
    maps = torch.arange(24.0).reshape(2, 3, 4)
    assert features(maps, np.array([5, 11])).tolist() == [[5.0, 17.0], [11.0, 23.0]]


def test_an_audit_s_pictures_are_matched_and_become_a_table(tmp_path: Path) -> None:
    given = task(model(), "relu1", (0,), tmp_path, **FEW)
    made, again = pictured("correspondence", given), pictured("correspondence", given)
    assert (made.tiles == again.tiles).all()
    assert made.tiles.shape == (1, 4, 9 * 24, 2 * 9 * 20 + 4, 3)
    (table,) = correspondences([made])
    rows = {
        (method, within): pck
        for method, within, pck in zip(*(table.columns[name] for name in ("method", "within", "pck")), strict=True)
    }
    assert set(rows) == {(method, near) for method in METHODS for near in ("0.05", "0.1", "stride")} | {
        ("identity", "")
    }
    assert rows["features", "0.1"] == pytest.approx(made.numbers["features_0.1"].mean())
    assert (table.columns["low"] <= table.columns["pck"]).all()
    assert (table.columns["pck"] <= table.columns["high"]).all()
    assert (table.columns["pictures"] == 4).all()
    assert correspondences([]) == []


def test_what_is_the_same_everywhere_corresponds_with_nothing(tmp_path: Path) -> None:
    network = model()
    network.network.conv2.weight.zero_()
    network.network.conv2.bias[CONSTANT] = 1.0
    made = pictured("correspondence", task(network, "conv2", (0,), tmp_path, **FEW))
    assert made.numbers["identity"].max() < 0.05
    assert made.numbers["features_stride"].max() < 0.1


@pytest.mark.parametrize(("name", "reason"), [("scores", "no positions"), ("conv", "sees the whole input")])
def test_layers_without_places_are_unavailable(tmp_path: Path, name: str, reason: str) -> None:
    given = task(model(), "scores", (0,), tmp_path, **FEW)
    whole = Layer("conv", "Conv2d", (4, 3, 3), 0, False, None, None)
    object.__setattr__(given, "layer", whole if name == "conv" else given.layer)
    with pytest.raises(Unavailable, match=reason):
        pictured("correspondence", given)


def test_lines_are_green_where_right_and_red_where_wrong() -> None:
    shown = np.zeros((2, 200, 220, 3), np.uint8)
    made = drawn(
        shown, np.array([[20.0, 30.0], [150.0, 40.0]]), np.array([[20.0, 50.0], [150.0, 60.0]]), np.array([True, False])
    )
    assert made.shape == (200, 444, 3)
    right, wrong = made[20, 100], made[150, 100]
    assert right[1] > 2 * right[0]
    assert wrong[0] > 2 * wrong[1]


def test_matches_of_one_keypoint_are_counted() -> None:
    one = np.array([[1.0, 1.0]])
    matches = Matches(
        one, one + 3, np.array([[1.0, 1.0], [4.0, 4.0]]), {"features": one + 3}, {"a": 1.0}, np.array([True])
    )
    assert matches.numbers() == {
        "chance_a": 0.5,
        "features_a": 1.0,
        "identity": 1.0,
        "moved": pytest.approx(np.sqrt(18)),
        "keypoints": 1.0,
    }


def test_an_interval_needs_three_pictures(tmp_path: Path) -> None:
    few = {"correspondence": CorrespondenceSection(pictures=2)}
    made = pictured("correspondence", task(model(), "relu1", (0,), tmp_path, **few))
    assert isinstance(made, Pictures)
    (table,) = correspondences([made])
    assert np.isnan(table.columns["low"]).all()
