"""Plugins of an audit: found, told apart, refused with both places named, and broken without touching anything else."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from audit import registry
from audit.checks.evidence import Need
from audit.config import read, schema_text
from audit.errors import ConfigError, PluginError
from audit.plan import prepare
from tests.audits import DEMO, WEIGHTS, section
from tests.plugins import audited, messages, outcomes

MODEL = section("[[models]]", **DEMO, checkpoint=str(WEIGHTS))
DATA = section("[data]", factory="audit.demo.generator:pictures", arguments={"count": 40, "split": "test"}, batch=40)
CHECK = """
from typing import ClassVar
from pydantic import Field
from audit.plugins import Check, Judgement, check

@check("mine")
class Mine(Check):
    looks_at: ClassVar = "model"
    needs: ClassVar = ()
    at_most: float = Field(default=1.0, ge=0, description="numbers")
    def judge(self, evidence):
        return Judgement(0.5, self.at_most, "at most", "", "as it is")
"""
WEIGHTS_CHECK = section("[[checks]]", check="degenerate-weights")


def plugins(*names: str) -> str:
    return section("[audit]", plugins=list(names))


def mistakes(path: Path, text: str, **files: str) -> list[str]:
    """What is wrong with that audit.toml, without the names of folders."""
    for name, content in {**files, "audit.toml": text}.items():
        (path / name).write_text(content, encoding="utf-8")
    try:
        read(path / "audit.toml")
    except ConfigError as error:
        return str(error).replace(f"{path}/", "").splitlines()
    return []


def test_a_check_of_a_file_is_an_item_with_its_options(tmp_path: Path) -> None:
    text = plugins("checks.py") + MODEL + section("[[checks]]", check="mine", at_most=0.25)
    report = audited(tmp_path, text, **{"checks.py": CHECK}).report
    (verdict,) = report.verdicts
    assert (verdict.item.id, verdict.outcome) == ("audit.toml::demo::mine", "failed")
    assert (verdict.measured, verdict.limit, verdict.line) == (0.5, 0.25, 10)


def test_a_plugin_s_checks_are_no_default_checks(tmp_path: Path) -> None:
    for name, content in {"checks.py": CHECK, "audit.toml": plugins("checks.py") + MODEL}.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    names = {item.task for item in prepare(tmp_path / "audit.toml").items("audit.toml")}
    assert "degenerate-weights" in names
    assert "mine" not in names


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ({"at_most": -1}, "audit.toml:12:1: at_most = -1: needs a number of at least 0"),
        (
            {"at_mots": 1},
            'audit.toml:12:1: no key "at_mots" in [[checks]] with check = "mine"; did you mean "at_most"?',
        ),
        ({"check": "mien"}, 'audit.toml:11:1: no check "mien"; did you mean "mine"?'),
    ],
)
def test_a_mistake_in_its_options_has_its_line(check: dict[str, object], said: str, tmp_path: Path) -> None:
    text = plugins("checks.py") + MODEL + section("[[checks]]", **{"check": "mine", **check})
    assert mistakes(tmp_path, text, **{"checks.py": CHECK}) == [said]


def test_a_module_can_be_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "installed" / "marks_of_mine").mkdir(parents=True)
    (tmp_path / "installed" / "marks_of_mine" / "__init__.py").touch()
    (tmp_path / "installed" / "marks_of_mine" / "checks.py").write_text(CHECK)
    monkeypatch.syspath_prepend(tmp_path / "installed")
    text = plugins("marks_of_mine.checks") + MODEL + section("[[checks]]", check="mine")
    assert outcomes(audited(tmp_path, text).report) == {"audit.toml::demo::mine": "passed"}


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("chekcs.py", '"chekcs.py": no such file; did you mean "checks.py"?'),
        ("notes.txt", '"notes.txt": no such module'),
        (
            "folder/notes.txt",
            '"folder/notes.txt": is no Python file; name a .py file, or a module that can be imported',
        ),
        ("no_such.module", '"no_such.module": no module "no_such" can be imported'),
        ("..", '"..": is no name of a module'),
        ("é-x", '"é-x": is no name of a module'),
        ("empty.py", '"empty.py": announces nothing; mark what it brings'),
    ],
)
def test_a_plugin_that_is_not_there_is_a_mistake_of_the_file(listed: str, said: str, tmp_path: Path) -> None:
    said = said.replace("no such module", 'no module "notes" can be imported')
    found = mistakes(tmp_path, plugins(listed) + MODEL, **{"checks.py": CHECK, "empty.py": "", "notes.txt": ""})
    assert len(found) == 1
    assert found[0].startswith(f"audit.toml:2:12: {said}")


def test_a_module_that_fails_is_an_error_of_its_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing_marks.py").write_text("\nint('x')\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = plugins("failing_marks") + MODEL + section("[[checks]]", check="mine") + WEIGHTS_CHECK
    report = audited(tmp_path, text).report
    assert outcomes(report) == {"audit.toml::demo::mine": "error", "audit.toml::demo::degenerate-weights": "passed"}
    assert "failing_marks.py:2: ValueError: invalid literal" in messages(report)["mine"]


def test_names_that_are_taken_are_mistakes_that_say_by_whom(tmp_path: Path) -> None:
    built_in = CHECK.replace('@check("mine")', '@check("dead-units")')
    statistic = (
        "from audit.plugins import statistic\n"
        "@statistic('tsne')\ndef tsne(asked):\n    return []\n"
        "@statistic('noise')\ndef noise(asked):\n    return []\n"
    )
    files = {"a.py": CHECK, "b.py": CHECK, "c.py": built_in, "d.py": statistic}
    assert mistakes(tmp_path, plugins(*files) + MODEL, **files) == [
        'audit.toml:2:20: b.py:6: the name of the check "mine" is taken by the check of a.py:6; rename one of them',
        *(
            f'audit.toml:2:{column}: {place}: the name of the {kind} "{name}" is taken by the {other} of that name '
            "that is built in; rename yours"
            for column, place, kind, name, other in (
                (28, "c.py:6", "check", "dead-units", "check"),
                (36, "d.py:2", "statistic", "tsne", "overview"),
                (36, "d.py:5", "statistic", "noise", "table"),
            )
        ),
    ]


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package as pip does: its module, and metadata that name its components."""

    def package(name: str, source: str, **points: str) -> None:
        site = tmp_path / "site-packages"
        metadata = site / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (site / f"{name}.py").write_text(source)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        groups = [f"[deepvis_audit.{group}]\n{point}\n" for group, point in points.items()]
        (metadata / "entry_points.txt").write_text("\n".join(groups))
        monkeypatch.syspath_prepend(site)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return package


def test_an_installed_package_brings_checks_and_is_imported_when_one_is_used(tmp_path: Path, install: Install) -> None:
    install("deepvis_marks", CHECK, checks="mine = deepvis_marks:Mine")
    text = MODEL + WEIGHTS_CHECK
    assert outcomes(audited(tmp_path / "without", text).report) == {"audit.toml::demo::degenerate-weights": "passed"}
    assert "deepvis_marks" not in sys.modules
    text = MODEL + section("[[checks]]", check="mine", at_most=0.1)
    (verdict,) = audited(tmp_path / "with", text).report.verdicts
    assert (verdict.item.task, verdict.outcome, verdict.limit) == ("mine", "failed", 0.1)


def test_a_broken_package_is_an_error_of_the_items_that_use_it(tmp_path: Path, install: Install) -> None:
    install(
        "deepvis_torn",
        "\nimport math\nmath.sqrt(-1)\n",
        checks="torn = deepvis_torn:Torn",
        statistics="tears = deepvis_torn:tears",
    )
    install("deepvis_gone", CHECK, checks="gone = deepvis_gone:Nobody")
    checks = "".join(section("[[checks]]", check=name) for name in ("torn", "gone", "degenerate-weights"))
    layers = section("[[layers]]", name="relu1", analyses=["tears"])
    report = audited(tmp_path, MODEL + DATA + layers + checks).report
    assert sorted(outcomes(report).values()) == ["error", "error", "error", "passed"]
    said = messages(report)
    where = "deepvis_torn.py:3: ValueError: math domain error"
    assert said["torn"].endswith(f"{where} (check torn of deepvis_torn:Torn of deepvis_torn 1.0)")
    assert "deepvis_torn.py:3: ValueError: math domain error" in said["tears"]
    assert "Nobody" in said["gone"]


def test_a_name_of_two_packages_or_of_ours_is_a_mistake_where_it_is_used(tmp_path: Path, install: Install) -> None:
    install("deepvis_one", CHECK, checks="mine = deepvis_one:Mine")
    install("deepvis_two", CHECK, checks="mine = deepvis_two:Mine\ndead-units = deepvis_two:Mine")
    assert mistakes(tmp_path, MODEL) == []
    two = "".join(section("[[checks]]", check=name) for name in ("mine", "dead-units"))
    first, second = mistakes(tmp_path, MODEL + DATA + two)
    assert first.startswith("audit.toml:13:1: deepvis_")
    assert all(f"deepvis_{package}:Mine of deepvis_{package} 1.0" in first for package in ("one", "two"))
    assert second.startswith('audit.toml:15:1: deepvis_two:Mine of deepvis_two 1.0: the name of the check "dead-units"')


def test_a_module_that_is_listed_and_installed_is_no_mistake(tmp_path: Path, install: Install) -> None:
    install("deepvis_marks", CHECK, checks="mine = deepvis_marks:Mine")
    assert mistakes(tmp_path, plugins("deepvis_marks") + MODEL + section("[[checks]]", check="mine")) == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import numpy\n\nnumpy.zeros(-1)\n" + CHECK, "checks.py:3: ValueError: negative dimensions are not allowed"),
        ("def broken(:\n", "checks.py:1: SyntaxError"),
        ("import sys\nsys.exit(0)\n", "checks.py:2: SystemExit: 0"),
        ("from no_such_package import things\n", "checks.py:1: ModuleNotFoundError: No module named 'no_such_package'"),
        ("import helper\n", "helper.py:1: NameError: name 'what' is not defined"),
        (
            "from audit.plugins import check\n\n@check\nclass Mine: ...\n",
            'checks.py:3: ValueError: write @check("name")',
        ),
    ],
)
def test_a_file_that_fails_is_an_error_of_its_items(source: str, said: str, tmp_path: Path) -> None:
    layers = section("[[layers]]", name="relu1", analyses=["activations", "own-pictures"])
    checks = section("[[checks]]", check="mine", anything=3) + WEIGHTS_CHECK
    files = {"checks.py": source, "helper.py": "what\n"}
    report = audited(tmp_path, plugins("checks.py") + MODEL + DATA + layers + checks, **files).report
    assert outcomes(report) == {
        "audit.toml::demo::mine": "error",
        "audit.toml::demo::degenerate-weights": "passed",
        "audit.toml::demo::relu1::activations": "passed",
        "audit.toml::demo::relu1::own-pictures": "error",
    }
    for task in ("mine", "own-pictures"):
        first, second, *_ = messages(report)[task].splitlines()
        assert f'"{task}", which may be in a plugin that is broken' in first
        assert second.startswith(said)
        assert "repair it, or take checks.py out of plugins" in messages(report)[task]


def test_a_broken_file_that_nothing_asks_for_is_a_mistake_and_not_passed_over(tmp_path: Path) -> None:
    found = mistakes(tmp_path, plugins("checks.py") + MODEL + WEIGHTS_CHECK, **{"checks.py": "1 / 0\n"})
    assert found == [
        "audit.toml:2:12: checks.py:1: ZeroDivisionError: division by zero; repair it, or take checks.py out of plugins"
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("class Mine(Check)", "class Mine", "is a class made of object; a check is a class made of Check"),
        ('looks_at: ClassVar = "model"', "", "needs looks_at: ClassVar = one of 'model'"),
        ("needs: ClassVar = ()", 'needs: ClassVar = "activations"', "needs a tuple of names"),
        ("needs: ClassVar = ()", 'needs: ClassVar = ("activation",)', 'needs "activation", which nobody measures'),
        ("def judge", "def juge", "has no method judge"),
        ("at_most: float = F", "layers: float = F", 'has the option "layers", a key of every [[checks]]; rename it'),
        ("    at_most", "    def model_post_init(self, _):\n        {}[self]\n    at_most", "checks.py:13: KeyError"),
        ("return Judgement(", "return bool(", "checks.py:14: TypeError"),
        ("return Judgement(", "raise KeyError(", "checks.py:14: KeyError"),
        ("return Judgement(", "import sys; sys.exit(", "checks.py:14: "),
        ("return Judgement(", "return (", "checks.py:8: judge returned a tuple; it has to return a Judgement"),
        ("return Judgement(0.5", "return Judgement('half'", "checks.py:8: measured is 'half'; it has to be a number"),
        (
            '"at most", "",',
            '"most", "",',
            "checks.py:8: the judgement has good = 'most'; it is one of 'at most', 'at least'",
        ),
    ],
)
def test_a_wrong_check_is_an_error_of_its_item(old: str, new: str, said: str, tmp_path: Path) -> None:
    source = CHECK.replace(old, new).replace("\n@check", "\n\n\n@check")
    assert source != CHECK
    text = plugins("checks.py") + MODEL + section("[[checks]]", check="mine") + WEIGHTS_CHECK
    report = audited(tmp_path, text, **{"checks.py": source}).report
    assert outcomes(report) == {"audit.toml::demo::mine": "error", "audit.toml::demo::degenerate-weights": "passed"}
    assert said in messages(report)["mine"].splitlines()[0]


STATISTIC = """
import numpy as np
from typing import ClassVar
from audit.plugins import Check, Judgement, Scalars, check, statistic

class Count:
    def __init__(self):
        self.images = 0
    def update(self, batch):
        self.images += len(batch.images)
        self.units = batch.maps.shape[1]
    def merge(self, other):
        self.images += other.images
    def compute(self, layer):
        return Scalars(layer, {"count": np.full(self.units, self.images)})

@statistic("count")
def count(asked):
    return [Count()]

@check("counted")
class Counted(Check):
    looks_at: ClassVar = "rectified layers"
    needs: ClassVar = ("count",)
    def judge(self, evidence):
        return Judgement(evidence.column("count").min(), 40, "at least", "", "counted")
"""
COUNTED = (
    plugins("statistics.py")
    + MODEL
    + DATA
    + section("[[layers]]", name="relu1", analyses=["activations", "count"])
    + section("[[checks]]", check="counted")
    + section("[[checks]]", check="dead-units")
)


def test_a_statistic_is_measured_and_read_by_a_check(tmp_path: Path) -> None:
    report = audited(tmp_path, COUNTED, **{"statistics.py": STATISTIC}).report
    assert set(outcomes(report).values()) == {"passed"}
    (record,) = report.scalars
    assert record.columns["count"].tolist() == [40.0] * len(record.columns["mean"])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("return [Count()]", "return 1 / 0", "statistics.py:19: ZeroDivisionError"),
        ("return [Count()]", "return []", 'statistics.py:17: the statistic "count" has to return a list of reducers'),
        ("self.images += len(batch.images)", "self.images += batch", "statistics.py:10: TypeError"),
        (
            "return Scalars(layer, {",
            "return (layer, {",
            "has computed a tuple; compute returns Scalars(layer, columns)",
        ),
        ('{"count": np', '{"mean": np', 'has a column "mean"; name it count, or count_ and more'),
        ("np.full(self.units,", "np.full(3,", 'has a column "count" of shape (3,); relu1 has'),
        (
            '@statistic("count")\ndef count',
            '@statistic("count")\nclass count',
            "is a class made of object; it has to be a function",
        ),
    ],
)
def test_a_wrong_statistic_is_an_error_of_what_needs_it(old: str, new: str, said: str, tmp_path: Path) -> None:
    source = STATISTIC.replace(old, new).replace("class count(asked):\n    return [Count()]", "class count: ...")
    assert source != STATISTIC
    report = audited(tmp_path, COUNTED, **{"statistics.py": source}).report
    assert outcomes(report) == {
        "audit.toml::demo::relu1::activations": "passed",
        "audit.toml::demo::relu1::count": "error",
        "audit.toml::demo::relu1::counted": "error",
        "audit.toml::demo::relu1::dead-units": "passed",
    }
    assert said in messages(report)["count"]
    assert said in messages(report)["counted"]


ANALYSIS = """
import numpy as np
from typing import ClassVar
from audit.plugins import Pictures, analysis

@analysis("plain")
class Plain:
    needs_data: ClassVar = False
    def run(self, task):
        count = len(task.units)
        return Pictures(task.layer.name, "plain", task.units, np.zeros((count, 1, 8, 8, 3), np.uint8),
                        (("nothing",),) * count, ("plain",), "As they are.", {"plain": np.zeros((count, 1))})
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("count = len(task.units)", "count = 1 / 0", "analyses.py:10: ZeroDivisionError"),
        ("    def run", "    def __init__(self):\n        1 / 0\n    def run", "analyses.py:10: ZeroDivisionError"),
        ("    def run", "    def draw", "has no run; an analysis has needs_data and run"),
        ("return Pictures(", "return str, (", "returned a tuple; it has to return Pictures"),
        ('"plain", task.units', '"optimized", task.units', 'returned pictures of "conv1" and kind "optimized"'),
        ('"plain", task.units', '"plain", (1,)', "returned pictures of 1 units, and not those that were asked for"),
        ("8, 3), np.uint8", "8, 3)", "returned tiles of shape (2, 1, 8, 8, 3); they are uint8"),
        ('("nothing",),)', '("no", "thing"),)', "needs a caption per tile"),
        ('("plain",), "As', '(), "As', "has 0 groups of 1 tiles"),
        ('{"plain": np', '{"activation": np', 'has numbers "activation"; they are called plain'),
    ],
)
def test_a_wrong_analysis_is_an_error_of_its_item(old: str, new: str, said: str, tmp_path: Path) -> None:
    source = ANALYSIS.replace(old, new, 1)
    assert source != ANALYSIS
    layers = section("[[layers]]", name="conv1", analyses=["plain", "filters"], units=[0, 3])
    text = "checks = []\n" + plugins("analyses.py") + MODEL + layers
    report = audited(tmp_path, text, **{"analyses.py": source}).report
    assert outcomes(report) == {"audit.toml::demo::conv1::plain": "error", "audit.toml::demo::conv1::filters": "passed"}
    assert said in messages(report)["plain"]


REGULARIZER = """
from typing import Literal
from audit.plugins import Regularizer, regularizer

@regularizer("half")
class Half(Regularizer):
    regularizer: Literal["half"] = "half"
    share: float = 0.5
    def apply(self, images, gradient, step):
        return images * self.share
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("from typing import Literal", "from typing import Nothing", "images.py:2: ImportError"),
        ("return images * self.share", "return 1 / 0", "images.py:10: ZeroDivisionError"),
        ('Literal["half"] = "half"', 'Literal["half"]', 'needs the field regularizer: Literal["half"] = "half"'),
        ("class Half(Regularizer)", "class Half", "a regularizer is a class made of Regularizer"),
        (
            "    share:",
            "    def model_post_init(self, _):\n        1 / 0\n    share:",
            "images.py:9: ZeroDivisionError",
        ),
    ],
)
def test_a_wrong_regularizer_is_an_error_of_the_images_made_with_it(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    source = REGULARIZER.replace(old, new, 1)
    assert source != REGULARIZER
    presets = section("[presets.own]", steps=3, learning_rate=1.0, regularizers=[{"regularizer": "half"}])
    presets += section("[presets.ours]", steps=3, learning_rate=1.0)
    options = {"units": [0], "images": 1, "analyses": ["optimized", "filters"]}
    layers = section("[[layers]]", name="conv1", presets=["own"], **options)
    layers += section("[[layers]]", name="conv2", presets=["ours"], **options)
    text = "checks = []\n" + plugins("images.py") + MODEL + presets + layers
    report = audited(tmp_path, text, **{"images.py": source}).report
    assert outcomes(report) == {
        "audit.toml::demo::conv1::optimized": "error",
        "audit.toml::demo::conv1::filters": "passed",
        "audit.toml::demo::conv2::optimized": "passed",
        "audit.toml::demo::conv2::filters": "passed",
    }
    (verdict,) = [verdict for verdict in report.verdicts if verdict.outcome == "error"]
    assert said in verdict.message


def test_a_wrong_option_of_a_regularizer_has_its_line(tmp_path: Path) -> None:
    presets = section("[presets.own]", steps=3, learning_rate=1.0, regularizers=[{"regularizer": "half", "shaer": 0.1}])
    found = mistakes(tmp_path, plugins("images.py") + MODEL + presets, **{"images.py": REGULARIZER})
    assert len(found) == 1
    assert 'no key "shaer" in regularizers[0] of [presets.own]; did you mean "share"?' in found[0]


def test_two_audits_in_one_process_do_not_see_each_other_s_plugins(tmp_path: Path) -> None:
    text = plugins("checks.py") + MODEL + section("[[checks]]", check="mine")
    for name, message in (("one", "first"), ("two", "second")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "audit.toml").write_text(text)
        (tmp_path / name / "checks.py").write_text(CHECK.replace("as it is", message))
    (tmp_path / "three").mkdir()
    assert 'no check "mine"' in mistakes(tmp_path / "three", MODEL + section("[[checks]]", check="mine"))[0]
    said = [
        messages(audited(tmp_path / name, text, **{"checks.py": (tmp_path / name / "checks.py").read_text()}).report)
        for name in ("one", "two", "one")
    ]
    assert said == [{"mine": "first"}, {"mine": "second"}, {"mine": "first"}]
    assert "mine" not in registry.names("check")


def test_the_schema_is_that_of_the_built_in_components(tmp_path: Path, install: Install) -> None:
    before = schema_text()
    install("deepvis_marks", CHECK, checks="mine = deepvis_marks:Mine")
    (tmp_path / "audit.toml").write_text(MODEL)
    with registry.using(read(tmp_path / "audit.toml").plugins):
        assert "mine" in registry.names("check")
        assert schema_text() == before


def test_what_a_changed_plugin_measures_is_measured_again_and_nothing_else(tmp_path: Path) -> None:
    def work() -> set[str]:
        return {path.name for path in (tmp_path / "reports" / ".work").glob("*.npz")}

    files = {"statistics.py": "from helper import FACTOR\n" + STATISTIC, "helper.py": "FACTOR = 1\n"}
    files["statistics.py"] = files["statistics.py"].replace("self.images)}", "FACTOR * self.images)}")
    audited(tmp_path, COUNTED, **files)
    first = work()
    audited(tmp_path, COUNTED, **files)
    assert work() == first
    report = audited(tmp_path, COUNTED, **{**files, "helper.py": "FACTOR = 2\n"}).report
    assert report.scalars[0].columns["count"][0] == 80
    assert len(work() - first) == 1


RENDERERS = """
from audit.plugins import renderer

@renderer("names")
def names(report, folder):
    (folder / "names.txt").write_text(report.model)

@renderer("torn")
def torn(report, folder):
    raise ValueError("two\\nlines")
"""


def test_a_renderer_that_fails_is_told_and_loses_nothing(tmp_path: Path) -> None:
    text = section("[audit]", plugins=["renderers.py"], renderers=["torn", "names"]) + MODEL + WEIGHTS_CHECK
    published = audited(tmp_path, text, **{"renderers.py": RENDERERS})
    assert published.failures == ("renderer torn: renderers.py:10: ValueError: two lines",)
    assert (published.folder / "names.txt").read_text() == "demo"
    assert (published.latest / "report.html").exists()
    text = text.replace('"torn"', '"tron"')
    assert mistakes(tmp_path, text) == ['audit.toml:3:14: no renderer "tron"; did you mean "torn"?']


def test_a_renderer_of_a_broken_file_is_told(tmp_path: Path) -> None:
    text = section("[audit]", plugins=["renderers.py"], renderers=["names"]) + MODEL + WEIGHTS_CHECK
    published = audited(tmp_path, text, **{"renderers.py": "1 / 0\n"})
    assert outcomes(published.report) == {"audit.toml::demo::degenerate-weights": "passed"}
    assert len(published.failures) == 1
    assert "renderers.py:1: ZeroDivisionError" in published.failures[0]


def test_what_checks_may_need_is_all_known() -> None:
    assert set(get_args(Need)) == {*registry.TABLES, "activations", "distributions", "correlations"}


def test_a_component_that_fails_to_load_fails_the_same_way_again(tmp_path: Path) -> None:
    found, _ = registry.gathered([(0, "checks.py")], _with(tmp_path, CHECK.replace("(Check)", "")))
    for _ in range(2):
        with registry.using(found), pytest.raises(PluginError, match="made of Check"):
            registry.load("check", "mine")


def _with(path: Path, source: str) -> Path:
    (path / "checks.py").write_text(source)
    return path


def test_numpy_numbers_of_a_judgement_can_be_stored(tmp_path: Path) -> None:
    source = CHECK.replace("Judgement(0.5", "Judgement(__import__('numpy').float32(0.5)")
    text = plugins("checks.py") + MODEL + section("[[checks]]", check="mine")
    (verdict,) = audited(tmp_path, text, **{"checks.py": source}).report.verdicts
    assert verdict.measured == np.float64(0.5)
    assert type(verdict.measured) is float
