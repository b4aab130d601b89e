#!/usr/bin/python3
"""Vault's development server by its own command line, around the built core of Vault (tools/vault).

hashicorp/vault 2.0.4 `command/server.go`: it listens where the file says, and its root token is that of the variable.
"""

import json
import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

config = next(word.partition("=")[2] for word in sys.argv if word.startswith("-config="))
listener = json.loads(Path(config).read_text())["listener"][0]["tcp"]
certificate = ("-cert", listener["tls_cert_file"], "-key", listener["tls_key_file"])
command = ["/vault-server", "-listen", listener["address"], *certificate]
# It ends with whoever holds its standard input.
server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
assert server.stdout is not None
token = json.loads(server.stdout.readline())["token"]
made = {"id": os.environ["VAULT_DEV_ROOT_TOKEN_ID"], "policies": ["root"], "no_parent": True}
port = listener["address"].rpartition(":")[2]
asked = urllib.request.Request(
    f"https://127.0.0.1:{port}/v1/auth/token/create",
    json.dumps(made).encode(),
    {"X-Vault-Token": token, "Content-Type": "application/json"},
)
context = ssl.create_default_context(cafile=None)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
urllib.request.urlopen(asked, context=context).close()  # noqa: S310
sys.exit(server.wait())
