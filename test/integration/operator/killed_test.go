package operator

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/api/charts/v1alpha2"
)

// following returns the next number of writes after which an operator is killed:
// every one of the first, where records are made, and then some. With
// KILL_AT_EVERY_STEP it is every one, which takes minutes.
func following(lives int64) int64 {
	if lives < 6 || os.Getenv("KILL_AT_EVERY_STEP") != "" {
		return lives + 1
	}
	return lives + 4
}

// untilDead runs an operator that is killed after so many writes. It returns
// the writes of one that finishes before, as done says.
func untilDead(t *testing.T, namespace string, lives int64, done func() bool) (writes int64, died bool) {
	t.Helper()
	m := newMortal(lives)
	stop := start(t, m.config(), options(namespace))
	defer stop()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if m.isDead() {
			return m.writes.Load(), true
		}
		if done() {
			return m.writes.Load(), false
		}
	}
	t.Fatal("the operator neither dies nor finishes")
	return 0, false
}

func settled(kf *v1alpha2.KubeFledged) func() bool {
	return func() bool {
		err := admin.Get(context.Background(), client.ObjectKeyFromObject(kf), kf)
		return err == nil && kf.Status.ObservedGeneration == kf.Generation &&
			is(kf, v1alpha2.ConditionReady, true, "") && is(kf, v1alpha2.ConditionProgressing, false, "")
	}
}

// Whichever write an operator dies after, the next one finishes what it began.
func TestKilledDuringInstall(t *testing.T) {
	for lives := int64(0); ; lives = following(lives) {
		died := false
		t.Run(fmt.Sprint(lives), func(t *testing.T) {
			namespace := namespaceFor(t)
			rollOut(t, namespace)
			kf := add(t, namespace, v1alpha2.KubeFledgedSpec{})
			_, died = untilDead(t, namespace, lives, settled(kf))
			start(t, user, options(namespace))
			t.Cleanup(func() { remove(t, kf) })
			awaitReady(t, kf)
			checkWhole(t, kf)
		})
		if !died || t.Failed() {
			return
		}
	}
}

func TestKilledDuringUpgrade(t *testing.T) {
	namespace := namespaceFor(t)
	rollOut(t, namespace)
	kf := add(t, namespace, v1alpha2.KubeFledgedSpec{})
	untilDead(t, namespace, -1, settled(kf))
	uid := get(t, namespace, "kubefledged-controller", &appsv1.Deployment{}).UID
	died := true
	for lives := int64(0); died && !t.Failed(); lives = following(lives) {
		t.Run(fmt.Sprint(lives), func(t *testing.T) {
			edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { turn(s, lives) })
			_, died = untilDead(t, namespace, lives, settled(kf))
			last := lives
			if died && lives%2 == 1 {
				// What only the interrupted upgrade had must go, too.
				last = lives + 1000
				edit(t, kf, func(s *v1alpha2.KubeFledgedSpec) { turn(s, last) })
			}
			stop := start(t, user, options(namespace))
			defer stop()
			awaitReady(t, kf)
			checkWhole(t, kf)
			controller := get(t, namespace, "kubefledged-controller", &appsv1.Deployment{})
			if controller.UID != uid {
				t.Error("the controller's Deployment was replaced")
			}
			for key := range controller.Spec.Template.Annotations {
				if strings.HasPrefix(key, "turn-") && key != fmt.Sprintf("turn-%d", last) {
					t.Errorf("%s is left of an earlier turn", key)
				}
			}
			if got, want := *controller.Spec.Replicas, *kf.Spec.ControllerReplicaCount; got != want {
				t.Errorf("%d replicas, want %d", got, want)
			}
		})
	}
	start(t, user, options(namespace))
	remove(t, kf)
}

// turn changes the spec so that objects come, go and change.
func turn(s *v1alpha2.KubeFledgedSpec, n int64) {
	s.ControllerReplicaCount = ptr.To(int32(1 + n%3))
	s.Webhook = &v1alpha2.WebhookSpec{Enabled: ptr.To(n%2 == 0)}
	s.PriorityClass = &v1alpha2.PriorityClassSpec{Create: ptr.To(n%2 == 1)}
	s.PodAnnotations = map[string]string{fmt.Sprintf("turn-%d", n): "x"}
}

func TestKilledDuringUninstall(t *testing.T) {
	for lives := int64(0); ; lives = following(lives) {
		died := false
		t.Run(fmt.Sprint(lives), func(t *testing.T) {
			namespace := namespaceFor(t)
			rollOut(t, namespace)
			before := everythingThere(t)
			kf := add(t, namespace, v1alpha2.KubeFledgedSpec{})
			untilDead(t, namespace, -1, settled(kf))
			if err := admin.Delete(t.Context(), kf); err != nil {
				t.Fatal(err)
			}
			gone := func() bool {
				return apierrors.IsNotFound(admin.Get(context.Background(), client.ObjectKeyFromObject(kf), kf))
			}
			_, died = untilDead(t, namespace, lives, gone)
			stop := start(t, user, options(namespace))
			defer stop()
			remove(t, kf)
			checkNothingNew(t, before)
		})
		if !died || t.Failed() {
			return
		}
	}
}
