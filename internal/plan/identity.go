package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// Identity returns the pull identity of images pulled in namespace with these
// pull secrets and service account: IdentityNode without secrets, else twelve
// hex digits. Since KEP-2535 (on by default since Kubernetes 1.35) the kubelet
// lets an image that was pulled with one secret be used with that one only,
// and one tenant's wrong secret must not fail the pull of another.
func Identity(namespace, serviceAccount string, secrets []string) string {
	if len(secrets) == 0 {
		return IdentityNode
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(secrets)))
	text, _ := json.Marshal([]any{namespace, serviceAccount, sorted}) // strings always marshal
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}
