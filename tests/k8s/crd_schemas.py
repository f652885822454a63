"""The fields of foreign kinds that we use, as JSON Schema; a field we never meant is an error."""

from typing import Any, Final

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

Schema = dict[str, Any]

_STRING: Final[Schema] = {"type": "string", "minLength": 1}
_STRINGS: Final[Schema] = {"type": "object", "additionalProperties": _STRING}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_POSITIVE_INTEGER: Final[Schema] = {"type": "string", "pattern": "^[1-9][0-9]*$"}
_QUANTITY: Final[Schema] = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}


def _fields(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _kind(version: str, kind: str, spec: Schema, name: Schema) -> Schema:
    metadata = _fields({"name": name}, {"namespace": _STRING, "labels": _STRINGS})
    return _fields(
        {
            "apiVersion": {"const": version},
            "kind": {"const": kind},
            "metadata": metadata,
            "spec": spec,
        }
    )


_AUTHENTICATION: Final = _fields({"name": _STRING})
_AVERAGE: Final[Schema] = {"const": "AverageValue"}
_IDENTIFIER: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
_METRICS_API: Final = _fields(
    {
        "type": {"const": "metrics-api"},
        "metricType": _AVERAGE,
        "metadata": _fields(
            {
                "url": {"type": "string", "pattern": "^https?://"},
                "valueLocation": {"enum": ["value", "growth", "running"]},
                "targetValue": _POSITIVE_INTEGER,
                "authMode": {"const": "apiKey"},
            },
            {"activationTargetValue": _QUANTITY},
        ),
        "authenticationRef": _AUTHENTICATION,
    },
    {"name": _IDENTIFIER},
)
_PROMETHEUS: Final = _fields(
    {
        "type": {"const": "prometheus"},
        "metricType": _AVERAGE,
        "metadata": _fields(
            {
                "serverAddress": {"type": "string", "pattern": "^https?://"},
                "query": _STRING,
                "threshold": _QUANTITY,
                "ignoreNullValues": {"const": "false"},
            },
            {"customHeaders": _STRING, "authModes": {"enum": ["bearer", "basic"]}},
        ),
    },
    {"name": _IDENTIFIER, "authenticationRef": _AUTHENTICATION},
)
_POLICIES: Final[Schema] = {
    "type": "array",
    "minItems": 1,
    "items": _fields(
        {
            "type": {"enum": ["Percent", "Pods"]},
            "value": {"type": "integer", "minimum": 1},
            "periodSeconds": {"type": "integer", "minimum": 1, "maximum": 1800},
        }
    ),
}
_RULES: Final = _fields(
    {},
    {
        "stabilizationWindowSeconds": {"type": "integer", "minimum": 0, "maximum": 3600},
        "selectPolicy": {"enum": ["Max", "Min", "Disabled"]},
        "policies": _POLICIES,
        "tolerance": _QUANTITY,
    },
)
_ADVANCED: Final = _fields(
    {},
    {
        "scalingModifiers": _fields(
            {"formula": _STRING, "target": _POSITIVE_INTEGER, "metricType": _AVERAGE}
        ),
        "horizontalPodAutoscalerConfig": _fields(
            {"behavior": _fields({}, {"scaleUp": _RULES, "scaleDown": _RULES})}
        ),
    },
)
_SCALED_OBJECT: Final = _fields(
    {
        "scaleTargetRef": _fields({"kind": _STRING, "name": _STRING}),
        "minReplicaCount": _COUNT,
        "maxReplicaCount": {"type": "integer", "minimum": 1},
        "triggers": {
            "type": "array",
            "minItems": 2,
            "items": {"oneOf": [_METRICS_API, _PROMETHEUS]},
        },
    },
    {
        "fallback": _fields(
            {
                "failureThreshold": {"const": 0},
                "replicas": _COUNT,
                "behavior": {"const": "scalingModifiers"},
            }
        ),
        "advanced": _ADVANCED,
        "idleReplicaCount": {"const": 0},
        "pollingInterval": {"type": "integer", "minimum": 1},
        "cooldownPeriod": _COUNT,
    },
)
_SECRET: Final = _fields({"parameter": _STRING, "name": _STRING, "key": _STRING})
_TRIGGER_AUTHENTICATION: Final = _fields(
    {"secretTargetRef": {"type": "array", "minItems": 1, "items": _SECRET}}
)
_ENDPOINT: Final = _fields({"port": _STRING, "path": {"const": "/metrics"}, "interval": _STRING})
_SERVICE_MONITOR: Final = _fields(
    {
        "selector": _fields({"matchLabels": _STRINGS}),
        "endpoints": {"type": "array", "minItems": 1, "items": _ENDPOINT},
    }
)

_RULE: Final = _fields(
    {
        "alert": _STRING,
        "expr": _STRING,
        "for": {"type": "string", "pattern": "^[0-9]+[smhd]$"},
        "labels": _fields({"severity": {"enum": ["critical", "warning", "info"]}}),
        "annotations": _fields({"summary": _STRING, "description": _STRING}),
    }
)
_PROMETHEUS_RULE: Final = _fields(
    {
        "groups": {
            "type": "array",
            "minItems": 1,
            "items": _fields({"name": _STRING, "rules": {"type": "array", "items": _RULE}}),
        }
    }
)

_HPA_NAME: Final[Schema] = {"type": "string", "minLength": 1, "maxLength": 54}
"""`keda-hpa-<name>` must fit into 63 characters."""

_KEDA, _MONITORING = "keda.sh/v1alpha1", "monitoring.coreos.com/v1"
_SCHEMAS: Final[dict[str, Schema]] = {
    "ScaledObject": _kind(_KEDA, "ScaledObject", _SCALED_OBJECT, _HPA_NAME),
    "TriggerAuthentication": _kind(
        _KEDA, "TriggerAuthentication", _TRIGGER_AUTHENTICATION, _STRING
    ),
    "PrometheusRule": _kind(_MONITORING, "PrometheusRule", _PROMETHEUS_RULE, _STRING),
    "ServiceMonitor": _kind(_MONITORING, "ServiceMonitor", _SERVICE_MONITOR, _STRING),
}

FOREIGN: Final = frozenset(_SCHEMAS)


def check(document: dict[str, Any]) -> None:
    """Raise jsonschema's ValidationError where a foreign object has other fields or values."""
    Draft202012Validator(_SCHEMAS[document["kind"]]).validate(document)
