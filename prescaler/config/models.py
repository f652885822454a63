"""The shape of `prescaler.yaml`, version 1. docs/configuration.md is generated from here."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from prescaler.config.feeds import EventsSection
from prescaler.config.fields import (
    Address,
    AsTuple,
    ClockTime,
    Count,
    Duration,
    Name,
    NotNegative,
    Positive,
    Section,
    Share,
    SourceName,
    Weekday,
    Zone,
)
from prescaler.core.durations import parse_duration
from prescaler.core.policy import ActsAs, Mode, OnUnavailable, PolicyType, Unit


class Scope(StrEnum):
    """What a key may do; each contains the ones before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class AuthSection(Section):
    """Credentials for Prometheus; secrets stand in files or in the environment."""

    bearer_file: str | None = Field(
        None, description="file with a bearer token, read anew for every request"
    )
    bearer_env: str | None = Field(None, description="environment variable with a bearer token")
    username: str | None = Field(None, description="user of basic authentication")
    password_file: str | None = Field(None, description="file with the password")
    password_env: str | None = Field(None, description="environment variable with the password")


class PrometheusSection(Section):
    """One server that speaks the Prometheus HTTP API."""

    url: str = Field(
        pattern=r"^https?://[^\s?#]+$", description="address up to, and without, /api/v1"
    )
    auth: AuthSection = Field(AuthSection(), description="credentials")
    headers: dict[str, str] = Field(
        default_factory=dict,
        description="sent with every request, such as X-Scope-OrgID or THANOS-TENANT",
    )
    ca_file: str | None = Field(None, description="PEM file of the authorities to trust")
    cert_file: str | None = Field(None, description="PEM file of a client certificate")
    key_file: str | None = Field(None, description="PEM file of its key")
    timeout: Duration = Field(parse_duration("30s"), description="for one answer, to its last byte")
    max_qps: Positive = Field(5.0, description="most requests a second")


class StoreSection(Section):
    """The database."""

    url: str | None = Field(
        None, description="`sqlite:///FILE`; one with a password belongs into url_env or url_file"
    )
    url_env: str | None = Field(
        None, description="environment variable with `sqlite:///...` or `postgresql+psycopg://...`"
    )
    url_file: str | None = Field(None, description="file with it")
    direct_url_env: str | None = Field(
        None,
        description="variable with an address past any transaction pooler, for the leader's lock",
    )


class TlsSection(Section):
    """TLS at our own server."""

    cert_file: str = Field(description="PEM file of the server's certificate chain")
    key_file: str = Field(description="PEM file of its key")
    client_ca_file: str | None = Field(
        None,
        description="PEM file of authorities whose client certificates are demanded",
    )


class ServerSection(Section):
    """What prescaler serves."""

    listen: Address = Field("127.0.0.1:8080", description="address and port")
    public_url: str = Field(
        "http://prescaler.prescaler:8080",
        pattern=r"^https?://[^\s?#]+$",
        description="how KEDA reaches us; stands in the ScaledObjects that we print",
    )
    snapshot_dir: str = Field(
        "/var/lib/prescaler", description="folder for the last good state, one per process"
    )
    metrics_key: bool = Field(
        default=False, description="whether /metrics needs a key of scope read"
    )
    legacy_metrics: bool = Field(
        default=False,
        description="whether /metrics carries prescaling-exporter's three metrics, too",
    )
    tls: TlsSection | None = Field(None, description="TLS at our own server; null = plain HTTP")


class KeySection(Section):
    """One key of the API."""

    name: str = Field(min_length=1, max_length=100, description="who it is; stands in the audit")
    scope: Annotated[Scope, Field(strict=False)] = Field(
        Scope.READ, description="read < write (events) < admin (modes, overrides)"
    )
    value_env: str | None = Field(None, description="environment variable with the key")
    value_file: str | None = Field(
        None, description="file with the key, one a line: several are valid at once, for rotation"
    )
    workloads: Annotated[tuple[str, ...], AsTuple] = Field(
        ("*",), min_length=1, description="names, with * as a wildcard"
    )


class SchedulerSection(Section):
    """The clockwork."""

    workers: int = Field(2, ge=1, le=64, description="processes that fetch and forecast")


class RetentionSection(Section):
    """How long what is kept; enforced once a day."""

    fine_demand: Duration = Field(
        parse_duration("400d"),
        description="demand finer than 5m; from then on mean and maximum of 5m are kept",
    )
    coarse_demand: Duration = Field(parse_duration("1830d"), description="demand of 5m and coarser")
    forecast_runs: Duration = Field(
        parse_duration("400d"),
        description="beyond 7d one in 6h stays, beyond 56d one a day, until this age",
    )
    scores: Duration = Field(parse_duration("1830d"), description="scores by day")
    decisions: Duration = Field(
        parse_duration("400d"), description="changes of what was served; at most 400d"
    )
    events: Duration = Field(parse_duration("1830d"), description="planned events that are over")
    audit: Duration = Field(parse_duration("1830d"), description="changes people made")
    jobs: Duration = Field(parse_duration("90d"), description="replays and backfills that ended")


class ScaleTargetSection(Section):
    """What KEDA scales, and the bounds that the HPA enforces."""

    kind: str = Field("Deployment", min_length=1, description="kind of the scaled object")
    api_version: str | None = Field(
        None, min_length=1, description="its apiVersion; null = apps/v1"
    )
    name: str = Field(min_length=1, max_length=253, description="its name")
    namespace: str = Field("default", min_length=1, max_length=63, description="its namespace")
    min_pods: Count = Field(1, description="minReplicaCount")
    max_pods: Annotated[int, Field(ge=1, le=100_000)] = Field(100, description="maxReplicaCount")
    idle_pods: Literal[0] | None = Field(
        None, description="idleReplicaCount: 0 = sleeps at 0 pods although min_pods is above 0"
    )
    cooldown: Duration = Field(
        parse_duration("5m"),
        description="cooldownPeriod; counts only where it may sleep at 0 pods",
    )
    wake_at: NotNegative = Field(
        0.1,
        description="pods, below 1, that a plan must be above to wake it; with unit pods any does",
    )


class DemandSection(Section):
    """Where demand comes from."""

    source: Annotated[tuple[str, ...], AsTuple] = Field(
        min_length=1,
        description="names under `prometheus`; several are summed, and what one misses is missing",
    )
    query: str = Field(
        min_length=1,
        max_length=100_000,
        description="PromQL that gives exactly one series, in load units; never replicas",
    )
    resolution: Duration = Field(
        parse_duration("1m"), description="spacing of the observations that are fetched and kept"
    )
    delay: Duration = Field(
        parse_duration("60s"), description="how long after its stamp an observation is final"
    )
    reread: Duration = Field(
        parse_duration("1h"),
        description="each run asks again this far back, for late and corrected observations",
    )


class ForecastSection(Section):
    """Grid, reach and cadence."""

    step: Duration = Field(parse_duration("5m"), description="grid spacing of the forecast")
    history: Duration = Field(
        parse_duration("56d"), description="how far back the forecasters look"
    )
    horizon: Duration = Field(parse_duration("50h"), description="how far ahead a forecast reaches")
    every: Duration = Field(parse_duration("5m"), description="a new forecast this often")
    refit: Duration = Field(parse_duration("1h"), description="the heavy part of it this often")
    timezone: Zone = Field(
        "UTC", validate_default=True, description="civil time of the daily and weekly shape"
    )
    country: str | None = Field(
        None,
        pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$",
        description="for holidays, ISO 3166 as in FR or DE-BY",
    )


class CapacitySection(Section):
    """What one pod carries."""

    per_pod: Positive = Field(description="load units one pod carries at its limit")
    utilisation: Share = Field(
        0.8,
        description="share a pod should carry; target = per_pod x utilisation, rounded down",
    )
    unit: Annotated[Unit, Field(strict=False)] = Field(
        Unit.LOAD,
        description="`pods` where the target would be below 1: KEDA then asks `?unit=pods`",
    )


class PolicySection(Section):
    """What is served."""

    quantile: Annotated[float, Field(ge=0.05, le=0.99)] = Field(
        0.95, description="of demand to be ready for"
    )
    hold: Duration = Field(
        parse_duration("5m"),
        description="how much longer than the lead time the maximum looks ahead",
    )
    mode: Annotated[Mode, Field(strict=False)] = Field(
        Mode.SHADOW, description="off, shadow (floors only), capped, active"
    )
    acts_as: Annotated[ActsAs, Field(strict=False)] = Field(
        ActsAs.PLAN,
        description="plan (loads to be ready for) or growth (live demand is multiplied by KEDA)",
    )
    cap: NotNegative = Field(
        0.5, description="mode capped: at most (1 + cap) x max(naive forecast, last actual)"
    )
    on_unavailable: Annotated[OnUnavailable, Field(strict=False)] = Field(
        OnUnavailable.ZERO,
        description="zero, hold (the last valid value for hold_for) or error (HTTP 503)",
    )
    hold_for: Duration = Field(parse_duration("15m"), description="longest hold")
    min_pods: Count = Field(0, description="floor that we serve in every mode but off")
    max_pods: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="ceiling that we serve"
    )


class StartTimeSection(Section):
    """How long something takes to start."""

    p50: Duration = Field(description="median")
    p95: Duration = Field(description="0.95 quantile")


class ToleranceSection(Section):
    """Relative change that the HPA ignores."""

    up: NotNegative = Field(0.1, description="upwards")
    down: NotNegative = Field(0.1, description="downwards")


class ScalingPolicySection(Section):
    """One entry of behavior.scaleUp.policies."""

    type: Annotated[PolicyType, Field(strict=False)] = Field(description="Percent or Pods")
    value: Annotated[int, Field(ge=1, le=100_000)] = Field(description="how much")
    period: Duration = Field(description="per this long")


class LeadTimeSection(Section):
    """What lies between a decision and ready pods."""

    pod_start: StartTimeSection = Field(
        StartTimeSection(p50=parse_duration("30s"), p95=parse_duration("60s")),
        description="from pod created to pod ready",
    )
    node_start: StartTimeSection = Field(
        StartTimeSection(p50=parse_duration("120s"), p95=parse_duration("240s")),
        description="a new node, where the spare room is used up",
    )
    spare_room: NotNegative = Field(
        0.15, description="share of the running pods that present nodes take in addition"
    )
    sync: Duration = Field(parse_duration("15s"), description="the HPA's sync period")
    polling: Duration = Field(
        parse_duration("30s"),
        description="KEDA's pollingInterval; counts only where it may sleep at 0 pods",
    )
    tolerance: ToleranceSection = Field(ToleranceSection(), description="the HPA's tolerance")
    measure: bool = Field(
        default=False,
        description="take pod_start and node_start from the pods of the last day "
        "(kube-state-metrics), once 20 starts were seen",
    )
    behavior: Annotated[tuple[ScalingPolicySection, ...], AsTuple] | None = Field(
        None,
        description="scaleUp policies in force; null = the built-in ramp max(2 x pods, 4) a sync",
    )


class PodsSection(Section):
    """How many pods run, so that a raise is not lost in the HPA's tolerance."""

    observe: bool = Field(default=True, description="whether they are counted, every 15 s")
    source: SourceName | None = Field(
        None, description="name under `prometheus`; null = the demand's, where that is one"
    )
    query: str | None = Field(
        None,
        min_length=1,
        max_length=10_000,
        description="PromQL of status.replicas; null = kube-state-metrics' own for a Deployment, "
        "StatefulSet or ReplicaSet",
    )
    ready_query: str | None = Field(
        None, min_length=1, max_length=10_000, description="PromQL of the ready ones; likewise"
    )


class GuardsSection(Section):
    """What keeps the forecast part neutral until it is over; declared floors go on."""

    residuals_for: Duration | None = Field(
        parse_duration("1h"),
        description="demand far outside of the forecast for this long trips; null = never",
    )
    beyond_seen: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = Field(
        3.0,
        description="a forecast (events aside) of more than this many times the highest demand "
        "ever seen trips; null = never",
    )


class TrustSection(Section):
    """How the mode moves by itself, from policy.mode on."""

    auto: bool = Field(
        default=False,
        description="whether it does: shadow -> capped -> active on evidence, to shadow on a trip",
    )
    most: Literal["shadow", "capped", "active"] = Field(
        "active", description="the highest mode it goes to by itself"
    )
    days: Annotated[int, Field(ge=1, le=365)] = Field(
        14, description="days with scored forecasts it needs; backfilled ones count"
    )
    bucket: Literal["15m", "1h", "6h", "24h", "48h"] = Field(
        "1h", description="leads that are judged"
    )
    error_ratio: Positive = Field(1.0, description="error over naive's must be below this")
    coverage_gap: NotNegative = Field(
        5.0, description="most points that 0.9, 0.95 and 0.99 may be off their share"
    )
    guards: GuardsSection = Field(GuardsSection(), description="in every mode but off")


class WindowSection(Section):
    """A daily window with a minimum number of pods."""

    days: Annotated[tuple[Weekday, ...], AsTuple] = Field(
        tuple(range(7)), min_length=1, description="days on which it starts: mon ... sun"
    )
    start: ClockTime = Field(description='local time, "19:30"')
    end: ClockTime = Field(description="local time; at or before the start = on the next day")
    min_pods: Annotated[int, Field(ge=1, le=100_000)] = Field(description="pods to have")


class ReactiveSection(Section):
    """The reactive trigger that we print beside ours."""

    query: str | None = Field(None, description="PromQL; null = the demand query")
    target: Positive | None = Field(None, description="load per pod; null = the capacity's target")


class LikeSection(Section):
    """A sibling whose shape a new workload borrows until it has a week of its own."""

    workload: Name = Field(description="name of the sibling")
    scale: Positive = Field(
        1.0, description="demand beside the sibling's, until both were seen for an hour"
    )


class WorkloadSection(Section):
    """One thing KEDA scales."""

    name: Name = Field(description="unique; a-z, 0-9, dot, dash, underscore")
    aliases: Annotated[tuple[Name, ...], AsTuple] = Field(
        (), description="former names, whose history it keeps"
    )
    labels: dict[str, str] = Field(default_factory=dict, description="for selecting workloads")
    scale_target: ScaleTargetSection = Field(description="what KEDA scales")
    demand: DemandSection = Field(description="where demand comes from")
    forecast: ForecastSection = Field(ForecastSection(), description="grid, reach and cadence")
    capacity: CapacitySection = Field(description="what one pod carries")
    policy: PolicySection = Field(PolicySection(), description="what is served")
    lead_time: LeadTimeSection = Field(LeadTimeSection(), description="from decision to ready pods")
    trust: TrustSection = Field(TrustSection(), description="how the mode moves by itself")
    pods: PodsSection = Field(PodsSection(), description="counting the pods that run")
    like: LikeSection | None = Field(None, description="start from a sibling's shape, scaled")
    windows: Annotated[tuple[WindowSection, ...], AsTuple] = Field((), description="daily minimums")
    reactive: ReactiveSection = Field(ReactiveSection(), description="the trigger beside ours")


class FileSection(Section):
    """The whole file."""

    version: Literal[1] = Field(1, description="of this format")
    prometheus: dict[SourceName, PrometheusSection] = Field(
        min_length=1, description="demand sources by name"
    )
    store: StoreSection = Field(description="the database")
    server: ServerSection = Field(ServerSection(), description="what prescaler serves")
    scheduler: SchedulerSection = Field(SchedulerSection(), description="the clockwork")
    retention: RetentionSection = Field(RetentionSection(), description="how long what is kept")
    events: EventsSection = Field(EventsSection(), description="where planned events come from")
    keys: Annotated[tuple[KeySection, ...], AsTuple] = Field(
        (), description="keys of the API; none = nobody is let in"
    )
    defaults: dict[str, Any] = Field(
        default_factory=dict,
        description="any field of a workload; mappings are merged, lists replaced",
    )
    include: Annotated[tuple[str, ...], AsTuple] = Field(
        (), description="further files with `workloads:`, with wildcards, relative to this one"
    )
    workloads: Annotated[tuple[WorkloadSection, ...], AsTuple] = Field(
        (), description="what KEDA scales"
    )
