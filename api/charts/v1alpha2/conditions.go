package v1alpha2

// Condition types of a KubeFledged.
const (
	// ConditionReady is True when the Deployments of the release that the spec
	// asks for are available.
	ConditionReady = "Ready"
	// ConditionProgressing is True while the operator or a Deployment has
	// something left to do.
	ConditionProgressing = "Progressing"
	// ConditionDegraded is True when something does not go on by itself, or only
	// by trying again; its message names the object and has its own words.
	ConditionDegraded = "Degraded"
)

// Reasons of the conditions.
const (
	// ReasonAvailable: every Deployment is available.
	ReasonAvailable = "Available"
	// ReasonUnavailable: a Deployment has no pod that is ready for long enough.
	ReasonUnavailable = "Unavailable"
	// ReasonInstalling: the release is being installed.
	ReasonInstalling = "Installing"
	// ReasonUpgrading: the release is being changed to what the spec asks for.
	ReasonUpgrading = "Upgrading"
	// ReasonRollingBack: an upgrade failed, and what ran before is being restored.
	ReasonRollingBack = "RollingBack"
	// ReasonRepairing: objects of the release were deleted or edited.
	ReasonRepairing = "Repairing"
	// ReasonRecovering: an operation or a record of the release was left unfinished
	// or unreadable and is being cleared away.
	ReasonRecovering = "Recovering"
	// ReasonUninstalling: the KubeFledged is being deleted.
	ReasonUninstalling = "Uninstalling"
	// ReasonRollingOut: Deployments replace or start their pods.
	ReasonRollingOut = "RollingOut"
	// ReasonWaiting: what failed is tried again later.
	ReasonWaiting = "WaitingToRetry"
	// ReasonSettled: there is nothing left to do.
	ReasonSettled = "Settled"
	// ReasonNoFailures: nothing is wrong.
	ReasonNoFailures = "NoFailures"
	// ReasonInvalidSpec: the chart cannot be rendered with these values; what was
	// installed before goes on.
	ReasonInvalidSpec = "InvalidSpec"
	// ReasonNothingRendered: the chart with these values makes no object.
	ReasonNothingRendered = "NothingRendered"
	// ReasonNotTheFirst: another KubeFledged is in the cluster, which has one image cache.
	ReasonNotTheFirst = "NotTheFirst"
	// ReasonNotWatched: the operator does not care for the KubeFledgeds of this namespace.
	ReasonNotWatched = "NotWatched"
	// ReasonForeignRelease: a Helm release of this name exists that the operator did not make.
	ReasonForeignRelease = "ForeignRelease"
	// ReasonInstallFailed: the API server refused an object of the first install.
	ReasonInstallFailed = "InstallFailed"
	// ReasonUpgradeFailed: the API server refused an object of an upgrade.
	ReasonUpgradeFailed = "UpgradeFailed"
	// ReasonRollbackFailed: what ran before could not be restored.
	ReasonRollbackFailed = "RollbackFailed"
	// ReasonRepairFailed: an object could not be restored, or somebody changes it again at once.
	ReasonRepairFailed = "RepairFailed"
	// ReasonUninstallFailed: something could not be taken down.
	ReasonUninstallFailed = "UninstallFailed"
	// ReasonPodsFailing: pods of a Deployment cannot start or keep crashing.
	ReasonPodsFailing = "PodsFailing"
	// ReasonDeploymentFailing: a Deployment cannot make its pods, or not in time.
	ReasonDeploymentFailing = "DeploymentFailing"
	// ReasonReconcileFailed: the API server could not be asked or written to.
	ReasonReconcileFailed = "ReconcileFailed"
)

// Reasons of the Events that are no reason of a condition.
const (
	// EventInstalled: the release was installed.
	EventInstalled = "Installed"
	// EventUpgraded: the release was upgraded.
	EventUpgraded = "Upgraded"
	// EventRolledBack: a failed upgrade was taken back.
	EventRolledBack = "RolledBack"
	// EventRepaired: an object was restored.
	EventRepaired = "Repaired"
	// EventUnlocked: an operation that nobody finished was cleared away.
	EventUnlocked = "Unlocked"
	// EventAdopted: a release of somebody else was taken over.
	EventAdopted = "Adopted"
	// EventRecordDiscarded: a record of the release could not be read and was deleted.
	EventRecordDiscarded = "RecordDiscarded"
	// EventImagesStay: the finalizer of an ImageCache was removed, and its images stay on the nodes.
	EventImagesStay = "ImagesStay"
)
