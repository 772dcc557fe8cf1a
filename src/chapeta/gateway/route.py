"""From the model that a caller names to who answers: a deployment, the embedded engine, or a provider and its key.

    support-triage                     a deployment
    smollm2-135m, /models/x.gguf       the embedded engine
    openrouter/anthropic/claude-…      a provider by name, then its own id of the model
    ft:gpt-4o-mini:…, gpt-…            an id that can only be one provider's
    meta-llama/llama-…, @preset/mine   anything else goes to OpenRouter, if there is a key for it

Nothing is looked up in a list of models: an id that no catalogue knows is the provider's to refuse.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chapeta import deployments
from chapeta.engine import weights
from chapeta.gateway import keys
from chapeta.gateway.fault import Fault
from chapeta.gateway.http.upstream import Upstream, upstream_of
from chapeta.gateway.providers import addresses
from chapeta.gateway.providers.remote import Remote
from chapeta.types import Candidate

EMBEDDED = "embedded"
CATCH_ALL = "openrouter"
AUTHORS = frozenset(("openai", "anthropic", "google"))  # providers here, and authors of OpenRouter's ids


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers a call. `upstream` is None for the embedded engine; `id` is the model as the catalogue names it."""

    id: str
    provider: str
    model: str
    upstream: Upstream | None = None
    deployment: str = ""
    candidate: Candidate | None = None
    fallbacks: tuple[str, ...] = ()


class Router:
    """Finds routes and remembers them until `forget`. A route that is not known yet may take a while: a keychain that has
    to be unlocked first waits for its owner.
    """

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}
        self._upstreams: dict[str, Upstream] = {}
        self._remotes: Mapping[str, Remote] | None = None
        self._stamp: object = None

    def find(self, model: str) -> Route:
        """The route of a model or deployment. Raises Fault 404 (nobody has it) or 401 (its provider's key is missing)."""
        route = self._routes.get(model)
        if route is None:
            route = self._routes[model] = self._resolve(model)
            if len(self._routes) > 10_000:  # callers that invent names do not fill the memory
                self._routes = {model: route}
        return route

    def with_fallbacks(self, model: str) -> list[Route]:
        """The route of a model, then those of its deployment's fallbacks. Raises as `find` does."""
        route = self.find(model)
        found = [route]
        for name in route.fallbacks:
            with contextlib.suppress(Fault):  # one that has lost its key takes nothing from the others
                found.append(self.fallback(route, name))
        return found

    def known(self, model: str) -> Route | None:
        """The route, if it has been looked up before."""
        return self._routes.get(model)

    def fallback(self, route: Route, model: str) -> Route:
        """The route of a deployment's fallback: another model, with the deployment's own prompt where it has none."""
        other = self.find(model)
        if other.candidate is not None or route.candidate is None:
            return other
        candidate = replace(route.candidate, model=other.model, adapter=None)
        return replace(other, deployment=route.deployment, candidate=candidate)

    def forget(self) -> None:
        """Looks everything up anew from now on: what is deployed, and keys and addresses if they were changed."""
        stamp = (keys.stamp(), addresses.stamp())
        if stamp != self._stamp:
            self._stamp = stamp
            self._upstreams.clear()
            self._remotes = None
            self._routes.clear()
        # a name without a provider may be deployed, or deployed anew, at any time
        self._routes = {
            model: route for model, route in list(self._routes.items()) if "/" in model and not route.candidate
        }

    @property
    def remotes(self) -> Mapping[str, Remote]:
        """The providers by name, the user's own addresses among them."""
        if self._remotes is None:
            self._stamp = (keys.stamp(), addresses.stamp())
            self._remotes = addresses.remotes()
        return self._remotes

    def _resolve(self, model: str) -> Route:
        deployed = deployments.find(model)
        if deployed is not None:
            return replace(
                self._model(deployed.model),
                deployment=model,
                candidate=deployed,
                fallbacks=deployments.fallbacks(model),
            )
        return self._model(model)

    def _model(self, model: str) -> Route:
        if weights.is_local(model):
            return Route(model, EMBEDDED, model)
        name, _, rest = model.partition("/")
        remote = self.remotes.get(name) if rest else None
        if remote is not None and (name not in AUTHORS or self._has_key(remote) or not self._catches(model)):
            if name == CATCH_ALL and "/" not in rest and not rest.startswith("@"):
                rest = model  # OpenRouter's own, such as openrouter/auto
            return Route(model, name, rest, self._upstream(remote))
        for own in self.remotes.values():
            if own.own_ids and model.startswith(own.own_ids):
                return Route(f"{own.name}/{model}", own.name, model, self._upstream(own))
        if "/" in model or model.startswith("@"):
            return Route(f"{CATCH_ALL}/{model}", CATCH_ALL, model, self._upstream(self.remotes[CATCH_ALL]))
        raise Fault(
            404,
            f"No model or deployment is called '{model[:200]}'.",
            self._help(),
            "model_not_found",
            param="model",
        )

    def _catches(self, model: str) -> bool:
        """Whether OpenRouter is asked for an id that nobody else claims: it has author/model and @preset ids."""
        return ("/" in model or model.startswith("@")) and self._has_key(self.remotes[CATCH_ALL])

    def _has_key(self, remote: Remote) -> bool:
        return remote.name in self._upstreams or not remote.needs_key or keys.find(remote) is not None

    def _upstream(self, remote: Remote) -> Upstream:
        known = self._upstreams.get(remote.name)
        if known is None:
            known = self._upstreams[remote.name] = upstream_of(remote)
        return known

    def _help(self) -> str:
        names = ", ".join(deployments.names()) or "none yet"
        return f"Deployments: {names}. `chapeta models list` shows the models; a .gguf file is given by its path."
