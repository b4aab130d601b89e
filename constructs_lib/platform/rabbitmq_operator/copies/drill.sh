# The part of a drill that is RabbitMQ: drill.sh CHECK... starts a broker with what was copied, which listens to nobody
# but itself, runs the check, and says what it has. A broker that cannot declare it does not come up.
set -eu
export HOME=/room RABBITMQ_NODENAME=drill@localhost RABBITMQ_LOGS=- RABBITMQ_MNESIA_BASE=/room/data \
  RABBITMQ_ENABLED_PLUGINS_FILE=/room/plugins RABBITMQ_CONFIG_FILE=/room/rabbitmq.conf \
  ERL_EPMD_ADDRESS=127.0.0.1 RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
fail() {
  echo "the drill failed: $1" >&2
  exit 1
}
echo "[$PLUGINS]." >/room/plugins
printf '%s\n' 'load_definitions = /room/definitions.json' 'listeners.tcp = none' >/room/rabbitmq.conf
rabbitmq-server &
server=$!
trap 'kill "$server" 2>/dev/null && wait "$server"' EXIT
trap 'exit 1' INT TERM
rabbitmqctl -q wait --pid "$server" --timeout 86400 || fail "RabbitMQ did not come up with what was copied"
answer=$(rabbitmqctl -s "$@") || fail "rabbitmqctl $* ends with an error"
[ -n "$answer" ] || fail "rabbitmqctl $* says nothing"
rabbitmqctl -q export_definitions /room/found.json
