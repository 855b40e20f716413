package controllers

import (
	"github.com/spf13/pflag"

	"github.com/kubefledged/kubefledged-operator/api/kubefledged/v1alpha2"
)

// AddFlags adds a flag for each setting, in the order in which the help shows
// them. A word in backquotes is what the help calls the value.
func (o *Options) AddFlags(fs *pflag.FlagSet) {
	fs.SortFlags = false
	o.addPullFlags(fs)
	o.addRemovalFlags(fs)
	o.addPaceFlags(fs)
	o.addJobFlags(fs)
	o.addProgramFlags(fs)
}

func (o *Options) addPullFlags(fs *pflag.FlagSet) {
	fs.DurationVar(&o.ImagePullDeadline, "image-pull-deadline-duration", o.ImagePullDeadline, "Maximum duration allowed for pulling one image onto one node; after it the pull is considered to have failed. An ImageCache may set its own (spec.pullDeadline).")
	fs.StringVar(&o.ImagePullPolicy, "image-pull-policy", o.ImagePullPolicy, "Image pull `policy` of images with a fixed tag or digest: IfNotPresent, or Always. Images without a tag or with the tag latest are always pulled. An ImageCache may set its own (spec.imagePullPolicy).")
	fs.DurationVar(&o.RefreshFrequency, "image-cache-refresh-frequency", o.RefreshFrequency, "Time between two automatic refreshes of an ImageCache, in which images that are always pulled are pulled again; 0s turns them off. An ImageCache may set its own (spec.refreshInterval).")
	fs.DurationVar(&o.VerifyInterval, "verify-interval", o.VerifyInterval, "Time between two looks, node by node and without asking a registry, whether the images are still there; 0s leaves it at looking after a restart of the node, disk pressure and other signs.")
	fs.StringVar(&o.PullMethod, "pull-method", o.PullMethod, "How Jobs make kubelets pull, a `method`: image-volume (Kubernetes 1.35 with containerd 2.1 or CRI-O 1.33, and newer), exec (any), or auto (by each node's versions).")
	fs.StringVar(&o.ImagesPerJob, "images-per-job", o.ImagesPerJob, "Most images that one Job pulls onto a node: a `number` up to 50, or auto (small images together, large ones alone).")
}

func (o *Options) addRemovalFlags(fs *pflag.FlagSet) {
	fs.BoolVar(&o.Removal, "removal", o.Removal, "Remove an image from a node when the last ImageCache that listed it no longer does, and on purge. With --removal=false nothing is ever removed, and a purge says so in its status.")
	fs.StringVar(&o.RemovalNamespace, "removal-namespace", o.RemovalNamespace, "The `namespace` of the Jobs that remove images. Their pods mount the container runtime's socket, so it must allow Pod Security level privileged and should be nobody else's. (default: the controller's with \""+removalSuffix+"\" appended)")
	fs.BoolVar(&o.RemovalHostNet, "image-delete-job-host-network", o.RemovalHostNet, "Run the pods that remove images in the host's network.")
	fs.StringVar(&o.CRISocketPath, "cri-socket-path", o.CRISocketPath, "The `path` of the container runtime's socket on every node, for example /run/k3s/containerd/containerd.sock, with or without unix://. (default: what the annotation "+v1alpha2.AnnotationCRISocket+" of a node says, else the usual path of its runtime)")
	fs.DurationVar(&o.UnselectedGrace, "unselected-grace", o.UnselectedGrace, "How long a node keeps its images when a change of its labels has left it unselected; 0s removes them at once. An edit of the ImageCache is not waited for.")
}

func (o *Options) addPaceFlags(fs *pflag.FlagSet) {
	fs.IntVar(&o.JobsMaxSurge, "jobs-max-surge", o.JobsMaxSurge, "Hard cap on unfinished Jobs in the cluster, of all ImageCaches together; 0 for no cap but that of each node.")
	fs.IntVar(&o.JobsPerRegistry, "jobs-per-registry", o.JobsPerRegistry, "Hard cap on unfinished Jobs that pull from one registry; 0 for no cap. A registry that answers 429 or 5xx is left alone for a while in any case.")
	fs.IntVar(&o.PullsPerNode, "pulls-per-node", o.PullsPerNode, "Pull Jobs that one node may have at once, 1 to 10. More than one helps where kubelets pull in parallel (serializeImagePulls: false).")
	fs.IntVar(&o.Workers, "workers", o.Workers, "Number of nodes that are looked at side by side.")
}

func (o *Options) addJobFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.HelperImage, "helper-image", o.HelperImage, "The `image` of kubefledged-cri-client, which our pods run. Also set by the environment variable "+envHelperImage+".")
	fs.StringVar(&o.HelperImagePullPolicy, "helper-image-pull-policy", o.HelperImagePullPolicy, "Pull `policy` of the helper image: IfNotPresent, Always or Never.")
	fs.StringSliceVar(&o.HelperPullSecrets, "helper-image-pull-secrets", o.HelperPullSecrets, "The `names` of pull secrets for the helper image, separated by commas; they must exist in the namespace of each ImageCache and in that of the removals.")
	fs.StringVar(&o.ServiceAccountName, "service-account-name", o.ServiceAccountName, "The `name` of the service account of the pull pods, in the namespace of each ImageCache; its token is not mounted. (default: that namespace's default)")
	fs.StringVar(&o.JobPriorityClassName, "job-priority-class-name", o.JobPriorityClassName, "The `name` of the PriorityClass of our pods. (default: the cluster's default)")
	fs.StringToStringVar(&o.PodLabels, "pod-labels", o.PodLabels, "Labels added to our Jobs and pods: `key=value`, separated by commas.")
	fs.StringToStringVar(&o.PodAnnotations, "pod-annotations", o.PodAnnotations, "Annotations added to our Jobs and pods: `key=value`, separated by commas, for example sidecar.istio.io/inject=false.")
	fs.Lookup("pod-labels").DefValue, fs.Lookup("pod-annotations").DefValue = "", "" // not []
	fs.StringVar(&o.JobRetentionPolicy, "job-retention-policy", o.JobRetentionPolicy, "What becomes of a Job whose outcome is recorded, a `policy`: delete it, or retain it for a look at its pod. Only finished Jobs are retained: one that waits to pull again would go on asking the registry, so it is deleted all the same, and its words are in the status.")
	fs.DurationVar(&o.JobRetentionTTL, "job-retention-ttl", o.JobRetentionTTL, "How long finished Jobs are retained with --job-retention-policy=retain.")
}

func (o *Options) addProgramFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Namespace, "namespace", o.Namespace, "The `namespace` of the controller's own objects. Also set by the environment variable "+envNamespace+"; else it is the pod's.")
	fs.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect, "Let only one of several replicas work.")
	fs.StringVar(&o.MetricsAddress, "metrics-bind-address", o.MetricsAddress, "The `address` of the metrics endpoint, [host]:port; 0 turns it off.")
	fs.StringVar(&o.ProbeAddress, "health-probe-bind-address", o.ProbeAddress, "The `address` of the endpoints /healthz and /readyz, [host]:port; 0 turns them off.")
	fs.StringVar(&o.ProfileAddress, "pprof-bind-address", o.ProfileAddress, "The `address` of the endpoint /debug/pprof, [host]:port, for example :6060; 0 turns it off. Without a host it listens on 127.0.0.1 only, which kubectl port-forward reaches: profiles show what the process holds.")
	fs.StringVar(&o.Kubeconfig, "kubeconfig", o.Kubeconfig, "The `path` of a kubeconfig, for running outside a cluster.")
	fs.StringVar(&o.Master, "master", o.Master, "The `URL` of the API server, in place of the one that the kubeconfig names.")
}
