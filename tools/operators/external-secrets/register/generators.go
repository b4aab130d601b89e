// Package register names no generator: this platform uses none.
package register
