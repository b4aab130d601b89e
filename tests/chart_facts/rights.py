"""What accounts may do by roles: whose Secrets they read, and by which rights they may get more than the role says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from constructs_lib.kit import Manifest

READS = {"get", "list", "watch", "*"}
MORE = {"*", "bind", "escalate", "impersonate"}
"""Verbs by which an account gets rights that nobody wrote down."""
DOORS = {"nodes/proxy", "pods/attach", "pods/exec", "serviceaccounts/token"}
"""Subresources behind which somebody else's rights are."""
WHOLE = {"admin", "cluster-admin", "edit"}
"""Roles of Kubernetes that hold whatever comes."""


def secret_readers(objects: Iterable[Manifest]) -> set[str]:
    """Return the roles by which an account reads every Secret of the cluster, or of a namespace that is not its own."""
    roles, bindings = _roles(objects), list(_bindings(objects))
    return {
        role
        for role, binding in bindings
        if any(map(_reads_secrets, roles.get(role, ())))
        and (binding["kind"] == "ClusterRoleBinding" or _is_from_elsewhere(binding))
    }


def mighty_rights(objects: Iterable[Manifest]) -> dict[str, list[str]]:
    """Return the rights of each role that is bound by which an account may get more; with whole roles, by binding."""
    roles, found = _roles(objects), dict[str, set[str]]()
    for role, binding in _bindings(objects):
        if binding["roleRef"]["kind"] == "ClusterRole" and role in WHOLE:
            found.setdefault(binding["metadata"]["name"], set()).add(f"is {role}")
        for rule in roles.get(role, ()):
            found.setdefault(role, set()).update(_mighty(rule))
    return {role: sorted(rights) for role, rights in found.items() if rights}


def _mighty(rule: Manifest) -> Iterator[str]:
    where = " ".join(sorted({_whole(name) for name in rule.get("resources", ())}))
    groups = " ".join(sorted(name for name in rule.get("apiGroups", ()) if name))
    what = f"{where} of {groups}" if groups else where
    yield from (f"{verb} {what}" for verb in sorted(MORE & set(rule["verbs"])))
    if "*" in where and "*" not in rule["verbs"]:
        yield f"{' '.join(sorted(rule['verbs']))} {what}"
    if not rule.get("resourceNames"):
        yield from (
            f"{' '.join(sorted(rule['verbs']))} {door}" for door in sorted(DOORS & set(rule.get("resources", ())))
        )


def _whole(resource: str) -> str:
    """Return the resource of a subresource, such as its status: a right on one says enough."""
    return resource if "*" in resource else resource.partition("/")[0]


def _reads_secrets(rule: Manifest) -> bool:
    return bool(
        {"", "*"} & set(rule.get("apiGroups", ()))
        and {"secrets", "*"} & set(rule.get("resources", ()))
        and READS & set(rule["verbs"])
        and not rule.get("resourceNames")
    )


def _roles(objects: Iterable[Manifest]) -> dict[str, list[Manifest]]:
    found: dict[str, list[Manifest]] = {}
    for item in objects:
        if item["kind"] in ("ClusterRole", "Role"):
            found.setdefault(item["metadata"]["name"], []).extend(item.get("rules") or ())
    return found


def _bindings(objects: Iterable[Manifest]) -> Iterator[tuple[str, Manifest]]:
    bound = (item for item in objects if item["kind"] in ("ClusterRoleBinding", "RoleBinding"))
    return ((item["roleRef"]["name"], item) for item in bound)


def _is_from_elsewhere(binding: Manifest) -> bool:
    own = binding["metadata"].get("namespace")
    return any(subject.get("namespace", own) != own for subject in binding.get("subjects") or ())
