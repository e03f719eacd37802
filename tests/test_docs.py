"""The words around the product: every name has its page, every link leads somewhere, every example is valid."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from audit import registry
from audit.ascent.presets import BUILT_IN, YOSINSKI
from audit.cli import app
from audit.config import read
from audit.plan import prepare
from audit.records import Item
from audit.render.pages.columns import COLUMNS
from audit.waivers import waivers_for
from audit.waivers.reading import WaiverSection

ROOT = Path(__file__).parents[1]
OURS = ("audit", "benchmarks", "changelog", "docs", "examples", "scripts", "templates", "tests", ".ci")
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md"), *ROOT.glob("reports/*.md")]
)
LEAST = '[[models]]\nname = "m"\nfactory = "nets.py:net"\n'


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that a page offers: its headings as they are made on GitHub, and those written out."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    made = (re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings)
    return {*made, *re.findall(r'<a id="([^"]+)">', text)}


@pytest.mark.parametrize("name", registry.names("check"))
def test_every_check_has_a_page_with_all_of_its_options(name):
    text = page(f"docs/checks/{name}.md")
    assert text.startswith(f"# {name}\n")
    for option, field in registry.load("check", name).model_fields.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{option}` |")]
        default = row.split("|")[3].strip()
        assert default == "required" if field.is_required() else default == as_written(field.default, default), option


@pytest.mark.parametrize("name", registry.names("check"))
def test_every_check_s_page_shows_a_picture_of_it_firing(name):
    ((said, shown),) = re.findall(r"^!\[(.+)\]\((.+)\)$", page(f"docs/checks/{name}.md"), re.MULTILINE)
    assert shown == f"{name}.png"
    assert said.startswith(f"The {name} item ")
    with Image.open(ROOT / "docs" / "checks" / shown) as picture:
        picture.load()
        assert picture.format == "PNG"
        assert picture.width == 800
        assert len({colour for _, colour in picture.convert("RGB").getcolors(2**24)}) > 10


def as_written(value: object, like: str) -> str:
    """A default as a page has it: a number in any form, texts in backticks, none for None."""
    match value:
        case None:
            return "none"
        case str():
            return f"`{value}`"
        case tuple():
            return ", ".join(f"`{one}`" for one in value)
    return like if float(like) == value else str(value)


@pytest.mark.parametrize(
    "name", [name for kind in ("statistic", "study", "analysis", "overview") for name in registry.names(kind)]
)
def test_every_analysis_has_a_section(name):
    assert re.search(rf"^## {name}$", page("docs/analyses.md"), re.MULTILINE)


@pytest.mark.parametrize("name", registry.names("regularizer"))
def test_every_regularizer_has_an_entry(name):
    assert f'| <a id="{name}"></a>`{name}` |' in page("docs/presets.md")


@pytest.mark.parametrize("name", [*YOSINSKI, "none", "l2"])
def test_the_table_of_presets_has_their_numbers(name):
    preset = BUILT_IN[name]
    (row,) = [line for line in page("docs/presets.md").splitlines() if line.startswith(f"| `{name}` |")]
    *_, steps, rate, regularizers, _favours, _ = (cell.strip() for cell in re.split(r"(?<!\\)\|", row))
    assert steps == str(preset.steps)
    numbers = [float(number) for number in re.findall(r"(?<!\w)[\d.]+(?:e\d+)?", rate)]
    constant = isinstance(preset.learning_rate, float)
    assert numbers == ([preset.learning_rate] if constant else list(preset.learning_rate.model_dump().values()))
    written = []
    for text in [] if regularizers == "none" else regularizers.split(", "):
        words = text.split()
        written.append((words[0], [float(word) for word in words[1:] if word != "every"]))
    assert written == [
        (made.regularizer, [float(value) for key, value in made.model_dump().items() if key != "regularizer"])
        for made in preset.regularizers
    ]


@pytest.mark.parametrize("name", registry.names("parametrization"))
def test_every_parametrization_has_an_entry(name):
    assert f'| <a id="{name}"></a>`{name}` |' in page("docs/presets.md")


@pytest.mark.parametrize("name", ["fourier", "maco"])
def test_the_table_of_presets_of_waves_has_their_numbers(name):
    preset, other = BUILT_IN[name], BUILT_IN["fourier"]
    table = [
        line.split("|")[1:-1] for line in page("docs/presets.md").splitlines() if line.startswith(f"| `{name}` | 256")
    ]
    ((_, steps, rate, made_of, transforms, _),) = table
    assert int(steps) == preset.steps
    assert rate.strip() == f"adam {preset.learning_rate.adam:g}"
    assert made_of.strip() == preset.parametrization.parametrization
    jitter, scale, rotate = preset.transforms
    numbers = [jitter.pixels, jitter.share, scale.share, rotate.degrees]
    assert [float(number) for number in re.findall(r"[\d.]+", transforms)] == ([] if name == "maco" else numbers)
    assert preset.transforms == other.transforms


@pytest.mark.parametrize(("name", "column"), [("oygard", 4), ("oygard-googlenet", 5)])
def test_the_table_of_octaves_has_their_numbers(name, column):
    table = re.search(r"^\| steps \| zoom \|.*?\n\n", page("docs/presets.md"), re.DOTALL | re.MULTILINE)[0]
    rows = [line.split("|") for line in table.strip().splitlines()[2:]]
    for octave, row in zip(BUILT_IN[name].octaves, rows, strict=True):
        blur = [float(number) for number in re.findall(r"[\d.]+", row[3])]
        if len(blur) == 3 and name == "oygard-googlenet":
            blur[1] = blur[2]
        assert (int(row[1]), float(row[2].strip() or 1)) == (octave.steps, octave.zoom)
        assert tuple(blur[:2]) == octave.blur
        assert tuple(float(number) for number in row[column].split(" to ")) == octave.rate


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_of_a_unit_is_explained(column):
    assert f"`{column}`" in page("docs/analyses.md")


def test_the_index_leads_to_every_page():
    links = set(re.findall(r"\]\(([^)#]+)", page("docs/index.md")))
    for path in ROOT.glob("docs/**/*.md"):
        if path.name != "index.md":
            assert path.relative_to(ROOT / "docs").as_posix() in links


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_every_link_leads_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), f"{relative(path)} links to {link}, which is not there"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{relative(path)}: no anchor {link}"


def test_the_minimal_audit_of_the_readme_has_the_items_that_the_readme_shows(tmp_path):
    readme = page("README.md")
    (minimal,) = blocks(readme, "toml")
    (tmp_path / "audit.toml").write_text(minimal, encoding="utf-8")
    items = prepare(tmp_path / "audit.toml").items("audit.toml")
    collected = re.search(r"^collected (\d+) items$", readme, re.MULTILINE)
    assert collected is not None
    assert len(items) == int(collected[1])
    assert "audit.toml::demo::accuracy" in [item.id for item in items]


def examples() -> Iterator[tuple[str, str]]:
    """Every piece of an audit.toml that a page shows, but those that have tests of their own."""
    for path in PAGES:
        if path.name not in ("README.md", "configuration.md") and path.parent.name != "cookbook":
            for number, block in enumerate(blocks(path.read_text(encoding="utf-8"), "toml")):
                if block.startswith(("# pyproject.toml", "[[waivers]]")):
                    continue
                yield f"{relative(path)}#{number}", block


@pytest.mark.parametrize(("where", "block"), list(examples()))
def test_every_piece_of_an_audit_in_the_docs_is_valid(where, block, tmp_path):
    file = tmp_path / "audit.toml"
    file.write_text(LEAST + block, encoding="utf-8")
    config = read(file)
    assert config.checks or config.layers, where


def test_the_waiver_of_the_docs_is_valid(tmp_path):
    (block,) = blocks(page("docs/waivers.md"), "toml")
    (tmp_path / "waivers.toml").write_text(block, encoding="utf-8")
    checks = [Item("audit.toml", "candidate", "layer2.0.relu", "dead-units")]
    ((waiver, names),) = waivers_for(tmp_path / "waivers.toml", asked=True, items=checks, is_check=checks.__contains__)
    assert (waiver.units, names) == ((2, 3, 5), ("candidate::layer2.0.relu::dead-units",))


def test_the_page_of_waivers_has_every_key_and_default():
    for name, field in WaiverSection.model_fields.items():
        (row,) = [line for line in page("docs/waivers.md").splitlines() if line.startswith(f"| `{name}` |")]
        default = row.split("|")[3].strip()
        assert (default == "needed") == field.is_required()
        if isinstance(field.default, int):
            assert default == f"`{field.default}`"


def test_every_make_target_that_is_named_exists():
    targets = set(re.findall(r"^([a-z]+):", page("Makefile"), re.MULTILINE))
    for path in PAGES:
        named = set(re.findall(r"(?:`|^)make ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert named <= targets, relative(path)
    assert {"demo", "test"} <= set(re.findall(r"^make ([a-z]+)", page("README.md"), re.MULTILINE))


def test_every_command_that_is_named_exists():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    for path in PAGES:
        named = re.findall(r"(?:`|^|/)deepvis-audit ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) <= commands, relative(path)


def test_every_option_of_run_that_is_named_exists():
    options = {
        option
        for name in ("README.md", "docs/report.md")
        for option in re.findall(r"(?<=[`\s])(--?[a-z][a-z-]*)", page(name))
    }
    assert {"-k", "--junitxml", "--report"} <= options
    pytests = subprocess.run([sys.executable, "-m", "pytest", "--help"], capture_output=True, text=True, check=True)
    ours = [CliRunner().invoke(app, [command, "--help"]) for command in ("run", "render")]
    assert all(help_.exit_code == 0 for help_ in ours)
    known = set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", pytests.stdout + "".join(help_.stdout for help_ in ours)))
    assert options <= known


def test_the_changelog_can_be_built():
    fragments = [path.read_text(encoding="utf-8").strip() for path in ROOT.glob("changelog/*.md")]
    draft = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "0.0.0"]
    built = subprocess.run(draft, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert fragments
    for fragment in fragments:
        assert fragment in built


def texts() -> Iterator[tuple[Path, str]]:
    """Every text of the product: what is at the root and in its folders."""
    roots = [path for path in ROOT.iterdir() if path.is_file() and path.name not in (".gitignore", ".git")]
    inner = [path for folder in OURS for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
    for path in (*roots, *inner):
        if path.is_file():
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # pictures and weights


def test_no_text_names_a_folder_of_one_machine():
    machine = re.compile(
        r"(?<![\w.:}*/-])/(?:" + "|".join(["work", "root", "home", "Users", "mnt", "shared"]) + r")/\w"
    )
    found = [f"{relative(path)}: {match[0]}" for path, text in texts() for match in machine.finditer(text)]
    assert len(list(texts())) > 100
    assert not found
