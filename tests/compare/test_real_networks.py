"""A real residual network against itself, against itself with its channels permuted, and against a fine-tuned copy."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from audit.checkpoints import measured
from audit.compare import Comparison, compare
from audit.events import Silence
from audit.model.factory import made
from audit.records import Report
from tests.audits import PROGRAM, ended

pytestmark = pytest.mark.data

EXAMPLES = Path(__file__).parents[2] / "examples"
TUNED = ("layer2.1.conv1", "linear")
CHECKPOINT = "cifar10-resnet20-12fca82f.th"
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def folder(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The audit of the example, on fewer pictures."""
    folder = tmp_path_factory.mktemp("resnets")
    text = (EXAMPLES / "cifar.toml").read_text().replace("${DEEPVIS_DATA}", str(real))
    assert "batch = 100" in text
    (folder / "cifar.toml").write_text(text.replace("batch = 100", "batch = 100\nlimit = 300"))
    (folder / "cifar_resnet.py").write_text((EXAMPLES / "cifar_resnet.py").read_text())
    return folder


@pytest.fixture(scope="module")
def state(real: Path) -> State:
    raw = torch.load(real / CHECKPOINT, map_location="cpu", weights_only=True)["state_dict"]
    return {name.removeprefix("module."): value for name, value in raw.items()}


def report(folder: Path, name: str, state: State) -> Report:
    torch.save(state, folder / name)
    return measured(folder / "cifar.toml", folder / name, "resnet20", Silence())


@pytest.fixture(scope="module")
def original(folder: Path, state: State) -> Report:
    return report(folder, "original.pth", state)


def permuted(state: State, seed: int) -> tuple[State, dict[str, np.ndarray]]:
    """The same function with all channels in another order: unit u of a convolution is what unit order[u] was.

    Inner channels of a block move freely, those of the residual stream together; a shortcut that widens the stream
    puts its channels into the middle, so those in the middle and those around it move among themselves.
    """
    random, changed, orders = np.random.default_rng(seed), dict(state), {}

    def units(convolution: str, norm: str, order: np.ndarray) -> None:
        orders[convolution] = order
        for name in (
            f"{convolution}.weight",
            *(f"{norm}.{n}" for n in ("weight", "bias", "running_mean", "running_var")),
        ):
            changed[name] = changed[name][order]

    def inputs(reader: str, order: np.ndarray) -> None:
        changed[f"{reader}.weight"] = changed[f"{reader}.weight"][:, order]

    stream = random.permutation(16)
    units("conv1", "bn1", stream)
    for stage, channels in (("layer1", 16), ("layer2", 32), ("layer3", 64)):
        for block in (f"{stage}.0", f"{stage}.1", f"{stage}.2"):
            inner = random.permutation(channels)
            inputs(f"{block}.conv1", stream)
            units(f"{block}.conv1", f"{block}.bn1", inner)
            inputs(f"{block}.conv2", inner)
            if len(stream) < channels:
                half = len(stream) // 2
                around = random.permutation(np.r_[:half, channels - half : channels])
                stream = np.r_[around[:half], half + stream, around[half:]]
            units(f"{block}.conv2", f"{block}.bn2", stream)
    inputs("linear", stream)
    return changed, orders


def tuned(state: State, folder: Path, pictures: Path) -> State:
    """Two layers after a few steps of gradient descent on pictures of the training set."""
    network = made("cifar_resnet.py:resnet", {"depth": 20}, folder)
    assert isinstance(network, torch.nn.Module)
    network.load_state_dict(state)
    network.eval()  # statistics of normalisations stay what they are
    weights = [value for name, value in network.named_parameters() if name.startswith(TUNED)]
    descent = torch.optim.SGD(weights, lr=0.01, momentum=0.9)
    files = sorted(pictures.glob("*/*.jpg"))[::30]
    classes = sorted({file.parent.name for file in files})
    pixels = torch.stack([torch.from_numpy(np.array(Image.open(file).convert("RGB"))) for file in files])
    inputs = pixels.permute(0, 3, 1, 2) / 255
    inputs = (inputs - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / 0.225
    labels = torch.tensor([classes.index(file.parent.name) for file in files])
    for part in torch.arange(len(files)).reshape(4, -1):
        descent.zero_grad()
        F.cross_entropy(network(inputs[part]), labels[part]).backward()
        descent.step()
    return network.state_dict()


def unlike(comparison: Comparison, *statuses: str) -> list[str]:
    return [layer.name for layer in comparison.layers if layer.status not in (None, *statuses)]


def test_against_itself_nothing_changed(folder: Path, original: Report, state: State) -> None:
    found = compare(original, report(folder, "same.pth", state))
    assert found.outcome == "equal"
    assert unlike(found, "equal") == []
    assert set(found.fates) == {"same"}


def test_with_permuted_channels_every_unit_is_found_again_and_nothing_drifted(
    folder: Path, original: Report, state: State
) -> None:
    changed, orders = permuted(state, seed=1)
    found = compare(original, report(folder, "permuted.pth", changed))
    assert found.outcome == "permuted"
    assert found.headline.startswith("Permuted, nothing drifted: ")
    assert set(unlike(found, "permuted")) == set()
    assert set(found.fates) <= {"same", "moved", "swapped"}
    places = {layer.name: [pair.b for pair in layer.pairs] for layer in found.layers}
    for convolution, order in orders.items():
        assert places[convolution] == np.argsort(order).tolist()
    correlations = [pair.correlation for layer in found.layers for pair in layer.pairs]
    assert np.nanmin(correlations) > 0.9999


def test_a_fine_tuned_copy_names_the_layers_that_were_tuned_and_no_others(
    folder: Path, original: Report, state: State, real: Path
) -> None:
    changed = tuned(state, folder, real / "cifar10" / "train")
    found = compare(original, report(folder, "tuned.pth", changed))
    assert found.outcome == "changed"
    assert [layer.name for layer in found.of("re-trained")] == list(TUNED)
    assert set(unlike(found, "equal")) == set(TUNED)
    assert "2 layers re-trained (layer2.1.conv1, linear)" in found.headline
    before = [layer.name for layer in found.layers].index("layer2.1.conv1")
    assert {fate for layer in found.layers[:before] for fate in layer.fates} == {"same"}


def test_permuted_and_fine_tuned_units_are_found_again_all_the_same(
    folder: Path, original: Report, state: State, real: Path
) -> None:
    changed, orders = permuted(tuned(state, folder, real / "cifar10" / "train"), seed=2)
    found = compare(original, report(folder, "both.pth", changed))
    assert [layer.name for layer in found.of("re-trained")] == list(TUNED)
    places = {layer.name: [pair.b for pair in layer.pairs] for layer in found.layers}
    for convolution, order in orders.items():
        assert places[convolution] == np.argsort(order).tolist()


def test_the_command_says_so(folder: Path, original: Report, state: State) -> None:
    torch.save(permuted(state, seed=3)[0], folder / "again.pth")
    asked = ("--audit", "cifar.toml", "--model", "resnet20", "--fail-on-change")
    result: subprocess.CompletedProcess[str] = ended(
        [str(PROGRAM), "compare", "original.pth", "again.pth", *asked], folder, pdf=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith("Permuted, nothing drifted")
