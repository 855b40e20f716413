package components

import "path/filepath"

// Kwok is the component that keeps simulated nodes alive: it writes their
// status and renews their leases as kubelets do.
const Kwok = "kwok"

// SimulatedAnnotation marks, with the value "fake", the Nodes that kwok manages.
const SimulatedAnnotation = "kwok.x-k8s.io/node"

func (p Plan) kwok() Component {
	const address = "127.0.0.1:10247"
	return Component{
		Name: Kwok,
		Command: []string{
			filepath.Join(p.Kwok, Kwok),
			"--kubeconfig=" + p.kubeconfig("admin"),
			"--config=" + p.KwokConfig,
			"--manage-nodes-with-annotation-selector=" + SimulatedAnnotation + "=fake",
			// The kubelet's own: renewed when a quarter of it has passed.
			"--node-lease-duration-seconds=40",
			"--server-address=" + address,
		},
		Needs: []string{APIServer},
		Ready: Check{URL: "http://" + address + "/healthz"},
	}
}
