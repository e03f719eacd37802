"""Presets are the paper's, are read from tables, and say what is wrong with a table."""

import pytest
from pydantic import ValidationError

from audit import registry
from audit.ascent.presets import BUILT_IN, YOSINSKI, Preset, build, label
from audit.ascent.rates import Progress
from audit.ascent.regularizers import Regularizer
from audit.ascent.regularizers.blur import Blur
from audit.ascent.regularizers.clip_contribution import ClipContribution
from audit.ascent.regularizers.clip_norm import ClipNorm
from audit.ascent.regularizers.decay import Decay

# decay, blur width, blur every, norm percentile, contribution percentile, steps, highest rate, progress
TABLE_1 = {
    "yosinski-1": (0, 0.5, 4, 50, 0, 500, 100, 2.0),
    "yosinski-2": (0.3, 0, 0, 20, 0, 750, 100, None),
    "yosinski-3": (0.0001, 1.0, 4, 0, 0, 1000, 100, None),
    "yosinski-4": (0, 0.5, 4, 0, 90, 1000, 1e8, 2.0),
}
ORDER = (Decay, Blur, ClipNorm, ClipContribution)


def as_row(preset: Preset) -> tuple[float | None, ...]:
    """A preset as a row of the table: what it does not have is 0."""
    decay = width = every = norm = contribution = 0.0
    for regularizer in preset.regularizers:
        match regularizer:
            case Decay():
                decay = regularizer.strength
            case Blur():
                width, every = regularizer.width, regularizer.every
            case ClipNorm():
                norm = regularizer.percentile
            case ClipContribution():
                contribution = regularizer.percentile
    rate = preset.learning_rate
    policy = (rate.max, rate.progress) if isinstance(rate, Progress) else (rate, None)
    return decay, width, every, norm, contribution, preset.steps, *policy


def test_the_papers_presets_are_table_1_in_its_order():
    assert list(YOSINSKI) == list(TABLE_1)
    assert {name: as_row(preset) for name, preset in YOSINSKI.items()} == TABLE_1
    assert {preset.start for preset in YOSINSKI.values()} == {"noise"}


def test_the_papers_presets_regularize_in_the_order_of_the_reference():
    for preset in YOSINSKI.values():
        places = [ORDER.index(type(regularizer)) for regularizer in preset.regularizers]
        assert places == sorted(places)


def test_the_baselines_have_no_prior_and_decay_alone():
    assert BUILT_IN["none"].regularizers == ()
    assert BUILT_IN["none"].start == "noise"
    assert [type(regularizer) for regularizer in BUILT_IN["l2"].regularizers] == [Decay]
    assert BUILT_IN["l2"].start == "mean"


def test_a_table_becomes_a_preset_and_whole_numbers_do():
    table = {
        "steps": 500,
        "learning_rate": {"progress": 2.0, "max": 100},
        "start": "noise",
        "regularizers": [
            {"regularizer": "blur", "width": 0.5, "every": 4},
            {"regularizer": "clip-norm", "percentile": 50},
        ],
    }
    assert build("sparse", table) == BUILT_IN["yosinski-1"]


def test_regularizers_keep_the_order_of_the_table():
    tables = [{"regularizer": "clip-norm", "percentile": 5}, {"regularizer": "decay", "strength": 0.1}]
    preset = build("odd", {"steps": 1, "learning_rate": 1.0, "regularizers": tables})
    assert [type(regularizer) for regularizer in preset.regularizers] == [ClipNorm, Decay]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_preset_written_out_can_be_read_back(name):
    preset = BUILT_IN[name]
    assert build(name, preset.model_dump()) == preset
    assert Preset.model_validate_json(preset.model_dump_json()) == preset


def test_presets_with_equal_options_of_different_regularizers_are_written_differently():
    texts = {
        Preset(steps=1, learning_rate=1.0, regularizers=(regularizer,)).model_dump_json()
        for regularizer in (ClipNorm(percentile=50), ClipContribution(percentile=50))
    }
    assert len(texts) == 2


def test_every_registered_regularizer_is_one_and_knows_its_name():
    for name in registry.names("regularizer"):
        component = registry.load("regularizer", name)
        assert issubclass(component, Regularizer)
        assert component.model_fields["regularizer"].default == name


MISTAKES = [
    ({"steps": 0}, ("steps",), "greater than 0"),
    ({"steps": 1.5}, ("steps",), "valid integer"),
    ({"steps": True}, ("steps",), "valid integer"),
    ({"learning_rate": "fast"}, ("learning_rate",), "valid number"),
    ({"learning_rate": 0}, ("learning_rate",), "greater than 0"),
    ({"learning_rate": float("nan")}, ("learning_rate",), "finite"),
    ({"learning_rate": {"progress": -1.0, "max": 1.0}}, ("learning_rate", "progress"), "greater than 0"),
    ({"learning_rate": {"progress": 1.0}}, ("learning_rate", "max"), "required"),
    ({"learning_rate": {"progress": 1.0, "max": 1.0, "min": 0}}, ("learning_rate", "min"), "not permitted"),
    ({"start": "nose"}, ("start",), "'noise', 'uniform', 'mean', 'blank' or 'strongest'"),
    ({"step": 3}, ("step",), "not permitted"),
    ({"regularizers": {"regularizer": "blur"}}, ("regularizers",), "valid tuple"),
    ({"regularizers": ["blur"]}, ("regularizers", 0), "write a table"),
    ({"regularizers": [{"width": 1.0}]}, ("regularizers", 0, "regularizer"), "decay, blur, clip-value, clip-norm"),
    ({"regularizers": [{"regularizer": "blurr"}]}, ("regularizers", 0, "regularizer"), 'did you mean "blur"?'),
    ({"regularizers": [{"regularizer": "blur"}]}, ("regularizers", 0, "width"), "required"),
    ({"regularizers": [{"regularizer": "blur", "width": 0.0}]}, ("regularizers", 0, "width"), "greater than 0"),
    ({"regularizers": [{"regularizer": "blur", "width": float("inf")}]}, ("regularizers", 0, "width"), "finite"),
    ({"regularizers": [{"regularizer": "blur", "width": 1, "every": 0}]}, ("regularizers", 0, "every"), "than 0"),
    ({"regularizers": [{"regularizer": "decay", "strength": 1.5}]}, ("regularizers", 0, "strength"), "equal to 1"),
    (
        {"regularizers": [{"regularizer": "decay", "strength": 0}, {"regularizer": "clip-norm", "percentile": 101}]},
        ("regularizers", 1, "percentile"),
        "less than or equal to 100",
    ),
    (
        {"regularizers": [{"regularizer": "clip-contribution", "percentile": 1, "signed": True}]},
        ("regularizers", 0, "signed"),
        "not permitted",
    ),
]


@pytest.mark.parametrize(("wrong", "place", "words"), MISTAKES)
def test_a_mistake_is_found_at_its_key(wrong, place, words):
    with pytest.raises(ValidationError) as caught:
        build("mine", {"steps": 10, "learning_rate": 1.0, **wrong})
    assert caught.value.title == "presets.mine"
    assert [mistake["loc"] for mistake in caught.value.errors()] == [place]
    assert words in caught.value.errors()[0]["msg"]


def test_all_mistakes_of_a_table_come_at_once():
    table = {"steps": 0, "start": "x", "regularizers": [{"regularizer": "blurr"}, {"regularizer": "blur"}]}
    with pytest.raises(ValidationError) as caught:
        build("mine", table)
    assert {mistake["loc"] for mistake in caught.value.errors()} == {
        ("steps",),
        ("learning_rate",),
        ("start",),
        ("regularizers", 0, "regularizer"),
        ("regularizers", 1, "width"),
    }


def test_the_schema_knows_the_options_of_every_regularizer():
    schema = Preset.model_json_schema()
    shown = {entry["$ref"].rsplit("/", 1)[1] for entry in schema["properties"]["regularizers"]["items"]["anyOf"]}
    assert shown == {registry.load("regularizer", name).__name__ for name in registry.names("regularizer")}
    assert schema["$defs"]["Blur"]["required"] == ["regularizer", "width"]


def test_regularizers_and_starts_of_pixels_go_with_no_parametrization():
    for pixels in ({"start": "mean"}, {"regularizers": [{"regularizer": "decay", "strength": 0.1}]}):
        with pytest.raises(ValidationError, match="a parametrization moves others"):
            build("mine", {"steps": 1, "learning_rate": 1.0, "parametrization": {"parametrization": "phase"}, **pixels})


def test_labels_say_everything_that_differs():
    assert label(BUILT_IN["yosinski-1"]) == (
        "500 steps, rate 2 / |g|^2 up to 100, blur width 0.5 every 4, clip-norm percentile 50"
    )
    assert label(Preset(steps=3, learning_rate=0.5, start="mean")) == "3 steps, rate 0.5, from mean"
    assert label(BUILT_IN["maco"]) == (
        "256 steps, adam 0.2, phase, jitter pixels 8 share 0.04, scale share 0.1, rotate degrees 5"
    )
    assert label(Preset(steps=3, learning_rate=0.5, diversity=2.0)) == "3 steps, rate 0.5, diversity 2"
    assert len({label(preset) for preset in BUILT_IN.values()}) == len(BUILT_IN)
