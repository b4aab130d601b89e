// Package k8s stands in for the provider of the same name.
package k8s

// Provider finds nothing.
type Provider struct{}

// Help returns nothing.
func (*Provider) Help() string { return "" }
