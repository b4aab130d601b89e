# The part of a recovery that is Valkey: recover.sh HOST:PORT loads each snapshot, and gives its keys to the cluster there.
# A key that the cluster has already is replaced, so it can be done again.
set -eu
. /scripts/serve.sh
# Network policies know a new pod a moment after it started.
tries=1
until REDISCLI_AUTH= valkey-cli -h "${1%:*}" -p "${1##*:}" --tls --cacert /tls/ca.crt ping >/dev/null 2>&1; do
  [ "$tries" -lt "${TRIES:-30}" ] || fail "$1 does not answer"
  tries=$((tries + 1))
  sleep 2
done
keys=0
for snapshot in /room/*.rdb; do
  serve "$snapshot" --tls-cluster yes --tls-cert-file /tls/tls.crt --tls-key-file /tls/tls.key \
    --tls-ca-cert-file /tls/ca.crt
  found=$(REDISCLI_AUTH= valkey-cli -p 26379 dbsize)
  if [ "$found" -gt 0 ]; then
    valkey-cli --tls --cacert /tls/ca.crt --cluster import "$1" --cluster-from 127.0.0.1:26379 \
      --cluster-copy --cluster-replace || fail "keys of ${snapshot##*/} could not be given to $1"
  fi
  keys=$((keys + found))
  stop
done
echo "recovered: $keys keys"
