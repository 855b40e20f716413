package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// screen prints lines that begin with the seconds since the start.
type screen struct {
	out      io.Writer
	began    time.Time
	steps    int
	terminal bool
	// listen is what happens to a line that a program says, nothing if it is nil;
	// rest is the line that has not ended.
	listen func(line string)
	rest   []byte
	// live is the progress line that stands on a terminal, or was printed last.
	live string
}

func newScreen(out io.Writer, began time.Time) *screen {
	s := &screen{out: out, began: began}
	if file, ok := out.(*os.File); ok {
		info, err := file.Stat()
		s.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return s
}

// bold makes text stand out, on a terminal.
func (s *screen) bold(text string) string {
	if !s.terminal {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

func (s *screen) title(text string) { fmt.Fprintf(s.out, "\n%s\n", s.bold(text)) }

func (s *screen) heading(text string) {
	s.steps++
	fmt.Fprintf(s.out, "\n%s\n", s.bold(fmt.Sprintf("%d. %s", s.steps, text)))
}

func (s *screen) stamp() string { return fmt.Sprintf("%6.1fs  ", time.Since(s.began).Seconds()) }

// say prints one line.
func (s *screen) say(format string, args ...any) {
	fmt.Fprintf(s.out, "%s%s\n", s.stamp(), fmt.Sprintf(format, args...))
}

// block prints the lines of a program's output.
func (s *screen) block(text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(s.out, "         %s\n", strings.TrimRight(line, "\n"))
	}
}

// progress shows a line in place of the last one. Without a terminal each line
// that differs from the last is printed.
func (s *screen) progress(line string) {
	switch {
	case s.terminal:
		fmt.Fprintf(s.out, "\r\x1b[K%s%s", s.stamp(), line)
	case line != s.live:
		s.say("%s", line)
	}
	s.live = line
}

// Write takes the lines of programs.
func (s *screen) Write(text []byte) (int, error) {
	if s.listen == nil {
		return len(text), nil
	}
	s.rest = append(s.rest, text...)
	for {
		line, rest, ended := bytes.Cut(s.rest, []byte("\n"))
		if !ended {
			return len(text), nil
		}
		s.rest = rest
		s.listen(string(line))
	}
}

// settle leaves the progress line where it is.
func (s *screen) settle() {
	if s.terminal && s.live != "" {
		fmt.Fprintln(s.out)
	}
	s.live = ""
}
