"""index.html says what became of every model in every run, and reads only the runs that are new."""

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

import pytest

from audit.errors import StoreError
from audit.history import rebuild
from audit.records import Numbers
from audit.render import html
from tests.audits import FAST, PROGRAM, Folder, ended
from tests.history.runs import report, store
from tests.render.test_html import Page

DAYS = {
    1: {"accuracy": "passed", "dead-units": "passed", "noise": "failed", "saturated": "failed"},
    2: {"accuracy": "passed", "dead-units": "passed", "noise": "failed", "saturated": "failed"},
    3: {"accuracy": "failed", "dead-units": "passed", "noise": "passed", "saturated": "failed", "flicker": "failed"},
}
EVIL = '"><img src=x onerror=alert(1)>\u202e'


def page(reports: Path) -> Page:
    """What a rebuild makes, less the charts, whose points have titles."""
    return Page(re.sub("<svg .*?</svg>", "", rebuild(reports).read_text(encoding="utf-8"), flags=re.DOTALL))


def said(shown: Page) -> str:
    """The text, in one line."""
    return " ".join(shown.text.split())


def marks(shown: Page) -> list[str]:
    """What rests on the marks of the verdicts over time."""
    return [a["title"] for tag, a in shown.elements if tag == "a" and "title" in a]


def damage(results: Path) -> None:
    """Makes nonsense of a file that is as large and as old as before."""
    before = results.stat()
    results.write_bytes(b"?" * before.st_size)
    os.utime(results, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Three days of one model: a check turns red, another green, one stays red, one is new and red."""
    for day, outcomes in DAYS.items():
        run = report(outcomes, day, top1=0.9 - day / 100, weights="ab"[day > 2])
        store(tmp_path / "reports", run)
    return tmp_path / "reports"


def test_the_newest_verdict_comes_first_with_links_to_its_files(reports: Path) -> None:
    shown = page(reports)
    assert shown.open == []
    text = said(shown)
    assert "Nightly, 2026-01-03 09:30:00 UTC demo ✗failed 3 items failed, of 5." in text
    run = "demo/20260103-093000"
    for link in (f"{run}/results.json", f"{run}/compared/20260102-093000/comparison.html"):
        assert link in shown.all("href")
        assert (reports / link).is_file()


def test_verdicts_over_time_are_marks_with_a_sign_and_a_title_the_newest_last(reports: Path) -> None:
    shown = page(reports)
    assert marks(shown) == [
        f"2026-01-0{day} 09:30:00 UTC: failed, {good} of {of} passed"
        for day, good, of in ((1, 2, 4), (2, 2, 4), (3, 2, 5))
    ]
    assert "✗✗✗" in shown.text


def test_what_turned_red_or_green_or_stayed_red_is_said_by_id_with_a_link(reports: Path) -> None:
    html.render(reports / "demo/20260103-093000")
    shown = page(reports)
    text = said(shown)
    changed = text[text.index("What changed against the run of 2026-01-02 09:30:00 UTC") : text.index("Numbers over")]
    red, green, still = (changed.index(title) for title in ("Turned red 2", "Turned green 1", "Still red 1"))
    assert red < changed.index("audit.toml::demo::accuracy was passed") < green
    assert "what accuracy says" in changed
    assert red < changed.index("audit.toml::demo::flicker not evaluated before") < green
    assert green < changed.index("audit.toml::demo::noise was failed") < still
    assert still < changed.index("audit.toml::demo::saturated since 2026-01-01 09:30:00 UTC, 3 runs")
    assert "1 item that the run before did not evaluate" in changed
    links = [link.split("#") for link in shown.all("href") if "report.html#" in link]
    assert {file for file, _ in links} == {"demo/20260103-093000/report.html"}
    assert {unquote(anchor) for _, anchor in links} < set(Page((reports / links[0][0]).read_text()).all("id"))


def test_numbers_over_time_have_their_ends_and_are_left_out_where_they_never_change(reports: Path) -> None:
    text = said(page(reports))
    assert "top-1 accuracy 87 % from 89 % to 87 % in 3 runs; lowest 87 %, highest 89 %" in text
    assert "items passed 40 %" in text
    assert "dead units 12.5 %" in text
    assert "parameters" not in text
    store(
        reports,
        dataclasses.replace(report({"accuracy": "passed"}, 4), numbers=Numbers({"parameters": 90.0})),
    )
    shown = page(reports)
    assert "parameters 90 from 100 to 90 in 4 runs" in said(shown)
    assert "<title>2026-01-04 09:30:00 UTC: not known</title>" in (reports / "index.html").read_text()  # its top-1


def test_the_table_has_a_row_per_run_newest_first(reports: Path) -> None:
    shown = page(reports)
    text = said(shown)
    table = text[text.index("started, UTC") :]
    assert [table.index(f"2026-01-0{day} 09:30:00") for day in (3, 2, 1)] == sorted(
        table.index(f"2026-01-0{day} 09:30:00") for day in (1, 2, 3)
    )
    row = "3 failed, 2 passed 2 red, 1 green 12.5 bbbbbbbbbbbb dddddddddddd cpu (x86_64) results.json compare"
    assert row in table
    assert f"SHA-256 of weights.pth: {'b' * 64}; another than in the run before" in shown.all("title")
    assert f"SHA-256 of weights.pth: {'a' * 64}" in shown.all("title")


def test_only_the_newest_pair_is_compared_and_the_others_have_the_command(reports: Path) -> None:
    shown = page(reports)
    made = [file.relative_to(reports).as_posix() for file in reports.rglob("comparison.html")]
    assert made == ["demo/20260103-093000/compared/20260102-093000/comparison.html"]
    assert "re-trained" in (reports / made[0]).read_text(encoding="utf-8")
    (command,) = re.findall(r"deepvis-audit compare \S+ \S+ --output \S+", shown.text)
    result = ended([str(PROGRAM), *shlex.split(command)[1:]], cwd=reports)
    assert result.returncode == 0, result.stderr
    there = "demo/20260102-093000/compared/20260101-093000/comparison.html"
    assert there in page(reports).all("href")


def test_a_pair_that_cannot_be_compared_is_said_with_its_reason(reports: Path) -> None:
    store(reports, dataclasses.replace(report({"accuracy": "passed"}, 4), tables=()))
    text = said(page(reports))
    assert "Not compared with the run before: the run in demo/20260104-093000 holds no fingerprints" in text


def test_a_rebuild_reads_only_runs_that_are_new(reports: Path) -> None:
    before = said(page(reports))
    for results in reports.glob("demo/*/results.json"):
        damage(results)
    assert said(page(reports)) == before
    store(reports, report({"accuracy": "passed"}, 4))
    shown = page(reports)
    assert len(marks(shown)) == 4
    assert "cannot be read" not in shown.text
    (reports / ".index.json").write_text("[]")
    assert "Runs that cannot be read 3 ? unreadable the report is damaged" in said(page(reports))


def test_a_run_that_was_written_again_is_read_again_and_a_deleted_one_vanishes(reports: Path) -> None:
    assert "20260102-093000" in page(reports).text
    store(reports, report({"accuracy": "passed"}, 3))
    for file in sorted((reports / "demo/20260102-093000").rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (reports / "demo/20260102-093000").rmdir()
    shown = page(reports)
    assert [mark.split(",")[0] for mark in marks(shown)] == [
        "2026-01-01 09:30:00 UTC: failed",
        "2026-01-03 09:30:00 UTC: passed",
    ]
    assert "against the run of 2026-01-01" in said(shown)


def test_damaged_and_half_written_runs_are_listed_with_the_reason_and_hide_nothing(reports: Path) -> None:
    damage(reports / "demo/20260101-093000/results.json")
    (reports / "demo/20260102-093000/units.parquet").unlink()
    (reports / "demo/20260105-093000").mkdir()
    old = reports / "demo/20260103-093000/results.json"
    old.write_text(old.read_text().replace('"schema": 4', '"schema": 3', 1))
    store(reports, report({"accuracy": "passed"}, 4))
    shown = page(reports)
    text = said(shown)
    assert "0 of 1 model passed in the newest run; 5 runs in all" in text
    assert "? unreadable no report: there is no readable results.json" in text
    assert text.count("the report is damaged") == 2
    assert "results.json has schema 3, this version reads 4" in text
    assert [mark.partition(": ")[2] for mark in marks(shown)] == [
        *["cannot be read"] * 3,
        "passed, 1 of 1 passed",
        "cannot be read",
    ]
    for link in shown.all("href"):
        assert not link.startswith("#") or unquote(link[1:]) in shown.all("id")


@pytest.mark.parametrize("text", ["", "[" * 100_000, '{"schema": 4, "not_finite": {}}', "\0"])
def test_whatever_is_in_a_results_json_is_never_fatal(reports: Path, text: str) -> None:
    (reports / "demo/20260102-093000/results.json").write_text(text)
    assert "Runs that cannot be read 1" in said(page(reports))


def test_what_is_no_run_is_no_run(reports: Path) -> None:
    before = page(reports).text
    (reports / "demo/latest").symlink_to("20260103-093000")
    (reports / "demo/.20260104-093000-xyz/new").mkdir(parents=True)
    (reports / "assets/images").mkdir(parents=True)
    (reports / "README.md").touch()
    assert page(reports).text == before


def test_a_copy_of_the_newest_run_counts_only_where_it_is_all_there_is(tmp_path: Path) -> None:
    store(tmp_path, report(DAYS[1]), "latest")
    assert len(marks(page(tmp_path))) == 1
    store(tmp_path, report(DAYS[1]))
    assert len(marks(page(tmp_path))) == 1


def test_runs_of_one_second_are_in_their_order(tmp_path: Path) -> None:
    for number, top1 in (("", 0.1), ("-2", 0.2), ("-10", 0.3)):
        store(tmp_path, report(DAYS[1], top1=top1), f"20260101-093000{number}")
    assert "top-1 accuracy 30 % from 10 % to 30 %" in said(page(tmp_path))


def test_several_models_have_an_overview_and_a_section_each(reports: Path) -> None:
    store(reports, report({"accuracy": "passed"}, model="second"))
    shown = page(reports)
    text = said(shown)
    assert "1 of 2 models passed in the newest run; 4 runs in all." in text
    assert {"model/demo", "model/second"} <= set(shown.all("id"))
    assert "The last runs, the newest last: failed, failed, failed" in shown.all("aria-label")


def test_long_histories_are_folded_and_every_run_has_its_mark(tmp_path: Path) -> None:
    run = store(tmp_path, report({"accuracy": "passed"}))
    for day in range(2, 250):
        later = tmp_path / f"demo/20260101-093000-{day}"
        later.mkdir()
        for file in ("results.json", "units.parquet"):
            os.link(run / file, later / file)
    shown = page(tmp_path)
    assert len(marks(shown)) == 249
    text = said(shown)
    assert "189 earlier runs" in text
    assert "180 earlier runs" in text
    assert "49 runs before these" in text


def test_nothing_is_loaded_and_untrusted_text_is_shown_as_text(reports: Path) -> None:
    odd = report({f"<b>{EVIL}": "failed"}, 5, device=EVIL, checkpoint=EVIL, seconds=EVIL)
    store(
        reports,
        dataclasses.replace(odd, audit=EVIL, numbers=Numbers({f"<i>{EVIL}": 1.0, "top1": float("nan")})),
    )
    store(reports, report({"accuracy": "passed"}, model="javascript:alert(1)", started=EVIL), "<u>&")
    file = rebuild(reports)
    text, shown = file.read_text(encoding="utf-8"), page(reports)
    assert shown.open == []
    assert not {"script", "img", "b", "i", "u", "iframe"} & {tag for tag, _ in shown.elements}
    assert not [name for _, attributes in shown.elements for name in attributes if name.startswith("on")]
    assert all(re.match(r"#|data:,$|demo/|javascript%3Aalert%281%29/", link) for link in shown.all("href"))
    assert "content=\"default-src 'none';" in text.replace("&#39;", "'")
    assert "url(" not in text
    assert "\u202e" not in text
    assert '"><img src=x onerror=alert(1)>\ufffd' in shown.text
    assert len(set(shown.all("id"))) == len(shown.all("id"))


def test_a_folder_without_runs_and_somebody_elses_index_are_refused(tmp_path: Path, reports: Path) -> None:
    with pytest.raises(StoreError, match=r"no runs in .*nowhere: name the folder that holds a folder per model"):
        rebuild(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="no runs in"):
        rebuild(reports / "demo")
    rebuild(reports)
    with pytest.raises(StoreError, match="no runs in"):
        rebuild(reports / "demo/20260103-093000")
    (reports / "index.html").write_text("<h1>My homepage</h1>")
    with pytest.raises(StoreError, match=r"index\.html was not written by deepvis-audit"):
        rebuild(reports)
    assert (reports / "index.html").read_text() == "<h1>My homepage</h1>"


def test_rebuilds_at_once_leave_a_whole_page_with_every_run(reports: Path) -> None:
    def publish(day: int) -> None:
        store(reports, report({"accuracy": "passed"}, day))
        code = "import sys; from pathlib import Path; from audit.history import rebuild; rebuild(Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", code, str(reports)], check=True)

    threads = [Thread(target=publish, args=(day,)) for day in range(10, 14)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = Page((reports / "index.html").read_text(encoding="utf-8"))
    assert shown.open == []
    assert len(marks(shown)) == 7
    assert sorted(file.name for file in reports.iterdir()) == [".index.json", "demo", "index.html"]
    json.loads((reports / ".index.json").read_text())


def test_the_command_says_where_the_page_is_or_why_there_is_none(reports: Path) -> None:
    done = ended([str(PROGRAM), "index"], cwd=reports.parent)
    assert (done.returncode, done.stdout) == (0, "reports/index.html\n")
    missing = ended([str(PROGRAM), "index", "elsewhere"], cwd=reports.parent)
    assert missing.returncode == 1
    assert missing.stderr.startswith("no runs in elsewhere: ")


def test_every_run_lists_itself_and_a_list_that_cannot_be_made_hides_no_report(tmp_path: Path) -> None:
    folder = Folder.of(tmp_path, FAST)
    assert folder.run().returncode == 0
    index = tmp_path / "reports" / "index.html"
    assert "demo/latest" not in index.read_text(encoding="utf-8")
    assert len(marks(Page(index.read_text(encoding="utf-8")))) == 1
    assert folder.run().returncode == 0
    assert len(marks(Page(index.read_text(encoding="utf-8")))) == 2
    assert len(list(index.parent.rglob("comparison.html"))) == 1
    index.write_text("mine")
    result = folder.run()
    assert result.returncode == 1
    assert re.search(r"index: \S+index\.html was not written by deepvis-audit", result.stdout)
    assert index.read_text() == "mine"
    assert len(list(index.parent.glob("demo/2*/report.html"))) == 3
