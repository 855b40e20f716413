//go:build linux

// Package cluster brings a cluster up and down and works on a running one.
package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubefledged/kubefledged-operator/test/cluster/components"
	"github.com/kubefledged/kubefledged-operator/test/cluster/network"
)

// state is what a cluster remembers besides the files of its components.
type state struct {
	Name  string            `json:"name"`
	Ports components.Ports  `json:"ports"`
	Nodes []components.Node `json:"nodes"`
	// KwokConfig and Flags are as in components.Plan.
	KwokConfig string              `json:"kwokConfig,omitempty"`
	Flags      map[string][]string `json:"flags,omitempty"`
}

const stateFile = "cluster.json"

// errNotUp is returned by what needs a cluster that is not there.
var errNotUp = errors.New("the cluster is not up: run localcluster up")

func readState(dir string) (state, error) {
	var read state
	content, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return read, errNotUp
	}
	if err != nil {
		return read, err
	}
	err = json.Unmarshal(content, &read)
	return read, err
}

// write replaces the file as a whole, so that an interrupted write leaves the
// former one.
func (s state) write(dir string) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temporary := filepath.Join(dir, stateFile+".new")
	if err := os.WriteFile(temporary, append(content, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(dir, stateFile))
}

// node returns the node of that name; nil when there is none.
func (s *state) node(name string) *components.Node {
	for i := range s.Nodes {
		if s.Nodes[i].Name == name {
			return &s.Nodes[i]
		}
	}
	return nil
}

var nodeName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// add gives the node the lowest free index and keeps it.
func (s *state) add(node components.Node) error {
	if len(node.Name) > 253 || !nodeName.MatchString(node.Name) {
		return fmt.Errorf("node name %q: want at most 253 lower-case letters, digits, dashes and dots", node.Name)
	}
	if s.node(node.Name) != nil {
		return fmt.Errorf("node %s is there already", node.Name)
	}
	for node.Index = 0; s.indexTaken(node.Index); node.Index++ {
	}
	if node.Index >= network.MaxNodes {
		return fmt.Errorf("a cluster has at most %d nodes", network.MaxNodes)
	}
	s.Nodes = append(s.Nodes, node)
	return nil
}

func (s *state) indexTaken(index int) bool {
	return slices.ContainsFunc(s.Nodes, func(node components.Node) bool { return node.Index == index })
}

func (s *state) remove(name string) {
	s.Nodes = slices.DeleteFunc(s.Nodes, func(node components.Node) bool { return node.Name == name })
}

// ensureNodes adds worker1, worker2 and so on until there are that many nodes,
// and merges labels, given by node name, into the nodes.
func (s *state) ensureNodes(count int, labels map[string]map[string]string) error {
	for number := 1; len(s.Nodes) < count; number++ {
		name := "worker" + strconv.Itoa(number)
		if s.node(name) != nil {
			continue
		}
		if err := s.add(components.Node{Name: name}); err != nil {
			return err
		}
	}
	for name, added := range labels {
		node := s.node(name)
		if node == nil {
			return fmt.Errorf("labels are given for node %s, which does not exist", name)
		}
		if node.Labels == nil {
			node.Labels = map[string]string{}
		}
		for key, value := range added {
			node.Labels[key] = value
		}
	}
	return nil
}

// ParseLabels parses "k=v,k2=v2".
func ParseLabels(text string) (map[string]string, error) {
	labels := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		key, value, found := strings.Cut(part, "=")
		if !found || key == "" {
			return nil, fmt.Errorf("label %q: want KEY=VALUE", part)
		}
		labels[key] = value
	}
	return labels, nil
}

// ParseNodeLabels parses "NAME=k=v,k2=v2", once per node or repeatedly.
func ParseNodeLabels(texts []string) (map[string]map[string]string, error) {
	nodes := map[string]map[string]string{}
	for _, text := range texts {
		name, list, found := strings.Cut(text, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("node labels %q: want NODE=KEY=VALUE, with commas between labels", text)
		}
		labels, err := ParseLabels(list)
		if err != nil {
			return nil, err
		}
		if nodes[name] == nil {
			nodes[name] = map[string]string{}
		}
		for key, value := range labels {
			nodes[name][key] = value
		}
	}
	return nodes, nil
}

// ParseFlags parses "COMPONENT=--FLAG=VALUE", once per flag.
func ParseFlags(texts []string) (map[string][]string, error) {
	flags := map[string][]string{}
	for _, text := range texts {
		name, flag, found := strings.Cut(text, "=")
		if !found || name == "" || !strings.HasPrefix(flag, "--") {
			return nil, fmt.Errorf("flag %q: want COMPONENT=--FLAG=VALUE", text)
		}
		flags[name] = append(flags[name], flag)
	}
	return flags, nil
}

// ParseTaints parses "k=v:NoSchedule,k2:NoExecute".
func ParseTaints(text string) ([]string, error) {
	var taints []string
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		keyValue, effect, found := strings.Cut(part, ":")
		if !found || keyValue == "" || !slices.Contains([]string{"NoSchedule", "PreferNoSchedule", "NoExecute"}, effect) {
			return nil, fmt.Errorf("taint %q: want KEY[=VALUE]:EFFECT", part)
		}
		taints = append(taints, part)
	}
	return taints, nil
}

// choosePorts returns free ports on loopback. They begin at a number that
// depends on the cluster's directory only, so that the same cluster has the
// same ports again after down and up whenever they are free.
func choosePorts(dir string) (components.Ports, error) {
	var ports components.Ports
	seed, err := strconv.ParseUint(network.ShortHash(dir), 16, 32)
	if err != nil {
		return ports, err
	}
	next := 20000 + int(seed%10000)
	for _, port := range []*int{&ports.API, &ports.Registry, &ports.RegistryAdmin, &ports.RegistryTLS} {
		for ; !portFree(next); next++ {
			if next > 32000 {
				return ports, errors.New("no free port on 127.0.0.1 between 20000 and 32000")
			}
		}
		*port = next
		next++
	}
	return ports, nil
}

func portFree(port int) bool {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}
