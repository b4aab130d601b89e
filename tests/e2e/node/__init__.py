"""A real cluster of machines on this one: control plane, kubelets, containers, network and its policies.

Nothing leaves namespaces that the tests make themselves. Pods are real, and so are the kernel's rules between them;
what DigitalOcean does for a cluster (volumes, balancers, the metadata address) has stand-ins.
"""
