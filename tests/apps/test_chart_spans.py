"""Which span a chart shows, and the pods of the past in it."""

from tests.apps.conftest import Served
from tests.support.browsing import text


def test_a_chart_of_a_span_has_an_address(reader: Served) -> None:
    html = text(
        reader,
        "/workloads/web?from=2026-11-20T10:00:00Z&to=2026-11-21T10:00:00Z"
        "&as_of=2026-11-20T08:00:00Z",
    )

    assert 'data-from="2026-11-20T10:00:00Z" data-to="2026-11-21T10:00:00Z"' in html
    assert 'data-issued="2026-11-20T08:00:00Z"' in html
    turned = text(reader, "/workloads/web?from=2026-11-22T10:00:00Z&to=2026-11-21T10:00:00Z")
    assert 'data-from="" data-to=""' in turned
    assert reader.client.get("/workloads/web?from=yesterday").status_code == 400


def test_pods_of_the_past_come_from_the_source_or_say_why_not(reader: Served) -> None:
    found = reader.get("/api/v1/workloads/web/pods?step=5m").json()

    assert found["why"] == "the pods of this workload are not observed"
    assert set(found["columns"]) == {"running", "ready"}
    assert reader.get("/api/v1/workloads/web/pods?step=0s").status_code == 400
