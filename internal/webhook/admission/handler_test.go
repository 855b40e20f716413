package admission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	dto "github.com/prometheus/client_model/go"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/fixture"
	"github.com/kubefledged/kubefledged-operator/internal/validation"
)

// question returns an AdmissionReview about an object, as bytes.
func question(t testing.TB, operation admissionv1.Operation, object, old any, mods ...func(*admissionv1.AdmissionReview)) []byte {
	t.Helper()
	review := &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID: "u1", Kind: metav1.GroupVersionKind(kind), Operation: operation, Namespace: "ns", Name: "cache",
			Object: runtime.RawExtension{Raw: marshal(t, object)}, OldObject: runtime.RawExtension{Raw: marshal(t, old)},
		},
	}
	for _, mod := range mods {
		mod(review)
	}
	return marshal(t, review)
}

func marshal(t testing.TB, value any) []byte {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func listing(images ...v1alpha2.Image) *v1alpha2.ImageCache {
	ic := fixture.ImageCache("cache")
	ic.Spec.CacheSpec = []v1alpha2.CacheSpecImages{{Images: images}}
	return ic
}

func post(handler http.Handler, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/validate-image-cache", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func answered(t testing.TB, w *httptest.ResponseRecorder) *admissionv1.AdmissionResponse {
	t.Helper()
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil || w.Code != http.StatusOK {
		t.Fatalf("HTTP %d: %v: %s", w.Code, err, w.Body)
	}
	if review.APIVersion != "admission.k8s.io/v1" || review.Kind != "AdmissionReview" || review.Response == nil || review.Response.UID != "u1" {
		t.Fatalf("no answer to the question: %s", w.Body)
	}
	return review.Response
}

func TestVerdicts(t *testing.T) {
	deleted := listing("UPPER/case")
	deleted.DeletionTimestamp = &metav1.Time{Time: fixture.Created}
	bad := listing("ok:1", "UPPER/case")
	for name, test := range map[string]struct {
		body []byte
		code int32  // 0: allowed
		want string // part of the message
	}{
		"a good one":              {question(t, "CREATE", listing("nginx:1"), nil), 0, ""},
		"a bad one":               {question(t, "CREATE", bad, nil), 422, `ImageCache.kubefledged.io "cache" is invalid: spec.cacheSpec[0].images[1]: Invalid value: "UPPER/case"`},
		"two ways of writing it":  {question(t, "CREATE", listing("nginx", "docker.io/library/nginx:latest"), nil), 422, "Duplicate image names within image list: docker.io/library/nginx:latest (the same image as spec.cacheSpec[0].images[0]: nginx)"},
		"stored before the rule":  {question(t, "UPDATE", listing("ok:2", "UPPER/case"), bad), 0, ""},
		"an edit that adds one":   {question(t, "UPDATE", listing("ok:1", "UPPER/case", "UPPER/too"), bad), 422, `images[2]: Invalid value: "UPPER/too"`},
		"being deleted":           {question(t, "UPDATE", deleted, nil), 0, ""},
		"a deletion":              {question(t, "DELETE", nil, bad), 0, ""},
		"a subresource":           {question(t, "UPDATE", bad, nil, func(r *admissionv1.AdmissionReview) { r.Request.SubResource = "status" }), 0, ""},
		"an old one unreadable":   {question(t, "UPDATE", bad, []string{"?"}), 422, "UPPER/case"},
		"another kind":            {question(t, "CREATE", listing("a"), nil, func(r *admissionv1.AdmissionReview) { r.Request.Kind.Kind = "Pod" }), 400, "this webhook judges kubefledged.io/v1alpha2, Kind=ImageCache, not kubefledged.io/v1alpha2, Kind=Pod"},
		"no object":               {question(t, "CREATE", []int{1}, nil), 400, "cannot read the ImageCache: json: cannot unmarshal array"},
		"a duration that is none": {question(t, "CREATE", map[string]any{"spec": map[string]any{"pullDeadline": "soon"}}, nil), 400, `cannot read the ImageCache: time: invalid duration "soon"`},
		"nothing to judge":        {question(t, "CREATE", nil, nil), 400, "cannot read the ImageCache: unexpected end of JSON input"},
		"an empty one":            {question(t, "CREATE", map[string]any{}, nil), 422, "spec.cacheSpec: Required value"},
	} {
		t.Run(name, func(t *testing.T) {
			response := answered(t, post((&Handler{Log: logr.Discard()}).Validate(), test.body))
			if response.Allowed != (test.code == 0) {
				t.Fatalf("got %+v", response)
			}
			if test.code != 0 && (response.Result.Code != test.code || !strings.Contains(response.Result.Message, test.want)) {
				t.Errorf("got %d %q,\nwant %d %q", response.Result.Code, response.Result.Message, test.code, test.want)
			}
		})
	}
}

func TestWhatIsNoQuestion(t *testing.T) {
	good := question(t, "CREATE", listing("nginx:1"), nil)
	for name, test := range map[string]struct {
		method, contentType string
		body                []byte
		code                int
		want                string
	}{
		"a look by a browser": {http.MethodGet, "", nil, 405, "GET is not supported: POST an AdmissionReview"},
		"no content type":     {http.MethodPost, "", good, 415, `Content-Type is "": must be application/json`},
		"yaml":                {http.MethodPost, "application/yaml", good, 415, "must be application/json"},
		"a charset":           {http.MethodPost, "application/json; charset=utf-8", good, 200, `"allowed":true`},
		"nothing":             {http.MethodPost, "application/json", nil, 400, "cannot read the AdmissionReview"},
		"no JSON":             {http.MethodPost, "application/json", []byte("<xml>"), 400, "cannot read the AdmissionReview: invalid character '<'"},
		"another object":      {http.MethodPost, "application/json", []byte(`{"apiVersion":"v1","kind":"Pod"}`), 400, "this is a /v1, Kind=Pod: must be an AdmissionReview of admission.k8s.io/v1"},
		"an old version":      {http.MethodPost, "application/json", []byte(`{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"u1"}}`), 400, "must be an AdmissionReview of admission.k8s.io/v1"},
		"no request":          {http.MethodPost, "application/json", []byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`), 400, "no request with a uid"},
		"no uid":              {http.MethodPost, "application/json", []byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{}}`), 400, "no request with a uid"},
		"too much":            {http.MethodPost, "application/json", bytes.Repeat([]byte(" "), mostBytes+1), 413, "more than 7340032 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, "/validate-image-cache", bytes.NewReader(test.body))
			r.Header.Set("Content-Type", test.contentType)
			w := httptest.NewRecorder()
			(&Handler{Log: logr.Discard()}).Validate().ServeHTTP(w, r)
			if w.Code != test.code || !strings.Contains(w.Body.String(), test.want) {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, test.code, test.want)
			}
		})
	}
}

// The API server cuts what is long, and 2,048 lines help nobody.
func TestFewMistakesAreTold(t *testing.T) {
	ic := listing()
	for i := range validation.MaxImages {
		ic.Spec.CacheSpec[0].Images = append(ic.Spec.CacheSpec[0].Images, v1alpha2.Image(fmt.Sprintf("UPPER/%d", i)))
	}
	response := answered(t, post((&Handler{Log: logr.Discard()}).Validate(), question(t, "CREATE", ic, nil)))
	causes := response.Result.Details.Causes
	if len(causes) != mostMistakes+1 || !strings.Contains(causes[mostMistakes].Message, "and 2038 more mistakes") || len(response.Result.Message) > 4096 {
		t.Errorf("%d causes, %d bytes: %s", len(causes), len(response.Result.Message), response.Result.Message)
	}
}

func TestWarningsOfOthers(t *testing.T) {
	handler := &Handler{Log: logr.Discard(), Others: func(namespace string) []validation.Pulled {
		return []validation.Pulled{{Cache: "other", Always: []string{"docker.io/library/nginx:1"}}, {Cache: namespace}}
	}}
	response := answered(t, post(handler.Validate(), question(t, "CREATE", listing("nginx:1"), nil)))
	if !response.Allowed || len(response.Warnings) != 1 || !strings.Contains(response.Warnings[0], "nginx:1 (Always in other)") {
		t.Errorf("got %+v", response)
	}
}

func TestMutateChangesNothing(t *testing.T) {
	response := answered(t, post((&Handler{Log: logr.Discard()}).Mutate(), question(t, "CREATE", listing("UPPER/case"), nil)))
	if !response.Allowed || response.Patch != nil {
		t.Errorf("got %+v", response)
	}
}

func TestAPanicIsAnswered(t *testing.T) {
	before := counted(t, "", verdictError)
	handler := &Handler{Log: logr.Discard(), Others: func(string) []validation.Pulled { panic("nil map") }}
	w := post(handler.Validate(), question(t, "CREATE", listing("nginx:1"), nil))
	if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), "internal error of the webhook server") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if got := counted(t, "", verdictError) - before; got != 1 {
		t.Errorf("counted %v errors", got)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	handler := (&Handler{Log: logr.Discard()}).Validate()
	for _, test := range []struct {
		operation, verdict string
		body               []byte
	}{
		{"CREATE", verdictAllowed, question(t, "CREATE", listing("nginx:1"), nil)},
		{"UPDATE", verdictRefused, question(t, "UPDATE", listing("UPPER/case"), listing("nginx:1"))},
		{"CREATE", verdictBadRequest, question(t, "CREATE", 1, nil)},
		{"", verdictBadRequest, []byte("?")},
		{"", verdictAllowed, question(t, "MADE UP", listing("nginx:1"), nil)},
	} {
		before := counted(t, test.operation, test.verdict)
		post(handler, test.body)
		if got := counted(t, test.operation, test.verdict) - before; got != 1 {
			t.Errorf("%s %s: counted %v", test.operation, test.verdict, got)
		}
	}
}

func counted(t *testing.T, operation, verdict string) float64 {
	t.Helper()
	var metric dto.Metric
	if err := requests.WithLabelValues(operation, verdict).Write(&metric); err != nil {
		t.Fatal(err)
	}
	return metric.GetCounter().GetValue()
}

// FuzzValidate: whatever arrives is answered, and never by way of a panic.
func FuzzValidate(f *testing.F) {
	f.Add(question(f, "CREATE", listing("nginx:1"), nil))
	f.Add(question(f, "UPDATE", listing("UPPER/case", "a"), listing("UPPER/case")))
	f.Add(question(f, "DELETE", nil, listing("a")))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u1","kind":{"group":"kubefledged.io","version":"v1alpha2","kind":"ImageCache"},"operation":"UPDATE","object":{"spec":{"cacheSpec":[{"images":null,"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[null,{"matchFields":[{}]}]}}}],"tolerations":[{}],"imagePullSecrets":[null]}},"oldObject":{"spec":null}}}`))
	handler := (&Handler{Log: logr.Discard(), Others: func(string) []validation.Pulled {
		return []validation.Pulled{{Cache: "other", Always: []string{"docker.io/library/nginx:1"}}}
	}}).Validate()
	f.Fuzz(func(t *testing.T, body []byte) {
		switch w := post(handler, body); w.Code {
		case http.StatusOK:
			var review admissionv1.AdmissionReview
			if err := json.Unmarshal(w.Body.Bytes(), &review); err != nil || review.Response == nil || review.Response.UID == "" {
				t.Errorf("no answer: %v %s", err, w.Body)
			}
			if r := review.Response; r != nil && !r.Allowed && (r.Result == nil || r.Result.Message == "") {
				t.Errorf("refused without a word: %s", w.Body)
			}
		case http.StatusBadRequest:
		default:
			t.Errorf("HTTP %d: %s", w.Code, w.Body)
		}
	})
}

// BenchmarkValidate answers one question about two thousand images, old and new.
func BenchmarkValidate(b *testing.B) {
	for _, n := range []int{10, 2000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ic := listing()
			for i := range n {
				ic.Spec.CacheSpec[0].Images = append(ic.Spec.CacheSpec[0].Images, v1alpha2.Image(fmt.Sprintf("registry.example.com/team/app-%d:1", i)))
			}
			body := question(b, "UPDATE", ic, ic)
			handler := (&Handler{Log: logr.Discard()}).Validate()
			for b.Loop() {
				post(handler, body)
			}
		})
	}
}
