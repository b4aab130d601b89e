# What a drill and a recovery share: `serve FILE SETTING...` starts a server with a snapshot, which nobody else reaches.
fail() {
  echo "it failed: $1" >&2
  exit 1
}
stop() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server"; }
  server=
}
serve() {
  file=${1##*/} && shift
  valkey-server --dir /room --dbfilename "$file" --bind 127.0.0.1 --port 26379 --save '' --appendonly no "$@" &
  server=$!
  until [ "$(valkey-cli -p 26379 ping 2>/dev/null)" = PONG ]; do
    kill -0 "$server" 2>/dev/null || fail "Valkey does not come up with $file"
    sleep 1
  done
}
server=
trap stop EXIT
trap 'exit 1' INT TERM
ls /room/*.rdb >/dev/null || fail "the copy holds no snapshot"
