"""t-SNE of planted codes: clusters stay together, each picture has one place, and the places are the best there are."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch

from audit import events
from audit.analyses.embedding import assigned, bounded, plane
from audit.analyses.task import Task
from audit.analyses.tsne import LEFT_OVER, Tsne
from audit.config import DataSection, LayerSection, TsneSection
from audit.data.images import open_images
from audit.errors import Unavailable
from audit.records import Pictures, Table
from audit.stream.codes import Codes, open_codes
from audit.trials.outputs import spread
from tests.analyses.planted import model
from tests.stream.feeding import fed

CLUSTERS = ("red", "green", "blue")
SHAPE = (3, 24, 20)


def clustered(count: int, units: int = 12, seed: int = 0) -> np.ndarray:
    """Rectified codes in three clusters far from each other, in turn."""
    rng = np.random.default_rng(seed)
    centres = 20 * np.eye(3, units)
    return np.maximum(centres[np.arange(count) % 3] + rng.normal(size=(count, units)), 0).astype(np.float32)


def made(codes: np.ndarray, folder: Path, labels: bool = True, layer: str = "conv1", **options: object) -> Task:
    """A task of as many pictures as codes: the n-th has the colour of its cluster, and a pixel of the brightness n."""
    count = len(codes)
    pixels = np.zeros((count, SHAPE[1], SHAPE[2], 3), np.uint8)
    pixels[np.arange(count), :, :, np.arange(count) % 3] = 150
    pixels[:, 8:16, 8:16] = np.arange(count, dtype=np.uint8)[:, None, None, None]
    np.save(folder / "pixels.npy", pixels)
    label = f"{CLUSTERS}[n % 3]" if labels else "None"
    (folder / "made.py").write_text(
        "from pathlib import Path\nimport numpy as np\n\ndef made():\n"
        "    pixels = np.load(Path(__file__).with_name('pixels.npy'))\n"
        f"    return [(picture, {label}) for n, picture in enumerate(pixels)]\n"
    )
    images = open_images(DataSection(factory="made.py:made"), folder)
    fed(Codes(folder / "codes.npy"), torch.from_numpy(codes)[:, :, None, None]).compute(layer)
    network = model(SHAPE)
    section = LayerSection(name=(layer,), analyses=("tsne",), tsne=TsneSection(**options))  # type: ignore[arg-type]
    return Task(
        network,
        network.outline.layer(layer),
        (),
        section,
        {},
        0,
        events.Silence(),
        images,
        codes=open_codes(folder / "codes.npy"),
    )


def records(task: Task) -> tuple[Pictures, dict[str, np.ndarray], dict[str, dict[str, float]]]:
    """The mosaic, where each picture lies, and the numbers of each arrangement."""
    pictures, where, quality = Tsne().run(task)
    assert isinstance(pictures, Pictures)
    assert isinstance(where, Table)
    assert isinstance(quality, Table)
    numbers = {name: column.tolist() for name, column in quality.columns.items()}
    rows = [dict(zip(numbers, row, strict=True)) for row in zip(*numbers.values(), strict=True)]
    return pictures, dict(where.columns), {row["arrangement"]: row for row in rows}


def test_clusters_stay_together_and_no_picture_is_shown_twice(tmp_path: Path) -> None:
    task = made(clustered(48), tmp_path)
    pictures, where, quality = records(task)
    assert quality["plane"]["trustworthiness"] > 0.9
    assert quality["grid"]["trustworthiness"] > 0.85
    assert abs(quality["random"]["trustworthiness"] - 0.5) < 0.12
    assert quality["codes"] | {"trustworthiness": 1, "neighbours_kept": 1, "label_agreement": 1} == quality["codes"]
    assert quality["plane"]["label_agreement"] == 1
    assert quality["grid"]["label_agreement"] > 0.75
    assert quality["random"]["label_agreement"] < 0.45
    assert where["image"].tolist() == list(range(48))
    assert where["label"].tolist() == [CLUSTERS[index % 3] for index in range(48)]
    places = list(zip(where["row"].tolist(), where["column"].tolist(), strict=True))
    assert len(set(places)) == 48
    assert pictures.tiles.shape == (1, 49, 24, 20, 3)
    for index, (row, column) in enumerate(places):
        tile = pictures.tiles[0, row * 7 + column]
        assert tile[12, 12].tolist() == [index] * 3
        assert tile[2, 2].tolist() == [150 * (index % 3 == channel) for channel in range(3)]
        assert pictures.captions[0][row * 7 + column].endswith(f" · {CLUSTERS[index % 3]}")
    (left,) = set(range(49)) - {row * 7 + column for row, column in places}
    assert pictures.captions[0][left] == LEFT_OVER
    assert (pictures.tiles[0, left] == 255).all()
    assert "codes of relu1, its ReLU, each unit's mean over the map, of all pictures" in pictures.note
    assert Tsne().said(Tsne().run(task)).startswith(f"trustworthiness {quality['plane']['trustworthiness']:.3f} in")


def test_the_same_codes_make_the_same_bytes(tmp_path: Path) -> None:
    task = made(clustered(30), tmp_path)
    once, again = Tsne().run(task), Tsne().run(task)
    assert once[0].tiles.tobytes() == again[0].tiles.tobytes()  # type: ignore[union-attr]
    for one, other in zip(once[1:], again[1:], strict=True):
        for name, column in one.columns.items():  # type: ignore[union-attr]
            assert column.tobytes() == other.columns[name].tobytes()  # type: ignore[union-attr]


def test_a_plane_is_made_of_at_most_fifty_components_of_which_it_says_how_much_they_hold() -> None:
    codes = clustered(30, 8)
    found = plane(codes, 5.0, 0)
    assert (found.components, found.variance) == (8, pytest.approx(1))
    wide = np.random.default_rng(0).normal(size=(90, 80)).astype(np.float32)
    values = np.linalg.svd(wide - wide.mean(axis=0), compute_uv=False) ** 2
    found = plane(wide, 5.0, 0)
    assert found.components == 50
    assert found.variance == pytest.approx(values[:50].sum() / values.sum(), rel=0.02)


def test_places_are_the_best_of_all() -> None:
    rng = np.random.default_rng(4)
    for _ in range(5):
        points = rng.normal(size=(5, 2)) * [30, 2]
        within = (points - points.min(axis=0)) / np.ptp(points, axis=0)
        corners = [(row, column) for row in range(2) for column in range(3)]

        def cost(places: object, within: np.ndarray = within) -> float:
            return sum(
                (x - (column + 0.5) / 3) ** 2 + (y - (row + 0.5) / 2) ** 2
                for (x, y), (row, column) in zip(within, places, strict=True)  # type: ignore[call-overload]
            )

        best = min(permutations(corners, 5), key=cost)
        assert cost(assigned(points, (2, 3)).tolist()) == pytest.approx(cost(best))
        assert [tuple(place) for place in assigned(points, (2, 3)).tolist()] == list(best)


def test_points_on_a_line_have_places_too() -> None:
    places = assigned(np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [3.0, 1.0]]), (2, 2))
    assert len({tuple(place) for place in places.tolist()}) == 4
    assert places[:2, 1].tolist() == [0, 0]


def test_of_more_pictures_than_asked_for_some_are_taken_evenly_spread(tmp_path: Path) -> None:
    assert spread(range(10), 4) == [0, 2, 5, 7]
    assert spread([3, 5, 9], 4) == [3, 5, 9]
    pictures, where, _ = records(made(clustered(60), tmp_path, pictures=20, thumbnail=12))
    assert where["image"].tolist() == list(range(0, 60, 3))
    assert pictures.tiles.shape == (1, 20, 12, 10, 3)
    assert LEFT_OVER not in pictures.captions[0]
    assert "of 20 of 60 pictures, evenly spread" in pictures.note
    assert "perplexity 6.33" in pictures.note


def test_pictures_without_labels_have_a_place_and_no_agreement(tmp_path: Path) -> None:
    pictures, where, quality = records(made(clustered(20), tmp_path, labels=False))
    assert set(where["label"].tolist()) == {""}
    assert np.isnan(quality["grid"]["label_agreement"])
    assert not any("·" in caption for caption in pictures.captions[0])


def test_a_perplexity_is_bounded_by_the_pictures() -> None:
    assert bounded(30.0, 900) == 30
    assert bounded(30.0, 31) == 10
    assert bounded(5.0, 31) == 5


def test_what_has_no_plane_says_why(tmp_path: Path) -> None:
    broken, same = clustered(20), np.ones((20, 12), np.float32)
    broken[3, 1] = np.nan
    for codes, why in (
        (clustered(16), "16 pictures; a plane of conv1 needs at least 17"),
        (broken, "NaN or infinity in its codes of 1 picture"),
        (same, "says the same of all 20 pictures"),
        (clustered(20, 3)[:, :1], "has one unit"),
    ):
        with pytest.raises(Unavailable, match=why):
            Tsne().run(made(codes, tmp_path))
    assert len(records(made(clustered(17), tmp_path))[1]["x"]) == 17
