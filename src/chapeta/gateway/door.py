"""One door to every model: whoever wants an answer asks here, by model id or by the name of a deployment."""

from __future__ import annotations

import threading
from types import TracebackType

from chapeta import deployments
from chapeta.errors import BadInput, OverLimit
from chapeta.gateway.provider import OnText, Provider
from chapeta.gateway.providers import providers
from chapeta.types import Answer, Candidate, Decoding, Request

CHAT_TOKENS = 512


class Gateway:
    """Finds the provider of a model and passes requests on. Use it in a `with` block, which frees the loaded models."""

    def __init__(self, budget_usd: float | None = None) -> None:
        self._providers = providers()
        self._budget_usd = budget_usd
        self._lock = threading.Lock()
        self.spent_usd = 0.0

    def answer(self, request: Request, on_text: OnText | None = None) -> Answer:
        """The answer of the request's model. Raises ModelFailed, BadInput where the request cannot be
        served, OverLimit once more than the budget is spent (by the calls that were then in flight at most)."""
        if self._budget_usd is not None and self.spent_usd > self._budget_usd:
            raise OverLimit(
                f"${self.spent_usd:.4f} of ${self._budget_usd:.4f} are spent.", "Raise --budget-usd to go on."
            )
        answer = self.provider(request.model).answer(request, on_text)
        with self._lock:
            self.spent_usd += answer.usd or 0.0
        return answer

    def candidate(self, model: str) -> Candidate:
        """What a name stands for: a deployment's candidate, or the bare model with free text."""
        deployed = deployments.find(model)
        if deployed is not None:
            return deployed
        self.provider(model)
        return Candidate(name=model, model=model, decoding=Decoding(max_tokens=CHAT_TOKENS))

    def provider(self, model: str) -> Provider:
        for provider in self._providers:
            if provider.serves(model):
                return provider
        names = ", ".join(deployments.names()) or "none yet"
        raise BadInput(
            f"No model or deployment is called '{model}'.",
            f"Deployments: {names}. `chapeta models list` shows the models; a .gguf file is given by its path.",
        )

    def close(self) -> None:
        for provider in self._providers:
            provider.close()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
