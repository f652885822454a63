"""From the file's models to the values of the core."""

from prescaler.config.models import (
    CapacitySection,
    LeadTimeSection,
    PolicySection,
    StartTimeSection,
    TrustSection,
    WindowSection,
    WorkloadSection,
)
from prescaler.core.calendar import Window
from prescaler.core.policy import (
    Capacity,
    LeadTime,
    Mode,
    Policy,
    ScalingPolicy,
    StartTime,
    Tolerance,
    TrustSettings,
)
from prescaler.core.workload import (
    DemandQuery,
    ForecastSettings,
    Like,
    PodQuery,
    Reactive,
    ScaleTarget,
    Workload,
    stale_after,
)


def to_workload(section: WorkloadSection) -> Workload:
    """One workload of the file."""
    settings = ForecastSettings(**{name: getattr(section.forecast, name) for name in _FORECAST})
    return Workload(
        name=section.name,
        aliases=section.aliases,
        labels=dict(section.labels),
        scale_target=_scale_target(section),
        demand=DemandQuery(
            section.demand.source,
            section.demand.query,
            section.demand.resolution,
            section.demand.delay,
            section.demand.reread,
        ),
        forecast=settings,
        policy=_policy(section, settings),
        reactive=Reactive(section.reactive.query, section.reactive.target),
        like=Like(section.like.workload, section.like.scale) if section.like else None,
        pods=_pods(section),
        trust=_trust(section.trust),
    )


_FORECAST = ("step", "history", "horizon", "every", "refit", "timezone", "country")


def to_capacity(section: CapacitySection) -> Capacity:
    """What one pod carries."""
    return Capacity(section.per_pod, section.utilisation, section.unit)


def _policy(section: WorkloadSection, settings: ForecastSettings) -> Policy:
    asked: PolicySection = section.policy
    return Policy(
        quantile=asked.quantile,
        hold=asked.hold,
        mode=asked.mode,
        cap=asked.cap,
        on_unavailable=asked.on_unavailable,
        hold_for=asked.hold_for,
        min_pods=asked.min_pods,
        max_pods=asked.max_pods,
        scale_min=_scale_target(section).floor,
        stale_after=stale_after(settings, section.demand.delay),
        windows=tuple(_window(window) for window in section.windows),
        capacity=to_capacity(section.capacity),
        lead_time=_lead_time(section.lead_time),
        timezone=settings.timezone,
        acts_as=asked.acts_as,
    )


def _scale_target(section: WorkloadSection) -> ScaleTarget:
    return ScaleTarget(**dict(section.scale_target))


def _trust(section: TrustSection) -> TrustSettings:
    return TrustSettings(
        auto=section.auto,
        most=Mode(section.most),
        days=section.days,
        bucket=section.bucket,
        error_ratio=section.error_ratio,
        coverage_gap=section.coverage_gap,
        residuals_for=section.guards.residuals_for,
        beyond_seen=section.guards.beyond_seen,
    )


_COUNTED = {
    "Deployment": ("kube_deployment_status_replicas", "kube_deployment_status_replicas_ready"),
    "StatefulSet": ("kube_statefulset_status_replicas", "kube_statefulset_status_replicas_ready"),
    "ReplicaSet": ("kube_replicaset_status_replicas", "kube_replicaset_status_ready_replicas"),
}
"""kube-state-metrics' series by kind: what status.replicas is, and how many are ready."""


def _pods(section: WorkloadSection) -> PodQuery | None:
    """Where the pods are counted; None where they are not, or nothing says how."""
    asked, target, sources = section.pods, section.scale_target, section.demand.source
    source = asked.source or (sources[0] if len(sources) == 1 else None)
    running, ready = _COUNTED.get(target.kind, (None, None))
    if not asked.observe or source is None or not (asked.query or running):
        return None
    place = f'{{namespace="{_quoted(target.namespace)}",'
    place += f'{target.kind.lower()}="{_quoted(target.name)}"}}'
    own = asked.query is not None
    return PodQuery(
        source=source,
        running=asked.query or f"{running}{place}",
        ready=asked.ready_query or (None if own else f"{ready}{place}"),
        kind=target.kind,
        name=target.name,
        namespace=target.namespace,
        measure_starts=section.lead_time.measure,
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _window(section: WindowSection) -> Window:
    return Window(frozenset(section.days), section.start, section.end, section.min_pods)


def _lead_time(section: LeadTimeSection) -> LeadTime:
    behavior = section.behavior
    return LeadTime(
        pod_start=_start(section.pod_start),
        node_start=_start(section.node_start),
        spare_room=section.spare_room,
        sync=section.sync,
        polling=section.polling,
        tolerance=Tolerance(section.tolerance.up, section.tolerance.down),
        behavior=tuple(ScalingPolicy(p.type, p.value, p.period) for p in behavior)
        if behavior
        else None,
    )


def _start(section: StartTimeSection) -> StartTime:
    return StartTime(section.p50, section.p95)
