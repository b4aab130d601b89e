"""What a role cannot say: which objects of its kinds an application may have. The API server itself refuses the others.

Upstream: kubernetes/enhancements KEP-3488 (ValidatingAdmissionPolicy, stable in 1.30); cert-manager v1.21.1
`pkg/apis/certmanager/v1`, `internal/controller/certificate-shim`; external-secrets `apis/externalsecrets/v1`;
prometheus-operator `pkg/apis/monitoring/v1`; traefik v3.7 `pkg/rules` (`&&` binds before `||`), external-dns 0.20
`source/annotations` (hosts that an Ingress does not name).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from constructs_lib.kit import APP_ACCOUNTS, FLUX_NAMESPACE, Manifest, group, manifest
from constructs_lib.platform.hosts import address_of
from constructs_lib.platform.scrape import MONITORING

if TYPE_CHECKING:
    from constructs_lib.environment import Environment

API = "admissionregistration.k8s.io/v1"
INTERNAL_CA = "internal-ca"
"""The ClusterIssuer of the certificates by which servers inside the cluster are known."""
BY_APPLICATIONS = (
    f"request.userInfo.username.startsWith('system:serviceaccount:{FLUX_NAMESPACE}:{APP_ACCOUNTS}') || "
    "request.userInfo.username.startsWith('system:serviceaccount:' + request.namespace + ':')"
)
"""Flux on behalf of applications, and their own pods; the platform and people with its rights are not meant."""
BY_CERT_MANAGER = "request.userInfo.username == 'system:serviceaccount:cert-manager:cert-manager'"
"""It makes the certificates that annotations of an Ingress ask for."""
OURS = {"matchLabels": {"app.kubernetes.io/part-of": "apps"}}


@dataclass(frozen=True)
class Rule:
    """What must hold of objects of a kind (CEL) that applications make, each with the sentence for who is refused."""

    name: str
    group: str
    kinds: tuple[str, ...]
    holds: tuple[tuple[str, str], ...]
    deletions: bool = False
    by: str = BY_APPLICATIONS


def policies(env: Environment, kept: Iterable[str]) -> Iterator[Manifest]:
    """Yield what applications may not do; `kept` are the names of the network policies that stay as they are."""
    hosts = (_certificates(env), _ingresses(env), _routes(env))
    for rule in (_networks(kept), *hosts, _monitors(), _stores(env), _secrets(env), *_rest()):
        yield from _policy(rule)


def _policy(rule: Rule) -> Iterator[Manifest]:
    name = f"apps-{rule.name}"
    operations = ["CREATE", "UPDATE", *(["DELETE"] if rule.deletions else [])]
    matched = {"apiGroups": [rule.group], "apiVersions": ["*"], "operations": operations, "resources": list(rule.kinds)}
    spec = {
        "matchConstraints": {"resourceRules": [matched]},
        "matchConditions": [{"name": "by-applications", "expression": rule.by}],
        "failurePolicy": "Fail",
        "validations": [{"expression": expression, "message": message} for expression, message in rule.holds],
    }
    yield manifest(API, "ValidatingAdmissionPolicy", name, spec=spec)
    bound = {"policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": OURS}}
    yield manifest(API, "ValidatingAdmissionPolicyBinding", name, spec=bound)


def _networks(kept: Iterable[str]) -> Rule:
    def among_themselves(way: str, side: str) -> str:
        pods = "has(p.podSelector) && !has(p.namespaceSelector) && !has(p.ipBlock)"
        rules = f"object.spec.{way}.all(r, has(r.{side}) && r.{side}.all(p, {pods}))"
        return f"(!has(object.spec.{way}) || {rules})"

    pods = f"{among_themselves('ingress', 'from')} && {among_themselves('egress', 'to')}"
    return Rule(
        "networks",
        "networking.k8s.io",
        ("networkpolicies",),
        (
            (f"!(request.name in {sorted(kept)})", "this policy closes the namespace; choose another name"),
            (
                f"request.operation == 'DELETE' || ({pods})",
                "an application opens ways between its own pods, by podSelector alone; services are named in uses",
            ),
        ),
        deletions=True,
    )


def _own(env: Environment, name: str) -> str:
    """Return the expression that a host below the environment's zone is one of the application's entry."""
    declared = {app.name: [address_of(env, host) for host in app.public] for app in env.applications.values()}
    outside = f"{name} != '{env.zone}' && !{name}.endsWith('.{env.zone}')"
    return f"({outside} || (request.namespace in {declared} && {name} in {declared}[request.namespace]))"


def _not_its_own(env: Environment) -> str:
    return f"a host of {env.zone} that is not in hosts of the application's entry may be another's; add it there"


def _ingresses(env: Environment) -> Rule:
    rules, tls = "object.spec.?rules.orValue([])", "object.spec.?tls.orValue([])"
    own = f"{rules}.all(r, {_own(env, 'r.host')}) && {tls}.all(t, t.?hosts.orValue([]).all(h, {_own(env, 'h')}))"
    one = f"{rules}.all(r, r.?host.orValue('') != '' && !r.host.startsWith('*')) && !has(object.spec.defaultBackend)"
    plain = "object.metadata.?annotations.orValue({}).all(key, !key.startsWith('external-dns.'))"
    return Rule(
        "ingresses",
        "networking.k8s.io",
        ("ingresses",),
        (
            (one, "an Ingress takes the hosts that it names; leave out wildcards and defaultBackend"),
            (f"!({one}) || ({own})", _not_its_own(env)),
            (plain, "records are made of hosts alone; leave out annotations of external-dns"),
        ),
    )


def _routes(env: Environment) -> Rule:
    routes, host = "object.spec.routes", "r.match.split('`')[1]"
    one = r"r.match.matches('^Host(SNI)?\\(`[a-z0-9.-]+`\\)( && .+)?$') && !r.match.contains('||')"
    return Rule(
        "routes",
        "traefik.io",
        ("ingressroutes", "ingressroutetcps"),
        (
            (
                f"{routes}.all(r, has(r.match) && {one})",
                "a match begins with Host(`...`), or HostSNI, of one host, and goes on with && or ends",
            ),
            (f"{routes}.all(r, !(has(r.match) && {one}) || {_own(env, host)})", _not_its_own(env)),
            (
                f"{routes}.all(r, r.?services.orValue([]).all(s, !s.name.contains('@')))",
                "a route leads to Services of its namespace; leave out names with @",
            ),
        ),
    )


def _certificates(env: Environment) -> Rule:
    others = ("commonName", "ipAddresses", "uris", "emailAddresses", "otherNames")
    none = " && ".join(f"!has(object.spec.{name})" for name in others)
    inside = "['.svc', '.svc.cluster.local'].exists(end, name.endsWith('.' + request.namespace + end))"
    by_ca, names = f"object.spec.issuerRef.name == '{INTERNAL_CA}'", "object.spec.?dnsNames.orValue([])"
    return Rule(
        "certificates",
        "cert-manager.io",
        ("certificates",),
        (
            ("!has(object.spec.isCA) || !object.spec.isCA", "an application may not be a CA; leave out isCA"),
            ("!has(object.spec.literalSubject)", "name the application's hosts in dnsNames; leave out literalSubject"),
            (
                f"!({by_ca}) || {names}.all(name, {inside})",
                f"{INTERNAL_CA} signs for Services of the application's own namespace alone: <name>.<namespace>.svc",
            ),
            (f"!({by_ca}) || ({none})", f"{INTERNAL_CA} signs dnsNames alone; leave out every other name"),
            (
                f"({names} + [object.spec.?commonName.orValue('')]).all(name, !name.startsWith('*'))",
                "a wildcard certificate answers for every host; name the application's own hosts",
            ),
            (
                f"({by_ca}) || ({names} + [object.spec.?commonName.orValue('')]).all(name, {_own(env, 'name')})",
                _not_its_own(env),
            ),
        ),
        by=f"{BY_APPLICATIONS} || {BY_CERT_MANAGER}",
    )


def _monitors() -> Rule:
    endpoints = "object.spec.?endpoints.orValue([]) + object.spec.?podMetricsEndpoints.orValue([])"
    files = " && ".join(f"!has(e.tlsConfig.{name})" for name in ("caFile", "certFile", "keyFile"))
    near = "!has(s.any) && (!has(s.matchNames) || s.matchNames.all(name, name == request.namespace))"
    return Rule(
        "monitors",
        group(MONITORING),
        ("servicemonitors", "podmonitors"),
        (
            (
                f"({endpoints}).all(e, !has(e.bearerTokenFile) && (!has(e.tlsConfig) || ({files})))",
                "a monitor may not read files of Prometheus; use the application's Secrets",
            ),
            (f"({endpoints}).all(e, !has(e.proxyUrl))", "Prometheus asks the application's pods itself; no proxyUrl"),
            (
                f"!has(object.spec.namespaceSelector) || [object.spec.namespaceSelector].all(s, {near})",
                "a monitor is for the application's own namespace; leave out namespaceSelector",
            ),
        ),
    )


def _stores(env: Environment) -> Rule:
    where = f"has(object.spec.provider.vault) && object.spec.provider.vault.server == '{env.vault.address}'"
    return Rule(
        "secret-stores",
        "external-secrets.io",
        ("secretstores",),
        ((where, f"a SecretStore of an application reads the environment's Vault: {env.vault.address}"),),
    )


def _secrets(env: Environment) -> Rule:
    entries = "object.spec.?data.orValue([]) + object.spec.?dataFrom.orValue([])"
    own = "(!has({0}) || !has({0}.kind) || {0}.kind == 'SecretStore')"
    source = f"!has(e.sourceRef.generatorRef) && {own.format('e.sourceRef.storeRef')}"
    keys = "[e.?remoteRef.key.orValue('x'), e.?extract.key.orValue('x'), e.?find.path.orValue('x')]"
    ours = [f"/{path}/" for path in (env.vault.kv.flux, env.vault.kv.platform, env.vault.kv.provisioning)]
    plain = r"key.matches('^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$') && !('/' + key + '/').matches('/[.]+/')"
    below = f"key.startsWith('{env.vault.kv.application('')}' + request.namespace + '/')"
    apart = f"({below} || {ours}.all(path, !('/' + key + '/').contains(path) && !path.startsWith('/' + key + '/')))"
    return Rule(
        "external-secrets",
        "external-secrets.io",
        ("externalsecrets",),
        (
            (
                f"{own.format('object.spec.secretStoreRef')} && ({entries}).all(e, !has(e.sourceRef) || ({source}))",
                "an ExternalSecret of an application reads by a SecretStore of its own namespace",
            ),
            (
                f"({entries}).all(e, {keys}.all(key, {plain} && {apart}) && (!has(e.find) || has(e.find.path)))",
                "this entry of Vault belongs to the platform, or is not named as one: letters, digits, '_', '.', '-'",
            ),
        ),
    )


def _rest() -> Iterator[Rule]:
    subject = "s.kind == 'ServiceAccount' && (!has(s.namespace) || s.namespace == request.namespace)"
    yield Rule(
        "role-bindings",
        "rbac.authorization.k8s.io",
        ("rolebindings",),
        (
            ("object.roleRef.kind == 'Role'", "an application binds Roles of its own namespace"),
            (
                f"!has(object.subjects) || object.subjects.all(s, {subject})",
                "an application gives rights to service accounts of its own namespace alone",
            ),
        ),
    )
    yield Rule(
        "services",
        "",
        ("services",),
        (
            ("!has(object.spec.externalIPs)", "a Service may not take somebody else's address; leave out externalIPs"),
            (
                "!has(object.spec.type) || !(object.spec.type in ['LoadBalancer', 'NodePort'])",
                "applications are reached by the ingress; make it a ClusterIP",
            ),
        ),
    )
