"""The rows of a mixture by themselves, without a server: what they read and write."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from components.ui.theme import STATIC

ROWS = """(text) => {
  window.given = null;
  window.watched = null;
  window.value = text;
  studioMixture(document.querySelector("#host"), {mixture_choices: async () => ({datasets: [
    {value: "general", label: "General"}, {value: "odd:3", label: "Odd"}]})}, {
    value: () => window.value, give: value => { window.given = window.value = value; },
    watch: callback => { window.watched = callback; }});
}"""


def test_rows_read_and_write_the_recipes_text(page: Page) -> None:
    page.set_content('<div id="host"><div class="mixture-rows"></div></div>')
    page.add_script_tag(path=STATIC / "train_mixture.js")
    page.evaluate(ROWS, "")
    page.get_by_role("button", name="Replay 10 %").click()
    page.get_by_label("Dataset 2", exact=True).select_option("general")
    assert page.evaluate("given") == "first:0.9; general:0.1"
    page.get_by_role("button", name="Replay 10 %").click()
    page.get_by_label("Dataset 3", exact=True).select_option("odd:3")
    assert page.evaluate("given") == 'first:0.81; general:0.09; {"path":"odd:3","fraction":0.1}'
    page.get_by_label("Remove dataset 2").click()
    page.get_by_label("Share of dataset 2").fill("25")
    assert page.evaluate("given") == 'first:0.81; {"path":"odd:3","fraction":0.25}'
    page.get_by_label("Remove dataset 2").click()
    assert page.evaluate("given") == ""
    page.evaluate("value = 'mine; general:0.3'; watched()")
    expect(page.get_by_label("Share of dataset 2")).to_have_value("30")
    expect(page.get_by_label("Share of dataset 1")).to_have_value("")
