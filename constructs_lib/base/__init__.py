"""What every room stands on: settings and their fields, quantities, errors, reading YAML, the names of stacks."""
