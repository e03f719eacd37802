"""audit.toml -> frozen sections; unknown keys are errors, all shown at once, each with its line."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of audit.toml: frozen, and every key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class AuditSection(Section):
    """`[audit]`: what holds for the whole file."""

    name: str = "audit"
    seed: int = 0
    device: str = "auto"  # auto, cpu, cuda, cuda:1, mps
    report: str = "reports"  # folder, relative to the file


class ModelSection(Section):
    """`[[models]]`: how to make a model, load its weights and feed it pictures."""

    name: str
    factory: str  # torchvision:NAME, package.module:function or file.py:function (relative to the file)
    arguments: dict[str, Any] = {}
    checkpoint: str | None = None  # .pth .pt .th .tar .safetensors, relative to the file; None keeps the factory's weights
    key: str | None = None  # where the state dict is inside the checkpoint, dotted; None finds it
    prefix: str | None = None  # stripped from every parameter name; None strips "module." where all have it
    input: tuple[int, int, int] = (3, 224, 224)  # channels, height, width
    mean: float | tuple[float, ...] = 0.0  # of pictures scaled to 0..1, one number or one per channel
    std: float | tuple[float, ...] = 1.0
    resize: int | None = None  # short side before the centre crop; None resizes straight to the input's height and width
    labels: str | tuple[str, ...] | None = None  # names in the order of the outputs, or a text file with one per line


class DataSection(Section):
    """`[data]`: the pictures that the models are shown; exactly one of `folder` and `factory`."""

    folder: str | None = None  # pictures, or one folder of pictures per class
    factory: str | None = None  # package.module:function or file.py:function that returns a Dataset of (picture, label)
    arguments: dict[str, Any] = {}
    limit: int | None = None  # use this many, evenly spread over the whole
    batch: int = 32


class LayerSection(Section):
    """`[[layers]]`: which layers are measured, and which of their units are pictured how."""

    name: str | tuple[str, ...]  # names or globs
    models: str | tuple[str, ...] = "*"
    units: str | tuple[int, ...] = "all"  # "all", [1, 5], "0-15" (both ends), "random:8", "flagged"
    analyses: tuple[str, ...] = ("activations",)
    presets: tuple[str, ...] = ("yosinski-1", "yosinski-2", "yosinski-3", "yosinski-4")
    images: int = 9  # optimized images per preset, max patches and deconvs per unit
    canvas: Literal["field", "full"] = "field"  # optimize on the unit's receptive field, or on the whole input


class CheckSection(Section):
    """`[[checks]]`: the name of a check, where it looks; every other key is an option of the check itself."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    check: str
    name: str | None = None  # the item's name; the check's name by default
    models: str | tuple[str, ...] = "*"
    layers: str | tuple[str, ...] = "*"  # among the layers that [[layers]] chose
