// Command load measures what a check costs: the CPU time of the server's process per check, through gRPC over the
// loopback interface, with requests as Envoy sends them. It holds the figures that the README shows.
//
// The yardstick is alwaysyes, a stock grpc-go server that allows everything. Both servers run all the time and are
// asked in turn, a fifth of a second each; the ratio of each round is taken, and of these the median. So the speed of
// the machine, and what else it does, cancels out. The load generator sends encoded bytes and looks only whether the
// answer is an allow. One that is not fails the run.
//
//	go run ./test/load                      the whole table, and exit code 1 if a limit is exceeded
//	go run ./test/load -only apikey,hmac    some of them
//	go run ./test/load -only sqlite,postgres  with a million keys in a database
//	go run ./test/load -only self           how exact the method is: the yardstick against itself
//	go run ./test/load -markdown README.md  put the table between the markers in the file
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// atMost bounds the whole run.
const atMost = 20 * time.Minute

var errExceeded = errors.New("a limit is exceeded")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "load:", err)
		}
		os.Exit(1) //nolint:gocritic // nothing is left to defer
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	rounds := flags.Int("rounds", 5, "how often to measure both sides")
	duration := flags.Duration("duration", 2*time.Second, "how long to measure one side of a round")
	only := flags.String("only", "", "scenarios to run, separated by commas: "+strings.Join(names(), ", "))
	format := flags.String("o", "text", "output format: text or json")
	readme := flags.String("markdown", "", "`file` to put the table into, between its markers")
	if err := flags.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	write, known := map[string]func(io.Writer, []result) error{"text": printTable, "json": printJSON}[*format]
	switch {
	case !known:
		return fmt.Errorf("-o %s: use text or json", *format)
	case *rounds < 1 || *duration < 10*time.Millisecond:
		return errors.New("use at least 1 round of 10ms")
	}
	results, err := measure(ctx, plan{*rounds, *duration}, chosen, log)
	if err != nil {
		return err
	}
	if err := write(out, results); err != nil {
		return err
	}
	if *readme != "" {
		if err := writeMarkdown(*readme, results); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(results, func(r result) bool { return !r.Pass }) {
		return errExceeded
	}
	return nil
}

func names() []string {
	var list []string
	for _, s := range slices.Concat(scenarios, onDemand) {
		list = append(list, s.name)
	}
	return list
}

// choose returns the scenarios named, all but those on demand if none is.
func choose(only string) ([]scenario, error) {
	if only == "" {
		return scenarios, nil
	}
	var chosen []scenario
	all := slices.Concat(scenarios, onDemand)
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only: %q is no scenario; use %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// measure builds the servers and runs the scenarios one after the other.
func measure(ctx context.Context, p plan, chosen []scenario, log io.Writer) ([]result, error) {
	// Both servers get as many processors.
	if err := os.Setenv("GOMAXPROCS", strconv.Itoa(runtime.GOMAXPROCS(0))); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "postern-load-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the directory for temporary files
	b := &bench{plan: p, programs: &programs{dir: dir}}
	if b.secrets, err = newSecrets(); err != nil {
		return nil, err
	}
	defer b.close()
	var results []result
	for _, s := range chosen {
		fmt.Fprintf(log, "%s: %s\n", s.name, s.work)
		r, err := s.run(ctx, b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		r.Name, r.Work, r.Pass = s.name, s.work, r.Measured <= r.Limit
		results = append(results, r)
	}
	return results, nil
}
