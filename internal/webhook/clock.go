package webhook

import "time"

// now is the time of certificates.
func now() time.Time { return time.Now() }
