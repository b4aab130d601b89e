"""DigitalOcean's volumes: their storage classes, and a folder of this machine for each claim.

Such a folder is a `local` volume, since `hostPath` ignores fsGroup, and every machine of the cluster may use it: as
with block storage, a pod finds its data again on another machine.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from constructs_lib.kit import Manifest, manifest
from tests.e2e.node.api import Api

DRIVER = "dobs.csi.digitalocean.com"
PRESENT = {"key": "kubernetes.io/hostname", "operator": "Exists"}


def _class(name: str, policy: str) -> Manifest:
    settings: Manifest = {"reclaimPolicy": policy, "allowVolumeExpansion": True, "volumeBindingMode": "Immediate"}
    return manifest("storage.k8s.io/v1", "StorageClass", name, provisioner=DRIVER, **settings)


POLICIES = {"do-block-storage": "Delete", "do-block-storage-retain": "Retain"}
CLASSES = tuple(_class(name, policy) for name, policy in POLICIES.items())
"""Their names, driver and policies (digitalocean/csi-digitalocean v4 `deploy/kubernetes/releases`)."""


def update(api: Api, folder: Path) -> None:
    """Make a volume for each claim that waits, and remove those that nobody claims any more and that are not kept."""
    for claim in api.list("/api/v1/persistentvolumeclaims"):
        waits = claim["status"].get("phase") == "Pending" and not claim["spec"].get("volumeName")
        name = f"pvc-{claim['metadata']['uid']}"
        if waits and claim["spec"].get("storageClassName") in POLICIES and not (folder / name).exists():
            (folder / name).mkdir(mode=0o770, parents=True)
            api.create("/api/v1/persistentvolumes", _volume(name, folder / name, claim))
    for volume in api.list("/api/v1/persistentvolumes"):
        if volume["status"].get("phase") in {"Released", "Failed"}:
            _remove(api, volume)


def _volume(name: str, path: Path, claim: Manifest) -> Manifest:
    spec = claim["spec"]
    claimed = {key: claim["metadata"][key] for key in ("namespace", "name", "uid")}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [PRESENT]}]}
    return manifest(
        "v1",
        "PersistentVolume",
        name,
        spec={
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": POLICIES[spec["storageClassName"]],
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **claimed},
            "local": {"path": str(path)},
            "nodeAffinity": {"required": terms},
        },
    )


def _remove(api: Api, volume: Manifest) -> None:
    spec = volume["spec"]
    if spec["persistentVolumeReclaimPolicy"] == "Delete" and spec.get("storageClassName") in POLICIES:
        api.delete(f"/api/v1/persistentvolumes/{volume['metadata']['name']}")
        shutil.rmtree(spec["local"]["path"], ignore_errors=True)
