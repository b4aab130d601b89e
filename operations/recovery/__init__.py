"""What was lost comes back, step by step: each run looks how far it is, and does the next step or says what is."""
