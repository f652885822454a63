"""The file: read whole, every problem at once, each with its place and how to mend it."""

from collections.abc import Callable
from datetime import time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from prescaler.config import InvalidConfiguration, load_settings
from prescaler.config.models import Scope
from prescaler.core.policy import Mode, OnUnavailable, PolicyType, Unit
from prescaler.core.workload import Like
from tests.config.conftest import HEAD, WEB, Load

Problems = Callable[..., list[str]]


def test_the_smallest_file_gets_the_defaults(load: Load) -> None:
    settings = load(f"{HEAD}workloads:\n{WEB}")
    (web,) = settings.workloads

    assert web.policy.mode is Mode.SHADOW
    assert web.policy.quantile == 0.95
    assert web.policy.on_unavailable is OnUnavailable.ZERO
    assert web.policy.target == 80
    assert web.forecast.horizon == timedelta(hours=50)
    assert web.forecast.horizon_steps == 600
    assert web.policy.stale_after == timedelta(minutes=21)
    assert settings.keys[0].section.scope is Scope.READ
    assert settings.store.main == settings.store.direct == "sqlite:////tmp/x.sqlite"


FULL = f"""\
version: 1
{HEAD}server: {{listen: "[::1]:9000", metrics_key: true}}
defaults:
  policy: {{quantile: 0.9, mode: capped}}
  forecast: {{timezone: Europe/Paris}}
workloads:
- name: web
  aliases: [old-web]
  labels: {{team: player}}
  scale_target: {{kind: StatefulSet, name: web, namespace: prod, min_pods: 2, max_pods: 200}}
  demand: {{source: [main], query: sum(x), resolution: 15s, delay: 30s}}
  forecast: {{step: 1m, history: 28d, country: FR}}
  capacity: {{per_pod: 0.5, utilisation: 0.5, unit: pods}}
  policy: {{mode: off, max_pods: 150}}
  lead_time:
    pod_start: {{p50: 45s, p95: 90s}}
    tolerance: {{up: 0.05}}
    behavior: [{{type: Percent, value: 100, period: 10s}}]
  windows: [{{days: [fri, sat], start: "22:00", end: "02:00", min_pods: 40}}]
  reactive: {{target: 70}}
"""


@pytest.mark.parametrize("bounds", ["min_pods: 0", "min_pods: 2, idle_pods: 0"])
def test_a_workload_that_sleeps(load: Load, bounds: str) -> None:
    text = WEB.replace("name: web}", f"name: web, {bounds}, cooldown: 2m}}")
    (web,) = load(f"{HEAD}workloads:\n{text}").workloads

    assert web.scale_target.sleeps
    assert web.scale_target.cooldown == timedelta(minutes=2)
    assert web.policy.scale_min == 0


def test_everything_that_can_be_said_arrives(load: Load) -> None:
    (web,) = load(FULL).workloads
    policy = web.policy

    assert (web.aliases, web.labels, web.scale_target.kind) == (
        ("old-web",),
        {"team": "player"},
        "StatefulSet",
    )
    assert policy.mode is Mode.OFF
    assert policy.quantile == 0.9
    assert policy.timezone == ZoneInfo("Europe/Paris")
    assert (policy.capacity.unit, policy.target) == (Unit.PODS, 0.25)
    assert policy.lead_time.pod_start.p95 == timedelta(seconds=90)
    assert policy.lead_time.behavior is not None
    assert policy.lead_time.behavior[0].type is PolicyType.PERCENT
    assert policy.windows[0].weekdays == {4, 5}
    assert (policy.windows[0].start, policy.windows[0].end) == (time(22), time(2))
    assert web.reactive.target == 70
    assert web.forecast.country == "FR"


def test_mappings_of_defaults_are_merged_and_lists_replaced(load: Load) -> None:
    (web,) = load(
        f"{HEAD}defaults:\n  policy: {{quantile: 0.9, mode: active}}\n"
        "  windows: [{start: '01:00', end: '02:00', min_pods: 1}]\n"
        f"workloads:\n{WEB}  policy: {{quantile: 0.75}}\n  windows: []\n"
    ).workloads

    assert (web.policy.quantile, web.policy.mode, web.policy.windows) == (0.75, Mode.ACTIVE, ())


def test_included_files_add_workloads(load: Load) -> None:
    settings = load(f"{HEAD}include: ['w*.yaml']\n", w1_yaml=f"workloads:\n{WEB}")

    assert [w.name for w in settings.workloads] == ["web"]
    assert len(settings.files) == 2


BAD: dict[str, tuple[str, str]] = {
    "unknown key": (f"{HEAD}workloads:\n{WEB}  forcast: {{}}\n",
        "prescaler.yaml:9: workloads[0].forcast: unknown key 'forcast'; did you mean forecast?"),
    "unknown key without a neighbour": (f"{HEAD}zzz: 1\n",
        "prescaler.yaml:4: zzz: unknown key 'zzz'; known here: defaults, events, include,"),
    "a key twice": (f"{HEAD}server: {{}}\nserver: {{}}\n",
        "prescaler.yaml:5: the key 'server' stands twice; keep one"),
    "a number without its unit": (f"{HEAD}workloads:\n{WEB}  forecast: {{every: 5}}\n",
        "workloads[0].forecast.every: 5 has no unit; write a duration such as 90s"),
    "a duration of another form": (f"{HEAD}workloads:\n{WEB}  forecast: {{every: 1.5h}}\n",
        "'1.5h' is not a duration"),
    "a wrong zone": (f"{HEAD}workloads:\n{WEB}  forecast: {{timezone: Paris}}\n",
        "'Paris' is no time zone"),
    "a mode that is none": (f"{HEAD}workloads:\n{WEB}  policy: {{mode: on}}\n",
        "policy.mode: is 'on', must be one of 'off', 'shadow', 'capped' or 'active'"),
    "text for a number": (f"{HEAD}workloads:\n{WEB}  policy: {{quantile: high}}\n",
        "policy.quantile: is 'high', must be a number"),
    "a number for text": (f"{HEAD}workloads:\n{WEB}  labels: {{team: 7}}\n",
        "labels.team: is 7, must be text"),
    "not a number": (f"{HEAD}workloads:\n{WEB}  policy: {{cap: .nan}}\n",
        "policy.cap: is '.nan', must be a number"),
    "negative": (f"{HEAD}workloads:\n{WEB}  policy: {{min_pods: -1}}\n",
        "greater than or equal to 0 (it is -1)"),
    "true for a number": (f"{HEAD}workloads:\n{WEB}  policy: {{min_pods: true}}\n",
        "policy.min_pods: is True, must be a whole number"),
    "a list for a mapping": (f"{HEAD}workloads:\n{WEB}  policy: []\n",
        "policy: is [], must be a mapping"),
    "workloads that are no list": (f"{HEAD}workloads: {{web: 1}}\n",
        "prescaler.yaml:4: workloads: must be a list"),
    "a workload that is a word": (f"{HEAD}workloads: [web]\n",
        "workloads[0]: must be a mapping with at least a name"),
    "hostile name": (f"{HEAD}workloads:\n{WEB.replace('name: web', 'name: ../<b>', 1)}",
        "workloads[0].name: '../<b>' has the wrong form"),
    "two of one name": (f"{HEAD}workloads:\n{WEB}{WEB}",
        "prescaler.yaml:9: workloads[1].name: the name 'web' is taken by workload 'web'"),
    "unknown source": (f"{HEAD}workloads:\n{WEB.replace('[main]', '[other]')}",
        "demand.source[0]: no source 'other' under prometheus (main)"),
    "no source": (f"{HEAD}workloads:\n{WEB.replace('[main]', '[]')}",
        "demand.source: "),
    "too small a target": (f"{HEAD}workloads:\n{WEB.replace('100', '1.2')}",
        "per_pod x utilisation is 0.96, a target in load units must be at least 1 (KEDA's "),
    "a step that divides no day": (f"{HEAD}workloads:\n{WEB}  forecast: {{step: 7m}}\n",
        "forecast.step: must divide a day"),
    "a step that is no multiple": (
        f"{HEAD}workloads:\n{WEB.replace('query: sum(x)', 'query: sum(x), resolution: 2m')}",
        "forecast.step: must be a multiple of demand.resolution"),
    "a resolution of nothing": (
        f"{HEAD}workloads:\n{WEB.replace('query: sum(x)', 'query: sum(x), resolution: 0s')}",
        "demand.resolution: must divide a day"),
    "a horizon of weeks": (f"{HEAD}workloads:\n{WEB}  forecast: {{horizon: 3w}}\n",
        "forecast.horizon: must lie between one step and 14d"),
    "too short a history": (f"{HEAD}workloads:\n{WEB}  forecast: {{history: 1d}}\n",
        "forecast.history: must lie between 2d and 732d"),
    "min above max": (
        f"{HEAD}workloads:\n{WEB.replace('name: web}', 'name: web, min_pods: 999}')}",
        "scale_target.min_pods: is above max_pods"),
    "an idle count where it sleeps anyway": (
        f"{HEAD}workloads:\n{WEB.replace('name: web}', 'name: web, min_pods: 0, idle_pods: 0}')}",
        "scale_target.idle_pods: must be below min_pods; with min_pods 0 leave it out"),
    "a sleeper whom one declared pod would not wake": (
        f"{HEAD}workloads:\n{WEB.replace('name: web}', 'name: web, min_pods: 0, wake_at: 1}')}",
        "scale_target.wake_at: must be below 1: a declared minimum of one pod would not wake it"),
    "a poll of nothing": (f"{HEAD}workloads:\n{WEB}  lead_time: {{polling: 0s}}\n",
        "lead_time.polling: must be at least 1s"),
    "a floor above the ceiling": (
        f"{HEAD}workloads:\n{WEB}  policy: {{min_pods: 9, max_pods: 3}}\n",
        "policy.min_pods: is above policy.max_pods"),
    "growth of what sleeps": (
        (f"{HEAD}workloads:\n{WEB.replace('name: web}', 'name: web, min_pods: 0}')}"
        "  policy: {acts_as: growth}\n"),
        "policy.acts_as: growth needs a formula: not for a workload that sleeps at 0 pods"),
    "a window out of reach": (
        f"{HEAD}workloads:\n{WEB}  windows: [{{start: '1:00', end: '2:00', min_pods: 300}}]\n",
        "windows[0].min_pods: is above scale_target.max_pods: it can never be reached"),
    "a median above the quantile": (
        f"{HEAD}workloads:\n{WEB}  lead_time: {{pod_start: {{p50: 2m, p95: 1m}}}}\n",
        "lead_time.pod_start.p50: the median is above the 0.95 quantile"),
    "a time that is none": (
        f"{HEAD}workloads:\n{WEB}  windows: [{{start: 25:00, end: '2:00', min_pods: 3}}]\n",
        "'25:00' is no time of day"),
    "a day that is none": (
        f"{HEAD}workloads:\n{WEB}  windows: [{{days: [lundi], start: '1:00', end: '2:00'}}]\n",
        "'lundi' is no day; write one of mon, tue"),
    "a secret in clear": (f"{HEAD.replace('value_env: KEDA_KEY', 'value: hunter2hunter2')}",
        "keys[0].value: a secret does not stand in this file; use value_env or value_file"),
    "a password in clear": (
        HEAD.replace("http://prom:9090", "http://p, auth: {password: x}"),
        "auth.password: a secret does not stand in this file"),
    "a missing variable": (HEAD.replace("KEDA_KEY", "NOT_SET_ANYWHERE"),
        "keys[0]: the environment variable NOT_SET_ANYWHERE is empty or not set"),
    "no store": ("prometheus: {main: {url: http://p}}\n", "store: is missing"),
    "two stores": (HEAD.replace("{url_env: STORE_URL}", "{url_env: STORE_URL, url: 'sqlite:///x'}"),
        "store: give exactly one of url_env, url_file, url"),
    "a store with a password": (HEAD.replace("{url_env: STORE_URL}", "{url: 'postgresql://a:b@c/d'}"),
        "store.url: an address with credentials belongs into url_env or url_file"),
    "a url without a scheme": (HEAD.replace("http://prom:9090", "prom:9090"),
        "prometheus.main.url: 'prom:9090' has the wrong form"),
    "an include of nothing": (f"{HEAD}include: ['none/*.yaml']\n",
        "include[0]: 'none/*.yaml' matches no file"),
    "another version": (f"version: 2\n{HEAD}", "version: is 2, must be 1"),
    "tabs": (f"{HEAD}workloads:\n\t- name: web\n", "prescaler.yaml:5: is no YAML"),
    "empty": ("", "prescaler.yaml: holds no mapping of keys"),
    "a list": ("[1, 2]", "prescaler.yaml: holds no mapping of keys"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), BAD.values(), ids=BAD)
def test_each_problem_is_said_with_its_place(problems: Problems, text: str, problem: str) -> None:
    found = problems(text)

    assert any(problem in one for one in found), found


def test_all_problems_are_said_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    found = problems(
        f"{HEAD}defaults: {{policy: {{quantil: 0.9}}}}\n"
        f"workloads:\n{WEB}  policy: {{mode: maybe}}\n  windows: [{{start: '9'}}]\n"
        f"{WEB.replace('[main]', '[x]')}",
        extra_yaml="",
    )

    assert len(found) >= 6
    lines = [int(one.split(":")[1]) for one in found]
    assert lines == sorted(lines)


def test_a_problem_of_the_defaults_is_said_once_where_it_stands(problems: Problems) -> None:
    found = problems(f"{HEAD}defaults: {{policy: {{cap: -1}}}}\nworkloads:\n{WEB}{WEB}")

    assert sum("defaults.policy.cap" in one for one in found) == 1


def test_a_problem_in_an_included_file_names_that_file(problems: Problems) -> None:
    found = problems(f"{HEAD}include: ['w*.yaml']\n", w1_yaml=f"workloads:\n{WEB}  x: 1\n")

    (one,) = found
    assert one.startswith("w1.yaml:6: workloads[0].x: unknown key 'x'; known here: aliases, cap")


def test_an_included_file_holds_workloads_only(problems: Problems) -> None:
    assert (
        "`workloads:` and nothing else" in problems(f"{HEAD}include: ['w*.yaml']\n", w_yaml=HEAD)[0]
    )


def test_a_short_key_is_refused(problems: Problems, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "short")

    found = problems(HEAD.replace("KEDA_KEY", "SHORT"))

    assert found == ["prescaler.yaml:3: keys[0]: a key has at least 16 characters"]


def test_a_key_file_may_hold_several_for_rotation(load: Load, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("a" * 20 + "\n" + "b" * 20 + "\n")

    settings = load(HEAD.replace("value_env: KEDA_KEY", f"value_file: {keys}"))

    assert settings.keys[0].values == ("a" * 20, "b" * 20)
    assert keys in settings.files


def test_no_problem_shows_a_secret(problems: Problems) -> None:
    found = problems(HEAD.replace("value_env: KEDA_KEY", "value: hunter2hunter2hunter2"))

    assert not any("hunter2" in one for one in found)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"a: &a [*a]\n", b"[" * 100_000])
def test_what_is_no_text_or_bites_its_tail_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prescaler.yaml"
    path.write_bytes(content)

    with pytest.raises(InvalidConfiguration):
        load_settings(path)


def test_a_file_that_multiplies_itself_is_refused(tmp_path: Path) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    path = tmp_path / "prescaler.yaml"
    path.write_text("\n".join(levels))

    with pytest.raises(InvalidConfiguration, match="more than"):
        load_settings(path)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prescaler.yaml"
    path.write_bytes(b"#" * (17 * 2**20))

    with pytest.raises(InvalidConfiguration, match="larger than 16 MiB"):
        load_settings(path)


@pytest.mark.parametrize("name", ["missing.yaml", ""])
def test_a_file_that_is_not_there_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        load_settings(tmp_path / name)


def test_any_change_of_any_file_changes_the_signature(load: Load, tmp_path: Path) -> None:
    settings = load(f"{HEAD}include: ['w*.yaml']\n", w1_yaml=f"workloads:\n{WEB}")
    before = settings.signature()

    assert before == settings.signature()
    (tmp_path / "w2.yaml").write_text("")
    added = settings.signature()
    assert added != before
    (tmp_path / "w1.yaml").unlink()
    assert settings.signature() != added


def test_a_changed_query_changes_the_fingerprint_and_spaces_do_not(load: Load) -> None:
    def fingerprint(query: str) -> str:
        return load(f"{HEAD}workloads:\n{WEB.replace('sum(x)', query)}").workloads[0].fingerprint

    assert fingerprint("'sum(x)'") == fingerprint("' sum(x)  '")
    assert fingerprint("'sum(x)'") != fingerprint("'sum(y)'")


@pytest.mark.parametrize(
    ("retention", "says"),
    [
        ("fine_demand: 1d", "must be at least 7d"),
        ("forecast_runs: 7d", "must be at least 56d"),
        ("fine_demand: 800d, coarse_demand: 700d", "at least retention.fine_demand"),
        ("decisions: 800d", "must be at most 400d"),
        ("jobs: 0d", "must be at least 1d"),
        ("logs: 1d", "logs"),
    ],
)
def test_ages_below_what_is_needed_are_refused(
    problems: Problems, retention: str, says: str
) -> None:
    (found,) = problems(HEAD + f"retention: {{{retention}}}\nworkloads:\n{WEB}")

    assert says in found
    assert found.startswith("prescaler.yaml:4")


@pytest.mark.parametrize(
    ("like", "says"),
    [("web", "no other workload 'web'"), ("nobody", "no other"), ("api", "borrows itself")],
)
def test_a_sibling_must_be_another_that_has_its_own_history(
    problems: Problems, like: str, says: str
) -> None:
    api = WEB.replace("web", "api") + "  like: {workload: shop}\n"
    shop = WEB.replace("web", "shop")
    text = HEAD + f"workloads:\n{WEB}  like: {{workload: {like}}}\n{api}{shop}"

    (found,) = problems(text)

    assert says in found


def test_a_sibling_and_its_scale_arrive(load: Load) -> None:
    shop = WEB.replace("web", "shop") + "  like: {workload: web, scale: 0.25}\n"

    settings = load(HEAD + f"workloads:\n{WEB}{shop}")

    assert settings.workloads[0].like is None
    assert settings.workloads[1].like == Like("web", 0.25)
