"""The sections of audit.toml as frozen values: their keys, types, defaults and meanings."""

from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from audit import registry
from audit.config.changes import Change, ChangeText, change
from audit.errors import nearest

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", examples=["squeezenet-1.1"])]
Globs = Text | Annotated[tuple[Text, ...], Field(min_length=1)]
Positive = Annotated[int, Field(gt=0)]
Device = Annotated[
    str, Field(pattern=r"^(auto|cpu|mps|cuda(:[0-9]+)?)$", examples=["auto", "cpu", "cuda", "cuda:1", "mps"])
]
Factory = Annotated[
    str,
    Field(
        pattern=r"^.+:[A-Za-z_][A-Za-z0-9_.]*$",
        examples=["torchvision:resnet18", "package.module:function", "file.py:function"],
    ),
]
Function = Annotated[
    str, Field(pattern=r"^.+:[A-Za-z_][A-Za-z0-9_.]*$", examples=["package.module:function", "file.py:function"])
]
Units = Annotated[
    str,
    Field(
        pattern=r"^(all|flagged|[0-9]+-[0-9]+|random:[1-9][0-9]*)$",
        examples=["all", "0-15", "random:8", "flagged"],
    ),
]


def analyses() -> list[str]:
    """What a layer may be asked for: statistics of the pass, studies of the first convolution, pictures of its units
    and of itself."""
    return [name for kind in ("statistic", "study", "analysis", "overview") for name in registry.names(kind)]


def _known_analysis(name: str) -> str:
    if name not in analyses() and not registry.plugins().excuse("analysis", name):
        raise ValueError(f"there is no such analysis{nearest(name, analyses())}")
    return name


Analysis = Annotated[
    str,
    AfterValidator(_known_analysis),
    Field(json_schema_extra=lambda node: node.update(enum=analyses())),
]


class Section(BaseModel):
    """A table of audit.toml: frozen, and every key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class AuditSection(Section):
    """What holds for the whole file."""

    name: Text = Field("audit", description="Title of the reports.")
    seed: int = Field(0, ge=0, lt=2**32, description="Makes every random choice: start images, random units.")
    device: Device = Field("auto", description="Where to compute; auto takes CUDA where there is one, else the CPU.")
    report: Text = Field("reports", description="Folder of the reports, relative to this file.")
    baseline: Text = Field(
        "baseline.json", description="What checks with `change` are held against, relative to this file."
    )
    waivers: Text | None = Field(
        None, description="File of waivers, relative to this file; waivers.toml where it is there."
    )
    plugins: tuple[Text, ...] = Field(
        (), description="Python files, relative to this file, and modules that bring checks, analyses and more."
    )
    renderers: tuple[Text, ...] = Field(
        (), description="What writes files of its own into the folder of a report, by name; plugins bring them."
    )
    layout: Literal["auto", "file", "folder"] = Field(
        "auto",
        description="report.html as one file, or as a folder with a page per layer; auto makes one file below 20 MB.",
    )
    templates: Text | None = Field(
        None, description="Folder of templates in the place of the report's own of their names, relative to this file."
    )


class ModelSection(Section):
    """How to make a model, load its weights and feed it pictures."""

    name: Name = Field(description="What the model is called in ids, reports and the other sections; unique.")
    factory: Factory = Field(
        description="What makes the model: torchvision:NAME, package.module:function, or file.py:function."
    )
    arguments: dict[str, Any] = Field({}, description="Keyword arguments of the factory.")
    checkpoint: Text | None = Field(
        None,
        description="Weights (.pth .pt .th .tar .safetensors), relative to this file; else the factory's weights stay.",
    )
    key: Text | None = Field(
        None, description="Where the state dict is inside the checkpoint, dotted; found when left out."
    )
    prefix: str | None = Field(
        None,
        description='Stripped from every parameter name; when left out, "module." is stripped where all names have it.',
    )
    input: tuple[Positive, Positive, Positive] = Field(
        (3, 224, 224), description="Channels, height and width of the input."
    )
    mean: float | tuple[float, ...] = Field(
        0.0, description="Subtracted from pictures scaled to 0..1: one number, or one per channel."
    )
    std: float | tuple[float, ...] = Field(
        1.0, description="Divides pictures after `mean`: one number above 0, or one per channel."
    )
    resize: Positive | None = Field(
        None,
        description="Short side in pixels before the centre crop; else straight to the input's height and width.",
    )
    labels: Text | tuple[str, ...] | None = Field(
        None, description="Names in the order of the outputs, or a text file with one per line, relative to this file."
    )
    directions: dict[Text, Positive] = Field(
        {}, description="How many random directions of which layers become layers of their own, directions_LAYER."
    )

    @field_validator("mean", "std")
    @classmethod
    def _one_per_channel(cls, numbers: float | tuple[float, ...], info: ValidationInfo) -> float | tuple[float, ...]:
        channels = info.data.get("input", (None,))[0]  # None where input itself is wrong
        if isinstance(numbers, tuple) and channels is not None and len(numbers) != channels:
            raise ValueError(
                f"{len(numbers)} numbers for {channels} channels; give one number, or one per channel of input"
            )
        return numbers

    @field_validator("std")
    @classmethod
    def _above_zero(cls, numbers: float | tuple[float, ...]) -> float | tuple[float, ...]:
        if any(number <= 0 for number in (numbers if isinstance(numbers, tuple) else (numbers,))):
            raise ValueError("pictures are divided by it, so it must be above 0")
        return numbers

    @field_validator("resize")
    @classmethod
    def _crop_fits(cls, side: int | None, info: ValidationInfo) -> int | None:
        height, width = info.data.get("input", (None, 0, 0))[1:]
        if side is not None and side < max(height, width):
            raise ValueError(f"too small for a centre crop of {height} x {width}; give at least {max(height, width)}")
        return side


class DataSection(Section):
    """The pictures that the models are shown: exactly one of `folder`, `list`, `shards` and `factory`."""

    SOURCES: ClassVar[tuple[str, ...]] = ("folder", "list", "shards", "factory")

    folder: Text | None = Field(
        None, description="Pictures, or one folder of pictures per class, relative to this file."
    )
    list: Text | None = Field(
        None, description='A CSV file with a column "path" and perhaps "label"; other columns become attributes.'
    )
    shards: Globs | None = Field(
        None,
        description="Tar shards in webdataset's layout: paths or fsspec addresses, with {0000..0012}, {a,b} and globs.",
        examples=["train-{0000..0012}.tar", "s3://bucket/validation-*.tar"],
    )
    factory: Function | None = Field(
        None,
        description="What returns a Dataset of (picture, label): package.module:function or file.py:function.",
    )
    arguments: dict[str, Any] = Field({}, description="Keyword arguments of the factory.")
    limit: Positive | None = Field(None, description="Use this many pictures, evenly spread over the whole.")
    concepts: Text | None = Field(
        None,
        description='A CSV file of what people know of the pictures, for the analysis "detectors": a column "picture" '
        "with their names, and columns of 0 and 1, or of kinds; relative to this file.",
    )
    batch: Positive = Field(32, description="Pictures per forward pass.")
    damaged: float = Field(
        1.0, ge=0, le=100, description="Percent of the pictures that may be damaged; with more the run fails."
    )


Weights = Annotated[dict[str, float], Field(min_length=1)]
Reading = Literal["centre", "mean", "energy"]


class OtherLayer(Section):
    """A term of a sum that another layer gives: the weighted sum of what is read off it."""

    layer: Text = Field(description="Name of the layer.")
    units: Weights = Field(description="Weights of its units, by number; the others have none.")
    reading: Reading = Field("centre", description="As that of the direction.")


class DirectionSection(Section):
    """What an image is to excite where it is no single unit: a weighted sum over a layer, or over several."""

    name: Text = Field(description="What it is called in the report.")
    units: Weights | None = Field(None, description="Weights of the layer's units, by number; the others have none.")
    random: int | None = Field(None, ge=0, description="The random direction of this number, of length 1.")
    file: Text | None = Field(
        None, description="A .npy of one weight per unit, or of rows of them, relative to this file."
    )
    row: int = Field(0, ge=0, description="Which row of `file`.")
    reading: Reading = Field(
        "centre",
        description="centre: the activation at the middle of the map; mean: over the map; energy: its mean square, "
        "whose sum over all units is what DeepDream makes larger.",
    )
    others: tuple[OtherLayer, ...] = Field((), description="Further layers; what is climbed is the sum of all.")

    @model_validator(mode="after")
    def _one_source(self) -> "DirectionSection":
        given = [name for name in ("units", "random", "file") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"has both {given[0]} and {given[1]}; give one of them")
        if not given and self.reading != "energy":
            raise ValueError('needs one of units, random and file; only reading = "energy" may have all units alike')
        return self


Fill = Literal["zero", "mean", "blur"]
Said = Literal["activation", "probability"]


class OcclusionSection(Section):
    """The cover that the analysis "occlusion" slides over pictures, and what is read meanwhile."""

    size: Positive | None = Field(
        None, description="Side of the cover in pixels; a sixth of the shorter side of what a unit sees if left out."
    )
    stride: Positive | None = Field(None, description="Step of the cover in pixels; half of its side if left out.")
    fill: Fill = Field(
        "mean",
        description="What covers: zero, which to the network is the mean colour of its training pictures; the "
        "picture's own mean; or the picture blurred.",
    )
    of: Said = Field("activation", description="What is read: the unit's activation, or a class's probability.")


class TsneSection(Section):
    """The plane and the grid of the analysis "tsne"."""

    pictures: Annotated[int, Field(ge=1, le=2500)] = Field(
        900, description="Pictures on the grid at most; of more, as many are taken evenly spread."
    )
    perplexity: float = Field(
        30.0, ge=1, description="How many neighbours a picture has, roughly; at most a third of the pictures."
    )
    thumbnail: Annotated[int, Field(ge=8, le=320)] | None = Field(
        None, description="Longer side of a picture on the grid, in pixels; what fits a page if left out."
    )


class CorrespondenceSection(Section):
    """The random warps of the analysis "correspondence", and how near is right."""

    pictures: Positive = Field(12, description="Pictures that are warped, evenly spread over the audit's.")
    rotate: float = Field(30.0, ge=0, le=180, description="Degrees either way, at most; half of that at least.")
    scale: float = Field(1.4, ge=1, le=4, description="Times larger or smaller, at most; its root at least.")
    shift: float = Field(0.15, ge=0, le=0.5, description="Share of each side, at most; half of that at least.")
    within: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], Field(min_length=1)] = Field(
        (0.05, 0.1), description="How near is right: shares of the longer side of the input."
    )

    @model_validator(mode="after")
    def _moves(self) -> "CorrespondenceSection":
        if not self.rotate and self.scale == 1 and not self.shift:
            raise ValueError("moves nothing: give it rotate, scale or shift")
        return self


class InversionSection(Section):
    """How the analysis "inversion" finds pictures from their codes."""

    pictures: Positive = Field(4, description="How many pictures of the audit, spread evenly over them.")
    steps: Positive = Field(300, description="Steps of the descent.")
    variation: float = Field(
        0.003, ge=0, description="Weight of the total variation at the last step; at the first it is 100 times that."
    )
    alpha_norm: float = Field(0.003, ge=0, description="Weight of the alpha norm, in the same way.")


class LayerSection(Section):
    """Which layers are measured, and which of their units are pictured how."""

    name: Globs = Field(description="Names or globs of layers.")
    models: Globs = Field("*", description="Names or globs of the models this is for.")
    units: Units | Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = Field(
        "all",
        description='Units to picture: "all", a list, "0-15" (both ends included), "random:8", or "flagged" by checks.',
    )
    analyses: tuple[Analysis, ...] = Field(("activations",), description="What is measured or pictured.")
    presets: tuple[Text, ...] = Field(
        ("yosinski-1", "yosinski-2", "yosinski-3", "yosinski-4"),
        description="Presets of the optimized images: of `[presets]` or built in.",
    )
    images: Positive = Field(9, description="Optimized images per preset, and max patches and deconvs, per unit.")
    canvas: Literal["field", "full"] = Field(
        "field", description="Optimize on the unit's receptive field, or on the whole input as the paper does."
    )
    rates: Literal["scaled", "paper"] = Field(
        "scaled",
        description="Scale a unit's gradient so that the presets' rates suit this network, or take it as it is.",
    )
    recognised_by: Name | None = Field(
        None,
        description="Another model of this file with the same classes and input size: whether it recognises the "
        "optimized images of a class. For the output layer.",
    )
    precision: Literal["float32", "bf16"] = Field(
        "float32",
        description="Optimize with the network as it is, or in bfloat16: faster on some devices, and less exact.",
    )
    objective: Literal["unit", "channel"] = Field(
        "unit",
        description="Optimize the unit at one position, or its mean over the map of the whole input.",
    )
    origin: Literal["position", "map"] = Field(
        "position",
        description="Where deconv, guided and gradient begin: at the unit's strongest position, or on its whole map.",
    )
    view: Literal["raw", "gray", "norm", "norm-blur", "max"] = Field(
        "raw",
        description="How deconv, guided and gradient are shown: as they are, mean, norm, blurred norm or largest "
        "magnitude over the channels.",
    )
    occlusion: OcclusionSection = Field(
        OcclusionSection(), description='The cover of the analysis "occlusion", and what is read.'
    )
    tsne: TsneSection = Field(TsneSection(), description='The plane and the grid of the analysis "tsne".')
    correspondence: CorrespondenceSection = Field(
        CorrespondenceSection(), description='The warps of the analysis "correspondence", and how near is right.'
    )
    inversion: InversionSection = Field(
        InversionSection(), description='How the analysis "inversion" finds pictures from their codes.'
    )
    directions: Annotated[str, Field(pattern=r"^random:[1-9][0-9]*$")] | tuple[DirectionSection, ...] = Field(
        "random:4", description='What the analysis "directions" excites: "random:4", or a list of them.'
    )

    @field_validator("directions")
    @classmethod
    def _named_once(cls, directions: str | tuple[DirectionSection, ...]) -> str | tuple[DirectionSection, ...]:
        names = [] if isinstance(directions, str) else [direction.name for direction in directions]
        if len(set(names)) < len(names):
            raise ValueError("says the same name twice")
        return directions

    @field_validator("units")
    @classmethod
    def _in_order(cls, units: str | tuple[int, ...]) -> str | tuple[int, ...]:
        if isinstance(units, tuple) and len(set(units)) < len(units):
            raise ValueError("names a unit twice")
        if isinstance(units, str) and units[0].isdigit():
            first, last = map(int, units.split("-"))
            if first > last:
                raise ValueError(f'runs backwards; did you mean "{last}-{first}"?')
        return units

    @field_validator("analyses", "presets")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("says the same name twice")
        return names


DEFAULTS = "defaults"
"""The check that stands for all default checks that the file does not name itself."""


class CheckSection(Section):
    """A check and where it looks; every other key is an option of the check itself."""

    model_config = ConfigDict(extra="allow")

    check: Text = Field(description='Which check; "defaults" stands for all default checks.')
    name: Name | None = Field(None, description="The item's name, unique in the file; the check's name by default.")
    models: Globs = Field("*", description="Names or globs of the models this is for.")
    layers: Globs = Field("*", description="Names or globs among the layers that `[[layers]]` chose.")
    change: ChangeText | None = Field(
        None,
        description="What the measured number may change against the baseline; it makes an item of its own, "
        "NAME-change.",
    )
    only: Literal["change"] | None = Field(
        None, description="Judge by the change alone: the check's own item is measured, and its limit not asked."
    )

    @model_validator(mode="after")
    def _something_judges(self) -> "CheckSection":
        if self.only and self.change is None:
            raise ValueError('only = "change" needs a "change", such as "at most 0.5 points below baseline"')
        return self

    @property
    def allowed(self) -> Change | None:
        """The change that is allowed, or None where none is asked."""
        return None if self.change is None else change(self.change)


TABLES: dict[str, type[Section]] = {"audit": AuditSection, "data": DataSection}
ARRAYS: dict[str, type[Section]] = {"models": ModelSection, "layers": LayerSection, "checks": CheckSection}
SECTIONS = ("audit", "models", "data", "presets", "layers", "checks")


def matches(patterns: str | tuple[str, ...], name: str) -> bool:
    """Whether a model's or layer's name is one of the names or fits one of the globs; case matters."""
    return any(fnmatchcase(name, pattern) for pattern in ((patterns,) if isinstance(patterns, str) else patterns))
