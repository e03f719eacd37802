"""A report as a run makes it, from random but plausible numbers and pictures; names carry markup on purpose."""

import numpy as np

from audit.analyses.summaries import summaries
from audit.claims.variation import variations
from audit.records import (
    Claim,
    Field,
    Finding,
    Histogram,
    Item,
    Layer,
    Numbers,
    Outline,
    Pictures,
    Report,
    Scalars,
    Table,
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
            "colourfulness": np.where(frequency < 0.2, 0.9, 0.1),
            "next_weight": 0.5 + frequency,
            "gradient_energy": 1e-4 * np.exp(8 * frequency),
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
            numbers(layer, units, np.random.default_rng(4)),
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


def numbers(layer: Layer, units: tuple[int, ...], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Of the optimized images: of the dead units none is known, classes of fc alone are recognised."""
    shape = len(units), 36
    dead = np.array([[unit in DEAD[layer.name]] for unit in units])
    columns = {
        "activation": rng.uniform(10, 40, shape),
        "rank": np.ones(shape),
        "slope": rng.normal(-2.4, 0.1, shape),
        "sparsity": np.full(shape, 0.25),
        "diversity": np.repeat(rng.uniform(0, 1, (len(units), 4)), 9, axis=1),
        "pixel_diversity": np.repeat(rng.uniform(0, 1, (len(units), 4)), 9, axis=1),
        "of_strongest": rng.uniform(1, 3, shape),
        "natural_slope": np.full(shape, -2.0),
    }
    if layer.name == "fc":
        columns |= {"confidence": np.full(shape, 0.97), "recognised": (np.arange(36) % 9 < 7) * np.ones(shape)}
    return {name: np.where(dead, np.nan, column) for name, column in columns.items()}


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


def claims() -> tuple[Claim, ...]:
    """One of each outcome, one that is not known, one that is no correlation."""
    rank, source = "rank correlation", "Yosinski et al. 2015, supplement"
    return (
        Claim("Edges of higher frequency are less active.", "holds", rank, -0.624, -0.81, -0.332, 22, source),
        Claim("More gradient <i>arrives</i>.", "contradicted", rank, -0.5, -0.7, -0.2, 22, 'a <b>"book"</b>'),
        Claim("Few units dominate.", "inconclusive", rank, float("nan"), -1.0, 1.0, 2, source),
        Claim("A mean stands for all.", "holds", "distance of distributions", 0.05, 0.03, 0.09, 24, source),
    )


def predictions(rng: np.random.Generator) -> Table:
    """Of 500 pictures: 20 without a label, one whose outputs are not finite, four of five right."""
    label = rng.integers(0, 10, IMAGES)
    right = rng.random(IMAGES) < 0.8
    predicted = np.where(right, label, (label + 1) % 10)
    confidence = rng.uniform(0.3, 1, IMAGES)
    label[:20], predicted[30], confidence[30] = -1, -1, np.nan
    columns = {"image": np.arange(IMAGES), "label": label, "predicted": predicted, "confidence": confidence}
    return Table("predictions", columns | {"rank": np.where(predicted == label, 0, 1)})


def tables(rng: np.random.Generator) -> tuple[Table, ...]:
    """Every kind that a page shows, with markup in the texts."""
    text = {"layer": np.array(["conv1", EVIL]), "name": np.array(["weight", "bias"])}
    numbers = {name: np.array([5832.0, 24.0]) for name in ("count", "distinct", "std", "largest")}
    sigmas, layers = np.array([0.0, 0.01, 0.1]), np.array(["conv1", EVIL, "fc"])
    change = np.outer([0.5, 1.0, 2.0], sigmas).ravel()
    nowhere = np.full(6, np.nan)
    return (
        Table(
            "damaged", {"image": np.array([7]), "name": np.array(['<b>"7"</b>.jpg']), "reason": np.array(["cut off"])}
        ),
        predictions(rng),
        Table(
            "attributes",
            {
                "image": np.arange(IMAGES),
                **{name: rng.random(IMAGES).astype(np.float32) for name in ("brightness", "contrast", "sharpness")},
                "width": np.full(IMAGES, 64.0, dtype=np.float32),
                "camera <b>": np.array(["old", "<i>new</i>"])[rng.integers(0, 2, IMAGES)],
                "serial": np.array([f"number {index}" for index in range(IMAGES)]),
            },
        ),
        Table(
            "parameters",
            {
                **text,
                "kind": np.array(["convolution weight", "bias"]),
                "shape": np.array(["24 x 3 x 9 x 9", "24"]),
                "initialization": np.array(["", "zeros"]),
                **numbers,
                "zeros": np.array([0.0, 24.0]),
                "not_finite": np.array([0.0, 3.0]),
            },
        ),
        Table(
            "preprocessing",
            {
                "variant": np.array(["as configured", "pixels of <0..1>"]),
                "change": np.array(["", "mean = [0, 0, 0]"]),
                "pictures": np.array([200, 16]),
                "top1": np.array([0.8, np.nan]),
                "confidence": np.array([0.7, 0.1]),
                "better": np.array([0, 1]),
                "worse": np.array([0, 9]),
            },
        ),
        Table(
            "noise",
            {
                "layer": np.repeat(layers, 3),
                "sigma": np.tile(sigmas, 3),
                "change": change,
                "low": change / 2,
                "high": change * 2,
                "flips": np.concatenate([nowhere, [0.0, 0.125, 0.5]]),
                "probability_std": np.concatenate([nowhere, [0.0, 0.01, 0.3]]),
            },
        ),
        Table(
            "flicker",
            {
                "layer": np.array([*layers, layers[-1]]),
                "of": np.array([*["activations"] * len(layers), "probabilities"]),
                "pictures": np.full(len(layers) + 1, 32),
                "frames": np.full(len(layers) + 1, 12),
                "flicker": np.array([0.1, 0.2, np.nan, 0.4]),
                "low": np.array([0.05, 0.1, np.nan, 0.1]),
                "high": np.array([0.2, 0.3, np.nan, 0.6]),
                **{
                    name: np.array([np.nan] * len(layers) + [0.25])
                    for name in ("changes", "unsteady", "probability_std")
                },
            },
        ),
        Table(
            "correlations",
            {"layer": layers, "units": np.array([24, 40, 10]), "effective_units": np.array([3.5, np.nan, 9])},
        ),
        Table(
            "spread", {"layer": layers, "outliers": np.array([0.1, np.nan, 0.6]), "means": np.array([0.5, 1.0, np.nan])}
        ),
    )


def histogram(layer: str, units: int, rng: np.random.Generator) -> Histogram:
    """Rectified units: a bin without width for the zeros, and one above the largest value; unit 2 is constant."""
    edges = np.concatenate([[0.0, 0.0], np.geomspace(0.01, 10, 20)])[None].repeat(units, axis=0)
    counts = rng.integers(1, 50, (units, edges.shape[1] - 1))
    edges[:, -1], counts[:, -1] = edges[:, -2], 0
    edges[2] = 0.0
    counts[2] = 0
    counts[2, 0] = 500
    return Histogram(layer, edges, counts)


def report(seed: int = 0) -> Report:
    """Five layers, three of them pictured, verdicts of all four outcomes."""
    rng = np.random.default_rng(seed)
    found = {layer.name: strongest(layer, rng) for layer in OUTLINE.layers}
    pictured = tuple(each for name in PICTURED for each in pictures(OUTLINE.layer(name), found[name], rng))
    return Report(
        audit="demo audit",
        model="squeeze <b>net</b>",
        outline=OUTLINE,
        verdicts=verdicts(),
        scalars=tuple(scalars(layer, rng) for layer in OUTLINE.layers),
        strongest=tuple(found.values()),
        numbers=Numbers({"top1": 0.814, "top5": 0.962, "images": float(IMAGES)}),
        histograms=(histogram("relu1", 24, np.random.default_rng(1)), histogram(EVIL, 40, np.random.default_rng(2))),
        tables=(*tables(np.random.default_rng(3)), *summaries(pictured), *variations(OUTLINE, pictured)),
        claims=claims(),
        pictures=pictured,
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
