"""What a pull request in the GitOps repository may change."""
