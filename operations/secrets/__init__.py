"""What Vault holds, who brings it and who may ask for it."""
