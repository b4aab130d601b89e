"""Strict loopback stand-ins for the DigitalOcean, Spaces and GitHub APIs, for real clients to talk to."""
