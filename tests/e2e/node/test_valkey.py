"""The sandbox's Valkey is real: an application uses it with a plain client and one of clusters."""

from __future__ import annotations

from constructs_lib.platform.valkey_operator.cluster import NAMESPACE
from tests.e2e.node.application import CA, CLUSTER, Application
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.sandbox import SECRETS, Sandbox

HOST = f"{CLUSTER}.{NAMESPACE}.svc"
PASSWORD = SECRETS[f"valkey/{CLUSTER}"]["password"]
CLIENT = """
import redis
from redis.cluster import RedisCluster
client = {kind}(host={host!r}, port=6379, password={password!r}, ssl={tls}, ssl_ca_certs={ca!r}, socket_timeout=60)
print({call})
"""
PLAIN, OF_CLUSTERS = "redis.Redis", "RedisCluster"


def ask(application: Application, kind: str, call: str, *, password: str = PASSWORD, tls: bool = True) -> str:
    """Let the application call a client of a kind, and return what it printed: an answer or an error."""
    code = CLIENT.format(kind=kind, host=HOST, password=password, tls=tls, ca=CA, call=call)
    return application.python(code, code_of_exit=None)


def test_an_application_sets_with_a_cluster_client_and_gets_with_a_plain_one(application: Application) -> None:
    assert ask(application, OF_CLUSTERS, "client.set('note', 'first')") == "True"
    assert ask(application, PLAIN, "client.get('note').decode()") == "first"
    assert ask(application, PLAIN, "client.set('note', 'second')") == "True"
    assert ask(application, OF_CLUSTERS, "client.get('note').decode()") == "second"


def test_a_wrong_password_and_a_connection_without_tls_are_refused(application: Application) -> None:
    assert "AuthenticationError" in ask(application, PLAIN, "client.ping()", password="wrong")
    assert "redis.exceptions.ConnectionError" in ask(application, PLAIN, "client.ping()", tls=False)


def test_what_was_set_outlives_the_pod_and_its_address(platform: Sandbox, application: Application) -> None:
    assert ask(application, PLAIN, "client.set('kept', 'yes')") == "True"
    pod = f"{CLUSTER}-0"
    before = platform.cluster.get("pod", pod, NAMESPACE)
    platform.cluster.kubectl("delete", "pod", pod, "-n", NAMESPACE)
    took = platform.cluster.eventually(
        lambda: ask(application, OF_CLUSTERS, "client.get('kept').decode()") == "yes", "a cluster client finds it again"
    )
    REPORT.append(f"sandbox: Valkey answers {took:.0f} s after its pod was deleted")
    assert ask(application, PLAIN, "client.get('kept').decode()") == "yes"
    after = platform.cluster.get("pod", pod, NAMESPACE)
    assert before is not None
    assert after is not None
    assert before["status"]["podIP"] != after["status"]["podIP"]
