"""t-SNE of a layer's codes as a grid of pictures (CS231n, visualizing CNN codes; seeds D7), and what it keeps."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from audit import events
from audit.analyses.embedding import Plane, assigned, bounded, plane
from audit.analyses.neighbours import agreement, kept, nearest, trustworthiness
from audit.analyses.task import Task
from audit.data.display import rgb
from audit.data.images import label_index
from audit.data.preprocess import load, unit_range
from audit.errors import DataError, Unavailable
from audit.records import Pictures, Table
from audit.store.sprites import PAPER, grid
from audit.trials.outputs import spread
from audit.words import plural

NEIGHBOURS = 8
"""That are looked at: as many as places around a place of the grid."""

FEWEST = 2 * NEIGHBOURS + 1
"""Pictures: trustworthiness is defined for fewer neighbours than half of them."""

WIDE, LARGEST, SMALLEST = 1920, 160, 16
"""A mosaic's width in pixels, if its tiles are then no larger and no smaller than that."""

LEFT_OVER = "nothing to show: a place too many"


class Tsne:
    """A mosaic of pictures, those with alike codes side by side; tables of where each lies, and of how good that is."""

    def run(self, task: Task) -> list[Pictures | Table]:
        """The mosaic as one row of tiles, row by row of the grid, and the tables "tsne" and "tsne_quality".

        Unavailable for too few pictures, codes that are not finite, and codes that are all the same.
        """
        assert task.codes is not None
        options = task.section.tsne
        images = np.array(spread(task.codes.images.tolist(), options.pictures), np.int64)
        codes = checked(task, images)
        name = f"{task.model.section.name}: t-SNE of {task.layer.name}"
        with events.work(task.listener, name, len(images) + 2) as advance:
            found = plane(codes, bounded(options.perplexity, len(images)), task.seed)
            advance(1)
            shape = grid(len(images))
            places = assigned(found.points, shape)
            advance(1)
            side = options.thumbnail or min(max(WIDE // shape[1], SMALLEST), LARGEST)
            thumbnails = []
            for index in images.tolist():
                thumbnails.append(_thumbnail(task, index, side))
                advance(1)
        labels = _labels(task, images)
        where = _positions(task, images, labels, found, places)
        quality = _quality(task, codes, found, places, labels)
        return [_mosaic(task, np.stack(thumbnails), where, shape, _note(task, found, where)), where, quality]

    def said(self, made: Sequence[object]) -> str:
        """How trustworthy the arrangements are."""
        (quality,) = [table.columns for table in made if isinstance(table, Table) and table.name == "tsne_quality"]
        in_plane, on_grid, anyhow = (
            quality["trustworthiness"][quality["arrangement"] == name][0] for name in ("plane", "grid", "random")
        )
        return f"trustworthiness {in_plane:.3f} in the plane, {on_grid:.3f} on the grid, {anyhow:.3f} in a random order"


def checked(task: Task, images: Int[np.ndarray, " image"]) -> Float[np.ndarray, "image unit"]:
    """Their codes; Unavailable where no plane can be made of them."""
    assert task.codes is not None
    layer = task.layer.name
    if len(images) < FEWEST:
        raise Unavailable(f"{plural(len(images), 'picture')}; a plane of {layer} needs at least {FEWEST}")
    codes = task.codes[images.tolist()]
    if codes.shape[1] < 2:
        raise Unavailable(f"{layer} has one unit, and a plane needs two")
    broken = int((~np.isfinite(codes)).any(axis=1).sum())
    if broken:
        raise Unavailable(f"{layer} has NaN or infinity in its codes of {plural(broken, 'picture')}")
    if (codes == codes[0]).all():
        raise Unavailable(f"{layer} says the same of all {len(images)} pictures, so none is closer to another")
    return codes


def _positions(
    task: Task,
    images: Int[np.ndarray, " picture"],
    labels: Sequence[str],
    found: Plane,
    places: Int[np.ndarray, "picture 2"],
) -> Table:
    """Where each picture lies in the plane and on the grid; an unknown label is empty."""
    assert task.images is not None
    columns = {
        "layer": np.full(len(images), task.layer.name),
        "image": images,
        "name": np.array([task.images.name(index) for index in images.tolist()], dtype=str),
        "label": np.array(labels, dtype=str),
        "x": found.points[:, 0],
        "y": found.points[:, 1],
        "row": places[:, 0],
        "column": places[:, 1],
    }
    return Table("tsne", columns)


def _quality(
    task: Task,
    codes: Float[np.ndarray, "picture unit"],
    found: Plane,
    places: Int[np.ndarray, "picture 2"],
    labels: Sequence[str],
) -> Table:
    """What is kept of who is near whom: in the plane, on the grid, and on the same grid in an order drawn at random.

    The row of the codes themselves says how often labels agree where everything is kept.
    """
    from sklearn.metrics.pairwise import euclidean_distances

    apart = euclidean_distances(codes.astype(np.float64))
    drawn = np.random.default_rng(task.seed).permutation(len(places))
    spaces = {"codes": apart, "plane": _apart(found.points), "grid": _apart(places), "random": _apart(places[drawn])}
    near = {name: nearest(distances, NEIGHBOURS) for name, distances in spaces.items()}
    numbers = {name: number for number, name in enumerate(sorted({label for label in labels if label}))}
    classes = np.array([numbers.get(label, -1) for label in labels])
    columns = {
        "layer": np.full(len(near), task.layer.name),
        "arrangement": np.array(list(near)),
        "pictures": np.full(len(near), len(codes)),
        "neighbours": np.full(len(near), NEIGHBOURS),
        "trustworthiness": np.array([trustworthiness(apart, those, NEIGHBOURS) for those in near.values()]),
        "neighbours_kept": np.array([kept(near["codes"], those, NEIGHBOURS) for those in near.values()]),
        "label_agreement": np.array([agreement(those, classes) for those in near.values()]),
    }
    return Table("tsne_quality", columns)


def _apart(points: np.ndarray) -> Float[np.ndarray, "picture picture"]:
    from scipy.spatial.distance import cdist

    return np.asarray(cdist(points, points, "sqeuclidean"))


def _mosaic(
    task: Task, thumbnails: UInt8[np.ndarray, "picture y x 3"], where: Table, shape: tuple[int, int], note: str
) -> Pictures:
    """The pictures at their places of the grid, row by row, as one row of tiles."""
    place = where.columns["row"] * shape[1] + where.columns["column"]
    tiles = np.full((1, shape[0] * shape[1], *thumbnails.shape[1:]), PAPER, np.uint8)
    tiles[0, place] = thumbnails
    captions = [LEFT_OVER] * tiles.shape[1]
    for index, name, label in zip(place, where.columns["name"], where.columns["label"], strict=True):
        captions[index] = f"{name} · {label}" if label else str(name)
    return Pictures(task.layer.name, "tsne", (0,), tiles, (tuple(captions),), ("t-SNE",), note, names=("t-SNE",))


def _note(task: Task, found: Plane, where: Table) -> str:
    assert task.codes is not None
    there_are, layer = len(task.codes.images), task.layer
    of = f" of {layer.name}" if layer.activation in (None, layer.name) else f" of {layer.activation}, its ReLU"
    shown = "all pictures" if where.rows == there_are else f"{where.rows} of {there_are} pictures, evenly spread"
    means = ", each unit's mean over the map" if layer.map_size != (1, 1) else ""
    return (
        f"codes{of}{means}, of {shown}; {found.components} principal components with "
        f"{100 * found.variance:.3g} % of the variance, perplexity "
        f"{bounded(task.section.tsne.perplexity, where.rows):.3g}"
    )


def _thumbnail(task: Task, index: int, side: int) -> UInt8[np.ndarray, "y x 3"]:
    """What the network is shown of the picture, its longer side no longer than `side` pixels."""
    assert task.images is not None
    picture = Image.fromarray(rgb(unit_range(load(task.images, index, task.model.section)).numpy()))
    scale = min(1, side / max(picture.size))
    width, height = (max(1, round(length * scale)) for length in picture.size)
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS))


def _labels(task: Task, images: Int[np.ndarray, " picture"]) -> list[str]:
    """What each picture shows, as the model's labels call it, or else as the pictures do; nothing where unknown.

    Labels that are no outputs of this model say all the same which pictures show the same.
    """
    assert task.images is not None
    names, outputs = task.model.labels, task.model.outline.layers[-1].units
    with suppress(DataError):
        known = label_index(task.images, names, outputs) if names else {}
        if known:
            return [names[known[index]] if index in known else "" for index in images.tolist()]
    given = [task.images.label(index) for index in images.tolist()]
    return ["" if label is None else str(label) for label in given]
