package simulation

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
	"github.com/kubefledged/kubefledged-operator/internal/outcome"
	"github.com/kubefledged/kubefledged-operator/internal/plan"
)

// input is what the planner gets to see of a node: what this process's
// informers hold, and the events it reads past them.
func (p *process) input(n *node) plan.NodeInput {
	w := p.world
	in := plan.NodeInput{
		Now: w.time(), Node: w.planned(n), Caches: p.caches(), Jobs: p.jobs(n.name),
		Options: w.options(),
	}
	if r := p.record(n.name); r != nil {
		in.Record = &plan.Record{UID: r.uid, NodeCacheStatus: r.status}
	}
	return in
}

func (w *world) options() plan.Options {
	return plan.Options{
		ImagesPerJob: w.settings.imagesPerJob, Sizes: w.promises.size,
		VerifyInterval: w.settings.verify, UnselectedGrace: w.settings.grace,
		RemovalDisabled: w.settings.noRemoval, RetainJobs: w.settings.retain, PullsPerNode: w.settings.pulls,
	}
}

func (p *process) record(name string) *record {
	r, _ := p.informers[records].view["/"+name].(*record)
	return r
}

func (p *process) node(name string) *node {
	n, _ := p.informers[nodes].view["/"+name].(*node)
	return n
}

func (p *process) caches() []*plan.Cache {
	all := p.informers[caches].list()
	list := make([]*plan.Cache, 0, len(all))
	for _, o := range all {
		list = append(list, o.(*cache).plan)
	}
	return list
}

// planned returns a Node as the planner takes it.
func (w *world) planned(n *node) plan.Node {
	out := plan.Node{
		Name: n.name, UID: n.uid, Labels: n.labels, Taints: n.taints, Method: plan.MethodImageVolume,
		BootID: n.bootID, DiskPressure: n.pressure, Socket: "/run/runtime.sock",
		Reported: n.reported, Listed: n.listed,
	}
	switch {
	case n.cordoned:
		out.Unavailable = v1alpha2.WaitingUnschedulable
	case !n.ready:
		out.Unavailable = v1alpha2.WaitingNotReady
	case n.pressure:
		out.Unavailable = v1alpha2.WaitingDiskPressure
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// jobs pairs the Jobs of a node with their pods, as internal/observe does.
func (p *process) jobs(name string) []plan.Job {
	var list []plan.Job
	podOf := map[string]*pod{}
	for _, o := range p.informers[pods].view {
		if pd := o.(*pod); pd.job.node == name {
			podOf[string(pd.job.uid)] = pd
		}
	}
	for _, o := range p.informers[jobs].view {
		j := o.(*job)
		if j.node != name {
			continue
		}
		pd := podOf[string(j.uid)]
		delete(podOf, string(j.uid))
		list = append(list, p.planJob(j, pd))
	}
	for _, pd := range podOf {
		list = append(list, plan.Job{
			Kind: pd.job.work, Namespace: pd.namespace, Name: pd.name, Gone: true,
			NodeUID: pd.job.nodeUID, Sequence: pd.job.sequence, PodRunning: pd.phase != ended,
		})
	}
	slices.SortFunc(list, func(a, b plan.Job) int {
		return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), cmp.Compare(a.Name, b.Name))
	})
	return list
}

func (p *process) planJob(j *job, pd *pod) plan.Job {
	return plan.Job{
		Kind: j.work, Finished: j.finished, Selectors: j.selectors, Record: j.record, Namespace: j.namespace, Name: j.name, UID: j.uid, NodeUID: j.nodeUID, Owner: j.owner,
		Sequence: j.sequence, Identity: j.identity, Images: j.images, Deadline: j.deadline,
		Created: j.created, Deleting: j.deleting, PodRunning: pd != nil && pd.phase != ended,
		Attempt: p.world.attempt(j, pd),
	}
}

// attempt is what outcome.Read would make of a Job and its pod.
func (w *world) attempt(j *job, pd *pod) outcome.Attempt {
	a := outcome.Attempt{Images: make([]outcome.Image, len(j.images))}
	if pd == nil {
		return w.withoutPod(j, a)
	}
	a.Started, a.Refused = pd.started, pd.refused
	copy(a.Images, pd.shown)
	if pd.phase == ended {
		fill(&a, outcome.Image{Kind: outcome.NotTried})
	}
	if !a.Started.IsZero() && w.time().Sub(a.Started) >= outcome.NoProgressGrace && !pd.deleting {
		w.readEvents(pd, &a)
	}
	a.Settled = !open(&a)
	return a
}

// withoutPod reads a Job without a pod: late, refused by a quota, or over.
func (w *world) withoutPod(j *job, a outcome.Attempt) outcome.Attempt {
	waited := w.time().Sub(j.created)
	switch {
	case waited < outcome.NoPodGrace:
		return a
	case j.finished && j.failed:
		fill(&a, outcome.Image{Kind: outcome.NotTried})
	case j.finished && j.work != plan.JobRemove:
		fill(&a, outcome.Image{Kind: outcome.Pulled})
	case j.finished:
		fill(&a, outcome.Image{Kind: outcome.NotTried})
	case w.quota[j.namespace] && len(w.control.podsOf(j.uid)) == 0, waited > outcome.NoPodDeadline:
		fill(&a, outcome.Image{Kind: outcome.Failed, Reason: v1alpha2.ReasonPodNotCreated, Message: "exceeded quota"})
	}
	a.Settled = !open(&a)
	return a
}

// readEvents adds what the kubelet's events tell: what is pulled now, or that
// the pod does not start.
func (w *world) readEvents(pd *pod, a *outcome.Attempt) {
	n := w.node(pd.job.node)
	if n == nil || w.kubelets[string(n.uid)] == nil {
		return
	}
	for _, pw := range w.kubelets[string(n.uid)].work {
		switch {
		case pw.pod.uid != pd.uid:
		case pw.stuck && pw.tells:
			fill(a, outcome.Image{Kind: outcome.Failed, Reason: v1alpha2.ReasonPodStuck, Message: "FailedMount"})
		case pw.next < len(a.Images) && !pw.pulling.IsZero() && a.Images[pw.next].Kind == outcome.Undecided:
			a.Pulling = &outcome.Pulling{Index: pw.next, Since: pw.pulling.Truncate(time.Second)}
			a.Arrived, a.Failing = arrived(pw, a), failing(pw, a)
		}
	}
}

// arrived are the images whose pull the events of a pod have told of.
func arrived(pw *podWork, a *outcome.Attempt) []int {
	var indexes []int
	for i := range pw.next {
		if pw.results[i].Kind == outcome.Pulled && a.Images[i].Kind == outcome.Undecided {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// failing are the images whose failure the events of a pod have told of.
func failing(pw *podWork, a *outcome.Attempt) map[int]outcome.Image {
	failures := map[int]outcome.Image{}
	for i := range pw.next {
		if pw.results[i].Kind == outcome.Failed && a.Images[i].Kind == outcome.Undecided {
			failures[i] = pw.results[i]
		}
	}
	return failures
}

func open(a *outcome.Attempt) bool {
	return slices.ContainsFunc(a.Images, func(i outcome.Image) bool { return i.Kind == outcome.Undecided })
}

func fill(a *outcome.Attempt, with outcome.Image) {
	for i := range a.Images {
		if a.Images[i].Kind == outcome.Undecided {
			a.Images[i] = with
		}
	}
}

// cacheInput is what the loop of the ImageCaches sees of one of them: all nodes
// that a list selects or whose record holds a claim of it.
func (p *process) cacheInput(c *cache) plan.CacheInput {
	in := plan.CacheInput{Now: p.world.time(), Cache: c.plan, Previous: c.status, Deleted: c.deletedAt}
	flying, pulls := map[string]map[plan.Key]bool{}, map[string][]int64{}
	for _, o := range p.informers[jobs].list() {
		j := o.(*job)
		if j.work != plan.JobPull {
			continue
		}
		if j.owner == c.uid {
			pulls[j.node] = append(pulls[j.node], j.sequence)
		}
		if j.finished || j.deleting {
			continue
		}
		if flying[j.node] == nil {
			flying[j.node] = map[plan.Key]bool{}
		}
		for _, image := range j.images {
			flying[j.node][plan.Key{Image: image, Identity: j.identity}] = true
		}
	}
	for _, o := range p.informers[nodes].list() {
		n := o.(*node)
		r := p.record(n.name)
		if !c.selects(n) && r.claim(c.uid) == nil {
			continue
		}
		planned := p.world.planned(n)
		view := plan.NodeView{Node: &planned, InFlight: flying[n.name], Pulls: pulls[n.name]}
		if r != nil {
			view.Record = &r.status
		}
		in.Nodes = append(in.Nodes, view)
	}
	return in
}

// claim returns the claim of an ImageCache, nil when there is none.
func (o *record) claim(uid types.UID) *v1alpha2.Claim {
	if o == nil {
		return nil
	}
	for i := range o.status.Claims {
		if o.status.Claims[i].UID == uid {
			return &o.status.Claims[i]
		}
	}
	return nil
}

// toleratesAll is the toleration of everything.
var toleratesAll = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
