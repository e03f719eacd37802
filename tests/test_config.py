"""audit.toml as people get it right and wrong: what is read, and what is said of every mistake, with its line."""

import json
import pickle
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from audit import registry
from audit.ascent.presets import BUILT_IN
from audit.config import (
    AuditSection,
    Config,
    LayerSection,
    ModelSection,
    read,
    read_partly,
    schema,
    schema_text,
)
from audit.config.positions import Positions
from audit.errors import ConfigError

DOCS = Path(__file__).parents[1] / "docs"

GOOD = """\
[audit]
name = "both"  # the title
seed = 3

[[models]]
name = "squeezenet"
factory = "torchvision:squeezenet1_1"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
labels = ["cat", "dog"]

[[models]]
name = "grey"
factory = "nets.py:grey"
input = [1, 28, 30]
mean = 0.5
std = 0.25
resize = 30
[models.arguments]
widths = [8, 16]
scale = inf

[data]
folder = "pictures"
limit = 10

[presets.sparse]
steps = 50
learning_rate = { progress = 2.0, max = 100 }
regularizers = [
    { regularizer = "blur", width = 0.5, every = 4 },
    { regularizer = "clip-norm", percentile = 50 },
]

[[layers]]
name = ["conv1", "features.*"]
units = [0, 5]
analyses = ["optimized", "deconv"]
presets = ["yosinski-3", "sparse"]

[[layers]]
name = "fc"
models = "gr*"
units = "random:8"

[[checks]]
check = "dead-units"
at_most = 1

[[checks]]
check = "dead-units"
name = "dead-late"
layers = "fc"
at_most = 0.5
"""

MODEL = '[[models]]\nname = "m"\nfactory = "nets:m"\n'  # three lines
LAYER = '[[layers]]\nname = "conv1"\n'  # two lines
LEAST = MODEL + LAYER  # five lines: the least that is right


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """A function that writes a text to a file and returns its path."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "audit.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def said(path: Path, environment: Mapping[str, str] | None = None) -> list[str]:
    """LINE:COLUMN: MESSAGE of every mistake of a file."""
    with pytest.raises(ConfigError) as raised:
        read(path, environment or {})
    assert all(problem.file == str(path) for problem in raised.value.problems)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in raised.value.problems]


# What is right


def test_a_good_file_becomes_sections(written: Any) -> None:
    config = read(written(GOOD), {})
    assert config.audit == AuditSection(name="both", seed=3)
    assert config.models[0].labels == ("cat", "dog")
    assert config.models[1] == ModelSection(
        name="grey",
        factory="nets.py:grey",
        input=(1, 28, 30),
        mean=0.5,
        std=0.25,
        resize=30,
        arguments={"widths": [8, 16], "scale": float("inf")},
    )
    assert config.data is not None
    assert (config.data.folder, config.data.limit, config.data.batch) == ("pictures", 10, 32)
    assert config.layers == (
        LayerSection(
            name=("conv1", "features.*"),
            units=(0, 5),
            analyses=("optimized", "deconv"),
            presets=("yosinski-3", "sparse"),
        ),
        LayerSection(name="fc", models="gr*", units="random:8"),
    )


def test_a_check_is_built_from_the_keys_that_the_section_does_not_know(written: Any) -> None:
    checks = read(written(GOOD), {}).checks
    dead_units = registry.load("check", "dead-units")
    assert [(chosen.name, chosen.check) for chosen in checks] == [
        ("dead-units", dead_units(at_most=1)),
        ("dead-late", dead_units(at_most=0.5)),
    ]
    assert checks[1].section.layers == "fc"


def test_the_presets_are_those_built_in_and_those_of_the_file(written: Any) -> None:
    presets = read(written(GOOD), {}).presets
    assert presets.keys() == {"sparse", *BUILT_IN}
    assert presets["sparse"].steps == 50
    assert [kind.regularizer for kind in presets["sparse"].regularizers] == ["blur", "clip-norm"]


def test_a_preset_of_a_built_in_name_replaces_it(written: Any) -> None:
    text = LEAST + "[presets.yosinski-1]\nsteps = 7\nlearning_rate = 1.5\n"
    preset = read(written(text), {}).presets["yosinski-1"]
    assert (preset.steps, preset.learning_rate, preset.regularizers) == (7, 1.5, ())


def test_the_least_file_has_the_documented_defaults(written: Any) -> None:
    config = read(written(LEAST), {})
    assert config.audit == AuditSection()
    assert config.data is None
    assert config.models == (ModelSection(name="m", factory="nets:m"),)
    assert config.layers == (LayerSection(name="conv1"),)
    assert {chosen.implied for chosen in config.checks} == {True}


def test_an_empty_list_of_checks_means_none(written: Any) -> None:
    assert read(written("checks = []\n" + LEAST), {}).checks == ()


def test_analyses_that_need_pictures_are_right_without_data(written: Any) -> None:
    assert read(written(LEAST + 'analyses = ["max-patches"]\n'), {}).layers[0].analyses == ("max-patches",)


def test_the_environment_fills_texts_in(written: Any) -> None:
    text = (
        MODEL
        + 'checkpoint = "${ROOT}/$${x}/${FILE:-a.pth}"\nkey = "${EMPTY:-fallback}"\n'
        + 'labels = ["${ONE}", "$5"]\narguments = { deep = [{ text = "${ONE}" }] }\n'
        + LAYER
    )
    model = read(written(text), {"ROOT": "/data", "ONE": "1", "EMPTY": ""}).models[0]
    assert model.checkpoint == "/data/${x}/a.pth"
    assert model.key == "fallback"
    assert model.labels == ("1", "$5")
    assert model.arguments == {"deep": [{"text": "1"}]}


def test_the_digest_is_of_the_contents_not_of_their_layout(written: Any) -> None:
    one = MODEL + 'checkpoint = "${X}"\n' + LAYER
    other = (
        LAYER.replace("name", " name ") + "# a comment\n" + '[[models]]\ncheckpoint="b"\nfactory="nets:m"\nname="m"\n'
    )
    digest = read(written(one), {"X": "b"}).digest
    assert re.fullmatch("[0-9a-f]{64}", digest)
    assert read(written(other), {}).digest == digest
    assert read(written(one), {"X": "c"}).digest != digest


def test_windows_line_ends_and_a_byte_order_mark_do_no_harm(written: Any) -> None:
    assert (
        read(written(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()), {}).digest
        == read(written(GOOD), {}).digest
    )


def test_reading_a_file_without_layers_loads_no_torch(written: Any) -> None:
    path = written(MODEL + '[[checks]]\ncheck = "non-finite"\n')
    program = (
        "import sys, pathlib, audit.config as c\n"
        "assert len(c.read(pathlib.Path(sys.argv[1]), {}).checks) == 1\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# What is wrong

UNITS = (
    'needs a text like "all", "0-15", "random:8" or "flagged" or a non-empty list, each a whole number of at least 0'
)

WRONG: dict[str, tuple[str, list[str]]] = {
    "an unknown key": (
        MODEL + 'chekpoint = "x"\n' + LAYER,
        ['4:1: no key "chekpoint" in [[models]]; did you mean "checkpoint"?'],
    ),
    "a missing key": (
        '[[models]]\nname = "m"\n' + LAYER,
        [
            '1:1: [[models]] needs "factory": What makes the model: torchvision:NAME, package.module:function, or '
            "file.py:function."
        ],
    ),
    "wrong types": (
        MODEL + 'input = [1, "28", 28]\nresize = true\nprefix = 3\n' + LAYER + "images = 2.5\nmodels = []\n",
        [
            '4:13: input[1] = "28": needs a whole number above 0',
            "5:1: resize = true: needs a whole number above 0",
            "6:1: prefix = 3: needs a text in quotes",
            "9:1: images = 2.5: needs a whole number above 0",
            "10:1: models = []: needs a non-empty text or a non-empty list, each a non-empty text",
        ],
    ),
    "wrong values": (
        '[audit]\nseed = -1\ndevice = "gpu"\n' + LEAST + "images = 0\ncanvas = 'feld'\n",
        [
            "2:1: seed = -1: needs a whole number of at least 0 and below 4294967296",
            '3:1: device = "gpu": needs a text like "auto", "cpu", "cuda", "cuda:1" or "mps"',
            "9:1: images = 0: needs a whole number above 0",
            '10:1: canvas = "feld": needs "field" or "full"; did you mean "field"?',
        ],
    ),
    "a factory without its function": (
        '[[models]]\nname = "m"\nfactory = "resnet18"\n' + LAYER,
        [
            '3:1: factory = "resnet18": needs a text like "torchvision:resnet18", "package.module:function" or '
            '"file.py:function"'
        ],
    ),
    "a mean that does not fit the channels": (
        MODEL + "input = [1, 8, 8]\nmean = [0.1, 0.2]\nstd = [0.5, 0.5, 0.5]\n" + LAYER,
        [
            "5:1: mean = [0.1, 0.2]: 2 numbers for 1 channels; give one number, or one per channel of input",
            "6:1: std = [0.5, 0.5, 0.5]: 3 numbers for 1 channels; give one number, or one per channel of input",
        ],
    ),
    "a std of zero": (
        MODEL + "std = [0.5, 0, 0.5]\n" + LAYER,
        ["4:1: std = [0.5, 0, 0.5]: pictures are divided by it, so it must be above 0"],
    ),
    "a crop larger than the picture": (
        MODEL + "input = [3, 32, 48]\nresize = 40\n" + LAYER,
        ["5:1: resize = 40: too small for a centre crop of 32 x 48; give at least 48"],
    ),
    "nan and inf": (
        MODEL + "mean = [0.5, nan, 0.5]\nstd = inf\n" + LAYER + '[[checks]]\ncheck = "dead-units"\nat_most = nan\n',
        [
            "4:14: mean[1]: nothing compares with nan; give a finite number",
            "5:1: std: nothing compares with inf; give a finite number",
            "10:1: at_most: nothing compares with nan; give a finite number",
        ],
    ),
    "a date": (
        '[[models]]\nname = 2024-01-01\nfactory = "nets:m"\n' + LAYER,
        ["2:1: name: no key takes a date or a time such as 2024-01-01; put it in quotes if it is meant as a text"],
    ),
    "both sources of pictures": (
        LEAST + '[data]\nfolder = "a"\nfactory = "nets:d"\nbatch = 0\n',
        ['8:1: [data] has both "folder" and "factory": keep one', "9:1: batch = 0: needs a whole number above 0"],
    ),
    "no source of pictures": (
        LEAST + "[data]\nlimit = 3\narguments = { a = 1 }\n",
        [
            '6:1: [data] has none of "folder", "list", "shards", "factory": say where the pictures come from',
            '8:1: "arguments" are for a "factory", and [data] has none',
        ],
    ),
    "unit selections": (
        LEAST
        + 'units = "some"\n'
        + LAYER
        + 'units = "15-0"\n'
        + LAYER
        + "units = [1, -1]\n"
        + LAYER
        + "units = [1, 1]\n"
        + LAYER
        + 'units = "random:0"\n'
        + LAYER
        + "units = []\n",
        [
            f'6:1: units = "some": {UNITS}',
            '9:1: units = "15-0": runs backwards; did you mean "0-15"?',
            "12:13: units[1] = -1: needs a whole number of at least 0",
            "15:1: units = [1, 1]: names a unit twice",
            f'18:1: units = "random:0": {UNITS}',
            f"21:1: units = []: {UNITS}",
        ],
    ),
    "an unknown analysis": (
        LEAST + 'analyses = [\n  "activations",\n  "optimised",\n]\n',
        ['8:3: analyses[1] = "optimised": there is no such analysis; did you mean "optimized"?'],
    ),
    "an unknown preset": (
        LEAST + 'presets = ["yosinski-2", "yosinsky3"]\n',
        ['6:26: no preset "yosinsky3"; did you mean "yosinski-3"?'],
    ),
    "mistakes in a preset": (
        LEAST
        + '[presets.soft]\nsteps = "500"\nlearning_rate = { progress = 2.0, mx = 100.0 }\nregularizers = [\n'
        + '  { regularizer = "blur", widht = 0.5 },\n  { regularizer = "blurr" },\n'
        + '  { regularizer = "decay", strength = 2 },\n]\n',
        [
            '7:1: steps = "500": needs a whole number above 0',
            '8:1: learning_rate of [presets.soft] needs "max": Highest rate, where the gradient is small.',
            '8:35: no key "mx" in learning_rate of [presets.soft]; did you mean "max"?',
            '10:3: regularizers[0] of [presets.soft] needs "width": Standard deviation of the Gaussian, in pixels.',
            '10:27: no key "widht" in regularizers[0] of [presets.soft]; did you mean "width"?',
            '11:5: regularizers[1].regularizer = "blurr": no regularizer "blurr"; did you mean "blur"?',
            "12:28: regularizers[2].strength = 2: needs a number from 0 to 1",
        ],
    ),
    "infinity in a preset that is called arguments": (
        LEAST + "[presets.arguments]\nsteps = 1\nlearning_rate = inf\n",
        ["8:1: learning_rate: nothing compares with inf; give a finite number"],
    ),
    "a preset that is no table": (LEAST + "[presets]\nsoft = 3\n", ["7:1: presets.soft = 3: needs a table"]),
    "an unknown check": (
        LEAST + '[[checks]]\ncheck = "dead-unit"\n',
        ['7:1: no check "dead-unit"; did you mean "dead-units"?'],
    ),
    "unknown and wrong options of a check": (
        LEAST + '[[checks]]\ncheck = "dead-units"\nat_mst = 1\nlayer = "x"\nmin_images = "10"\n',
        [
            '8:1: no key "at_mst" in [[checks]] with check = "dead-units"; did you mean "at_most"?',
            '9:1: no key "layer" in [[checks]] with check = "dead-units"; did you mean "layers"?',
            '10:1: min_images = "10": needs a whole number of at least 1',
        ],
    ),
    "a check without what it needs": (
        LEAST + '[[checks]]\ncheck = "accuracy"\ntop = 2\n[[checks]]\nat_most = 1\n',
        [
            "8:1: top = 2: needs 1 or 5",
            '9:1: [[checks]] needs "check": Which check; "defaults" stands for all default checks.',
        ],
    ),
    "names twice": (
        LEAST + MODEL.upper().replace("[[MODELS]]", "[[models]]").lower() + '[[checks]]\ncheck = "non-finite"\n' * 2,
        [
            '7:1: "m" is also the name of [[models]] number 1; give each a "name" of its own',
            '11:1: "non-finite" is also the name of [[checks]] number 1; tell them apart with "name"',
        ],
    ),
    "a check called like an analysis": (
        LEAST + '[[checks]]\ncheck = "non-finite"\nname = "deconv"\n',
        ['8:1: "deconv" is the name of an analysis; give the check another'],
    ),
    "globs that fit no model": (
        LEAST + 'models = ["m", "n*"]\n[[checks]]\ncheck = "non-finite"\nmodels = "mm"\n',
        ['6:16: no model "n*"; there is: m', '9:1: no model "mm"; did you mean "m"?'],
    ),
    "a second model that is not there": (
        LEAST + 'recognised_by = "mm"\n',
        ['6:1: no model "mm"; did you mean "m"?'],
    ),
    "no model": (
        LAYER,
        ['1:1: there is no [[models]]: name at least one model to audit, with its "name" and "factory"'],
    ),
    "nothing to look at": (
        "layers = []\nchecks = []\n" + MODEL,
        ["1:1: there is nothing to look at: leave out the empty layers and checks to get the default ones"],
    ),
    "an empty file": (
        "",
        [
            '1:1: there is no [[models]]: name at least one model to audit, with its "name" and "factory"',
        ],
    ),
    "unknown sections": (
        'seed = 3\nx = 1\n[modle]\nname = "m"\n' + LEAST,
        [
            '1:1: "seed" is in no section; put it under [audit]',
            '2:1: "x" is in no section; there is: audit, models, data, presets, layers, checks',
            '3:1: no section [modle]; did you mean "models"?',
        ],
    ),
    "brackets too few and too many": (
        MODEL.replace("[[models]]", "[models]") + '[[audit]]\nname = "a"\n' + LAYER,
        [
            "1:1: there may be several: write [[models]], with two brackets",
            "4:1: there is only one: write [audit], with its keys below",
        ],
    ),
    "an environment variable that is not set": (
        MODEL + 'checkpoint = "${NOWHERE}/a.pth"\nlabels = ["a", "${1X}", "${"]\n' + LAYER,
        [
            '4:1: checkpoint = "${NOWHERE}/a.pth": the environment variable NOWHERE is not set; set it, or give it a '
            "default: ${NOWHERE:-default}",
            '5:16: labels[1] = "${1X}": "${1X}" names no environment variable; '
            'write ${NAME} or ${NAME:-default}, or "$$" for "$"',
            '5:25: labels[2] = "${": "${" without its "}"; write "$${" for a plain "${"',
        ],
    ),
    "no TOML": (LEAST + "units = \n", ["6:9: is not TOML: Invalid value"]),
    "a text without its end": (LEAST + 'units = """all\n\n', ["6:1: is not TOML: Unterminated string"]),
    "a number too large": (
        LEAST + f"images = {2**63}\n",
        ["6:1: images: needs a whole number of no more than 64 bits"],
    ),
    "tables in tables": (
        MODEL + f"arguments = {{ a = {'[' * 40}{']' * 40} }}\n" + LAYER,
        [f"4:47: arguments.a{'[0]' * 28}: more than 32 tables and lists are inside each other"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_said_with_its_line_and_what_to_do(text: str, expected: list[str], written: Any) -> None:
    assert said(written(text)) == expected


def test_all_mistakes_of_a_file_come_at_once_in_the_order_of_their_lines(written: Any) -> None:
    text = (
        "[audit]\nsed = 1\n[[models]]\nname = 3\nchekpoint = 1\n[data]\n[presets.p]\nsteps = 0\n"
        '[[layers]]\nname = "a"\nmodels = "x"\nanalyses = ["b"]\npresets = ["q"]\n[[checks]]\ncheck = "c"\n[chekcs]\n'
    )
    lines = [int(line.split(":")[0]) for line in said(written(text))]
    assert lines == sorted(lines)
    assert set(lines) == {2, 3, 4, 5, 6, 7, 8, 12, 13, 15, 16}


def test_no_message_speaks_of_the_library_that_found_the_mistake(written: Any) -> None:
    foreign = re.compile(r"pydantic|Input should|valid (string|integer|number)|https?://|Error|None|dict|tuple")
    assert not [line for text, _ in WRONG.values() for line in said(written(text)) if foreign.search(line)]


def test_a_mistake_about_the_environment_is_the_only_one_about_its_value(written: Any) -> None:
    assert len(said(written('[audit]\ndevice = "${DEVICE}"\n' + LEAST))) == 1


def test_a_value_from_the_environment_is_checked_like_any_other(written: Any) -> None:
    path = written('[audit]\ndevice = "${DEVICE}"\n' + LEAST)
    assert read(path, {"DEVICE": "cpu"}).audit.device == "cpu"
    assert said(path, {"DEVICE": "gpu"})[0].startswith('2:1: device = "gpu": needs')
    assert said(path, {"DEVICE": "c\udc80"}) == [
        '2:1: device = "${DEVICE}": no name or path can have the character that this text has'
    ]


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert said(tmp_path / "audit.toml") == ["1:1: cannot be read: No such file or directory"]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert said(tmp_path) == ["1:1: cannot be read: Is a directory"]


def test_bytes_that_are_no_text_are_found(written: Any) -> None:
    assert said(written(b'[audit]\nname = "\xc3\xa9\xff"\n')) == ["2:10: is not UTF-8 text; save the file as UTF-8"]


def test_thousands_of_brackets_are_a_mistake_and_no_crash(written: Any) -> None:
    assert said(written(f"a = {'[' * 5000}{']' * 5000}\n")) == ["1:1: too many lists or tables inside each other"]


# What is kept of a file with mistakes

PARTLY = (
    '[audit]\nseed = "x"\n[[models]]\nname = "a"\n[[models]]\nname = "b"\nfactory = "nets:b"\ncheckpoint = "b.pth"\n'
    '[[layers]]\nname = "x"\nunits = "?"\n[[layers]]\nname = [\n  "y",\n  "z",\n]\nmodels = "a"\n'
    '[[checks]]\ncheck = "no"\n[[checks]]\ncheck = "non-finite"\n[presets.p]\nsteps = 0\nlearning_rate = 1\n'
)


@pytest.fixture
def partly(written: Any) -> Config:
    """What is kept of PARTLY."""
    return read_partly(written(PARTLY), {})[0]


def test_what_is_right_is_kept(partly: Config) -> None:
    assert partly.audit == AuditSection()
    assert [model.name for model in partly.models] == ["b"]
    assert [layer.name for layer in partly.layers] == [("y", "z")]
    assert [chosen.name for chosen in partly.checks] == ["non-finite"]
    assert "p" not in partly.presets


def test_what_is_kept_knows_its_place_in_the_file(partly: Config) -> None:
    assert partly.path(partly.models[0]) == ("models", 1)
    assert partly.path(partly.layers[0]) == ("layers", 1)
    assert partly.path(partly.checks[0]) == ("checks", 1)


def test_a_model_and_pictures_are_enough(written: Any) -> None:
    config = read(written(MODEL + '[data]\nfolder = "photographs"\n'), {})
    assert [layer.name for layer in config.layers] == ["*"]
    assert "dead-units" in [chosen.name for chosen in config.checks]
    assert all(chosen.implied for chosen in config.checks)
    assert config.path(config.layers[0]) == config.path(config.checks[0]) == ()


def test_without_pictures_only_what_the_weights_say_is_implied(written: Any) -> None:
    config = read(written(MODEL), {})
    assert config.layers == ()
    assert all(set(chosen.check.needs) <= {"parameters", "normalisations"} for chosen in config.checks)


def test_defaults_stand_for_the_checks_that_the_file_does_not_name(written: Any) -> None:
    text = '[[checks]]\ncheck = "defaults"\nlayers = "late*"\n[[checks]]\ncheck = "dead-units"\nat_most = 3.0\n'
    config = read(written(MODEL + '[data]\nfolder = "photographs"\n' + text), {})
    names = [chosen.name for chosen in config.checks]
    assert names.count("dead-units") == 1
    assert "non-finite" in names
    assert "defaults" not in names
    for chosen in config.checks:
        assert chosen.implied == (chosen.name != "dead-units")
        assert chosen.section.layers == ("*" if chosen.name == "dead-units" else "late*")


def test_an_option_of_defaults_is_a_mistake(written: Any) -> None:
    (line,) = said(written(LEAST + '[[checks]]\ncheck = "defaults"\nat_most = 1\n'))
    assert "at_most" in line


def test_a_problem_found_later_stands_at_its_line(partly: Config) -> None:
    def at(*place: str | int) -> tuple[int, int]:
        problem = partly.problem(place, "what")
        assert (problem.file, problem.message) == (str(partly.file), "what")
        return problem.line, problem.column

    assert at(*partly.path(partly.models[0]), "checkpoint") == (8, 1)
    assert at(*partly.path(partly.models[0]), "key") == (5, 1)
    assert at(*partly.path(partly.layers[0]), "name", 1) == (15, 3)
    assert at(*partly.path(partly.layers[0]), "name", 7) == (13, 1)
    assert at("data", "folder") == (1, 1)


def test_two_equal_sections_have_two_places(written: Any) -> None:
    config = read(written(LEAST + LAYER), {})
    assert config.layers[0] == config.layers[1]
    assert [config.path(layer) for layer in config.layers] == [("layers", 0), ("layers", 1)]


def test_a_configuration_survives_pickling_with_its_places(partly: Config) -> None:
    again = pickle.loads(pickle.dumps(partly))
    assert again == partly
    assert again.path(again.layers[0]) == ("layers", 1)
    assert again.problem(("layers", 1, "name", 1), "x") == partly.problem(("layers", 1, "name", 1), "x")


# Where things stand


def test_every_form_of_toml_has_its_position() -> None:
    positions = Positions(
        "plain = 1\n"
        'a.b."c d" = 2\n'
        '  "q.x" = [1,\n'
        "    { k = 2, m.n = 3 }, # { z = 1 }\n"
        '    "]", [[4]]]\n'
        "[t.'u v'.w]\n"
        "x = {p = {}, r = []}\n"
        "[t]\n"
        '"é" = "é"\n'
        "[[m]]\n"
        "[m.sub]\n"
        "z = '''\n"
        "[no]\n"
        "'''\n"
        "[[m]]\n"
        "n = 1\n"
        "[[m.deep]]\n"
        "[[m.deep]]\n"
        "k = 1\n"
        "[m.deep.in]\n"
        'o = ["é", 1]'
    )
    expected: dict[tuple[str | int, ...], tuple[int, int]] = {
        ("plain",): (1, 1),
        ("a",): (2, 1),
        ("a", "b"): (2, 3),
        ("a", "b", "c d"): (2, 5),
        ("q.x",): (3, 3),
        ("q.x", 0): (3, 12),
        ("q.x", 1): (4, 5),
        ("q.x", 1, "k"): (4, 7),
        ("q.x", 1, "m"): (4, 14),
        ("q.x", 1, "m", "n"): (4, 16),
        ("q.x", 2): (5, 5),
        ("q.x", 3): (5, 10),
        ("q.x", 3, 0): (5, 11),
        ("q.x", 3, 0, 0): (5, 12),
        ("t", "u v"): (6, 1),
        ("t", "u v", "w"): (6, 1),
        ("t", "u v", "w", "x"): (7, 1),
        ("t", "u v", "w", "x", "p"): (7, 6),
        ("t", "u v", "w", "x", "r"): (7, 14),
        ("t",): (8, 1),
        ("t", "é"): (9, 1),
        ("m",): (10, 1),
        ("m", 0): (10, 1),
        ("m", 0, "sub"): (11, 1),
        ("m", 0, "sub", "z"): (12, 1),
        ("m", 1): (15, 1),
        ("m", 1, "n"): (16, 1),
        ("m", 1, "deep"): (17, 1),
        ("m", 1, "deep", 0): (17, 1),
        ("m", 1, "deep", 1): (18, 1),
        ("m", 1, "deep", 1, "k"): (19, 1),
        ("m", 1, "deep", 1, "in"): (20, 1),
        ("m", 1, "deep", 1, "in", "o"): (21, 1),
        ("m", 1, "deep", 1, "in", "o", 0): (21, 6),
        ("m", 1, "deep", 1, "in", "o", 1): (21, 11),
    }
    assert {place: positions.of(place) for place in expected} == expected
    assert set(expected) <= set(places(tomllib.loads(positions.text)))


def test_what_the_file_does_not_have_stands_where_it_would_be() -> None:
    positions = Positions("# first\n[a]\nb = [1,\n 2]\n[[c]]\n[[c]]\n")
    assert positions.of(("a", "b", 1)) == (4, 2)
    assert positions.of(("a", "b", 5)) == (3, 1)
    assert positions.of(("a", "x", "y")) == (2, 1)
    assert positions.of(("c", 1, "x")) == (6, 1)
    assert positions.of(("d",)) == (1, 1)


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of everything in parsed TOML."""
    if place:
        yield place
    if isinstance(value, dict | list):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(entry, (*place, key))


MARKS = [*"[]{}=.,\"'#$-0é\x00a\n \\", "[[", "]]", "${", "${X}", '"""', "1e400", "nan", "true", "1979-05-27", "9" * 30]
LINES = [
    "[audit]",
    "[[models]]",
    "[[layers]]",
    "[[presets]]",
    "[presets.p]",
    "[data]",
    "x = nan",
    "models = []",
    "units = []",
]
VALUES = ['name = "m"', 'check = "accuracy"', "audit.x = 1", "[1, [2]]", "{a = 1}", '"random:"', 'x = "${NO}"']
PIECES = st.sampled_from(MARKS + LINES + VALUES).flatmap(
    lambda piece: st.sampled_from([piece, f"{piece}\n", f"\n{piece}\n"])
)
EDITS = st.lists(
    st.tuples(st.integers(0, len(GOOD)), st.integers(0, 12), PIECES | st.text(max_size=3)), min_size=1, max_size=4
)


def edited(edits: list[tuple[int, int, str]]) -> str:
    """GOOD with some of its pieces replaced."""
    text = GOOD
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length :]
    return text


@given(EDITS)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_gives_anything_but_a_configuration_or_its_mistakes(
    tmp_path: Path, edits: list[tuple[int, int, str]]
) -> None:
    path, text = tmp_path / "audit.toml", edited(edits)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        config = read(path, {})
    except ConfigError as error:
        problems = error.problems
    else:
        assert config.models
        assert config.layers or config.checks
        return
    assert problems
    for problem in problems:
        assert problem.file == str(path)
        assert 1 <= problem.line <= text.count("\n") + 1
        assert problem.column >= 1
        assert problem.message


@given(EDITS)
@settings(max_examples=300, deadline=None)
def test_everything_that_toml_can_hold_has_a_position(edits: list[tuple[int, int, str]]) -> None:
    text = edited(edits)
    try:
        tables = tomllib.loads(text)
    except ValueError:
        return
    positions = Positions(text)
    assert [place for place in places(tables) if place not in positions] == []


# The schema and the page


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """The validator of audit.toml."""
    Draft202012Validator.check_schema(schema())
    return Draft202012Validator(schema())


def test_the_published_schema_is_that_of_the_code() -> None:
    published = (DOCS / "audit.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "the code changed: write audit.config.schema_text() to docs/audit.schema.json"


def test_the_schema_takes_a_good_file(validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors(tomllib.loads(GOOD))) == []
    assert list(validator.iter_errors(tomllib.loads('[audit]\ndevice = "${DEVICE:-cpu}"\n' + LEAST))) == []


@pytest.mark.parametrize(
    "name",
    [
        "an unknown key",
        "a missing key",
        "wrong types",
        "wrong values",
        "a factory without its function",
        "unit selections",
        "an unknown analysis",
        "mistakes in a preset",
        "a preset that is no table",
        "an unknown check",
        "unknown and wrong options of a check",
        "a check without what it needs",
        "no model",
        "unknown sections",
        "brackets too few and too many",
    ],
)
def test_the_schema_refuses_a_wrong_file(name: str, validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors(tomllib.loads(WRONG[name][0])))


def test_the_schema_has_every_registered_component() -> None:
    definitions = schema()["$defs"]
    for kind in ("check", "regularizer"):
        for name in registry.names(kind):
            assert definitions[f"{kind}.{name}"]["properties"][kind]["const"] == name
            assert definitions[f"{kind}.{name}"]["description"]


def test_every_reference_of_the_schema_leads_somewhere() -> None:
    whole = schema()
    references = set(re.findall(r'"#/\$defs/([^"]+)"', json.dumps(whole)))
    assert references == set(whole["$defs"])


PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")
CHAPTERS = dict(re.findall(r"^## `\[+(\w+)[^`]*`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("kind", ["audit", "models", "data", "presets", "layers", "checks"])
def test_every_key_of_a_section_is_documented_and_shown_in_its_example(kind: str) -> None:
    definitions = schema()["$defs"]
    own = {"models": "model", "presets": "preset", "layers": "layer", "checks": "check.dead-units"}.get(kind, kind)
    also = [
        name for name in definitions if name.startswith({"presets": "regularizer.", "checks": "check."}.get(kind, "?"))
    ]
    for key in {key for name in [own, *also] for key in definitions[name]["properties"]}:
        assert f"`{key}`" in CHAPTERS[kind], f'[{kind}] "{key}" is not in docs/configuration.md'
    for name in also:
        assert f'`"{name.split(".", 1)[1]}"`' in CHAPTERS[kind]


def test_every_default_of_a_section_is_documented() -> None:
    for kind, name in {"audit": "audit", "models": "model", "data": "data", "layers": "layer"}.items():
        for key, node in schema()["$defs"][name]["properties"].items():
            row = re.search(rf"^\| `{key}` \|.*$", CHAPTERS[kind], re.MULTILINE)
            assert row, f"{kind}.{key} has no row"
            if node.get("default") and key not in ("presets", "occlusion", "tsne", "correspondence", "inversion"):
                assert f"`{json.dumps(node['default'])}`" in row[0], f"the default of {kind}.{key}"


@pytest.mark.parametrize("option", ["occlusion", "tsne", "correspondence", "inversion"])
def test_every_option_of_a_table_in_layers_is_documented(option: str) -> None:
    page = (Path(__file__).parents[1] / "docs" / "analyses.md").read_text(encoding="utf-8")
    (chapter,) = re.findall(rf"^## {option}$(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    options = schema()["$defs"][f"{option.title()}Section"]["properties"]
    assert options
    for key, node in options.items():
        row = re.search(rf"^\| `{key}` \| ([^|]+) \|.*$", chapter, re.MULTILINE)
        assert row, f"{option}.{key} has no row"
        default = node.get("default")
        said = f"{default:g}" if isinstance(default, float) else json.dumps(default)
        assert default is None or row[1] in {f"`{said}`", f"`{default}`"}, f"the default of {option}.{key}"
        assert f"`{key}`" in CHAPTERS["layers"]


def test_the_examples_of_the_page_are_right(written: Any) -> None:
    first, *others = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(read(written(first), {"DEEPVIS_DATA": "/data"}).checks) == 2
    together = read(written("\n".join(others)), {})
    assert together.models[0].name == "resnet20"
    assert together.layers[0].presets == ("yosinski-3", "sparse")


def test_a_warp_that_moves_nothing_is_refused(tmp_path):
    layers = '[[layers]]\nname = "*"\ncorrespondence = { rotate = 0, scale = 1, shift = 0 }\n'
    (tmp_path / "audit.toml").write_text('[[models]]\nname = "m"\nfactory = "nets.py:net"\n' + layers)
    with pytest.raises(ConfigError, match=r"audit\.toml:6:.*moves nothing"):
        read(tmp_path / "audit.toml")
