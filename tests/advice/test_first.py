"""A first audit.toml: of checkpoints that torchvision can build, of factories, of pictures; it loads, and it runs."""

import tarfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import get_model

from audit.advice.architecture import recognised
from audit.advice.draft import Draft
from audit.advice.first import Given, first_audit
from audit.config import read
from audit.demo.generator import pictures
from audit.errors import AuditError
from audit.plan import prepare
from tests.audits import WEIGHTS, Folder

DEMO = "audit.demo.network:network"
CLASSES = 3


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Four pictures in each of three class folders."""
    drawn = pictures(count=12, seed=0, split="test")
    for index in range(4 * CLASSES):
        folder = tmp_path / "pictures" / f"class{index % CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn[index][0]).save(folder / f"{index}.png")
    return tmp_path / "pictures"


def state(builder: str, prefix: str = "", **arguments: object) -> dict[str, torch.Tensor]:
    """What a training script leaves of a classifier of torchvision."""
    network = get_model(builder, weights=None, **arguments)
    return {prefix + name: value.contiguous() for name, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("builder", "arguments"),
    [
        ("resnet18", {"num_classes": 7}),
        ("squeezenet1_1", {}),
        ("mobilenet_v3_small", {"num_classes": 10}),
        ("shufflenet_v2_x0_5", {}),
    ],
)
@pytest.mark.parametrize("prefix", ["", "model."])
def test_a_classifier_of_torchvision_is_recognised(builder: str, arguments: dict[str, int], prefix: str) -> None:
    found = recognised(state(builder, prefix, **arguments), "weights.pth")
    assert (found.builder, found.prefix, dict(found.arguments)) == (builder, prefix, arguments)
    assert found.classes == arguments.get("num_classes", 1000)
    assert found.others == ()


def test_one_shape_that_differs_is_not_recognised() -> None:
    weights = state("squeezenet1_1")
    weights["features.0.weight"] = torch.zeros(64, 3, 5, 5)
    with pytest.raises(AuditError, match=r"weights.pth holds 52 tensors, .* squeezenet1_1 \(51 of 52\)") as error:
        recognised(weights, "weights.pth")
    assert "--factory" in str(error.value)


def first(folder: Path, given: Given, name: str = "audit.toml") -> tuple[Draft, str]:
    draft = first_audit(given, folder / name)
    return draft, (folder / name).read_text(encoding="utf-8")


def test_a_checkpoint_alone_becomes_an_audit_that_says_what_it_assumes(tmp_path: Path) -> None:
    save_file(state("squeezenet1_1", "net.", num_classes=5), tmp_path / "weights.safetensors")
    draft, text = first(tmp_path, Given(str(tmp_path / "weights.safetensors")))
    (model,) = read(tmp_path / "audit.toml").models
    assert (model.factory, model.arguments, model.prefix) == ("torchvision:squeezenet1_1", {"num_classes": 5}, "net.")
    assert (model.checkpoint, model.input, model.mean) == ("weights.safetensors", (3, 224, 224), (0.485, 0.456, 0.406))
    assert draft.sure == "all 52 names and shapes are those of torchvision's squeezenet1_1"
    assert "mean = [0.485, 0.456, 0.406] # assumed" in text
    assert "# [data]" in text
    assert prepare(tmp_path / "audit.toml").subjects["weights"].layers


def test_what_is_not_known_of_a_factory_is_said_in_the_file(tmp_path: Path) -> None:
    draft, text = first(tmp_path, Given(str(WEIGHTS), factory=DEMO, arguments=("classes=12",)))
    (model,) = read(tmp_path / "audit.toml").models
    assert model.arguments == {"classes": 12}
    assert [line.partition(":")[0] for line in draft.unknown] == ["mean and std of training", "input"]
    for unknown in draft.unknown:
        assert f"# TODO {unknown}\n" in text
    assert (model.mean, model.std) == (0.0, 1.0)


def test_class_folders_become_data_and_small_pictures_the_input(tmp_path: Path, classes: Path) -> None:
    draft, text = first(tmp_path, Given(f"{DEMO}", data=classes, arguments=("classes=3",)))
    config = read(tmp_path / "audit.toml")
    assert config.data is not None
    assert config.data.folder == "pictures"
    assert config.models[0].input == (3, 64, 64)
    assert "[data] # 12 pictures of 3 classes (class0, class1, class2)" in text
    assert not any("labels" in line for line in draft.unknown)
    chosen = prepare(tmp_path / "audit.toml").subjects["network"].layers
    assert {"relu1", "relu2", "relu3", "fc"} <= set(chosen)


def test_the_file_runs_as_it_was_written(tmp_path: Path, classes: Path) -> None:
    first(tmp_path, Given(DEMO, data=classes, arguments=("classes=3",)))
    result = Folder(tmp_path).run("-k", "relu1 or degenerate-weights or filters")
    assert result.returncode in (0, 1), result.stderr
    outcomes = set(Folder(tmp_path).outcomes("network").values())
    assert "passed" in outcomes
    assert "error" not in outcomes


def test_classes_that_are_not_the_outputs_are_told(tmp_path: Path, classes: Path) -> None:
    draft, _ = first(tmp_path, Given(str(WEIGHTS), data=classes, factory=DEMO))
    assert any(line.startswith("labels: 3 classes of pictures for 12 outputs") for line in draft.unknown)


@pytest.mark.parametrize(("name", "option"), [("list.csv", "list"), ("some.tar", "shards")])
def test_lists_and_shards_are_told_apart(tmp_path: Path, classes: Path, name: str, option: str) -> None:
    picture = next(classes.rglob("*.png"))
    if option == "list":
        (tmp_path / name).write_text(f"path,label\n{picture},0\n")
    else:
        with tarfile.open(tmp_path / name, "w") as archive:
            archive.add(picture, "a.png")
    first(tmp_path, Given(DEMO, data=tmp_path / name))
    data = read(tmp_path / "audit.toml").data
    assert getattr(data, option) == name


def test_no_file_is_overwritten_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text("mine")
    with pytest.raises(AuditError, match=r'"[^"]*audit.toml" is there already and stays as it is; .* --force'):
        first_audit(Given(DEMO), tmp_path / "audit.toml")
    assert (tmp_path / "audit.toml").read_text() == "mine"
    first_audit(Given(DEMO), tmp_path / "audit.toml", force=True)
    assert read(tmp_path / "audit.toml").models
    assert [path.name for path in tmp_path.iterdir()] == ["audit.toml"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Given("nowhere.pth"), 'no file "nowhere.pth"'),
        (Given("torchvision:resnet19"), 'torchvision has no model "resnet19"; did you mean "resnet18"?'),
        (Given(DEMO, arguments=("klasses=1",)), "it takes: classes: int = 12; give them with --argument NAME=VALUE"),
        (Given(DEMO, arguments=("classes",)), "--argument classes: write NAME=VALUE"),
        (Given(DEMO, factory=DEMO), "two factories were given"),
        (Given(str(WEIGHTS)), "fits none of torchvision's"),
        (Given(DEMO, data=Path("nowhere")), '--data: there is no "nowhere"'),
    ],
)
def test_what_cannot_be_guessed_is_asked_for_and_nothing_is_written(tmp_path: Path, given: Given, said: str) -> None:
    with pytest.raises(AuditError) as error:
        first_audit(given, tmp_path / "audit.toml")
    assert said in str(error.value)
    assert list(tmp_path.iterdir()) == []
