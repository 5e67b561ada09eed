package client_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"portico/client"
)

// TestFind proves that sockets are found by name in the folder that is asked
// for, and that a folder that is not there holds none.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PORTICO_SOCKETS", dir)
	for _, name := range []string{"b.sock", "a.sock", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := client.Find()
	if err != nil || len(found) != 2 || filepath.Base(found[0]) != "a.sock" || filepath.Base(found[1]) != "b.sock" {
		t.Errorf("Find = %q, %v; want a.sock and b.sock", found, err)
	}
	t.Setenv("PORTICO_SOCKETS", filepath.Join(dir, "none"))
	if found, err := client.Find(); err != nil || len(found) != 0 {
		t.Errorf("Find in a folder that is not there = %q, %v", found, err)
	}
}

// TestOwn proves that a folder that another user made is refused.
func TestOwn(t *testing.T) {
	dir := t.TempDir()
	if err := client.Own(dir); err != nil {
		t.Errorf("Own(a folder of ours) = %v", err)
	}
	if os.Getuid() != 0 {
		t.Skip("giving a folder to another user needs root")
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	if err := client.Own(dir); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Errorf("Own(a folder of another) = %v, want its owner named", err)
	}
}
