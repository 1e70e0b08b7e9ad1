"""The study page: what it says, what it takes, and how a browser shows it under Jenkins' policy."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from jobs import files
from jobs.report import diff_lines, write_report
from jobs.study import StudyView
from tests.jobs import views

POLICY = "sandbox; default-src 'none'; img-src 'self'; style-src 'self'"
NO_CNN = views.study(outcome="not-a-cnn", reason="cnn.py is no CNN.", dataset=None, environment="")
RUNNING = views.study(
    views.trial(0, 0.7),
    views.trial(1, None, epochs=views.curve(0.6, 3)),
    state="running",
    outcome=None,
    reason="",
    ended=None,
)
ALL_FAILED = views.study(
    views.failed(0, None),
    views.failed(1, "The loss became NaN.", epochs=views.curve(float("nan"), 2)),
    outcome="failures",
)


def write(view: StudyView, folder: Path, diff: str = "", graph: str = "") -> str:
    return write_report(view, folder, diff=diff, graph=graph).read_text(encoding="utf-8")


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_it_says_what_each_trial_did(tmp_path: Path) -> None:
    page = write(views.reached(), tmp_path, views.DIFF, views.GRAPH)
    for told in (
        "Target reached",
        "0.8120",
        "0.8010",
        "optimizer.learning_rate 0.001 to 0.0004",
        "The loss jumps from epoch to epoch.",
        "87%",
        "032b3c4",
        "3 trials looked at the same validation images",
        "2 of 2,000 images cannot be decoded",
        "keras 3.15.0",
        "2025-10-09 08:53 UTC",
    ):
        assert told in page


def test_what_others_wrote_is_escaped(tmp_path: Path) -> None:
    view = views.study(
        views.trial(0, words="<img src=x>", why="<script>1</script>"),
        views.failed(1, "<b>reason</b>"),
        branch="<branch>",
        subject='"><script>',
        notes=("<i>note</i>",),
    )
    page = write(view, tmp_path, "+<script>diff</script>", "* <script>graph</script>")
    tags = {tag for tag, _ in Tags(page).found}
    assert not tags & {"script", "b", "i", "branch"}
    assert "&lt;script&gt;diff&lt;/script&gt;" in page
    assert "&lt;script&gt;graph&lt;/script&gt;" in page


@pytest.mark.parametrize("view", [views.reached(), NO_CNN, RUNNING, ALL_FAILED, views.long_study()])
def test_nothing_in_it_is_against_the_policy(view: StudyView, tmp_path: Path) -> None:
    page = write(view, tmp_path, views.DIFF, views.GRAPH)
    for tag, attributes in Tags(page).found:
        assert tag not in ("script", "style", "iframe", "object")
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for reference in (attributes.get("src"), attributes.get("href")):
            assert reference is None or (tmp_path / reference).is_file()


def test_a_trial_without_a_result_has_a_page(tmp_path: Path) -> None:
    pruned = views.trial(1, None, state="pruned")
    page = write(views.study(pruned, views.failed(2, None, result=None)), tmp_path)
    assert "It left no reason." in page


def test_bytes_that_are_no_text_have_a_page(tmp_path: Path) -> None:
    view = views.study(views.trial(0, words="\ud83d"), subject="caf\udce9")
    page = write(view, tmp_path, "@@ -1 +1 @@\n+# caf\udce9\x00", "* caf\udce9")
    assert page.count("caf\ufffd") == 3


def test_a_line_of_the_script_is_not_taken_for_the_head_of_a_diff() -> None:
    diff = (
        "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n--- old\n+++ new\n+a\x0cb\n same\n"
    )
    diff += "diff --git a/y b/y\nBinary files differ\n"
    assert [line.kind for line in diff_lines(diff)] == [
        *("file", "file", "file", "hunk", "removed", "added", "added", "context"),
        *("file", "file"),
    ]


def test_a_notebooks_diff_is_cut() -> None:
    lines = list(diff_lines("@@ -1 +1 @@\n" + ("+" + "x" * 10_000 + "\n") * 5_000))
    assert sum(len(line.text) for line in lines) < 200_000
    assert "4601 more lines" in lines[-1].text


def test_the_same_study_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(views.reached(), tmp_path / name, views.DIFF, views.GRAPH)
    one, two = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one == two
    assert sorted(one) == [
        *("accuracy.png", "curves-0.png", "curves-2.png", "curves-3.png"),
        *("report.css", "report.html"),
    ]


def test_only_what_changed_is_drawn_again(tmp_path: Path) -> None:
    first, second = views.trial(0, 0.7), views.trial(1, 0.75)
    write(views.study(first), tmp_path)
    before = {file.name: file.stat().st_ino for file in tmp_path.glob("*.png")}
    write(views.study(first, second), tmp_path)
    after = {file.name: file.stat().st_ino for file in tmp_path.glob("*.png")}
    assert after["curves-0.png"] == before["curves-0.png"]
    assert after["accuracy.png"] != before["accuracy.png"]
    assert "curves-1.png" in after


def test_a_picture_of_an_unfinished_write_is_never_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(views.study(views.trial(0, 0.7)), tmp_path)
    before = (tmp_path / "report.html").read_bytes()

    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write(views.reached(), tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


# In a browser ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        missing = "Chromium is not installed"
        if os.environ.get("CI"):
            pytest.fail(f"CI has to run this test, but {missing}")
        pytest.skip(missing)
    return found


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str, list[str]]]:
    """A folder, the address under which it is served as Jenkins does, and what was asked for."""
    asked: list[str] = []

    class AsJenkins(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", POLICY)
            super().end_headers()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            asked.append(f"{int(code)} {self.path}")

    (folder := tmp_path / "served").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(AsJenkins, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def screenshot(chromium: str, address: str, profile: Path, width: int) -> tuple[Path, str]:
    """A picture of a page, and what the browser's console said."""
    picture = profile.with_suffix(".png")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--disable-background-networking", "--disable-dev-shm-usage", "--hide-scrollbars"]
    command += [f"--user-data-dir={profile}", f"--window-size={width},1600"]
    command += ["--enable-logging=stderr", f"--screenshot={picture}", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return picture, "\n".join(console)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 500])
def test_a_browser_shows_it_with_style_and_pictures(
    chromium: str, served: tuple[Path, str, list[str]], tmp_path: Path, width: int
) -> None:
    folder, address, asked = served
    write(views.reached(), folder, views.DIFF, views.GRAPH)
    picture, console = screenshot(chromium, f"{address}/report.html", tmp_path / "profile", width)
    assert console == ""
    wanted = {file.name for file in folder.iterdir()}
    assert {f"200 /{name}" for name in wanted} <= set(asked)
    colours = Image.open(picture).convert("RGB").getcolors(2**24) or []
    shown = {colour for _, colour in colours}
    assert (240, 253, 244) in shown  # the best trial's row, from the style sheet
    assert (37, 99, 235) in shown  # validation accuracy, from a picture


@pytest.mark.slow
def test_the_browser_would_have_told_of_a_violation(
    chromium: str, served: tuple[Path, str, list[str]], tmp_path: Path
) -> None:
    folder, address, _ = served
    (folder / "bad.html").write_text("<p style='color: red'>x</p>")
    _, console = screenshot(chromium, f"{address}/bad.html", tmp_path / "profile", 500)
    assert "Content Security Policy" in console
