"""What the workflows do to the outside world: GitHub, DigitalOcean, Vault and the clusters.

Every command can be interrupted at any point and run again: it looks at what is there, and makes what is missing.
"""
