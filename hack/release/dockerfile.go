package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// recipe is what a stage of a Dockerfile says. There is no base: every image of
// ours is FROM scratch.
type recipe struct {
	labels     map[string]string
	copies     []copied
	user       string
	entrypoint []string
}

// copied is one COPY, which makes one layer.
type copied struct {
	from []string
	to   string
}

// parse reads the stage of that name, or the only one when target is empty. It
// knows what our Dockerfiles need and refuses the rest, since an instruction
// that is passed over would make another image than Docker makes.
func parse(dockerfile, target, arch string) (recipe, error) {
	result := recipe{labels: map[string]string{}}
	found := false
	stage := ""
	for _, line := range instructions(dockerfile) {
		name, rest, _ := strings.Cut(line, " ")
		rest = strings.ReplaceAll(strings.TrimSpace(rest), "${TARGETARCH}", arch)
		if name == "FROM" {
			var err error
			if stage, err = stageOf(rest); err != nil {
				return recipe{}, err
			}
			found = found || stage == target
			continue
		}
		if stage != target {
			continue
		}
		if err := result.add(name, rest); err != nil {
			return recipe{}, fmt.Errorf("%s: %w", line, err)
		}
	}
	if !found {
		return recipe{}, fmt.Errorf("no stage %q", target)
	}
	return result, nil
}

// instructions joins continued lines and leaves out comments.
func instructions(dockerfile string) []string {
	var all []string
	for _, line := range strings.Split(strings.ReplaceAll(dockerfile, "\\\n", " "), "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

// stageOf returns the name in "scratch AS name", which may be missing.
func stageOf(from string) (string, error) {
	words := strings.Fields(from)
	switch {
	case words[0] != "scratch":
		return "", fmt.Errorf("FROM %s: only scratch is built here", words[0])
	case len(words) == 3 && strings.EqualFold(words[1], "as"):
		return words[2], nil
	}
	return "", nil
}

func (r *recipe) add(instruction, rest string) error {
	switch instruction {
	case "ARG":
		return nil // TARGETARCH, which is known
	case "LABEL":
		return r.label(rest)
	case "COPY":
		words := strings.Fields(rest)
		if len(words) < 2 || strings.HasPrefix(words[0], "-") {
			return fmt.Errorf("want COPY FROM... TO")
		}
		r.copies = append(r.copies, copied{from: words[:len(words)-1], to: words[len(words)-1]})
		return nil
	case "USER":
		r.user = rest
		return nil
	case "ENTRYPOINT":
		return json.Unmarshal([]byte(rest), &r.entrypoint)
	}
	return fmt.Errorf("%s is not built here", instruction)
}

// label reads key=value and key="some value", several on a line.
func (r *recipe) label(rest string) error {
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		key, value, ok := strings.Cut(rest, "=")
		if !ok {
			return fmt.Errorf("want key=value")
		}
		if strings.HasPrefix(value, `"`) {
			value, rest, ok = strings.Cut(value[1:], `"`)
		} else {
			value, rest, _ = strings.Cut(value, " ")
		}
		if !ok {
			return fmt.Errorf("a quote is not closed")
		}
		r.labels[key] = value
	}
	return nil
}
