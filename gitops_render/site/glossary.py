"""The glossary: words of this project, as the code says them where it has them, and in a sentence where it has not."""

from __future__ import annotations

from gitops_render.markdown import first_paragraph, table

SAID = {
    "age key": "What sealed secrets are encrypted for: one of each environment, and one kept offline for recovery.",
    "area": "The first word of the name of a layer, and the folder below platform that has its files.",
    "bootstrap": "Bringing up the GitOps repository: its content, its rules, its keys and what the jobs need of Vault.",
    "burn rate": "How fast an objective's errors are used up: at 1 they last for the window of the objective exactly.",
    "drift": "What differs between the files and what there is: looked for every night, changed by nobody.",
    "gate": "What a change has to pass before it is merged: required checks, owners' reviews, rulesets without bypass.",
    "GitOps repository": "The repository that Flux reads: rendered trees of all environments, sealed secrets, apps.",
    "mode": "Who applies the platform of an environment: Flux (render) or OpenTofu (apply). Both read the same layers.",
    "pin": "The commit of the GitOps repository that an environment runs: one line in its source.yaml.",
    "policy": "A rule that `gitops_render check` holds every tree and every stack to, with its reason and its fix.",
    "promotion": "The pull request that moves an environment's pin to the commit that the tier before it runs.",
    "rehearsal": "Applying what an environment runs, then what it would run, to a real API server that is thrown away.",
    "retired": "Said of a cluster of a data service on its way out: closed to applications, then deletable.",
    "runbook": "The page for an alert: its symptom, what to check, how to fix it and how to see that it is fixed.",
    "seal": "To encrypt a Secret with SOPS, so that it may lie in Git: only its environment and recovery can read it.",
    "stack": "OpenTofu JSON with a state of its own, such as sandbox-cluster.",
    "stage": "The stacks that are planned and applied together: foundation, services, dns.",
    "tier": "What an environment is for: sandbox, staging or production. Promotion goes in this order.",
    "tree": "The files that rendering writes: clusters, platform and apps, as the GitOps repository has them.",
    "free": "Of a change: nothing that runs is touched but what was changed.",
    "rolls": "Of a change: something restarts, and nothing is lost.",
    "replaces": "Of a change: something is made anew, and what it held is lost.",
    "needs steps": "Of a change: it goes wrong unless the steps of a page are taken.",
    "refused": "Of a change: nobody can make it; the sentence says what to do instead.",
}


def terms() -> dict[str, str]:
    """Return what each word means, in the order of the words."""
    from constructs_lib.environment import Environment
    from constructs_lib.health import Health, Slo
    from constructs_lib.kit import Chart, Layer, Link, Operator, Release, Workload
    from constructs_lib.platform.component import Component

    named = {
        "chart": Chart,
        "component": Component,
        "environment": Environment,
        "health": Health,
        "layer": Layer,
        "link": Link,
        "objective (SLO)": Slo,
        "operator": Operator,
        "release": Release,
        "workload": Workload,
    }
    meant = SAID | {word: first_paragraph(kind.__doc__ or "").replace("`", "") for word, kind in named.items()}
    return dict(sorted(meant.items(), key=lambda item: item[0].lower()))


def glossary_page() -> str:
    """Return the page in Markdown."""
    return "\n".join(["# Glossary", "", *table(("word", "what it means"), list(terms().items())), ""])
