package kubelets

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	// mostNames is the kubelet's MaxNamesPerImageInNodeStatus.
	mostNames = 5
	// reportDelay is how late the kubelet tells of an image: it looks at its
	// runtime every 30 seconds, and sends what changed within 10 more.
	reportDelay = 40 * time.Second
	// lookAge is how old an image at least is that is in such a report.
	lookAge = 10 * time.Second
)

// node is what one simulated node has.
type node struct {
	// images are those there, with the time they came.
	images map[string]time.Time
	// busy is until when its pulls, one after another, take.
	busy time.Time
	// reporting is true while a report is on its way.
	reporting bool
}

// Missing tells an image that no registry has, and Slow one that takes long:
// the first part of their repository says so.
func Missing(image string) bool { return strings.Contains(image, "/missing/") }

// Slow is explained with Missing.
func Slow(image string) bool { return strings.Contains(image, "/slow/") }

// Size returns the size of an image in bytes: the same on every node, from
// 1 MB to 200 MB.
func Size(image string) int64 {
	sum := sha256.Sum256([]byte(image))
	return 1_000_000 + int64(binary.BigEndian.Uint32(sum[:4]))%199_000_000
}

// names returns those a kubelet reports of an image: by digest, then by tag.
func names(image string) []string {
	sum := sha256.Sum256([]byte(image))
	repository, _, _ := strings.Cut(image, ":")
	all := []string{repository + "@sha256:" + hex.EncodeToString(sum[:]), image}
	return all[:min(len(all), mostNames)]
}

// listed is node.status.images of a node with these images: the largest first,
// and no more than most.
func listed(images []string, most int) []corev1.ContainerImage {
	list := make([]corev1.ContainerImage, 0, len(images))
	for _, image := range images {
		list = append(list, corev1.ContainerImage{Names: names(image), SizeBytes: Size(image)})
	}
	slices.SortFunc(list, func(a, b corev1.ContainerImage) int {
		return cmp.Or(cmp.Compare(b.SizeBytes, a.SizeBytes), slices.Compare(a.Names, b.Names))
	})
	return list[:min(len(list), most)]
}

// changed has the images of a node reported, late as kubelets are. The caller
// holds mu.
func (k *Kubelets) changed(name string) {
	if n := k.at(name); !n.reporting {
		n.reporting = true
		k.queue.AddAfter(work{node: name}, reportDelay)
	}
}

// report sends the images of a node that it has had for long enough to see.
func (k *Kubelets) report(ctx context.Context, item work) error {
	k.mu.Lock()
	n, there := k.nodes[item.node]
	if !there {
		k.mu.Unlock()
		return nil
	}
	var seen []string
	left := false
	for image, since := range n.images {
		if clock.Since(since) < lookAge {
			left = true
			continue
		}
		seen = append(seen, image)
	}
	n.reporting = left
	k.mu.Unlock()
	if left {
		k.queue.AddAfter(item, reportDelay-lookAge)
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"images": listed(seen, k.pace.Listed)}})
	if err != nil {
		return fmt.Errorf("encode images: %w", err)
	}
	_, err = k.client.CoreV1().Nodes().Patch(ctx, item.node, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
