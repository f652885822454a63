"""The ScaledObject and TriggerAuthentication to paste, by variant.

Every rule here was run through the code of KEDA 2.20.2. What each variant does when one or both
sides are dead stands in docs/operations.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from prescaler.core.errors import BadParameter
from prescaler.core.policy import LeadTime, PolicyType, ScalingPolicy, Tolerance, Unit
from prescaler.core.workload import Workload

_LONGEST_NAME: Final = 54
"""`keda-hpa-<name>` must fit into 63 characters."""

_DEFAULT_POLICIES: Final = ((PolicyType.PERCENT, 100, 10), (PolicyType.PODS, 4, 10))
"""What any `behavior` must carry to ramp like none at all: 10 s, since a policy counts past events
and a sync that comes 14.9 s after the last would add nothing under 15 s."""


_A_TRIFLE: Final = 0.01
"""Of a pod, above the edge of the tolerance: more than KEDA's thousandths can lose."""


class Variant(StrEnum):
    """How prediction and reality are put together."""

    FORMULA = "formula"
    GROWTH = "growth"
    CARRY_ON = "carry-on"
    TWO_TRIGGERS = "two-triggers"


@dataclass(frozen=True)
class ReactiveSource:
    """A Prometheus that the reactive trigger reads.

    auth_mode: KEDA's word (bearer, basic), None = open. private_tls: it has an authority or a
    client certificate of its own.
    """

    name: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    auth_mode: str | None = None
    private_tls: bool = False


_PARAMETERS: Final = {
    "bearer": (("bearerToken", "token"),),
    "basic": (("username", "username"), ("password", "password")),
}
"""KEDA's parameters by auth mode, and the keys of the Secret that holds them."""


def default_variant(workload: Workload) -> Variant:
    """`formula`, or `growth` where the forecast acts as that; at zero pods two triggers."""
    if workload.scale_target.sleeps:
        return Variant.TWO_TRIGGERS
    return Variant.GROWTH if workload.policy.grows else Variant.FORMULA


def variants_for(workload: Workload) -> list[Variant]:
    """The variants under which what the policy says would act."""
    return [one for one in Variant if (one is Variant.GROWTH) is workload.policy.grows]


def activation_pods(workload: Workload) -> float:
    """Pods that a plan must be above to wake it; in whole pods every plan is at least one."""
    asked = workload.scale_target.sleeps and workload.policy.capacity.unit is Unit.LOAD
    return workload.scale_target.wake_at if asked else 0.0


def formula(workload: Workload, variant: Variant) -> str:
    """The formula of `scalingModifiers`, with the reactive side in our target's units."""
    reactive = _reactive_term(workload)
    if variant is Variant.CARRY_ON:
        nil = " || ".join(f"{name} == nil" for name in _reactive_names(workload))
        carried = "((predicted ?? 0) > 0 ? predicted : nil)"
        return f"{nil} ? {carried} : max(predicted ?? 0, {reactive})"
    if variant is Variant.GROWTH:
        return _growth_formula(workload, reactive)
    return f"max(predicted ?? 0, {reactive})"


def scaled_object(
    workload: Workload,
    variant: Variant,
    *,
    public_url: str,
    sources: Sequence[ReactiveSource],
    fallback_pods: int | None = None,
) -> dict[str, Any]:
    """The ScaledObject.

    fallback_pods: what `carry-on` runs when nothing is known; default: the declared minimum.

    Raises:
        BadParameter: a formula for a workload that scales to zero, a variant under which the
            forecast would not act, or a name that is too long.
    """
    target = workload.scale_target
    _refuse(workload, variant, sources)
    reference = {"apiVersion": target.api_version, "kind": target.kind, "name": target.name}
    spec: dict[str, Any] = {
        "scaleTargetRef": {key: value for key, value in reference.items() if value is not None},
        "minReplicaCount": target.min_pods,
        "maxReplicaCount": target.max_pods,
        **_sleep(workload),
    }
    if variant is not Variant.TWO_TRIGGERS:
        least = max(target.min_pods, workload.policy.min_pods)
        spec["fallback"] = {
            "failureThreshold": 0,
            "replicas": least if fallback_pods is None else fallback_pods,
            "behavior": "scalingModifiers",
        }
    advanced = _advanced(workload, variant)
    if advanced:
        spec["advanced"] = advanced
    spec["triggers"] = [
        *_ours(workload, variant, public_url),
        *(_reactive(workload, variant, n, source) for n, source in enumerate(sources)),
    ]
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": target.name, "namespace": target.namespace},
        "spec": spec,
    }


def _refuse(workload: Workload, variant: Variant, sources: Sequence[ReactiveSource]) -> None:
    """What no object can be printed for."""
    target = workload.scale_target
    if variant not in variants_for(workload):
        raise BadParameter(
            f"{workload.name} has policy.acts_as: {workload.policy.acts_as.value}: --variant "
            "growth belongs to acts_as: growth, the other variants to plan"
        )
    if variant is not Variant.TWO_TRIGGERS and target.sleeps:
        raise BadParameter(
            f"{workload.name} scales to zero (scale_target.min_pods or idle_pods: 0): with a "
            "formula a dead Prometheus would take it there; use --variant two-triggers"
        )
    if variant is Variant.TWO_TRIGGERS and len(sources) > 1:
        raise BadParameter(
            f"{workload.name} has {len(sources)} sources: two triggers cannot add them up, the HPA "
            "takes the larger one; use a formula, or one server that sees all of them"
        )
    if len(target.name) > _LONGEST_NAME:
        raise BadParameter(f"{target.name!r} is longer than {_LONGEST_NAME} characters")


def trigger_authentications(
    workload: Workload, sources: Sequence[ReactiveSource]
) -> list[dict[str, Any]]:
    """The TriggerAuthentications: KEDA's key to us, and its credentials for each Prometheus.

    A ScaledObject that refers to one that is not there gets no HPA at all.
    """
    namespace = workload.scale_target.namespace
    found = [_authentication("prescaler", namespace, "prescaler-keda", (("apiKey", "api-key"),))]
    for source in sources:
        if source.auth_mode is not None:
            name = f"prometheus-{source.name}"
            found.append(_authentication(name, namespace, name, _PARAMETERS[source.auth_mode]))
    return found


def remarks(workload: Workload, sources: Sequence[ReactiveSource]) -> list[str]:
    """What no object can say and a person must do."""
    found = []
    if workload.scale_target.sleeps and workload.policy.capacity.unit is Unit.PODS:
        found.append(
            "In whole pods any plan is at least one, wakes the workload and keeps it awake: "
            "capacity.unit load lets it sleep through plans of next to nothing"
        )
    return found + [
        f"{source.name} has its own TLS authority or client certificate: give KEDA the authority "
        "by its --ca-dir, and the certificate by a TriggerAuthentication of yours"
        for source in sources
        if source.private_tls
    ]


def _authentication(
    name: str, namespace: str, secret: str, keys: tuple[tuple[str, str], ...]
) -> dict[str, Any]:
    references = [{"parameter": p, "name": secret, "key": key} for p, key in keys]
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "TriggerAuthentication",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"secretTargetRef": references},
    }


def _sleep(workload: Workload) -> dict[str, Any]:
    """What KEDA needs to know of a workload that sleeps; of others it ignores both times."""
    target = workload.scale_target
    if not target.sleeps:
        return {}
    idle = {} if target.idle_pods is None else {"idleReplicaCount": target.idle_pods}
    return {
        **idle,
        "pollingInterval": int(workload.policy.lead_time.polling.total_seconds()),
        "cooldownPeriod": int(target.cooldown.total_seconds()),
    }


def _advanced(workload: Workload, variant: Variant) -> dict[str, Any]:
    advanced: dict[str, Any] = {}
    if variant is not Variant.TWO_TRIGGERS:
        advanced["scalingModifiers"] = {
            "formula": formula(workload, variant),
            "target": _target(workload),
            "metricType": "AverageValue",
        }
    behavior = _behavior(workload.policy.lead_time)
    if behavior:
        advanced["horizontalPodAutoscalerConfig"] = {"behavior": behavior}
    return advanced


def _behavior(lead_time: LeadTime) -> dict[str, Any]:
    """`behavior`, only where it is asked for: any at all replaces the built-in ramp."""
    tolerance, default = lead_time.tolerance, Tolerance()
    if lead_time.behavior is None and tolerance == default:
        return {}
    up: dict[str, Any] = {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "policies": _policies(lead_time.behavior),
    }
    if tolerance.up != default.up:
        up["tolerance"] = _number(tolerance.up)
    if tolerance.down == default.down:
        return {"scaleUp": up}
    return {"scaleUp": up, "scaleDown": {"tolerance": _number(tolerance.down)}}


def _policies(behavior: tuple[ScalingPolicy, ...] | None) -> list[dict[str, Any]]:
    written = (
        [(p.type, p.value, int(p.period.total_seconds())) for p in behavior]
        if behavior
        else _DEFAULT_POLICIES
    )
    return [{"type": t.value, "value": v, "periodSeconds": s} for t, v, s in written]


def _growth_formula(workload: Workload, reactive: str) -> str:
    """Live demand times its growth, and beyond the tolerance of the pods that run.

    Growth below 1 would undercut reality, so that the formula itself does not let it. Up to
    policy.max_pods only: what reality asks for above that is reality's.
    """
    most = workload.policy.max_pods
    grown = f"{reactive} * max(growth ?? 1, 1)"
    if "+" in reactive and not reactive.startswith("("):
        grown = f"({reactive}) * max(growth ?? 1, 1)"
    if most is not None:
        grown = f"max({reactive}, min({grown}, {_pods(workload, most)}))"
    wanted = f"max(predicted ?? 0, {grown})"
    if not _lands(workload):
        return wanted
    reach = 1.0 + workload.policy.lead_time.tolerance.up
    landing = f"(running ?? 0) * {_pods(workload, reach)} + {_pods(workload, _A_TRIFLE)}"
    if most is not None:
        landing = f"min({landing}, {_pods(workload, most)})"
    return f"{wanted} > (running ?? 0) * {_target(workload)} ? max({wanted}, {landing}) : {wanted}"


def _lands(workload: Workload) -> bool:
    """Whether there is a tolerance that could swallow a raise."""
    return workload.policy.lead_time.tolerance.up > 0


def _pods(workload: Workload, pods: float) -> str:
    """The value that asks for so many pods."""
    return _number(pods * float(_target(workload)))


def _ours(workload: Workload, variant: Variant, public_url: str) -> list[dict[str, Any]]:
    """The triggers that ask us; those of growth read other fields of the same answer."""
    triggers = [_predicted(workload, variant, public_url)]
    if variant is Variant.GROWTH:
        for name in ("growth", "running") if _lands(workload) else ("growth",):
            more = _predicted(workload, variant, public_url)
            more["name"] = more["metadata"]["valueLocation"] = name
            triggers.append(more)
    return triggers


def _predicted(workload: Workload, variant: Variant, public_url: str) -> dict[str, Any]:
    target = _target(workload)
    unit = "unit=pods" if workload.policy.capacity.unit is Unit.PODS else f"target={target}"
    trigger = {
        "type": "metrics-api",
        "name": "predicted",
        "metricType": "AverageValue",
        "metadata": {
            "url": f"{public_url.rstrip('/')}/api/v1/workloads/{workload.name}/metric?{unit}",
            "valueLocation": "value",
            "targetValue": target,
            **_activation(workload),
            "authMode": "apiKey",
        },
        "authenticationRef": {"name": "prescaler"},
    }
    return _named(trigger, variant)


def _activation(workload: Workload) -> dict[str, str]:
    """Above what our value wakes a workload that sleeps; KEDA's own 0 would keep it awake."""
    load = activation_pods(workload) * workload.policy.capacity.target
    return {"activationTargetValue": _number(load)} if load > 0 else {}


def _reactive(
    workload: Workload, variant: Variant, number: int, source: ReactiveSource
) -> dict[str, Any]:
    metadata = {
        "serverAddress": source.url,
        "query": _reactive_query(workload, variant),
        "threshold": "1" if _scaled(workload, variant) else _reactive_target(workload),
        "ignoreNullValues": "false",
    }
    if source.headers:
        metadata["customHeaders"] = _custom_headers(source)
    trigger = {
        "type": "prometheus",
        "name": _reactive_names(workload)[number],
        "metricType": "AverageValue",
        "metadata": metadata,
    }
    if source.auth_mode is not None:
        metadata["authModes"] = source.auth_mode
        trigger["authenticationRef"] = {"name": f"prometheus-{source.name}"}
    return _named(trigger, variant)


def _custom_headers(source: ReactiveSource) -> str:
    """KEDA's list of headers, which knows no way to write a comma inside one."""
    if any("," in text for header in source.headers for text in header):
        raise BadParameter(
            f"a header of {source.name} holds a comma, which KEDA would take for the end of it"
        )
    return ",".join(f"{name}={value}" for name, value in source.headers)


def _named(trigger: dict[str, Any], variant: Variant) -> dict[str, Any]:
    """Trigger names are needed in formulas only."""
    if variant is Variant.TWO_TRIGGERS:
        return {key: value for key, value in trigger.items() if key != "name"}
    return trigger


def _reactive_names(workload: Workload) -> list[str]:
    count = len(workload.demand.sources)
    return ["reactive"] if count == 1 else [f"reactive{n + 1}" for n in range(count)]


def _reactive_query(workload: Workload, variant: Variant) -> str:
    query = workload.reactive.query or workload.demand.query
    if not _scaled(workload, variant):
        return query
    return f"({query}) / {_number(_load_target(workload))}"


def _scaled(workload: Workload, variant: Variant) -> bool:
    """Without a formula the load itself must be put into pods where the unit is pods."""
    return variant is Variant.TWO_TRIGGERS and workload.policy.capacity.unit is Unit.PODS


def _reactive_term(workload: Workload) -> str:
    """Sum of the sources, times the constant K that turns their load into our target's units."""
    total = " + ".join(_reactive_names(workload))
    ratio = float(_target(workload)) / _load_target(workload)
    if ratio == 1.0:
        return total
    return f"({total}) * {_number(ratio)}" if "+" in total else f"{total} * {_number(ratio)}"


def _load_target(workload: Workload) -> float:
    """Load that one pod should carry by the reactive trigger."""
    return workload.reactive.target or workload.policy.capacity.target


def _reactive_target(workload: Workload) -> str:
    return _number(_load_target(workload))


def _target(workload: Workload) -> str:
    """The integer target of the composite metric: KEDA's fallback takes nothing else."""
    capacity = workload.policy.capacity
    return "1" if capacity.unit is Unit.PODS else str(int(capacity.target))


def _number(value: float) -> str:
    """Twelve digits, and never an exponent: not everything that reads these fields knows one."""
    return f"{Decimal(f'{value:.12g}'):f}"
