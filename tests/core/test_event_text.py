"""One form of an event for all doors; every complaint at once."""

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescaler.core.errors import BadEvent
from prescaler.core.event_text import FIELDS, from_plain, from_stored, to_plain
from prescaler.core.planned import Effect, EventState, PlannedEvent, Selection, Stack
from tests.support.builders import MONDAY, PARIS, event

ID = UUID(int=7)
GOOD: dict[str, Any] = {
    "name": "semi-final",
    "kind": "football",
    "start": "2026-11-24T20:00:00Z",
    "end": "2026-11-24T22:00:00Z",
    "timezone": "Europe/Paris",
    "workloads": "all",
    "factor": 1.5,
}

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)
moments = st.integers(0, 10**9).map(lambda s: MONDAY + timedelta(seconds=s))
effects = st.builds(
    Effect,
    st.none() | st.floats(0, 1000),
    st.floats(0, 1e15),
    st.integers(0, 100_000),
    st.none() | st.floats(0, 1000),
    st.integers(0, 100_000).map(lambda s: timedelta(seconds=s)),
    st.integers(0, 100_000).map(lambda s: timedelta(seconds=s)),
    st.sampled_from(Stack),
)
selections = st.just(Selection(everything=True)) | st.builds(
    Selection,
    names=st.frozensets(texts, min_size=1, max_size=3),
    labels=st.dictionaries(texts, texts, max_size=2),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)


@given(
    st.builds(
        lambda start, seconds, effect, chosen, state, known, exceptions, labels, text: event(
            start=start,
            end=start + timedelta(seconds=seconds),
            effect=effect,
            selection=chosen,
            state=state,
            known_from=known,
            exceptions=exceptions,
            labels=labels,
            description=text,
            rule="FREQ=WEEKLY" if seconds < 1000 else None,
        ),
        moments,
        st.integers(1, 10**6),
        effects,
        selections,
        st.sampled_from(EventState),
        st.none() | moments,
        st.frozensets(moments, max_size=3),
        st.dictionaries(texts, texts, max_size=2),
        texts,
    )
)
def test_what_is_written_is_read_back_through_json(one: PlannedEvent) -> None:
    plain = json.loads(json.dumps(to_plain(one), allow_nan=False))

    assert from_stored(plain, one.revision) == one


@given(st.dictionaries(st.sampled_from(FIELDS), anything))
def test_anything_is_read_or_refused_by_name(changes: dict[str, Any]) -> None:
    said = "nothing"
    try:
        assert from_plain({**GOOD, **changes}, ID).id == ID
    except BadEvent as error:
        said = str(error)

    assert said == "nothing" or any(name in said for name in changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"end": "2026-11-24T19:00:00Z"}, "end: must lie behind the start"),
        ({"timezone": "Mars/Olympus"}, "timezone: 'Mars/Olympus' is no time zone"),
        ({"timezone": "../etc/passwd"}, "is no time zone"),
        ({"start": "2026-11-24T20:00:00"}, "start: .* is not an instant; write it with its offset"),
        ({"start": "1969-12-31T00:00:00Z"}, "start: .* must lie between 1970 and 2200"),
        ({"start": 1764014400}, "start: must be text"),
        ({"start": None}, "start: is missing"),
        ({"name": "  "}, "name: is empty"),
        ({"name": "a\x00b"}, "name: contains a control character"),
        ({"name": "a\ud800"}, "name: contains half a character"),
        ({"name": "x" * 201}, "name: has 201 characters, at most 200"),
        ({"name": 5}, "name: must be text"),
        ({"kind": "Foot Ball"}, "kind: write a tag of"),
        ({"kind": ""}, "kind: write a tag of"),
        ({"workloads": None}, "workloads: is missing"),
        ({"workloads": []}, "workloads: selects nothing"),
        ({"workloads": "web"}, 'workloads: write "all", a list of names'),
        ({"workloads": {"name": "web"}}, 'workloads: write "all", a list of names'),
        ({"workloads": {"names": "web"}}, "workloads: names is a list"),
        ({"workloads": {"labels": ["a"]}}, "workloads: labels are a mapping"),
        ({"workloads": [1]}, "workloads: must be text"),
        ({"factor": float("nan")}, "factor: must lie between 0 and 1000"),
        ({"factor": -1}, "factor: must lie between 0 and 1000"),
        ({"factor": 10**400}, "factor: must lie between 0 and 1000"),
        ({"factor": "1.5"}, "factor: must be a number"),
        ({"factor": True}, "factor: must be a number"),
        ({"added": -5}, "added: must lie between 0"),
        ({"min_pods": 2.5}, "min_pods: must be a whole number"),
        ({"min_pods": 10**6}, "min_pods: must lie between 0 and 100000"),
        ({"ramp_before": "10"}, "ramp_before: '10' is not a duration"),
        ({"ramp_before": "3d"}, "ramp_before: is longer than 2d"),
        ({"ramp_after": 600}, "ramp_after: must be text"),
        ({"stack": "add"}, "stack: 'add' is none of max, multiply"),
        ({"state": ["x"]}, "state: .* is none of draft, confirmed, cancelled"),
        ({"rule": "FREQ=HOURLY"}, "FREQ=HOURLY is too frequent"),
        ({"exceptions": "2026"}, "exceptions: write a list"),
        ({"exceptions": ["soon"]}, "exceptions: 'soon' is not an instant"),
        ({"labels": {"a": 1}}, "labels: must be text"),
        ({"description": "x" * 4001}, "description: has 4001 characters"),
        ({"multiplier": 3}, "multiplier: no such field"),
    ],
)
def test_what_is_wrong_is_said_with_its_field(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadEvent, match=said):
        from_plain({**GOOD, **changes}, ID)


def test_every_complaint_comes_at_once() -> None:
    with pytest.raises(BadEvent) as caught:
        from_plain({"name": "", "timezone": "X", "factor": -1, "start": "x"}, ID)

    assert str(caught.value).count(";") >= 5


@pytest.mark.parametrize("plain", [None, [], "x", 3])
def test_an_event_is_a_mapping(plain: Any) -> None:
    with pytest.raises(BadEvent, match="mapping of fields"):
        from_plain(plain, ID)


def test_civil_time_needs_a_timezone_beside_it() -> None:
    civil = {**GOOD, "start": "2026-11-24 21:00", "end": "2026-11-24 23:00"}
    nowhere = {k: v for k, v in civil.items() if k != "timezone"}

    found = from_plain(civil, ID, civil=True)

    assert (found.start, found.timezone) == (MONDAY + timedelta(hours=44), PARIS)
    with pytest.raises(BadEvent, match="with its offset"):
        from_plain(nowhere, ID, civil=True)
    with pytest.raises(BadEvent, match="with its offset"):
        from_plain(civil, ID)
    with pytest.raises(BadEvent, match="is no time"):
        from_plain({**civil, "start": "2026-13-24 21:00"}, ID, civil=True)
    with pytest.raises(BadEvent, match="start"):
        from_plain({**civil, "start": "0001-01-01 00:00"}, ID, civil=True)


def test_names_may_stand_in_a_plain_list_and_rules_with_their_name() -> None:
    found = from_plain({**GOOD, "workloads": ["web"], "rule": "RRULE:FREQ=WEEKLY"}, ID)

    assert found.selection == Selection(names=frozenset({"web"}))
    assert found.rule == "FREQ=WEEKLY"
    assert from_plain({**GOOD, "rule": ""}, ID).rule is None


def test_a_stored_event_that_was_altered_is_refused() -> None:
    with pytest.raises(BadEvent, match="is no uuid"):
        from_stored({**to_plain(event()), "id": "x"}, 1)
