"""Models from sections of audit.toml, right and wrong."""

import hashlib
import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from audit.config import ModelSection
from audit.errors import SectionError
from audit.model.load import Model, load

CPU = torch.device("cpu")

SOURCE = """
from dataclasses import dataclass

from torch import nn

from beside import width

@dataclass
class Options:
    channels: int

def tiny(channels=3, outputs=5):
    options = Options(channels)
    return nn.Sequential(nn.Conv2d(options.channels, width(), 3), nn.BatchNorm2d(width()), nn.ReLU(inplace=True),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width(), outputs))

def lazy():
    return nn.Sequential(nn.LazyConv2d(4, 3))

def text():
    return "no network"

def broken():
    raise OSError("no such disk")

constant = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(SOURCE)
    (tmp_path / "beside.py").write_text("def width():\n    return 4\n")
    (tmp_path / "bad.py").write_text("import no_such_module\n")
    return tmp_path


def loaded(folder: Path, **options: Any) -> Model:
    return load(ModelSection(**{"name": "tiny", "factory": "net.py:tiny", "input": (3, 8, 8)} | options), folder, CPU)


def refused(folder: Path, option: str, **options: Any) -> str:
    with pytest.raises(SectionError) as caught:
        loaded(folder, **options)
    assert caught.value.option == option
    return str(caught.value)


def state(folder: Path) -> dict[str, Tensor]:
    torch.manual_seed(5)
    return {
        name: torch.randn(value.shape) if value.is_floating_point() else value
        for name, value in loaded(folder).network.state_dict().items()
    }


def test_a_model_is_ready_to_be_looked_at(folder: Path) -> None:
    model = loaded(folder, mean=(0.1, 0.2, 0.3), std=0.5, labels=("a", "b", "c", "d", "e"))
    assert not model.network.training
    assert not any(parameter.requires_grad for parameter in model.network.parameters())
    assert model.mean.shape == model.std.shape == (3, 1, 1)
    assert model.std.flatten().tolist() == [0.5] * 3
    assert model.labels == ("a", "b", "c", "d", "e")
    assert [layer.name for layer in model.outline.layers] == ["0", "1", "2", "3", "4", "5"]


def test_a_file_is_loaded_again_and_again_and_leaves_no_trace(folder: Path) -> None:
    path = list(sys.path)
    assert loaded(folder).outline.layers[0].units == 4
    (folder / "beside.py").write_text("def width():\n    return 16\n\n")
    assert loaded(folder).outline.layers[0].units == 16
    assert sys.path == path
    assert "beside" not in sys.modules
    assert "torch" in sys.modules


def test_random_weights_are_the_same_in_every_run_and_leave_the_random_numbers_alone(folder: Path) -> None:
    before = torch.random.get_rng_state()
    first = loaded(folder).digest
    torch.randn(3)
    assert loaded(folder).digest == first
    torch.random.set_rng_state(before)
    loaded(folder)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_digest_changes_with_every_number_and_with_the_code(folder: Path) -> None:
    weights = state(folder)
    digests = {loaded(folder).digest, loaded(folder, arguments={"outputs": 6}).digest}
    torch.save(weights, folder / "w.pth")
    digests.add(loaded(folder, checkpoint="w.pth").digest)
    weights["1.running_var"][2] += 1e-3
    torch.save(weights, folder / "w.pth")
    digests.add(loaded(folder, checkpoint="w.pth").digest)
    (folder / "net.py").write_text(SOURCE + "\n# changed\n")
    digests.add(loaded(folder, checkpoint="w.pth").digest)
    assert len(digests) == 5
    assert all(len(digest) == 64 for digest in digests)


def test_the_digest_of_the_file_is_that_of_its_bytes(folder: Path) -> None:
    assert loaded(folder).file_digest is None
    torch.save(loaded(folder).network.state_dict(), folder / "w.pth")
    expected = hashlib.sha256((folder / "w.pth").read_bytes()).hexdigest()
    assert loaded(folder, checkpoint="w.pth").file_digest == expected


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_usual_prefixes_are_stripped(folder: Path, prefix: str) -> None:
    weights = state(folder)
    torch.save({"state_dict": {prefix + name: value for name, value in weights.items()}}, folder / "w.pth")
    network = loaded(folder, checkpoint="w.pth").network
    assert all(torch.equal(network.state_dict()[name], value) for name, value in weights.items())


def test_a_prefix_of_ones_own_is_stripped_and_proposed(folder: Path) -> None:
    weights = state(folder)
    torch.save({"net.body." + name: value for name, value in weights.items()}, folder / "w.pth")
    network = loaded(folder, checkpoint="w.pth", prefix="net.body.").network
    assert torch.equal(network.state_dict()["0.weight"], weights["0.weight"])
    assert 'prefix = "net.body." would make the names fit' in refused(folder, "checkpoint", checkpoint="w.pth")
    text = refused(folder, "prefix", checkpoint="w.pth", prefix="body.")
    assert 'no name begins with "body."; the first is "net.body.0.weight"' in text


def test_floating_point_types_are_converted_and_others_are_not(folder: Path) -> None:
    weights = state(folder)
    half = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
    save_file(half, folder / "w.safetensors")
    network = loaded(folder, checkpoint="w.safetensors").network
    assert network.state_dict()["0.weight"].dtype == torch.float32
    assert torch.equal(network.state_dict()["0.weight"], half["0.weight"].float())
    save_file(weights | {"0.bias": torch.zeros(4, dtype=torch.int8)}, folder / "w.safetensors")
    assert "0.bias int8, needed float32" in refused(folder, "checkpoint", checkpoint="w.safetensors")


def test_numbers_that_are_not_finite_are_loaded(folder: Path) -> None:
    weights = state(folder)
    weights["0.weight"][0, 0, 0, 0] = math.nan
    torch.save(weights, folder / "w.pth")
    assert loaded(folder, checkpoint="w.pth").network.state_dict()["0.weight"].isnan().sum() == 1


def test_counters_of_batches_may_be_missing(folder: Path) -> None:
    weights = state(folder)
    del weights["1.num_batches_tracked"]
    torch.save(weights, folder / "w.pth")
    assert loaded(folder, checkpoint="w.pth").outline.layers


def test_everything_that_does_not_fit_is_named_at_once(folder: Path) -> None:
    weights = state(folder)
    weights["5.weigth"] = weights.pop("5.weight")
    weights["1.bias"] = torch.zeros(7)
    weights |= {f"extra.{i}": torch.zeros(1) for i in range(15)}
    del weights["1.running_mean"]
    torch.save(weights, folder / "w.pth")
    text = refused(folder, "checkpoint", checkpoint="w.pth")
    assert "w.pth does not fit Sequential (9 tensors)" in text
    assert "2 missing: 1.running_mean" in text
    assert "5.weight (nearest: 5.weigth)" in text
    assert "16 unexpected: 5.weigth (nearest: 5.weight), extra.0" in text
    assert "... (6 more)" in text
    assert "extra.8" in text
    assert "extra.9" not in text
    assert "1 different: 1.bias [7], needed [4]" in text


@pytest.mark.parametrize(
    ("options", "option", "text"),
    [
        ({"factory": "torchvision:resnet81"}, "factory", 'no model "resnet81"; did you mean "resnet18"?'),
        (
            {"factory": "torchvision:alexnet", "arguments": {"clases": 3}},
            "arguments",
            "unexpected keyword argument 'clases'",
        ),
        ({"factory": "torchvision:alexnet", "arguments": {"weights": "no"}}, "arguments", "alexnet failed"),
        ({"factory": "no_such_package.models:make"}, "factory", "No module named 'no_such_package'"),
        ({"factory": "torch.nn:Linaer"}, "factory", 'no "Linaer" in torch.nn; did you mean "Linear"?'),
        ({"factory": "torch.nn:Linear"}, "arguments", "missing a required argument: 'in_features'"),
        ({"factory": "nett.py:tiny"}, "factory", 'no file "nett.py"; did you mean "net.py"?'),
        ({"factory": "no/net.py:tiny"}, "factory", 'no folder "no" either'),
        ({"factory": "net.py:tinny"}, "factory", 'no "tinny" in net.py; did you mean "tiny"?'),
        ({"factory": "net.py:constant"}, "factory", "is a int, not a function"),
        ({"factory": "net.py:text"}, "factory", "made a str, not a torch.nn.Module"),
        ({"factory": "net.py:lazy"}, "factory", "leaves sizes open"),
        ({"factory": "net.py:broken"}, "factory", "net.py:broken failed: OSError: no such disk"),
        ({"factory": "bad.py:tiny"}, "factory", "No module named 'no_such_module'"),
        ({"arguments": {"chanels": 1}}, "arguments", "it takes: channels=3, outputs=5"),
        ({"arguments": {"channels": "three"}}, "arguments", "net.py:tiny failed: TypeError"),
        ({"input": (1, 8, 8)}, "input", "1 channels, 8 x 8 pixels"),
        ({"input": (3, 2, 8)}, "input", "3 channels, 2 x 8 pixels"),
        ({"checkpoint": "none.pth"}, "checkpoint", 'no file "none.pth"'),
        ({"labels": ("a", "b")}, "labels", "2 labels, but net.py:tiny has 5 outputs"),
        ({"labels": "names.txt"}, "labels", 'no file "names.txt"'),
    ],
)
def test_every_option_that_is_wrong_is_named(folder: Path, options: dict[str, Any], option: str, text: str) -> None:
    assert text in refused(folder, option, **options)


def test_labels_are_lines_in_the_order_of_the_outputs(folder: Path) -> None:
    (folder / "labels.txt").write_text("\ufeffcat\nägypten\n dog \nd\ne\n\n", encoding="utf-8")
    assert loaded(folder, labels="labels.txt").labels == ("cat", "ägypten", "dog", "d", "e")
    (folder / "labels.txt").write_bytes(b"\xff\xfe\x00")
    assert "labels.txt is no UTF-8 text" in refused(folder, "labels", labels="labels.txt")


@pytest.mark.parametrize("shape", [(1, 28, 28), (5, 9, 31), (6, 40, 12)])
def test_any_channels_and_any_size(folder: Path, shape: tuple[int, int, int]) -> None:
    model = loaded(folder, input=shape, arguments={"channels": shape[0]}, mean=0.5)
    assert model.outline.input_shape == shape
    assert model.mean.shape == (shape[0], 1, 1)
    assert model.outline.layers[0].shape == (4, shape[1] - 2, shape[2] - 2)


def test_torchvision_models_need_no_code_of_ones_own(folder: Path) -> None:
    model = loaded(
        folder,
        factory="torchvision:squeezenet1_1",
        arguments={"num_classes": 7},
        input=(3, 64, 48),
        labels=tuple("abcdefg"),
    )
    assert isinstance(model.network, nn.Module)
    assert model.outline.layers[-1].units == 7


@pytest.mark.data
@pytest.mark.parametrize(
    ("depth", "file", "layers"), [(20, "cifar10-resnet20-12fca82f.th", 79), (32, "cifar10-resnet32-d509ac18.th", 127)]
)
def test_the_cifar_resnets_load_as_their_training_left_them(real: Path, depth: int, file: str, layers: int) -> None:
    model = loaded(
        real, factory="../models/cifar_resnet.py:build", arguments={"depth": depth}, checkpoint=file, input=(3, 32, 32)
    )
    assert len(model.outline.layers) == layers
    plain = torch.load(real / file, map_location="cpu", weights_only=True)["state_dict"]
    mine = model.network.state_dict()
    assert all(torch.equal(mine[name.removeprefix("module.")], value) for name, value in plain.items())
    last = model.outline.layer("layer3.2.relu#2" if depth == 20 else "layer3.4.relu#2")
    assert last.field is not None
    assert last.field.size == ((81, 81) if depth == 20 else (137, 137))
    assert model.outline.layer("layer1.0.bn1").activation == "layer1.0.relu"


@pytest.mark.data
def test_the_wrong_depth_is_explained(real: Path) -> None:
    text = refused(
        real,
        "checkpoint",
        factory="../models/cifar_resnet.py:resnet32",
        checkpoint="cifar10-resnet20-12fca82f.th",
        input=(3, 32, 32),
    )
    assert "60 missing: layer1.3.conv1.weight" in text


@pytest.mark.data
def test_squeezenet_has_a_thousand_labels(real: Path) -> None:
    model = loaded(
        real,
        factory="torchvision:squeezenet1_0",
        checkpoint="squeezenet1_0_imagenet.pth",
        input=(3, 227, 227),
        labels="imagenet-classes.txt",
    )
    assert len(model.labels) == 1000
    assert model.labels[0].endswith("tench")
    assert model.outline.layer("features.12").field is not None
    assert (
        refused(
            real,
            "labels",
            factory="torchvision:alexnet",
            arguments={"num_classes": 10},
            labels="imagenet-classes.txt",
            input=(3, 64, 64),
        )
        == "imagenet-classes.txt has 1000 labels, but torchvision:alexnet has 10 outputs"
    )


@pytest.mark.cuda
def test_a_model_is_moved_to_its_device(folder: Path) -> None:
    section = ModelSection(name="tiny", factory="net.py:tiny", input=(3, 8, 8), mean=0.5)
    model = load(section, folder, torch.device("cuda"))
    assert {value.device.type for value in model.network.state_dict().values()} == {"cuda"}
    assert model.mean.is_cuda
    assert model.digest == load(section, folder, CPU).digest
