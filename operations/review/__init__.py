"""What people read before they agree: the report of a pull request, a promotion, drift."""
