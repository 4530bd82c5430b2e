package main

import (
	"fmt"
	"os"
	"path/filepath"
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

// pageFaults returns how many pages the kernel has given a process so far: minflt, the tenth field of its stat.
func pageFaults(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the second field, the program's name, may hold spaces
	fields := strings.Fields(rest)
	if len(fields) < 8 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields after the name, fewer than 8", pid, len(fields))
	}
	return strconv.ParseUint(fields[7], 10, 64)
}

// resident returns how many bytes of memory a process occupies: the second field of its statm, in pages.
func resident(pid int) (int64, error) {
	path := fmt.Sprintf("/proc/%d/statm", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var all, present int64
	if _, err := fmt.Sscan(string(text), &all, &present); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return present * int64(os.Getpagesize()), nil
}
