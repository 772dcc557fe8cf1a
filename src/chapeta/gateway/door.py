"""One door to every model: whoever wants an answer asks here, by model id or by the name of a deployment."""

from __future__ import annotations

from types import TracebackType

from chapeta import deployments
from chapeta.errors import BadInput
from chapeta.gateway.provider import OnText, Provider
from chapeta.gateway.providers import providers
from chapeta.types import Answer, Candidate, Decoding, Request

CHAT_TOKENS = 512


class Gateway:
    """Finds the provider of a model and passes requests on. Use it in a `with` block, which frees the loaded models."""

    def __init__(self) -> None:
        self._providers = providers()

    def answer(self, request: Request, on_text: OnText | None = None) -> Answer:
        """The answer of the request's model. Raises ModelFailed, or BadInput where the request cannot be served."""
        return self.provider(request.model).answer(request, on_text)

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
