"""Pictures of the healthy models, and the same with something wrong: the `[data] factory` of the lab's audits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from audit.demo.generator import CLASSES, DemoPictures

Example = tuple[Image.Image, str]


@dataclass(frozen=True)
class Labelled:
    """Pictures in memory, each with the name of its class."""

    examples: Sequence[Example]

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Example:
        return self.examples[index]

    @property
    def classes(self) -> list[str]:
        """Every class that there is a picture of, sorted."""
        return sorted({label for _, label in self.examples})


@cache
def pictures(source: str, count: int, defect: str = "", strength: float = 0.0, seed: int = 0) -> Labelled:
    """`count` pictures of the demo's generator ("demo") or of a folder with one folder per class, evenly spread.

    LookupError if there is no such defect.
    """
    if defect and defect not in DEFECTS:
        raise LookupError(f'pictures cannot be "{defect}"; they can be {", ".join(DEFECTS)}')
    if defect:
        return DEFECTS[defect](pictures(source, count), strength, np.random.default_rng(seed))
    return _generated(count) if source == "demo" else _photographs(Path(source), count)


def _generated(count: int) -> Labelled:
    made = DemoPictures(count=count, seed=1, split="test")
    return Labelled([(Image.fromarray(picture), CLASSES[label]) for picture, label in (made[i] for i in range(count))])


def _photographs(root: Path, count: int) -> Labelled:
    files = sorted(root.glob("*/*.jpg"))
    spread = [files[index * len(files) // count] for index in range(min(count, len(files)))]
    return Labelled([(Image.open(file).convert("RGB"), file.parent.name) for file in spread])


def blurred(whole: Labelled, sigma: float, _: np.random.Generator) -> Labelled:
    """Through a Gaussian of `sigma` pixels."""
    return _each(whole, lambda picture: picture.filter(ImageFilter.GaussianBlur(sigma)))


def darkened(whole: Labelled, brightness: float, _: np.random.Generator) -> Labelled:
    """Every pixel times `brightness`."""
    return _each(whole, lambda picture: ImageEnhance.Brightness(picture).enhance(brightness))


def compressed(whole: Labelled, quality: float, _: np.random.Generator) -> Labelled:
    """Saved as JPEG of that quality."""
    return _each(whole, lambda picture: _saved(picture, int(quality)))


def mislabelled(whole: Labelled, share: float, rng: np.random.Generator) -> Labelled:
    """That share of the pictures, at random, has the label of another class."""
    examples, classes = list(whole.examples), whole.classes
    for index in rng.permutation(len(examples))[: round(share * len(examples))]:
        picture, label = examples[index]
        examples[index] = (picture, str(rng.choice([other for other in classes if other != label])))
    return Labelled(examples)


def class_missing(whole: Labelled, count: float, rng: np.random.Generator) -> Labelled:
    """There is no picture of `count` of the classes."""
    missing = set(rng.permutation(whole.classes)[: int(count)].tolist())
    return Labelled([example for example in whole.examples if example[1] not in missing])


DEFECTS: Mapping[str, Callable[[Labelled, float, np.random.Generator], Labelled]] = {
    "blurred": blurred,
    "darkened": darkened,
    "compressed": compressed,
    "mislabelled": mislabelled,
    "class-missing": class_missing,
}


def _each(whole: Labelled, change: Callable[[Image.Image], Image.Image]) -> Labelled:
    return Labelled([(change(picture), label) for picture, label in whole.examples])


def _saved(picture: Image.Image, quality: int) -> Image.Image:
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")
