package main

import (
	"context"
	"strings"
)

// run shows a command of kubectl and what it says.
func (d *demo) run(ctx context.Context, args ...string) error {
	d.enter(args)
	d.screen.listen = d.screen.block
	output, err := d.cluster.Kubectl(ctx, args...)
	d.screen.listen = nil
	d.screen.block(output)
	return err
}

func (d *demo) runAll(ctx context.Context, commands ...[]string) error {
	for _, args := range commands {
		if err := d.run(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

// enter prints a command as users type it.
func (d *demo) enter(args []string) {
	line := strings.Join(args, " ")
	for _, dir := range []string{d.cluster.Root, d.scratch} {
		line = strings.ReplaceAll(line, dir+"/", "")
	}
	d.screen.say("kubectl %s", line)
}
