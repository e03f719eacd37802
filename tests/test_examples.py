"""Every audit that comes along is valid, and what its data allow is collected."""

import subprocess
import sys
from pathlib import Path

import pytest

from audit.config import read

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "audit.toml", *sorted((ROOT / "examples").glob("*.toml"))]


def collected(file: Path, **environment: str) -> list[str]:
    """The ids of what the program collects from a file."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from audit.cli import main; main()"
    command = [sys.executable, "-c", code, "run", file.name, "--collect-only", "-q", "-p", "no:cacheprovider"]
    result = subprocess.run(
        command, env=environment, cwd=file.parent, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return [line.split("::", 1)[1] for line in result.stdout.splitlines() if f"{file.name}::" in line]


def test_there_are_examples_and_each_is_in_their_list() -> None:
    assert len(FILES) > 3
    listed = (ROOT / "examples" / "README.md").read_text()
    assert [file.name for file in FILES[1:] if f"`{file.name}`" not in listed] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_audit_that_comes_along_is_valid(file: Path) -> None:
    config = read(file, {"DEEPVIS_DATA": "somewhere"})
    assert config.models
    assert config.layers
    assert config.checks
    assert config.data is not None


@pytest.mark.parametrize("file", FILES[1:], ids=lambda file: file.name)
def test_an_example_without_its_data_names_the_variable(file: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from audit.cli import main; main()"
    command = [sys.executable, "-c", code, "run", file.name, "--collect-only", "-p", "no:cacheprovider"]
    result = subprocess.run(command, env={}, cwd=file.parent, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 4
    assert "DEEPVIS_DATA" in result.stdout + result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_the_demos_audit_collects_without_anything() -> None:
    found = collected(ROOT / "audit.toml")
    assert {"demo::accuracy", "demo::conv1::optimized", "demo::relu1::dead-units"} <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.data
def test_the_squeezenet_example_collects(real: Path) -> None:
    found = collected(ROOT / "examples" / "squeezenet.toml", DEEPVIS_DATA=str(real))
    assert sum(item.endswith("::dead-units") for item in found) == 28  # 26 ReLUs, two Fire outputs
    assert sum(item.endswith("::activations") for item in found) == 54
    assert {item for item in found if item.endswith("::optimized")} == {
        f"squeezenet::features.{layer}::optimized" for layer in (0, 5, 9)
    }


@pytest.mark.data
def test_the_cifar_example_collects_two_networks(real: Path) -> None:
    found = collected(ROOT / "examples" / "cifar.toml", DEEPVIS_DATA=str(real))
    for model, relus in (("resnet20", 19), ("resnet32", 31)):
        assert sum(item.startswith(model) and item.endswith("::dead-units") for item in found) == relus
        assert f"{model}::layer1.0.relu#2::deconv" in found


@pytest.mark.data
def test_the_torchvision_example_collects_whatever_its_weights(real: Path, tmp_path: Path) -> None:
    text = (ROOT / "examples" / "torchvision.toml").read_text()
    published = 'arguments = { weights = "IMAGENET1K_V1" }'
    assert published in text
    (tmp_path / "torchvision.toml").write_text(text.replace(published, "arguments = {}"))
    found = collected(tmp_path / "torchvision.toml", DEEPVIS_DATA=str(real))
    assert sum(item.endswith("::dead-units") for item in found) == 17
    assert "resnet18::layer2.1.relu#2::max-patches" in found
    assert "resnet18::conv1::frequency-bias" in found
