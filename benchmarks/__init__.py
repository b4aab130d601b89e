"""Time and memory of the programs, held against bounds: `make bench`."""
