package observe

import (
	"sync"

	"github.com/kubefledged/kubefledged-operator/internal/reference"
)

// normalised remembers the references of names: all nodes report the same ones
// again and again, and taking a hundred of them apart would cost more than all
// the rest of a look at a node.
var normalised names

// maxNames bounds its memory, to some 20 MB; beyond it, it starts anew.
const maxNames = 100_000

type names struct {
	mu   sync.RWMutex
	refs map[string]string
}

// of returns the normalised reference of a name, "" when it cannot be parsed.
func (n *names) of(name string) string {
	n.mu.RLock()
	ref, known := n.refs[name]
	n.mu.RUnlock()
	if known {
		return ref
	}
	ref, _, err := reference.Normalise(name)
	if err != nil {
		ref = ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refs == nil || len(n.refs) >= maxNames {
		n.refs = map[string]string{}
	}
	n.refs[name] = ref
	return ref
}
