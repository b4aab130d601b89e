"""The GitOps repository, rendered from the same layers that apply mode reads. Nothing here imports cdktf."""
