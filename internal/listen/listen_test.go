package listen

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestListenUnix(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "authz.sock")
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = stale.Close()

	lis, err := On("unix://" + path)
	if err != nil {
		t.Fatalf("a stale socket is in the way: %v", err)
	}
	defer func() { _ = lis.Close() }()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}

	_, err = On("unix://" + path)
	want := "listen on " + path + ": another process listens there; stop it or choose another path"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = On("unix://" + file)
	want = "listen on " + file + ": the file there is not a socket; remove it or choose another path"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestListenTCPRefuses(t *testing.T) {
	if lis, err := On("127.0.0.1:port"); err == nil {
		_ = lis.Close()
		t.Error("a port that is no number was accepted")
	}
}
