"""What can go wrong on the way to a model, told as OpenAI's clients expect it: status, reason, and what to do next."""

from __future__ import annotations

import json
from dataclasses import dataclass

from chapeta.types import Json

KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


@dataclass(eq=False)
class Fault(Exception):
    """A call that failed.

    status:      HTTP status for the caller.
    message:     one sentence of fact that names the value; remedy: the next step.
    code:        a short word for programs, such as `model_not_found` or `budget_spent`.
    provider:    who refused, "" if it was us; raw: the provider's own reason, as it came; request_id: theirs.
    retry_after_s: how long the provider, or a rate limit of ours, wants us to wait; None if it does not say.
    call_id:     our own name for the call, that of its row in the ledger.
    allow:       the methods that a path has, for a 405.
    sent:        whether the provider may have begun to work on the call, so that sending it again could cost twice.
    """

    status: int
    message: str
    remedy: str = ""
    code: str = ""
    provider: str = ""
    raw: str = ""
    request_id: str = ""
    retry_after_s: float | None = None
    param: str | None = None
    call_id: str = ""
    allow: tuple[str, ...] = ()
    sent: bool = False

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()

    def to_json(self) -> Json:
        """The body of the answer, in OpenAI's shape; what came from a provider is under `metadata`."""
        metadata = {"provider": self.provider, "raw": self.raw, "request_id": self.request_id, "remedy": self.remedy}
        error: Json = {
            "message": str(self),
            "type": KINDS.get(self.status, "api_error" if self.status >= 500 else "invalid_request_error"),
            "param": self.param,
            "code": self.code or None,
        }
        told = {name: value for name, value in metadata.items() if value}
        return {"error": {**error, "metadata": told} if told else error}

    def to_bytes(self) -> bytes:
        return json.dumps(self.to_json(), ensure_ascii=False).encode()
