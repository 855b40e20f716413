package simulation

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the stories in testdata")

// TestStories runs scenarios in which every lag is the same, and compares what
// happens with the story in testdata: read those to see what the planner does.
func TestStories(t *testing.T) {
	for name, scenario := range stories {
		t.Run(name, func(t *testing.T) {
			var story bytes.Buffer
			w := newWorld(0, &story)
			w.weather.steady = true
			scenario(w)
			if w.broken != "" {
				t.Error(w.broken)
			}
			compare(t, filepath.Join("testdata", name+".log.golden"), story.Bytes())
		})
	}
}

func compare(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the story has changed (-want +got); if that is right, run with -update\n%s", diff)
	}
}

// begin makes a world with nodes node-1 to node-n and a controller.
func (w *world) begin(n int) {
	for i := range n {
		w.join(fmt.Sprintf("node-%d", i+1), map[string]string{"pool": "a"})
	}
	w.start()
	w.run(5 * time.Second)
}

// wait lets time pass.
func (w *world) wait(d time.Duration) { w.run(w.now + d) }

// named makes n images of this size, named after what.
func (w *world) named(what string, n, megabytes int) []string {
	var images []string
	for i := range n {
		image := fmt.Sprintf("docker.io/library/%s-%d:1", what, i+1)
		w.registry.megabytes[image] = megabytes
		images = append(images, image)
	}
	return images
}

func everywhere(images ...string) spec { return spec{lists: []list{{images: images}}} }

var stories = map[string]func(*world){
	"tutorial": func(w *world) {
		w.begin(3)
		w.apply("default", "tutorial", everywhere(w.named("app", 2, 40)...))
		w.wait(time.Minute)
	},
	"one-missing-beside-nine": func(w *world) {
		w.begin(1)
		images := w.named("app", 10, 5)
		w.registry.missing[images[3]] = true
		w.apply("default", "ten", everywhere(images...))
		w.wait(7 * time.Minute)
	},
	"slow-image-among-others": func(w *world) {
		w.begin(1)
		images := append(w.named("app", 2, 20), append(w.named("slow", 1, 4000), w.named("behind", 2, 20)...)...)
		w.apply("default", "mixed", everywhere(images...))
		w.wait(4 * time.Minute)
	},
	"node-joins-late": func(w *world) {
		w.begin(1)
		w.apply("default", "web", everywhere(w.named("app", 2, 40)...))
		w.wait(30 * time.Second)
		w.join("node-2", map[string]string{"pool": "b"})
		w.wait(30 * time.Second)
	},
	"node-replaced": func(w *world) {
		w.begin(2)
		w.apply("default", "web", everywhere(w.named("app", 2, 40)...))
		w.wait(30 * time.Second)
		w.replace("node-2", 2*time.Second)
		w.wait(30 * time.Second)
	},
	"two-identities": func(w *world) {
		w.begin(1)
		images := w.named("private", 1, 200)
		w.registry.private[images[0]] = true
		w.apply("red", "with-secret", spec{lists: everywhere(images...).lists, secrets: []string{"good"}})
		w.wait(10 * time.Second)
		w.apply("blue", "without-secret", everywhere(images...))
		w.wait(time.Minute)
	},
	"edit-retries-failures": func(w *world) {
		w.begin(1)
		images := w.named("private", 2, 50)
		w.registry.private[images[0]] = true
		w.apply("red", "web", spec{lists: everywhere(images...).lists, secrets: []string{"bad"}})
		w.wait(20 * time.Second)
		c := w.api.objects[caches]["red/web"].(*cache)
		w.tell("red", "the secret is mended")
		w.registry.private[images[0]] = false
		w.wait(20 * time.Second)
		w.editCache(c, func(*spec) {})
		w.wait(30 * time.Second)
	},
	"quota-in-one-namespace": func(w *world) {
		w.begin(1)
		images := w.named("app", 2, 40)
		w.quota["red"] = true
		w.apply("red", "first", everywhere(images...))
		w.wait(2 * time.Second)
		w.apply("blue", "second", everywhere(images[0]))
		w.wait(2 * time.Minute)
	},
	"node-refuses-pods": func(w *world) {
		w.begin(1)
		for _, k := range w.kubelets {
			k.refusing = true
			w.after(time.Minute, func() { k.refusing = false })
		}
		w.apply("default", "web", everywhere(w.named("app", 1, 40)...))
		w.wait(3 * time.Minute)
	},
	"controller-crashes": func(w *world) {
		w.settings.surge = 1
		w.begin(2)
		w.apply("default", "web", everywhere(w.named("app", 2, 100)...))
		w.wait(3 * time.Second)
		w.crash(2 * time.Second)
		w.wait(time.Minute)
	},
}
