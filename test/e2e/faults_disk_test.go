//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/test/e2e/lab"
)

// filler is a file that takes the space of the node's image disk.
const filler = "/var/lib/containerd/filler"

// fill leaves that many bytes free on the node's image disk.
func (w *world) fill(node string, free int64) {
	w.Helper()
	output, err := cluster.Exec(w.ctx, node, "df", "--output=avail", "--block-size=1", "/var/lib/containerd")
	w.check(err)
	words := strings.Fields(output)
	available, err := strconv.ParseInt(words[len(words)-1], 10, 64)
	w.check(err)
	_, err = cluster.Exec(w.ctx, node, "fallocate", "--length", fmt.Sprint(available-free), filler)
	w.check(err)
}

func (w *world) makeSpace(node string) {
	w.Helper()
	_, err := cluster.Exec(w.ctx, node, "rm", filler)
	w.check(err)
}

// An image that does not fit onto the node's disk is told so, in the runtime's
// words; smaller ones come, and it does too when there is space.
func TestImageDiskFull(t *testing.T) {
	if !full() {
		t.Skip("half a minute long")
	}
	w := newWorld(t, "full")
	row := w.fault("image disk without space for one of two images", "NoSpaceLeft in the runtime's words; the other image comes; this one when there is space")
	const node = "small"
	w.addNodeWith(node, lab.NodeOptions{ImageDisk: "300Mi", Kubelet: map[string]any{
		// No pressure: that the kubelet does not notice is the point.
		"evictionHard": map[string]string{"imagefs.available": "0%", "nodefs.available": "0%", "memory.available": "1%"},
	}})
	first := w.push("first", "1MB") // brings the helper image too
	w.awaitWord(w.cache("first", []string{first}, onNode(node)), v1alpha2.ImageCacheActionStatusSucceeded, 40*time.Second)
	w.fill(node, 60_000_000)
	big, little := w.push("big", "40MB"), w.push("little", "1MB") // its layer fits, its files do not
	cache := w.cache("full", []string{big, little}, onNode(node))
	failure := w.awaitFailure(cache, big, node, v1alpha2.ReasonNoSpaceLeft, 60*time.Second)
	row.saw("%s %s after the create: %s", failure.Reason, seconds(time.Since(cache.CreationTimestamp.Time)), failure.Message)
	if !strings.Contains(failure.Message, "no space left on device") {
		t.Errorf("these are not the runtime's words: %s", failure.Message)
	}
	w.awaitImages(node, 30*time.Second, little)
	w.makeSpace(node)
	began := time.Now()
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 2*time.Minute)
	most, bytes := w.gets(node, "big")
	row.saw("cached %s after space was made; its layer of 40 MB was asked for %d times, %.1f MB in all", seconds(time.Since(began)), most, float64(bytes)/1e6)
	w.holds(node, big, little)
}

// Under disk pressure the kubelet deletes images: the node waits, and when the
// pressure is over what was deleted comes back.
func TestDiskPressure(t *testing.T) {
	if !full() {
		t.Skip("two minutes long")
	}
	w := newWorld(t, "pressure")
	row := w.fault("image disk filled up until the kubelet deletes images", "the node waits, reason DiskPressure, and is asked for nothing; afterwards all images are there")
	const node = "pressed"
	w.addNodeWith(node, lab.NodeOptions{ImageDisk: "300Mi", Kubelet: map[string]any{
		"evictionHard":                     map[string]string{"imagefs.available": "20%", "nodefs.available": "0%", "memory.available": "1%"},
		"evictionPressureTransitionPeriod": "10s",
		"imageMinimumGCAge":                "1s",
	}})
	image := w.push("a", "1MB")
	cache := w.cache("pressure", []string{image})
	w.awaitWord(cache, v1alpha2.ImageCacheActionStatusSucceeded, 40*time.Second)
	w.fill(node, 30_000_000)
	w.awaitCondition(node, corev1.NodeDiskPressure, time.Minute)
	late := w.push("late", "1MB")
	second := w.cache("late", []string{late}, onNode(node))
	took := w.awaitWaiting(second, v1alpha2.WaitingDiskPressure, time.Minute)
	row.saw("told after %s", seconds(took))
	w.awaitAbsent(node, time.Minute, image)
	jobs := w.jobs(node)
	time.Sleep(20 * time.Second)
	if now := w.jobs(node); now != jobs {
		t.Errorf("%d Jobs under pressure", now-jobs)
	}
	w.lacks(node, image, late)
	w.makeSpace(node)
	began := time.Now()
	w.awaitImages(node, 3*time.Minute, image, late)
	row.saw("the kubelet had deleted the image; it was back %s after space was made", seconds(time.Since(began)))
	for _, c := range []*v1alpha2.ImageCache{cache, second} {
		w.await(c, "all", 20*time.Second, func(s *v1alpha2.ImageCacheStatus) bool { return s.Cached == s.Desired && s.Pulling == 0 })
	}
	row.saw("%d Jobs for it", w.jobs(node)-jobs)
}
