"""Presets: how an image is optimized, as values; the four of Yosinski et al. 2015, Table 1, and those of audit.toml."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializeAsAny,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from audit import registry
from audit.ascent.regularizers import Regularizer
from audit.ascent.regularizers.blur import Blur
from audit.ascent.regularizers.clip_contribution import ClipContribution
from audit.ascent.regularizers.clip_norm import ClipNorm
from audit.ascent.regularizers.decay import Decay

Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Start = Literal["noise", "uniform", "mean"]
Shipped = Decay | Blur | ClipNorm | ClipContribution


class Progress(BaseModel):
    """A rate that promises the same progress at every step: min(max, progress / ||gradient||^2)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    progress: Positive = Field(description="What a step adds to the activation, to first order.")
    max: Positive = Field(description="Highest rate, where the gradient is small.")


def _rate(value: Any) -> float | Progress:
    """A number or a Progress, each mistake at its own key, not at a branch of a union."""
    if isinstance(value, Progress):
        return value
    if isinstance(value, dict):
        return Progress.model_validate(value)
    return TypeAdapter(Positive).validate_python(value)


def _regularizer(value: Any) -> Regularizer:
    """The regularizer of that name from its table."""
    if isinstance(value, Regularizer):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError("regularizer", 'write a table: { regularizer = "blur", width = 1.0, every = 4 }')
    if "regularizer" not in value:
        raise _mistake("regularizer", f"name one of: {', '.join(registry.names('regularizer'))}", value)
    try:
        component: type[Regularizer] = registry.load("regularizer", str(value["regularizer"]))
    except LookupError as error:
        raise _mistake("regularizer", str(error.args[0]), value["regularizer"]) from None
    return component.model_validate(value)


def _mistake(key: str, message: str, value: Any) -> ValidationError:
    error = PydanticCustomError("regularizer", "{message}", {"message": message})
    return ValidationError.from_exception_data("Regularizer", [InitErrorDetails(type=error, loc=(key,), input=value)])


class Preset(BaseModel):
    """How an image is optimized: from where, how far, how often, and what keeps it natural.

    `steps` images are looked at, the first of them the start; the regularizers act in their order after every step.
    `start` is "noise" (standard deviation 10 around the mean picture), "uniform" (0..255) or "mean" (the mean picture);
    `learning_rate` holds for pixels of 0..255.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    steps: int = Field(gt=0, description="How many images are looked at, the start being the first.")
    learning_rate: Annotated[Positive | Progress, BeforeValidator(_rate)] = Field(
        description="For pixels of 0..255: a number, or { progress, max } for progress / |gradient|^2, at most max."
    )
    start: Start = Field(
        "noise",
        description="noise: standard deviation 10 around the mean picture; uniform: 0..255; mean: the mean picture.",
    )
    regularizers: Annotated[
        tuple[
            SerializeAsAny[Annotated[Regularizer, BeforeValidator(_regularizer, json_schema_input_type=Shipped)]], ...
        ],
        BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
    ] = Field((), description="Applied one after the other, in this order, after every step.")


# Table 1 and the step counts and rates that the toolbox's own documentation gives for its rows; in the paper's montage
# the rows are the top left, top right, bottom left and bottom right.
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
    rate = preset.learning_rate
    parts = [
        f"{preset.steps} steps",
        f"rate {rate.progress:g} / |g|^2 up to {rate.max:g}" if isinstance(rate, Progress) else f"rate {rate:g}",
        *([] if preset.start == "noise" else [f"from {preset.start}"]),
        *map(_caption, preset.regularizers),
    ]
    return ", ".join(parts)


def _caption(regularizer: Regularizer) -> str:
    options = regularizer.model_dump()
    name = options.pop("regularizer")
    return " ".join([name, *(f"{key} {value:g}" for key, value in options.items())])
