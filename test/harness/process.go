package harness

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// Process is a running child. It leads a process group, so that ending it ends what it started.
type Process struct {
	name   string
	cmd    *exec.Cmd
	stdout Output
	stderr Output
	done   chan struct{}
	err    error // of Wait; set before done is closed
}

// Start runs the binary.
func Start(name, bin string, args ...string) (*Process, error) {
	return StartCommand(name, exec.Command(bin, args...))
}

// StartCommand runs a command that has been made but not started, for more than arguments. Its output is taken.
func StartCommand(name string, cmd *exec.Cmd) (*Process, error) {
	p := &Process{name: name, cmd: cmd, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	ownGroup(p.cmd)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// PID returns the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited reports whether the process has ended.
func (p *Process) Exited() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// ExitCode returns the exit code of a process that has ended, -1 if a signal ended it.
func (p *Process) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Signal sends a signal to the process itself.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Kill ends the process and its group at once, with SIGKILL, and waits until it is gone. It may be called again.
func (p *Process) Kill() {
	if !p.Exited() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	<-p.done
}

// Stop asks the process to end, with SIGTERM, and kills it if it has not when ctx ends.
func (p *Process) Stop(ctx context.Context) error {
	_ = p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("%s did not end after SIGTERM: %w", p.name, ctx.Err())
	}
}

// Stdout and Stderr return what the process has written so far.
func (p *Process) Stdout() string { return p.stdout.String() }

// Stderr returns what the process has written to standard error so far.
func (p *Process) Stderr() string { return p.stderr.String() }

// Tail returns the last lines of what the process wrote, for messages about its failure.
func (p *Process) Tail() string {
	lines := strings.SplitAfter(p.Stdout()+p.Stderr(), "\n")
	return p.name + " wrote:\n" + strings.Join(lines[max(0, len(lines)-30):], "")
}

// AwaitReady waits until ready reports true and fails early when the process ends.
func (p *Process) AwaitReady(ctx context.Context, ready func() bool) error {
	err := Await(ctx, p.name+" is ready", func() bool { return p.Exited() || ready() })
	if err == nil && p.Exited() {
		err = fmt.Errorf("%s ended with exit code %d", p.name, p.ExitCode())
	}
	if err != nil {
		p.Kill()
		return fmt.Errorf("%w\n%s", err, p.Tail())
	}
	return nil
}

// Output is a buffer that a process writes to while others read.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

// String returns everything written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
