package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// result is what a scenario measured. Measured and Limit are a ratio of CPU times, or seconds.
type result struct {
	Name     string    `json:"name"`
	Work     string    `json:"work"`
	Base     float64   `json:"baseMicros,omitempty"` // CPU time per check of what is compared with
	Subject  float64   `json:"micros,omitempty"`     // CPU time per check
	Unit     string    `json:"unit"`                 // "ratio" or "s"
	Measured float64   `json:"measured"`
	Limit    float64   `json:"limit"`
	Rounds   []float64 `json:"rounds"` // what each round measured; Measured is their median
	Note     string    `json:"note,omitempty"`
	Pass     bool      `json:"pass"`
}

// ratioResult sums up a comparison.
func ratioResult(c comparison, limit float64) result {
	return result{
		Base: median(c.base), Subject: median(c.subject),
		Unit: "ratio", Measured: median(c.ratios), Limit: limit, Rounds: c.ratios,
	}
}

// cells are a result's columns.
func (r result) cells() []string {
	base, subject, spread := "", "", fmt.Sprintf("%.2f–%.2f", slices.Min(r.Rounds), slices.Max(r.Rounds))
	measured, limit := fmt.Sprintf("%.2f", r.Measured), fmt.Sprintf("%.2f", r.Limit)
	if r.Unit == "ratio" {
		base, subject = fmt.Sprintf("%.1f µs", r.Base), fmt.Sprintf("%.1f µs", r.Subject)
	} else {
		measured, limit = measured+" s", limit+" s"
	}
	verdict := "holds"
	if !r.Pass {
		verdict = "EXCEEDED"
	}
	return []string{r.Work, base, subject, measured, spread, limit, verdict}
}

var columns = []string{"work", "compared with", "Postern", "measured", "of all rounds", "limit", ""}

// printTable prints the results for people.
func printTable(out io.Writer, results []result) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(columns, "\t"))
	for _, r := range results {
		fmt.Fprintln(w, strings.Join(append(r.cells(), r.Note), "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(out, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// printJSON prints the results for programs.
func printJSON(out io.Writer, results []result) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Go         string   `json:"go"`
		Processors int      `json:"processors"`
		Results    []result `json:"results"`
	}{runtime.Version(), runtime.GOMAXPROCS(0), results})
}

// markdown is the table as the README shows it.
func markdown(results []result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| work | CPU per check | compared with | ratio, or time | at most |\n|---|---|---|---|---|\n")
	for _, r := range results {
		c := r.cells()
		work := c[0]
		if r.Note != "" {
			work += " (" + r.Note + ")"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | **%s** | %s |\n", work, c[2], c[1], c[3], c[5])
	}
	return b.String()
}

// The lines of a document that the table stands between.
const (
	tableBegin = "<!-- bench: begin -->\n"
	tableEnd   = "<!-- bench: end -->"
)

var errNoMarkers = errors.New("the file does not have the lines <!-- bench: begin --> and <!-- bench: end -->; put them where the table belongs")

// writeMarkdown puts the table between the markers of a file, or into a new file.
func writeMarkdown(path string, results []result) error {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.WriteFile(path, []byte(tableBegin+markdown(results)+tableEnd+"\n"), 0o644) // for everybody
	case err != nil:
		return err
	}
	before, rest, begun := strings.Cut(string(text), tableBegin)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !begun || !ended {
		return fmt.Errorf("%s: %w", path, errNoMarkers)
	}
	return os.WriteFile(path, []byte(before+tableBegin+markdown(results)+tableEnd+after), 0o644) // for everybody
}
