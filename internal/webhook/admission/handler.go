package admission

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/json"
)

// mostBytes is above what an API server sends: the old and the new object, of at
// most 3 MiB each, and what is around them.
const mostBytes = 7 << 20

// Handler answers AdmissionReviews.
type Handler struct {
	// Others may be nil.
	Others Others
	Log    logr.Logger
}

// Validate judges ImageCaches.
func (h *Handler) Validate() http.Handler {
	return h.answer(func(request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
		return judge(request, h.Others)
	})
}

// Mutate changes nothing, as in the original, for configurations that still have it.
func (h *Handler) Mutate() http.Handler {
	return h.answer(func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse { return allowed() })
}

func (h *Handler) answer(judge func(*admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timer := prometheus.NewTimer(duration)
		defer timer.ObserveDuration()
		defer h.recover(w)
		request, status, err := read(w, r)
		if err != nil {
			h.Log.Info("cannot read a request", "error", err.Error(), "from", r.RemoteAddr)
			count("", verdictBadRequest)
			http.Error(w, err.Error(), status)
			return
		}
		response := judge(request)
		response.UID = request.UID
		h.report(request, response)
		write(w, response)
	})
}

// recover answers a panic. There should be none; if there is, the user learns
// that it is not the ImageCache that is wrong.
func (h *Handler) recover(w http.ResponseWriter) {
	if cause := recover(); cause != nil {
		count("", verdictError)
		h.Log.Error(fmt.Errorf("%v", cause), "panic", "stack", string(debug.Stack()))
		http.Error(w, "an internal error of the webhook server, see its log", http.StatusInternalServerError)
	}
}

func (h *Handler) report(request *admissionv1.AdmissionRequest, response *admissionv1.AdmissionResponse) {
	operation := string(request.Operation)
	if response.Allowed {
		count(operation, verdictAllowed)
		return
	}
	verdict := verdictRefused
	if response.Result.Code == http.StatusBadRequest {
		verdict = verdictBadRequest
	}
	count(operation, verdict)
	h.Log.V(1).Info("refused", "namespace", request.Namespace, "name", request.Name, "operation", operation, "message", response.Result.Message)
}

// read returns the request, or an error for whoever sent it with its HTTP status.
func read(w http.ResponseWriter, r *http.Request) (*admissionv1.AdmissionRequest, int, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, http.StatusMethodNotAllowed, fmt.Errorf("%s is not supported: POST an AdmissionReview", r.Method)
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return nil, http.StatusUnsupportedMediaType, fmt.Errorf("Content-Type is %q: must be application/json", r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBytes))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, http.StatusRequestEntityTooLarge, fmt.Errorf("the request has more than %d bytes", mostBytes)
		}
		return nil, http.StatusBadRequest, fmt.Errorf("cannot read the request: %w", err)
	}
	request, err := parse(body)
	if err != nil {
		return nil, http.StatusBadRequest, err
	}
	return request, 0, nil
}

func parse(body []byte) (*admissionv1.AdmissionRequest, error) {
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(body, &review); err != nil {
		return nil, fmt.Errorf("cannot read the AdmissionReview: %w", err)
	}
	if got := review.GroupVersionKind(); got != admissionv1.SchemeGroupVersion.WithKind("AdmissionReview") {
		return nil, fmt.Errorf("this is a %s: must be an AdmissionReview of admission.k8s.io/v1", got)
	}
	if review.Request == nil || review.Request.UID == "" {
		return nil, errors.New("the AdmissionReview has no request with a uid")
	}
	return review.Request, nil
}

func write(w http.ResponseWriter, response *admissionv1.AdmissionResponse) {
	review := admissionv1.AdmissionReview{Response: response}
	review.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"))
	body, err := json.Marshal(review)
	if err != nil {
		panic(err) // strings and numbers can be written
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // whoever does not listen any more asks again
}
