"""Real checkpoints on real pictures, audited by the program as a user runs it, against plain loops written here."""

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr
from torch import Tensor, nn
from torchvision import transforms
from torchvision.models import squeezenet1_0

from audit.records import Report, Verdict
from audit.store import read
from tests.audits import environment
from tests.prefork import forked

pytestmark = pytest.mark.data

EXAMPLES = Path(__file__).parents[1] / "examples"
KEPT = 9
DEEP = ("features.0", "features.1", "features.4.squeeze_activation", "features.12.expand3x3", "classifier.2")
"""Layers of SqueezeNet that are looked at closely."""

PHOTOGRAPHS = 125
"""Every fourth one."""


def audited(file: Path, reports: Path, real: Path, *options: str, units: str = "random:2") -> None:
    """Runs the program on a file; 0: all passed, 1: some items did not."""
    command = ["run", str(file), "--report", str(reports), "-q", *options, "-p", "no:cacheprovider"]
    variables = {**environment(), "DEEPVIS_DATA": str(real), "DEEPVIS_UNITS": units}
    result = forked("deepvis-audit", command, reports, variables)
    assert result.returncode in (0, 1), result.stdout[-3000:] + result.stderr[-3000:]
    assert "Traceback" not in result.stdout + result.stderr


def verdict(report: Report, layer: str | None, task: str) -> Verdict:
    return next(v for v in report.verdicts if v.item.layer == layer and v.item.task == task)


def columns(report: Report, layer: str) -> dict[str, np.ndarray]:
    return dict(next(record.columns for record in report.scalars if record.layer == layer))


def examples_of(folder: Path, plain: transforms.Compose) -> Iterator[tuple[str, str, Tensor]]:
    """(path inside the folder, class, input) of every picture, in the order of the paths."""
    for path in sorted(folder.glob("*/*.jpg")):
        with Image.open(path) as picture:
            yield path.relative_to(folder).as_posix(), path.parent.name, plain(picture.convert("RGB"))


@dataclass
class Plain:
    """Float64 sums of a layer over all pictures, and every picture's peak, [image, unit]."""

    count: int = 0
    total: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0
    above: np.ndarray | int = 0
    low: np.ndarray | float = np.inf

    def __post_init__(self) -> None:
        self.peaks: list[np.ndarray] = []

    def see(self, maps: np.ndarray) -> None:
        """`maps` [unit, position] of one picture."""
        self.count += maps.shape[1]
        self.total = self.total + maps.sum(axis=1, dtype=np.float64)
        self.squares = self.squares + np.einsum("up,up->u", maps, maps, dtype=np.float64)
        self.above = self.above + (maps > 0).sum(axis=1)
        self.low = np.minimum(self.low, maps.min(axis=1))
        self.peaks.append(maps.max(axis=1))


@dataclass(frozen=True)
class Loop:
    """What a plain loop over all pictures finds: the outputs, layers closely, and the peaks of every other layer."""

    names: list[str]
    truth: list[str]
    outputs: np.ndarray
    layers: dict[str, Plain]
    peaks: dict[str, np.ndarray]


@torch.no_grad()
def looped(network: nn.Module, pictures: Iterator[tuple[str, str, Tensor]], closely: tuple[str, ...]) -> Loop:
    """One picture after the other through the network; modules called ReLU are looked at from above."""
    layers, peaks = {name: Plain() for name in closely}, {}
    rectifiers = [name for name, module in network.named_modules() if isinstance(module, nn.ReLU)]

    def see(name: str, _: nn.Module, __: object, output: Tensor) -> None:
        maps = output[0].flatten(1).numpy()
        if name in layers:
            layers[name].see(maps.copy())
        if name in rectifiers:
            peaks.setdefault(name, []).append(maps.max(axis=1))

    for name in {*closely, *rectifiers}:
        network.get_submodule(name).register_forward_hook(partial(see, name))
    names, truth, outputs = [], [], []
    for name, label, image in pictures:
        names.append(name)
        truth.append(label)
        outputs.append(network(image[None])[0].numpy())
    return Loop(names, truth, np.stack(outputs), layers, {name: np.stack(rows) for name, rows in peaks.items()})


# SqueezeNet on photographs

PHOTOGRAPH = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(227),
        transforms.ToTensor(),
        transforms.Normalize([123 / 255, 117 / 255, 104 / 255], [1 / 255] * 3),
    ]
)


@pytest.fixture(scope="module")
def squeezenet(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The audit of the example with a quarter of its photographs, two units a layer and a preset of few steps."""
    folder = tmp_path_factory.mktemp("squeezenet")
    text = (EXAMPLES / "squeezenet.toml").read_text()
    pictured = 'analyses = ["activations", "optimized", "max-patches", "deconv"]'
    assert pictured in text
    assert "batch = 25\n" in text
    text = text.replace("batch = 25\n", f"batch = 25\nlimit = {PHOTOGRAPHS}\n")
    text = text.replace(pictured, f'{pictured}\npresets = ["quick"]\nimages = 2')
    (folder / "audit.toml").write_text(f"{text}\n[presets.quick]\nsteps = 3\nlearning_rate = 1.0\n")
    audited(folder / "audit.toml", folder, real)
    return read(folder / "squeezenet" / "latest")


@pytest.fixture(scope="module")
def photographs(real: Path) -> Loop:
    network = squeezenet1_0().eval()
    state = torch.load(real / "squeezenet1_0_imagenet.pth", map_location="cpu", weights_only=True)
    network.load_state_dict(state)
    return looped(network, islice(examples_of(real / "imagenet-sample", PHOTOGRAPH), 0, None, 4), DEEP)


def test_squeezenets_accuracy_is_that_of_a_plain_loop(squeezenet: Report, photographs: Loop, real: Path) -> None:
    synsets = [line.split()[0] for line in (real / "imagenet-classes.txt").read_text().splitlines()]
    truth = np.array([synsets.index(label) for label in photographs.truth])
    ranked = np.argsort(-photographs.outputs, axis=1, kind="stable")
    top1, top5 = int((ranked[:, 0] == truth).sum()), int((ranked[:, :5] == truth[:, None]).any(axis=1).sum())
    numbers = squeezenet.numbers.values
    assert numbers["images"] == numbers["labelled_images"] == len(truth) == PHOTOGRAPHS
    assert (round(numbers["top1"] * PHOTOGRAPHS), round(numbers["top5"] * PHOTOGRAPHS)) == (top1, top5)
    assert verdict(squeezenet, None, "accuracy").measured == pytest.approx(100 * top1 / PHOTOGRAPHS)
    assert top1 > 0.55 * PHOTOGRAPHS


@pytest.mark.parametrize("layer", DEEP)
def test_statistics_are_those_of_a_float64_loop(squeezenet: Report, photographs: Loop, layer: str) -> None:
    found, plain = columns(squeezenet, layer), photographs.layers[layer]
    mean = plain.total / plain.count
    std = np.sqrt(np.maximum(plain.squares / plain.count - mean**2, 0))
    np.testing.assert_allclose(found["mean"], mean, rtol=1e-5, atol=1e-5 * float(np.max(std)))
    np.testing.assert_allclose(found["std"], std, rtol=1e-5)
    peak = np.max(plain.peaks, axis=0)
    scale = np.abs([plain.low, peak]).max()
    np.testing.assert_allclose(found["min"], plain.low, rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_allclose(found["max"], peak, rtol=1e-5, atol=1e-6 * scale)
    # rounding may move a few of the millions of activations across zero
    near = 3 / plain.count  # positions so near zero that the order of a sum decides
    np.testing.assert_allclose(found["share_of_positions"], plain.above / plain.count, rtol=1e-4, atol=near)
    shares = (np.array(plain.peaks) > 0).mean(axis=0)
    np.testing.assert_allclose(found["share_of_images"], shares, atol=1 / PHOTOGRAPHS + 1e-9)
    assert (found["non_finite"] == 0).all()


@pytest.mark.parametrize("layer", DEEP)
def test_the_strongest_photographs_are_those_of_brute_force(squeezenet: Report, photographs: Loop, layer: str) -> None:
    found = next(record for record in squeezenet.strongest if record.layer == layer)
    peaks = np.array(photographs.layers[layer].peaks)
    scale = 1e-5 * np.abs(peaks).max()
    best = -np.sort(-peaks, axis=0)[:KEPT].T
    np.testing.assert_allclose(found.value, best, rtol=1e-5, atol=scale)
    for unit, row in enumerate(found.image):
        assert len(set(row)) == KEPT
        np.testing.assert_allclose(peaks[row, unit], found.value[unit], rtol=1e-5, atol=scale)
        for index in row:
            assert squeezenet.image_names[index] == photographs.names[index]


def test_a_unit_has_its_strongest_value_at_its_strongest_position(squeezenet: Report, real: Path) -> None:
    network = squeezenet1_0().eval()
    network.load_state_dict(torch.load(real / "squeezenet1_0_imagenet.pth", weights_only=True))
    inputs = [image for _, _, image in islice(examples_of(real / "imagenet-sample", PHOTOGRAPH), 0, None, 4)]
    found = next(record for record in squeezenet.strongest if record.layer == "features.4.squeeze_activation")
    seen: list[Tensor] = []
    network.get_submodule(found.layer).register_forward_hook(lambda _, __, output: seen.append(output.clone()))
    for unit in range(0, 16, 5):
        for rank in (0, 4, 8):
            with torch.no_grad():
                network(inputs[int(found.image[unit, rank])][None])
            maps = seen.pop()[0, unit]
            here = float(maps[found.y[unit, rank], found.x[unit, rank]])
            assert here == pytest.approx(float(maps.max()), rel=1e-5, abs=1e-4)
            assert here == pytest.approx(float(found.value[unit, rank]), rel=1e-5, abs=1e-4)


def test_the_dead_units_are_those_of_brute_force(squeezenet: Report, photographs: Loop) -> None:
    dead = {layer: set(np.flatnonzero((peaks <= 0).all(axis=0))) for layer, peaks in photographs.peaks.items()}
    assert len(dead) == 26
    assert sum(map(len, dead.values())) > 0
    for layer, units in dead.items():
        said = verdict(squeezenet, layer, "dead-units")
        assert {finding.unit for finding in said.findings} == units
        assert said.outcome == ("failed" if units else "passed")


def test_the_frequency_bias_is_that_of_a_plain_computation(squeezenet: Report, photographs: Loop, real: Path) -> None:
    state = torch.load(real / "squeezenet1_0_imagenet.pth", map_location="cpu", weights_only=True)
    weight = state["features.0.weight"].double().numpy()
    plain = photographs.layers["features.1"]
    activation = np.asarray(plain.total) / plain.count
    frequency, edge = np.zeros(96), np.zeros(96, dtype=bool)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(-64, 65) / 128, np.arange(7)))
    for unit, filter_ in enumerate(weight):
        gray = filter_.mean(axis=0)
        edge[unit] = ((filter_ - gray) ** 2).sum() <= 0.5 * (filter_**2).sum()
        even = [channel - channel.mean() for channel in filter_]
        power = sum(np.abs(waves @ channel @ waves.T) ** 2 for channel in even)
        row, column = np.unravel_index(np.argmax(power), (129, 129))
        frequency[unit] = np.hypot(row - 64, column - 64) / 128
    order = np.flatnonzero(edge)[np.argsort(frequency[edge], kind="stable")]
    ratio = activation[order[:5]].mean() / activation[order[-5:]].mean()
    said = verdict(squeezenet, "features.0", "frequency-bias")
    assert said.measured == pytest.approx(ratio, rel=1e-4)
    correlation = spearmanr(frequency[edge], activation[edge]).statistic
    assert correlation < 0
    assert f"rank correlation {correlation:+.2f}" in said.message
    assert ratio > 1


def test_patches_of_photographs_are_cut_from_what_the_model_saw(squeezenet: Report, real: Path) -> None:
    made = next(
        pictures
        for pictures in squeezenet.pictures
        if pictures.kind == "max-patches" and pictures.layer == "features.5"
    )
    strongest = next(record for record in squeezenet.strongest if record.layer == "features.5")
    field = squeezenet.outline.layer("features.5").field
    assert field is not None
    assert made.tiles.shape == (2, 2, *field.size, 3)
    plain = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(227)])
    for row, unit in enumerate(made.units):
        for rank in range(2):
            name = squeezenet.image_names[int(strongest.image[unit, rank])]
            assert made.captions[row][rank].endswith(name)
            with Image.open(real / "imagenet-sample" / name) as picture:
                pixels = np.asarray(plain(picture.convert("RGB")))
            top, left, bottom, right = field.box(strongest.y[unit, rank], strongest.x[unit, rank])
            padded = np.full((227 + 200, 227 + 200, 3), 128, np.uint8)
            padded[100:-100, 100:-100] = pixels
            expected = padded[top + 100 : bottom + 100, left + 100 : right + 100]
            np.testing.assert_array_equal(made.tiles[row, rank], expected)


def test_every_selected_picture_was_made(squeezenet: Report) -> None:
    made = {(pictures.layer, pictures.kind): pictures.tiles.shape[:2] for pictures in squeezenet.pictures}
    layers, kinds = ("features.0", "features.5", "features.9"), ("optimized", "max-patches", "deconv")
    assert made == {(layer, kind): (2, 2) for layer in layers for kind in kinds}
    assert not [said for said in squeezenet.verdicts if said.outcome == "error"]


# ResNets on CIFAR-10


@dataclass(frozen=True)
class Cifar:
    """The program's report and the plain loop, of one ResNet."""

    report: Report
    right: int
    peaks: dict[str, np.ndarray]


@pytest.fixture(scope="module")
def cifar_reports(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cifar")
    audited(EXAMPLES / "cifar.toml", folder, real, "-k", "not optimized and not max-patches and not deconv")
    return folder


@pytest.fixture(scope="module", params=[(20, "12fca82f"), (32, "d509ac18")], ids=["resnet20", "resnet32"])
def cifar(request: pytest.FixtureRequest, cifar_reports: Path, real: Path) -> Cifar:
    depth, digest = request.param
    report = read(cifar_reports / f"resnet{depth}" / "latest")
    return Cifar(report, *plain_cifar(depth, real / f"cifar10-resnet{depth}-{digest}.th", real / "cifar10" / "test"))


@torch.no_grad()
def plain_cifar(depth: int, checkpoint: Path, folder: Path) -> tuple[int, dict[str, np.ndarray]]:
    """How many pictures are right, and by name each picture's highest output of every ReLU, [image, unit].

    The ReLUs are functions, so the blocks' forward pass is written out here.
    """
    spec = importlib.util.spec_from_file_location("cifar_resnet", EXAMPLES / "cifar_resnet.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.resnet(depth).eval()
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("module."): value for name, value in state.items()})
    normalize = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    pictures = list(examples_of(folder, transforms.Compose([transforms.ToTensor(), normalize])))
    classes = sorted({label for _, label, _ in pictures})
    right, peaks = 0, {}
    for start in range(0, len(pictures), 100):
        part = pictures[start : start + 100]
        maps = network.bn1(network.conv1(torch.stack([image for _, _, image in part]))).clamp(min=0)
        seen = {"relu": maps}
        for stage in ("layer1", "layer2", "layer3"):
            for number, block in enumerate(getattr(network, stage)):
                inner = block.bn1(block.conv1(maps)).clamp(min=0)
                shortcut = maps[:, :, :: block.stride, :: block.stride]
                wider = torch.zeros(*shortcut.shape[:1], inner.shape[1], *shortcut.shape[2:])
                first = (inner.shape[1] - shortcut.shape[1]) // 2
                wider[:, first : first + shortcut.shape[1]] = shortcut
                maps = (block.bn2(block.conv2(inner)) + wider).clamp(min=0)
                seen |= {f"{stage}.{number}.relu": inner, f"{stage}.{number}.relu#2": maps}
        scores = network.linear(maps.mean(dim=(2, 3))).numpy()
        right += sum(int(row.argmax()) == classes.index(label) for row, (_, label, _) in zip(scores, part, strict=True))
        for name, value in seen.items():
            peaks.setdefault(name, []).append(value.amax(dim=(2, 3)).numpy())
    return right, {name: np.concatenate(rows) for name, rows in peaks.items()}


def test_a_cifar_networks_accuracy_is_that_of_a_plain_loop(cifar: Cifar) -> None:
    expected = {"resnet20": 81.3, "resnet32": 83.8}[cifar.report.model]
    assert cifar.report.numbers.values["labelled_images"] == 2000
    assert round(cifar.report.numbers.values["top1"] * 2000) == cifar.right
    assert round(cifar.right / 20, 1) == expected


def test_functional_relus_are_layers_and_their_dead_units_are_those_of_brute_force(cifar: Cifar) -> None:
    found = {layer.name for layer in cifar.report.outline.layers if layer.rectifier and layer.kind == "relu"}
    assert found == set(cifar.peaks)
    for layer, peaks in cifar.peaks.items():
        dead = set(np.flatnonzero((peaks <= 0).all(axis=0)))
        said = verdict(cifar.report, layer, "dead-units")
        assert {finding.unit for finding in said.findings} == dead
        assert said.outcome == ("failed" if dead else "passed")
        shares = (peaks > 0).mean(axis=0)
        np.testing.assert_allclose(columns(cifar.report, layer)["share_of_images"], shares, atol=1 / 2000 + 1e-9)
