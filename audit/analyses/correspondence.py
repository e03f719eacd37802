"""Pictures and their warps -> whether a layer's features find what was where: correspondence (Long et al. 2014).

Long, Zhang and Darrell 2014, section 3, match features of intermediate layers at the middles of their receptive fields
between pictures. Here the second picture is a known warp of the first, so that every place has a known answer.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from audit import events
from audit.analyses.matching import centres, descriptors, features, nearest, pixels
from audit.analyses.pairs import drawn
from audit.analyses.task import Task
from audit.analyses.warps import Points, Warp, inside
from audit.config import CorrespondenceSection
from audit.data.damage import Damages
from audit.data.display import rgb
from audit.data.preprocess import batches, normalized
from audit.errors import Unavailable
from audit.model.looking import looking
from audit.model.outline import maps
from audit.records import Layer, Pictures
from audit.words import plural

KEYPOINTS = 256
"""Places of a picture that are looked for in its warp, at most."""

LINES = 24
"""Matches that are drawn."""

FEATURES, STRIDE = "features", "stride"
METHODS = (FEATURES, "pixels", "daisy", "still", "chance")
"""Of the layer; of the pixels that it sees; DAISY there; the answer that nothing moved; any place whatever."""

Picture = Float[Tensor, "channel y x"]
Read = Callable[[Picture], Float[Tensor, "unit height width"]]
Tile = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class Matches:
    """Of one picture: where each keypoint was, went, and is found by each method; how near is right, by name.

    `places` are all that may be answered; `same` says which keypoints find themselves in the picture that was not
    warped.
    """

    origin: Points
    truth: Points
    places: Float[np.ndarray, "place 2"]
    found: Mapping[str, Points]
    within: Mapping[str, float]
    same: Bool[np.ndarray, " point"]

    def numbers(self) -> dict[str, float]:
        """`METHOD_TOLERANCE`: share of the keypoints that are right (PCK); for chance, expected of a random answer.

        `identity`: share that find themselves; `moved`: mean distance in pixels that the warp moved them; `keypoints`.
        """
        ways = np.linalg.norm(self.truth[:, None] - self.places, axis=2)
        shares = {f"chance_{name}": float((ways <= near).mean()) for name, near in self.within.items()}
        for method, found in self.found.items():
            distance = np.linalg.norm(found - self.truth, axis=1)
            shares |= {f"{method}_{name}": float((distance <= near).mean()) for name, near in self.within.items()}
        moved = np.linalg.norm(self.origin - self.truth, axis=1).mean()
        return {
            **shares,
            "identity": float(self.same.mean()),
            "moved": float(moved),
            "keypoints": float(len(self.truth)),
        }


class Correspondence:
    """Keypoints are the middles of receptive fields; the layer's features there are matched by their cosine."""

    needs_data: ClassVar[bool] = True

    def run(self, task: Task) -> Pictures:
        """A tile per picture: the picture, its warp, and some matches; the numbers of `Matches` are beside it.

        Unavailable for layers without maps, or whose positions all see the whole input.
        """
        assert task.images is not None
        options = task.section.correspondence
        _, *size = task.model.outline.input_shape
        _placed(task.layer, (size[0], size[1]))
        within = _within(task.layer, (size[0], size[1]), options)
        indices = [number * len(task.images) // options.pictures for number in range(options.pictures)]
        made, damages = [], Damages(len(task.images), 100.0)
        shown = batches(task.images, sorted(set(indices)), task.model.section, 1, damages=damages)
        name = f"{task.model.section.name}: correspondence in {task.layer.name}"
        with events.work(task.listener, name, len(set(indices))) as advance, _reading(task) as read:
            for batch, (index,) in shown:
                picture = batch[0].to(task.model.device)
                random = np.random.default_rng((task.seed, index))
                warp = Warp.drawn((picture.shape[1], picture.shape[2]), options, random)
                matches = matched(task.layer, picture, warp, read, within=within, random=random)
                if len(matches.truth):
                    made.append(
                        _Made(_tile(picture, warp, matches, random), matches.numbers(), task.images.name(index))
                    )
                advance(1)
        return _pictures(task, made)


def matched(
    layer: Layer,
    picture: Picture,
    warp: Warp,
    read: Read,
    *,
    within: Mapping[str, float],
    random: np.random.Generator,
) -> Matches:
    """Up to `KEYPOINTS` places of the picture, in 0..1, looked for among all places of its warp."""
    size, points = (picture.shape[1], picture.shape[2]), centres(layer)
    there = np.flatnonzero(inside(points, size))
    stay = there[_among(warp.points(points[there]), points[there])]
    chosen = np.sort(random.choice(stay, min(KEYPOINTS, len(stay)), replace=False))
    other = warp.picture(picture)
    one, two = read(picture), read(other)
    found = {
        FEATURES: nearest(features(one, chosen), features(two, there)),
        "pixels": nearest(pixels(picture, layer, chosen), pixels(other, layer, there)),
        "daisy": nearest(descriptors(picture, layer, chosen), descriptors(other, layer, there)),
        "still": np.searchsorted(there, chosen),
    }
    return Matches(
        points[chosen],
        warp.points(points[chosen]),
        points[there],
        {method: points[there][places] for method, places in found.items()},
        within,
        there[nearest(features(one, chosen), features(one, there))] == chosen,
    )


def _among(points: Points, places: Points) -> Bool[np.ndarray, " point"]:
    """Which points have places around them; near the border of the picture a layer may have none to answer with."""
    return np.asarray(((points >= places.min(axis=0)) & (points <= places.max(axis=0))).all(axis=1))


@dataclass(frozen=True)
class _Made:
    """What is shown and known of one picture."""

    tile: Tile
    numbers: Mapping[str, float]
    name: str


def _placed(layer: Layer, size: tuple[int, int]) -> None:
    """Unavailable, with the reason, where positions do not look at different places of the picture."""
    if layer.map_size == (1, 1):
        what = "its units have no positions"
    elif layer.field is None:
        what = "each of its positions sees the whole input"
    elif inside(centres(layer), size).sum() < 2:
        what = "fewer than two of its receptive fields have their middle in the picture"
    else:
        return
    raise Unavailable(f"{layer.name} matches no places: {what}; choose an earlier layer, one with maps")


def _within(layer: Layer, size: tuple[int, int], options: CorrespondenceSection) -> dict[str, float]:
    """How near is right, in pixels: shares of the longer side, and the stride of the layer's map."""
    assert layer.field is not None
    return {f"{share:g}": share * max(size) for share in options.within} | {STRIDE: float(max(layer.field.stride))}


@contextmanager
def _reading(task: Task) -> Iterator[Read]:
    """What the layer says of a picture of 0..1."""
    model, seen = task.model, list[Tensor]()

    def visit(_: str, output: Tensor) -> None:
        seen.append(maps(output, task.layer.layout)[0].clone())

    with looking(model.network, [task.layer.name], visit) as run:

        def read(picture: Picture) -> Float[Tensor, "unit height width"]:
            run(normalized(picture[None], model.mean, model.std))
            return seen.pop()

        yield read


def _tile(picture: Picture, warp: Warp, matches: Matches, random: np.random.Generator) -> Tile:
    found, near = matches.found[FEATURES], next(iter(matches.within.values()))
    right = np.linalg.norm(found - matches.truth, axis=1) <= near
    some = np.sort(random.choice(len(found), min(LINES, len(found)), replace=False))
    shown = np.stack([picture.cpu().numpy(), warp.picture(picture).cpu().numpy()])
    return drawn(rgb(shown), matches.origin[some], found[some], right[some])


def _pictures(task: Task, made: Sequence[_Made]) -> Pictures:
    if not made:
        raise Unavailable("no picture can be shown of which a place is still there when it is warped; warp less")
    options, first = task.section.correspondence, f"{task.section.correspondence.within[0]:g}"
    captions = [
        f"{100 * one.numbers[f'{FEATURES}_{first}']:.3g} % of {one.numbers['keypoints']:.0f} right, {one.name}"
        for one in made
    ]
    return Pictures(
        layer=task.layer.name,
        kind="correspondence",
        units=(0,),
        tiles=np.stack([one.tile for one in made])[None],
        captions=(tuple(captions),),
        groups=("warps",),
        note=f"{plural(len(made), 'picture')}, each turned by up to {options.rotate:g} degrees, scaled by up to "
        f"{options.scale:g} and moved by up to {100 * options.shift:g} % of its sides, and by half as much at least. "
        "Lines lead from places of the picture to where the layer's features find them: green if that is within "
        f"{first} of the longer side of where they went, else red.",
        numbers={name: np.array([[one.numbers[name] for one in made]]) for name in made[0].numbers},
        names=("pictures and their warps",),
    )
