// Package ext is where others add to Traefik's configuration; nobody does here.
package ext

// HTTP is what is added to the whole of it.
type HTTP struct{}

// Router is what is added to a router.
type Router struct{}
