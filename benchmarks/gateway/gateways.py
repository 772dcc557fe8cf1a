"""The gateways that are measured: ours and its peers. A new one is one class here and one line in `run.py`.

Each runs as one worker, with logging off and the settings that its own documentation gives for production; what is
particular is in its `setting`, which the table shows.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import ClassVar

from peer import CHAT, Launch, Place, installed_version, output, venv
from processes import free_port

REPOSITORY = Path(__file__).resolve().parents[2]


class Chapeta:
    """Ours, from this checkout, with everything on. Its three commands are in `KEY`, `PROVIDER` and `SERVE`."""

    name, kind = "Chapeta", "ours"
    setting = "access key, route, cost and ledger on"
    KEY = ("keys", "issue", "bench", "--json")  # prints {"token": …}
    PROVIDER = ("keys", "set", "bench", "--url", "http://127.0.0.1:{upstream_port}/v1", "--no-key")
    SERVE = ("serve", "--host", "127.0.0.1", "--port", "{port}")
    MODEL = "bench/stand-in"

    def install(self, place: Place) -> str:
        return output([sys.executable, "-c", "import chapeta; print(chapeta.__version__)"], self.env(place))

    def launch(self, place: Place, port: int, upstream_port: int) -> Launch:
        env = self.env(place)
        chapeta = [sys.executable, "-c", "from chapeta.cli.main import run; run()"]
        output([*chapeta, *(word.format(upstream_port=upstream_port) for word in self.PROVIDER)], env)
        token = json.loads(output([*chapeta, *self.KEY], env))["token"]
        serve = [word.format(port=port) for word in self.SERVE]
        return Launch([*chapeta, *serve], env, headers=(f"Authorization: Bearer {token}",), model=self.MODEL)

    def env(self, place: Place) -> dict[str, str]:
        return {"PYTHONPATH": str(REPOSITORY / "src"), "CHAPETA_HOME": str(place.run / "home")}


class Smg:
    name, kind = "smg (SGLang model gateway, Rust)", "gateway"
    setting = "round robin over one worker, log level error"
    REQUIREMENT = "smg==1.13.0"

    def install(self, place: Place) -> str:
        return installed_version(venv(place, "smg", self.REQUIREMENT), "smg")

    def launch(self, place: Place, port: int, upstream_port: int) -> Launch:
        python = venv(place, "smg", self.REQUIREMENT)
        command = [
            str(python), "-m", "smg.cli", "launch", "--worker-urls", f"http://127.0.0.1:{upstream_port}",
            "--host", "127.0.0.1", "--port", str(port), "--policy", "round_robin", "--log-level", "error",
            "--prometheus-host", "127.0.0.1", "--prometheus-port", str(free_port()), "--worker-startup-check-interval", "1",
        ]  # fmt: skip
        return Launch(command)


class TensorZero:
    """Its Python wheel holds the gateway itself and starts it as an HTTP server on a port that it chooses."""

    name, kind = "TensorZero (Rust)", "gateway"
    setting = "no keys, no database, observability off; started from its Python wheel"
    REQUIREMENT = "tensorzero==2026.6.0"
    CONFIG = """
[gateway]
observability.enabled = false
[models.stand-in]
routing = ["upstream"]
[models.stand-in.providers.upstream]
type = "openai"
model_name = "stand-in"
api_base = "http://127.0.0.1:{upstream_port}/v1/"
api_key_location = "none"
"""
    START = """
import pathlib, signal, sys, urllib.parse
from tensorzero import _start_http_gateway
gateway = _start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False)
pathlib.Path(sys.argv[2]).write_text(str(urllib.parse.urlsplit(gateway.base_url).port))
signal.pause()
"""

    def install(self, place: Place) -> str:
        return installed_version(venv(place, "tensorzero", self.REQUIREMENT), "tensorzero")

    def launch(self, place: Place, port: int, upstream_port: int) -> Launch:  # noqa: ARG002 - it chooses its port
        config, port_file = place.run / "tensorzero.toml", place.run / "port"
        config.write_text(self.CONFIG.format(upstream_port=upstream_port))
        python = venv(place, "tensorzero", self.REQUIREMENT)
        command = [str(python), "-c", self.START, str(config), str(port_file)]
        model = "tensorzero::model_name::stand-in"
        return Launch(command, {"RUST_LOG": "error"}, path=f"/openai{CHAT}", model=model, port_file=port_file)


class Portkey:
    name, kind = "Portkey (Node)", "gateway"
    setting = "no keys, NODE_ENV=production"
    # Portkey 1.15 answers streams with 500 on newer @hono/node-server (its own issue 1389), so that is held back.
    PACKAGES: ClassVar = {
        "dependencies": {"@portkey-ai/gateway": "1.15.2"},
        "overrides": {"@hono/node-server": "1.13.8"},
    }

    def install(self, place: Place) -> str:
        folder = place.installed / "portkey"
        wanted = json.dumps({"name": "peers", "private": True, **self.PACKAGES})
        if not (folder / "done").exists() or (folder / "done").read_text() != wanted:
            if not (shutil.which("npm") and shutil.which("node")):
                raise RuntimeError("it needs Node and npm, which are not on the PATH")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text(wanted)
            options = ["--ignore-scripts", "--no-audit", "--no-fund"]
            output(["npm", "install", "--prefix", str(folder), *options], dict(os.environ))
            (folder / "done").write_text(wanted)
        package = json.loads((self.package(place) / "package.json").read_text())
        return f"{package['version']} on Node {output(['node', '--version'], dict(os.environ)).lstrip('v')}"

    def launch(self, place: Place, port: int, upstream_port: int) -> Launch:
        server = str(self.package(place) / "build" / "start-server.js")
        custom_host = f"x-portkey-custom-host: http://127.0.0.1:{upstream_port}/v1"
        headers = ("x-portkey-provider: openai", custom_host, "Authorization: Bearer none")
        return Launch(["node", server, f"--port={port}", "--headless"], {"NODE_ENV": "production"}, headers=headers)

    def package(self, place: Place) -> Path:
        return place.installed / "portkey" / "node_modules" / "@portkey-ai" / "gateway"


class LiteLLM:
    """Its documented production settings: one worker, LITELLM_MODE=PRODUCTION, log level ERROR; the bundled price list."""

    kind = "gateway"
    # The newest whose dependencies the registry serves here; 1.107 was withdrawn.
    REQUIREMENT = "litellm[proxy]==1.102.4"
    CONFIG = """
model_list:
  - model_name: stand-in
    litellm_params:
      model: openai/stand-in
      api_base: http://127.0.0.1:{upstream_port}/v1
      api_key: none
litellm_settings:
  request_timeout: 600
  set_verbose: false
"""
    ENV: ClassVar = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    MASTER_KEY = "sk-bench-0123456789"

    def __init__(self, server: str, master_key: bool) -> None:
        self.server, self.master_key = server, master_key
        self.name = "LiteLLM proxy" + (", master key on" if master_key else "")
        keys = "master key on, which is the nearest to ours; no database" if master_key else "no keys, no database"
        self.setting = f"{keys}; production settings, {server}"

    def install(self, place: Place) -> str:
        return installed_version(venv(place, "litellm", self.REQUIREMENT), "litellm")

    def launch(self, place: Place, port: int, upstream_port: int) -> Launch:
        config = place.run / "litellm.yaml"
        config.write_text(self.CONFIG.format(upstream_port=upstream_port))
        python = venv(place, "litellm", self.REQUIREMENT)
        command = [str(python.parent / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        command += ["--num_workers", "1"] + (["--run_granian"] if self.server == "granian" else [])
        if not self.master_key:
            return Launch(command, self.ENV)
        env = self.ENV | {"LITELLM_MASTER_KEY": self.MASTER_KEY}
        return Launch(command, env, headers=(f"Authorization: Bearer {self.MASTER_KEY}",))
