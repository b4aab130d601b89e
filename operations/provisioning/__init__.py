"""An environment's stacks: planned, applied, waited for, and swept up after tests."""
