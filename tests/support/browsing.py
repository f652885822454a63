"""What somebody at a browser does, without one."""

import re
from typing import Any

from tests.apps.conftest import Served

PAGES = (
    "/",
    "/workloads/web",
    "/workloads/web/decisions",
    "/workloads/web/accuracy",
    "/workloads/web/scaledobject",
    "/event-curves",
    "/replays",
    "/audit",
)

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def enter(served: Served, key: str, **more: Any) -> Any:
    return served.client.post("/sign-in", data={"key": key, **more}, follow_redirects=False)


def token(served: Served) -> str:
    found = re.search(r'name="token" value="([0-9a-f]+)"', served.client.get("/").text)
    assert found is not None
    return found[1]


def act(served: Served, action: str, **fields: Any) -> Any:
    body = {"token": token(served), "action": action, "reason": "match night", **fields}
    return served.client.post("/workloads/web/control", data=body, follow_redirects=False)


def text(served: Served, path: str) -> str:
    answer = served.client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text
