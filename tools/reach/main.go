// Command reach says which ways network policies leave open, by the matcher of cyclonus, which knows nothing of ours.
//
// It reads questions as JSON, one after the other, each of policies and of peers: one with a namespace is a pod, one
// without an address outside. For each it prints which ports of others each peer is let out to, and let in by.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

type port struct {
	Number   int           `json:"number"`
	Protocol core.Protocol `json:"protocol"`
}

type peer struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels"`
	Address   string            `json:"address"`
	Ports     []port            `json:"ports"`
}

// question is about the ways that start or end in a namespace; about all of them where none is named.
type question struct {
	Policies []*networking.NetworkPolicy `json:"policies"`
	Peers    []peer                      `json:"peers"`
	About    string                      `json:"about"`
}

// answer has, for each peer, ports of the others as NAME PROTOCOL/NUMBER.
type answer struct {
	Out map[string][]string `json:"out"`
	In  map[string][]string `json:"in"`
}

func main() {
	questions, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	questions.DisallowUnknownFields()
	for {
		var asked question
		if err := questions.Decode(&asked); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatal(err)
		}
		if err := answers.Encode(asked.answer()); err != nil {
			log.Fatal(err)
		}
	}
}

func (asked question) answer() answer {
	policy := matcher.BuildNetworkPolicies(false, asked.Policies)
	found := answer{Out: map[string][]string{}, In: map[string][]string{}}
	for _, source := range asked.Peers {
		for _, target := range asked.Peers {
			about := asked.About == "" || source.Namespace == asked.About || target.Namespace == asked.About
			if source.Name == target.Name || !about {
				continue
			}
			for _, port := range target.Ports {
				way := &matcher.Traffic{
					Source:       source.asked(),
					Destination:  target.asked(),
					ResolvedPort: port.Number,
					Protocol:     port.Protocol,
				}
				name := fmt.Sprintf("%s %s/%d", target.Name, port.Protocol, port.Number)
				allowed := policy.IsTrafficAllowed(way)
				if allowed.Egress.IsAllowed() {
					found.Out[source.Name] = append(found.Out[source.Name], name)
				}
				if allowed.Ingress.IsAllowed() {
					found.In[source.Name] = append(found.In[source.Name], name)
				}
			}
		}
	}
	return found
}

func (p peer) asked() *matcher.TrafficPeer {
	if p.Namespace == "" {
		return &matcher.TrafficPeer{IP: p.Address}
	}
	pod := &matcher.InternalPeer{
		Namespace:       p.Namespace,
		NamespaceLabels: map[string]string{core.LabelMetadataName: p.Namespace},
		PodLabels:       p.Labels,
	}
	return &matcher.TrafficPeer{Internal: pod, IP: p.Address}
}
