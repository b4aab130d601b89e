"""The clients of the outside world: GitHub, DigitalOcean, Spaces, Vault, Git, Kubernetes and OpenTofu."""
