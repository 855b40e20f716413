package components

import (
	"fmt"
	"io"
	"strings"
)

// Print writes, as a shell script to read, what starting the components in
// this order does.
func Print(output io.Writer, ordered []Component) error {
	for _, component := range ordered {
		if _, err := fmt.Fprint(output, script(component)); err != nil {
			return err
		}
	}
	return nil
}

func script(component Component) string {
	var text strings.Builder
	fmt.Fprintf(&text, "# %s", component.Name)
	if len(component.Needs) > 0 {
		fmt.Fprintf(&text, " needs %s;", strings.Join(component.Needs, ", "))
	}
	fmt.Fprintf(&text, " ready: %s\n", component.Ready)
	if len(component.Dirs) > 0 {
		fmt.Fprintf(&text, "mkdir -p %s\n", strings.Join(component.Dirs, " "))
	}
	for _, file := range component.Files {
		fmt.Fprintf(&text, "cat >%s <<'EOF'\n%sEOF\n", file.Path, file.Content)
	}
	words := append(entering(component), component.Command...)
	fmt.Fprintf(&text, "%s &\n\n", strings.Join(words, " \\\n  "))
	return text.String()
}

// entering returns the words before the command that give it its namespaces
// and environment.
func entering(component Component) []string {
	var words []string
	if component.Namespace != "" {
		words = append(words, "nsenter --net=/run/netns/"+component.Namespace)
	}
	if component.OwnMounts {
		words = append(words, "unshare --mount")
	}
	if component.Sandbox != "" {
		words = append(words, fmt.Sprintf("nsenter --mount --target=PID-OF-%s", component.Sandbox))
	}
	if len(component.Env) > 0 {
		words = append(words, "env "+strings.Join(component.Env, " "))
	}
	return words
}
