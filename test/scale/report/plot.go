package report

import (
	"fmt"
	"math"
	"strings"
)

// The plot's size in pixels, and where its axes are.
const (
	plotWidth, plotHeight = 720, 400
	left, right           = 70, 20
	top, bottom           = 50, 50
)

// Plot returns an SVG of how many pairs were cached after which time, beside
// the pace of the hand-made Jobs of the same run.
func Plot(r *Result) string {
	longest := r.Seconds
	if n := len(r.Progress); n > 0 {
		longest = max(longest, r.Progress[n-1].Seconds)
	}
	p := plot{seconds: roundUp(longest * 1.05), pairs: float64(r.Pairs)}
	p.begin(fmt.Sprintf("%d nodes, %d images: %d pairs in %.0f s", r.Nodes, r.Images, r.Pairs, r.Seconds),
		fmt.Sprintf("Job controller at %d requests per second; %s", r.JobControllerQPS, r.Machine))
	p.axes()
	pace := r.Floor.Seconds * float64(r.Pairs) / float64(max(1, r.Floor.Pairs))
	p.line([]Point{{0, 0}, {pace, r.Pairs}}, "#888", `stroke-dasharray="6 4"`)
	p.line(append([]Point{{0, 0}}, r.Progress...), "#1565c0", "")
	p.legend()
	p.text.WriteString("</g></svg>\n")
	return p.text.String()
}

type plot struct {
	seconds, pairs float64
	text           strings.Builder
}

func (p *plot) x(seconds float64) float64 {
	return left + seconds/p.seconds*(plotWidth-left-right)
}

func (p *plot) y(pairs float64) float64 {
	return plotHeight - bottom - pairs/p.pairs*(plotHeight-top-bottom)
}

func (p *plot) write(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

func (p *plot) begin(title, subtitle string) {
	p.write(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">`, plotWidth, plotHeight)
	p.write(`<title>%s</title><rect width="100%%" height="100%%" fill="#fff"/>`, escape(title))
	p.write(`<g font-family="sans-serif" font-size="12" fill="#222">`)
	p.write(`<text x="%d" y="20" font-size="15" font-weight="bold">%s</text><text x="%d" y="38">%s</text>`,
		left, escape(title), left, escape(subtitle))
}

// axes draws five steps of each.
func (p *plot) axes() {
	const steps = 5
	for i := range steps + 1 {
		share := float64(i) / steps
		x, y := p.x(share*p.seconds), p.y(share*p.pairs)
		p.write(`<path d="M%.1f %d V%d M%d %.1f H%d" stroke="#ddd"/>`, x, top, plotHeight-bottom, left, y, plotWidth-right)
		p.write(`<text x="%.1f" y="%d" text-anchor="middle">%.0f s</text>`, x, plotHeight-bottom+18, share*p.seconds)
		p.write(`<text x="%d" y="%.1f" text-anchor="end">%.0f</text>`, left-8, y+4, share*p.pairs)
	}
}

// line draws points; what is beyond the axes is cut.
func (p *plot) line(points []Point, color, more string) {
	var path strings.Builder
	for i, point := range points {
		command := 'L'
		if i == 0 {
			command = 'M'
		}
		seconds, pairs := point.Seconds, float64(point.Pairs)
		if seconds > p.seconds && seconds > 0 { // on the way there at an even pace
			seconds, pairs = p.seconds, pairs*p.seconds/seconds
		}
		fmt.Fprintf(&path, "%c%.1f %.1f ", command, p.x(seconds), p.y(pairs))
	}
	p.write(`<path d="%s" fill="none" stroke="%s" stroke-width="2" %s/>`, strings.TrimSpace(path.String()), color, more)
}

func (p *plot) legend() {
	const x, y = plotWidth - right - 250, plotHeight - bottom - 50
	p.write(`<rect x="%d" y="%d" width="245" height="44" fill="#fff" stroke="#ddd"/>`, x, y)
	p.write(`<path d="M%d %d h24" stroke="#1565c0" stroke-width="2"/><text x="%d" y="%d">cached pairs, as the status says</text>`, x+8, y+14, x+40, y+18)
	p.write(`<path d="M%d %d h24" stroke="#888" stroke-width="2" stroke-dasharray="6 4"/><text x="%d" y="%d">pace of Jobs made by hand</text>`, x+8, y+32, x+40, y+36)
}

// roundUp returns the next number with two digits and zeros.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(v))-1)
	return math.Ceil(v/unit) * unit
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
