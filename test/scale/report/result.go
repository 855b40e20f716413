// Package report holds the result of a run, compares it to what is accepted,
// and writes it down: as JSON, as a plot, and as a page.
package report

import "github.com/kubefledged/kubefledged-operator/test/scale/accounts"

// Result is one run.
type Result struct {
	// Nodes and Images are the size, Pairs their product.
	Nodes  int `json:"nodes"`
	Images int `json:"images"`
	Pairs  int `json:"pairs"`
	// JobControllerQPS is the controller manager's --kube-api-qps.
	JobControllerQPS int `json:"jobControllerQPS"`
	// ImagesPerJob is the controller's --images-per-job, 0 for auto.
	ImagesPerJob int `json:"imagesPerJob,omitempty"`
	// LeaseSeconds is how long the lease of a simulated node lasts.
	LeaseSeconds int `json:"leaseSeconds"`
	// Listed is how many images a node reports at most.
	Listed int `json:"listed"`
	// Machine, Commit and Date say what was measured where and when.
	Machine string `json:"machine"`
	Commit  string `json:"commit"`
	Date    string `json:"date"`
	// Floor are the hand-made Jobs of the same run.
	Floor Floor `json:"floor"`
	// Seconds is the time from apply to Succeeded.
	Seconds float64 `json:"seconds"`
	// Progress is what the status said on the way.
	Progress []Point `json:"progress"`
	// PeakMemory is the controller's largest resident memory, in bytes: when
	// everything was cached, and in the whole run.
	CreatePeakMemory int64 `json:"createPeakMemory"`
	PeakMemory       int64 `json:"peakMemory"`
	// RestartPeakMemory is that of a controller that was started with
	// everything cached.
	RestartPeakMemory int64 `json:"restartPeakMemory"`
	// ListFull is true when the nodes' own lists of images were cut.
	ListFull bool `json:"listFull"`
	// NodeCacheBytes and ImageCacheBytes are the largest objects.
	NodeCacheBytes  int `json:"nodeCacheBytes"`
	ImageCacheBytes int `json:"imageCacheBytes"`
	// ControllerEnded is how often the controller ended by itself, because the
	// API server was too busy to renew its lease, and was started again.
	ControllerEnded int `json:"controllerEnded"`
	// IdleCPU is the controller's share of one core with nothing to do, in
	// percent, over IdleSeconds.
	IdleCPU     float64 `json:"idleCPU"`
	IdleSeconds float64 `json:"idleSeconds"`
	// Held is what the nodes had, by what the simulated kubelets say.
	Held Held `json:"held"`
	// Started and Cached are the times from a new node being Ready to its first
	// Job, and to all its images being recorded.
	Started Latency `json:"started"`
	Cached  Latency `json:"cached"`
	// Operations are in the order they were done; the first is create.
	Operations []Operation `json:"operations"`
}

// Held are pairs of node and image that there were.
type Held struct {
	// AfterCreate is when the status said that all are cached, AfterReplaced
	// when it said so after nodes were replaced.
	AfterCreate   int `json:"afterCreate"`
	AfterReplaced int `json:"afterReplaced,omitempty"`
	// BesideMissing and BesideSlow are of ten images on a few nodes, one of
	// which is missing or slow.
	BesideMissing int `json:"besideMissing,omitempty"`
	BesideSlow    int `json:"besideSlow,omitempty"`
	// AfterPurge is what was left; nil when nothing was purged.
	AfterPurge *int `json:"afterPurge,omitempty"`
}

// Floor is what the same images cost in Jobs written by hand.
type Floor struct {
	Jobs    int            `json:"jobs"`
	Pairs   int            `json:"pairs"`
	Seconds float64        `json:"seconds"`
	Tally   accounts.Tally `json:"tally"`
}

// Point is how many pairs were cached after a time.
type Point struct {
	Seconds float64 `json:"seconds"`
	Pairs   int     `json:"pairs"`
}

// Latency are percentiles in seconds of Count cases.
type Latency struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// Operation is what one thing cost.
type Operation struct {
	Name       string         `json:"name"`
	Seconds    float64        `json:"seconds"`
	CPUSeconds float64        `json:"cpuSeconds"`
	Tally      accounts.Tally `json:"tally"`
	// ServerWrites is what the API server's metrics say of all writes in that time.
	ServerWrites int `json:"serverWrites"`
}

// Operation returns the operation of that name, nil when it was not done.
func (r *Result) Operation(name string) *Operation {
	for i := range r.Operations {
		if r.Operations[i].Name == name {
			return &r.Operations[i]
		}
	}
	return nil
}
