// Package components describes the cluster's components as data: what each one
// runs, where, after which others, and how it tells that it is ready. Nothing
// here starts anything.
package components

import (
	"fmt"
	"slices"
	"strings"
)

// Component is one long-lived process.
type Component struct {
	// Name is unique in the cluster; "/NODE" follows the name of a component
	// that every node has.
	Name string
	// Command is the program's path and its arguments.
	Command []string
	// Env is added to the environment, as KEY=VALUE.
	Env []string
	// Files are written before every start.
	Files []File
	// Dirs are made before every start.
	Dirs []string
	// Namespace is the network namespace, "" that of the machine.
	Namespace string
	// Sandbox names the component whose mount namespace this one joins.
	Sandbox string
	// OwnMounts gives the component a mount namespace of its own.
	OwnMounts bool
	// Needs names the components that must be ready first.
	Needs []string
	// Ready tells when the component works.
	Ready Check
}

// File is a configuration file.
type File struct {
	Path    string
	Content string
}

// Check is one way to tell that a component is ready; the first field that is
// set counts.
type Check struct {
	// URL must answer 200, asked from the component's network namespace.
	URL string
	// Client is the path of a client certificate without ".crt", and CA the
	// file to verify the server by. Without CA the server is not verified.
	Client, CA string
	// Command must exit with 0, run like the component itself.
	Command []string
	// File must exist; it is removed before the component starts.
	File string
}

// String says in one line what is checked.
func (c Check) String() string {
	switch {
	case c.URL != "":
		return "GET " + c.URL
	case len(c.Command) > 0:
		return strings.Join(c.Command, " ")
	case c.File != "":
		return "file " + c.File
	default:
		return "none"
	}
}

// Order returns the components so that each one comes after those it needs,
// and otherwise as given. An error names a missing need or a cycle.
func Order(all []Component) ([]Component, error) {
	byName := map[string]Component{}
	for _, component := range all {
		if _, twice := byName[component.Name]; twice {
			return nil, fmt.Errorf("component %s is there twice", component.Name)
		}
		byName[component.Name] = component
	}
	sorter := sorter{byName: byName, state: map[string]int{}}
	for _, component := range all {
		if err := sorter.visit(component.Name, nil); err != nil {
			return nil, err
		}
	}
	return sorter.sorted, nil
}

// sorter walks the needs depth first; state is 1 while a component's needs are
// being visited and 2 once it is sorted.
type sorter struct {
	byName map[string]Component
	state  map[string]int
	sorted []Component
}

func (s *sorter) visit(name string, path []string) error {
	component, known := s.byName[name]
	switch {
	case !known:
		return fmt.Errorf("component %s needs %s, which does not exist", path[len(path)-1], name)
	case s.state[name] == 2:
		return nil
	case s.state[name] == 1:
		return fmt.Errorf("components need each other: %s", strings.Join(append(path, name), " -> "))
	}
	s.state[name] = 1
	for _, need := range component.Needs {
		if err := s.visit(need, append(slices.Clone(path), name)); err != nil {
			return err
		}
	}
	s.state[name] = 2
	s.sorted = append(s.sorted, component)
	return nil
}
