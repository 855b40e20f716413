// Package charts holds the Helm charts, for the operator, which installs them.
package charts

import "embed"

// KubeFledged is the directory of the image cache's chart in Files.
const KubeFledged = "kubefledged"

// Files are the charts' files.
//
//go:embed all:kubefledged
var Files embed.FS
