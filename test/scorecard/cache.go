package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kubefledged "github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// test is one run.
type test struct {
	image, namespace string
	limit            time.Duration
}

// run creates the ImageCache, waits for its image and deletes both again. It
// returns what was seen.
func (t test) run(ctx context.Context) (seen []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	api, err := connect()
	if err != nil {
		return nil, err
	}
	cache := &kubefledged.ImageCache{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "scorecard-", Namespace: t.namespace},
		Spec: kubefledged.ImageCacheSpec{
			CacheSpec:      []kubefledged.CacheSpecImages{{Images: []kubefledged.Image{kubefledged.Image(t.image)}}},
			DeletionPolicy: kubefledged.DeletionPolicyPurge,
		},
	}
	began := time.Now()
	if err := api.Create(ctx, cache); err != nil {
		return nil, fmt.Errorf("create an ImageCache: %w", err)
	}
	defer func() {
		if deleteErr := api.Delete(context.WithoutCancel(ctx), cache); err == nil {
			err = deleteErr
		}
	}()
	if err := awaitCache(ctx, api, cache); err != nil {
		return nil, err
	}
	seen = append(seen, fmt.Sprintf("ImageCache %s Succeeded after %.1fs", cache.Name, time.Since(began).Seconds()))
	nodes, err := t.awaitNodes(ctx, api)
	if err != nil {
		return seen, err
	}
	return append(seen, fmt.Sprintf("%s is on %d nodes, say their kubelets, after %.1fs: %v", t.image, len(nodes), time.Since(began).Seconds(), nodes)), nil
}

func awaitCache(ctx context.Context, api client.Client, cache *kubefledged.ImageCache) error {
	err := wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		if err := api.Get(ctx, client.ObjectKeyFromObject(cache), cache); err != nil {
			return false, err
		}
		return cache.Status.Status == kubefledged.ImageCacheActionStatusSucceeded, nil
	})
	if err != nil {
		return fmt.Errorf("ImageCache %s is %s %s %v: %w", cache.Name, cache.Status.Status, cache.Status.Message, cache.Status.Failures, err)
	}
	return nil
}

// awaitNodes waits until the kubelet of each node lists the image, which is
// somebody else's word than that of the ImageCache, and returns the nodes.
func (t test) awaitNodes(ctx context.Context, api client.Client) (with []string, err error) {
	var without []string
	err = wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		var nodes corev1.NodeList
		if err := api.List(ctx, &nodes); err != nil {
			return false, err
		}
		with, without = nil, nil
		for i := range nodes.Items {
			if node := &nodes.Items[i]; t.isOn(node) {
				with = append(with, node.Name)
			} else {
				without = append(without, node.Name)
			}
		}
		return len(without) == 0 && len(with) > 0, nil
	})
	if err != nil {
		return with, fmt.Errorf("%s is on %v and not on %v: %w", t.image, with, without, err)
	}
	return with, nil
}

func (t test) isOn(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Images, func(image corev1.ContainerImage) bool {
		return slices.Contains(image.Names, t.image)
	})
}
