# The part of a drill that is Postgres: it recovers what fetch.py brought as far as the archive goes, runs the check in
# DATABASE as OWNER, reads every page, and leaves nothing behind. It listens to nobody but itself.
set -eu
room=/drill data=/drill/data
fail() {
  echo "the drill failed: $1" >&2
  exit 1
}
clean() {
  kill -INT "$server" 2>/dev/null && wait "$server"
  rm -rf "${room:?}"/*
}
sql() { psql -h "$room" -v ON_ERROR_STOP=1 -XAtqc "$@"; }

server=
trap clean EXIT
trap 'exit 1' INT TERM
chmod 700 "$data"
rm -f "$data/standby.signal"
touch "$data/recovery.signal"
echo 'local all all trust' >"$room/hba.conf"
postgres -D "$data" -c hba_file="$room/hba.conf" -c unix_socket_directories="$room" -c listen_addresses= -c ssl=off \
  -c archive_mode=off -c logging_collector=off -c log_destination=stderr -c synchronous_standby_names= \
  -c primary_conninfo= -c recovery_target_timeline=latest -c restore_command='sh /scripts/log.sh %f %p' &
server=$!
until [ "$(sql 'select not pg_is_in_recovery()' -U postgres -d postgres 2>/dev/null)" = t ]; do
  kill -0 "$server" 2>/dev/null || fail "Postgres did not come up"
  sleep 3
done

for history in "$data"/pg_wal/*.history; do :; done
reached=$(tail -n 1 "$history" | cut -f 2) wanted=$(cat "$room/end")
[ "$(sql "select '$reached'::pg_lsn > '$wanted'" -U postgres -d postgres)" = t ] ||
  fail "the log could be read up to $reached, and the archive goes beyond $wanted"
[ "$(sql "$CHECK" -U "$OWNER" -d "$DATABASE")" = t ] || fail "the check did not return t"
kill -INT "$server"
wait "$server"
pg_checksums --check -D "$data" || fail "pages are damaged"
echo "the drill is good: recovered up to $reached"
