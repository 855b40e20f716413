// Package bundle holds the bundle for OLM, its catalog and the folder for
// OperatorHub against the rules that are made for them.
package bundle

import (
	_ "github.com/operator-framework/api/pkg/manifests"
	_ "github.com/operator-framework/api/pkg/validation"
	_ "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	_ "sigs.k8s.io/crdify/pkg/config"
	_ "sigs.k8s.io/crdify/pkg/runner"
)
