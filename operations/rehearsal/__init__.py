"""What a change does to objects, shown beforehand: a real API server and Flux's own controller, on loopback."""
