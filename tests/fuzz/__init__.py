"""Environment files that nobody would write, and what has to hold for each of them: `python -m tests.fuzz 10000`."""
