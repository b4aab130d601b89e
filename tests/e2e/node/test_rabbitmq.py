"""The sandbox's RabbitMQ is real: an application publishes and consumes by TLS alone, and messages outlive the pod."""

from __future__ import annotations

from constructs_lib.platform.rabbitmq_operator.settings import NAMESPACE
from tests.chart_facts.cluster import Running
from tests.chart_facts.facts import release_facts
from tests.e2e.node.application import APP, CA, CLUSTER, Application
from tests.e2e.node.conftest import REPORT
from tests.e2e.node.sandbox import SECRETS, Sandbox

HOST = f"{CLUSTER}.{NAMESPACE}.svc"
POD = f"{CLUSTER}-server-0"
PASSWORD = SECRETS[f"rabbitmq/{CLUSTER}/{APP}"]["password"]
CLIENT = """
import pika, ssl
parameters = pika.ConnectionParameters(
    {host!r}, 5671, {vhost!r}, pika.PlainCredentials({user!r}, {password!r}),
    ssl_options=pika.SSLOptions(ssl.create_default_context(cafile={ca!r}), {host!r}),
    connection_attempts=1, socket_timeout=60, blocked_connection_timeout=60,
)
connection = pika.BlockingConnection(parameters)
channel = connection.channel()
channel.confirm_delivery()
channel.queue_declare("notes", durable=True)
{body}
connection.close()
"""
PUBLISH = "channel.basic_publish('', 'notes', b'{note}', pika.BasicProperties(delivery_mode=2), mandatory=True)"
CONSUME = "print(channel.basic_get('notes', auto_ack=True)[2].decode())"


def ask(application: Application, body: str, *, password: str = PASSWORD, vhost: str = APP) -> str:
    """Let the application do something with its queue, and return what was printed: an answer or an error."""
    code = CLIENT.format(host=HOST, vhost=vhost, user=APP, password=password, ca=CA, body=body)
    return application.python(code, code_of_exit=None)


def test_the_operator_makes_what_the_facts_say(platform: Sandbox) -> None:
    made = platform.cluster.get("statefulset", f"{CLUSTER}-server", NAMESPACE)
    assert made is not None
    ((name, found),) = release_facts([made], (), NAMESPACE)["pods"].items()
    known = dict(Running(platform.env).facts)[f"RabbitmqCluster/{CLUSTER}"]["pods"][name]
    assert found["labels"] == known["labels"]
    assert found["containers"].keys() == known["containers"].keys()
    for container, facts in found["containers"].items():
        # Some of its ports are not declared.
        assert facts.pop("ports", {}).items() <= known["containers"][container].pop("ports", {}).items()
        assert facts == known["containers"][container]


def test_an_application_publishes_and_consumes_as_the_user_whose_password_vault_has(application: Application) -> None:
    assert ask(application, PUBLISH.format(note="first")) == ""
    assert ask(application, CONSUME) == "first"


def test_queues_are_replicated_by_default(application: Application) -> None:
    redeclare = "channel.queue_declare('notes', durable=True, arguments={'x-queue-type': 'classic'})"
    assert "PRECONDITION_FAILED" in ask(application, redeclare)


def test_a_wrong_password_and_another_vhost_are_refused(application: Application) -> None:
    assert "ACCESS_REFUSED" in ask(application, "", password="wrong")
    assert "access to vhost '/' refused" in ask(application, "", vhost="/")


def test_a_message_outlives_the_broker(platform: Sandbox, application: Application) -> None:
    assert ask(application, PUBLISH.format(note="kept")) == ""
    platform.cluster.kubectl("delete", "pod", POD, "-n", NAMESPACE, "--grace-period=0", "--force")
    took = platform.cluster.eventually(lambda: ask(application, CONSUME) == "kept", "the message is there again")
    REPORT.append(f"sandbox: RabbitMQ answers {took:.0f} s after its pod was killed")
