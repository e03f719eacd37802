"""Presets: how an image is optimized, as values; those of Yosinski et al. 2015, two baselines, those of audit.toml."""

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
from pydantic_core import InitErrorDetails, PydanticCustomError

from audit import registry
from audit.ascent.parametrizations import Parametrization
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


def _component(kind: str, example: str) -> Any:
    """A validator: the component of that kind that a table names, from its other keys."""

    def component(value: Any) -> Any:
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
        return found.model_validate(value)

    return component


def _mistake(kind: str, key: str, message: str, value: Any) -> ValidationError:
    error = PydanticCustomError("component", "{message}", {"message": message})
    return ValidationError.from_exception_data(
        kind.capitalize(), [InitErrorDetails(type=error, loc=(key,), input=value)]
    )


_listed = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
_regularizer = BeforeValidator(
    _component("regularizer", '{ regularizer = "blur", width = 1.0, every = 4 }'), json_schema_input_type=Shipped
)
_transform = BeforeValidator(
    _component("transform", '{ transform = "jitter", pixels = 8 }'), json_schema_input_type=ShippedTransform
)
_parametrization = BeforeValidator(_component("parametrization", '{ parametrization = "fourier" }'))


class Preset(BaseModel):
    """How an image is optimized: from where, which way, how far, how often, and what keeps it natural.

    `steps` images are looked at, the first of them the start; the regularizers act in their order after every step, the
    transforms before every look. `start` is "noise" (standard deviation 10 around the mean picture), "uniform"
    (0..255), "mean" (the mean picture), "blank" (near white) or "strongest" (the mean of the unit's strongest
    pictures); `learning_rate` holds for pixels of 0..255. A parametrization has its own start and needs no
    regularizers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    steps: int = Field(gt=0, description="How many images are looked at, the start being the first.")
    learning_rate: Annotated[Positive | Progress | Probability | MeanChange | Adam, BeforeValidator(policy)] = Field(
        description="For pixels of 0..255: a number; { progress, max } for progress / |gradient|^2, at most max; "
        "{ early, late, max } for a probability; { mean_change } in pixel values per step; { adam }: its step size."
    )
    start: Start = Field(
        "noise",
        description="noise: standard deviation 10 around the mean picture; uniform: 0..255; mean: the mean picture; "
        "blank: standard deviation 8 around 250; strongest: the mean of the unit's strongest pictures.",
    )
    push: Literal["up", "down"] = Field("up", description="Whether the activation is to become high or low.")
    shown: Literal["best", "first", "last"] = Field(
        "best", description="best: the highest activation; first: where the unit first led its layer; last: the end."
    )
    regularizers: Annotated[tuple[SerializeAsAny[Annotated[Regularizer, _regularizer]], ...], _listed] = Field(
        (), description="Applied one after the other, in this order, after every step."
    )
    transforms: Annotated[tuple[SerializeAsAny[Annotated[Transform, _transform]], ...], _listed] = Field(
        (), description="Random changes of the picture before every look, the first one first."
    )
    parametrization: SerializeAsAny[Annotated[Parametrization, _parametrization]] | None = Field(
        None, description="What the image is made of; its pixels if left out."
    )

    @model_validator(mode="after")
    def _pixels_only(self) -> "Preset":
        for name in ("regularizers", "start"):
            if self.parametrization is not None and name in self.model_fields_set:
                raise ValueError(f"{name} act on pixels, and a parametrization moves others: leave out one of them")
        return self


# Table 1 and the step counts and rates that the toolbox's own documentation gives for its rows; in the paper's montage
# the rows are the top left, top right, bottom left and bottom right. "none" and "l2" (after Simonyan et al. 2013) are
# ours. The 50 steps of "none" take 14 of 15 classes of SqueezeNet 1.0 (classifier.3, 227 x 227, from noise) above a
# probability of 0.9999; the other has no gradient at its start. By 100 steps one has been overtaken by a similar one.
BUILT_IN: dict[str, Preset] = {
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
    "none": Preset(steps=50, learning_rate=MeanChange(mean_change=2.0)),
    "l2": Preset(
        steps=100, learning_rate=MeanChange(mean_change=2.0), start="mean", regularizers=(Decay(strength=0.05),)
    ),
}


def build(name: str, table: dict[str, Any]) -> Preset:
    """The preset of the table `[presets.name]` of audit.toml.

    pydantic.ValidationError, titled with the table's name, with every mistake at its key: ("regularizers", 1, "width").
    """
    try:
        return Preset.model_validate(table)
    except ValidationError as error:
        details: list[InitErrorDetails] = [_again(mistake) for mistake in error.errors(include_url=False)]
        raise ValidationError.from_exception_data(f"presets.{name}", details) from None


def _again(mistake: Any) -> InitErrorDetails:
    error = PydanticCustomError(mistake["type"], "{message}", {"message": mistake["msg"]})
    return InitErrorDetails(type=error, loc=mistake["loc"], input=mistake["input"])


def label(preset: Preset) -> str:
    """A caption: `500 steps, rate 2 / |g|^2 up to 100, blur width 0.5 every 4, clip-norm percentile 50`."""
    parts = [
        f"{preset.steps} steps",
        caption(preset.learning_rate),
        *([] if preset.start == "noise" else [f"from {preset.start}"]),
        *([] if preset.push == "up" else ["pushed down"]),
        *([] if preset.parametrization is None else [_caption(preset.parametrization, "parametrization")]),
        *(_caption(transform, "transform") for transform in preset.transforms),
        *(_caption(regularizer, "regularizer") for regularizer in preset.regularizers),
        *([] if preset.shown == "best" else [f"the {preset.shown} image"]),
    ]
    return ", ".join(parts)


def _caption(component: BaseModel, kind: str) -> str:
    options = component.model_dump()
    name = options.pop(kind)
    return " ".join([name, *(f"{key} {_said(value)}" for key, value in options.items())])


def _said(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
