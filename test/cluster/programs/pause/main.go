// Command pause waits until it is asked to end. It is what holds a pod's
// namespaces, and what the images made for tests run.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	<-asked
}
