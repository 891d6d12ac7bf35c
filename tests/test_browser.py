"""The browser of the tests opens a page from the disk and asks nobody for anything."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser


def test_a_page_from_the_disk_opens_and_runs_its_script(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text("<!doctype html><title>still</title><script>document.title = 'run'</script>", encoding="utf-8")
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    assert page.title() == "run"
    assert asked == [file.as_uri()]
    page.close()
