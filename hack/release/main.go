// Release makes the images of a release without a container engine: those of the
// programs, of bundles for OLM, and catalogs of bundles. The same files make the
// same digests, so bundles can name images before anybody pushes them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(context.Background(), os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1) //nolint:forbidigo // the only exit
	}
}

func run(ctx context.Context, out io.Writer, args []string) error {
	commands := map[string]func(context.Context, io.Writer, []string) error{
		"image": imageCommand, "bundle": bundleCommand, "catalog": catalogCommand,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		return fmt.Errorf("want image, bundle or catalog; -h after it lists its flags")
	}
	return commands[args[0]](ctx, out, args[1:])
}

// destination is where an index goes.
type destination struct {
	output, reference string
	push, insecure    bool
}

func (d *destination) add(fs *flag.FlagSet) {
	fs.StringVar(&d.output, "output", "", "OCI layout to write")
	fs.StringVar(&d.reference, "reference", "", "name of the image, with its tag")
	fs.BoolVar(&d.push, "push", false, "push it to the reference, too")
	fs.BoolVar(&d.insecure, "insecure", false, "the registry speaks plain HTTP")
}

// deliver writes the index where it is to go and prints its name by digest.
func (d *destination) deliver(ctx context.Context, out io.Writer, index v1.ImageIndex) error {
	if err := withoutScheme(d.reference); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	if d.output != "" {
		if err := save(index, d.output, d.reference); err != nil {
			return err
		}
	}
	if d.push {
		if err := push(ctx, index, d.reference, d.insecure); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "%s@%s\n", repositoryOf(d.reference), digest)
	return err
}

// repositoryOf cuts the tag off: the last colon, unless it is of a port.
func repositoryOf(reference string) string {
	if at := strings.LastIndex(reference, ":"); at > strings.LastIndex(reference, "/") {
		return reference[:at]
	}
	return reference
}

func imageCommand(ctx context.Context, out io.Writer, args []string) error {
	var to destination
	fs := flag.NewFlagSet("image", flag.ContinueOnError)
	to.add(fs)
	dockerfile := fs.String("file", "Dockerfile", "Dockerfile")
	folder := fs.String("context", ".", "folder that COPY copies from")
	target := fs.String("target", "", "stage of the Dockerfile")
	platforms := fs.String("archs", strings.Join(archs, " "), "architectures")
	labels := map[string]string{}
	fs.Func("label", "label to add, key=value", func(text string) error {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("want key=value")
		}
		labels[key] = value
		return nil
	})
	if err := fs.Parse(args); err != nil {
		return err
	}
	content, err := os.ReadFile(*dockerfile)
	if err != nil {
		return err
	}
	index, err := indexOf(strings.Fields(*platforms), func(arch string) (v1.Image, error) {
		r, err := parse(string(content), *target, arch)
		if err != nil {
			return nil, err
		}
		return build(*folder, arch, r, labels)
	})
	if err != nil {
		return err
	}
	return to.deliver(ctx, out, index)
}

func bundleCommand(ctx context.Context, out io.Writer, args []string) error {
	var to destination
	fs := flag.NewFlagSet("bundle", flag.ContinueOnError)
	to.add(fs)
	dir := fs.String("dir", "bundle", "folder of the bundle")
	if err := fs.Parse(args); err != nil {
		return err
	}
	index, err := bundleIndex(*dir)
	if err != nil {
		return err
	}
	return to.deliver(ctx, out, index)
}

func catalogCommand(ctx context.Context, out io.Writer, args []string) error {
	fs := flag.NewFlagSet("catalog", flag.ContinueOnError)
	opm := fs.String("opm", "opm", "program")
	repository := fs.String("repository", "", "where the bundles' images are")
	from := fs.String("template", "", "template to begin with")
	to := fs.String("write-template", "", "template to write")
	output := fs.String("output", "", "catalog to write")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if err := withoutScheme(*repository); err != nil {
		return err
	}
	images, err := bundleImages(*repository, fs.Args())
	if err != nil {
		return err
	}
	begin, err := readTemplate(*from)
	if err != nil {
		return err
	}
	filled := fill(begin, images)
	rendered, err := render(ctx, *opm, filled, *repository, images)
	if err != nil {
		return err
	}
	content, err := yaml.Marshal(filled)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*to, append([]byte(templateHead), content...), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %d bundles\n", *output, len(images))
	return os.WriteFile(*output, rendered, 0o644)
}
