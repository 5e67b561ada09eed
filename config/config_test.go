package config_test

import (
	"path/filepath"
	"testing"
)

func good(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/*.good.*")
	if err != nil || len(names) == 0 {
		t.Fatalf("no good files: %v", err)
	}
	return names
}
