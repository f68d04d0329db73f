"""What analysts see in a JupyterLab that runs, in a real browser, with no network."""

import pytest
import yaml
from playwright.sync_api import TimeoutError as NotSeenError

from cdp_toolkit.explore.jobs.schedule import schedule
from cdp_toolkit.explore.notebooks import shipped
from cdp_toolkit.workspace import Workspace
from tests.browser.lab import open_notebook, run_all, saved

pytestmark = pytest.mark.browser

NOTEBOOKS = sorted(path.name for path in shipped().glob("*.ipynb"))


@pytest.fixture(autouse=True)
def _nothing_outside_is_asked_for(lab):
    yield
    assert lab.asked_outside == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_in_the_lab_without_an_error(browser, lab, shot, name):
    open_notebook(browser, lab, f"notebooks/{name}")

    run_all(browser)

    cells = [cell for cell in saved(browser, lab, f"notebooks/{name}").cells if cell.cell_type == "code"]
    assert [output.evalue for cell in cells for output in cell.outputs if output.output_type == "error"] == []
    assert all(cell.outputs for cell in cells[1:])
    shot(name.removesuffix(".ipynb"))


@pytest.fixture
def explorer(browser, lab):
    open_notebook(browser, lab, "notebooks/10_segment_workshop.ipynb")
    run_all(browser)
    explorer = browser.locator(".cdp-explorer")
    explorer.scroll_into_view_if_needed()
    return explorer


def text_of(explorer):
    return explorer.get_by_label("The rule as text")


def settled(browser):
    """Wait until the size that is shown is the exact one of the rule that is shown."""
    browser.wait_for_function(
        "() => !document.querySelector('.cdp-explorer').classList.contains('busy') &&"
        " document.querySelector('.cdp-explorer .size').innerText.includes('counted exactly')"
    )
    return int(browser.locator(".cdp-explorer .big").inner_text().replace(",", ""))


def reads(browser, text):
    browser.wait_for_function("text => document.querySelector('.cdp-explorer .pql').value === text", arg=text)


def test_a_segment_is_built_by_clicking_counted_saved_and_opened_again(browser, explorer, lab, root, shot):
    text_of(explorer).fill("")
    browser.wait_for_function("() => !document.querySelector('.cdp-explorer .line')")

    explorer.get_by_role("button", name="+ Related").click()
    inside = explorer.locator(".block").first
    inside.get_by_role("button", name="+ Condition").click()
    inside.get_by_label("Value").fill("Finance")
    reads(browser, 'accounts.exists(industry = "Finance")')
    explorer.locator(".rule > .parts > .adders").get_by_role("button", name="+ Event").click()
    event = explorer.locator(".block").nth(1)
    event.get_by_label("Number").fill("2")
    event.get_by_label("Value").first.fill("web.webpagedetails.pageViews")
    event.get_by_label("How many").last.fill("200")
    rule = ('accounts.exists(industry = "Finance")\nand xEvent[event_type = "web.webpagedetails.pageViews" '
            "and timestamp occurs <= 200 days before now].count() >= 2")  # fmt: skip
    reads(browser, rule)
    shown = settled(browser)
    shot("explorer", explorer)

    ws = Workspace(root / "demo")
    assert shown == ws.preview(rule).count > 0

    explorer.get_by_label("Name of the segment").fill("finance_readers")
    explorer.get_by_role("button", name="Save").click()
    explorer.get_by_text("Saved segments/finance_readers.yaml").wait_for()
    assert (
        yaml.safe_load((root / "demo" / "segments" / "finance_readers.yaml").read_text("utf-8"))["pql"].strip() == rule
    )
    assert ws.evaluate("finance_readers").details["audiences"]["finance_readers"] == shown

    workshop = (root / "notebooks" / "10_segment_workshop.ipynb").read_text("utf-8")
    begun = workshop.replace("pql=rule, entity=entity, as_of=as_of)", "'finance_readers')", 1)
    (root / "notebooks" / "again.ipynb").write_text(begun, "utf-8")
    open_notebook(browser, lab, "notebooks/again.ipynb")
    run_all(browser)
    reads(browser, rule)
    assert settled(browser) == shown


def test_text_that_is_typed_becomes_rows_and_a_mistake_is_pointed_at(explorer, shot):
    text_of(explorer).fill('country in ["Germany", "France"]\nand person_score between 10 and 50')
    explorer.locator(".chip").nth(1).wait_for()

    assert explorer.get_by_label("Lowest").input_value() == "10"
    text_of(explorer).fill('coutry = "Germany"')
    explorer.get_by_text("There is no field of person 'coutry'").wait_for()
    shot("explorer_mistake", explorer)
    assert "^" in explorer.locator(".written .error").inner_text()


def test_charts_filter_each_other_and_become_part_of_the_rule(browser, explorer, root, shot):
    text_of(explorer).fill("person_score > 0")
    settled(browser)
    before = explorer.locator(".facet").nth(1).inner_text()

    explorer.locator(".facet").first.get_by_role("button").first.click()
    browser.wait_for_function(
        "before => document.querySelectorAll('.cdp-explorer .facet')[1].innerText !== before", arg=before
    )
    shot("explorer_filtered", explorer)
    explorer.get_by_role("button", name="Add the filters to the rule").click()
    browser.wait_for_function(
        "() => document.querySelector('.cdp-explorer .pql').value.includes('accounts.exists(industry in')"
    )

    assert settled(browser) == Workspace(root / "demo").preview(text_of(explorer).input_value()).count


def test_rows_are_changed_by_keys_alone(browser, explorer):
    text_of(explorer).fill("person_score > 1 and is_blocked = false")
    browser.wait_for_function("() => document.querySelectorAll('.cdp-explorer .line').length === 2")

    explorer.get_by_label("Field").nth(1).focus()
    browser.keyboard.press("Alt+ArrowUp")
    reads(browser, "is_blocked = false\nand person_score > 1")
    explorer.get_by_label("Field").nth(0).focus()
    browser.keyboard.press("Alt+Delete")

    reads(browser, "person_score > 1")


@pytest.mark.parametrize("pause_ms", [30, 160, 400])
def test_what_is_typed_stays_in_order_whenever_the_rule_is_drawn_anew(browser, explorer, pause_ms):
    text_of(explorer).fill("person_score > 10")
    browser.wait_for_function("() => document.querySelectorAll('.cdp-explorer .line').length === 1")

    explorer.get_by_label("Value").select_text()
    browser.keyboard.type("1234.5", delay=pause_ms)
    explorer.get_by_role("button", name="+ Condition").click()
    explorer.locator(".line").nth(1).wait_for()
    explorer.get_by_label("Value").nth(1).select_text()
    browser.keyboard.type("Anna", delay=pause_ms)

    reads(browser, 'person_score > 1234.5\nand job_title = "Anna"')


def test_a_button_that_is_pressed_while_the_rule_is_drawn_anew_is_clicked(browser, explorer):
    text_of(explorer).fill("person_score > 10")
    browser.wait_for_function("() => document.querySelectorAll('.cdp-explorer .line').length === 1")

    explorer.get_by_label("Value").fill("20")
    explorer.get_by_role("button", name="+ Condition").hover()
    browser.mouse.down()
    reads(browser, "person_score > 10")
    browser.wait_for_timeout(1000)  # the answer to what was typed has come, and waits
    browser.mouse.up()

    explorer.locator(".line").nth(1).wait_for()
    reads(browser, "person_score > 20")


def test_a_comment_is_shown_above_its_row_and_outlives_a_change_of_it(browser, explorer, shot):
    text_of(explorer).fill("// who is keen\nperson_score > 10\nand is_blocked = false // of those we may ask")
    explorer.get_by_text("of those we may ask", exact=True).wait_for()
    shot("explorer_comments", explorer)

    explorer.get_by_label("Value").first.fill("20")

    reads(browser, "// who is keen\nperson_score > 20\n// of those we may ask\nand is_blocked = false")


def test_a_person_is_looked_up_and_unmasked_only_when_asked(browser, lab, root, shot):
    people = Workspace(root / "demo").scan("person").select("email", "last_name").drop_nulls().collect()
    email, last_name = people.row(0)
    open_notebook(browser, lab, "notebooks/20_explain_a_customer.ipynb")
    run_all(browser)
    search = browser.get_by_placeholder("e-mail address, source key, profile id, name of an account")

    search.fill(email)
    search.press("Enter")
    browser.wait_for_function("first => document.querySelector('.cdp-page h1').innerText.startsWith(first)", arg="")
    page = browser.locator(".cdp-page")
    shot("browser")
    assert email not in page.inner_text()

    browser.get_by_role("button", name="Show personal data").click()
    page.get_by_text(email).first.wait_for()
    assert last_name in page.inner_text()


def test_the_explorer_is_readable_in_the_dark(browser, explorer, shot):
    browser.evaluate(
        "async () => { await window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'}); }"
    )

    colours = explorer.evaluate("each => [getComputedStyle(each).color, getComputedStyle(each).backgroundColor]")
    shot("explorer_dark", explorer)
    browser.evaluate(
        "async () => { await window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'}); }"
    )

    light, dark = (sum(int(part) for part in each[4:].strip("()").split(",")[:3]) for each in colours)
    assert light > 500
    assert dark < 300


def test_a_job_is_made_and_run_through_the_jobs_page(browser, lab, root, shot):
    open_notebook(browser, lab, "notebooks/13_activation_review.ipynb")
    browser.evaluate("() => { window.jupyterapp.commands.execute('scheduling:create-from-notebook'); }")
    browser.get_by_role("heading", name="Create Job").wait_for()
    shot("job_create")

    browser.get_by_role("button", name="Create", exact=True).click()

    row = browser.get_by_role("row").filter(has_text="13_activation_review.ipynb")
    _reloaded(browser, row.filter(has_text="Completed"))
    shot("jobs")
    assert list((root / "demo" / ".locks").glob("13_activation_review.lock"))


def _reloaded(browser, wanted):
    """Reload the list of jobs, which does not reload itself, until it shows what is wanted."""
    for _ in range(60):
        browser.get_by_role("button", name="Reload").click()
        try:
            wanted.first.wait_for(timeout=2_000)
        except NotSeenError:
            continue
        return
    raise AssertionError(browser.locator("#jp-main-dock-panel").inner_text())


# What the Lab's scheduler is made of warns of itself.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_schedule_made_by_a_command_is_in_the_jobs_page_and_can_be_paused_there(
    browser, lab, root, shot, monkeypatch
):
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(lab.home / "runtime"))
    path = str(root / "notebooks" / "12_audience_report.ipynb")

    put = schedule(Workspace(root / "demo"), path, "0 6 * * 1", {"segment": "decision_makers"})

    assert put.is_live
    browser.goto(f"{lab.address}/lab?token={lab.token}&reset")
    browser.wait_for_function("() => window.jupyterapp?.commands.hasCommand('scheduling:list-jobs-from-launcher')")
    browser.evaluate("() => { window.jupyterapp.commands.execute('scheduling:list-jobs-from-launcher'); }")
    browser.get_by_role("tab", name="Job Definitions").click()
    row = browser.get_by_role("row").filter(has_text="12_audience_report")
    row.get_by_text("Active").wait_for()
    shot("job_definitions")
    row.get_by_role("button", name="Pause").click()
    row.get_by_text("Paused").wait_for()
