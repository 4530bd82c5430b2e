package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// session is one run of a command that calls the admin API.
type session struct {
	*clients

	namespace string
	format    format
	in        io.Reader
	out       io.Writer // what was asked for
	errOut    io.Writer // everything about it
}

// remote makes a command call the admin API: it adds the flags of the connection, and runs with what they say.
func remote(cmd *cobra.Command, run func(ctx context.Context, s *session, args []string) error) *cobra.Command {
	var c connection
	c.add(cmd)
	cmd.Long += contextHelp
	args := cmd.Args
	cmd.Args = func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			return err
		}
		if err := cmd.ValidateFlagGroups(); err != nil { // cobra itself would not call it a usage error
			return &usageError{err}
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := formatOf(cmd)
		if err != nil {
			return err
		}
		api, err := c.dial()
		if err != nil {
			return err
		}
		s := &session{
			clients: api, namespace: c.at.Namespace, format: format,
			in: cmd.InOrStdin(), out: cmd.OutOrStdout(), errOut: cmd.ErrOrStderr(),
		}
		return c.explained(run(cmd.Context(), s, args))
	}
	return cmd
}

// requestID makes a write harmless to repeat.
func requestID() string { return uuid.NewString() }

// ref splits APP/KEY.
func ref(arg string) (app, key string, err error) {
	app, key, ok := strings.Cut(arg, "/")
	if !ok || app == "" || key == "" || strings.Contains(key, "/") {
		return "", "", usagef("%q does not name a key: write APP/KEY, and the namespace with -n", arg)
	}
	return app, key, nil
}

// pages returns what all pages hold.
func pages[T any](fetch func(token string) (page []T, next string, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for token := ""; ; {
			page, next, err := fetch(token)
			if err != nil {
				yield(*new(T), err)
				return
			}
			for _, one := range page {
				if !yield(one, nil) {
					return
				}
			}
			if token = next; token == "" {
				return
			}
		}
	}
}

// all collects what pages hold, at most limit of it; 0 is no limit.
func all[T any](limit int, seq iter.Seq2[T, error]) ([]T, error) {
	var list []T
	for one, err := range seq {
		if err != nil {
			return nil, err
		}
		if list = append(list, one); len(list) == limit {
			break
		}
	}
	return list, nil
}

// print writes the message if that was asked for, else the rows as a table.
func (s *session) print(m proto.Message, rows [][]string) error {
	if s.format == asText {
		t := tabwriter.NewWriter(s.out, 0, 0, 3, ' ', 0)
		for _, row := range rows {
			cells := make([]string, len(row))
			for i, text := range row {
				cells[i] = plain(text)
			}
			fmt.Fprintln(t, strings.Join(cells, "\t"))
		}
		return t.Flush()
	}
	return s.format.print(s.out, m)
}

// plain returns text as one line that a terminal does nothing with but show it: others wrote it.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		default:
			return unicode.ReplacementChar
		}
	}, text)
}

// note tells people something that scripts do not want.
func (s *session) note(format string, args ...any) { fmt.Fprintf(s.errOut, format+"\n", args...) }

var errUnchanged = errors.New("nothing was changed")

// confirm asks before something that cannot be undone.
func (s *session) confirm(yes bool, format string, args ...any) error {
	if yes {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	if file, ok := s.in.(*os.File); !ok || !term.IsTerminal(int(file.Fd())) {
		return usagef("%s cannot be undone: give --yes to go on", what)
	}
	fmt.Fprintf(s.errOut, "%s cannot be undone. Go on? [y/N] ", what)
	answer, _ := bufio.NewReader(s.in).ReadString('\n')
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return errUnchanged
	}
	return nil
}

func addYes(cmd *cobra.Command, yes *bool) {
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "do not ask")
}

// span is a flag of time that knows days and weeks beside Go's units: 36h, 14d, 2w.
type span struct {
	time.Duration

	set bool
}

// String implements pflag.Value.
func (s *span) String() string {
	if !s.set {
		return ""
	}
	return s.Duration.String()
}

// Type implements pflag.Value.
func (s *span) Type() string { return "duration" }

// Set implements pflag.Value.
func (s *span) Set(text string) error {
	s.set = true
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			n, err := strconv.ParseUint(number, 10, 16)
			if err != nil {
				return fmt.Errorf("%q is no duration such as 36h, 14d or 2w", text)
			}
			s.Duration = time.Duration(n) * unit
			return nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no duration such as 36h, 14d or 2w", text)
	}
	s.Duration = d
	return nil
}

// proto returns the duration as messages carry it, nil if the flag was not set.
func (s *span) proto() *durationpb.Duration {
	if !s.set {
		return nil
	}
	return durationpb.New(s.Duration)
}

// moment is a flag of a time as RFC 3339 writes it, or of a day.
type moment struct{ time.Time }

// String implements pflag.Value.
func (m *moment) String() string { return formatTime(m.Time) }

// Type implements pflag.Value.
func (m *moment) Type() string { return "time" }

// Set implements pflag.Value.
func (m *moment) Set(text string) (err error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if m.Time, err = time.Parse(layout, text); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%q is no time such as 2027-01-31T12:00:00Z or 2027-01-31, which is its beginning in UTC", text)
}

// proto returns the time as messages carry it, nil if the flag was not set.
func (m *moment) proto() *timestamppb.Timestamp {
	if m.IsZero() {
		return nil
	}
	return timestamppb.New(m.Time)
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// cell shows a time in a table.
func cell(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return formatTime(t.AsTime())
}

// or shows text in a table.
func or(text, empty string) string {
	if text == "" {
		return empty
	}
	return text
}
