# Postgres' restore_command in a drill: log.sh NAME PATH. A file that the archive does not have ends the recovery; one
# that it has and that cannot be read stops Postgres, which does not go on after more than 125.
[ -e "/drill/archive/$1" ] || exit 1
: >"/drill/wanted/$1"
while [ -e "/drill/wanted/$1" ]; do sleep 0.1; done
mv "/drill/log/$1" "$2" || exit 200
