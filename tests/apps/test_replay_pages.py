"""Replays on pages: asked for, watched, read, compared."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from prescaler.apps.pages.replay_sketches import days_sketch, frontier_sketch
from prescaler.apps.pages.words import share
from prescaler.core.jobs import Job, JobKind, JobState
from tests.apps.conftest import ADMIN, NOW, READ, WEB_ONLY, Served
from tests.support.browsing import enter, text, token
from tests.support.builders import PARIS
from tests.support.replayed import kept, stored


@pytest.fixture
def reader(served: Served) -> Served:
    """Somebody with a key of scope read."""
    enter(served, READ)
    return served


@pytest.fixture
def admin(served: Served) -> Served:
    """Somebody with a key of scope admin."""
    enter(served, ADMIN)
    return served


def ask(served: Served, **fields: Any) -> Any:
    body = {"token": token(served), "workload": "web", "since": "1w", "sweep": "yes", **fields}
    return served.client.post("/replays", data=body, follow_redirects=False)


def waiting(served: Served) -> list[Job]:
    return list(served.stores.jobs.find(JobKind.REPLAY))


def test_a_replay_is_asked_for_watched_and_stopped(admin: Served) -> None:
    assert "No replay yet" in text(admin, "/replays")
    answer = ask(
        admin, arms=["reactive", "prescaler"], until="2026-11-22T07:00", runs="2", spot_loss="2.5"
    )

    (job,) = waiting(admin)
    assert answer.headers["location"] == f"/replays/{job.id}"
    # 07:00 in Paris is 06:00 UTC.
    assert job.request["until"] == "2026-11-22T06:00:00Z"
    assert job.request["arms"] == ["reactive", "prescaler"]
    assert (job.request["runs"], job.request["sweep"], job.author) == (2, True, "ada")
    assert "It waits until the ones before it are done" in text(admin, f"/replays/{job.id}")

    admin.stores.jobs.claim(job.id, "worker", NOW)
    admin.stores.jobs.report(job.id, "worker", NOW, progress=0.42, stage="forecasts")
    html = text(admin, f"/replays/{job.id}")
    assert re.search(r'<progress max="1" value="0.42"', html)
    assert "forecasts" in text(admin, "/replays")
    stop = admin.client.post(f"/replays/{job.id}/cancel", data={"token": token(admin)})
    assert stop.status_code == 200
    assert "stopping" in stop.text
    assert "Stop it" not in stop.text


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"workload": ""}, "choose a workload"),
        ({"workload": "nobody"}, "nobody"),
        ({"since": "soon"}, "soon"),
        ({"promise": "for ever"}, "for ever"),
        ({"arms": ["magic"]}, "magic"),
        ({"runs": "many"}, "runs"),
        ({"runs": "99"}, "runs"),
        ({"seed": "-1"}, "seed"),
        ({"until": "tomorrow"}, "tomorrow"),
        ({"until": "2031-01-01T00:00"}, "until 2030-12-31T23:00:00Z lies in the future"),
        ({"spot_loss": "some"}, "spot nodes"),
        ({"spot_loss": "100"}, "spot loss 1"),
        ({"spot_loss": "nan"}, "spot loss nan"),
    ],
)
def test_what_cannot_be_played_comes_back_and_says_why(
    admin: Served, fields: dict[str, Any], says: str
) -> None:
    answer = ask(admin, **fields)

    assert answer.status_code == 400
    assert re.search(rf'role="alert">[^<]*{says}', answer.text)
    assert waiting(admin) == []


def test_a_result_is_read_with_advice_frontier_and_days(reader: Served) -> None:
    identity = stored(reader.stores.jobs, "web", NOW)
    html = text(reader, f"/replays/{identity}")
    result = kept()["result"]

    for sentence in result["advice"]["words"]:
        assert sentence.split("%")[0][:60] in html
    assert html.count('class="sketch"') == 2
    assert 'class="best"' in html
    assert "The way there" in html
    assert "changes of the ScaledObject" in html
    assert "scaleTargetRef" in html
    assert "&lt;b&gt;final&lt;/b&gt;" in html
    assert "<b>final" not in html
    assert "Compare with" not in html
    only = text(reader, f"/replays/{identity}?arms=static_peak")
    assert 'class="accent" points' in html
    assert 'class="accent" points' not in only
    assert "Start one" not in text(reader, "/replays")


def test_a_result_without_advice_is_read_too(reader: Served) -> None:
    frontier: dict[str, list[int]] = {name: [] for name in kept()["result"]["frontier"]}
    identity = stored(
        reader.stores.jobs, "web", NOW, advice=None, sweep=[], frontier=frontier, events=[]
    )
    html = text(reader, f"/replays/{identity}")

    assert "Every policy" in html
    for absent in ("Advice", "Frontier", "Ready at the start of each"):
        assert absent not in html


def test_of_a_workload_that_may_sleep_the_time_at_0_pods_is_shown(reader: Served) -> None:
    result = kept()["result"]
    sleep = {"polling_seconds": 30.0, "cooldown_seconds": 300.0, "wakes_to": 1, "wake_at": 0.1}
    assumptions = {**result["assumptions"], "sleep": sleep}
    arms = [{**row, "asleep": 0.375} for row in result["arms"]]
    jobs = reader.stores.jobs
    html = text(reader, f"/replays/{stored(jobs, 'web', NOW, assumptions=assumptions, arms=arms)}")

    assert html.count("Asleep") == 1
    assert "38" in html
    assert "takes it to 0 pods 300" in html
    assert "a plan above 0.1" in html
    assert "Asleep" not in text(reader, f"/replays/{stored(jobs, 'web', NOW)}")


def test_two_results_stand_side_by_side(reader: Served) -> None:
    jobs, assumptions = reader.stores.jobs, kept()["result"]["assumptions"]
    one = stored(jobs, "web", NOW)
    other = stored(jobs, "web", NOW, assumptions={**assumptions, "spare_room": 0.4}, advice=None)

    assert f'value="{other}"' in text(reader, f"/replays/{one}")
    html = text(reader, f"/replay-comparison?one={one}&other={other}")
    assert "spare room" in html
    assert "No advice was asked for" in html
    assert 'class="plan second"' in html
    assert "as scaled today" in html
    same = text(reader, f"/replay-comparison?one={one}&other={one}")
    assert "the same question, asked twice" in same


def test_what_is_not_done_cannot_be_compared(reader: Served) -> None:
    done, job = stored(reader.stores.jobs, "web", NOW), _job("web")
    reader.stores.jobs.create(job)

    pair = f"/replay-comparison?one={done}&other={job.id}"
    assert reader.client.get(pair).status_code == 400
    assert reader.client.get("/replay-comparison?one=x&other=y").status_code == 400


def _job(workload: str) -> Job:
    return Job(uuid4(), JobKind.REPLAY, workload, "ada", NOW, NOW, kept()["request"])


@pytest.mark.parametrize(
    ("state", "says"),
    [(JobState.FAILED, "no history at all"), (JobState.CANCELLED, "It was stopped")],
)
def test_ends_without_a_result_say_what_to_do(reader: Served, state: JobState, says: str) -> None:
    job = _job("web")
    reader.stores.jobs.create(job)
    reader.stores.jobs.claim(job.id, "worker", NOW)
    reader.stores.jobs.finish(job.id, "worker", NOW, state, error="no history at all")

    assert says in text(reader, f"/replays/{job.id}")
    assert "Start another" in text(reader, f"/replays/{job.id}")


def test_replays_of_others_are_not_shown(served: Served) -> None:
    mine, others = (stored(served.stores.jobs, name, NOW) for name in ("web", "api"))
    enter(served, WEB_ONLY)

    html = text(served, "/replays")
    assert str(mine) in html
    assert str(others) not in html
    assert served.client.get(f"/replays/{others}").status_code == 403
    pair = f"/replay-comparison?one={mine}&other={others}"
    assert served.client.get(pair).status_code == 403
    assert served.client.get(f"/replays/{UUID(int=7)}").status_code == 404


def test_replays_are_asked_for_with_a_token_and_the_scope(reader: Served) -> None:
    assert ask(reader).status_code == 403
    identity = stored(reader.stores.jobs, "web", NOW)
    stop = reader.client.post(f"/replays/{identity}/cancel", data={"token": token(reader)})
    assert stop.status_code == 403
    enter(reader, ADMIN)
    assert ask(reader, token="0" * 64).status_code == 403
    assert len(waiting(reader)) == 1


def test_a_workload_that_is_gone_keeps_its_replays(reader: Served) -> None:
    identity = stored(reader.stores.jobs, "gone", NOW)

    assert "Advice" in text(reader, f"/replays/{identity}")


def test_nothing_is_drawn_where_nothing_is_known() -> None:
    result = kept()["result"]
    empty = {**result, "series": {"stamps": [], "columns": {"demand": []}}}

    assert days_sketch(empty, [], PARIS) is None
    assert days_sketch({**result, "assumptions": {"per_pod": 0}}, [], PARIS) is None
    assert frontier_sketch({**result, "frontier": {}}) is None
    other = {**result, "advice": {**result["advice"], "best": {"setting": {"arm": "none"}}}}
    drawn = frontier_sketch(other)
    assert drawn is not None
    assert [dot.kind for dot in drawn.dots] == ["mark"]
    assert share(None) == "–"
    assert share(0.000123).startswith("0.0123")


def test_the_list_leads_to_the_form_of_a_workload(admin: Served) -> None:
    assert 'value="api"' in text(admin, "/replays?workload=api")
    later = NOW + timedelta(seconds=1)
    stored(admin.stores.jobs, "web", later)
    assert "10m/30d" in text(admin, "/replays")
    assert "No replay yet" in text(admin, "/replays?workload=api")
