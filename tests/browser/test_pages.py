"""Each page and each action in a real browser."""

import http.client
import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Dialog, Page, expect

from tests.browser.conftest import PHONE, WIDE, Site, Visit, Visitor
from tests.support.reviewed import KEYS

pytestmark = pytest.mark.xdist_group("browser")

WEB = "/workloads/web-player"
GROWS, SLEEPS = "/workloads/svc-05", "/workloads/svc-06"
PAGES = (
    "/",
    WEB,
    GROWS,
    SLEEPS,
    f"{WEB}/decisions",
    f"{WEB}/accuracy",
    f"{WEB}/scaledobject",
    "/events",
    "/event-form",
    "/event-import",
    "/event-curves",
    "/replays",
    "/audit",
)
LOOKS = [(scheme, size) for scheme in ("light", "dark") for size in (WIDE, PHONE)]
SERIOUS = ("serious", "critical")


def faults(page: Page) -> list[tuple[str, Any]]:
    """What axe-core calls serious or critical."""
    found = Axe().run(page).response["violations"]
    return [
        (one["id"], [node["html"][:160] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in SERIOUS
    ]


@pytest.mark.parametrize(("scheme", "size"), LOOKS, ids=str)
def test_every_page_is_whole_in_every_look(
    visit: Visit, scheme: str, size: tuple[int, int]
) -> None:
    visitor = visit(scheme=scheme, size=size)

    for path in PAGES:
        page = visitor.open(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        assert faults(page) == [], path
    assert visitor.complaints == []


def test_the_way_in(visit: Visit) -> None:
    visitor = visit(key=None)
    page = visitor.open(f"{WEB}?range=7d")
    assert "/sign-in?next=" in page.url
    assert faults(page) == []

    page.get_by_label("Key").fill("a wrong key")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("No such key.")
    page.get_by_label("Key").fill(KEYS["REVIEW_READ"])
    page.get_by_role("button", name="Sign in").click()
    assert page.url.endswith(f"{WEB}?range=7d")

    page.get_by_role("button", name="Sign out").click()
    page.goto(visitor.site.url)
    assert "/sign-in" in page.url


def test_the_list_is_searched_and_filtered(visit: Visit) -> None:
    page = visit().open("/")
    rows = page.locator("table.list tbody tr")

    assert "ingest" in rows.first.inner_text()
    page.get_by_label("Search").fill("svc-0")
    page.get_by_role("button", name="Show").click()
    expect(rows).to_have_count(10)
    page.get_by_label("Sort").select_option("-pods")
    page.wait_for_url("**sort=-pods**")
    page.get_by_role("link", name=re.compile("all$")).click()
    page.get_by_label("Search").fill("nothing like it")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing fits")).to_be_visible()


def series(page: Page) -> Any:
    """What the reading below the chart says, by series."""
    script = """Object.fromEntries([...document.querySelectorAll('[data-read]')]
        .map(e => [e.dataset.read, e.textContent]))"""
    return page.evaluate(script)


def test_the_chart_is_read_with_the_mouse_and_with_the_keyboard(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(f"{WEB}?range=24h")
    box = page.locator("[data-chart]")
    place = box.locator(".u-over").first.bounding_box()
    assert place is not None

    page.mouse.move(place["x"] + place["width"] * 0.3, place["y"] + 80)
    first = series(page)
    assert first["actual"] != "–"
    assert "pods" in first["served"]
    assert "…" in first["outer"]
    visitor.until(lambda: "carry" in series(page)["pods"])
    box.focus()
    page.keyboard.press("ArrowRight")
    visitor.until(lambda: series(page) != first)

    before = page.locator(".readout .when").inner_text()
    page.keyboard.press("ArrowLeft")
    visitor.until(lambda: page.locator(".readout .when").inner_text() != before)


def extent(page: Page) -> tuple[float, float]:
    """Canvas pixels are compared by the request that is made: what the chart last asked for."""
    found = page.evaluate(
        """performance.getEntriesByType('resource').map(e => e.name)
            .filter(n => n.includes('/chart?')).pop()"""
    )
    first, last = re.findall(r"(?:from|to)=([^&]+)", found)
    both = page.evaluate(
        "([a, b]) => [Date.parse(decodeURIComponent(a)), Date.parse(decodeURIComponent(b))]",
        [first, last],
    )
    return both[0], both[1]


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=str)
def test_growth_is_a_factor_on_every_face(visit: Visit, size: tuple[int, int]) -> None:
    visitor = visit(size=size)
    page = visitor.open(GROWS)

    expect(page.locator(".tiles").get_by_text("live demand", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile("reactive alone: [0-9]+"))).to_be_visible()
    expect(page.get_by_text("growth: × live demand")).to_be_visible()
    assert page.locator("[data-chart] .uplot").count() == 3, "demand, growth, what was missed"
    for name in ("growth", "median × growth"):
        switch = page.get_by_role("button", name=re.compile(f"^{name}( |$)"))
        expect(switch).to_have_attribute("aria-pressed", "true")
        switch.click()
        expect(switch).to_have_attribute("aria-pressed", "false")
    assert page.get_by_role("button", name=re.compile("^plan ")).count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]

    page = visitor.open("/?search=svc-05")
    row = page.get_by_role("row").filter(has_text="svc-05")
    expect(row).to_contain_text(re.compile("×.[0-9.]+ live demand now"))
    assert visitor.complaints == []


def test_the_chart_moves_zooms_and_comes_back(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(f"{WEB}?range=3d")
    start, end = extent(page)

    page.get_by_role("button", name="Earlier").click()
    visitor.drawn(2)
    assert extent(page)[0] < start
    page.get_by_role("button", name="Zoom in").click()
    visitor.drawn(3)
    low, high = extent(page)
    assert high - low < end - start
    page.locator("[data-chart]").focus()
    page.keyboard.press("0")
    visitor.drawn(4)
    assert abs(extent(page)[0] - start) < 60_000
    page.get_by_role("button", name="naive").click()
    expect(page.get_by_role("button", name="naive")).to_have_attribute("aria-pressed", "true")


def test_an_earlier_forecast_is_shown_as_it_was_issued(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(f"{WEB}?range=3d")

    page.get_by_label("Forecast shown").select_option("24h")
    visitor.drawn(2)
    assert "lead=24h" in page.evaluate(
        "performance.getEntriesByType('resource').map(e => e.name)"
        ".filter(n => n.includes('/chart?')).pop()"
    )
    page.get_by_label("Forecast shown").select_option("as_of")
    moment = page.evaluate("new Date(Date.now() - 2 * 864e5).toISOString().slice(0, 16)")
    page.get_by_label(re.compile("Issued before")).fill(moment)
    visitor.drawn(3)
    last = page.evaluate(
        "performance.getEntriesByType('resource').map(e => e.name)"
        ".filter(n => n.includes('/chart?')).pop()"
    )
    # The field is in Paris time, an hour or two before UTC; the browser stands in New York.
    asked = re.search(r"as_of=([^&]+)", last)
    assert asked is not None
    hours = page.evaluate(
        "([wall, at]) => (Date.parse(wall + 'Z') - Date.parse(decodeURIComponent(at))) / 36e5",
        [moment, asked[1]],
    )
    assert hours in (1, 2)


def test_people_take_the_wheel_in_two_clicks_and_a_reason(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/workloads/svc-07")

    page.locator("summary", has_text="Override").click()
    page.get_by_label("Pods", exact=True).fill("33")
    page.locator("details[open]").get_by_label("Reason").fill("final <b>tonight</b>")
    page.locator("details[open]").get_by_role("button", name="Override").click()
    expect(page.get_by_text("The override is served.")).to_be_visible()
    expect(page.get_by_text("final <b>tonight</b>").first).to_be_visible()

    page.locator("summary", has_text="Freeze").click()
    page.locator("details[open]").get_by_label("Reason").fill("looking")
    page.locator("details[open]").get_by_role("button", name="Freeze").click()
    page.locator("summary", has_text="Change the mode").click()
    page.locator("select[name=mode]").select_option("shadow")
    page.locator("details[open]").get_by_label("Reason").fill("compare")
    page.locator("details[open]").get_by_role("button", name="Change the mode").click()
    expect(page.get_by_text("The mode is set.")).to_be_visible()

    page.get_by_role("link", name="audit", exact=True).click()
    actions = page.locator("tbody tr td:nth-child(3)").all_inner_texts()
    assert actions[:3] == ["mode", "freeze", "override"]
    assert visitor.complaints == []


def test_an_event_is_planned_with_a_look_at_what_it_does(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/event-form")
    day = page.evaluate("new Date(Date.now() + 36e5 * 20).toISOString().slice(0, 13)")

    page.get_by_label("Name", exact=True).fill("Semi-final")
    page.get_by_label("Kind", exact=True).fill("football")
    page.get_by_label("Time zone").fill("UTC")
    page.get_by_label("Start", exact=True).fill(f"{day}:00")
    page.get_by_label("End", exact=True).fill(f"{day}:45")
    page.get_by_label(re.compile("^Workloads")).fill("svc-11")
    page.get_by_label("Times ordinary demand").fill("3")
    page.get_by_label("Reason").fill("the cup")
    expect(page.locator("#preview")).to_contain_text("svc-11")
    assert faults(page) == []
    page.get_by_role("button", name="Plan it").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Semi-final")
    cells = page.locator("#live-impact tbody td").all_inner_texts()
    assert int(cells[1]) > int(cells[0])
    assert faults(page) == []
    visitor.open("/workloads/svc-11")
    expect(page.locator("#live-events")).to_contain_text("Semi-final")
    assert visitor.complaints == []


def test_the_month_is_walked_by_keyboard(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/events?month=2027-03")
    days = page.locator("[data-calendar] [data-day]")
    days.first.focus()

    for key in ("ArrowRight", "ArrowDown", "End"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.dataset.day") == "2027-03-14"
    assert page.locator("[data-calendar] [data-day][tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sunday, 14 March 2027")).to_be_visible()
    page.locator("[data-day='2027-03-14']").focus()
    page.keyboard.press("PageDown")
    expect(page.get_by_role("heading", name="April 2027")).to_be_visible()
    page.locator("[data-day='2027-03-29']").focus()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("heading", name="March 2027")).to_be_visible()
    assert visitor.complaints == []


def test_a_past_evening_leads_from_its_debrief_to_its_chart(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/events")
    went = page.locator("section", has=page.get_by_role("heading", name="How the last ones went"))
    went.locator("tbody th a").first.click()
    expect(page.get_by_role("heading", name=re.compile("How it went"))).to_be_visible()
    assert faults(page) == []

    page.get_by_role("link", name="chart").first.click()
    visitor.drawn(1)
    expect(page.get_by_label("Forecast shown")).to_have_value("as_of")
    start, end = extent(page)
    assert 5.5 * 36e5 < end - start < 6.5 * 36e5
    assert visitor.complaints == []


def test_a_calendar_file_is_looked_at_and_taken_in(visit: Visit) -> None:
    visitor = visit(size=PHONE, scheme="dark")
    page = visitor.open("/event-import")
    day = page.evaluate("new Date(Date.now() + 864e5 * 9).toISOString().slice(0, 10)")
    stamp = day.replace("-", "")
    text = (
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//t//EN\nBEGIN:VEVENT\nUID:gala\n"
        f"SUMMARY:Gala night\nDTSTART:{stamp}T190000Z\nDTEND:{stamp}T210000Z\n"
        "END:VEVENT\nEND:VCALENDAR\n"
    )
    page.locator("input[type=file]").set_input_files(
        {"name": "gala.ics", "mimeType": "text/calendar", "buffer": text.encode()}
    )
    page.get_by_label(re.compile("^Workloads")).fill("svc-12")
    page.get_by_role("button", name="Look first").click()

    expect(page.get_by_text("Gala night").first).to_be_visible()
    assert faults(page) == []
    page.get_by_label("Reason").fill("the gala")
    page.get_by_role("button", name="Take it in").click()
    expect(page.get_by_text("The file is taken in.")).to_be_visible()
    expect(page.locator("#live-events")).to_contain_text("Gala night")
    assert visitor.complaints == []


def test_ranges_change_in_place(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(f"{WEB}?range=24h")
    page.evaluate("window.same = true")

    page.get_by_role("link", name="6 h", exact=True).click()
    visitor.drawn(2)

    low, high = extent(page)
    assert abs(high - low - 12 * 36e5) < 60_000
    assert page.url.endswith("range=6h")
    assert page.evaluate("window.same") is True
    expect(page.get_by_role("link", name="6 h", exact=True)).to_have_attribute(
        "aria-current", "true"
    )


def test_a_replay_is_started_watched_and_read(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/workloads/checkout")
    page.get_by_role("link", name="Replays").last.click()
    expect(page.get_by_label("Workload")).to_have_value("checkout")
    page.get_by_text("More", exact=True).click()
    page.get_by_label(re.compile("Frontier and advice")).uncheck()
    page.get_by_label("reactive", exact=True).check()
    page.get_by_label("Lucks that are averaged").fill("1")
    page.get_by_role("button", name="Play it again").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Replay of checkout")
    assert faults(page) == []
    expect(page.get_by_role("button", name="Stop it")).to_be_visible()
    page.get_by_role("button", name="Stop it").click()
    expect(page.locator("#live-job")).to_contain_text(re.compile("stopping|stopped"))
    assert visitor.complaints == []


def test_results_are_read_and_compared(visit: Visit) -> None:
    for scheme, size in (("light", WIDE), ("dark", PHONE)):
        visitor = visit(scheme=scheme, size=size)
        page = visitor.open("/replays?workload=web-player")
        page.locator("tbody th a").first.click()
        expect(page.get_by_role("heading", name="Advice")).to_be_visible()
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]

        page.get_by_role("button", name="Compare").click()
        expect(page.get_by_role("heading", name="Policy by policy")).to_be_visible()
        assert faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert visitor.complaints == []


def test_a_read_key_looks_and_is_offered_nothing(visit: Visit) -> None:
    page = visit(key=KEYS["REVIEW_READ"]).open("/workloads/svc-01")

    expect(page.get_by_text("sign in with a key of scope admin")).to_be_visible()
    assert page.locator("summary", has_text="Freeze").count() == 0


def test_each_state_says_what_to_do_next(visit: Visit) -> None:
    visitor = visit()

    expect(visitor.open("/workloads/newborn").get_by_text("36 h are needed")).to_be_visible()
    expect(visitor.page.get_by_text("No demand and no forecast in this span yet")).to_be_visible()
    expect(visitor.open("/workloads/ingest").get_by_text("mend the query").first).to_be_visible()
    young = visitor.open("/workloads/newborn/accuracy")
    expect(young.get_by_text("Nothing to compare yet")).to_be_visible()
    assert faults(young) == []
    page = visitor.open("/workloads/unknown")
    expect(page.get_by_role("alert")).to_contain_text("unknown")
    page.get_by_role("link", name="All workloads").click()
    expect(page.get_by_role("heading", name="Workloads")).to_be_visible()


def test_numbers_are_read_without_scripts(visit: Visit) -> None:
    visitor = visit(script=False)
    page = visitor.page
    page.goto(visitor.site.url + WEB)

    assert page.locator("#live-hours tbody tr").count() == 24
    expect(page.locator("noscript")).to_be_visible()
    page.goto(visitor.site.url)
    assert page.locator("svg.spark").count() > 10


def test_a_page_whose_server_is_gone_says_that_it_is_stale(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open(WEB)
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()

    page.context.set_offline(True)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(page.locator("#freshness")).to_contain_text("prescaler does not answer")
    page.context.set_offline(False)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#freshness")).to_have_text("Live")


def test_figures_refresh_without_a_reload(visit: Visit) -> None:
    first, second = visit(), visit()
    page = first.open("/workloads/svc-20")
    page.evaluate("window.same = true")
    act(second, "/workloads/svc-20")

    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(page.locator("#live-control")).to_contain_text("seen by all")
    assert page.evaluate("window.same") is True


def act(visitor: Visitor, path: str) -> None:
    page = visitor.open(path)
    page.locator("summary", has_text="Freeze").click()
    page.locator("details[open]").get_by_label("Reason").fill("seen by all")
    page.locator("details[open]").get_by_role("button", name="Freeze").click()


def test_hostile_names_and_reasons_run_nothing(visit: Visit) -> None:
    visitor = visit()
    dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    visitor.page.on("dialog", note)

    for path in ("/", "/workloads/checkout", "/?label=note%3D<script>alert(1)</script>"):
        visitor.open(path)

    assert dialogs == []
    assert visitor.complaints == []


def test_a_query_of_a_megabyte_is_refused_and_the_server_lives(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.process.port, timeout=10)
    try:
        connection.request("GET", "/?search=" + "x" * 1_000_000)
        assert connection.getresponse().status in (400, 414)
    except (ConnectionError, http.client.HTTPException):
        pass  # httptools may close before the answer is read
    finally:
        connection.close()

    assert site.process.ask("/livez").status_code == 200
