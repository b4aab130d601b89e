// Command cert-manager is each of cert-manager's programs by the name under which it is started: its controller without
// the issuers that this platform does not use, its webhook, its CA injector and its solver of HTTP-01 challenges. Their
// own commands are modules that no registry serves; this one stands where they do, so that it may use what they use.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/cert-manager/cert-manager/internal/webhook"
	"github.com/cert-manager/cert-manager/pkg/api"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/cert-manager/cert-manager/pkg/issuer/acme/http/solver"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
	flag "github.com/spf13/pflag"
	core "k8s.io/api/core/v1"
	extensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	apis "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

var election = flag.String("leader-election-namespace", "kube-system", "where the lease is of the one that works")

var programs = map[string]func(context.Context) error{
	"cert-manager-controller": runController,
	"cert-manager-webhook":    runWebhook,
	"cert-manager-cainjector": runInjector,
	"cert-manager-acmesolver": runSolver,
}

func main() {
	run, known := programs[filepath.Base(os.Args[0])]
	if !known {
		log.Fatalf("%s is none of cert-manager's programs", os.Args[0])
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	ctrl.SetLogger(klog.Background())
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

// parse reads the settings. The chart passes others as well, that are the programs' defaults.
func parse() {
	flag.CommandLine.ParseErrorsAllowlist.UnknownFlags = true
	flag.Parse()
}

func runWebhook(ctx context.Context) error {
	config, err := options.NewWebhookConfiguration()
	if err != nil {
		return err
	}
	options.AddConfigFlags(flag.CommandLine, config)
	parse()
	made, err := webhook.NewCertManagerWebhookServer(klog.Background(), *config)
	if err != nil {
		return err
	}
	return made.Run(ctx)
}

func runInjector(ctx context.Context) error {
	parse()
	known := runtime.NewScheme()
	kinds := runtime.SchemeBuilder{api.AddToScheme, scheme.AddToScheme, extensions.AddToScheme, apis.AddToScheme}
	if err := kinds.AddToScheme(known); err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	// The injector applies what it injects in the name of its client.
	made, err := ctrl.NewManager(util.RestConfigWithUserAgent(config, "cainjector"), ctrl.Options{
		Scheme:                        known,
		Metrics:                       server.Options{BindAddress: metrics},
		LeaderElection:                true,
		LeaderElectionID:              "cert-manager-cainjector-leader-election",
		LeaderElectionNamespace:       *election,
		LeaderElectionReleaseOnCancel: true,
		// Secrets are known by their metadata alone.
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&core.Secret{}}}},
	})
	if err != nil {
		return err
	}
	if err := cainjector.RegisterAllInjectors(ctx, made, cainjector.SetupOptions{
		EnableCertificatesDataSource: true,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   true,
			cainjector.ValidatingWebhookConfigurationName: true,
			cainjector.CustomResourceDefinitionName:       true,
		},
	}); err != nil {
		return err
	}
	return made.Start(ctx)
}

func runSolver(ctx context.Context) error {
	made := &solver.HTTP01Solver{}
	flag.IntVar(&made.ListenPort, "listen-port", 8089, "where it listens")
	flag.StringVar(&made.Domain, "domain", "", "the name that is proven")
	flag.StringVar(&made.Token, "token", "", "what is asked for")
	flag.StringVar(&made.Key, "key", "", "what is answered")
	parse()
	go func() {
		<-ctx.Done()
		_ = made.Close()
	}()
	return fmt.Errorf("solver: %w", made.Listen(klog.Background()))
}
