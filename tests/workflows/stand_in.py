"""What `tofu` is in the tests of workflows: real OpenTofu, made quick, and with stand-ins where there are no providers.

Run as `python -I stand_in.py TOFU real|stand-in ARGUMENTS…` in a stack's folder. A stand-in turns every resource into
OpenTofu's own `terraform_data`, so that plans, applies, state, encryption and locks are real, and nothing reaches the
outside world but the cluster that later steps look for.
"""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

Json = dict[str, Any]

STACK = Path("cdk.tf.json")
KEPT = ("//", "terraform", "variable")


def main() -> None:
    """Prepare the stack and run OpenTofu."""
    tofu, kind, *arguments = sys.argv[1:]
    if STACK.exists():
        stack = json.loads(STACK.read_bytes())
        if kind == "stand-in" and "required_providers" in stack["terraform"]:
            STACK.write_text(json.dumps(stand_in(stack)))
            Path(".terraform.lock.hcl").touch()  # OpenTofu writes none where there is no provider
        elif "github" in stack.get("provider", {}):
            # The provider waits a second after each write, and no variable changes that.
            Path("fast_override.tf.json").write_text('{"provider": {"github": {"write_delay_ms": 1}}}')
    if kind == "real" or arguments[0] != "apply":
        os.execv(tofu, [tofu, *arguments])  # noqa: S606
    code = subprocess.call([tofu, *arguments])
    if code == 0 and Path.cwd().name.endswith("-cluster"):
        make_cluster(Path.cwd().name.removesuffix("-cluster"))
    if code == 0 and Path.cwd().name == "gitops-repository":
        make_gates(json.loads(STACK.read_bytes())["resource"]["terraform_data"])
    sys.exit(code)


def stand_in(stack: Json) -> Json:
    """Return the stack with `terraform_data` for every resource."""
    terraform = {key: value for key, value in stack["terraform"].items() if key != "required_providers"}
    resources = {
        f"{kind}_{name}": {"input": json.dumps(values).replace("${", "$${").replace("%{", "%%{")}
        for kind, named in stack["resource"].items()
        for name, values in named.items()
    }
    kept = {key: stack[key] for key in KEPT if key in stack}
    return {**kept, "terraform": terraform, "resource": {"terraform_data": resources}}


def make_cluster(environment: str) -> None:
    """Make the cluster that the provider would have made."""
    name = f"episodic-{environment}"
    if all(found["name"] != name for found in call("GET", "kubernetes/clusters")["kubernetes_clusters"]):
        network = call("POST", "vpcs", {"name": name, "region": "lon1", "ip_range": "10.20.0.0/20", "description": ""})
        pool = {"name": "system", "size": "s-2vcpu-4gb", "count": 1}
        body = {"name": name, "region": "lon1", "version": "1.36.2-do.0", "node_pools": [pool], "ha": False}
        call("POST", "kubernetes/clusters", {**body, "vpc_uuid": network["vpc"]["id"]})


def make_gates(resources: Json) -> None:
    """Make the rulesets that the provider would have made, and share the infrastructure repository's actions."""
    for address, made in resources.items():
        values = json.loads(made["input"].replace("$${", "${"))
        repository = "episodic-gitops" if "${" in values.get("repository", "") else values.get("repository")
        path = f"repos/df12-test/{repository}"
        if address.startswith("github_actions_repository_access_level_"):
            call("PUT", f"{path}/actions/permissions/access", {"access_level": values["access_level"]}, of=GITHUB)
        elif address.startswith("github_repository_ruleset_"):
            known = {found["name"]: found["id"] for found in call("GET", f"{path}/rulesets", of=GITHUB)}
            if values["name"] not in known:
                call("POST", f"{path}/rulesets", ruleset(values, repository), of=GITHUB)


def ruleset(values: Json, repository: str) -> Json:
    """Return what the provider sends of a ruleset."""
    rules = {kind: value for kind, value in values["rules"].items() if value}
    checks = rules.get("required_status_checks")
    if checks:
        checks["required_status_checks"] = checks.pop("required_check")
    sent = [{"type": kind} if value is True else {"type": kind, "parameters": value} for kind, value in rules.items()]
    kept = {
        key: values[key] for key in ("name", "target", "enforcement", "conditions", "bypass_actors") if key in values
    }
    return {**kept, "source": repository, "source_type": "Repository", "rules": sent}


DIGITALOCEAN = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_API_URL", "v2")
GITHUB = ("GITHUB_TOKEN", "GITHUB_BASE_URL", "api/v3")


def call(method: str, path: str, body: Json | None = None, *, of: tuple[str, str, str] = DIGITALOCEAN) -> Any:
    """Ask a fake API, whose token and address these variables hold, below a path."""
    token, address, below = of
    headers = {"Authorization": f"Bearer {os.environ[token]}", "Content-Type": "application/json"}
    url = f"{os.environ[address].rstrip('/')}/{below}/{path}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - the fake
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
        return json.loads(answer.read() or "null")


if __name__ == "__main__":
    main()
