package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kubefledged/kubefledged-operator/internal/webhook"
	"github.com/kubefledged/kubefledged-operator/internal/webhook/certificate"
)

// issued returns a Secret's data as a server of these names would have made it at
// that time.
func issued(t *testing.T, authority string, names []string, at time.Time) (certificate.Set, map[string][]byte) {
	t.Helper()
	set, err := certificate.Apply(certificate.Restart, certificate.Input{
		Names: certificate.Names{Authority: authority, Serving: names}, Periods: certificate.DefaultPeriods(), Now: at,
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := set.Data()
	if err != nil {
		t.Fatal(err)
	}
	return set, data
}

func host(namespace string) string { return "kubefledged-webhook-server." + namespace + ".svc" }

func ourNames(namespace string) []string {
	return []string{host(namespace), host(namespace) + ".cluster.local", "127.0.0.1"}
}

// TestWhatIsInTheSecretAtTheStart: whatever it is, the server comes up, and the
// API server takes its certificate.
func TestWhatIsInTheSecretAtTheStart(t *testing.T) {
	for name, data := range map[string]func(namespace string) map[string][]byte{
		"nothing": func(string) map[string][]byte { return nil },
		"expired": func(namespace string) map[string][]byte {
			_, data := issued(t, host(namespace)+" CA", ourNames(namespace), time.Now().Add(-2*365*24*time.Hour))
			return data
		},
		"foreign": func(string) map[string][]byte {
			_, data := issued(t, "kubefledged-webhook-server.elsewhere.svc CA", []string{"kubefledged-webhook-server.elsewhere.svc"}, time.Now())
			return data
		},
		"mixed": func(namespace string) map[string][]byte {
			_, data := issued(t, host(namespace)+" CA", ourNames(namespace), time.Now())
			_, other := issued(t, host(namespace)+" CA", ourNames(namespace), time.Now())
			data[certificate.KeyAuthorities] = other[certificate.KeyAuthorities]
			return data
		},
		"garbage": func(string) map[string][]byte {
			return map[string][]byte{certificate.KeyAuthorities: []byte("?"), certificate.KeyServing: {0}, certificate.KeyServingKey: nil}
		},
		"of-cert-manager": func(namespace string) map[string][]byte {
			_, data := issued(t, "some issuer", ourNames(namespace), time.Now())
			delete(data, certificate.KeyAuthorityKey)
			return data
		},
	} {
		t.Run(name, func(t *testing.T) {
			namespace := newNamespace(t)
			if content := data(namespace); content != nil {
				secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: secretName}, Data: content}
				if err := cp.Client.Create(t.Context(), secret); err != nil {
					t.Fatal(err)
				}
			}
			listener, address := listen(t)
			install(t, address)
			start(t, namespace, listener)
			waitUntilReady(t, address)
			waitUntilAsked(t, namespace)
		})
	}
}

// TestARestartKeepsTheCertificate: nothing is written when all is well.
func TestARestartKeepsTheCertificate(t *testing.T) {
	namespace := newNamespace(t)
	listener, address := listen(t)
	install(t, address)
	stop := start(t, namespace, listener)
	waitUntilReady(t, address)
	secret, configuration := objects(t, namespace)
	stop()
	listener, err := relisten(address)
	if err != nil {
		t.Fatal(err)
	}
	start(t, namespace, listener)
	waitUntilReady(t, address)
	after, configurationAfter := objects(t, namespace)
	if secret.ResourceVersion != after.ResourceVersion || configuration.ResourceVersion != configurationAfter.ResourceVersion {
		t.Errorf("a restart wrote: Secret %s -> %s, configuration %s -> %s", secret.ResourceVersion, after.ResourceVersion,
			configuration.ResourceVersion, configurationAfter.ResourceVersion)
	}
}

// TestTheSecretGoesWithTheConfiguration: uninstalling leaves nothing, and no
// Secret appears where nothing is installed.
func TestTheSecretGoesWithTheConfiguration(t *testing.T) {
	namespace := newNamespace(t)
	listener, address := listen(t)
	start(t, namespace, listener)
	eventually(t, "the server answers", func() error {
		if err := ready(address); err == nil {
			return errors.New("ready without a configuration")
		}
		return nil
	})
	time.Sleep(time.Second) // time to do what must not be done
	if err := cp.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: secretName}, &corev1.Secret{}); !apierrors.IsNotFound(err) {
		t.Fatalf("a Secret without a configuration: %v", err)
	}
	c := install(t, address)
	waitUntilReady(t, address)
	secret, _ := objects(t, namespace)
	if refs := secret.OwnerReferences; len(refs) != 1 || refs[0].UID != c.UID || refs[0].BlockOwnerDeletion != nil || refs[0].Controller != nil {
		t.Errorf("the Secret belongs to %+v", refs)
	}
}

// TestTheBundleIsPutBack, and nothing else of the configuration is touched.
func TestTheBundleIsPutBack(t *testing.T) {
	namespace := newNamespace(t)
	listener, address := listen(t)
	install(t, address)
	start(t, namespace, listener)
	waitUntilReady(t, address)
	_, before := objects(t, namespace)
	foreign, _ := issued(t, "foreign", []string{"foreign"}, time.Now())
	for name, bundle := range map[string][]byte{"emptied": nil, "foreign": foreign.Bundle()} {
		_, changed := objects(t, namespace)
		changed.Annotations = map[string]string{"somebody": "else"}
		changed.Webhooks[0].ClientConfig.CABundle = bundle
		changed.Webhooks[0].TimeoutSeconds = new(int32)
		*changed.Webhooks[0].TimeoutSeconds = 7
		if err := cp.Client.Update(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		eventually(t, "the caBundle is put back: "+name, func() error {
			if _, after := objects(t, namespace); !bytes.Equal(after.Webhooks[0].ClientConfig.CABundle, before.Webhooks[0].ClientConfig.CABundle) {
				return errors.New("not yet")
			}
			return nil
		})
		t.Logf("%s: put back after %s", name, time.Since(begun).Round(time.Millisecond))
		if _, after := objects(t, namespace); *after.Webhooks[0].TimeoutSeconds != 7 || after.Annotations["somebody"] != "else" || len(after.Webhooks[0].MatchConditions) == 0 {
			t.Errorf("%s: changed more than the caBundle: %+v", name, after)
		}
	}
	waitUntilAsked(t, namespace)
}

// TestMountedFiles serves what cert-manager mounts, and what it renews.
func TestMountedFiles(t *testing.T) {
	namespace := newNamespace(t)
	directory := t.TempDir()
	set, _ := issued(t, "cert-manager", ourNames(namespace), time.Now())
	mount(t, directory, set)
	listener, address := listen(t)
	c := install(t, address)
	start(t, namespace, listener, func(o *webhook.Options) {
		o.SelfSigned = false
		o.CertFile, o.KeyFile = filepath.Join(directory, "tls.crt"), filepath.Join(directory, "tls.key")
	})
	time.Sleep(time.Second) // time to do what must not be done
	if err := ready(address); err == nil {
		t.Error("ready though nobody trusts the files")
	}
	if _, configuration := readObjects(t, namespace); configuration.Webhooks[0].ClientConfig.CABundle != nil {
		t.Error("the caBundle is written, which is cert-manager's to write")
	}
	renewed, _ := issued(t, "cert-manager renewed", ourNames(namespace), time.Now())
	c.Webhooks[0].ClientConfig.CABundle = append(set.Bundle(), renewed.Bundle()...)
	if err := cp.Client.Update(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	waitUntilReady(t, address)
	waitUntilAsked(t, namespace)
	mount(t, directory, renewed)
	eventually(t, "the renewed certificate is served", func() error { return handshake(address, renewed.Bundle(), host(namespace)) })
	if secret, _ := readObjects(t, namespace); secret != nil {
		t.Error("there is a Secret of ours")
	}
}

func mount(t *testing.T, directory string, set certificate.Set) {
	t.Helper()
	data, err := set.Data()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tls.crt", "tls.key"} {
		file := filepath.Join(directory, name)
		if err := os.WriteFile(file+".new", data[name], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
}

// handshake is what an API server with this caBundle does for every connection.
func handshake(address string, bundle []byte, name string) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: name}}).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("handshake with %s: %w", address, err)
	}
	return conn.Close()
}

func objects(t *testing.T, namespace string) (*corev1.Secret, *admissionregistrationv1.ValidatingWebhookConfiguration) {
	t.Helper()
	secret, configuration := readObjects(t, namespace)
	if secret == nil {
		t.Fatal("there is no Secret")
	}
	return secret, configuration
}

func readObjects(t *testing.T, namespace string) (*corev1.Secret, *admissionregistrationv1.ValidatingWebhookConfiguration) {
	t.Helper()
	configuration := &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := cp.Client.Get(t.Context(), client.ObjectKey{Name: configurationName}, configuration); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{}
	err := cp.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: secretName}, secret)
	if apierrors.IsNotFound(err) {
		return nil, configuration
	}
	if err != nil {
		t.Fatal(err)
	}
	return secret, configuration
}
