// Package cri is the helper that runs on nodes, as the controller knows it: its
// name, how it copies itself, and how a removal is asked for and answered.
//
// What the helper does is in packages below this one, which the controller does
// not link: command has its commands, removal speaks to the container runtime.
package cri

// ProgramName is the file name of the helper, in its image and where Install
// puts it. Jobs refer to it.
const ProgramName = "kubefledged-cri-client"
