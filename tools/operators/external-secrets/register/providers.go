// Package register names the only provider that this platform uses: all others are ten times as much code.
package register

import (
	_ "github.com/external-secrets/external-secrets/pkg/provider/vault"
)
