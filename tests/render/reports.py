"""A report as a run makes it, from random but plausible numbers and pictures; names carry markup on purpose."""

import numpy as np

from audit.records import (
    Field,
    Finding,
    Item,
    Layer,
    Numbers,
    Outline,
    Pictures,
    Report,
    Scalars,
    TopK,
    Verdict,
)

EVIL = 'conv3.<img src=x onerror="alert(1)"> & co'
IMAGES = 500
LABELS = ("tench", "<script>alert(2)</script>", "goldfish & koi", *(f"class {index}" for index in range(3, 10)))
NAMES = {
    index: f"n0144{index % 7:04d}/photo_{index:04d}.jpg" if index % 5 else f'evil"><b>{index}</b>.png'
    for index in range(IMAGES)
}
PRESETS = ("yosinski-1", "yosinski-2", "yosinski-3", "yosinski-4")

OUTLINE = Outline(
    (3, 64, 64),
    (
        Layer("conv1", "Conv2d", (24, 28, 28), 5856, False, "relu1", Field((0, 0), (2, 2), (9, 9))),
        Layer("relu1", "ReLU", (24, 28, 28), 0, True, "relu1", Field((0, 0), (2, 2), (9, 9))),
        Layer("conv2", "Conv2d", (32, 14, 14), 19232, False, "relu2", Field((-4, -4), (4, 4), (25, 25))),
        Layer(EVIL, "Conv2d", (40, 7, 7), 32040, False, None, Field((-16, -16), (8, 8), (73, 73))),
        Layer("fc", "Linear", (10,), 19610, False, None, None),
    ),
)
DEAD = {"conv1": {3, 7}, "relu1": {3, 7}, "conv2": set(), EVIL: {5}, "fc": set()}
PICTURED = {"conv1": ((0, 3, 11, 17), 9), EVIL: ((2, 5, 30), 73), "fc": ((0, 1), 64)}


def scalars(layer: Layer, rng: np.random.Generator) -> Scalars:
    """Statistics of a layer; dead units are zero, the first convolution also has its filters' columns."""
    units = layer.units
    dead = np.isin(np.arange(units), list(DEAD[layer.name]))
    images = np.where(dead, 0.0, rng.beta(4, 1.2, units))
    mean = np.where(dead, 0.0, rng.gamma(2.0, 0.4, units))
    columns = {
        "mean": mean,
        "std": np.where(dead, 0.0, mean * rng.uniform(0.8, 2.2, units)),
        "min": np.zeros(units) if layer.rectifier else -rng.gamma(2.0, 2.0, units),
        "max": np.where(dead, 0.0, rng.gamma(4.0, 3.0, units)),
        "share_of_images": images,
        "share_of_positions": images * rng.beta(2, 5, units),
    }
    if layer.name == "conv1":
        frequency = rng.uniform(0.01, 0.5, units)
        columns |= {
            "frequency": np.where(dead, np.nan, frequency),
            "is_colour": (frequency < 0.2).astype(np.float64),
            "mean_activated": np.where(dead, np.nan, 2.2 * np.exp(-3 * frequency) * rng.uniform(0.6, 1.4, units)),
        }
    return Scalars(layer.name, columns)


def strongest(layer: Layer, rng: np.random.Generator) -> TopK:
    """Nine strongest images per unit, none for dead ones."""
    shape = (layer.units, 9)
    value = -np.sort(-rng.gamma(6.0, 2.0, shape), axis=1).astype(np.float32)
    image = rng.integers(0, IMAGES, shape)
    dead = sorted(DEAD[layer.name])
    value[dead], image[dead] = -np.inf, -1
    y, x = rng.integers(0, layer.map_size[0], shape), rng.integers(0, layer.map_size[1], shape)
    return TopK(layer.name, value, image, y, x)


def waves(count: int, side: int, rng: np.random.Generator, sharp: float) -> np.ndarray:
    """uint8[count, side, side, 3]: coloured gratings under a Gaussian window on 1/f noise."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    angle, colour = rng.uniform(0, np.pi), rng.uniform(-1, 1, 3)
    out = np.empty((count, side, side, 3))
    for index in range(count):
        turn = angle + rng.normal(0, 0.2)
        wave = np.cos(2 * np.pi * (np.cos(turn) * x + np.sin(turn) * y) * rng.uniform(2, 5) + rng.uniform(0, 6))
        window = np.exp(-(x**2 + y**2) * sharp)
        radius = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))) + 1 / side
        noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) / radius).real
        noise /= noise.std() + 1e-9
        out[index] = 0.5 + 0.38 * (wave * window)[..., None] * colour + 0.07 * noise[..., None]
    return np.asarray(np.clip(out, 0, 1) * 255, dtype=np.uint8)


def pictures(layer: Layer, found: TopK, rng: np.random.Generator) -> tuple[Pictures, ...]:
    """Optimized images of four presets, the nine strongest patches and their deconvs."""
    units, side = PICTURED[layer.name]

    def tiles(kind: str, count: int) -> np.ndarray:
        made = [waves(count, side, rng, 6.0 if kind == "deconv" else 1.0) for _ in units]
        for index, unit in enumerate(units):
            if unit in DEAD[layer.name]:
                made[index] = np.full_like(made[index], 128)
        return np.stack(made)

    def captions(unit: int, texts: list[str]) -> tuple[str, ...]:
        dead = unit in DEAD[layer.name]
        return ("nothing to show: dead unit",) * len(texts) if dead else tuple(texts)

    seeds = [f"{preset}, seed {seed}: activation {30 - seed:.1f}" for preset in PRESETS for seed in range(9)]
    images = {
        unit: [
            f"{value:.2f} at ({y}, {x}) of {NAMES.get(int(image), '-')}"
            for value, image, y, x in zip(
                found.value[unit], found.image[unit], found.y[unit], found.x[unit], strict=True
            )
        ]
        for unit in units
    }
    return (
        Pictures(
            layer.name,
            "optimized",
            units,
            tiles("optimized", 36),
            tuple(captions(unit, seeds) for unit in units),
            PRESETS,
            "gradient ascent from the data mean, 9 seeds per preset, cropped to the receptive field",
        ),
        *(
            Pictures(
                layer.name,
                kind,
                units,
                tiles(kind, 9),
                tuple(captions(unit, images[unit]) for unit in units),
                (kind,),
                note,
            )
            for kind, note in (
                ("max-patches", "the 9 strongest images, cropped to the receptive field of the strongest position"),
                ("deconv", "deconvnet picture of that position; scaled per picture, gray is zero"),
            )
        ),
    )


def verdicts() -> tuple[Verdict, ...]:
    """Checks that passed, failed, broke and were skipped, and the analyses."""

    def item(layer: str | None, task: str) -> Item:
        return Item("audit.toml", "squeeze <b>net</b>", layer, task)

    dead = tuple(
        Finding("conv1", unit, f"unit {unit} fires on 0 of {IMAGES} images", 0.0) for unit in sorted(DEAD["conv1"])
    )
    return (
        Verdict(item(None, "accuracy"), "passed", "top-1 accuracy is 81.4 %", 81.4, 75.0, "at least", "%"),
        Verdict(
            item("conv1", "dead-units"),
            "failed",
            "2 of 24 units never fire: 8.3 %, at most 5 % are allowed",
            100 * 2 / 24,
            5.0,
            "at most",
            "%",
            dead,
        ),
        Verdict(item("conv2", "dead-units"), "passed", "every unit fires", 0.0, 5.0, "at most", "%"),
        Verdict(
            item(EVIL, "dead-units"),
            "failed",
            "1 of 40 units never fires <script>alert(3)</script>",
            float("nan"),
            0.0,
            "at most",
            "",
            (Finding(EVIL, 5, "unit 5 fires on 0 of 500 images", 0.0),),
        ),
        Verdict(
            item("conv1", "frequency-bias"),
            "passed",
            "lowest against highest: 3.4 times",
            3.4,
            float("inf"),
            "at most",
            " times",
        ),
        Verdict(item("conv2", "non-finite"), "error", "no pictures: give [data] a folder or a factory"),
        Verdict(item("fc", "non-finite"), "skipped", "skipped by -m"),
        *(Verdict(item(layer.name, "activations"), "passed", f"{layer.units} units") for layer in OUTLINE.layers),
        *(
            Verdict(item(name, task), "passed", f"{len(units)} units pictured")
            for name, (units, _) in PICTURED.items()
            for task in ("optimized", "max-patches", "deconv")
        ),
    )


def report(seed: int = 0) -> Report:
    """Five layers, three of them pictured, verdicts of all four outcomes."""
    rng = np.random.default_rng(seed)
    found = {layer.name: strongest(layer, rng) for layer in OUTLINE.layers}
    return Report(
        audit="demo audit",
        model="squeeze <b>net</b>",
        outline=OUTLINE,
        verdicts=verdicts(),
        scalars=tuple(scalars(layer, rng) for layer in OUTLINE.layers),
        strongest=tuple(found.values()),
        numbers=Numbers({"top1": 0.814, "top5": 0.962, "images": float(IMAGES)}),
        pictures=tuple(each for name in PICTURED for each in pictures(OUTLINE.layer(name), found[name], rng)),
        image_names=NAMES,
        labels=LABELS,
        provenance={
            "checkpoint": "squeezenet.pth",
            "weights sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "data": "500 images, fingerprint 60303ae22b998861",
            "seed": "0",
            "device": "cpu",
            "torch": "2.15.0",
            "started": "2026-05-01T12:00:00+00:00",
        },
    )
