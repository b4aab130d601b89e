// Command vault-server serves HashiCorp Vault's core from memory, for tests alone.
//
// Vault's licence is BUSL-1.1: this program is built on a developer's machine and is never shipped.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/hashicorp/go-hclog"
	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

var (
	engines = map[string]logical.Factory{"kv": kv.Factory}
	methods = map[string]logical.Factory{
		"approle":    approle.Factory,
		"jwt":        jwt.Factory,
		"kubernetes": kubernetes.Factory,
	}
)

// registry tells Vault that these are built in.
type registry struct{}

func (registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	factory, found := map[consts.PluginType]map[string]logical.Factory{
		consts.PluginTypeSecrets:    engines,
		consts.PluginTypeCredential: methods,
	}[kind][name]
	return func() (any, error) { return factory, nil }, found
}

func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, found := r.Get(name, kind)
	return found
}

func (registry) Keys(consts.PluginType) []string { return nil }

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Supported, r.Contains(name, kind)
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }

func main() {
	cert := flag.String("cert", "", "certificate in PEM")
	key := flag.String("key", "", "its key in PEM")
	address := flag.String("listen", "127.0.0.1:0", "address")
	sealed := flag.Bool("sealed", false, "initialise, but do not unseal")
	flag.Parse()

	core, token := start(*sealed)
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	check(err)
	listener, err := tls.Listen("tcp", *address, &tls.Config{Certificates: []tls.Certificate{pair}})
	check(err)
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{Address: *address},
	})
	check(json.NewEncoder(os.Stdout).Encode(map[string]string{"addr": "https://" + local(listener), "token": token}))
	go func() { // ends with the process that started it
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	check(http.Serve(listener, handler))
}

func start(sealed bool) (*vault.Core, string) {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Error})
	storage, err := inmem.NewInmem(nil, logger)
	check(err)
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           storage,
		DisableMlock:       true,
		LogicalBackends:    engines,
		CredentialBackends: methods,
		BuiltinRegistry:    registry{},
		Logger:             logger,
	})
	check(err)
	shares := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	made, err := core.Initialize(context.Background(), &vault.InitParams{BarrierConfig: shares, RecoveryConfig: shares})
	check(err)
	if !sealed {
		for _, share := range made.SecretShares {
			_, err = core.Unseal(vault.TestKeyCopy(share))
			check(err)
		}
	}
	return core, made.RootToken
}

func local(listener net.Listener) string { return listener.Addr().String() }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
