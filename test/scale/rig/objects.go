package rig

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

const (
	namespace   = "scale"
	helperImage = "registry.example/kubefledged/kubefledged-cri-client:1"
	// fakeNode marks the nodes that kwok manages.
	fakeNode = "kwok.x-k8s.io/node"
	// selected is a label of all nodes of the rig, and few one of the first.
	selected, few = "scale", "scale-few"
	// fewNodes is how many nodes have the label few: those where images fail.
	fewNodes = 20
)

func nodeName(i int) string { return fmt.Sprintf("node-%05d", i) }

// newNode is a Node as its kubelet registers it: not Ready yet.
func newNode(i int) *corev1.Node {
	capacity := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("16"), corev1.ResourceMemory: resource.MustParse("64Gi"),
		corev1.ResourcePods: resource.MustParse("110"), corev1.ResourceEphemeralStorage: resource.MustParse("200Gi"),
	}
	labels := map[string]string{selected: "node", corev1.LabelHostname: nodeName(i), corev1.LabelOSStable: "linux", corev1.LabelArchStable: "amd64"}
	if i < fewNodes {
		labels[few] = "node"
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: nodeName(i), Labels: labels,
			Annotations: map[string]string{fakeNode: "fake", v1alpha2.AnnotationCRISocket: "unix:///run/containerd/containerd.sock"},
		},
		Status: corev1.NodeStatus{
			Capacity: capacity, Allocatable: capacity,
			NodeInfo: corev1.NodeSystemInfo{
				BootID: "boot-" + nodeName(i), KubeletVersion: "v1.37.2", ContainerRuntimeVersion: "containerd://2.4.2",
				Architecture: "amd64", OperatingSystem: "linux",
			},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: nodeName(i)}},
		},
	}
}

// addNodes adds nodes and waits until they are Ready and open for work.
func (r *Rig) addNodes(ctx context.Context, from, to int) error {
	err := parallel(ctx, 16, from, to, func(ctx context.Context, i int) error {
		_, err := r.typed.CoreV1().Nodes().Create(ctx, newNode(i), metav1.CreateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	return r.wait(ctx, 2*time.Second, func(ctx context.Context) (bool, error) {
		list, err := r.typed.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return false, err
		}
		open := 0
		for i := range list.Items {
			if ready(&list.Items[i]) && len(list.Items[i].Spec.Taints) == 0 {
				open++
			}
		}
		return open >= to, nil
	})
}

func ready(node *corev1.Node) bool {
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// image is the i-th image of the ImageCaches.
func image(i int) v1alpha2.Image {
	return v1alpha2.Image(fmt.Sprintf("registry.example/team/image-%03d:1", i))
}

func images(n int) []v1alpha2.Image {
	all := make([]v1alpha2.Image, n)
	for i := range all {
		all[i] = image(i)
	}
	return all
}

// newCache wants the images on every node of the rig.
func newCache(name string, images []v1alpha2.Image) *v1alpha2.ImageCache {
	return cacheOf(name, images, selected)
}

// cacheOf wants the images on every node with a label.
func cacheOf(name string, images []v1alpha2.Image, label string) *v1alpha2.ImageCache {
	return &v1alpha2.ImageCache{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha2.ImageCacheSpec{CacheSpec: []v1alpha2.CacheSpecImages{{
			Images: images, NodeSelector: map[string]string{label: "node"},
		}}},
	}
}

// Hand-made Jobs, the floor: what a person would write who knows what we know.
const (
	handmade       = 100
	handmadeImages = 10
)

func newHandmade(i, node int) *batchv1.Job {
	var containers []corev1.Container
	for c := range handmadeImages {
		containers = append(containers, corev1.Container{
			Name: fmt.Sprintf("image-%d", c), Image: fmt.Sprintf("registry.example/by-hand/image-%d:1", c), Command: []string{"true"},
		})
	}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("by-hand-%03d", i), Labels: map[string]string{"by": "hand"}},
		Spec: batchv1.JobSpec{
			BackoffLimit: ptr.To[int32](0),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				NodeName: nodeName(node), RestartPolicy: corev1.RestartPolicyNever, Containers: containers,
				AutomountServiceAccountToken: ptr.To(false),
			}},
		},
	}
}

// sizes returns the sizes in bytes of the largest NodeCache and ImageCache, as
// the API server sends them.
func (r *Rig) sizes(ctx context.Context) (node, cache int, err error) {
	var records v1alpha2.NodeCacheList
	if err := r.cluster.API.List(ctx, &records); err != nil {
		return 0, 0, err
	}
	for i := range records.Items {
		n, err := encoded(&records.Items[i])
		if err != nil {
			return 0, 0, err
		}
		node = max(node, n)
	}
	var caches v1alpha2.ImageCacheList
	if err := r.cluster.API.List(ctx, &caches, client.InNamespace(namespace)); err != nil {
		return 0, 0, err
	}
	for i := range caches.Items {
		n, err := encoded(&caches.Items[i])
		if err != nil {
			return 0, 0, err
		}
		cache = max(cache, n)
	}
	return node, cache, nil
}
