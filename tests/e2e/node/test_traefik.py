"""The sandbox's Traefik is real: a host gets its certificate through it, and answers behind the balancer."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from constructs_lib.kit import Manifest, manifest
from constructs_lib.platform.cert_manager import INGRESS
from constructs_lib.platform.traefik import NAMESPACE, PODS
from tests.e2e.node import network, visitor
from tests.e2e.node.application import APP
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.images import APPLICATION
from tests.e2e.node.pods import RESTRICTED, service
from tests.e2e.node.sandbox import Sandbox

CLIENT, LIAR = visitor.ADDRESS, "198.51.100.99"
"""Where the client is, and where it is not though somebody says so."""

NAME = "web"
SERVER = """
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""
"""What an application is here: it says which headers it gets."""


class Web(NamedTuple):
    """An application that the world reaches by the name of a host."""

    sandbox: Sandbox
    host: str

    def get(self, path: str = "/", **headers: str) -> dict[str, str]:
        """Return the headers that the application gets of a client in the world, who knows Let's Encrypt alone."""
        status, body = visitor.ask(self.sandbox, self.host, path, **headers)
        assert status == 200, status
        return json.loads(body)

    def shown(self, name: str) -> tuple[str, list[str]]:
        """Return by whom and for which names the certificate is that the balancer shows for a name."""

        def ask() -> bytes | None:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with (
                socket.create_connection((network.BALANCER, 443), timeout=60) as connection,
                context.wrap_socket(connection, server_hostname=name) as encrypted,
            ):
                return encrypted.getpeercert(binary_form=True)

        found = self.sandbox.cluster.middle.call(ask)
        assert found is not None
        certificate = x509.load_der_x509_certificate(found)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return certificate.issuer.rfc4514_string(), names.get_values_for_type(x509.DNSName)


@pytest.fixture(scope="module")
def web(platform: Sandbox) -> Iterator[Web]:
    """An application with an Ingress, once its certificate is there; network policies know it a moment later."""
    made = Web(platform, f"{NAME}.{platform.env.domain}")
    platform.cluster.apply(*objects(made.host, platform.env.platform.cert_manager.issuer))
    ready = ("wait", "certificate/web-tls", "-n", APP, "--for=condition=Ready", "--timeout=10s")
    took = platform.cluster.eventually(
        lambda: "condition met" in platform.cluster.kubectl(*ready, code=None), "the certificate of the host is there"
    )
    REPORT.append(f"sandbox: a host has its certificate {took:.0f} s after its Ingress")
    platform.cluster.eventually(partial(answers, made), "the host answers")
    yield made
    platform.cluster.kubectl("delete", "ingress,service,pod", NAME, "-n", APP)


def objects(host: str, issuer: str) -> Iterator[Manifest]:
    """Yield what an application brings to be reached by a host."""
    container: Manifest = {
        "name": NAME,
        "image": APPLICATION.name,
        "command": ["python3", "-uc", SERVER],
        "securityContext": RESTRICTED,
    }
    pod = manifest("v1", "Pod", NAME, APP, spec={"containers": [container], "terminationGracePeriodSeconds": 1})
    pod["metadata"]["labels"] = {"app": NAME}
    yield pod
    yield service(APP, NAME, [8080])
    backend = {"service": {"name": NAME, "port": {"number": 8080}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    tls = [{"hosts": [host], "secretName": "web-tls"}]
    ingress = manifest("networking.k8s.io/v1", "Ingress", NAME, APP, spec={"rules": [rule], "tls": tls})
    ingress["metadata"]["annotations"] = {"cert-manager.io/cluster-issuer": issuer}
    yield ingress


def answers(web: Web) -> bool:
    """Return whether the host answers with a certificate that its clients trust."""
    try:
        web.get()
    except (AssertionError, OSError, HTTPError):  # nothing of ours, or a certificate of nobody yet
        return False
    return True


def test_a_host_has_its_certificate_by_a_challenge_through_traefik(web: Web) -> None:
    # Until Traefik has read the Secret, the wildcard answers.
    web.sandbox.cluster.eventually(lambda: web.shown(web.host)[1] == [web.host], "the host shows its own certificate")
    assert "Pebble" in web.shown(web.host)[0]
    seen = requests_seen(web.sandbox, web.host)
    asked = [line for line in seen if "/.well-known/acme-challenge/" in line["RequestPath"]]
    # It is asked for by HTTP, redirected before the host has a certificate, which Traefik does not log, and answered.
    assert {line["entryPointName"] for line in asked if line["DownstreamStatus"] == 200} == {"websecure"}


def test_a_host_without_a_certificate_of_its_own_shows_the_wildcard(web: Web) -> None:
    _, names = web.shown(f"nobody.{web.sandbox.env.domain}")
    assert f"*.{web.sandbox.env.domain}" in names


def test_an_application_knows_its_client_by_the_header_of_the_balancer(web: Web) -> None:
    seen = web.get()
    assert (seen["X-Forwarded-For"], seen["X-Real-Ip"]) == (CLIENT, CLIENT)
    assert (seen["Host"], seen["X-Forwarded-Proto"]) == (web.host, "https")


def test_a_client_cannot_say_that_it_is_another(web: Web) -> None:
    seen = web.get(**{"X-Forwarded-For": LIAR, "X-Real-Ip": LIAR})
    assert (seen["X-Forwarded-For"], seen["X-Real-Ip"]) == (CLIENT, CLIENT)


def test_who_is_not_the_balancer_cannot_say_who_the_client_is(web: Web) -> None:
    assert direct(web, network.CONTROL_PLANE) == network.CONTROL_PLANE
    trusted = str(next(web.sandbox.env.vpc_range.hosts()))
    assert direct(web, trusted) == LIAR


def test_a_plain_request_is_sent_to_https(web: Web) -> None:
    def ask() -> tuple[int, str | None]:
        with HTTPConnectionPool(network.BALANCER, 80, source_address=(CLIENT, 0), timeout=60) as pool:
            answer = pool.request("GET", "/path?q=1", headers={"Host": web.host}, retries=False, redirect=False)
        return answer.status, answer.headers.get("Location")

    assert web.sandbox.cluster.middle.call(ask) == (301, f"https://{web.host}/path?q=1")


def requests_seen(sandbox: Sandbox, host: str) -> list[dict[str, Any]]:
    """Return what Traefik wrote of the requests for a host."""
    labels = ",".join(f"{key}={value}" for key, value in PODS.labels.items())
    printed = sandbox.cluster.kubectl("logs", "-n", NAMESPACE, "-l", labels, "--tail=-1")
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("RequestHost") == host]


def direct(web: Web, source: str) -> str:
    """Return who the application says that its client is, if somebody says to Traefik that it is the liar."""
    cluster = web.sandbox.cluster
    found = cluster.get("service", INGRESS, NAMESPACE) or {}
    (port,) = (entry["nodePort"] for entry in found["spec"]["ports"] if entry["port"] == 443)
    labels = ",".join(f"{key}={value}" for key, value in PODS.labels.items())
    (pod,) = json.loads(cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", labels, "--output=json"))["items"]
    machine = cluster.machines[pod["spec"]["nodeName"]]

    def ask() -> str:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        place = (machine.address, port)
        with socket.create_connection(place, timeout=60, source_address=(source, 0)) as connection:
            connection.sendall(f"PROXY TCP4 {LIAR} {network.BALANCER} 4242 443\r\n".encode())
            with context.wrap_socket(connection, server_hostname=web.host) as encrypted:
                encrypted.sendall(f"GET / HTTP/1.0\r\nHost: {web.host}\r\n\r\n".encode())
                answer = b"".join(iter(lambda: encrypted.recv(65536), b""))
        return json.loads(answer.partition(b"\r\n\r\n")[2])["X-Forwarded-For"]

    return cluster.middle.call(ask)
