"""Presets: how an image is optimized, as values; those of Yosinski et al. 2015, two baselines, those of audit.toml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticKnownError

from audit import registry
from audit.ascent.octaves import GOOGLENET, VGG_S, Octave, listed, octaves_caption, schedule
from audit.ascent.parametrizations import Parametrization
from audit.ascent.parametrizations.fourier import Fourier
from audit.ascent.parametrizations.phase import Phase
from audit.ascent.parametrizations.prior import Prior
from audit.ascent.rates import Adam, MeanChange, Positive, Probability, Progress, caption, policy
from audit.ascent.regularizers import Regularizer
from audit.ascent.regularizers.alpha_norm import AlphaNorm
from audit.ascent.regularizers.blur import Blur
from audit.ascent.regularizers.clip_benefit import ClipBenefit
from audit.ascent.regularizers.clip_contribution import ClipContribution
from audit.ascent.regularizers.clip_norm import ClipNorm
from audit.ascent.regularizers.clip_value import ClipValue
from audit.ascent.regularizers.decay import Decay
from audit.ascent.regularizers.total_variation import TotalVariation
from audit.ascent.transforms import Transform
from audit.ascent.transforms.jitter import Jitter
from audit.ascent.transforms.rotate import Rotate
from audit.ascent.transforms.scale import Scale

Start = Literal["noise", "uniform", "mean", "blank", "strongest"]
Shipped = Decay | Blur | ClipValue | ClipNorm | ClipBenefit | ClipContribution | TotalVariation | AlphaNorm
ShippedTransform = Jitter | Scale | Rotate
ShippedParametrization = Fourier | Phase | Prior


def _component(kind: str, example: str) -> Any:
    """A validator: the component of that kind that a table names, from its other keys."""

    def component(value: Any, info: Any) -> Any:
        if value is None or isinstance(value, BaseModel):
            return value
        if not isinstance(value, dict):
            raise PydanticCustomError(kind, "write a table: {example}", {"example": example})
        if kind not in value:
            raise _mistake(kind, kind, f"name one of: {', '.join(registry.names(kind))}", value)
        try:
            found: type[BaseModel] = registry.load(kind, str(value[kind]))
        except LookupError as error:
            raise _mistake(kind, kind, str(error.args[0]), value[kind]) from None
        try:
            return found.model_validate(value, context=info.context)
        except ValidationError:
            raise
        except Exception as error:
            raise registry.plugins().blame(error) or error from None

    return component


def _mistake(kind: str, key: str, message: str, value: Any) -> ValidationError:
    error = PydanticCustomError("component", "{message}", {"message": message})
    return ValidationError.from_exception_data(
        kind.capitalize(), [InitErrorDetails(type=error, loc=(key,), input=value)]
    )


_regularizer = BeforeValidator(
    _component("regularizer", '{ regularizer = "blur", width = 1.0, every = 4 }'), json_schema_input_type=Shipped
)
_transform = BeforeValidator(
    _component("transform", '{ transform = "jitter", pixels = 8 }'), json_schema_input_type=ShippedTransform
)
_parametrization = BeforeValidator(
    _component("parametrization", '{ parametrization = "fourier" }'), json_schema_input_type=ShippedParametrization
)


def _looks(value: Any, info: Any) -> Any:
    """How many images are looked at: as written, or as octaves have steps, and what they ended with."""
    if not info.data.get("octaves"):
        return _needed(value, info)
    looks = len(schedule(info.data["octaves"])) + 1
    return _left_out(value, info, looks)


def _rate(value: Any, info: Any) -> Any:
    """A learning rate or its policy; None where octaves have rates of their own."""
    return _left_out(value, info, None) if info.data.get("octaves") else policy(_needed(value, info))


def _shown(value: Any, info: Any) -> Any:
    """As written, or what octaves end with."""
    return value or ("last" if info.data.get("octaves") else "best")


def _needed(value: Any, info: Any) -> Any:
    if value is not None:
        return value
    if "octaves" in info.data:
        raise PydanticKnownError("missing")
    return 1  # the octaves are wrong, which is told already


def _left_out(value: Any, info: Any, implied: Any) -> Any:
    if value not in (None, implied):
        words = f"octaves have {info.field_name} of their own: leave it out"
        raise PydanticCustomError("octaves", "{words}", {"words": words})
    return implied


def _without_octaves(schema: dict[str, Any]) -> None:
    schema["if"] = {"not": {"required": ["octaves"]}}
    schema["then"] = {"required": ["steps", "learning_rate"]}


class Preset(BaseModel):
    """How an image is optimized: from where, which way, how far, how often, and what keeps it natural.

    `steps` images are looked at, the first of them the start; the regularizers act in their order after every step, the
    transforms before every look. `start` is "noise" (standard deviation 10 around the mean picture), "uniform"
    (0..255), "mean" (the mean picture), "blank" (near white) or "strongest" (the mean of the unit's strongest
    pictures); `learning_rate` holds for pixels of 0..255. A parametrization has its own start and needs no
    regularizers. Octaves have rates and blurs of their own, and their steps make `steps`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, json_schema_extra=_without_octaves)

    octaves: Annotated[tuple[Octave, ...], listed] = Field(
        (), description="Stages in which the picture grows: in place of steps, learning_rate and regularizers."
    )
    steps: Annotated[int, Field(gt=0), BeforeValidator(_looks)] = Field(
        None, validate_default=True, description="How many images are looked at, the start being the first."
    )
    learning_rate: Annotated[Positive | Progress | Probability | MeanChange | Adam | None, BeforeValidator(_rate)] = (
        Field(
            None,
            validate_default=True,
            description="For pixels of 0..255: a number; { progress, max } for progress / |gradient|^2, at most max; "
            "{ early, late, max } for a probability; { mean_change } in pixel values per step; { adam }: step size.",
        )
    )
    start: Start = Field(
        "noise",
        description="noise: standard deviation 10 around the mean picture; uniform: 0..255; mean: the mean picture; "
        "blank: standard deviation 8 around 250; strongest: the mean of the unit's strongest pictures.",
    )
    push: Literal["up", "down"] = Field("up", description="Whether the activation is to become high or low.")
    shown: Annotated[Literal["best", "first", "certain", "last"], BeforeValidator(_shown)] = Field(
        None,
        validate_default=True,
        description="best: the highest activation; first: where the unit first led its layer; "
        "certain: where a class first had a probability of 0.996, else best; last: the end. "
        "If left out: best, or last of octaves.",
    )
    leaky: float = Field(
        0.0, ge=0, le=1, description="Slope of the ReLUs below 0 while the image is optimized; 0: as they are."
    )
    regularizers: Annotated[tuple[SerializeAsAny[Annotated[Regularizer, _regularizer]], ...], listed] = Field(
        (), description="Applied one after the other, in this order, after every step."
    )
    transforms: Annotated[tuple[SerializeAsAny[Annotated[Transform, _transform]], ...], listed] = Field(
        (), description="Random changes of the picture before every look, the first one first."
    )
    parametrization: SerializeAsAny[Annotated[Parametrization, _parametrization]] | None = Field(
        None, description="What the image is made of; its pixels if left out."
    )
    diversity: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="How strongly the images of a unit are kept from being alike."
    )

    @model_validator(mode="after")
    def _pixels_only(self) -> "Preset":
        for name in ("regularizers", "start"):
            if self.parametrization is not None and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} act on pixels, and a parametrization moves others: leave out one of them")
        for name in ("regularizers", "parametrization"):
            if self.octaves and getattr(self, name):
                raise ValueError(f"octaves blur and enlarge pixels themselves: leave out {name}")
        return self

    def contents(self) -> str:
        """A digest of the files that a parametrization names, and of the plugins in use; empty without any."""
        own = "" if self.parametrization is None else self.parametrization.contents()
        return own + "".join(registry.digest(kind, str(getattr(one, kind))) for kind, one in self._components())

    def _components(self) -> Iterator[tuple[str, BaseModel]]:
        yield from (("regularizer", one) for one in self.regularizers)
        yield from (("transform", one) for one in self.transforms)
        yield from () if self.parametrization is None else [("parametrization", self.parametrization)]


# Table 1 and the step counts and rates that the toolbox's own documentation gives for its rows; in the paper's montage
# the rows are the top left, top right, bottom left and bottom right.
YOSINSKI: dict[str, Preset] = {
    "yosinski-1": Preset(
        steps=500,
        learning_rate=Progress(progress=2.0, max=100.0),
        regularizers=(Blur(width=0.5, every=4), ClipNorm(percentile=50)),
    ),
    "yosinski-2": Preset(steps=750, learning_rate=100.0, regularizers=(Decay(strength=0.3), ClipNorm(percentile=20))),
    "yosinski-3": Preset(
        steps=1000, learning_rate=100.0, regularizers=(Decay(strength=0.0001), Blur(width=1.0, every=4))
    ),
    "yosinski-4": Preset(
        steps=1000,
        learning_rate=Progress(progress=2.0, max=1e8),
        regularizers=(Blur(width=0.5, every=4), ClipContribution(percentile=90)),
    ),
}

ROBUST = (Jitter(pixels=8.0, share=0.04), Scale(share=0.1), Rotate(degrees=5.0))
"""Small changes that what a unit looks for survives, much as in Olah et al. 2017."""

# "none" and "l2" (after Simonyan et al. 2013) are ours. The way that "none" goes, a mean change of 100 in all, takes 49
# of 50 classes of SqueezeNet 1.0 above a probability of 0.996 in steps of 2; smaller steps stop nearer to that.
BUILT_IN: dict[str, Preset] = {
    **YOSINSKI,
    "none": Preset(steps=200, learning_rate=MeanChange(mean_change=0.5), shown="certain"),
    "l2": Preset(
        steps=100, learning_rate=MeanChange(mean_change=2.0), start="mean", regularizers=(Decay(strength=0.05),)
    ),
    "oygard": Preset(octaves=VGG_S, start="blank"),
    "oygard-googlenet": Preset(octaves=GOOGLENET, start="blank", leaky=0.01),
    "fourier": Preset(steps=256, learning_rate=Adam(adam=0.05), parametrization=Fourier(), transforms=ROBUST),
    "maco": Preset(steps=256, learning_rate=Adam(adam=0.2), parametrization=Phase(), transforms=ROBUST),
}


def build(name: str, table: dict[str, Any], folder: Path = Path()) -> Preset:
    """The preset of the table `[presets.name]` of the audit.toml in that folder.

    pydantic.ValidationError, titled with the table's name, with every mistake at its key: ("regularizers", 1, "width").
    """
    try:
        return Preset.model_validate(table, context={"folder": folder})
    except ValidationError as error:
        details: list[InitErrorDetails] = [_again(mistake) for mistake in error.errors(include_url=False)]
        raise ValidationError.from_exception_data(f"presets.{name}", details) from None


def _again(mistake: Any) -> InitErrorDetails:
    error = PydanticCustomError(mistake["type"], "{message}", {"message": mistake["msg"]})
    return InitErrorDetails(type=error, loc=mistake["loc"], input=mistake["input"])


def label(preset: Preset) -> str:
    """A caption: `500 steps, rate 2 / |g|^2 up to 100, blur width 0.5 every 4, clip-norm percentile 50`."""
    parts = [
        *([f"{preset.steps} steps", caption(preset.learning_rate)] if preset.learning_rate is not None else []),
        *([octaves_caption(preset.octaves)] if preset.octaves else []),
        *([] if preset.start == "noise" else [f"from {preset.start}"]),
        *([] if preset.push == "up" else ["pushed down"]),
        *([] if preset.parametrization is None else [_caption(preset.parametrization, "parametrization")]),
        *(_caption(transform, "transform") for transform in preset.transforms),
        *(_caption(regularizer, "regularizer") for regularizer in preset.regularizers),
        *([f"diversity {preset.diversity:g}"] if preset.diversity else []),
        *([f"leaky {preset.leaky:g}"] if preset.leaky else []),
        *([] if preset.shown == "best" else [f"the {preset.shown} image"]),
    ]
    return ", ".join(parts)


def _caption(component: BaseModel, kind: str) -> str:
    options = component.model_dump()
    name = options.pop(kind)
    return " ".join([name, *(f"{key} {_said(value)}" for key, value in options.items() if value is not None)])


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
