"""What charts really make of our values, kept as data beside each component's tests: `make chart-facts`."""
