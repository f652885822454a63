"""The metric route as the documentation page shows it."""

from typing import Any, Final

METRIC_PATH: Final = "/api/v1/workloads/{name}/metric"

_EXAMPLE: Final = {
    "value": 1840.0,
    "status": "active",
    "reason": None,
    "detail": None,
    "workload": "web",
    "unit": "load",
    "pods": 23,
    "target": 80,
    "mode": "active",
    "would_serve": 1840.0,
    "part": {"forecast": 1840.0, "floor": 800.0},
    "growth": 1.0,
    "running": 20,
    "cutoff": "2026-11-24T20:30:00Z",
    "issued_at": "2026-11-24T20:37:28Z",
    "age_seconds": 212,
    "valid_until": "2026-11-26T22:35:00Z",
    "served_at": "2026-11-24T20:41:00Z",
}

_FAULTS: Final = {
    "400": "a parameter has no meaning",
    "401": "no key, or a wrong one",
    "403": "the key is not for this workload",
    "404": "no such workload",
    "429": "too many wrong keys from this address (valid keys are never limited)",
    "503": "nothing to say, with `on_unavailable: error`",
}


def metric_operation() -> dict[str, Any]:
    """The path item of OpenAPI."""
    return {
        "get": {
            "tags": ["keda"],
            "summary": "What KEDA is told: demand to be ready for",
            "description": "Always a finite number >= 0 under `value`, with a status beside it. "
            "0 with HTTP 200 means that there is nothing to say; under max() it is neutral.",
            "operationId": "metric",
            "parameters": [
                _parameter("name", "path", "the workload's name", {"type": "string"}),
                _parameter("unit", "query", "what the value counts", _one_of("load", "pods")),
                _parameter("format", "query", "form of the answer", _one_of("json", "prometheus")),
                _parameter(
                    "target",
                    "query",
                    "the target written in the ScaledObject; turns declared pods into load",
                    {"type": "number", "exclusiveMinimum": 0},
                ),
            ],
            "responses": {"200": _good(), **{code: _fault(text) for code, text in _FAULTS.items()}},
            "security": [
                {"APIKeyHeader": []},
                {"APIKeyQuery": []},
                {"HTTPBearer": []},
                {"HTTPBasic": []},
            ],
        }
    }


def _parameter(name: str, place: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": text,
        "schema": schema,
    }


def _one_of(*values: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}


def _good() -> dict[str, Any]:
    return {
        "description": "the answer",
        "content": {
            "application/json": {"schema": {"type": "object"}, "example": _EXAMPLE},
            "text/plain": {"example": 'prescaler_value{workload="web"} 1840\n'},
        },
    }


def _fault(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/problem+json": {"schema": {}}}}
