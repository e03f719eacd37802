"""Each check's page -> a picture of the check firing: a defect is planted, audited, and its item drawn from the report.

    .venv/bin/python scripts/pictures.py [NAME ...]

The model and the pictures are the demo's own, the defects mostly those of the lab (tests/defects).
"""

import io
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)] if str(ROOT) not in sys.path else []

from audit import __version__, registry  # noqa: E402  # the checkout is on the path only now
from audit.data.preprocess import fit, normalized, unit_range  # noqa: E402
from audit.demo.generator import CLASSES  # noqa: E402
from audit.demo.network import network  # noqa: E402
from audit.events import Silence  # noqa: E402
from audit.examination import Examination  # noqa: E402
from audit.measurement import Data  # noqa: E402
from audit.model.filters import describe  # noqa: E402
from audit.plan import prepare  # noqa: E402
from audit.records import Item, Report, Scalars  # noqa: E402
from audit.render.pages import ReportPage, build  # noqa: E402
from audit.render.pages.sections import Section  # noqa: E402
from audit.render.sprites import for_screen  # noqa: E402
from audit.render.templates import environment  # noqa: E402
from tests.audits import section  # noqa: E402
from tests.defects import planting as plant  # noqa: E402
from tests.defects.definitions import definitions  # noqa: E402
from tests.defects.healthy import Healthy, healthy  # noqa: E402
from tests.defects.lab import FILE, write_audit  # noqa: E402
from tests.defects.recipes import Planted, planted  # noqa: E402

PAGES = ROOT / "docs" / "checks"
PICTURES = 300
"""Generated pictures that an audit shows, where the check needs no more."""

WIDTH, TALLEST = 800, 4000
"""Of a page in pixels of CSS, 96 to the inch; what is not needed of the height is cut off."""

MARGIN = 12
COLOURS = 128
"""Of the palette of a picture."""

DARK = 0.03
"""Of their brightness: pictures that are far too dark."""

Plant = Callable[[Healthy], Planted]


@dataclass(frozen=True)
class Scene:
    """How a check is made to fire: what is planted, the layer whose item is drawn (None: the model's), more audit.toml.

    `write` puts files beside it, `shows` are titles of charts and tables of the report that stand below the item, and
    `analysis` is one whose pictures do.
    """

    planted: Plant
    layer: str | None = None
    file: str = ""
    write: Callable[[Healthy, Path], None] | None = None
    shows: tuple[str, ...] = ()
    analysis: str = ""
    pictures: int = PICTURES


def main(names: Sequence[str]) -> None:
    """Draws the pictures of those checks, or of all. ValueError where a check does not fire."""
    if unknown := set(names) - set(SCENES):
        raise SystemExit(f"no scene of {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}")
    torch.set_num_threads(1)
    for name in names or SCENES:
        path = PAGES / f"{name}.png"
        with TemporaryDirectory() as folder:
            path.write_bytes(drawn(report(name, SCENES[name], Path(folder)), SCENES[name].shows))
        sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB\n")


# The audit


def report(name: str, scene: Scene, folder: Path) -> Report:
    """The report of an audit of what the scene plants, with the check's one item; ValueError if it does not fail."""
    whole = healthy("demo")
    whole = replace(whole, subject=replace(whole.subject, pictures=scene.pictures), known={})
    file = write_audit(folder, whole, scene.planted(whole))
    file.write_text(file.read_text(encoding="utf-8") + scene.file, encoding="utf-8")
    if scene.write is not None:
        scene.write(whole, folder)
    examination = _examination(file, [task for task in (name, scene.analysis) if task], scene.layer)
    verdict, *_ = [examination.verdict(item) for item in examination.items]
    if verdict.outcome != "failed" or verdict.measured is None:
        raise ValueError(f"{verdict.item.id} was to find something: {verdict.outcome}, {verdict.message}")
    return _report(examination, verdict.item)


def _examination(file: Path, tasks: Sequence[str], layer: str | None) -> Examination:
    """Of the items with these tasks at the layer."""
    prepared = prepare(file)
    (subject,) = prepared.subjects.values()
    items = {(item.layer, item.task): item for item in prepared.items(FILE)}
    chosen = [items[layer, task] for task in tasks]
    data = Data(prepared.config, Silence())
    return Examination(prepared.config, subject, chosen, data, folder=file.parent / "work", listener=Silence())


def _report(examination: Examination, item: Item) -> Report:
    """What was measured for the item."""
    subject, measured = examination.subject, examination.measured
    layers = [subject.model.outline.layer(name) for name in measured.needs.layers] if measured.done else []
    return Report(
        audit=examination.config.audit.name,
        model=subject.name,
        outline=subject.model.outline,
        verdicts=(examination.verdict(item),),
        scalars=tuple(Scalars(layer.name, measured.columns(layer)) for layer in layers),
        tables=tuple(measured.made()),
        pictures=tuple(examination.pictures.values()),
        labels=subject.model.labels,
    )


# The picture

STYLE = f"""
@page {{ size: {WIDTH}px {TALLEST}px; margin: {MARGIN}px }}
main {{ max-width: none; padding: 0 }}
.item {{ margin: 0 }}
.item h3 .badge {{ font-size: .85rem }}
.item summary, .findings a {{ color: inherit; text-decoration: none }}
.item details > ul {{ display: none }}
table {{ font-size: .76rem; line-height: 1.3 }}
th, td {{ padding-top: .25rem; padding-bottom: .25rem }}
.bar, .skip, #verdict, #model, #layers, #paper, #weights, #tables, #provenance {{ display: none }}
h2, #shown > .lead, #units > .lead, .layer > h3, .panel h5, .panel figcaption, .close {{ display: none }}
.chips, .methods, .stats, .captions {{ display: none }}
.charts, .layer, .panels, .blocks {{ display: block; margin: 0 }}
.chart, .grid {{ margin: 1.4rem 0 0 }}
.unit {{ display: inline-block; border: 0; margin: .8rem .5rem 0 0; padding: 0 }}
.unit h4 {{ font-size: .75rem; font-weight: 400 }}
.panel {{ width: 64px; min-width: 0; margin: 0 }}
"""


def drawn(report: Report, shows: Sequence[str]) -> bytes:
    """A PNG of the report's page: its item, the charts and tables of these titles, and the pictures of units."""
    page = _reduced(build(report, for_screen(1)), shows)
    text = environment().get_template("report.html").render(page=page, version=__version__)
    page_drawn = _cropped(_pixels(text.replace("</style>", f"{STYLE}</style>", 1)))
    return _png(page_drawn, Image.Quantize.MEDIANCUT if report.pictures else Image.Quantize.MAXCOVERAGE)


def _reduced(page: ReportPage, shows: Sequence[str]) -> ReportPage:
    """Charts and tables of these titles in one section; LookupError if the report lacks one."""
    charts = [
        *page.charts,
        *(page.pictures.charts if page.pictures else ()),
        *(page.fooling.charts if page.fooling else ()),
        *(page.paper.charts if page.paper else ()),
    ]
    grids = list(page.pictures.grids if page.pictures else ())
    titles = [*(chart.title for chart in charts), *(grid.title for grid in grids)]
    if missing := set(shows) - set(titles):
        raise LookupError(f"the report lacks {', '.join(missing)}; it has {', '.join(titles)}")
    drawn = tuple(chart for chart in charts if chart.title in shows)
    listed = tuple(replace(grid, folded=False) for grid in grids if grid.title in shows)
    return replace(page, pictures=Section("shown", "shown", "", "", drawn, listed), fooling=None)


def _pixels(text: str) -> UInt8[np.ndarray, "y x 3"]:
    """The page that WeasyPrint makes of it, at a pixel of CSS each."""
    import pymupdf
    from weasyprint import HTML

    with pymupdf.open(stream=HTML(string=text).write_pdf()) as document:  # type: ignore[no-untyped-call]
        pixels = document[0].get_pixmap(dpi=96, alpha=False)
    return np.frombuffer(pixels.samples, np.uint8).reshape(pixels.height, pixels.width, 3)


def _cropped(page: UInt8[np.ndarray, "y x 3"]) -> UInt8[np.ndarray, "y x 3"]:
    """Without the white below."""
    (inked,) = np.nonzero((page < 255).any(axis=(1, 2)))
    return page[: inked[-1] + 1 + MARGIN]


def _png(pixels: UInt8[np.ndarray, "y x 3"], method: Image.Quantize) -> bytes:
    """With a palette: max coverage keeps the colours of thin lines, median cut those of areas beside noise."""
    file = io.BytesIO()
    picture = Image.fromarray(pixels).quantize(COLOURS, method, dither=Image.Dither.NONE)
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


# What is planted


def lab(kind: str, place: str, strength: float | str) -> Plant:
    """A defect of defects.toml."""
    return lambda whole: planted(
        whole, replace(definitions().planting("demo", kind, place, strength), subject=whole.subject)
    )


def as_it_is(whole: Healthy) -> Planted:
    """Nothing is planted."""
    return Planted(whole.state)


def deaf_to_detail(whole: Healthy) -> Planted:
    """Filters of the first convolution above the middle frequency are quieter, and read louder."""
    place = whole.subject.places["conv1"]
    frequency = describe(whole.state["conv1.weight"].numpy())["frequency"]
    high = np.flatnonzero(frequency > np.median(frequency)).tolist()
    return Planted(plant.louder(whole.state, place, high, 1 / 60))


def stretched(whole: Healthy) -> Planted:
    """Pictures that are far too dark, stretched to what the network expects: their noise is stretched with them."""
    mean, std = (np.asarray(value).mean() * DARK for value in (whole.section.mean, whole.section.std))
    darkened = {"defect": "darkened", "strength": DARK, "seed": 0}
    return Planted(whole.state, shown={"mean": float(mean), "std": float(std)}, pictures=darkened)


def stale_statistics(whole: Healthy) -> Planted:
    """The demo's network with normalisations that change nothing, until one's statistics are those of other data."""
    model = normalised()
    model.load_state_dict(dict(whole.state), strict=False)
    maps = _shown(whole)
    with torch.inference_mode():
        for module in model:
            if isinstance(module, nn.BatchNorm2d):
                _undone(module, maps)
            maps = module(maps)
    state = plant.statistics_stale(model.state_dict(), ["bn2"], 1.0, torch.Generator().manual_seed(0))
    return Planted(state, shown={"factory": f"{__file__}:normalised"})


def _undone(norm: nn.BatchNorm2d, maps: Float[Tensor, "image unit y x"]) -> None:
    """Gives a normalisation the statistics of these maps, and the scale and bias that undo it."""
    mean, variance = maps.mean((0, 2, 3)), maps.var((0, 2, 3))
    known = {"running_mean": mean, "running_var": variance, "num_batches_tracked": torch.tensor(len(maps))}
    norm.load_state_dict({**known, "weight": (variance + norm.eps).sqrt(), "bias": mean})


def _shown(whole: Healthy) -> Float[Tensor, "image 3 y x"]:
    """The pictures as the network sees them."""
    pixels = torch.stack([unit_range(fit(picture, whole.section)) for picture, _ in whole.pictures.examples])
    return normalized(pixels, whole.model.mean, whole.model.std)


def normalised(classes: int = len(CLASSES)) -> nn.Sequential:
    """The demo's network with a normalisation after each convolution; `[[models]] factory`."""
    layers: list[tuple[str, nn.Module]] = []
    for name, module in network(classes).named_children():
        layers.append((name, module))
        if isinstance(module, nn.Conv2d):
            layers.append((name.replace("conv", "bn"), nn.BatchNorm2d(module.out_channels)))
    return nn.Sequential(OrderedDict(layers)).eval()


def stuck_at_six(whole: Healthy) -> Planted:
    """The demo's network with a ReLU6, and eight units with a bias that never lets them leave its 6."""
    place = whole.subject.places["conv2"]
    units = whole.living(place)[:8]
    _, lowest = whole.activity(place)
    state = plant.biased(whole.state, place, units, 12 - lowest[units])
    return Planted(state, shown={"factory": f"{__file__}:capped"})


def capped(classes: int = len(CLASSES)) -> nn.Sequential:
    """The demo's network with a ReLU6 for its second ReLU; `[[models]] factory`."""
    layers = network(classes).named_children()
    return nn.Sequential(
        OrderedDict((name, nn.ReLU6() if name == "relu2" else module) for name, module in layers)
    ).eval()


def ask_people(whole: Healthy, folder: Path) -> None:
    """people.csv: two people who looked at 100 pictures, and are wrong once in twenty times."""
    random = np.random.default_rng(0)
    rows = [
        f'picture {index},"{label if random.random() > 0.05 else random.choice(CLASSES)}",{annotator}'
        for index, (_, label) in enumerate(whole.pictures.examples[:100])
        for annotator in ("ann", "bob")
    ]
    (folder / "people.csv").write_text("\n".join(["picture,label,annotator", *rows]) + "\n", encoding="utf-8")


SCENES: Mapping[str, Scene] = {
    "accuracy": Scene(
        lab("darkened", "", 0.15),
        file=section("[[checks]]", check="accuracy", at_least=90.0),
        shows=("Labels that are confused most",),
    ),
    "adversarial-accuracy": Scene(
        as_it_is,
        file=section("[[checks]]", check="adversarial-accuracy", at_least=50.0, epsilon=16.0),
        shows=("How little change fools it?",),
    ),
    "always-on": Scene(lab("always-on", "conv2", 3.0), "relu2"),
    "attributes": Scene(lab("bgr", "", "blue, green, red"), shows=("Are some kinds of pictures harder?",)),
    "calibration": Scene(lab("blurred", "", 3.0), shows=("Is it right as often as it is sure?",)),
    "constant-units": Scene(lab("constant", "conv2", 4), "relu2"),
    "dead-units": Scene(lab("killed", "conv2", 4), "relu2", pictures=500),
    "degenerate-weights": Scene(lab("zeroed", "conv1", 4)),
    "dominated-layer": Scene(lab("dominated", "conv2", 100), "relu2"),
    "duplicate-units": Scene(lab("duplicated", "conv2", 4), "relu2"),
    "flicker": Scene(
        stretched,
        file=section("[[checks]]", check="flicker", at_most=0.0),
        shows=("What flickers before a camera?", "Answers that flicker"),
    ),
    "frequency-bias": Scene(deaf_to_detail, "conv1", shows=("Do low frequencies fire more?",)),
    "half-precision": Scene(lab("half-overflow", "conv2", 1e5)),
    "human-agreement": Scene(
        lab("labels-permuted", "", "two swapped"),
        file=section("[[checks]]", check="human-agreement", labels="people.csv", at_least=90.0),
        write=ask_people,
    ),
    "label-permutation": Scene(lab("labels-permuted", "", "two swapped"), shows=("Labels that are confused most",)),
    "noise-sensitivity": Scene(stretched, shows=("How far does noise move the layers?", "Answers that noise changes")),
    "noisy-filters": Scene(
        lab("not-loaded", "first", 1.0),
        "conv1",
        file=section("[[layers]]", name="conv1", units="0-19", analyses=["filters"])
        + section("[[checks]]", check="noisy-filters"),
        analysis="filters",
    ),
    "non-finite": Scene(lab("not-a-number", "conv2", 1)),
    "normalisation-drift": Scene(stale_statistics),
    "preprocessing": Scene(lab("bgr", "", "blue, green, red"), shows=("The same pictures, shown otherwise",)),
    "rare-units": Scene(lab("rare", "conv2", 0.004), "relu2", pictures=500),
    "reinitialised-layers": Scene(lab("not-loaded", "last", 1.0)),
    "saturated-units": Scene(stuck_at_six, "relu2"),
}
"""Every check of the registry."""


if __name__ == "__main__":
    assert set(SCENES) == set(registry.names("check")), "a scene per check, and a check per scene"
    main(sys.argv[1:])
