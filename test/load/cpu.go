package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// cpuTime returns how long all threads of a process have run. Linux counts it in nanoseconds in each thread's
// schedstat; the usual utime and stime move in steps of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, path := range threads {
		ran, err := ranFor(path)
		if os.IsNotExist(err) {
			continue // the thread has ended since
		}
		if err != nil {
			return 0, err
		}
		sum += ran
	}
	if sum == 0 {
		return 0, fmt.Errorf("/proc/%d/task/*/schedstat shows no CPU time: a running process and a Linux kernel with scheduler statistics are needed", pid)
	}
	return sum, nil
}

func ranFor(schedstat string) (time.Duration, error) {
	text, err := os.ReadFile(schedstat)
	if err != nil {
		return 0, err
	}
	ran, _, _ := strings.Cut(string(text), " ")
	ns, err := strconv.ParseInt(ran, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", schedstat, err)
	}
	return time.Duration(ns), nil
}

// threadCost returns the CPU time of one call of work, called over and over for a while on every processor at once:
// alone on the machine it would look cheaper than it is in a busy server.
func threadCost(d time.Duration, work func()) (time.Duration, error) {
	type result struct {
		cost time.Duration
		err  error
	}
	processors := runtime.GOMAXPROCS(0)
	results := make(chan result)
	for range processors {
		go func() {
			cost, err := oneThreadCost(d, work)
			results <- result{cost, err}
		}()
	}
	var sum time.Duration
	var failed error
	for range processors {
		r := <-results
		sum += r.cost
		if r.err != nil {
			failed = r.err
		}
	}
	return sum / time.Duration(processors), failed
}

func oneThreadCost(d time.Duration, work func()) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const self = "/proc/thread-self/schedstat"
	before, err := ranFor(self)
	if err != nil {
		return 0, err
	}
	calls := 0
	for end := time.Now().Add(d); time.Now().Before(end); {
		for range 16 {
			work()
		}
		calls += 16
	}
	after, err := ranFor(self)
	if err != nil {
		return 0, err
	}
	return (after - before) / time.Duration(calls), nil
}
