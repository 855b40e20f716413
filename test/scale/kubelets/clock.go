package kubelets

import utilclock "k8s.io/utils/clock"

// clock is the only source of time in this package.
var clock utilclock.Clock = utilclock.RealClock{}
