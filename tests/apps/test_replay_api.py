"""Replays over HTTP, and the worker that does them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import numpy as np

from prescaler.apps.replays import ReplayRunner
from prescaler.core.jobs import JobKind, JobState
from tests.apps.conftest import ADMIN, AS_ADMIN, HEAD, NOW, WEB_ONLY, Serve, Served
from tests.support.builders import DAY, MINUTE, daily_demand, series

REPLAYS = "/api/v1/replays"
SHORT = {"workload": "web", "since": "6h", "arms": ["reactive", "prescaler"], "runs": 1}


def with_history(served: Served, days: int = 3) -> None:
    """Demand of the last days, minute by minute."""
    web = served.keeper.settings.workloads[0]
    version = served.stores.workloads.ensure(web, NOW)
    values = np.repeat(daily_demand(days), 5)
    start = (NOW - days * DAY).replace(second=0)
    served.stores.demand.append(version, series(values, start, MINUTE))
    served.keeper.refresh()


def post(served: Served, **changes: Any) -> Any:
    return served.client.post(REPLAYS, json={**SHORT, **changes}, headers=AS_ADMIN)


@contextmanager
def working(served: Served) -> Iterator[ReplayRunner]:
    """A worker that does nothing by itself."""
    yield ReplayRunner(served.keeper, served.stores, served.clock)


def test_a_replay_is_accepted_listed_and_waits(served: Served) -> None:
    answer = post(served)
    found = answer.json()

    assert answer.status_code == 202
    assert answer.headers["Location"] == f"{REPLAYS}/{found['id']}"
    assert (found["state"], found["progress"], found["author"]) == ("queued", 0.0, "ada")
    assert found["request"]["arms"] == ["reactive", "prescaler"]
    assert found["request"]["promise"] == "10m/30d"
    assert served.get(REPLAYS).json()["items"] == [found]
    assert served.get(f"{REPLAYS}?workload=api").json()["items"] == []
    assert served.get(f"{REPLAYS}/{found['id']}").json() == {**found, "result": None}


def test_what_cannot_be_played_is_refused_at_once(served: Served) -> None:
    for changes in (
        {"since": "5h"},
        {"since": "soon"},
        {"arms": ["magic"]},
        {"promise": "nothing ever"},
        {"runs": 0},
        {"runs": 21},
        {"seed": -1},
        {"until": "2026-11-24T20:41:00"},
        {"until": "2026-11-31T20:41:00Z"},
        {"until": f"{NOW + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"},
        {"spot_loss": 1},
        {"spot_loss": -0.1},
        {"spot_loss": "often"},
        {"colour": "red"},
        {"workload": "w" * 101},
    ):
        assert post(served, **changes).status_code == 400, changes
    assert post(served, workload="nobody").status_code == 404
    assert served.stores.jobs.find(JobKind.REPLAY) == []


def test_a_key_needs_write_to_start_and_its_workloads_to_see(serve: Serve) -> None:
    served = serve(
        keys=[
            {"name": "ada", "scope": "admin", "value_env": "KEY_ADMIN"},
            {"name": "keda", "value_env": "KEY_READ"},
            {"name": "web-only", "scope": "write", "value_env": "KEY_WEB", "workloads": ["web"]},
        ]
    )
    about_api = post(served, workload="api").json()["id"]
    web_key = {"X-API-Key": WEB_ONLY}

    assert served.client.post(REPLAYS, json=SHORT, headers=HEAD).status_code == 403
    assert served.client.post(REPLAYS, json=SHORT).status_code == 401
    assert served.client.get(f"{REPLAYS}/{about_api}", headers=web_key).status_code == 403
    assert served.client.delete(f"{REPLAYS}/{about_api}", headers=web_key).status_code == 403
    assert served.client.delete(f"{REPLAYS}/{about_api}", headers=HEAD).status_code == 403
    assert served.client.get(REPLAYS, headers=web_key).json()["items"] == []
    other = served.client.post(REPLAYS, json={**SHORT, "workload": "api"}, headers=web_key)
    assert other.status_code == 403
    assert ADMIN not in served.get(REPLAYS).text


def test_an_unknown_replay_is_not_found(served: Served) -> None:
    assert served.get(f"{REPLAYS}/{uuid4()}").status_code == 404
    assert served.get(f"{REPLAYS}/nonsense").status_code == 400


def test_twenty_may_wait(served: Served) -> None:
    answers = [post(served).status_code for _ in range(21)]

    assert answers == [202] * 20 + [400]


def test_one_that_waits_is_cancelled_at_once(served: Served) -> None:
    identity = post(served).json()["id"]
    found = served.client.delete(f"{REPLAYS}/{identity}", headers=AS_ADMIN).json()

    assert found["state"] == "cancelled"
    with working(served) as worker:
        worker.round(threading.Event())
    assert served.get(f"{REPLAYS}/{identity}").json()["state"] == "cancelled"


def test_a_replay_is_done_by_a_worker_and_its_result_is_kept(served: Served) -> None:
    with_history(served)
    first = post(served).json()["id"]
    served.clock.present = NOW + timedelta(seconds=1)
    second = post(served, workload="api").json()["id"]
    with working(served) as worker:
        worker.round(threading.Event())
        done = served.get(f"{REPLAYS}/{first}").json()
        assert served.get(f"{REPLAYS}/{second}").json()["state"] == "queued", "one at a time"
        worker.round(threading.Event())

    assert (done["state"], done["progress"], done["error"]) == ("done", 1.0, None)
    result = done["result"]
    assert result["version"] == 1
    assert [row["setting"]["arm"] for row in result["arms"]] == ["reactive", "prescaler"]
    assert result["advice"]["verdict"] == "too_little_history"
    assert result["assumptions"]["pods"] == {"least": 2, "most": 200}
    failed = served.get(f"{REPLAYS}/{second}").json()
    assert failed["state"] == "failed"
    assert "nothing is stored of api" in failed["error"]


def test_an_end_before_the_first_observation_fails_with_its_reason(served: Served) -> None:
    with_history(served)
    post(served, until=f"{NOW - 5 * DAY:%Y-%m-%dT%H:%M:%SZ}")
    with working(served) as worker:
        worker.round(threading.Event())

    (found,) = served.get(REPLAYS).json()["items"]
    assert found["state"] == "failed"
    assert "nothing is stored of web from" in found["error"]


def test_spot_nodes_are_lost_where_that_is_asked_for(served: Served) -> None:
    with_history(served)
    until = f"{NOW - DAY:%Y-%m-%dT%H:%M:%SZ}"
    identity = post(
        served, since="1d", until=until, arms=["static_peak"], sweep=False, spot_loss=0.5
    ).json()["id"]
    with working(served) as worker:
        worker.round(threading.Event())

    result = served.get(f"{REPLAYS}/{identity}").json()["result"]
    assert result["period"]["end"][:16] == until[:16]
    assert result["assumptions"]["spot_loss"] == 0.5
    assert result["arms"][0]["lost"] > 0
    assert result["arms"][0]["all"]["dropped"] > 0, "without losses the peak's pods drop nothing"


def test_a_running_replay_is_cancelled(served: Served) -> None:
    with_history(served)
    identity = post(served, since="2d").json()["id"]
    with working(served) as worker:
        thread = threading.Thread(target=worker.round, args=(threading.Event(),))
        thread.start()
        while served.get(f"{REPLAYS}/{identity}").json()["state"] == "queued":
            thread.join(0.05)
        served.client.delete(f"{REPLAYS}/{identity}", headers=AS_ADMIN)
        thread.join(60)

    found = served.get(f"{REPLAYS}/{identity}").json()
    assert (found["state"], found["cancel_asked"]) == ("cancelled", True)


def test_a_server_that_ends_leaves_the_replay_to_another(served: Served) -> None:
    with_history(served)
    identity = post(served).json()["id"]
    stopped = threading.Event()
    stopped.set()
    with working(served) as worker:
        worker.round(stopped)
        assert served.get(f"{REPLAYS}/{identity}").json()["state"] == "running"
    with working(served) as other:
        other.round(stopped)
        served.clock.present = NOW + timedelta(minutes=2)
        other.round(threading.Event())

    assert served.get(f"{REPLAYS}/{identity}").json()["state"] == "done"


def test_a_workload_that_is_gone_fails_with_its_reason(served: Served) -> None:
    job = post(served, workload="api").json()
    served.keeper.settings = replace(
        served.keeper.settings, workloads=served.keeper.settings.workloads[:1]
    )
    with working(served) as worker:
        worker.round(threading.Event())

    found = served.get(f"{REPLAYS}/{job['id']}").json()
    assert (found["state"], found["error"]) == ("failed", "api is not configured any more")


def test_a_worker_whose_job_was_taken_lets_go(served: Served) -> None:
    with_history(served)
    identity = post(served).json()["id"]
    with working(served) as worker, working(served) as thief:
        thread = threading.Thread(target=worker.round, args=(threading.Event(),))
        thread.start()
        while served.get(f"{REPLAYS}/{identity}").json()["state"] == "queued":
            thread.join(0.05)
        found = served.stores.jobs.find(JobKind.REPLAY)[0]
        served.stores.jobs.claim(found.id, thief._owner, NOW + timedelta(minutes=5))
        thread.join(60)

    left = served.stores.jobs.find(JobKind.REPLAY)[0]
    assert (left.state, left.owner) == (JobState.RUNNING, thief._owner)


def test_a_key_for_one_workload_finds_its_replays_behind_newer_ones_of_others(
    served: Served,
) -> None:
    own, _ = (post(served, workload=name).json()["id"] for name in ("web", "api"))
    answer = served.client.get(f"{REPLAYS}?limit=1", headers={"X-API-Key": WEB_ONLY})

    assert [one["id"] for one in answer.json()["items"]] == [own]
