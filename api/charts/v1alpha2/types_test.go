package v1alpha2

import (
	"encoding/json"
	"testing"
)

// A value that a user leaves out must not reach the chart as a zero, and one
// that is set to nothing on purpose must.
func TestWhatIsLeftOutStaysOut(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"nothing":          {`{}`, `{}`},
		"false":            {`{"webhook":{"enabled":false}}`, `{"webhook":{"enabled":false}}`},
		"zero":             {`{"controllerReplicaCount":0}`, `{"controllerReplicaCount":0}`},
		"empty list":       {`{"topologySpreadConstraints":[]}`, `{"topologySpreadConstraints":[]}`},
		"of one component": {`{"controller":{"tolerations":[{"operator":"Exists"}]}}`, `{"controller":{"tolerations":[{"operator":"Exists"}]}}`},
		"number or word":   {`{"args":{"controllerImagesPerJob":4},"webhookService":{"targetPort":"https"}}`, `{"args":{"controllerImagesPerJob":4},"webhookService":{"targetPort":"https"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			var spec KubeFledgedSpec
			if err := json.Unmarshal([]byte(test.in), &spec); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(&spec)
			if err != nil {
				t.Fatal(err)
			}
			var a, b any
			if json.Unmarshal(got, &a) != nil || json.Unmarshal([]byte(test.want), &b) != nil || string(mustMarshal(t, a)) != string(mustMarshal(t, b)) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func mustMarshal(t *testing.T, v any) []byte {
	t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
