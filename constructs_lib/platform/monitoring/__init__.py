"""What each component knows about its own health, a module each."""
