"""Policies on the synthesised JSON."""

from __future__ import annotations

from collections.abc import Iterator

from gitops_render.check.model import Found, StackFile, stack_policy


@stack_policy("TOFU001", "state and plan hold all that OpenTofu knows", "enforce encryption of state and plan")
def _encrypted(stack: StackFile) -> Iterator[Found]:
    encryption = stack.data.get("terraform", {}).get("encryption", {})
    for kind in ("state", "plan"):
        if encryption.get(kind, {}).get("enforced") is not True:
            yield Found(stack.path, f"terraform.encryption.{kind}", "is not enforced")


@stack_policy("TOFU002", "it needs the cluster and the kind at plan time", "use helm_release")
def _no_manifests(stack: StackFile) -> Iterator[Found]:
    for address, _ in stack.resources("kubernetes_manifest"):
        yield Found(stack.path, address, "cannot be planned before the cluster answers")


@stack_policy("TOFU003", "a cluster that can write to Git can change what every cluster runs", "set read_only: true")
def _read_only_keys(stack: StackFile) -> Iterator[Found]:
    for address, key in stack.resources("github_repository_deploy_key"):
        if key.get("read_only") is not True:
            yield Found(stack.path, address, "may write")


@stack_policy("TOFU004", "outputs are printed, and read by others", "remove the output")
def _no_sensitive_output(stack: StackFile) -> Iterator[Found]:
    for name, output in stack.data.get("output", {}).items():
        if output.get("sensitive"):
            yield Found(stack.path, f"output.{name}", "gives a secret away")


@stack_policy("TOFU005", "without versions an overwritten state is lost", "version the bucket, and make it private")
def _versioned_buckets(stack: StackFile) -> Iterator[Found]:
    for address, bucket in stack.resources("digitalocean_spaces_bucket"):
        if bucket.get("acl") != "private":
            yield Found(stack.path, address, "is not private")
        if bucket.get("versioning", {}).get("enabled") is not True:
            yield Found(stack.path, address, "keeps no old versions")


@stack_policy("TOFU006", "a range of versions changes what a plan does without a commit", "pin the provider exactly")
def _pinned_providers(stack: StackFile) -> Iterator[Found]:
    for name, provider in stack.data.get("terraform", {}).get("required_providers", {}).items():
        if not str(provider.get("version", "")).replace(".", "").isdigit():
            yield Found(stack.path, f"required_providers.{name}", f"has the version '{provider.get('version')}'")
