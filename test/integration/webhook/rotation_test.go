package webhook

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/webhook"
	"github.com/kubefledged/kubefledged-operator/internal/webhook/certificate"
)

func relisten(address string) (net.Listener, error) { return net.Listen("tcp", address) }

// quick lets an authority be replaced every six seconds. What is replaced would
// be good for half a minute more: a busy machine is late, and that is no failure
// of the servers.
func quick(o *webhook.Options) {
	o.Periods = certificate.Periods{
		Authority: 46 * time.Second, AuthorityRenewal: 40 * time.Second,
		Serving: 35 * time.Second, ServingRenewal: 30 * time.Second,
		Propagation: propagation, Retirement: 6 * time.Second,
	}
}

// propagation is how late an API server may be under load, in which certificates
// of quick and what trusts them part.
const propagation = 3 * time.Second

// replicas installs a configuration that asks two servers about everything, so
// that each call fails if one of them would.
func replicas(t *testing.T, mods ...func(*webhook.Options)) (namespace string, addresses []string, stops []func()) {
	t.Helper()
	namespace = newNamespace(t)
	var listeners []net.Listener
	for range 2 {
		listener, address := listen(t)
		listeners, addresses = append(listeners, listener), append(addresses, address)
	}
	install(t, addresses...)
	for _, listener := range listeners {
		stops = append(stops, start(t, namespace, listener, mods...))
	}
	for _, address := range addresses {
		waitUntilReady(t, address)
	}
	waitUntilAsked(t, namespace)
	return namespace, addresses, stops
}

// TestRotationUnderLoad: 50 validations a second, half of which must be refused,
// and 50 new connections a second that trust what was in the configuration a
// moment ago, while authorities and certificates come and go. Nothing fails.
func TestRotationUnderLoad(t *testing.T) {
	namespace, addresses, _ := replicas(t, quick)
	load := begin(t, namespace, addresses)
	eventually(t, "the authority was replaced three times", func() error {
		if n := load.authorities.Load(); n < 3 {
			return fmt.Errorf("%d times", n)
		}
		return nil
	})
	load.end(t)
}

// TestTheSecretIsDeletedUnderLoad: somebody wants new certificates, or was
// mistaken. The servers go on with what they have until its successor is trusted.
func TestTheSecretIsDeletedUnderLoad(t *testing.T) {
	namespace, addresses, _ := replicas(t, func(o *webhook.Options) { o.Periods.Propagation, o.Periods.Retirement = time.Second, 2*time.Second })
	secret, _ := objects(t, namespace)
	former := certificate.Parse(secret.Data).Authorities[0]
	load := begin(t, namespace, addresses)
	if err := cp.Client.Delete(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the former authority is not trusted any more", func() error {
		_, configuration := readObjects(t, namespace)
		if certificate.Holds(configuration.Webhooks[0].ClientConfig.CABundle, former) {
			return fmt.Errorf("it still is")
		}
		return nil
	})
	load.end(t)
}

// load asks until it is ended.
type load struct {
	cancel      context.CancelFunc
	group       sync.WaitGroup
	calls       atomic.Int64
	connections atomic.Int64
	authorities atomic.Int64

	mutex    sync.Mutex
	failures []string
}

func begin(t *testing.T, namespace string, addresses []string) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{cancel: cancel}
	t.Cleanup(cancel)
	for i := range 50 {
		l.every(ctx, time.Second, time.Duration(i)*20*time.Millisecond, func() { l.validate(ctx, namespace, i) })
	}
	known := &atomic.Pointer[bundle]{}
	l.watchBundle(ctx, known)
	for i := range 50 {
		address := addresses[i%len(addresses)]
		l.every(ctx, time.Second, time.Duration(i)*20*time.Millisecond, func() {
			// An API server that is later than this is one that we do not promise
			// anything.
			if seen := known.Load(); seen != nil && time.Since(seen.at) < propagation {
				l.connections.Add(1)
				l.record(ctx, handshake(address, seen.authorities, host(namespace)))
			}
		})
	}
	return l
}

// every calls do once a period, the first time after a delay.
func (l *load) every(ctx context.Context, period, delay time.Duration, do func()) {
	l.group.Go(func() {
		for wait := delay; ; wait = period {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
				do()
			}
		}
	})
}

// validate asks about a good ImageCache or a bad one, which must be refused.
func (l *load) validate(ctx context.Context, namespace string, i int) {
	ic := listing(namespace, fmt.Sprintf("load-%d", i), "nginx:1")
	if i%2 == 1 {
		ic = twice(namespace, ic.Name)
	}
	err := cp.Client.Create(ctx, ic, client.DryRunAll)
	if i%2 == 1 && apierrors.IsInvalid(err) {
		err = nil
	} else if i%2 == 1 && err == nil {
		err = fmt.Errorf("a bad ImageCache is accepted")
	}
	l.calls.Add(1)
	l.record(ctx, err)
}

// bundle is the caBundle of the configuration, as it was at some time.
type bundle struct {
	authorities []byte
	at          time.Time
}

// watchBundle keeps what an API server that is half a second late knows.
func (l *load) watchBundle(ctx context.Context, known *atomic.Pointer[bundle]) {
	var newest string
	l.every(ctx, 500*time.Millisecond, 0, func() {
		asked, configuration := time.Now(), &admissionregistrationv1.ValidatingWebhookConfiguration{}
		if err := cp.Client.Get(ctx, client.ObjectKey{Name: configurationName}, configuration); err != nil {
			l.record(ctx, err)
			return
		}
		seen := configuration.Webhooks[0].ClientConfig.CABundle
		known.Store(&bundle{authorities: seen, at: asked})
		if set := certificate.Parse(map[string][]byte{certificate.KeyAuthorities: seen}); len(set.Authorities) > 0 {
			if now := string(set.Authorities[0].Raw); now != newest {
				if newest != "" {
					l.authorities.Add(1)
				}
				newest = now
			}
		}
	})
}

func (l *load) record(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.failures = append(l.failures, err.Error())
}

func (l *load) end(t *testing.T) {
	t.Helper()
	l.cancel()
	l.group.Wait()
	t.Logf("%d validations and %d connections, %d authorities replaced, %d failures", l.calls.Load(), l.connections.Load(), l.authorities.Load(), len(l.failures))
	for i, failure := range l.failures {
		if t.Errorf("failed: %s", failure); i == 5 {
			break
		}
	}
	if l.calls.Load() == 0 || l.connections.Load() == 0 {
		t.Error("nothing was asked")
	}
}
