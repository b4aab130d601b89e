# The part of a drill that is Valkey: drill.sh CHECK... loads each snapshot, and runs the check in each: one has to answer
# with anything but nothing, 0 or an error.
set -eu
. /scripts/serve.sh
good= keys=0
for snapshot in /room/*.rdb; do
  serve "$snapshot"
  keys=$((keys + $(valkey-cli -p 26379 dbsize)))
  answer=$(valkey-cli -p 26379 -e "$@") || fail "$* ends with an error"
  case $answer in '' | 0) ;; *) good=1 ;; esac
  stop
done
[ -n "$good" ] || fail "no snapshot answers $*"
echo "the drill is good: $keys keys"
