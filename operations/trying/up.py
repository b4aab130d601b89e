"""Bringing the sandbox up. Each step looks at what is there, so that a run that was killed is finished by the next."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import chdir
from pathlib import Path
from typing import Any

from kubernetes import config

from constructs_lib.base.console import say, step
from constructs_lib.base.errors import ConfigError
from constructs_lib.base.programs import installed, passed_on, run
from constructs_lib.base.purpose import Purpose
from constructs_lib.environment import Environment, load_all
from constructs_lib.environment.capacity import places
from constructs_lib.environment.fitting import shown
from constructs_lib.kit import ROLE_LABEL, SYSTEM_ROLE, Room
from gitops_render import example
from gitops_render.paths import TREE
from gitops_render.tree import render
from gitops_render.write import write
from operations.clients.kubernetes import context_client, kubeconfig
from operations.provisioning.provision import Provisioner
from operations.provisioning.stage import Stage
from operations.trying import beside, place, upload
from operations.trying.facts import Facts, facts, refuse_other_platform
from operations.trying.fill import as_owner, fill, reached_at
from operations.trying.keys import Keys, kept_keys
from operations.trying.kubectl import Kubectl
from operations.trying.place import BACKUPS, EXAMPLE, FOLDER, HOSTS, KEYS, MARK, NAME, SOURCE
from operations.trying.waiting import await_layers

PROGRAM = Path(__file__).parents[2] / "main.py"
PLANS = Path("plans.out")
SYNTHESIS_SECONDS = 600.0

Agree = Callable[[str], bool]


def chosen_context(wanted: str | None) -> str:
    """Return a context, the kubeconfig's current one if none is `wanted`. Raises `ConfigError` if there is none."""
    # It is read again from another folder.
    os.environ["KUBECONFIG"] = kubeconfig()
    if wanted is not None:
        return wanted
    try:
        _, current = config.list_kube_config_contexts(os.environ["KUBECONFIG"])
        return current["name"]
    except (config.ConfigException, KeyError, TypeError):
        advice = "name one with --context; `kubectl config get-contexts` lists them"
        raise ConfigError(f"{os.environ['KUBECONFIG']}: has no current context; {advice}") from None


def refuse_taken(context: str, host: str, environments: Iterable[Environment]) -> None:
    """Raise `ConfigError` if the cluster of a context is that of an environment: by its context, or its address."""
    for env in environments:
        if env.cluster.provider == "digitalocean":
            taken = context == f"do-{env.region}-{env.cluster.name}"
        else:
            taken = env.cluster.context == context or _host(env.cluster.context) == host
        if taken:
            raise ConfigError(
                f"context {context}: is the cluster of environments/{env.name}.yaml; take another context"
            )


def _host(context: str) -> str | None:
    try:
        return context_client(context).configuration.host
    except ConfigError:
        return None


def bring_up(context: str, agree: Agree) -> Environment | None:
    """Bring the sandbox to a cluster, or to what its file says by now; nothing if the user does not `agree`.

    Raises `ConfigError` for what stands in the way.
    """
    installed("tofu", "OpenTofu installs Flux; install it (opentofu.org, Installing OpenTofu)")
    kubectl, client = Kubectl(context), context_client(context)
    refuse_taken(context, client.configuration.host, load_all())
    with step(f"look at the cluster of context {context}"):
        refuse_other_platform(client, context, NAME, MARK)
        found = facts(client, context)
    if not kubectl.found("namespaces", "-l", _selector(MARK)):
        refuse_small(found)
        if not agree(question(found, client.configuration.host)):
            return None
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chdir(FOLDER):
        keys = kept_keys(KEYS, HOSTS)
        place.written(Path(), found, keys.ca)
        env = place.loaded(Path())
        refuse_elsewhere(env, context)
        _stand(kubectl, env, found, keys)
        _install(kubectl, env, keys)
        await_layers(env, client, kubectl)
    return env


def question(found: Facts, host: str) -> str:
    """Return what a user agrees to."""
    nodes = [node.name for node in found.nodes if not node.labelled]
    label = f", and the label {ROLE_LABEL}={SYSTEM_ROLE} to {', '.join(nodes)}" if nodes else ""
    return (
        f"This brings a sandbox of the platform to the cluster at {host} (context {found.context}): namespaces, "
        f"operators with their CRDs{label}. `bin/operations try --remove` takes all of it away. Go on?"
    )


def needed() -> Room:
    """Return what the sandbox's pods ask for, with what stands beside the platform."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, place.FILE)
        path.parent.mkdir()
        path.write_text(place.roomy(NO_CERTIFICATE), encoding="utf-8")
        (everything,) = places(place.loaded(Path(folder)))
        return Room.of((everything.asked, beside.OWN, example.ASKS))


NO_CERTIFICATE = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"


def refuse_small(found: Facts) -> None:
    """Raise `ConfigError` if the nodes together have less free than the sandbox asks for."""
    asked, there = needed()._asdict(), Room.of(node.free for node in found.nodes)._asdict()
    for unit in ("cpu", "memory"):
        if asked[unit] > there[unit]:
            nodes = ", ".join(node.name for node in found.nodes)
            raise ConfigError(
                f"context {found.context}: the sandbox asks for {shown('cpu', asked['cpu'])} and "
                f"{shown('memory', asked['memory'])}, and {nodes} have {shown(unit, there[unit])} free; "
                "take a larger cluster, or end what else runs there"
            )


def refuse_elsewhere(env: Environment, context: str) -> None:
    """Raise `ConfigError` if the sandbox's file is of another cluster."""
    named = env.cluster.context if env.cluster.provider == "existing" else "none"
    if named != context:
        advice = f"run `bin/operations try --context {named}`, or first that with --remove"
        raise ConfigError(f"{FOLDER / place.FILE}: cluster.context is {named}, found {context}; {advice}")


def _selector(labels: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _stand(kubectl: Kubectl, env: Environment, found: Facts, keys: Keys) -> None:
    """Let the nodes be the platform's, and what it needs stand beside it."""
    with step("start Vault and an object store"):
        for node in (node for node in found.nodes if not node.labelled):
            kubectl("label", "node", node.name, f"{ROLE_LABEL}={SYSTEM_ROLE}", _selector(MARK), "--overwrite")
        kubectl.apply(beside.objects(keys, env.cluster.storage_class))
        for name in beside.ASKED:
            kubectl("rollout", "status", f"deployment/{name}", "-n", NAME, "--timeout=540s")


def _install(kubectl: Kubectl, env: Environment, keys: Keys) -> None:
    """Fill Vault and the bucket, and install Flux, or whatever of it is not as it should be."""
    with (
        kubectl.forwarded(NAME, "vault", place.VAULT_PORT) as vault,
        kubectl.forwarded(NAME, "store", 443) as store,
        as_owner(keys.vault_token),
    ):
        here = reached_at(env, vault)
        with step("fill Vault"):
            fill(here, keys)
        with step("render the tree into the bucket"):
            write(TREE, env.name, render(env))
            if EXAMPLE in env.applications:
                example.fill(TREE, env.name, env.applications[EXAMPLE])
            for bucket in (BACKUPS, SOURCE):
                upload.make_bucket(store, keys, bucket)
            changed = upload.uploaded(store, keys, SOURCE, upload.tree(TREE))
        say(f"bucket {SOURCE}: {changed} objects changed")
        with step("install Flux by OpenTofu"):
            _synthesise()
            plans, _ = Provisioner(here, Purpose.PLAN).plan(Stage.SERVICES, PLANS, destroy=False, prepare=True)
            if plans.changes:
                Provisioner(here, Purpose.APPLY).apply(plans, PLANS)


def _synthesise() -> None:
    """Synthesise the stacks of this folder, as `main.py` does it for the project's."""
    environ = {**passed_on(), "PYTHONPATH": str(PROGRAM.parent), "PYTHONNODEBUGRANGES": "1"}
    command: list[Any] = [sys.executable, PROGRAM]
    done = run(command, doing="main.py", deadline=SYNTHESIS_SECONDS, env=environ, text=True)
    if done.returncode:
        raise ConfigError(*(done.stderr.strip().splitlines()[-5:] or ["main.py: failed without a word"]))
