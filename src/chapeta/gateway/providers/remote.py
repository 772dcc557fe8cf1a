"""What a provider over HTTP is: an address that speaks OpenAI's chat completions, and how its key travels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chapeta.types import ModelInfo, Price

ReadModels = Callable[[Any], Sequence[ModelInfo]]
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Remote:
    """A provider's facts. A new provider is one file with such a record and one line in the table of this package.

    name:          first part of its models' ids here, and its name in `chapeta keys set NAME`.
    base_url:      what the paths `/chat/completions`, `/embeddings` and `/models` are put after; no slash at the end.
    key_variables: environment variables that may hold the key; the first that is set wins over the keychain.
    needs_key:     False for servers on one's own machine (Ollama, vLLM, LM Studio, llama.cpp).
    key_page:      where a user makes a key.
    own_ids:       beginnings of bare model ids that can only be this provider's, such as `gpt-4` or `ft:`.
    reports_cost:  its answers say what they cost (`usage.cost`).
    usage_option:  streams tell their usage only if `stream_options.include_usage` asks for it.
    check_path:    GET on it tells whether a key is good.
    models_path:   GET on it lists the models; "" where there is no list. read_models makes catalogue lines of its JSON.
    public_models: that list is given without a key, too.
    extra_headers: sent with every request, such as attribution.
    snapshot:      this provider's name in the price list of genai-prices, "" if it is not in there.
    price:         what a call costs where no list says it: nothing on one's own machine, unknown (None) elsewhere.
    auth:          the headers that carry the key to chat completions and embeddings.
    lookup_auth:   the same for models_path and check_path, where they differ; None: as `auth`.
    """

    name: str
    title: str
    base_url: str
    key_variables: tuple[str, ...] = ()
    needs_key: bool = True
    key_page: str = ""
    own_ids: tuple[str, ...] = ()
    reports_cost: bool = False
    usage_option: bool = True
    check_path: str = "/models"
    models_path: str = "/models"
    read_models: ReadModels | None = None
    public_models: bool = False
    extra_headers: Headers = ()
    snapshot: str = ""
    price: Price | None = None
    auth: Callable[[str], Headers] = field(default=lambda key: (("authorization", f"Bearer {key}"),))
    lookup_auth: Callable[[str], Headers] | None = None

    def lookup_headers(self, key: str | None) -> Headers:
        """The headers of a GET on models_path or check_path."""
        return (*self.extra_headers, *((self.lookup_auth or self.auth)(key) if key else ()))
