"""A new secret for an old one: added before the old one goes, in steps that may end anywhere and be run again.

Each command looks at what is there, and does the next step.
"""
