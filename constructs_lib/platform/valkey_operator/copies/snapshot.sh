# The part of a copy that is Valkey: snapshot.sh NODE... asks one of these nodes for the primaries that serve, and takes a
# snapshot of each. A cluster that does not serve every slot is not copied: the copy before it stays the newest.
# Before that each node reads its certificate again, which it does when it is told where that is, though it is where it was
# (valkey 8.1 src/config.c, VOLATILE_CONFIG): cert-manager renews it, and the operator restarts nobody.
set -eu
fail() {
  echo "the copy failed: $1" >&2
  exit 1
}
cli() { valkey-cli --tls --cacert /tls/ca.crt -e "$@"; }

value() { cli -h "$1" config get "$2" | { read -r _ && read -r found && echo "$found"; }; }
read_again() {
  certificate=$(value "$1" tls-cert-file) && key=$(value "$1" tls-key-file) && ca=$(value "$1" tls-ca-cert-file) &&
    cli -h "$1" config set tls-cert-file "$certificate" tls-key-file "$key" tls-ca-cert-file "$ca" >/dev/null
}

asked=
ask() {
  for node; do
    if state=$(cli -h "$node" cluster info); then asked=$node && return; fi
  done
  return 1
}
# Network policies know a new pod a moment after it started.
tries=1
until ask "$@"; do
  [ "$tries" -lt "${TRIES:-30}" ] || fail "no node answers"
  tries=$((tries + 1))
  sleep 2
done
for node; do read_again "$node" || echo "$node did not read its certificate again"; done
case $state in *cluster_state:ok*) ;; *) fail "$asked says that not every slot is served" ;; esac
cli -h "$asked" cluster nodes >/room/nodes
number=0
while read -r _ address flags _ _ _ _ _ slots; do
  case $flags in *master*) ;; *) continue ;; esac
  [ -n "$slots" ] || continue
  number=$((number + 1))
  host=${address##*,}
  cli -h "$host" --rdb "/room/$number.rdb" </dev/null
  valkey-check-rdb "/room/$number.rdb" </dev/null >/dev/null || fail "the snapshot of $host is damaged"
done </room/nodes
rm /room/nodes
[ "$number" -gt 0 ] || fail "$asked knows no primary"
echo "snapshots of $number primaries"
