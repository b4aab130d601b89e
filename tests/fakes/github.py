"""A strict, stateful fake of what terraform-provider-github v6.9.0 calls of the GitHub REST API for our stack.

Paths and bodies are those of go-github v67 (the provider's `go.mod`); the answers follow GitHub's REST documentation
("docs" below) and, where a comment has a number, an issue. All is under `/api/v3`, as on GitHub Enterprise Server,
because the provider takes every host but github.com and ghe.com for one (`github/config.go`).
"""

from __future__ import annotations

import itertools
import json
import re
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from flask import Response, abort, request
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from tests.fakes.git_server import GitServer
from tests.fakes.github_bodies import (
    NOT_KEPT,
    AccessLevel,
    DeployKey,
    DeploymentPolicy,
    Environment,
    NewRepository,
    RepositoryChange,
    Ruleset,
    Secret,
    Topics,
    Variable,
)
from tests.fakes.github_talk import Talk
from tests.fakes.server import Body, FakeServer

SomeBody = TypeVar("SomeBody", bound=Body)
State = dict[str, Any]
Created = tuple[State, int]
Empty = tuple[str, int]
ORGANISATION_ID = 4242
SSH_KEY = re.compile(r"((?:ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/]+=*)( .*)?")
REPOSITORY = "/repos/<owner>/<repository>"
OWNERS = ".github/CODEOWNERS"
ENVIRONMENT = f"{REPOSITORY}/environments/<environment>"


def _of_app(path: str) -> bool:
    """Say whether an app itself has to ask for this, not a token that it made."""
    return path.endswith("/installation") or "/app/installations/" in path


class FakeGitHub(FakeServer):
    """One organisation. `repositories` is its whole state: plain dicts that a test may read, seed and change.

    A repository has `id`, `settings` (under GitHub's own names), `vulnerability_alerts` and, by id or name, `rulesets`,
    `keys`, `environments`, `variables` and `secrets`; an environment has its settings and `policies`, `variables` and
    `secrets`. Only what the provider's resources call has a route (`github/resource_github_*.go` of v6.9.0).
    """

    def __init__(
        self,
        organisation: str = "df12-test",
        token: str = "gh-token",
        teams: Mapping[str, int] | None = None,
        users: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="github-")
        self.git = GitServer(Path(self._folder.name))
        self.talk = Talk(self.git, lambda: self.url)
        self.organisation = organisation
        self.token = token
        self.teams = dict(teams or {})
        self.users = dict(users or {})
        self.repositories: dict[str, State] = {}
        self.apps: dict[str, RSAPublicKey] = {}
        """The public key of each app that the organisation has installed, by its number."""
        self.installed: dict[str, dict[str, str]] = {}
        """The permissions of each token that an app made."""
        self.key_id = "568250167242549743"
        self._private_key = PrivateKey.generate()
        self._ids = itertools.count(1001)
        self._seconds = itertools.count()
        self.app.before_request(self._authorise)
        self.app.before_request(self._resolve)
        self._add_routes()

    def __exit__(self, *problem: object) -> None:
        super().__exit__(*problem)
        self._folder.cleanup()

    def add_repository(self, name: str, **settings: Any) -> State:
        """Make a repository as if by hand; what is not given has GitHub's default (docs: get a repository)."""
        defaults = RepositoryChange(name=name).model_dump(exclude=NOT_KEPT) | {"topics": [], "default_branch": "main"}
        self.repositories[name] = {
            "id": next(self._ids),
            "settings": defaults | settings,
            "vulnerability_alerts": False,
            "access": "none",
            "full_name": f"{self.organisation}/{name}",
            **{kind: {} for kind in ("rulesets", "keys", "environments", "variables", "secrets", "pulls", "issues")},
        }
        self.git.create(name)
        return self.repositories[name]

    @property
    def public_key(self) -> str:
        """The key to encrypt secrets with, in base64, one for every scope (docs: get a repository public key)."""
        return b64encode(bytes(self._private_key.public_key)).decode()

    def decrypt(self, encrypted_value: str) -> str:
        """Open the sealed box of a secret (docs: encrypting secrets for the REST API)."""
        return SealedBox(self._private_key).decrypt(b64decode(encrypted_value, validate=True)).decode()

    def timestamp(self) -> str:
        """Return a later time than ever before; the provider sees a changed secret by its `updated_at` only."""
        return f"{datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(self._seconds)):%Y-%m-%dT%H:%M:%SZ}"

    def error(self, status: int, message: str) -> Response:
        """Return an error as GitHub does, which has no 405 (docs: troubleshooting the REST API)."""
        return super().error(404 if status == 405 else status, message)

    def _authorise(self) -> Response | None:
        if request.path.startswith(f"/{self.organisation}/"):
            return self._authorise_git()
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        known = self._is_app(token) if _of_app(request.path) else token in {self.token, *self.installed}
        if kind not in {"Bearer", "token"} or not known:
            abort(401, "Bad credentials")
        return None

    def _is_app(self, token: str) -> bool:
        """Say whether an app signed this (docs: generating a JSON web token for a GitHub App)."""
        try:
            app = jwt.decode(token, options={"verify_signature": False})["iss"]
            jwt.decode(token, self.apps[app], ["RS256"], options={"require": ["exp", "iat"]})
        except (jwt.PyJWTError, KeyError):
            return False
        return True

    def _installation(self) -> State:
        return {"id": 77, "account": {"login": self.organisation}, "target_type": "Organization"}

    def _installation_token(self, _installation: int) -> Created:
        """Make a token of an hour (docs: create an installation access token for an app)."""
        token = f"ghs_{next(self._ids)}_of_an_hour"
        self.installed[token] = request.get_json()["permissions"]
        return {"token": token, "expires_at": "2036-01-01T00:00:00Z", "permissions": self.installed[token]}, 201

    def _authorise_git(self) -> Response | None:
        known = (b64encode(f"x-access-token:{token}".encode()).decode() for token in (self.token, *self.installed))
        if request.headers.get("Authorization") in {f"Basic {basic}" for basic in known}:
            return None
        return Response("", 401, {"WWW-Authenticate": 'Basic realm="GitHub"'})

    def _serve_git(self, scope: State, path: str) -> Response:
        return self.git.answer(request, scope["settings"]["name"], path)

    def _resolve(self) -> None:
        """Put the repository or environment that the path names into the view's argument `scope`, or answer 404."""
        args = request.view_args or {}
        if args.pop("owner", self.organisation) != self.organisation:
            abort(404, "Not Found")
        if "repository" in args:
            args["scope"] = found(self.repositories, args.pop("repository"))
        if "repository_id" in args:
            by_id = {repository["id"]: repository for repository in self.repositories.values()}
            args["scope"] = found(by_id, args.pop("repository_id"))
        if "environment" in args:
            args["scope"] = found(args["scope"]["environments"], args.pop("environment"))

    def _add(self, path: str, **views: Callable[..., Any]) -> None:
        for method, view in views.items():
            endpoint = f"{method} {path}"
            self.app.add_url_rule(f"/api/v3{path}", endpoint, view, provide_automatic_options=False, methods=[method])

    def _add_items(self, path: str, kind: str, **views: Callable[..., Any]) -> None:
        show = self._show_environment if kind == "environments" else partial(self._show_item, kind)
        self._add(path, GET=show, DELETE=partial(self._delete_item, kind), **views)

    def _add_routes(self) -> None:
        self._add("/orgs/<owner>", GET=self._show_organisation)
        self._add("/orgs/<owner>/installation", GET=self._installation)
        self._add("/app/installations/<int:_installation>/access_tokens", POST=self._installation_token)
        self._add("/orgs/<owner>/teams/<slug>", GET=self._show_team)
        self._add(f"/organizations/{ORGANISATION_ID}/team/<int:_>/<any(members, repos):_list>", GET=nothing)
        self._add("/users/<login>", GET=self._show_user)
        self._add("/users/<_login>/<any(keys, gpg_keys):_list>", GET=nothing)
        self.app.add_url_rule("/<owner>/<repository>.git/<path:path>", "git", self._serve_git, methods=["GET", "POST"])
        for path, views in self.talk.routes().items():
            self._add(f"{REPOSITORY}{path}", **views)
        self._add(f"{REPOSITORY}/keys", GET=partial(listed, "keys"))
        self._add(f"{REPOSITORY}/rulesets", GET=partial(listed, "rulesets"))
        self._add(f"{ENVIRONMENT}/deployment-branch-policies", GET=partial(listed_as, "policies", "branch_policies"))
        self._add(f"{ENVIRONMENT}/variables", GET=partial(listed_as, "variables", "variables"))
        self._add("/orgs/<owner>/repos", POST=self._create_repository)
        self._add(REPOSITORY, GET=self._show_repository, PATCH=self._change_repository, DELETE=self._delete_repository)
        self._add(f"{REPOSITORY}/topics", PUT=self._put_topics)
        self._add(f"{REPOSITORY}/vulnerability-alerts", GET=self._alerts, PUT=self._alerts, DELETE=self._alerts)
        self._add(f"{REPOSITORY}/rulesets", POST=self._put_ruleset)
        self._add(f"{REPOSITORY}/rules/branches/<path:branch>", GET=self._list_rules)
        self._add(f"{REPOSITORY}/codeowners/errors", GET=self._show_owner_errors)
        self._add(f"{REPOSITORY}/actions/permissions/access", GET=self._access, PUT=self._access)
        self._add_items(f"{REPOSITORY}/rulesets/<int:key>", "rulesets", PUT=self._put_ruleset)
        self._add(f"{REPOSITORY}/keys", POST=self._create_key)
        self._add_items(f"{REPOSITORY}/keys/<int:key>", "keys")
        self._add_items(f"{REPOSITORY}/environments/<key>", "environments", PUT=self._put_environment)
        self._add(f"{ENVIRONMENT}/deployment-branch-policies", POST=self._create_policy)
        self._add_items(f"{ENVIRONMENT}/deployment-branch-policies/<int:key>", "policies", PUT=self._change_policy)
        for scope in (f"{REPOSITORY}/actions", ENVIRONMENT):
            self._add(f"{scope}/variables", POST=self._create_variable)
            self._add_items(f"{scope}/variables/<key>", "variables", PATCH=self._change_variable)
        for scope in (f"{REPOSITORY}/actions", "/repositories/<int:repository_id>/environments/<environment>"):
            self._add(f"{scope}/secrets/public-key", GET=self._show_public_key)
            self._add_items(f"{scope}/secrets/<key>", "secrets", PUT=self._put_secret)

    def _show_item(self, kind: str, scope: State, key: int | str) -> State:
        return {name: value for name, value in found(scope[kind], key).items() if name != "encrypted_value"}

    def _delete_item(self, kind: str, scope: State, key: int | str) -> Empty:
        found(scope[kind], key)
        del scope[kind][key]
        return "", 204

    def _show_organisation(self) -> State:
        return {"login": self.organisation, "id": ORGANISATION_ID, "type": "Organization"}

    def _show_team(self, slug: str) -> State:
        return {"id": found(self.teams, slug), "slug": slug, "name": slug, "privacy": "closed", "permission": "pull"}

    def _show_user(self, login: str) -> State:
        return {"id": found(self.users, login), "login": login, "type": "User"}

    def _create_repository(self) -> Created:
        body = sent(NewRepository)
        if body.name in self.repositories:
            taken = {"message": "name already exists on this account", "field": "name"}
            refuse("Repository creation failed.", {"resource": "Repository", "code": "custom", **taken})
        return self._show_repository(self.add_repository(**body.settings())), 201

    def _show_repository(self, scope: State) -> State:
        settings = scope["settings"]
        full_name = f"{self.organisation}/{settings['name']}"
        addresses = {"html_url": f"{self.url}/{full_name}", "clone_url": f"{self.url}/{full_name}.git"}
        computed = {"id": scope["id"], "full_name": full_name, "owner": self._show_organisation(), **addresses}
        return {**computed, **settings, "private": settings["visibility"] != "public"}

    def _change_repository(self, scope: State) -> State:
        changes = sent(RepositoryChange).settings()
        settings = scope["settings"]
        if changes["name"] != settings["name"]:
            abort(501, "the fake cannot rename a repository")
        settings.update(changes)
        return self._show_repository(scope)

    def _delete_repository(self, scope: State) -> Empty:
        del self.repositories[scope["settings"]["name"]]
        return "", 204

    def _put_topics(self, scope: State) -> State:
        scope["settings"]["topics"] = sent(Topics).names
        return {"names": scope["settings"]["topics"]}

    def _alerts(self, scope: State) -> Empty:
        if request.method != "GET":
            scope["vulnerability_alerts"] = request.method == "PUT"
        elif not scope["vulnerability_alerts"]:
            abort(404, "Vulnerability alerts are disabled.")
        return "", 204

    def _put_ruleset(self, scope: State, key: int | None = None) -> Created:
        """Create a ruleset or change one; a field that the body leaves out stays as it is."""
        ruleset: State = {"bypass_actors": []} if key is None else found(scope["rulesets"], key)
        changes = sent(Ruleset).model_dump(exclude_unset=True)
        if any(other["name"] == changes["name"] for other in scope["rulesets"].values() if other is not ruleset):
            refuse("Validation Failed", "Name must be unique")
        for actor in changes.get("bypass_actors", []):
            if actor["actor_type"] == "Team" and actor.get("actor_id") not in self.teams.values():
                refuse("Validation Failed", "Actor must be part of the ruleset source or owner organization")
            if actor["actor_type"] in {"OrganizationAdmin", "DeployKey"}:
                actor["actor_id"] = None  # whatever was sent: integrations/terraform-provider-github#2536
        ruleset.setdefault("id", next(self._ids))
        ruleset.update(changes)
        scope["rulesets"][ruleset["id"]] = ruleset
        asked = any(rule["type"] == "pull_request" for rule in active_rules(scope))
        self.git.protect(scope["settings"]["name"], active=asked)
        return ruleset, 201 if key is None else 200

    def _list_rules(self, scope: State, branch: str) -> list[State]:
        """Answer with what applies to a branch (docs: get rules for a branch)."""
        return active_rules(scope, f"refs/heads/{branch}")

    def _show_owner_errors(self, scope: State) -> State:
        """Answer with what is wrong in CODEOWNERS (docs: list CODEOWNERS errors)."""
        name, branch = scope["settings"]["name"], request.args.get("ref", "main")
        if self.git.head(name, branch) is None or OWNERS not in self.git.files(name, branch):
            abort(404, "Not Found")
        known = {f"@{self.organisation}/{team}" for team in self.teams} | {f"@{user}" for user in self.users}
        lines = [line.split() for line in self.git.read(name, OWNERS, branch).splitlines()]
        owners = [(number, owner) for number, words in enumerate(lines, 1) for owner in words[1:] if words[0] != "#"]
        strangers = [(line, owner) for line, owner in owners if owner not in known]
        return {"errors": [{"line": line, "kind": "Unknown owner", "source": owner} for line, owner in strangers]}

    def _access(self, scope: State) -> Any:
        """Who may use the repository's actions (docs: set the level of access for workflows outside)."""
        if scope["settings"]["visibility"] == "public":
            abort(422, "Access policy only applies to internal and private repositories.")
        if request.method == "PUT":
            scope["access"] = sent(AccessLevel).access_level
            return "", 204
        return {"access_level": scope["access"]}

    def _create_key(self, scope: State) -> Created:
        body = sent(DeployKey)
        refused = {"resource": "PublicKey", "code": "custom", "field": "key"}
        parts = SSH_KEY.fullmatch(body.key.strip())
        if parts is None:
            refuse("Validation Failed", {**refused, "message": "key is invalid"})
        if any(parts[1] == key["key"] for other in self.repositories.values() for key in other["keys"].values()):
            refuse("Validation Failed", {**refused, "message": "key is already in use"})
        made = {
            "title": body.title,
            "read_only": body.read_only,
            "created_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
        return self._keep(scope["keys"], key=parts[1], **made), 201

    def _keep(self, items: dict[int, State], **item: Any) -> State:
        number = next(self._ids)
        items[number] = {"id": number, **item}
        return items[number]

    def _put_environment(self, scope: State, key: str) -> State:
        changes = sent(Environment).model_dump(exclude_unset=True)
        known = {("Team", team) for team in self.teams.values()} | {("User", user) for user in self.users.values()}
        if not known.issuperset((reviewer["type"], reviewer["id"]) for reviewer in changes.get("reviewers") or []):
            refuse("Failed to create or update the environment protection rule: unknown reviewer.")
        made = {"id": next(self._ids), "name": key, "policies": {}, "variables": {}, "secrets": {}}
        scope["environments"].setdefault(key, Environment().model_dump() | made).update(changes)
        return self._show_environment(scope, key)

    def _show_environment(self, scope: State, key: str) -> State:
        environment = found(scope["environments"], key)
        answer = ("id", "name", "can_admins_bypass", "deployment_branch_policy")
        timer = {"type": "wait_timer", "wait_timer": environment["wait_timer"]}
        rules: list[State] = [timer] if environment["wait_timer"] else []
        if environment["reviewers"]:
            reviewers = [{"type": one["type"], "reviewer": {"id": one["id"]}} for one in environment["reviewers"]]
            prevent = environment["prevent_self_review"]
            rules.append({"type": "required_reviewers", "prevent_self_review": prevent, "reviewers": reviewers})
        return {name: environment[name] for name in answer} | {"protection_rules": rules}

    def _create_policy(self, scope: State) -> State:
        body = sent(DeploymentPolicy)
        if not (scope["deployment_branch_policy"] or {}).get("custom_branch_policies"):
            abort(404, "custom_branch_policies is not true for this environment")
        return self._keep(scope["policies"], **body.model_dump())

    def _change_policy(self, scope: State, key: int) -> State:
        found(scope["policies"], key).update(name=sent(DeploymentPolicy).name)
        return scope["policies"][key]

    def _create_variable(self, scope: State) -> Created:
        body = sent(Variable)
        if body.name in scope["variables"]:
            abort(409, "Already exists - Variable already exists")
        now = self.timestamp()
        scope["variables"][body.name] = {"name": body.name, "value": body.value, "created_at": now, "updated_at": now}
        return {}, 201

    def _change_variable(self, scope: State, key: str) -> Empty:
        found(scope["variables"], key).update(value=sent(Variable).value, updated_at=self.timestamp())
        return "", 204

    def _show_public_key(self, scope: State) -> State:
        return {"key_id": self.key_id, "key": self.public_key}

    def _put_secret(self, scope: State, key: str) -> Empty:
        body = sent(Secret)
        try:
            self.decrypt(body.encrypted_value if body.key_id == self.key_id else "")
        except (ValueError, CryptoError):
            refuse("Bad request - validation failed due to an improperly encrypted secret")
        now = self.timestamp()
        scope["secrets"].setdefault(key, {"name": key, "created_at": now})
        scope["secrets"][key].update(encrypted_value=body.encrypted_value, updated_at=now)
        return "", 201 if scope["secrets"][key]["created_at"] == now else 204


def sent(model: type[SomeBody]) -> SomeBody:
    """Return the request's body; no JSON at all does not fit either (docs: status 422)."""
    return model.model_validate(request.get_json(silent=True))


def found(items: Mapping[Any, Any], key: Any) -> Any:
    """Return an item or answer 404 (docs: troubleshooting the REST API)."""
    return items[key] if key in items else abort(404, "Not Found")


def refuse(message: str, *errors: Any) -> NoReturn:
    """Answer 422 with details, which are objects or strings (go-github `ErrorResponse`)."""
    abort(Response(json.dumps({"message": message, "errors": errors}), 422, content_type="application/json"))


def active_rules(scope: State, ref: str = "refs/heads/main") -> list[State]:
    """Return the rules that apply to a branch, each with its ruleset."""
    source = {"ruleset_source_type": "Repository", "ruleset_source": scope["full_name"]}
    return [
        {**rule, **source, "ruleset_id": ruleset["id"]}
        for ruleset in scope["rulesets"].values()
        if ruleset["enforcement"] == "active" and ref in _included(ruleset)
        for rule in ruleset["rules"]
    ]


def _included(ruleset: State) -> list[str]:
    return (ruleset.get("conditions") or {}).get("ref_name", {}).get("include", [])


def listed(kind: str, scope: State) -> list[State]:
    """Answer with the items of a kind (docs: list deploy keys, get all repository rulesets)."""
    return list(scope[kind].values())


def listed_as(kind: str, name: str, scope: State) -> State:
    """Answer with the items of a kind under a name (docs: list environment variables, deployment branch policies)."""
    return {"total_count": len(scope[kind]), name: list(scope[kind].values())}


def nothing(**_: Any) -> list[State]:
    """Answer that a list is empty (go-github `ListTeamMembersByID` and the like)."""
    return []
