package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	sqlstore "github.com/postern-auth/postern/internal/keystore/sql"
)

// smallDisk is a variable that only the process on the small disk has.
const smallDisk = "POSTERN_STORE_SMALL_DISK"

// TestFullDisk fills the disk under a SQLite database: a file system of two megabytes, in a mount namespace of the
// test's own.
func TestFullDisk(t *testing.T) {
	if os.Getenv(smallDisk) == "" {
		t.Parallel()
		again(t)
		return
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after all that is opened below is closed
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 512<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	o := sqlstore.Options{File: filepath.Join(disk, "keys.db")}
	r := newReplica(t, o)
	store(t, r.Store)

	var acknowledged []string
	var full error
	for i := 0; full == nil; i++ {
		name := fmt.Sprint("key", i)
		if full = r.Update(t.Context(), issue(name)); full == nil {
			acknowledged = append(acknowledged, name)
		}
	}
	t.Logf("%d keys, then: %v", len(acknowledged), full)
	if !errors.Is(full, sqlstore.ErrUnavailable) || !strings.Contains(full.Error(), "full") {
		t.Errorf("it does not say that the disk is full: %v", full)
	}
	everything := func() {
		t.Helper()
		for _, name := range acknowledged {
			k := apiKey(name)
			if strings.HasSuffix(name, "3") {
				k = hmacKey(name)
			}
			r.cache.ForgetAll()
			r.good(t, k)
		}
		if _, err := r.Events(t.Context(), sqlstore.EventFilter{}, 0, 10); err != nil {
			t.Error(err)
		}
	}
	for range 10 {
		if err := r.Update(t.Context(), issue("too-much")); !errors.Is(err, sqlstore.ErrUnavailable) {
			t.Errorf("a write to a full disk: %v", err)
		}
		everything()
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	name := "afterwards"
	update(t, r.Store, issue(name))
	acknowledged = append(acknowledged, name)
	everything()
	intact(t, o, acknowledged)
	var verdict string
	if err := raw(t, o).QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity: %s, %v", verdict, err)
	}
}

// again runs the test in a process that may mount file systems.
func again(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("a mount namespace: %v; run this as root, or allow user namespaces", err)
	}
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}
