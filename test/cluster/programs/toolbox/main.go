// Command toolbox is what tests run in pods: a web server, a client for it, a
// DNS lookup, and a program that exits as told.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const usage = `usage: toolbox pause | serve PORT | get URL | lookup NAME | echo TEXT... | exit CODE`

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "toolbox:", err)
	}
	os.Exit(code)
}

// run returns the exit code.
func run(args []string) (int, error) {
	if len(args) == 0 {
		args = []string{"pause"}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	rest := strings.Join(args[1:], " ")
	switch args[0] {
	case "pause":
		<-ctx.Done()
		return 0, nil
	case "serve":
		return code(serve(ctx, rest))
	case "get":
		return code(get(ctx, rest))
	case "lookup":
		addresses, err := net.DefaultResolver.LookupHost(ctx, rest)
		fmt.Println(strings.Join(addresses, "\n"))
		return code(err)
	case "echo":
		fmt.Println(rest)
		return 0, nil
	case "exit":
		return strconv.Atoi(rest)
	default:
		return 2, errors.New(usage)
	}
}

func code(err error) (int, error) {
	if err != nil {
		return 1, err
	}
	return 0, nil
}

// serve answers every request with the pod's name.
func serve(ctx context.Context, port string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              ":" + port,
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(writer, name)
		}),
	}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Println("serving on port", port)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Timeout: 5 * time.Second}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return errors.New(response.Status)
	}
	return nil
}
