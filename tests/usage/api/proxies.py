"""The proxies that ask the gate, with their configurations of deploy/, in front of an API that echoes."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.config.web.conftest import Server, free_port, status, until

FOLDERS = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin:/usr/local/bin"
# The files of each, the main one first.
PROXIES = {
    "nginx": ["nginx-gate.conf"],
    "caddy": ["Caddyfile"],
    "envoy": ["envoy.yaml"],
    "traefik": ["traefik.yaml", "traefik-gate.yaml"],
}
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {site}
}}
"""
CADDY = "{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}\n}}\n{site}"
AROUND = {"nginx-gate.conf": NGINX, "Caddyfile": CADDY}


class Echo(BaseHTTPRequestHandler):
    """The company's API: answers with the headers and the body that reach it."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        headers = {name.title(): value for name, value in self.headers.items()}
        content = json.dumps({"headers": headers, "body": body, "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def started(name: str, folder: Path, *, tollgate: int, upstream: int, platform_key: str) -> Iterator[Server]:
    """The proxy in front of these ports; its log is `tollgate.log` in the folder. It must be `installed`."""
    port = free_port()
    changes = {
        "127.0.0.1:8000": f"127.0.0.1:{tollgate}",
        "port_value: 8000": f"port_value: {tollgate}",
        "127.0.0.1:9000": f"127.0.0.1:{upstream}",
        "port_value: 9000": f"port_value: {upstream}",
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "api.example.com {": f"http://api.example.com:{port} {{\n\tbind 127.0.0.1",
        "0.0.0.0, port_value: 8080": f"127.0.0.1, port_value: {port}",
        'address: ":8080"': f"address: 127.0.0.1:{port}",
        "sk_live_PLATFORM_KEY": platform_key,
        f"/var/log/{name}/": f"{folder}/",
        f"/etc/{name}/": f"{folder}/",
    }
    for file in PROXIES[name]:
        site = (Path(settings.BASE_DIR) / "deploy" / file).read_text()
        for shipped, here in changes.items():
            site = site.replace(shipped, here)
        (folder / file).write_text(AROUND[file].format(folder=folder, site=site) if file in AROUND else site)
    environment = os.environ | {"TOLLGATE_PLATFORM_KEY": platform_key, "HOME": str(folder)}
    proxy = object.__new__(Server)
    proxy.port = port
    proxy.process = subprocess.Popen(_command(name, folder), env=environment, stderr=subprocess.DEVNULL)
    until(lambda: proxy.process.poll() is not None or _is_ready(proxy.get("/")))
    try:
        yield proxy
    finally:
        proxy.stop()


def _is_ready(answer: bytes) -> bool:
    """Traefik answers 404 until it has read its routes."""
    return bool(answer) and status(answer) != 404


def installed(name: str) -> str | None:
    return shutil.which(name, path=FOLDERS)


def _command(name: str, folder: Path) -> list[str]:
    program, file = installed(name), str(folder / PROXIES[name][0])
    assert program
    arguments = {
        "nginx": ["-e", f"{folder}/error.log", "-c", file],
        "caddy": ["run", "--config", file, "--adapter", "caddyfile"],
        "envoy": ["-c", file, "--use-dynamic-base-id", "--concurrency", "1"],
        "traefik": [f"--configfile={file}"],
    }
    return [program, *arguments[name]]


def send(proxy: Server, *headers: str, body: bytes = b"") -> tuple[int, Any, bytes]:
    """A customer's request: the status, the JSON and all of the answer."""
    head = ["POST /v1/messages?to=1 HTTP/1.1", f"Host: api.example.com:{proxy.port}", f"Content-Length: {len(body)}"]
    answer = proxy.send("\r\n".join([*head, *headers, "", ""]).encode() + body)
    return status(answer), json.loads(answer.partition(b"\r\n\r\n")[2]), answer
