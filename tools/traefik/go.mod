module tools/traefik

go 1.26

require (
	github.com/abbot/go-http-auth v0.4.0
	github.com/traefik/traefik/v3 v3.7.11
)
